/* SPDX-License-Identifier: MIT */
/*
 * g.h - G: a goroutine.  A stack, a saved context, a state.
 *
 *	state	   meaning			who may leave it, and how
 *	-----	   -------			-------------------------
 *	DEAD	   on a free list		g_new -> RUNNABLE
 *	RUNNABLE   in exactly one run queue,	the M that took it out
 *		   or in the hands of who	-> RUNNING
 *		   took it out
 *	RUNNING	   on an M			itself: park -> WAITING,
 *						yield -> RUNNABLE,
 *						exit -> DEAD
 *	WAITING	   parked			who took it out of what it
 *						waits on: ready -> RUNNABLE
 *
 * The control block lies at the top of its own stack and stays mapped for
 * ever (base/arena.h), so a stale pointer or id reads a tag that does not
 * match.  An id is sequence << 25 | slot: 2^38 - 1 goroutines per slot, after
 * which the slot is retired.
 *
 * Invariants
 *	I1  tag >> 1 is the id while the goroutine lives, else 0; bit 0 says
 *	    that it is cancelled and is set by compare-and-swap on the whole
 *	    tag, so a cancel never reaches a successor.
 *	I2  ctx is written by the G as it leaves, before its state is published
 *	    to anyone who could resume it.
 */
#ifndef RT_SCHED_G_H
#define RT_SCHED_G_H

#include <gamp/go.h>

#include "base/arena.h"
#include "base/atomic.h"
#include "arch/ctx.h"
#include "arch/kept.h"
#include "base/fatal.h"
#include "base/san.h"
#include "sched/rcu.h"
#include "sched/task.h"
#include "sched/timer.h"
#include "sched/wait.h"

struct m;
struct p;
struct g;
struct group;

enum g_status { G_DEAD, G_RUNNABLE, G_RUNNING, G_WAITING };

enum rt_why {
	WHY_NONE,
	WHY_SLEEP,
	WHY_READ,
	WHY_WRITE,
	WHY_FD_LOCK,
	WHY_SEND,
	WHY_RECV,
	WHY_SELECT,
	WHY_MUTEX,
	WHY_RWMUTEX,
	WHY_COND,
	WHY_SEM,
	WHY_WAITGROUP,
	WHY_BARRIER,
	WHY_GROUP,
	WHY_RCU,
	WHY_PARK, /* the program's reason: wait.h */
	WHY_COUNT
};

/* What is looked at when it is switched to, all at once. */
#define G_BLOCKING 1 /* inside gamp_enter_blocking */
#define G_BINDS	   2 /* to the first M that runs it: lockm.h */
#define G_SAMPLED  8 /* its wait to run is measured: stats.h */
#define G_RCU	   4 /* off its M inside an RCU section: rcu.h */
#define G_EXCEPTIONS 16 /* of C++ are its own: except.h */
#define G_HOOKED   32 /* its switches are told: embed.h */

/* How to get a parked goroutine out of what it waits on; see cancel.h. */
struct canceller {
	void (*fn)(struct canceller *c, struct g *gp);
};

/* Grouped by lines of the cache: a switch touches one, a park two, a start and
 * an exit four. */
struct g {
	/* Touched at every switch. */
	struct ctx ctx;
	rt_a32 status;
	uint32_t ref;	 /* its slot */
	struct task task;
	rt_a8 rare;	 /* G_BLOCKING and so on */
	rt_a8 why;	 /* enum rt_why */
	bool uncancellable;
	uint32_t since;	 /* g_since: its P's `now` as it parked last */
	/* Touched when it parks. */
	rt_aptr waits;	 /* struct canceller *, while it may be cancelled */
	struct wait wait; /* for channels, sync objects, select */
	rt_a64 tag;	 /* I1 */
	struct g *link;	 /* a list of parked or dead ones; owner: that list */
	/* Touched when it starts and exits. */
	uint64_t seq;
	gamp_fn *fn;
	void *arg;
	const char *name;
	int64_t parent;
	void *site; /* what started it was called from here */
	/* Null, or it runs as the goroutine exits: runtime/leave.h. */
	void (*leaving)(struct g *gp);
	void *slots[2]; /* the program's */
	void *frame, *defers, *locals;	 /* null while leaving is */
	struct protect_guard *guards;	 /* too, but by itself: protect.h */
	struct group *group;		 /* too; runtime/group.c */
	int (*member)(void *arg);	 /* what it runs there */
	struct gamp_waitgroup *waitgroup; /* too; runtime/waitgroup.c */
	/* For sleeps, pauses, deadlines of waits. */
	struct timer timer;
	struct canceller sleep;
	/* Seldom touched. */
	struct g *sibling, **sibling_at; /* the group's guard */
	struct m *lockm;     /* its thread, with TASK_LOCKED */
	uint16_t lock_depth; /* of gamp_lock_thread */
	uint8_t blocking;    /* depth of gamp_enter_blocking; G_BLOCKING */
	uint8_t weight;	     /* of its sample, as a shift; stats.h */
	struct rcu_section rcu; /* that it is in, off its M: rcu.h */
	uint32_t named;	     /* where a trace has its name; trace.h */
	int64_t ready_at;    /* if it is sampled */
	uint64_t except[2];  /* G_EXCEPTIONS: except.h */
	struct kept kept;    /* as it became blocking: for collectors */
	struct {
		void *lo;
		size_t size;
	} own; /* the program's stack, if lo is not null; with sched.embed */
	_Alignas(16) char failing[80]; /* protect.h */
#if defined(RT_ASAN) || defined(RT_TSAN)
	struct san san;
#endif
};

