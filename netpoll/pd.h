/* SPDX-License-Identifier: MIT */
/*
 * pd.h - poll descriptor: ties one descriptor of the system to at most one
 * parked reader and one parked writer.
 *
 * Lives in a type-stable slab and is never given back while the runtime runs;
 * an event, a timer or a handle that comes late finds another sequence number.
 * A gamp_fd is sequence << 24 | slot, and so is the cookie in epoll.
 *
 *	info word: why not to wait, readable without the lock
 *	PD_CLOSING	closed; waiters leave with -ECANCELED
 *	PD_RTIME	the read deadline has passed
 *	PD_WTIME	the write deadline has passed
 *	PD_HUP		the peer will send no more, or something out of the
 *			ordinary: a short read does not mean drained
 *	bits 8..31	low bits of the sequence, so that a late event cannot
 *			set PD_HUP on the slot's next owner
 *
 * The short-read rule: a stream socket that returned less than asked for is
 * drained, and the next read waits without trying, which saves a system call
 * per request.  An end of stream that arrived together with data gives no
 * second edge (netpoll keeps it in PD_HUP), and neither does urgent data, at
 * whose mark reads stop short (EPOLLPRI sets PD_HUP as well).
 *
 * Deadlines: `deadline` is what the user set, `armed` when the timer in the
 * heap will look at it.  Moving a deadline later, or removing it, leaves the
 * timer alone; it fires early, sees that, and is armed anew.  Timers carry
 * tseq: a firing that was under way when the timer was stopped is ignored.
 *
 * Who may call what: users (fd_begin) anything; the poller pd_event; timers
 * pd_fire.  Fields say who guards them:
 *	(a) atomic   (l) lock   (r)/(w) the holder of the read / write lock
 *	(o) written while opening, then only read
 */
#ifndef RT_NETPOLL_PD_H
#define RT_NETPOLL_PD_H

#include <gamp/net.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/slab.h"
#include "netpoll/dir.h"
#include "netpoll/fdmutex.h"
#include "sched/g.h"
#include "sched/timer.h"
#include "sched/waitq.h"

#define PD_SLOT_BITS 24
#define PD_SLOTS_MAX (1u << 22)

enum {
	PD_CLOSING = 1,
	PD_RTIME = 2,
	PD_WTIME = 4,
	PD_HUP = 8,
	PD_SEQ_SHIFT = 8,
};
#define PD_TIME(mode) ((uint32_t)PD_RTIME << (mode))

/* What kind of descriptor; from the family and type. */
enum {
	PD_SOCKET = 1, /* send(2) works on it */
	PD_DRAINS = 2, /* the short-read rule holds */
	PD_UNLINK = 4, /* a unix listener: remove its path on close */
	PD_SHARED = 8, /* the program knows the number: it may be dup'ed */
	PD_SIGNALS = 16, /* tell runtime/signal.c before it is closed */
};

struct pd {
	/* A request touches these two cache lines, and no more. */
	_Alignas(RT_LINE) rt_a64 mu; /* (a) fdmutex.h */
	rt_a64 seq;	   /* (a) of this owner of the slot */
	struct dir dir[2]; /* (a) */
	rt_a32 info;	   /* (a) */
	int sysfd;	   /* (o) */
	uint32_t kind;	   /* (o) PD_SOCKET and so on */
	rt_a32 slot;	   /* (o); an old handle may look at any time */
	bool drained;	   /* (r) the last read was short */
	bool polls_out;	   /* (w) registered for writing, too */
	rt_a32 shared;	   /* (a) PD_SHARED, found out later */
	struct rt_lock lock;

	int64_t deadline[2]; /* (l) */
	int64_t armed[2];    /* (l) NEVER: the timer is not in a heap */
	struct task start;   /* (r) armed, queued, or waiting for memory */
	gamp_fn *fn;	     /* (r) what it runs */
	void *arg;	     /* (r) */
	void *site;	     /* (r) */

