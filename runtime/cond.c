/* SPDX-License-Identifier: MIT */
/*
 * cond.c - a condition: waiters in order of arrival, see sync.h.
 *
 * Whoever waits is in the queue before it lets go of the mutex, and a signal
 * is for the one that it takes out of the queue.  So none is lost between the
 * two, and none is stolen by who comes later.
 *
 * The mutex is unlocked by the release callback, on g0, for the goroutine can
 * be won from then on, and may run before the call to unlock has returned.
 *
 * `waiting` tells a signal without the guard that nobody waits.  Whoever has
 * changed what is waited for, under the mutex, sees the queue of those that
 * have looked at it before.
 */

#include "runtime/sync.h"
#include "sched/park.h"

struct cond {
	struct guard guard;
	rt_a32 waiting; /* somebody is in the queue */
	struct waitq waiters;
};

SYNC_LAYOUT(cond, gamp_cond);

static void leave(struct cond *c)
{
	rt_store_relaxed(&c->waiting, c->waiters.first != NULL);
	guard_exit(&c->guard);
}

struct waiting {
	struct cond *c;
	struct gamp_mutex *m;
};

/* Read before the guard is gone: it is on the waiter's stack. */
static void release(void *arg)
{
	const struct waiting *wt = arg;
	struct gamp_mutex *m = wt->m;

	leave(wt->c);
	(void)mutex_unlock(m);
}

/* Entered, with m locked. */
static int wait_for(
    struct cond *c, struct gamp_mutex *m, const struct patience *how)
{
	struct waiting wt = { c, m };
	struct parking parking = { .release = release,
		.obj = &wt,
		.deadline = how->deadline,
		.why = how->why };
	struct sudog s = { 0 };
	int r;

	guard_enter(&c->guard);
	san_release(m); /* g0 unlocks it for us */
	r = sync_wait_as(&c->guard, &c->waiters, &s, &parking);
	if (r < 0)
		leave(c);
	mutex_lock_firm(m);
	return r;
}

/* Who may not wait lets others have m, too: it may come round and round. */
static void let_others(struct m *mp, struct gamp_mutex *m)
{
	(void)mutex_unlock(m);
	if (mp)
		rt_yield();
	mutex_lock_firm(m);
}

static int wait_until(struct cond *c, struct gamp_mutex *m, int64_t deadline)
{
	struct patience how = { deadline, false, WHY_COND };
	struct m *mp = enter_shared();
	int r = -EPERM;

	if (mutex_is_locked(m))
		r = sync_may_wait(mp, &how);
	if (r == 0)
		r = wait_for(c, m, &how);
	else if (r == -ECANCELED || r == -ETIMEDOUT)
		let_others(mp, m);
	m_exit();
	return r;
}

int gamp_cond_wait(struct gamp_cond *c, struct gamp_mutex *m)
{
	return wait_until((struct cond *)c, m, NEVER);
}

int gamp_cond_wait_until(
    struct gamp_cond *c, struct gamp_mutex *m, int64_t deadline)
{
	return wait_until((struct cond *)c, m, clock_deadline(deadline));
}

int gamp_cond_signal(struct gamp_cond *pub)
{
	struct cond *c = (struct cond *)pub;
	struct m *mp = enter_shared();
	struct sudog *s;

	if (rt_load_relaxed(&c->waiting)) {
		guard_enter(&c->guard);
		s = waitq_win(&c->waiters, guard_is_solo(&c->guard));
		leave(c);
		if (s)
			wait_wake(s->wait);
	}
	m_leave(mp);
	return 0;
}

int gamp_cond_broadcast(struct gamp_cond *pub)
{
	struct cond *c = (struct cond *)pub;
	struct m *mp = enter_shared();
	struct won won = { 0 };

	if (rt_load_relaxed(&c->waiting)) {
		guard_enter(&c->guard);
		waitq_win_all(&c->waiters, guard_is_solo(&c->guard), &won);
		leave(c);
		won_wake(&won);
	}
	m_leave(mp);
	return 0;
}
