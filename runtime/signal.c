/* SPDX-License-Identifier: MIT */
/*
 * signal.c - from a handler to a goroutine, through a pipe.
 *
 * Why not signalfd(2): it only gets what is blocked in every thread, which the
 * program alone could promise, and children and libraries would meet the mask.
 *
 * A subscription is a slot: a mask of what it wants, a mask of what is in its
 * pipe.  A signal is in the pipe at most once (S1), so 64 bytes are all that
 * it ever holds, and the handler's write cannot fail:
 *
 *	handler				gamp_signal_next
 *	S1 pending |= bit; was set?	S3 read a byte
 *	   done				S4 pending &= ~bit
 *	S2 write the signal's byte	   return it
 *
 * A signal between S3 and S4 is one with the one that is being returned.
 *
 * Closing has to wait for handlers that run on other threads just now, for the
 * number of the pipe may be somebody else's afterwards:
 *
 *	handler				closer
 *	inside++		(RMW)	C1 mask = 0		(RMW)
 *	mask & bit? write		C2 inside == 0? else look again
 *	inside--			C3 close the pipe
 *
 * Either the handler sees the zero of C1, or C2 sees it inside (both sides
 * sequentially consistent).  A handler waits for nothing, so C2 does not wait
 * long; one that interrupts C2 itself is over before that looks again.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gamp/signal.h>

#include "arch/syscall.h"
#include "base/lock.h"
#include "base/sys.h"
#include "netpoll/pd.h"
#include "runtime/leave.h"
#include "sched/entry.h"

#define SLOTS	64
#define SIGNALS 64
#define BIT(s)	(UINT64_C(1) << ((s) - 1))

static struct slot {
	rt_a64 fd;	/* gamp_fd; 0: free.  Changed under the lock */
	rt_a64 wants;	/* of signals, BIT */
	rt_a64 pending; /* are in the pipe */
	int pipe;	/* to write to; constant while `wants` is not 0 */
} slots[SLOTS];

static rt_a32 inside; /* handlers */
static rt_a32 owner;  /* the process: a child of fork has the pipes, too */

static struct {
	struct rt_lock lock; /* also over sigaction(2), which does not block */
	uint32_t users[SIGNALS + 1];
	struct sigaction old[SIGNALS + 1];
} table = { .lock = RT_LOCK_INIT(RANK_LEAF) };

/* Bare system calls: errno is the interrupted code's. */
static void handler(int sig)
{
	char byte = (char)sig;
	long pid = cpu_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);

	if ((uint32_t)pid != rt_load_relaxed(&owner))
		return;
	(void)rt_add_seqcst(&inside, 1);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *s = &slots[i];

		if (!(rt_load_seqcst(&s->wants) & BIT(sig)) ||
		    (rt_or_seqcst(&s->pending, BIT(sig)) & BIT(sig))) /* S1 */
			continue;
		hard_point(); /* what C2 is for */
		(void)cpu_syscall(
		    SYS_write, s->pipe, (long)&byte, 1, 0, 0, 0); /* S2 */
	}
	(void)rt_sub_seqcst(&inside, 1);
}

static bool is_ours(int sig)
{
	struct sigaction now;

	return sigaction(sig, NULL, &now) == 0 && now.sa_handler == handler;
}

static int install_locked(int sig)
{
	struct sigaction sa = { .sa_handler = handler,
		.sa_flags = SA_RESTART | SA_ONSTACK };

	(void)sigfillset(&sa.sa_mask);
	if (table.users[sig] == 0 &&
	    sigaction(sig, &sa, &table.old[sig]) < 0)
		return -errno;
	table.users[sig]++;
	return 0;
}

static void remove_locked(uint64_t set)
{
	for (int sig = 1; sig <= SIGNALS; sig++)
		if ((set & BIT(sig)) && --table.users[sig] == 0 &&
		    is_ours(sig))
			(void)sigaction(sig, &table.old[sig], NULL);
}

static struct slot *slot_of(gamp_fd fd)
{
	for (int i = 0; i < SLOTS; i++)
		if (rt_load_acquire(&slots[i].fd) == (uint64_t)fd)
			return &slots[i];
	return NULL;
}

