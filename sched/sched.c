/* SPDX-License-Identifier: MIT */
/* sched.c - the shared state: idle Ps, the global queue, start and stop. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "base/membar.h"
#include "sched/cancel.h"
#include "sched/debug.h"
#include "sched/detach.h"
#include "sched/entry.h"
#include "sched/fault.h"
#include "sched/held.h"
#include "sched/guest.h"
#include "sched/herald.h"
#include "sched/poller.h"
#include "sched/procs.h"
#include "sched/sched.h"
#include "sched/embed.h"
#include "sched/solo.h"
#include "sched/topology.h"
#include "sched/trace.h"
#include "sched/wake.h"

struct sched sched = { .lock = RT_LOCK_INIT(RANK_SCHED) };
rt_a32 entry_open, entry_inside, entry_runs;

void acquirep(struct m *mp, struct p *pp)
{
	pp->now = clock_now(); /* it may have been idle for long */
	if (rt_unlikely(sched.seed != 0)) { /* nor does its order depend */
		pp->clock_tick = CLOCK_TICK; /* on how often it looked */
		pp->global_tick = GLOBAL_TICK;
		rt_store_relaxed(&pp->tick, 0);
		hard_fix(sched.seed + rt_load_relaxed(&pp->ring_picks));
	}
	rt_store_release(&pp->m, (uintptr_t)mp);
	rt_store_relaxed(&mp->p, (uintptr_t)pp);
	trace_event(pp, TRACE_P_START, mp->number, 0, 0);
}

int64_t sched_now(void)
{
	int64_t tick = rt_load_relaxed(&sched.tick_time);
	struct m *mp = m_self();
	struct p *pp = mp ? m_p(mp) : NULL;

	if (!pp)
		return clock_now();
	return pp->now > tick ? pp->now : tick;
}

struct p *releasep(struct m *mp)
{
	struct p *pp = m_p(mp);

	trace_event(pp, TRACE_P_STOP, mp->number, 0, 0);
	rt_store_relaxed(&mp->p, 0);
	rt_store_release(&pp->m, 0);
	return pp;
}

void pidle_put_locked(struct p *pp)
{
	pp->link = sched.pidle;
	sched.pidle = pp;
	(void)rt_or_seqcst(
	    &sched.idle_mask[pp->id / 64], UINT64_C(1) << (pp->id % 64));
	(void)rt_add_seqcst(&sched.npidle, 1); /* S1 */
}

struct p *pidle_get_locked(void)
{
	struct p *pp = sched.pidle;

	if (!pp || rt_load_relaxed(&sched.stopped))
		return NULL;
	sched.pidle = pp->link;
	(void)rt_and_seqcst(&sched.idle_mask[pp->id / 64],
	    ~(UINT64_C(1) << (pp->id % 64)));
	(void)rt_sub_seqcst(&sched.npidle, 1);
	if (rt_load_relaxed(&sched.sysmon_asleep)) {
		rt_store_relaxed(&sched.sysmon_asleep, 0);
		(void)note_wake(&sched.sysmon_note);
	}
	return pp;
}

static void global_put_locked(struct task *task)
{
	if (rt_unlikely(task->low))
		task_push(&sched.low, task);
	else
		task_push(
		    &sched.global[task->woken ? RUNQ_WOKEN : RUNQ_FRESH],
		    task);
}

static uint32_t nglobal_locked(void)
{
	uint32_t n =
	    sched.global[RUNQ_WOKEN].n + sched.global[RUNQ_FRESH].n;

	rt_store_relaxed(&sched.nglobal, n);
	rt_store_relaxed(&sched.nwoken, sched.global[RUNQ_WOKEN].n);
	rt_store_relaxed(&sched.nlow, sched.low.n);
	return n;
}

void sched_put_global(struct task_list *batch)
{
	struct task *task;

	rt_lock(&sched.lock);
	while ((task = task_pop(batch)))
		global_put_locked(task);
	(void)nglobal_locked();
	rt_unlock(&sched.lock);
}

/* The woken come first, but for every FRESH_TICK-th, as in a P's rings: more
 * woken than the Ps get done must not keep the others out for ever. */
static struct task *global_pop_locked(void)
{
	int first = sched.global_pops++ % FRESH_TICK ? RUNQ_WOKEN : RUNQ_FRESH;
	struct task *task = task_pop(&sched.global[first]);

	return task ? task : task_pop(&sched.global[!first]);
}

/* One to run, and a fair share of the rest for pp's rings. */
struct task *sched_get_global_locked(struct p *pp, uint32_t max)
{
	uint32_t all = nglobal_locked(), n = all / procs() + 1;
	struct task *first = NULL, *task;

	if (n > all)
		n = all;
	if (n > max)
		n = max;
	for (; n > 0; n--) {
		task = global_pop_locked();
		if (!first)
			first = task;
		else if (!runq_put(&pp->runq[task->woken ? RUNQ_WOKEN :
							 RUNQ_FRESH],
			     task)) {
			global_put_locked(task);
			break;
		}
	}
	(void)nglobal_locked();
	return first;
}

struct task *sched_get_global(struct p *pp, uint32_t max)
{
	struct task *task;

	if (rt_load_relaxed(&sched.nglobal) == 0)
		return NULL;
	rt_lock(&sched.lock);
	task = sched_get_global_locked(pp, max);
	rt_unlock(&sched.lock);
	return task;
}

struct task *sched_get_low(struct p *pp)
{
	struct task *task;

