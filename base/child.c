/* SPDX-License-Identifier: MIT */
/* child.c - see child.h, whose rules R1 to R4 hold below run_child. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/syscall.h"
#include "base/atomic.h"
#include "base/child.h"
#include "base/vm.h"

#define STACK  ((size_t)32 << 10) /* a path, and a dozen small frames */
#define SIGSET sizeof(uint64_t)	  /* the kernel's: signals 1 to 64 */

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

#define CALL(nr, a, b, c, d) \
	cpu_syscall(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* base/ARCH/entry.S.  The child's pid, or -errno; fn does not return. */
__attribute__((visibility("hidden"))) long cpu_clone(unsigned long flags,
    void *stack_top, int *pidfd, void (*fn)(void *), void *arg);

/* On top of the child's stack, in memory that both see. */
struct launch {
	const struct child_plan *plan;
	int fds[CHILD_FDS_MAX];
	rt_a32 err;
	char path[PATH_MAX];
};

/* What the kernel takes for a struct sigaction; zero is the default. */
struct kernel_sigaction {
	unsigned long handler, flags, restorer;
	uint64_t mask;
};

static const struct kernel_sigaction is_default;

static void reset_signals(bool keep_ignored)
{
	struct kernel_sigaction was;

	for (int sig = 1; sig <= 64; sig++) {
		was.handler = 0;
		if (keep_ignored)
			(void)CALL(rt_sigaction, sig, NULL, &was, SIGSET);
		if (was.handler == (unsigned long)SIG_IGN)
			continue;
		(void)CALL(rt_sigaction, sig, &is_default, NULL, SIGSET);
	}
}

static long set_identity(const struct child_plan *plan)
{
	long r = 0;

	if (plan->session)
		r = CALL(setsid, 0, 0, 0, 0);
	else if (plan->group)
		r = CALL(setpgid, 0, plan->pgid, 0, 0);
	if (r < 0 || !plan->ids)
		return r;
	r = CALL(setgroups, plan->ngroups, plan->groups, 0, 0);
	if (r == 0)
		r = CALL(setresgid, plan->gid, plan->gid, plan->gid, 0);
	if (r == 0)
		r = CALL(setresuid, plan->uid, plan->uid, plan->uid, 0);
	return r;
}

/* First out of each other's way, then each to its place. */
static long place_fds(struct launch *l)
{
	int n = l->plan->nfds;
	long r;

	for (int i = 0; i < n; i++) {
		l->fds[i] = l->plan->fds[i];
		if (l->fds[i] < 0 || l->fds[i] >= n || l->fds[i] == i)
			continue;
		r = CALL(fcntl, l->fds[i], F_DUPFD_CLOEXEC, n, 0);
		if (r < 0)
			return r;
		l->fds[i] = (int)r;
	}
	for (int i = 0; i < n; i++) {
		if (l->fds[i] < 0)
			r = 0;
		else if (l->fds[i] == i)
			r = CALL(fcntl, i, F_SETFD, 0, 0);
		else
			r = CALL(dup3, l->fds[i], i, 0, 0);
		if (r < 0)
			return r;
	}
	/* Close-on-exec, not now: the error of exec may still need a file
	 * descriptor of a script.  Refused by a sandbox: they are inherited. */
	if (!l->plan->keep_fds)
		(void)CALL(close_range, n, ~0u, CLOSE_RANGE_CLOEXEC, 0);
	return 0;
}

static void undo_thread(const struct child_plan *plan)
{
	if (plan->cpus)
		(void)CALL(
		    sched_setaffinity, 0, plan->cpus_size, plan->cpus, 0);
	if (plan->slack)
		(void)CALL(prctl, PR_SET_TIMERSLACK, plan->slack, 0, 0);
}

/* dir/file into buf; the rest of the path, or null.  *fits: it did. */
static const char *next_path(
    const char *dir, const char *file, char *buf, bool *fits)
{
	size_t n = 0;

	for (; *dir && *dir != ':'; dir++)
		if (n < PATH_MAX)
			buf[n++] = *dir;
	if (n > 0 && n < PATH_MAX)
		buf[n++] = '/'; /* an empty one is the working directory */
	for (; *file; file++)
		if (n < PATH_MAX)
			buf[n++] = *file;
	*fits = n < PATH_MAX;
	if (*fits)
		buf[n] = '\0';
	return *dir == ':' ? dir + 1 : NULL;
}

static long exec_file(struct launch *l)
{
	const struct child_plan *plan = l->plan;
	const char *dir = plan->path;
	bool fits, denied = false;
	long r;

	if (!dir)
		return CALL(execve, plan->file, plan->argv, plan->env, 0);
	while (dir) {
		dir = next_path(dir, plan->file, l->path, &fits);
		r = fits ?
		    CALL(execve, l->path, plan->argv, plan->env, 0) :
		    -ENAMETOOLONG;
		if (r == -EACCES)
			denied = true; /* there may be another one */
		else if (r != -ENOENT && r != -ENOTDIR && r != -ENAMETOOLONG)
			return r;
	}
	return denied ? -EACCES : -ENOENT;
}

static void run_child(void *arg)
{
	static const uint64_t none = 0;
	struct launch *l = arg;
	const struct child_plan *plan = l->plan;
	long r;

	reset_signals(plan->keep_ignored); /* R2 */
	r = set_identity(plan);
	if (r >= 0)
		r = place_fds(l);
	if (r >= 0 && plan->cwd)
		r = CALL(chdir, plan->cwd, 0, 0, 0);
	if (r >= 0) {
		undo_thread(plan);
		(void)CALL(rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGSET);
		r = exec_file(l);
	}
	rt_store_release(&l->err, (uint32_t)-r);
	for (;;)
		(void)CALL(exit_group, 127, 0, 0, 0);
}

/* As above, but by number, where clone gives no pidfd (qemu-user). */
static long clone_then_open(
    unsigned long flags, void *top, struct launch *l, int *pidfd)
{
	long pid = cpu_clone(flags, top, NULL, run_child, l);
	long r;

	if (pid < 0)
		return pid;
	r = CALL(pidfd_open, pid, 0, 0, 0);
	if (r < 0) {
		(void)CALL(kill, pid, SIGKILL, 0, 0);
		(void)CALL(wait4, pid, NULL, 0, NULL);
		return r;
	}
	*pidfd = (int)r;
	return pid;
}

static long clone_child(struct launch *l, int *pidfd)
{
	unsigned long flags = CLONE_VFORK | SIGCHLD;
	void *top = (void *)((uintptr_t)l & ~(uintptr_t)63);
	uint64_t all = ~UINT64_C(0), mask;
	long pid;

	if (!l->plan->ids)
		flags |= CLONE_VM;
	(void)CALL(rt_sigprocmask, SIG_SETMASK, &all, &mask, SIGSET); /* R2 */
	pid = cpu_clone(flags | CLONE_PIDFD, top, pidfd, run_child, l);
	if (pid == -EINVAL)
		pid = clone_then_open(flags, top, l, pidfd);
	(void)CALL(rt_sigprocmask, SIG_SETMASK, &mask, NULL, SIGSET);
	return pid;
}

void child_bury(int pidfd)
{
	siginfo_t si;

	while (CALL(waitid, P_PIDFD, pidfd, &si, WEXITED) == -EINTR)
		;
	(void)close(pidfd);
}

pid_t child_start(const struct child_plan *plan, int *pidfd)
{
	size_t size = STACK + sizeof(struct launch);
	struct launch *l;
	void *map;
	long r = vm_share(size, &map);

	if (r < 0)
		return (pid_t)r;
	l = (struct launch *)((char *)map + STACK);
	l->plan = plan;
	r = clone_child(l, pidfd);
	if (r > 0 && rt_load_acquire(&l->err) != 0) {
		child_bury(*pidfd);
		r = -(long)rt_load_relaxed(&l->err);
	}
	vm_free(map, size);
	return (pid_t)r;
}

static int status_of(const siginfo_t *si)
{
	switch (si->si_code) {
	case CLD_EXITED:
		return (si->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return si->si_status | WCOREFLAG;
	default:
		return si->si_status;
	}
}

static int look(int pidfd, int options, siginfo_t *si)
{
	long r;

	options |= WEXITED | WNOHANG;
	memset(si, 0, sizeof(*si));
	do {
		r = CALL(waitid, P_PIDFD, pidfd, si, options);
	} while (r == -EINTR);
	if (r < 0)
		return (int)r;
	return si->si_pid ? 0 : -EAGAIN;
}

int child_reap(int pidfd, int *status)
{
	siginfo_t si;
	int r = look(pidfd, 0, &si);

	if (r == 0 && status)
		*status = status_of(&si);
	return r;
}

bool child_unreaped(int pidfd)
{
	siginfo_t si;

	return look(pidfd, WNOWAIT, &si) != -ECHILD;
}

int child_signal(int pidfd, int sig)
{
	return (int)CALL(pidfd_send_signal, pidfd, sig, NULL, 0);
}
