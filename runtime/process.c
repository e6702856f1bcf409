/* SPDX-License-Identifier: MIT */
/*
 * process.c - gamp/process.h on top of base/child.h and the poller.
 *
 * A struct gamp_process is a pidfd in a poll descriptor, so a stale one is
 * found by its sequence number, and the kernel knows the rest: whether the
 * child has ended, and who has reaped it.  Whoever reaps closes the pidfd.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/chan.h>
#include <gamp/process.h>

#include "base/child.h"
#include "base/sys.h"
#include "netpoll/pd.h"
#include "sched/entry.h"

#define EXTRA_MAX (CHILD_FDS_MAX - 3)
#define PATH	  "/usr/local/bin:/bin:/usr/bin" /* if there is no other */
#define TRACED	  (10 * NS_PER_MS)

/* A group is signalled by its number, which is free as soon as the leader is
 * reaped: one at a time.  Held for two system calls that do not block. */
static struct rt_lock reaping = RT_LOCK_INIT(RANK_LEAF);

/* What the parent opens for a child. */
struct ends {
	int theirs[3]; /* to be closed when it has them; -1: none */
	gamp_fd ours[3];
};

static gamp_fd adopt(int sysfd)
{
	gamp_fd fd;

	if (!entry_begin())
		return -ESRCH;
	(void)m_enter();
	fd = pd_open(sysfd, 0, false);
	m_exit();
	entry_end();
	return fd;
}

static int open_pipe(struct ends *e, int i)
{
	int p[2], ours, r;
	gamp_fd fd;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	ours = i == 0 ? p[1] : p[0];
	e->theirs[i] = i == 0 ? p[0] : p[1];
	r = sys_nonblock(ours);
	fd = r < 0 ? r : adopt(ours);
	if (fd < 0) {
		sys_close(ours);
		return (int)fd;
	}
	e->ours[i] = fd;
	return 0;
}

