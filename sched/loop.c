/* SPDX-License-Identifier: MIT */
/*
 * loop.c - what an M does on its own stack: find a G, run it, see it off.
 *
 * find_runnable tries its sources in order, one small function each:
 *
 *	attention   every CLOCK_TICK picks, or when sysmon asks: the clock;
 *		    then due timers, the network, the slice
 *	global      every GLOBAL_TICK picks, so that it is never starved
 *	local       runnext, woken ring, fresh ring
 *	global      a batch
 *	timers      our own that are due
 *	network     without waiting, if the last poll found several
 *	steal       rings of others; then their due timers and runnext
 *	low         who was preempted
 *
 * and goes idle when all are empty (idle.h).
 */

#include "base/fatal.h"
#include "sched/detach.h"
#include "sched/embed.h"
#include "sched/except.h"
#include "sched/guest.h"
#include "sched/idle.h"
#include "sched/lockm.h"
#include "sched/m.h"
#include "sched/poll.h"
#include "sched/poller.h"
#include "sched/switch.h"
#include "sched/topology.h"
#include "sched/wake.h"
#include "sched/world.h"

#define STEAL_PASSES 2
#define APART __attribute__((noinline)) /* the loop stays small */

void switch_rare(struct m *mp, struct p *pp, struct g *gp)
{
	if (trace_is_on())
		trace_put_switch(pp, mp->left, (int)mp->op, gp);
	if (rt_load_relaxed(&gp->rare) & G_BLOCKING)
		m_set_rare(mp, G_BLOCKING, 0);
	if (rt_load_relaxed(&gp->rare) & G_EXCEPTIONS) {
		m_set_rare(mp, G_EXCEPTIONS, 0);
		except_swap(gp);
	}
	if (rt_load_relaxed(&gp->rare) & G_BINDS)
		lockm_bind(mp, gp);
	if (rt_load_relaxed(&gp->rare) & G_RCU)
		switch_into_section(mp, gp);
	if (rt_load_relaxed(&gp->rare) & G_SAMPLED)
		stats_latency(pp, gp);
	if (rt_load_relaxed(&gp->rare) & G_HOOKED) {
		m_set_rare(mp, G_HOOKED, 0);
		embed_switch_in(gp);
	}
}

void switch_out_rare(struct m *mp)
{
	uint32_t rare = rt_load_relaxed(&mp->rare);

	if (rare & G_HOOKED)
		embed_switch_out(m_curg(mp));
	if (rare & G_EXCEPTIONS)
		except_swap(m_curg(mp));
	rt_store_relaxed(&mp->rare, 0);
	if (rcu_inside(&mp->rcu))
		switch_out_of_section(mp);
}

static void end_slice(struct p *pp, int64_t now)
{
	uint32_t picks = rt_load_relaxed(&pp->ring_picks);

	if (picks != pp->slice_picks) {
		pp->slice_picks = picks;
		pp->slice_start = now;
	} else if (now - pp->slice_start >= SLICE) {
		pp->skip_next = true;
		pp->slice_start = now;
	}
}

/* Runs what is due in h, on pp. */
static int run_timers(struct p *pp, struct timers *h, int64_t now)
{
	int n = timers_run(h, now);

	if (n > 0) {
		stat_add(&pp->stats->fired, (uint64_t)n);
		trace_event(pp, TRACE_TIMERS, (uint32_t)n, 0, 0);
	}
	return n;
}

/* The clock has been ignored for some picks. */
static struct task *attend(struct p *pp)
{
	int64_t now = clock_real();