	if (rt_likely(rt_load_relaxed(&sched.nlow) == 0))
		return NULL;
	pp->low_at = pp->now;
	rt_lock(&sched.lock);
	task = task_pop(&sched.low);
	if (task)
		task->low = false;
	(void)nglobal_locked();
	rt_unlock(&sched.lock);
	return task;
}

static void reset(const struct sched_options *opt)
{
	memset(&sched, 0, sizeof(sched));
	sched.lock = (struct rt_lock)RT_LOCK_INIT(RANK_SCHED);
	sched.max_threads = opt->max_threads;
	sched.seed = opt->seed;
	rng_seed(&sched.rng, opt->seed);
	hard_fix(opt->seed);
	sched.fake_time = opt->fake_time;
	sched.bind_threads = opt->bind_threads;
	sched.guest = opt->guest;
	rt_store_relaxed(&sched.follow_quota, opt->follow_quota);
	clock_set(opt->fake_time ? NS_PER_SEC : 0);
	sched.goroutines_max = opt->max_goroutines;
	embed_init(opt->embed);
}

static int start_threads(void)
{
	struct p *pp;
	int r;

	if (sched.guest) {
		guest_start();
		return 0;
	}
	r = sysmon_start();
	if (r < 0)
		return r;
	rt_lock(&sched.lock);
	pp = pidle_get_locked();
	rt_unlock(&sched.lock);
	r = m_start(pp, false);
	if (r < 0)
		sysmon_stop();
	return r;
}

int sched_start(const struct sched_options *opt)
{
	struct arena_options arena = { .ctl_size = sizeof(struct g),
		.slots_max = opt->max_goroutines };
	int r;

	reset(opt);
	hard_init();
	topology_init();
	held_init();
	m_init();
	schedtrace_init();
	if (debug_is("guard", "mprotect"))
		arena.guard = ARENA_GUARD_MPROTECT;
	r = arena_init(&arena);
	if (r < 0)
		return r;
	r = arena_class(opt->stack_size);
	if (r < 0)
		goto fini_arena;
	sched.default_class = r;
	r = procs_init(opt->nprocs);
	if (r < 0)
		goto fini_arena;
	r = sched_poller->init();
	if (r < 0)
		goto fini_ps;
	if (opt->nprocs == 1)
		solo_start();
	if (!opt->no_signals)
		fault_start();
	r = herald_start(opt->dump_signal);
	if (r < 0)
		goto fini_poller;
	r = start_threads();
	if (r < 0)
		goto stop_herald;
	rt_store_release(&sched.running, 1);
	return 0;
stop_herald:
	herald_stop();
fini_poller:
	fault_stop();
	solo_stop();
	topology_fini();
	sched_poller->fini();
fini_ps:
	procs_fini();
fini_arena:
	arena_fini();
	return r;
}

/*
 * Exits are summed before starts.  If the later sum equals the earlier one,
 * nobody was alive at the moment in between; and goroutines are only started
 * by goroutines once the runtime is stopping.
 */
uint64_t sched_live(void)
{
	uint64_t exited = 0, spawned = 0;

	uint32_t n = rt_load_acquire(&sched.nmade);

	for (uint32_t i = 0; i < n; i++)
		exited += rt_load_acquire(&sched.ps[i].exited);
	rt_fence_seqcst();
	n = rt_load_acquire(&sched.nmade);
	for (uint32_t i = 0; i < n; i++)
		spawned += rt_load_acquire(&sched.ps[i].spawned);
	spawned += rt_load_acquire(&sched.foreign_spawned);
	return spawned - exited;
}

void sched_exited(void)
{
	/* Of two that exit at once, one sees the other. */
	rt_fence_seqcst();
	if (sched_live() == 0)
		(void)note_wake(&sched.stop_note);
}

int sched_drain(int64_t limit)
{
	rt_store_relaxed(&sched.stopping, 1);
	rt_fence_seqcst();
	solo_stop(); /* this thread cancels */
	membar_heavy(); /* who starts one now sees it, or we see the one */
	sched_poller->stop();
	cancel_all();
	for (;;) {
		note_clear(&sched.stop_note);
		rt_fence_seqcst();
		if (sched_live() == 0)
			return 0;
		if (!(guest_on() ? guest_drive(&sched.stop_note, limit) :
				   note_sleep(&sched.stop_note, limit)))
			return sched_live() == 0 ? 0 : -ETIMEDOUT;
	}
}

/* Wakes everybody; they find `halt` and end. */
static void halt_threads(void)
{
	struct m *mp;

	rt_lock(&sched.lock);
	rt_store_relaxed(&sched.halt, 1);
	mp = sched.midle;
	sched.midle = NULL;
	sched.nmidle = 0;
	while (mp) {
		struct m *next = mp->idle_link;

		mp->idle = false;
		(void)note_wake(&mp->note);
		mp = next;
	}
	rt_unlock(&sched.lock);
	sched_poller->wake();
}

void sched_stop(void)
{
	uint32_t n;

	rt_store_release(&sched.running, 0);
	halt_threads();
	if (sched.guest)
		guest_stop();
	else
		sysmon_stop();
	herald_stop(); /* sysmon may have started it */
	do { /* each ends by itself: join the dead until all are */
		spoilt_clear();
		m_reap();
		rt_lock(&sched.lock);
		n = sched.nm + (sched.deadm != NULL);
		rt_unlock(&sched.lock);
		if (n > 0)
			(void)sched_yield();
	} while (n > 0);
	fault_stop();
	topology_fini();
	procs_fini(); /* while timers that are still armed have memory */
	sched_poller->fini();
	g_fini();
	arena_fini();
	clock_set(0);
}