static int open_null(struct ends *e, int i)
{
	e->theirs[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return e->theirs[i] < 0 ? -errno : 0;
}

/* The child's descriptor i. */
static int open_end(struct ends *e, int i, const struct gamp_stdio *io,
    struct child_plan *plan)
{
	int r = 0;

	plan->fds[i] = -1;
	switch (io->kind) {
	case GAMP_STDIO_DEFAULT:
	case GAMP_STDIO_INHERIT:
		return 0;
	case GAMP_STDIO_NULL:
		r = open_null(e, i);
		break;
	case GAMP_STDIO_PIPE:
		r = open_pipe(e, i);
		break;
	case GAMP_STDIO_SYSFD:
		plan->fds[i] = io->sysfd;
		return io->sysfd < 0 ? -EBADF : 0;
	case GAMP_STDIO_STDOUT:
		plan->fds[i] = plan->fds[1] < 0 ? 1 : plan->fds[1];
		return i == 2 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
	plan->fds[i] = e->theirs[i];
	return r;
}

static void close_theirs(const struct ends *e)
{
	for (int i = 0; i < 3; i++)
		if (e->theirs[i] >= 0)
			sys_close(e->theirs[i]);
}

static void close_ours(const gamp_fd *ours)
{
	for (int i = 0; i < 3; i++)
		if (ours[i])
			(void)gamp_close(ours[i]);
}

static int open_ends(struct ends *e, const struct gamp_spawn_options *opt,
    struct child_plan *plan)
{
	const struct gamp_stdio *io[3] = { &opt->in, &opt->out, &opt->err };
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++)
		r = open_end(e, i, io[i], plan);
	for (int i = 0; i < opt->nfds && r == 0; i++) {
		plan->fds[3 + i] = opt->fds[i];
		if (opt->fds[i] < 0)
			r = -EBADF;
	}
	plan->nfds = 3 + opt->nfds;
	return r;
}

static int make_plan(struct child_plan *plan,
    const struct gamp_spawn_options *opt, const char *file,
    char *const argv[])
{
	const struct gamp_ids *ids = opt->ids;

	if (opt->nfds < 0 || opt->nfds > EXTRA_MAX ||
	    (opt->nfds > 0 && !opt->fds) || opt->pgid < 0)
		return -EINVAL;
	plan->file = file;
	plan->argv = argv;
	plan->env = opt->env ? opt->env : environ;
	plan->path = NULL;
	if (file[0] == '\0')
		return -ENOENT;
	if (!strchr(file, '/')) {
		plan->path = getenv("PATH");
		if (!plan->path)
			plan->path = PATH;
	}
	plan->cwd = opt->cwd;
	plan->keep_fds = opt->inherit_fds;
	plan->keep_ignored = opt->keep_ignored;
	plan->session = opt->session;
	plan->group = opt->group;
	plan->pgid = opt->pgid;
	plan->ids = ids != NULL;
	if (ids) {
		plan->uid = ids->uid;
		plan->gid = ids->gid;
		plan->groups = ids->groups;
		plan->ngroups = ids->ngroups;
	}
	plan->cpus = m_self() ? m_clean_cpus(&plan->cpus_size) : NULL;
	plan->slack = m_self() ? m_clean_slack() : 0;
	return 0;
}

static int launch(struct gamp_process *p, const struct child_plan *plan)
{
	int pidfd;
	pid_t pid;
	gamp_fd fd;

	gamp_enter_blocking();
	pid = child_start(plan, &pidfd);
	gamp_leave_blocking();
	if (pid < 0)
		return pid;
	fd = adopt(pidfd);
	if (fd < 0) {
		(void)child_signal(pidfd, SIGKILL);
		child_bury(pidfd);
		return (int)fd;
	}
	p->pid = pid;
	p->fd = fd;
	p->leader = plan->session || (plan->group && plan->pgid == 0);
	return 0;
}

static int spawn(struct gamp_process *p, const struct gamp_spawn_options *opt,
    const char *file, char *const argv[])
{
	struct ends e = { .theirs = { -1, -1, -1 } };
	struct child_plan plan; /* 1 KiB */
	int r = make_plan(&plan, opt, file, argv);

	if (r < 0)
		return r;
	r = open_ends(&e, opt, &plan);
	if (r == 0)
		r = launch(p, &plan);
	close_theirs(&e);
	if (r < 0) {
		close_ours(e.ours);
		return r;
	}
	p->in = e.ours[0];
	p->out = e.ours[1];
	p->err = e.ours[2];
	return 0;
}

int gamp_spawn(struct gamp_process *p, const struct gamp_spawn_options *opt,
    const char *file, char *const argv[])
{
	static const struct gamp_spawn_options none;
	char *only[2] = { (char *)(uintptr_t)file, NULL };

	if (!p)
		return -EINVAL;
	*p = (struct gamp_process){ 0 };
	if (!file)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	entry_end(); /* the rest takes its time: not inside */
	return spawn(p, opt ? opt : &none, file, argv ? argv : only);
}

/* 0; -EAGAIN: it has not ended; -ECHILD: nothing to reap any more. */
static int reap(gamp_fd fd, int *status)
{
	struct pd *pd;
	int r;

	if (!entry_begin())
		return -ECHILD;
	r = pd_begin(fd, &pd);
	if (r == 0) {
		rt_lock(&reaping);
		r = child_reap(pd->sysfd, status);
		rt_unlock(&reaping);
		pd_end(pd);
	}
	entry_end();
	if (r == -EAGAIN)
		return r;
	(void)gamp_close(fd);
	return r == 0 ? 0 : -ECHILD;
}

/* 0: look again. */
static int await_end(gamp_fd fd, int64_t deadline)
{
	struct gamp_case c[2] = { GAMP_READABLE(fd), GAMP_DEADLINE(deadline) };
	int r = gamp_select(c, 2);

	if (r < 0)
		return r;
	if (c[r].err == -ECANCELED || c[r].err == -EBADF)
		return 0; /* who closed it has reaped it */
	return c[r].err;
}

int gamp_process_wait_until(
    const struct gamp_process *p, int *status, int64_t deadline)
{
	int r, looks = 0;

	if (!p)
		return -EINVAL;
	if (m_checkpoint() == -ECANCELED)
		return -ECANCELED;
	for (;;) {
		r = reap(p->fd, status);
		if (r != -EAGAIN)
			return r;
		/* Ended, but a tracer has to see it first: no edge tells. */
		if (looks++ > 1)
			r = gamp_sleep(TRACED);
		if (r == 0 || r == -EAGAIN)
			r = await_end(p->fd, deadline);
		if (r < 0)
			break;
	}
	if (r == -ETIMEDOUT && reap(p->fd, status) == 0)
		return 0;
	return r;
}

int gamp_process_wait(const struct gamp_process *p, int *status)
{
	return gamp_process_wait_until(p, status, 0);
}

static int kill_one(int pidfd, pid_t pid, int sig)
{
	(void)pid;
	return child_signal(pidfd, sig);
}

static int kill_all(int pidfd, pid_t pid, int sig)
{
	int r = -ESRCH;

	rt_lock(&reaping);
	if (child_unreaped(pidfd))
		r = kill(-pid, sig) < 0 ? -errno : 0;
	rt_unlock(&reaping);
	return r;
}

static int with_pidfd(const struct gamp_process *p, int sig,
    int (*fn)(int pidfd, pid_t pid, int sig))
{
	struct pd *pd;
	int r;

	if (!entry_begin())
		return -ESRCH;
	r = pd_begin(p->fd, &pd) < 0 ? -ESRCH : 0;
	if (r == 0) {
		r = fn(pd->sysfd, p->pid, sig);
		pd_end(pd);
	}
	entry_end();
	return r;
}

int gamp_process_kill(const struct gamp_process *p, int sig)
{
	return p ? with_pidfd(p, sig, kill_one) : -EINVAL;
}

int gamp_process_kill_group(const struct gamp_process *p, int sig)
{
	return p && p->leader ? with_pidfd(p, sig, kill_all) : -EINVAL;
}

/* Started when the child has ended, or as the runtime stops. */
static void reap_orphan(void *arg)
{
	struct gamp_process p = { .fd = (gamp_fd)(intptr_t)arg };

	if (gamp_process_wait(&p, NULL) < 0)
		(void)gamp_close(p.fd);
}

int gamp_process_close(const struct gamp_process *p)
{
	int r;

	if (!p)
		return -EINVAL;
	close_ours((gamp_fd[3]){ p->in, p->out, p->err });
	if (reap(p->fd, NULL) != -EAGAIN)
		return 0;
	r = gamp_go_when_readable(
	    p->fd, reap_orphan, (void *)(intptr_t)p->fd);
	if (r == -EBUSY)
		return r;
	/* It had just ended, and there was no goroutine to be had; or the
	 * runtime is stopping. */
	if (r < 0 && reap(p->fd, NULL) == -EAGAIN)
		(void)gamp_close(p->fd);
	return 0;
}
