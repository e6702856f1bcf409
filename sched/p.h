/* SPDX-License-Identifier: MIT */
/*
 * p.h - P: the right to run goroutines; maxprocs of them.
 *
 * A P is either idle, on the list of sched.h, or owned by one M (m->p), which
 * alone touches the fields marked "owner".  The owner changes only under the
 * scheduler's lock.
 *
 * A P has two rings: goroutines that were woken run before fresh, yielded and
 * preempted ones, except that every FRESH_TICK-th pick looks at the others
 * first.  runnext holds the one readied last: it runs next and shares the
 * slice of the one that readied it.  The slice belongs to the P: when picks
 * have come from runnext for a whole slice, runnext waits its turn.
 *
 * A goroutine that was preempted because its slice was over, or taken while it
 * computed, is low until it parks: it waits in a queue of the scheduler for a
 * P that has nothing else to do, or has not run a low one for LOW_GAP.
 *
 * The inbox is where another P's owner, having polled the network, puts
 * goroutines that last ran here: their sockets are in this processor's cache
 * (a request costs a tenth less).  It is a stack that anyone pushes on and
 * anyone takes as a whole, so it has no ABA; who takes it turns it round.
 * A push may race with the P going idle: the pusher pushes, fences and looks
 * at the idle mask; who idles sets the mask, fences and looks at all inboxes
 * (wake.h S3); one of them sees the other.
 */
#ifndef RT_SCHED_P_H
#define RT_SCHED_P_H

#include "base/hard.h"
#include "sched/g.h"
#include "sched/runq.h"
#include "sched/stats.h"
#include "sched/timer.h"

#define GLOBAL_TICK	61 /* picks between looks at the global queue */
#define CLOCK_TICK	32 /* picks between looks at the clock */
#define FRESH_TICK	8  /* picks between looks at the fresh ring first */
#define POLL_GAP	(NS_PER_MS / 2) /* busy Ps poll this often */
#define SLICE		(10 * NS_PER_MS)
#define LOW_GAP		(4 * SLICE) /* others are waiting: a low one */
#define WAKE_CREDIT_MAX 16 /* wake.h */

enum { RUNQ_WOKEN, RUNQ_FRESH, RUNQ_COUNT };

struct p {
	/* Owner, at every pick. */
	uint32_t id;
	uint32_t clock_tick;   /* picks until the next look at the clock */
	uint32_t global_tick;  /* picks until the next look at the queue */
	bool alone;	       /* there is no other P */
	bool skip_next;	       /* runnext has had its slice */
	bool expect_events;    /* the last poll found several */
	int64_t now;	       /* the clock, at the last look */
	int64_t slice_start;   /* of the run of picks from runnext */
	int64_t low_at;	       /* when it last ran one from sched.low */
	int64_t lone_at;       /* when runnext was filled, or 0: wake.h */
	uint32_t lone_now;     /* `now`, when that was last looked at */
	bool lone;	       /* runnext alone waits, and a P is idle */
	uint32_t slice_picks;  /* ring_picks then */
	rt_a32 gfree_n;
	struct g *gfree;       /* dead Gs of the default class */

	/* Owner writes, anyone reads. */
	rt_aptr m;	    /* struct m *: the owner; sched.lock */
	rt_a32 tick;	    /* picks */
	rt_a32 picking;	    /* its owner is on g0, and will take runnext */
	rt_a32 ring_picks;  /* moves when a slice ends: sysmon looks */
	rt_a64 switches;   /* picks, counted at each look at the clock */
	rt_a64 spawned, exited; /* goroutines, ever */

	/* Owner pushes, anyone takes. */
	_Alignas(RT_LINE) rt_aptr runnext; /* struct task * */
	rt_aptr inbox; /* struct task *, linked */
	struct runq runq[RUNQ_COUNT];
	struct timers timers;
	rt_a32 wake_credit; /* see wake.h */
	rt_a32 impatience;  /* of thieves: will_pick, p.c */
	rt_a32 attention;   /* sysmon: look at clock and queue, now */

	/* Under sched.lock. */
	struct p *link; /* idle list */
	bool asked;	/* while all are taken: detach.c */

	/* sysmon's own. */
	uint32_t seen_tick, seen_picks;
	int64_t seen_at;  /* when seen_picks last moved */
	int64_t stuck_at; /* when tick last moved */
	int64_t seen_cpu; /* the processor time of its thread then */
	bool seen_work;

	struct p_stats *stats; /* apart: seldom touched */
};

