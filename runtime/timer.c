/* SPDX-License-Identifier: MIT */
/*
 * timer.c - timers that call back: gamp_timer_start, stop, reset.
 *
 * A struct gamp_timer is a struct alarm (sched/timer.h).  Its arg is the
 * program's, its seq the program's fn, its kind says where that is called.
 *
 * The runtime stops while timers fire.  sched_drain must not find that nobody
 * lives when a firing is about to start a goroutine, so
 *
 *	firing				sched_drain
 *	D1 spawned++			D3 stopping = 1
 *	   light fence			   membar_heavy
 *	D2 stopping?			D4 anybody alive?
 *
 * either D2 sees it, and no goroutine is started, or D4 waits for this one.
 * A callback on the scheduler's stack may start goroutines, too: until it
 * returns it counts as one, unless the runtime is stopping already.  Timers
 * that need a goroutine stay armed then, and are idle when it has stopped.
 */

#include <errno.h>
#include <sched.h>

#include <gamp/timer.h>

#include "base/membar.h"
#include "runtime/timer.h"
#include "sched/sched.h"
#include "sched/sleep.h"
#include "sched/wake.h"

_Static_assert(sizeof(struct alarm) == sizeof(struct gamp_timer) &&
	_Alignof(struct alarm) == _Alignof(struct gamp_timer),
    "struct gamp_timer");

static struct alarm *alarm_of(struct gamp_timer *t)
{
	return (struct alarm *)t;
}

/*
 * What is armed when the runtime stops is in a heap until its threads have
 * ended: the program must not free it before.  (In the child of a fork nothing
 * is `stopping`.)
 */
bool alarm_wait_down(struct timer *t)
{
	do {
		if (!timer_armed(t) || !rt_load_relaxed(&sched.stopping))
			return false;
		(void)sched_yield();
	} while (!entry_begin());
	return true;
}

static gamp_fn *fn_of(uint64_t seq)
{
	return (gamp_fn *)(uintptr_t)seq;
}

static void uncount(struct p *pp)
{
	rt_store_release(&pp->exited, rt_load_relaxed(&pp->exited) + 1);
	if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		sched_exited();
}

/* On the scheduler's stack. */
static void call(const struct timer_due *due)
{
	struct p *pp = m_p(m_self()); /* it stays ours: nothing parks here */
	bool counts = !rt_load_relaxed(&sched.stopping);

	if (rt_likely(counts)) {
		g_count(pp);	/* D1 */
		membar_light(); /* pairs with sched_drain */
	}
	fn_of(due->seq)(due->arg);
	if (rt_likely(counts))
		uncount(pp);
}

/* Ps that are idle may keep the last free ones.  Under sched.lock they are
 * ours. */
static void flush_idle(void)
{
	rt_lock(&sched.lock);
	for (struct p *pp = sched.pidle; pp; pp = pp->link)
		g_flush(pp);
	rt_unlock(&sched.lock);
}

static void put_goroutine(void *got)
{
	g_drop(m_p(m_self()), got);
}

static void *get_goroutine(void)
{
	struct p *pp = m_p(m_self());
	int cls = sched.default_class, err;
	struct g *gp = NULL;

	if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		return NULL;
	gp = g_new(pp, cls, NULL, NULL, &err);
	if (rt_unlikely(!gp)) {
		flush_idle();
		gp = g_new(pp, cls, NULL, NULL, &err);
	}
	if (!gp)
		return NULL;
	g_count(pp);	/* D1 */
	membar_light(); /* pairs with sched_drain */
	if (rt_unlikely(rt_load_relaxed(&sched.stopping))) { /* D2 */
		put_goroutine(gp);
		return NULL;
	}
	return gp;
}

/* To the tail, so that callbacks that are due at once begin in order. */
static void go(const struct timer_due *due)
{
	struct task_list one = { 0 };
	struct g *gp = due->got;

	gp->fn = fn_of(due->seq);
	gp->arg = due->arg;
	gp->task.woken = true;
	san_release(gp);
	task_push(&one, &gp->task);
	rt_queue_list(&one);
}

static const struct alarm_kind
    in_goroutine = { .fire = go, .get = get_goroutine, .put = put_goroutine },
    on_scheduler = { .fire = call };

static int start(struct gamp_timer *t, int64_t when, int64_t period,
    gamp_fn *fn, void *arg, const struct alarm_kind *kind)
{
	struct alarm *a = alarm_of(t);
	int r = -EBUSY;

	if (rt_unlikely(!t || !fn || period < 0))
		return -EINVAL;
	if (!alarm_enter(&a->t))
		return -ESRCH;
	(void)m_enter();
	if (!timer_armed(&a->t)) {
		a->t.fn = NULL;
		a->t.arg = arg;
		a->t.seq = (uintptr_t)fn;
		a->period = period;
		a->kind = kind;
		san_release(a);
		r = timer_arm(&a->t, clock_deadline(when));
	}
	m_exit();
	entry_end();
	return r;
}

int gamp_timer_start(struct gamp_timer *t, int64_t when, int64_t period,
    gamp_fn *fn, void *arg)
{
	return start(t, when, period, fn, arg, &in_goroutine);
}

int gamp_timer_start_short(struct gamp_timer *t, int64_t when, int64_t period,
    gamp_fn *fn, void *arg)
{
	return start(t, when, period, fn, arg, &on_scheduler);
}

/* No P is needed. */
bool gamp_timer_stop(struct gamp_timer *t)
{
	struct alarm *a = alarm_of(t);
	bool stopped;

	if (!t || !timer_armed(&a->t) || !alarm_enter(&a->t))
		return false;
	stopped = timer_stop(&a->t);
	if (stopped)
		san_acquire(a); /* what was before the start */
	entry_end();
	return stopped;
}

/* It came before what was the earliest of h.  If h is our own, its owner looks
 * before it goes to sleep. */
static void tell(struct timers *h, int64_t when)
{
	struct m *mp = m_enter();

	if (!mp || h != &m_p(mp)->timers)
		wake_poller(when);
	m_exit();
}

/* 1, 0 or -errno; on a thread of the runtime, or on one that was counted. */
static inline int reset(struct alarm *a, int64_t when)
{
	bool sooner;
	struct timers *h;
	int r;

	san_release(a);
	h = timer_shift(&a->t, when, &sooner);
	if (rt_likely(h != NULL)) {
		if (rt_unlikely(sooner))
			tell(h, when);
		return 1;
	}
	(void)m_enter();
	r = timer_arm(&a->t, when);
	m_exit();
	return r;
}

int gamp_timer_reset(struct gamp_timer *t, int64_t when)
{
	struct alarm *a = alarm_of(t);
	int r;

	if (rt_unlikely(!t))
		return -EINVAL;
	if (rt_unlikely(!a->kind))
		return 0;
	if (!alarm_enter(&a->t))
		return -ESRCH;
	r = reset(a, clock_deadline(when));
	entry_end();
	return r;
}
