/* SPDX-License-Identifier: MIT */
/*
 * sysmon.c - the monitor: a thread without a P that sees what others cannot.
 *
 * While any P runs it looks every TICK:
 *	- work waits behind a P that does not pick: wake another M;
 *	- a P whose M sits in an announced blocking call: take it;
 *	- a P that has picked nothing new for a slice: ask it to yield;
 *	- nobody polls the network: do it, or ask a P to;
 *	- the M in the poller does not know of an earlier timer: tell it.
 * When all Ps are idle it gives memory back and then sleeps until a P leaves
 * the idle list (pidle_get_locked): an idle process has no wake-ups.
 */

#include <signal.h>
#include <sys/prctl.h>

#include "sched/m.h"
#include "sched/poller.h"
#include "sched/sched.h"
#include "sched/wake.h"

#define TICK	    NS_PER_MS
#define OVERDUE	    (NS_PER_MS / 4)   /* a timer that nobody has run */
#define IDLE_TICKS  10		      /* all idle for so long: rest */
#define REST	    (250 * NS_PER_MS) /* then memory goes back */
#define TRIM_EVERY  (500 * NS_PER_MS) /* while Ps run */
#define TRIM_BATCH  4096	      /* stacks */
#define BURST	    64		      /* stacks taken in a tick */
#define PREPARE	    256		      /* stacks, a MiB */

static void poll_for_others(int64_t now)
{
	struct task_list ready = { 0 };

	rt_store_relaxed(&sched.polled, now);
	(void)sched_poller->poll(NULL, 0, &ready);
	if (ready.n > 0) {
		sched_put_global(&ready);
		wake_global();
	}
}

/* The owner of pp is asked to yield at its next entry. */
static void preempt(struct p *pp)
{
	struct m *mp;

	rt_lock(&sched.lock);
	mp = (struct m *)rt_load_relaxed(&pp->m);
	if (mp && !mp->nextp)
		rt_store_relaxed(
		    &mp->flags, rt_load_relaxed(&mp->flags) | M_PREEMPT);
	rt_unlock(&sched.lock);
}

static bool take_blocked(struct p *pp)
{
	struct m *mp;
	bool got;

	rt_lock(&sched.lock);
	mp = (struct m *)rt_load_relaxed(&pp->m);
	got = mp && rt_load_relaxed(&mp->blocking) && retake_locked(pp);
	rt_unlock(&sched.lock);
	if (got)
		handoffp(pp);
	return got;
}

static void watch(struct p *pp, int64_t real, int64_t now)
{
	uint32_t tick = rt_load_relaxed(&pp->tick);
	uint32_t picks = rt_load_relaxed(&pp->ring_picks);
	bool stuck = tick == pp->seen_tick, work = !p_empty(pp), more;
	/* Who waits in runnext is picked soon, if anybody is. */
	bool waits = stuck ? work : p_has_ring(pp);

	if (stuck && take_blocked(pp))
		return;
	if (sched.seed) /* its order may not depend on the clock */
		return;
	/* Not only its own: who never parks would keep them all waiting. */
	more = work || rt_load_relaxed(&sched.nglobal) > 0 ||
	    timers_next(&pp->timers) <= now;
	if (picks != pp->seen_picks || !more)
		pp->seen_at = real;
	else if (real - pp->seen_at >= SLICE) {
		preempt(pp);
		pp->seen_at = real;
	}
	if (waits && pp->seen_work && rt_load_relaxed(&sched.npidle) > 0) {
		if (stuck) /* the guess of wake.h was wrong */
			rt_store_relaxed(&pp->wake_credit, 0);
		wakep();
	}
	if (rt_load_relaxed(&sched.nglobal) > 0 ||
	    timers_next(&pp->timers) <= now)
		rt_store_relaxed(&pp->attention, 1);
	pp->seen_tick = tick;
	pp->seen_picks = picks;
	pp->seen_work = work;
}

