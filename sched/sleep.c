/* SPDX-License-Identifier: MIT */
/* sleep.c - see sleep.h. */

#include <errno.h>
#include <stddef.h>

#include "sched/cancel.h"
#include "sched/sched.h"
#include "sched/sleep.h"
#include "sched/wake.h"

int timer_arm(struct timer *t, int64_t when)
{
	struct m *mp = m_self();
	struct p *pp = mp ? m_p(mp) : NULL;
	int r;

	m_check_inside(mp);
	if (pp) /* its owner looks at it before it goes to sleep */
		return timer_start(&pp->timers, t, when);
	r = timer_start(&sched.ps[0].timers, t, when); /* it never goes */
	if (r == 0)
		wake_poller(when);
	return r;
}

bool timer_move(struct timer *t, int64_t when, uint64_t seq)
{
	if (!timer_reset(t, when, seq))
		return false;
	wake_poller(when);
	return true;
}

static void wake_sleeper(void *arg, uint64_t seq)
{
	(void)seq;
	rt_ready(arg);
}

/*
 * Cancelled: whoever stops the timer has the right to wake.  It may be a later
 * sleep by now, or that of the slot's next goroutine: they sleep again.  It
 * may also be another use of the timer (pd_wait): not ours to stop.
 */
static void cancel_sleep(struct canceller *c, struct g *gp)
{
	(void)c;
	if (timer_stop_fn(&gp->timer, wake_sleeper))
		rt_ready(gp);
}

struct sleep {
	int64_t when;
	int err;
};

/*
 * Armed after the park, so a short sleep cannot end before it has begun.  From
 * the arming on, gp may run elsewhere, and even sleep again: only its tag and
 * its timer are touched.  A later sleep that is stopped here sleeps again.
 */
static bool commit_sleep(struct g *gp, void *arg)
{
	struct sleep *s = arg; /* on gp's stack: not after arming */
	bool cancellable = !gp->uncancellable;
	int r = timer_arm(&gp->timer, s->when);

	if (r < 0) {
		s->err = r;
		return false;
	}
	membar_light(); /* C2 again: cancel.h */
	return !(cancellable && (rt_load_relaxed(&gp->tag) & 1) &&
	    timer_stop_fn(&gp->timer, wake_sleeper));
}

int sleep_until(struct m *mp, int64_t when)
{
	struct g *gp = m_curg(mp);
	struct sleep s = { .when = when };

	if (gp->sleep.fn != cancel_sleep) /* a late canceller may read it */
		gp->sleep.fn = cancel_sleep;
	gp->timer.fn = wake_sleeper;
	gp->timer.arg = gp;
	do {
		if (!cancel_begin(gp, &gp->sleep))
			return -ECANCELED;
		rt_park(commit_sleep, &s, WHY_SLEEP);
		cancel_end(gp);
		if (s.err < 0)
			return s.err;
		if (g_cancelled(gp))
			return -ECANCELED;
	} while (clock_now() < when);
	return 0;
}
