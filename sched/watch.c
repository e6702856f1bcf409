/* SPDX-License-Identifier: MIT */
/* watch.c - see watch.h. */

#include "base/thread.h"
#include "sched/checkpoint.h"
#include "sched/detach.h"
#include "sched/wake.h"
#include "sched/watch.h"

#define URGENT_ASK  (NS_PER_MS / 5)
#define URGENT_TAKE (2 * NS_PER_MS)

/* What was seen of the owner of a P. */
struct owner {
	int tid;
	pthread_t thread;
	bool in_runtime;
};

/* False: pp has none, or one that is on its way. */
static bool owner_of(struct p *pp, struct owner *o)
{
	struct m *mp;

	rt_lock(&sched.lock);
	mp = (struct m *)rt_load_relaxed(&pp->m);
	if (mp && mp->nextp)
		mp = NULL;
	if (mp) {
		o->tid = mp->tid;
		o->thread = mp->thread;
		o->in_runtime = rt_load_acquire(&mp->in_runtime);
	}
	rt_unlock(&sched.lock);
	return mp;
}

/* The owner of pp is asked to let others run, at its next entry. */
static void preempt(struct p *pp, uint32_t flags)
{
	struct m *mp;

	rt_lock(&sched.lock);
	mp = (struct m *)rt_load_relaxed(&pp->m);
	if (mp && !mp->nextp)
		rt_store_relaxed(
		    &mp->flags, rt_load_relaxed(&mp->flags) | flags);
	rt_unlock(&sched.lock);
	checkpoint_ask();
}

/* Its thread sleeps in a call that nobody announced, or in a page fault.
 * Without /proc: it has used no processor time for a millisecond. */
static bool is_blocked(struct p *pp, const struct owner *o, int64_t stuck)
{
	int64_t cpu;
	long call;

	switch (thread_state(o->tid, &call)) {
	case THREAD_BLOCKED:
		return true;
	case THREAD_RUNS:
		return false;
	default:
		cpu = thread_cpu_time(o->thread);
		if (cpu != pp->seen_cpu || stuck < TICK) {
			pp->seen_cpu = cpu;
			return false;
		}
		return true;
	}
}

/*
 * pp has picked nothing since the last look, or nothing new for a slice.  Who
 * computes is asked, and then loses its P; for those that are urgent, sooner.
 * Beside hogs it loses it anyway: all are to have the same share.
 */
static void watch_computing(
    struct p *pp, struct view *v, int64_t stuck, int64_t slice, bool waits)
{
	bool hogs = rt_load_relaxed(&sched.nhogs) > 0;
	bool urgent = !v->idle &&
	    (v->due || v->woken || runq_len(&pp->runq[RUNQ_WOKEN]) > 0);

	if (slice >= SLICE) {
		preempt(pp, M_PREEMPT | M_SLICE);
		pp->seen_at = v->real;
	} else if (urgent && slice >= URGENT_ASK) {
		preempt(pp, M_PREEMPT);
	}
	if (stuck < (urgent ? URGENT_TAKE : SLICE + TICK))
		return;
	if ((waits && !v->idle) || hogs)
		(void)detach(pp, DETACH_COMPUTING);
}

void watch(struct p *pp, struct view *v)
{
	uint32_t tick = rt_load_relaxed(&pp->tick);
	uint32_t picks = rt_load_relaxed(&pp->ring_picks);
	bool stuck = tick == pp->seen_tick, work = !p_empty(pp), waits;
	struct owner o = { 0 };

	if (!stuck)
		pp->stuck_at = v->real;
	pp->seen_tick = tick;
	if (stuck && detach(pp, DETACH_ANNOUNCED))
		return;
	if (sched.seed) /* its order may not depend on the clock */
		return;
	/* Not only its own: who never parks would keep them all waiting. */
	waits = work || v->global || v->due;
	v->stuck |= stuck && waits;
	if (picks != pp->seen_picks ||
	    !(waits || rt_load_relaxed(&sched.nhogs) > 0))
		pp->seen_at = v->real;
	if ((stuck || (v->hurry && waits)) && owner_of(pp, &o) &&
	    !o.in_runtime) {
		int64_t age = v->real - pp->stuck_at;

		if ((waits || age >= TICK) && is_blocked(pp, &o, age)) {
			v->took |= detach(pp, DETACH_BLOCKED);
			return;
		}
		watch_computing(pp, v, age, v->real - pp->seen_at, waits);
	} else if (v->real - pp->seen_at >= SLICE) {
		preempt(pp, M_PREEMPT | M_SLICE);
		pp->seen_at = v->real;
	}
	/* Who waits in runnext is picked soon, if anybody is. */
	if ((stuck ? work : p_has_ring(pp)) && pp->seen_work && v->idle) {
		if (stuck) /* the guess of wake.h was wrong */
			rt_store_relaxed(&pp->wake_credit, 0);
		wakep();
	}
	if (v->global || v->due)
		rt_store_relaxed(&pp->attention, 1);
	pp->seen_picks = picks;
	pp->seen_work = work;
}
