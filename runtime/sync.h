/* SPDX-License-Identifier: MIT */
/*
 * sync.h - what the sync objects have in common.
 *
 * Each is a guard, a few numbers under it, and a queue of waiters.  Whoever
 * makes something available gives it, under the guard, to the waiters that it
 * takes out of the queue; they find it taken when they go on.  So nobody who
 * comes later gets what a waiter was woken for, and nothing is lost when a
 * deadline or a canceller is faster: wait_win says so, and the next in the
 * queue is tried.  (The mutex lets others compete: mutex.c.)
 *
 * Invariants
 *	I1  Leaving the guard is a call's last access to the object; waiters
 *	    are woken after it.  So whoever comes out last may free it.
 *	I2  A waiter that was won touches the object no more.
 *	I3  A waiter that was not, and leaves, does so under the guard, and
 *	    gives what it stood in the way of to those behind it.
 */
#ifndef RT_RUNTIME_SYNC_H
#define RT_RUNTIME_SYNC_H

#include <gamp/sync.h>

#include "base/clock.h"
#include "sched/entry.h"
#include "sched/guard.h"
#include "sched/guest.h"
#include "sched/m.h"
#include "sched/waitq.h"

/* What is in a sync object's public memory begins at its first field. */
#define SYNC_LAYOUT(inner, outer)                               \
	_Static_assert(sizeof(struct inner) ==                  \
		    sizeof(struct outer) &&                     \
		_Alignof(struct inner) == _Alignof(struct outer), \
	    "the public face of a sync object")

/* How a call waits. */
struct patience {
	int64_t deadline; /* NEVER: none */
	bool firm;	  /* not a point of cancellation */
	uint8_t why;	  /* enum rt_why */
};

/*
 * One change of an object's word, outside the guard: alone in a solo section,
 * or by one locked instruction.  False: it was something else.
 */
static inline bool sync_step(rt_a32 *word, uint32_t from, uint32_t to)
{
	bool same;

	if (!solo_begin())
		return rt_cas_acqrel(word, &from, to);
	same = rt_load_relaxed(word) == from;
	if (rt_likely(same))
		rt_store_relaxed(word, to);
	solo_end();
	return same;
}

static inline bool sync_step64(rt_a64 *word, uint64_t from, uint64_t to)
{
	bool same;

	if (!solo_begin())
		return rt_cas_acqrel(word, &from, to);
	same = rt_load_relaxed(word) == from;
	if (rt_likely(same))
		rt_store_relaxed(word, to);
	solo_end();
	return same;
}

/* The same under the guard.  In a solo section it is what it was. */
static inline bool sync_change(
    rt_a32 *word, uint32_t from, uint32_t to, bool solo)
{
	if (!solo)
		return rt_cas_acqrel(word, &from, to);
	rt_store_relaxed(word, to);
	return true;
}

static inline bool sync_change64(
    rt_a64 *word, uint64_t from, uint64_t to, bool solo)
{
	if (!solo)
		return rt_cas_acqrel(word, &from, to);
	rt_store_relaxed(word, to);
	return true;
}

/* Nobody begins to wait after the deadline, or cancelled, or on g0, or as the
 * host of a guest. */
static inline int sync_may_wait(struct m *mp, const struct patience *how)
{
	if (mp ? !m_curg(mp) : guest_must_not_wait())
		return -EDEADLK;
	if (!how->firm && mp && g_cancelled(m_curg(mp)))
		return -ECANCELED;
	if (how->deadline != NEVER && how->deadline <= clock_now())
		return -ETIMEDOUT;
	return 0;
}

static inline void sync_release(void *guard)
{
	guard_exit(guard);
}

/*
 * Under the guard, which release, given obj, lets go of.  s is in q, or comes
 * to its end.  0: s was won, and the guard is not held.  Else it is held
 * again, s is in q no more, and the result says why.
 */
static inline int sync_wait_as(struct guard *guard, struct waitq *q,
    struct sudog *s, struct parking *how)
{
	struct wait own, *w = wait_self(m_self(), &own);
	int r;

	s->wait = w;
	if (!s->queued)
		waitq_push(q, s);
	san_release(guard); /* g0 lets go of it for us */
	r = wait_park(w, how);
	if (r == 0)
		return 0;
	guard_enter(guard);
	waitq_remove(q, s);
	return r;
}

static inline struct parking parking_of(
    struct guard *guard, const struct patience *how)
{
	return (struct parking){ .release = sync_release,
		.obj = guard,
		.deadline = how->deadline,
		.firm = how->firm,
		.why = how->why };
}

/* The usual case. */
static inline int sync_wait(struct guard *guard, struct waitq *q,
    struct sudog *s, const struct patience *how)
{
	struct parking parking = parking_of(guard, how);

	return sync_wait_as(guard, q, s, &parking);
}

/* Between enter_shared and m_exit, for cond.c.  m must be locked; 0. */
bool mutex_is_locked(struct gamp_mutex *m);
int mutex_unlock(struct gamp_mutex *m);
void mutex_lock_firm(struct gamp_mutex *m);

#endif