	pp->now = rt_unlikely(sched.fake_time) ? clock_now() : now;
	stat_add(&pp->switches, CLOCK_TICK - pp->clock_tick);
	pp->clock_tick = CLOCK_TICK;
	rt_store_relaxed(&pp->attention, 0);
	if (rt_likely(sched.seed == 0))
		end_slice(pp, now);
	if (timers_next(&pp->timers) <= pp->now)
		(void)run_timers(pp, &pp->timers, pp->now);
	if (rt_load_relaxed(&pp->inbox) != 0)
		p_read_inbox(pp);
	/* An M that sits in the poller sees events at once. */
	if (now - rt_load_relaxed(&sched.polled) >= POLL_GAP ||
	    rt_unlikely(sched.seed != 0)) {
		if (!rt_load_relaxed(&sched.polling))
			poll_now(pp, now);
		if (rt_load_relaxed(&sched.nglobal) > 0)
			return sched_get_global(pp, 1);
	}
	if (rt_unlikely(rt_load_relaxed(&sched.nlow) > 0) &&
	    pp->now - pp->low_at >= LOW_GAP)
		return sched_get_low(pp);
	return NULL;
}

/* How many from the global queue: more than one, or a few that yield for ever
 * keep a thousand waiting; not so many that these wait. */
static uint32_t room(struct p *pp)
{
	uint32_t n = runq_len(&pp->runq[RUNQ_FRESH]);

	return n < RUNQ_SIZE / 2 ? RUNQ_SIZE / 2 - n : 1;
}

static struct task *from_ticks(struct p *pp)
{
	if (rt_unlikely(--pp->clock_tick == 0 ||
		rt_load_relaxed(&pp->attention))) {
		struct task *task = attend(pp);

		if (task)
			return task;
	}
	if (rt_unlikely(--pp->global_tick == 0)) {
		pp->global_tick = GLOBAL_TICK;
		if (rt_load_relaxed(&sched.nglobal) > 0)
			return sched_get_global(pp, room(pp));
	}
	return NULL;
}

static struct task *from_timers(struct p *pp)
{
	int64_t next = timers_next(&pp->timers);

	if (next == NEVER)
		return NULL;
	pp->now = clock_now();
	if (next > pp->now || run_timers(pp, &pp->timers, pp->now) == 0)
		return NULL;
	return p_get(pp);
}

static struct task *from_network(struct p *pp)
{
	if (!pp->expect_events || rt_load_relaxed(&sched.polling))
		return NULL;
	poll_now(pp, clock_real());
	return p_get(pp);
}

static struct task *steal_from(
    struct p *pp, struct p *victim, bool last, int64_t *now)
{
	int64_t next;
	struct task *task;

	task = p_steal(pp, victim, last); /* an idle one may have an inbox */
	if (task || !last)
		return task;
	next = timers_next(&victim->timers); /* idle Ps have them, too */
	if (next == NEVER)
		return NULL;
	if (*now == 0)
		*now = clock_now();
	if (next > *now || run_timers(pp, &victim->timers, *now) == 0)
		return NULL;
	return p_get(pp);
}

/* Everybody once in each pass, those near by first: topology.h. */
APART static struct task *from_others(struct m *mp, struct p *pp)
{
	const struct topology *t = NULL;
	uint32_t n = procs();
	int64_t now = 0;
	struct walk w;
	int id;

	if (n == 1)
		return NULL;
	wake_search(mp);
	if (n > 2)
		t = topology_get(n);
	for (int pass = 1; pass <= STEAL_PASSES; pass++) {
		walk_start(&w, t, pp->id, n, &mp->rng);
		while ((id = walk_next(&w)) >= 0) {
			struct task *task = steal_from(
			    pp, &sched.ps[id], pass == STEAL_PASSES, &now);

			if (task)
				return task;
		}
	}
	return NULL;
}

static inline __attribute__((always_inline)) struct task *from_anywhere(
    struct m *mp, struct p *pp)
{
	struct task *task;

	if ((task = from_ticks(pp)) || (task = p_get(pp)) ||
	    (task = sched_get_global(pp, RUNQ_SIZE / 2)) ||
	    (task = from_timers(pp)) || (task = from_network(pp)))
		return task;
	task = from_others(mp, pp);
	return task ? task : sched_get_low(pp);
}

APART struct task *sched_find(struct m *mp)
{
	return from_anywhere(mp, m_p(mp));
}

static struct g *find_runnable(struct m *mp)
{
	struct g *gp = NULL;
	bool ended = false;