/* real: how long things take; now: what timers are due. */
static void look(int64_t real)
{
	int64_t next = NEVER, now = clock_now();

	rt_store_relaxed(&sched.tick_time, now);
	for (uint32_t i = 0; i < sched.nprocs; i++) {
		int64_t t = timers_next(&sched.ps[i].timers);

		if (t < next)
			next = t;
		/* Its owner does not come round, or it has none. */
		if (t < now - OVERDUE && rt_load_relaxed(&sched.npidle) > 0)
			wakep();
		if (!pidle_is(i))
			watch(&sched.ps[i], real, now);
	}
	if (rt_load_relaxed(&sched.polling))
		wake_poller(next);
	else if (real - rt_load_relaxed(&sched.polled) >= TICK)
		poll_for_others(real);
	if (rt_load_relaxed(&sched.nglobal) > 0)
		wake_global(); /* a thread could not be had before */
}

static void trim_timers(void)
{
	for (uint32_t i = 0; i < sched.nprocs; i++)
		timers_trim(&sched.ps[i].timers);
}

/* Sleeps until a P runs.  Before that, memory that was not used for a REST
 * goes back. */
static void rest(void)
{
	bool asleep, trimmed = false;

	arena_mark();
	for (;;) {
		rt_lock(&sched.lock);
		note_clear(&sched.sysmon_note);
		asleep = rt_load_relaxed(&sched.npidle) == sched.nprocs &&
		    !rt_load_relaxed(&sched.halt);
		if (asleep)
			rt_store_relaxed(&sched.sysmon_asleep, 1);
		rt_unlock(&sched.lock);
		if (!asleep ||
		    note_sleep(&sched.sysmon_note,
			trimmed ? 0 : clock_real() + REST))
			return;
		rt_store_relaxed(&sched.sysmon_asleep, 0);
		while (rt_load_relaxed(&sched.npidle) == sched.nprocs &&
		    arena_trim(TRIM_BATCH, g_read_seq))
			;
		trim_timers();
		m_reap();
		trimmed = true;
	}
}

/*
 * Goroutines are started in a burst: stacks are made ready meanwhile, for most
 * of a start's time would be its page fault.  The next look is after *tick.
 */
static void prepare_stacks(uint32_t *seen, int64_t *tick)
{
	uint32_t now = arena_in_use(sched.default_class), was = *seen;
	bool burst = now > was && (now - was) * TICK >= BURST * *tick;

	if (burst)
		(void)arena_prepare(sched.default_class, PREPARE);
	*seen = now;
	*tick = burst ? TICK / 8 : TICK;
}

static void *sysmon_main(void *arg)
{
	int64_t marked = clock_real(), now, tick = TICK;
	uint32_t stacks = 0;
	int idle = 0;
	bool more = false;

	(void)arg;
	(void)prctl(PR_SET_TIMERSLACK, 1);
	(void)prctl(PR_SET_NAME, "gamp-sysmon");
	while (!rt_load_acquire(&sched.halt)) {
		if (note_sleep(&sched.sysmon_note, clock_real() + tick))
			note_clear(&sched.sysmon_note);
		now = clock_real();
		prepare_stacks(&stacks, &tick);
		if (rt_load_relaxed(&sched.npidle) < sched.nprocs) {
			idle = 0;
			look(now);
		} else if (++idle >= IDLE_TICKS) {
			rest();
			idle = 0;
		}
		if (more || now - marked >= TRIM_EVERY)
			more = arena_trim(TRIM_BATCH, g_read_seq);
		if (!more && now - marked >= TRIM_EVERY) {
			arena_mark();
			trim_timers();
			marked = now;
		}
	}
	return NULL;
}

int sysmon_start(void)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&sched.sysmon_thread, NULL, sysmon_main, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

void sysmon_stop(void)
{
	rt_store_release(&sched.halt, 1);
	(void)note_wake(&sched.sysmon_note);
	(void)pthread_join(sched.sysmon_thread, NULL);
}
