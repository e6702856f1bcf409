/* SPDX-License-Identifier: MIT */
/*
 * group.c - structured concurrency: gamp/group.h.
 *
 * A group lies in the program's memory, mostly on the stack of who waits.  All
 * of it is under its guard; its goroutines are linked into it from before they
 * may run until they have run all that they deferred.
 *
 *	list	its goroutines		who moves them there
 *	----	--------------		--------------------
 *	FRESH	know of no cancel	gamp_group_go
 *	MARKED	are marked (C3)		the canceller
 *	DONE	are woken, too (C4)	the canceller; gamp_group_go, of those
 *					that begin cancelled
 *
 * Cancelling happens once: whoever sets `cancelled` walks from list to list, a
 * batch at a time, with one membar_heavy in all between marks and wake-ups.
 * Nobody comes to FRESH from then on; who cancels, too, helps to mark.  The
 * guard is not held for the wake-ups: one of a batch may exit meanwhile, and
 * its G be another's by the time that it is poked; cancel.h says that this is
 * harmless.
 *
 * The memory may go when gamp_group_wait returns.  Who may touch the group then
 * is counted: `children`, and as `users` cancellers at work and the deadline's
 * timer, from arming until it was stopped or its call is over.
 *
 *	wait	W1 children > 0: park
 *		W2 ending: the deadline and cancels come too late
 *		W3 stop the timer; it was armed: users--
 *		W4 users > 0: park
 *
 * Whoever lets a count go does it last of all and under the guard, whose exit
 * is its last access (guard.h); so after W4, under the guard, the waiter is
 * alone.  Whoever ends its wait, wins it under the guard and wakes it after.
 *
 * Invariants
 *	I1  cancelled if and only if err is not 0.
 *	I2  children is the sum of the lists' lengths.
 *	I3  a user is inside of cancel_group or time_out, or its timer is
 *	    armed: W4 waits for what is under way on some processor.
 */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <gamp/group.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "runtime/leave.h"
#include "sched/cancel.h"
#include "sched/entry.h"
#include "sched/guest.h"
#include "sched/guard.h"
#include "sched/sched.h"
#include "sched/sleep.h"
#include "sched/waitq.h"

#ifdef RT_HARD
#define BATCH 3
#else
#define BATCH 32 /* under the guard, some 3 us */
#endif

enum { FRESH, MARKED, DONE, LISTS };

struct group {
	struct guard guard;
	uint32_t children, users;
	int err;
	bool cancelled, ending;
	bool timed;	   /* the timer is one of the users, */
	uint32_t run;	   /* in this run of the runtime */
	struct g *list[LISTS];
	struct waitq waitq; /* who waits: W1, W4 */
	struct timer timer;
};

RT_STATIC_ASSERT(sizeof(struct group) <= sizeof(struct gamp_group),
    "a group does not fit its public memory");

static struct group *group_of(struct gamp_group *g)
{
	return (struct group *)g;
}

static void link_to(struct group *g, int list, struct g *gp)
{
	gp->sibling = g->list[list];
	gp->sibling_at = &g->list[list];
	if (gp->sibling)
		gp->sibling->sibling_at = &gp->sibling;
	g->list[list] = gp;
}

static void unlink_g(struct g *gp)
{
	*gp->sibling_at = gp->sibling;
	if (gp->sibling)
		gp->sibling->sibling_at = gp->sibling_at;
}

/* Ends a section in which a count has fallen.  If whoever waits has what it
 * waits for, it is woken, and the group is not the caller's any more. */
static void exit_and_tell(struct group *g)
{
	struct sudog *s = NULL;

	if (g->children == 0 && (!g->ending || g->users == 0))
		s = waitq_win(&g->waitq, guard_is_solo(&g->guard));
	guard_exit(&g->guard);
	if (s)
		wait_wake(s->wait);
}

/* Long work is interrupted here if others wait for the P. */
static void breathe(void)
{
	m_exit();
	(void)m_enter();
}

