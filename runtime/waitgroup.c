/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - waiting until all are done: a count, and a queue under a guard;
 * see sync.h.
 *
 * The count goes to zero only under the guard, where those that wait look at
 * it; all other changes take one step.  A wait that finds zero has entered the
 * guard all the same: so the done that made it zero has left before whoever
 * waited frees the group.
 */

#include "runtime/leave.h"
#include "runtime/sync.h"
#include "sched/entry.h"
#include "sched/sched.h"

struct waitgroup {
	struct guard guard;
	uint32_t pad;
	rt_a64 count;
	struct waitq waiters;
};

SYNC_LAYOUT(waitgroup, gamp_waitgroup);

/* 0, and the sum; or why not. */
static inline int sum(int64_t count, int64_t n, int64_t *out)
{
	if (rt_unlikely(__builtin_add_overflow(count, n, out)))
		return -EOVERFLOW; /* the count is not negative */
	return rt_unlikely(*out < 0) ? -EINVAL : 0;
}

/* Under the guard. */
static int add_to(struct waitgroup *wg, int64_t n, struct won *won)
{
	bool solo = guard_is_solo(&wg->guard);
	int64_t next;
	uint64_t c;
	int r;

	do {
		c = rt_load_relaxed(&wg->count);
		r = sum((int64_t)c, n, &next);
	} while (r == 0 && !sync_change64(&wg->count, c, (uint64_t)next, solo));
	if (r == 0 && next == 0)
		waitq_win_all(&wg->waiters, solo, won);
	return r;
}

static __attribute__((noinline)) int add_slow(struct waitgroup *wg, int64_t n)
{
	struct won won = { 0 };
	int r;

	guard_enter(&wg->guard);
	r = add_to(wg, n, &won);
	guard_exit(&wg->guard);
	won_wake(&won);
	return r;
}

static inline int add(struct waitgroup *wg, int64_t n)
{
	uint64_t c = rt_load_relaxed(&wg->count);
	int64_t next;
	int r;

	san_release(wg);
	r = sum((int64_t)c, n, &next);
	if (rt_unlikely(r < 0))
		return r;
	if (next == 0 || !sync_step64(&wg->count, c, (uint64_t)next))
		return add_slow(wg, n);
	return 0;
}

int gamp_waitgroup_add(struct gamp_waitgroup *wg, int64_t n)
{
	struct m *mp = enter_shared();
	int r = add((struct waitgroup *)wg, n);

	m_leave(mp);
	return r;
}

int gamp_waitgroup_done(struct gamp_waitgroup *wg)
{
	return gamp_waitgroup_add(wg, -1);
}

void waitgroup_leave(struct g *gp)
{
	struct gamp_waitgroup *wg = gp->waitgroup;

	gp->waitgroup = NULL;
	(void)gamp_waitgroup_done(wg);
}

/* It is counted already. */
static int64_t start(
    struct gamp_waitgroup *wg, gamp_fn *fn, void *arg, void *site)
{
	struct m *mp = enter_shared();
	struct p *pp = mp ? m_p(mp) : NULL;
	int err = 0;
	struct g *gp = g_new(pp, sched.default_class, fn, arg, &err);
	int64_t id = err;

	if (gp) {
		id = g_id(gp);
		gp->parent = mp && m_curg(mp) ? g_id(m_curg(mp)) : 0;
		gp->site = site;
		gp->waitgroup = wg;
		gp->leaving = waitgroup_leave;
		g_count(pp);
		g_born(gp);
		rt_start(gp);
	}
	m_exit();
	return id;
}

int64_t gamp_waitgroup_go(struct gamp_waitgroup *wg, gamp_fn *fn, void *arg)
{
	int64_t r;

	if (!fn)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	r = rt_unlikely(rt_load_relaxed(&sched.stopping))
		? -ECANCELED
		: gamp_waitgroup_add(wg, 1);
	if (r == 0) {
		r = start(wg, fn, arg, __builtin_return_address(0));
		if (r < 0)
			(void)gamp_waitgroup_done(wg);
	}
	entry_end();
	return r;
}

/* Under the guard, which is gone afterwards. */
static int wait_for(struct waitgroup *wg, const struct patience *how)
{
	struct sudog s = { 0 };
	int r = sync_wait(&wg->guard, &wg->waiters, &s, how);

	if (r < 0)
		guard_exit(&wg->guard);
	return r;
}

static int wait_until(struct gamp_waitgroup *pub, int64_t deadline)
{
	struct patience how = { deadline, false, WHY_WAITGROUP };
	struct waitgroup *wg = (struct waitgroup *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	guard_enter(&wg->guard);
	if (rt_load_relaxed(&wg->count) == 0 ||
	    (r = sync_may_wait(mp, &how)) < 0)
		guard_exit(&wg->guard);
	else
		r = wait_for(wg, &how);
	san_acquire(wg);
	m_exit();
	return r;
}

int gamp_waitgroup_wait(struct gamp_waitgroup *wg)
{
	return wait_until(wg, NEVER);
}

int gamp_waitgroup_wait_until(struct gamp_waitgroup *wg, int64_t deadline)
{
	return wait_until(wg, clock_deadline(deadline));
}