	struct waitq turns[2];	  /* (l) who waits for dir's lock */
	uint32_t posts[2];	  /* (l) */
	uint64_t tseq[2];	  /* (l) */
	struct timer timer[2];	  /* armed under (l) */
	rt_a64 poke[2];	  /* (r), (w): the wait of the select there */
	struct canceller wait[2]; /* (o) */
};

/* The last user of fd is out, or the runtime stops: runtime/signal.c. */
extern void (*const pd_signals_gone)(gamp_fd fd);

/* The slab; with the poller.  0 or -errno. */
int pd_init(void);
void pd_fini(void);

/* Takes sysfd over.  The handle, or -errno, and then sysfd is the caller's.
 * out: register for writing at once (for connect). */
gamp_fd pd_open(int sysfd, uint32_t kind, bool out);

/* The handle of an open descriptor; for its users. */
gamp_fd pd_handle(struct pd *pd);

/* 0, -EBADF: closed already. */
int pd_close(gamp_fd fd);

/* Becomes a user of fd.  0, -EBADF, -EMFILE: a million users. */
int pd_begin(gamp_fd fd, struct pd **out);
void pd_end(struct pd *pd);

/* Becomes the reader or writer of fd; waits its turn.  0; -EBADF; -ECANCELED;
 * -EPERM: would have to wait, but is no goroutine. */
int pd_lock(gamp_fd fd, int mode, struct pd **out);
void pd_unlock(struct pd *pd, int mode);

/* The holder of the lock.  0: go on; or why not: -ECANCELED, -ETIMEDOUT. */
int pd_check(struct pd *pd, int mode);

/* The holder of the lock parks until dir may be ready (and for a reader, until
 * `drained` is false, even if it then has to leave).  0; -ECANCELED,
 * -ETIMEDOUT, -EPERM.  retry: look again at that time (NEVER: do not). */
int pd_wait(struct pd *pd, int mode, int64_t retry);

/*
 * A select: pd_select.c.  begin: *out is the descriptor, and its lock is held;
 * or null, and the result is the case's.  look: 0, ready; -EAGAIN, not;
 * -ECANCELED, -ETIMEDOUT.  watch: on g0, gp waits by `word` (sched/wait.h)
 * and will be poked.  unwatch: after the wait.  end: gives the lock back.
 */
int pd_select_begin(gamp_fd fd, int mode, struct pd **out);
int pd_select_look(struct pd *pd, int mode);
void pd_select_watch(struct pd *pd, int mode, struct g *gp, uint64_t word);
void pd_select_unwatch(struct pd *pd, int mode);
void pd_select_end(struct pd *pd, int mode);

/* Anyone.  0 or -EBADF. */
int pd_set_deadline(gamp_fd fd, bool read, bool write, int64_t t);

/* The writer.  Registers for writing when the first write falls short: most
 * connections never do, and save an event each.  0 or -errno. */
int pd_poll_out(struct pd *pd);

/* Starts fn(arg) when readable; see gamp_go_when_readable.  site: the place
 * in the program that asks. */
int pd_arm(gamp_fd fd, gamp_fn *fn, void *arg, void *site);

/* The poller: events for a cookie.  Runnable goroutines go to l; pp is the
 * caller's P or null. */
void pd_event(gamp_fd cookie, bool r, bool w, bool hup, struct p *pp,
    struct task_list *l);

/* The goroutine of a start, for the owner of pp to run; null: there is none
 * to be had now, and it will be queued again. */
struct g *pd_begin_start(struct task *task, struct p *pp);

/* Starts that had no memory before. */
void pd_retry_starts(struct p *pp, struct task_list *l);

/* Does anybody wait for a descriptor, or is one armed? */
bool pd_waits(void);

/* The runtime is stopping: begin all armed starts, cancelled. */
void pd_stop_all(void);

#endif