static void mark_all(struct group *g)
{
	int n;

	do {
		struct g *gp;

		guard_enter(&g->guard);
		for (n = 0; n < BATCH && (gp = g->list[FRESH]); n++) {
			unlink_g(gp);
			link_to(g, MARKED, gp);
			(void)cancel_mark(g_id(gp)); /* C3 */
		}
		guard_exit(&g->guard);
		breathe();
	} while (n == BATCH);
}

static void poke_all(struct group *g)
{
	struct g *batch[BATCH];
	int n;

	do {
		guard_enter(&g->guard);
		for (n = 0; n < BATCH && (batch[n] = g->list[MARKED]); n++) {
			unlink_g(batch[n]);
			link_to(g, DONE, batch[n]);
		}
		guard_exit(&g->guard);
		for (int i = 0; i < n; i++)
			cancel_poke(batch[i]); /* C4 */
		breathe();
	} while (n == BATCH);
}

/* Under the guard.  The first reason counts; false: there was one. */
static bool set_error(struct group *g, int err)
{
	if (g->cancelled || g->ending)
		return false;
	g->cancelled = true;
	g->err = err;
	return true;
}

/* Entered.  When it returns, all are marked, whoever did it.  self, or null, is
 * one of them that may go on. */
static void cancel_group(struct group *g, int err, struct g *self)
{
	bool first;

	guard_enter(&g->guard);
	first = set_error(g, err);
	if (first && self) {
		unlink_g(self);
		link_to(g, DONE, self);
	}
	if (!first && !g->list[FRESH]) {
		guard_exit(&g->guard);
		return;
	}
	g->users++;
	guard_exit(&g->guard);
	mark_all(g);
	if (first) {
		membar_heavy(); /* F2 of cancel.h */
		poke_all(g);
	}
	guard_enter(&g->guard);
	g->users--;
	exit_and_tell(g);
}

/* The deadline.  On g0. */
static void time_out(void *arg, uint64_t seq)
{
	struct group *g = arg;

	(void)seq;
	cancel_group(g, -ETIMEDOUT, NULL);
	guard_enter(&g->guard);
	g->timed = false;
	g->users--;
	exit_and_tell(g);
}

static int arm(struct group *g, int64_t deadline)
{
	int r;

	g->timer.fn = time_out;
	g->timer.arg = g;
	g->timed = true; /* it may fire at once */
	g->users = 1;
	g->run = rt_load_relaxed(&entry_runs);
	(void)enter_shared();
	r = timer_arm(&g->timer, deadline);
	m_exit();
	if (r < 0) {
		g->timed = false;
		g->users = 0;
	}
	return r;
}

int gamp_group_init(struct gamp_group *group, int64_t deadline)
{
	struct group *g = group_of(group);
	int r = 0;

	if (!g)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	memset(group, 0, sizeof(*group));
	deadline = clock_deadline(deadline);
	if (deadline != NEVER && deadline <= clock_now()) {
		g->cancelled = true;
		g->err = -ETIMEDOUT;
	} else if (deadline != NEVER) {
		r = arm(g, deadline);
	}
	entry_end();
	return r;
}

static void child_main(void *arg)
{
	struct g *gp = m_curg(m_self());
	int err = gp->member(arg);

	if (err == 0)
		return;
	(void)m_enter();
	cancel_group(gp->group, err, gp);
	m_exit();
}

void group_leave(struct g *gp)
{
	struct group *g = gp->group;

	(void)m_enter();
	gp->group = NULL;
	guard_enter(&g->guard);
	unlink_g(gp);
	g->children--;
	exit_and_tell(g);
	m_exit();
}

/* Nobody runs gp yet. */
static void adopt(struct group *g, struct g *gp, gamp_err_fn *fn)
{
	gp->group = g;
	gp->member = fn;
	leave_arm(gp);
	guard_enter(&g->guard);
	g->children++;
	link_to(g, g->cancelled ? DONE : FRESH, gp);
	if (g->cancelled)
		(void)cancel_mark(g_id(gp));
	guard_exit(&g->guard);
}