#if defined(RT_ASAN) || defined(RT_TSAN)
#define G_SAN(gp) (&(gp)->san)
#else
#define G_SAN(gp) ((struct san *)NULL)
#endif

#define G_SEQ_MAX ((UINT64_C(1) << (63 - ARENA_REF_BITS)) - 1)

static inline struct g *g_of(struct task *task)
{
	return (struct g *)((char *)task - offsetof(struct g, task));
}

static inline int64_t g_id(struct g *gp)
{
	return (int64_t)(rt_load_relaxed(&gp->tag) >> 1);
}

static inline bool g_cancelled(struct g *gp)
{
	return (rt_load_relaxed(&gp->tag) & 1) && !gp->uncancellable;
}

static inline bool g_is_blocking(struct g *gp)
{
	return rt_load_relaxed(&gp->rare) & G_BLOCKING;
}

static inline bool g_is_locked(struct g *gp)
{
	return gp->task.special & TASK_LOCKED;
}

/* By who has gp in hand; others may read it. */
static inline void g_set_rare(struct g *gp, uint8_t set, uint8_t clear)
{
	rt_store_relaxed(&gp->rare,
	    (uint8_t)((rt_load_relaxed(&gp->rare) & ~clear) | set));
}

/* Times of which only the rough difference matters: in units of a
 * millisecond or so, and round 52 days. */
#define G_SINCE_SHIFT 20
static inline uint32_t g_since(int64_t now)
{
	return (uint32_t)(now >> G_SINCE_SHIFT);
}

static inline int64_t g_waited(struct g *gp, int64_t now)
{
	return (int64_t)(g_since(now) - gp->since) << G_SINCE_SHIFT;
}

/* Every change of a state is checked in debug builds. */
#ifdef RT_DEBUG
static inline void g_status(struct g *gp, uint32_t from, uint32_t to)
{
	uint32_t s = from;

	if (!rt_cas_acqrel(&gp->status, &s, to))
		rt_fatal("a goroutine was not in the state it had to be in");
}
#else
static inline void g_status(struct g *gp, uint32_t from, uint32_t to)
{
	(void)from;
	rt_store_relaxed(&gp->status, to);
}
#endif

/*
 * A runnable goroutine that is in no queue yet, or null and *err set to
 * -ENOMEM or -EAGAIN.  pp is the caller's P, or null.  g_count and g_born
 * follow.
 */
struct g *g_new(struct p *pp, int cls, gamp_fn *fn, void *arg, int *err);

/* One more goroutine lives, before anybody may run it; pp as above. */
void g_count(struct p *pp);

/* Before a new goroutine is queued: if the runtime began to stop meanwhile,
 * it starts out cancelled. */
void g_born(struct g *gp);

/* The goroutine has left its stack for good.  On the scheduler's stack. */
void g_free(struct p *pp, struct g *gp);

/* Gives a P's cached free Gs back to the arena. */
void g_flush(struct p *pp);

/* The goroutine with this id, or null.  Any value, any thread. */
struct g *g_find(int64_t id);

/* Its stack: [*lo, result). */
void *g_stack(struct g *gp, void **lo);

/* It was made, and is not to run. */
void g_drop(struct p *pp, struct g *gp);

/* The name of an enum rt_why; null if it is none. */
#define G_WHY_LEN 12
extern const char g_whys[WHY_COUNT][G_WHY_LEN];
const char *g_why_name(int why);

/* Calls fn for every goroutine that lives (it may exit meanwhile). */
void g_each(void (*fn)(struct g *gp, int64_t id, void *arg), void *arg);

/* No thread runs any more, and the arena goes next. */
void g_fini(void);

/* For arena_trim. */
uint64_t g_read_seq(void *ctl);

#endif