/* The ring q of pp is full: half of it and task go to the global queue. */
void p_spill(struct p *pp, struct runq *q, struct task *task);

/* Owner.  Makes task run soon on pp: next, or at a ring's tail. */
void p_put_next(struct p *pp, struct task *task);
static inline void p_put_on(struct p *pp, struct runq *q, struct task *task)
{
	if (rt_unlikely(!runq_put(q, task)))
		p_spill(pp, q, task);
}
static inline void p_put(struct p *pp, struct task *task)
{
	p_put_on(
	    pp, &pp->runq[task->woken ? RUNQ_WOKEN : RUNQ_FRESH], task);
}

/* Owner.  One that ran, and goes to the tail: of the scheduler's queue if it
 * is low. */
void p_put_low(struct task *task);
static inline void p_put_back(struct p *pp, struct task *task)
{
	if (rt_unlikely(task->low))
		p_put_low(task);
	else
		p_put_on(pp, &pp->runq[RUNQ_FRESH], task);
}

/* Any thread.  Takes a whole inbox, in order of arrival. */
void p_send(struct p *pp, struct task *task);
struct task_list p_take_inbox(struct p *pp);

/* Owner.  Moves the inbox to the rings. */
void p_read_inbox(struct p *pp);

/* Owner.  runnext did not need another M (wake.h), unless it had to wait. */
void p_lone_picked(struct p *pp);

/* Owner.  runnext, or null. */
static inline struct task *p_get_next(struct p *pp)
{
	struct task *task = (struct task *)rt_load_relaxed(&pp->runnext);

	if (!task)
		return NULL;
	if (pp->alone) {
		rt_store_release(&pp->runnext, 0);
		return task;
	}
	task = (struct task *)rt_swap_acqrel(&pp->runnext, 0);
	if (task && pp->lone)
		p_lone_picked(pp);
	return task;
}

/* Owner.  The rare half of p_get_ring. */
struct task *p_get_rest(struct p *pp);

/* Owner.  From the rings, or the inbox when they are empty. */
static inline struct task *p_get_ring(struct p *pp)
{
	struct runq *w = &pp->runq[RUNQ_WOKEN], *f = &pp->runq[RUNQ_FRESH];
	struct task *task = NULL;

	if (rt_load_relaxed(&w->head) != rt_load_relaxed(&w->tail) &&
	    (rt_load_relaxed(&pp->tick) % FRESH_TICK != 0 ||
		rt_load_relaxed(&f->head) == rt_load_relaxed(&f->tail)))
		task = runq_get(w, pp->alone);
	if (!task)
		task = runq_get(f, pp->alone);
	if (rt_unlikely(!task)) /* thieves, or all is in the inbox */
		task = p_get_rest(pp);
	if (task)
		rt_store_relaxed(&pp->ring_picks,
		    rt_load_relaxed(&pp->ring_picks) + 1);
	return task;
}

/* Owner.  The goroutine to run now, or null. */
static inline struct task *p_get(struct p *pp)
{
	struct task *task;

	rt_store_relaxed(&pp->tick, rt_load_relaxed(&pp->tick) + 1);
	if (rt_unlikely(pp->skip_next || hard_chance(8))) {
		pp->skip_next = false;
		task = p_get_ring(pp);
		return task ? task : p_get_next(pp);
	}
	task = p_get_next(pp);
	return task ? task : p_get_ring(pp);
}

/* Owner.  Has it anything to run?  The likely places first. */
static inline bool p_has_local(struct p *pp)
{
	struct runq *f = &pp->runq[RUNQ_FRESH], *w = &pp->runq[RUNQ_WOKEN];

	return rt_load_relaxed(&f->head) != rt_load_relaxed(&f->tail) ||
	    rt_load_relaxed(&pp->runnext) != 0 ||
	    rt_load_relaxed(&w->head) != rt_load_relaxed(&w->tail) ||
	    rt_load_relaxed(&pp->inbox) != 0;
}

/* Any thread.  Never a false yes: see p.c. */
bool p_empty(struct p *pp);

/* Any thread.  Does it have more than its runnext? */
static inline bool p_has_ring(struct p *pp)
{
	return runq_len(&pp->runq[RUNQ_WOKEN]) +
	    runq_len(&pp->runq[RUNQ_FRESH]) > 0;
}

/* Owner of pp, whose rings are empty.  Half of victim's, one to run now. */
struct task *p_steal(struct p *pp, struct p *victim, bool take_next);

#endif