	while (!gp && !ended) {
		struct p *pp = m_p(mp);
		struct task *task = NULL;

		if (pp && rt_unlikely(rt_load_relaxed(&pp->attention)) &&
		    world_stops())
			world_hold(mp);
		else if (pp)
			task = from_anywhere(mp, pp);
		if (!task)
			task = idle_go(mp, &ended);
		if (!task)
			continue;
		if (mp->spinning)
			wake_found(mp);
		gp = task_g(task, m_p(mp));
	}
	return gp;
}

/* Returns whoever comes back: gp may have hopped to others. */
static inline struct g *execute(struct m *mp, struct g *gp)
{
	struct p *pp = m_p(mp);

	switch_begin(mp, pp, gp);
	rt_store_relaxed(&pp->picking, 0);
	san_asan_leave(&mp->san, G_SAN(gp), 0);
	san_tsan_switch(G_SAN(gp));
	ctx_switch(&mp->ctx, &gp->ctx);
	san_asan_arrive(&mp->san);
	gp = m_curg(mp);
	switch_end(mp);
	pp = m_p(mp);
	if (rt_likely(pp != NULL))
		rt_store_relaxed(&pp->picking, 1);
	return gp;
}

/* To the tail; what waits in the global queue goes before who is alone here
 * and only yields. */
static inline struct g *yield_to(struct m *mp, struct p *pp, struct g *gp)
{
	struct task *next = NULL;

	if (rt_unlikely(rt_load_relaxed(&sched.nglobal) > 0) &&
	    p_empty(pp) && !world_stops() && !m_locked(mp))
		next = sched_get_global(pp, RUNQ_SIZE / 2);
	p_put_back(pp, &gp->task);
	return next ? task_g(next, pp) : NULL;
}

/* gp has lost its P. */
static void see_off_detached(struct m *mp, struct g *gp)
{
	struct task_list one = { 0 };

	g_status(gp, G_RUNNING, G_RUNNABLE);
	if (mp->spoilt) {
		mp->odd = mp->ends = true;
		spoilt_put(mp, gp);
		return;
	}
	rt_lock(&sched.lock);
	settled_locked(mp);
	rt_unlock(&sched.lock);
	gp->task.woken = !gp->task.low;
	task_push(&one, &gp->task);
	sched_put_global(&one);
	wake_global();
}

/* The G that has just left its stack.  It goes on at once if the commit
 * says so. */
static inline struct g *see_off(struct m *mp, struct g *gp)
{
	switch (mp->op) {
	case OP_PARK:
		return switch_parked(mp, gp) ? NULL : gp;
	case OP_YIELD:
		g_status(gp, G_RUNNING, G_RUNNABLE);
		return yield_to(mp, m_p(mp), gp);
	case OP_EXIT:
		g_free(m_p(mp), gp);
		if (rt_unlikely(mp->odd))
			lockm_end(mp);
		return NULL;
	case OP_DETACHED:
		see_off_detached(mp, gp);
		return NULL;
	}
	rt_fatal("a goroutine left its stack for no reason");
}

/* The next one for mp, whose goroutine is locked to it, or was; or which is a
 * guest's. */
static struct g *odd_next(struct m *mp)
{
	if (mp->guest)
		return guest_next(mp);
	return mp->ends ? NULL : lockm_wait(mp);
}

void sched_loop(struct m *mp)
{
	struct g *gp = NULL;

	for (;;) {
		if (!gp)
			gp = rt_unlikely(mp->odd) ? odd_next(mp) :
						    find_runnable(mp);
		if (!gp)
			break;
		if (lockm_elsewhere(mp, gp)) {
			lockm_hand(mp, gp);
			gp = NULL;
			continue;
		}
		gp = execute(mp, gp);
		gp = see_off(mp, gp);
	}
	if (mp->spoilt || mp->guest)
		return; /* sysmon sees to it; guest.c does */
	rt_lock(&sched.lock);
	idle_leave_poller_locked(mp);
	m_end_locked(mp);
	rt_unlock(&sched.lock);
}
