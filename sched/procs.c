/* SPDX-License-Identifier: MIT */
/* procs.c - see procs.h. */

#include <errno.h>
#include <string.h>

#include "base/vm.h"
#include "sched/procs.h"
#include "sched/solo.h"
#include "sched/world.h"

#define TIMERS_MAX (1u << 24) /* of all Ps: 256 MiB of addresses */
#define TIMERS_MIN (1u << 22) /* of one: a million sleepers fit */
#define GFREE_MAX  256	      /* dead Gs that a P keeps */

/* Apart, so that a P is not larger, and what lies near it as before: the start
 * of a goroutine takes 5 % longer beside a P of another size. */
static struct p_stats stats[PROCS_MAX];

/* Of one P.  Addresses are cheap, but some systems count them. */
static uint32_t timers_max(uint32_t n)
{
	uint32_t max = TIMERS_MAX / n;

	return max < TIMERS_MIN ? TIMERS_MIN : max;
}

/* What Ps keep is not to be felt as "too many goroutines". */
static uint32_t gfree_max(uint32_t n)
{
	uint32_t max = sched.goroutines_max / 8 / n;

	return max > GFREE_MAX ? GFREE_MAX : max < 4 ? 0 : max;
}

static int make(struct p *pp, uint32_t id, uint32_t n)
{
	pp->id = id;
	pp->stats = &stats[id];
	memset(pp->stats, 0, sizeof(*pp->stats));
	pp->clock_tick = CLOCK_TICK;
	pp->global_tick = GLOBAL_TICK;
	return timers_init(&pp->timers, timers_max(n));
}

/* Those that were never used before, up to n. */
static int make_up_to(uint32_t n)
{
	uint32_t made = rt_load_relaxed(&sched.nmade);
	int r = 0;

	for (; made < n && r == 0; made++) {
		r = make(&sched.ps[made], made, n);
		if (r == 0)
			rt_store_release(&sched.nmade, made + 1);
	}
	return r;
}

static void use_locked(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sched.ps[i].alone = n == 1;
	sched.gfree_max = gfree_max(n);
	rt_store_release(&sched.nprocs, n);
}

int procs_init(uint32_t n)
{
	void *ps;
	int r = vm_alloc(PROCS_MAX * sizeof(struct p), &ps);

	if (r < 0)
		return r;
	sched.ps = ps;
	r = make_up_to(n);
	if (r < 0) {
		procs_fini();
		return r;
	}
	rt_lock(&sched.lock);
	use_locked(n);
	for (uint32_t i = n; i-- > 0;)
		pidle_put_locked(&sched.ps[i]);
	rt_unlock(&sched.lock);
	return 0;
}

void procs_fini(void)
{
	for (uint32_t i = 0; i < rt_load_relaxed(&sched.nmade); i++)
		timers_fini(&sched.ps[i].timers);
	vm_free(sched.ps, PROCS_MAX * sizeof(struct p));
	sched.ps = NULL;
}

/* What waits on pp goes where others find it.  It is idle, and goes. */
static void empty(struct p *pp)
{
	struct task_list all = { 0 };
	struct task *task;

	while ((task = p_get(pp)))
		task_push(&all, task);
	if (all.n > 0)
		sched_put_global(&all);
	g_flush(pp);
	timers_move(&sched.ps[0].timers, &pp->timers);
}

/* The world has stopped: all are idle. */
static void change(uint32_t n)
{
	uint32_t had = procs();
	struct p *pp;

	solo_stop();
	for (uint32_t i = n; i < had; i++)
		empty(&sched.ps[i]);
	rt_lock(&sched.lock);
	rt_store_relaxed(&sched.stopped, 0); /* for a moment */
	while ((pp = pidle_get_locked()))
		;
	use_locked(n);
	for (uint32_t i = n; i-- > 0;)
		pidle_put_locked(&sched.ps[i]);
	rt_store_relaxed(&sched.stopped, 1);
	rt_unlock(&sched.lock);
	if (n == 1)
		solo_start();
}

static int set_stopped(uint32_t n)
{
	int r = 0;

	if (n != procs())
		r = make_up_to(n);
	if (r == 0 && n != procs())
		change(n);
	world_start();
	return r;
}

int procs_set(uint32_t n)
{
	world_stop(WORLD_PS);
	rt_store_relaxed(&sched.follow_quota, 0); /* the program knows */
	return set_stopped(n);
}

void procs_follow(uint32_t n)
{
	if (n == procs() || !world_stop_try())
		return;
	if (rt_load_relaxed(&sched.follow_quota))
		(void)set_stopped(n);
	else
		world_start();
}