static int start(struct group *g, gamp_err_fn *fn, void *arg, void *site)
{
	struct m *mp = enter_shared();
	struct p *pp = mp ? m_p(mp) : NULL;
	int err = 0;
	struct g *gp = g_new(pp, sched.default_class, child_main, arg, &err);

	if (gp) {
		gp->parent = mp && m_curg(mp) ? g_id(m_curg(mp)) : 0;
		gp->site = site;
		adopt(g, gp, fn);
		g_count(pp);
		g_born(gp);
		rt_start(gp); /* g may be gone */
	}
	m_exit();
	return err;
}

int gamp_group_go(struct gamp_group *group, gamp_err_fn *fn, void *arg)
{
	int r;

	if (!group || !fn)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	r = rt_unlikely(rt_load_relaxed(&sched.stopping)) ?
	    -ECANCELED :
	    start(group_of(group), fn, arg, __builtin_return_address(0));
	entry_end();
	return r;
}

/* While the runtime stops, or does not run, whoever is left is cancelled by
 * gamp_stop; and it may vanish any time. */
void gamp_group_cancel(struct gamp_group *group)
{
	struct group *g = group_of(group);

	if (!g)
		return;
	if (entry_begin()) {
		(void)enter_shared();
		cancel_group(g, -ECANCELED, NULL);
		m_exit();
		entry_end();
	} else {
		solo_break();
		guard_enter(&g->guard);
		(void)set_error(g, -ECANCELED);
		guard_exit(&g->guard);
	}
}

static void release(void *guard)
{
	guard_exit(guard);
}

/* Under the guard, before and after: parks until exit_and_tell says so.
 * -ECANCELED: the caller was cancelled, and that has not been said. */
static int park(struct group *g, bool firm)
{
	struct wait own, *w = wait_self(m_self(), &own);
	struct sudog s = { .wait = w };
	struct parking how = { .release = release,
		.obj = &g->guard,
		.deadline = NEVER,
		.firm = firm,
		.why = WHY_GROUP };
	int r;

	waitq_push(&g->waitq, &s);
	r = wait_park(w, &how);
	guard_enter(&g->guard);
	waitq_remove(&g->waitq, &s);
	return r;
}

/*
 * W3.  True: it will not fire any more.  The run of the runtime in which it was
 * armed may be over, and has taken its timers along.  One that is about to end
 * is waited for, for it may yet find that it cannot.  (In the child of a fork
 * nothing is `stopping`.)
 */
static bool stop_timer(struct group *g)
{
	bool stopped = true;

	while (!entry_begin()) {
		if (g->run != rt_load_acquire(&entry_runs) ||
		    !rt_load_relaxed(&sched.stopping))
			return true;
		(void)sched_yield();
	}
	if (g->run == rt_load_acquire(&entry_runs))
		stopped = timer_stop(&g->timer);
	entry_end();
	return stopped;
}

static int wait_all(struct group *g)
{
	int err;

	guard_enter(&g->guard);
	if (g->children > 0 && guest_must_not_wait()) {
		guard_exit(&g->guard);
		return -EDEADLK;
	}
	while (g->children > 0) /* W1 */
		if (park(g, g->cancelled) == -ECANCELED) {
			guard_exit(&g->guard);
			cancel_group(g, -ECANCELED, NULL);
			guard_enter(&g->guard);
		}
	g->ending = true; /* W2 */
	if (g->timed) {
		bool stopped;

		guard_exit(&g->guard);
		stopped = stop_timer(g);
		guard_enter(&g->guard);
		if (stopped && g->timed) /* or it has fired, some time ago */
			g->users--;
	}
	while (g->users > 0) /* W4 */
		(void)park(g, true);
	err = g->err;
	guard_exit(&g->guard);
	return err;
}

int gamp_group_wait(struct gamp_group *group)
{
	struct group *g = group_of(group);
	struct m *mp;
	int r;

	if (!g)
		return -EINVAL;
	mp = enter_shared();
	if (mp && (!m_curg(mp) || m_curg(mp)->group == g))
		r = -EDEADLK;
	else
		r = wait_all(g);
	m_exit();
	return r;
}
