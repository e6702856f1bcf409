/* SPDX-License-Identifier: MIT */
/* sched.c - the shared state: idle Ps, the global queue, start and stop. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fatal.h"
#include "base/membar.h"
#include "sched/cancel.h"
#include "sched/entry.h"
#include "sched/poller.h"
#include "sched/sched.h"
#include "sched/solo.h"
#include "sched/wake.h"

#define TIMERS_MAX (1u << 24) /* of all Ps: 256 MiB of addresses */
#define TIMERS_MIN (1u << 22) /* of one: a million sleepers fit */
#define GFREE_MAX 256 /* dead Gs that a P keeps */

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

	if (!pp)
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
	task_push(&sched.global[task->woken ? RUNQ_WOKEN : RUNQ_FRESH], task);
}

static uint32_t nglobal_locked(void)
{
	uint32_t n =
	    sched.global[RUNQ_WOKEN].n + sched.global[RUNQ_FRESH].n;

	rt_store_relaxed(&sched.nglobal, n);
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
	uint32_t all = nglobal_locked(), n = all / sched.nprocs + 1;
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

/* Of one P.  Addresses are cheap, but some systems count them. */
static uint32_t timers_max(uint32_t nprocs)
{
	uint32_t n = TIMERS_MAX / nprocs;

	return n < TIMERS_MIN ? TIMERS_MIN : n;
}

static int ps_init(uint32_t n)
{
	int r = 0;

	sched.ps = aligned_alloc(RT_LINE, n * sizeof(struct p));
	if (!sched.ps)
		return -ENOMEM;
	memset(sched.ps, 0, n * sizeof(struct p));
	for (uint32_t i = 0; i < n; i++) {
		struct p *pp = &sched.ps[i];

		pp->id = i;
		pp->alone = n == 1;
		pp->clock_tick = CLOCK_TICK;
		pp->global_tick = GLOBAL_TICK;
		r = timers_init(&pp->timers, timers_max(n));
		if (r < 0) {
			while (i-- > 0)
				timers_fini(&sched.ps[i].timers);
			free(sched.ps);
			sched.ps = NULL;
			return r;
		}
	}
	return 0;
}

static void ps_fini(void)
{
	for (uint32_t i = 0; i < sched.nprocs; i++)
		timers_fini(&sched.ps[i].timers);
	free(sched.ps);
	sched.ps = NULL;
}

static void reset(const struct sched_options *opt)
{
	memset(&sched, 0, sizeof(sched));
	sched.lock = (struct rt_lock)RT_LOCK_INIT(RANK_SCHED);
	sched.nprocs = opt->nprocs;
	sched.max_threads = opt->max_threads;
	sched.seed = opt->seed;
	rng_seed(&sched.rng, opt->seed);
	hard_fix(opt->seed);
	sched.fake_time = opt->fake_time;
	clock_set(opt->fake_time ? NS_PER_SEC : 0);
	/* What Ps keep is not to be felt as "too many goroutines". */
	sched.gfree_max = opt->max_goroutines / 8 / opt->nprocs;
	if (sched.gfree_max > GFREE_MAX)
		sched.gfree_max = GFREE_MAX;
	if (sched.gfree_max < 4)
		sched.gfree_max = 0;
}

static int start_threads(void)
{
	struct p *pp;
	int r = sysmon_start();

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
	const char *debug = secure_getenv("GAMP_DEBUG");
	int r;

	reset(opt);
	hard_init();
	m_init();
	if (debug && strstr(debug, "guard=mprotect"))
		arena.guard = ARENA_GUARD_MPROTECT;
	r = arena_init(&arena);
	if (r < 0)
		return r;
	r = arena_class(opt->stack_size);
	if (r < 0)
		goto fini_arena;
	sched.default_class = r;
	r = ps_init(opt->nprocs);
	if (r < 0)
		goto fini_arena;
	r = sched_poller->init();
	if (r < 0)
		goto fini_ps;
	rt_lock(&sched.lock);
	for (uint32_t i = opt->nprocs; i-- > 0;)
		pidle_put_locked(&sched.ps[i]);
	rt_unlock(&sched.lock);
	if (opt->nprocs == 1)
		solo_start();
	r = start_threads();
	if (r < 0)
		goto fini_poller;
	rt_store_release(&sched.running, 1);
	return 0;
fini_poller:
	solo_stop();
	sched_poller->fini();
fini_ps:
	ps_fini();
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

	for (uint32_t i = 0; i < sched.nprocs; i++)
		exited += rt_load_acquire(&sched.ps[i].exited);
	rt_fence_seqcst();
	for (uint32_t i = 0; i < sched.nprocs; i++)
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
		if (!note_sleep(&sched.stop_note, limit))
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
	sysmon_stop();
	do { /* each ends by itself: join the dead until all are */
		m_reap();
		rt_lock(&sched.lock);
		n = sched.nm + (sched.deadm != NULL);
		rt_unlock(&sched.lock);
		if (n > 0)
			(void)sched_yield();
	} while (n > 0);
	ps_fini(); /* before the memory of timers that are still armed goes */
	sched_poller->fini();
	g_fini();
	arena_fini();
	clock_set(0);
}
