/* SPDX-License-Identifier: MIT */
/*
 * waitgroup.c - waiting until all are done; see sync.h.
 *
 * A wait that finds zero enters the guard all the same: the done that made it
 * zero must have left before whoever waited frees the group.
 */

#include "runtime/entry.h"
#include "runtime/leave.h"
#include "runtime/sync.h"
#include "sched/sched.h"

struct waitgroup {
	struct guard guard;
	uint32_t pad;
	int64_t count;
	struct waitq waiters;
};

SYNC_LAYOUT(waitgroup, gamp_waitgroup);

int gamp_waitgroup_add(struct gamp_waitgroup *pub, int64_t n)
{
	struct waitgroup *wg = (struct waitgroup *)pub;
	struct won won = { 0 };
	int64_t count;
	int r = 0;

	(void)sync_enter();
	guard_enter(&wg->guard);
	if (__builtin_add_overflow(wg->count, n, &count))
		r = n < 0 ? -EINVAL : -EOVERFLOW;
	else if (count < 0)
		r = -EINVAL;
	else
		wg->count = count;
	if (r == 0 && count == 0)
		sync_win_all(&wg->waiters, guard_is_solo(&wg->guard), &won);
	guard_exit(&wg->guard);
	sync_wake(&won);
	m_exit();
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
static int64_t start(struct gamp_waitgroup *wg, gamp_fn *fn, void *arg)
{
	struct m *mp = sync_enter();
	struct p *pp = mp ? m_p(mp) : NULL;
	int err = 0;
	struct g *gp = g_new(pp, sched.default_class, fn, arg, &err);
	int64_t id = err;

	if (gp) {
		id = g_id(gp);
		gp->parent = mp && mp->curg ? g_id(mp->curg) : 0;
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
	r = rt_unlikely(rt_load_relaxed(&sched.stopping)) ?
	    -ECANCELED :
	    gamp_waitgroup_add(wg, 1);
	if (r == 0) {
		r = start(wg, fn, arg);
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
	struct m *mp = sync_enter();
	int r = 0;

	guard_enter(&wg->guard);
	if (wg->count == 0 || (r = sync_may_wait(mp, &how)) < 0)
		guard_exit(&wg->guard);
	else
		r = wait_for(wg, &how);
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