/* The last user of fd is out. */
static void gone(gamp_fd fd)
{
	struct slot *s;
	uint64_t set;

	rt_lock(&table.lock);
	s = slot_of(fd);
	if (s) {
		set = rt_swap_seqcst(&s->wants, 0); /* C1 */
		remove_locked(set);
	}
	rt_unlock(&table.lock);
	if (!s)
		return;
	while (rt_load_seqcst(&inside) != 0) /* C2 */
		(void)sched_yield(); /* a write or two on another thread */
	sys_close(s->pipe); /* C3 */
	rt_store_release(&s->fd, 0);
}

void (*const pd_signals_gone)(gamp_fd fd) = gone;

void signal_forked(void)
{
	rt_store_relaxed(&table.lock.word, 0);
	rt_store_relaxed(&inside, 0);
	for (int i = 0; i < SLOTS; i++)
		rt_store_relaxed(&slots[i].wants, 0);
	for (int sig = 1; sig <= SIGNALS; sig++)
		if (table.users[sig] > 0 && is_ours(sig))
			(void)sigaction(sig, &table.old[sig], NULL);
}

/* 0: no such signals. */
static uint64_t set_of(const int *signals, int n)
{
	static const int never[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
		SIGILL, SIGTRAP, SIGABRT, SIGSYS };
	uint64_t set = 0;

	if (!signals || n < 1 || n > SIGNALS)
		return 0;
	for (int i = 0; i < n; i++) {
		if (signals[i] < 1 || signals[i] > SIGNALS ||
		    (signals[i] > SIGSYS && signals[i] < SIGRTMIN))
			return 0;
		set |= BIT(signals[i]);
	}
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (set & BIT(never[i]))
			return 0;
	return set;
}

/* The slot takes over the pipe.  0; -EMFILE: none is free. */
static int subscribe(gamp_fd fd, int wfd, uint64_t set)
{
	uint64_t done = 0;
	struct slot *s;
	int r = 0;

	rt_lock(&table.lock);
	rt_store_relaxed(&owner, (uint32_t)getpid());
	s = slot_of(0);
	if (!s)
		r = -EMFILE;
	for (int sig = 1; sig <= SIGNALS && r == 0; sig++) {
		if (!(set & BIT(sig)))
			continue;
		r = install_locked(sig);
		if (r == 0)
			done |= BIT(sig);
	}
	if (r == 0) {
		rt_store_relaxed(&s->pending, 0);
		s->pipe = wfd;
		rt_store_release(&s->fd, (uint64_t)fd);
		(void)rt_swap_seqcst(&s->wants, set);
	} else {
		remove_locked(done);
	}
	rt_unlock(&table.lock);
	return r;
}

static gamp_fd open_signals(uint64_t set)
{
	gamp_fd fd;
	int p[2], r;

	if (pipe2(p, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	(void)m_enter();
	fd = pd_open(p[0], PD_SIGNALS, false);
	m_exit();
	if (fd < 0) {
		sys_close(p[0]);
		sys_close(p[1]);
		return fd;
	}
	r = subscribe(fd, p[1], set);
	if (r < 0) {
		(void)gamp_close(fd);
		sys_close(p[1]);
		return r;
	}
	return fd;
}

gamp_fd gamp_signal_open(const int *signals, int n)
{
	uint64_t set = set_of(signals, n);
	gamp_fd fd;

	if (!set)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	fd = open_signals(set);
	entry_end();
	return fd;
}

/* Open: 0; -EINVAL: for something else; -EBADF. */
static int is_for_signals(gamp_fd fd)
{
	struct pd *pd;
	int r;

	if (!entry_begin())
		return -EBADF;
	r = pd_begin(fd, &pd);
	if (r == 0) {
		r = pd->kind & PD_SIGNALS ? 0 : -EINVAL;
		pd_end(pd);
	}
	entry_end();
	return r;
}

/* S4.  While we are a user of fd its slot is its own. */
static void taken(gamp_fd fd, int sig)
{
	struct pd *pd;
	struct slot *s;

	if (!entry_begin())
		return;
	if (pd_begin(fd, &pd) == 0) {
		s = slot_of(fd);
		if (s)
			(void)rt_and_seqcst(&s->pending, ~BIT(sig));
		pd_end(pd);
	}
	entry_end();
}

int gamp_signal_next(gamp_fd fd)
{
	int r = is_for_signals(fd);
	ssize_t n;
	char byte;

	if (r < 0)
		return r;
	n = gamp_read(fd, &byte, 1); /* S3 */
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ECANCELED;
	taken(fd, byte);
	return byte;
}
