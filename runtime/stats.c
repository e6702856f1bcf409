/* SPDX-License-Identifier: MIT */
/* stats.c - the calls of gamp/stats.h: sums over what sched/stats.h keeps. */

#include <errno.h>
#include <string.h>

#include <gamp/stats.h>

#include "base/arena.h"
#include "base/vm.h"
#include "sched/entry.h"
#include "sched/sched.h"
#include "sched/stats.h"

RT_STATIC_ASSERT(GAMP_STATS_BUCKETS == STATS_BUCKETS, "one histogram");
RT_STATIC_ASSERT(WHY_COUNT <= GAMP_STATS_REASONS, "room for all reasons");

static uint64_t sum(rt_a64 *word)
{
	return rt_load_relaxed(word);
}

static void add_counts(struct gamp_statistics *out, struct p_stats *s)
{
	out->preempted += sum(&s->preempted);
	out->steals += sum(&s->steals);
	out->stolen += sum(&s->stolen);
	out->spills += sum(&s->spills);
	out->polls += sum(&s->polls);
	out->events += sum(&s->events);
	out->timers_fired += sum(&s->fired);
	for (int i = 0; i < STATS_BUCKETS; i++)
		out->latency[i] += sum(&s->latency[i]);
}

/* What has exited is counted first: nobody exits who has not been started. */
static void add_ps(struct gamp_statistics *out)
{
	out->procs = procs();
	out->procs_idle = rt_load_relaxed(&sched.npidle);
	out->runnable = rt_load_relaxed(&sched.nglobal);
	for (uint32_t i = 0; i < rt_load_acquire(&sched.nmade); i++)
		out->exited += rt_load_acquire(&sched.ps[i].exited);
	rt_fence_seqcst(); /* as in sched_live */
	for (uint32_t i = 0; i < rt_load_acquire(&sched.nmade); i++) {
		struct p *pp = &sched.ps[i];

		add_counts(out, pp->stats);
		out->spawned += rt_load_acquire(&pp->spawned);
		out->switches += sum(&pp->switches);
		out->runnable += runq_len(&pp->runq[RUNQ_WOKEN]) +
		    runq_len(&pp->runq[RUNQ_FRESH]) +
		    (rt_load_relaxed(&pp->runnext) != 0);
		out->timers += timers_count(&pp->timers);
	}
	out->spawned += rt_load_acquire(&sched.foreign_spawned);
	out->goroutines = (int64_t)(out->spawned - out->exited);
}

static void add_threads(struct gamp_statistics *out)
{
	struct m_stats *s = &sched.m_stats;

	rt_lock(&sched.lock);
	out->threads = sched.nm;
	out->threads_idle = sched.nmidle + (sched.poller != NULL);
	out->threads_peak = (int64_t)sum(&s->peak);
	out->threads_started = sum(&s->started);
	out->wakeups = sum(&s->wakeups);
	out->detached_announced = sum(&s->detached[DETACH_ANNOUNCED]);
	out->detached_blocked = sum(&s->detached[DETACH_BLOCKED]);
	out->detached_computing = sum(&s->detached[DETACH_COMPUTING]);
	rt_unlock(&sched.lock);
}

static void add_stacks(struct gamp_statistics *out)
{
	struct arena_stats s;

	arena_stats(&s);
	out->stacks = (int64_t)s.slots;
	out->stacks_free = (int64_t)s.free;
	for (uint32_t i = 0; i < rt_load_acquire(&sched.nmade); i++)
		out->stacks_free += rt_load_relaxed(&sched.ps[i].gfree_n);
	out->stacks_released = (int64_t)s.released;
	out->stacks_unguarded = (int64_t)s.unguarded;
	out->stack_reserved = (int64_t)s.bytes;
	out->stack_touched =
	    (int64_t)((s.slots - s.released) * (uint64_t)vm_page());
}

/* What both know of a struct; zero for what we do not. */
static void hand_out(void *out, size_t size, const void *from, size_t have)
{
	memcpy(out, from, size < have ? size : have);
	if (size > have)
		memset((char *)out + have, 0, size - have);
}

int gamp_stats(struct gamp_statistics *out, size_t size)
{
	struct gamp_statistics all;

	if (!out)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	memset(&all, 0, sizeof(all));
	add_ps(&all);
	add_counts(&all, &sched.stats);
	add_threads(&all);
	add_stacks(&all);
	entry_end();
	hand_out(out, size, &all, sizeof(all));
	return 0;
}

int64_t gamp_stats_latency(const struct gamp_statistics *stats, double q)
{
	uint64_t all = 0, below = 0;
	double want;

	if (!(q >= 0 && q <= 1))
		return -EINVAL;
	for (int i = 0; i < STATS_BUCKETS; i++)
		all += stats->latency[i];
	want = q * (double)all;
	for (int i = 0; i < STATS_BUCKETS; i++) {
		uint64_t n = stats->latency[i];

		if (n > 0 && (double)(below + n) >= want) {
			int64_t lo = stats_bucket_from(i);
			int64_t hi = stats_bucket_from(i + 1);

			return lo +
			    (int64_t)((want - (double)below) / (double)n *
				(double)(hi - lo));
		}
		below += n;
	}
	return 0;
}

static void count_state(struct g *gp, int64_t id, void *arg)
{
	struct gamp_states *out = arg;

	(void)id;
	switch (rt_load_relaxed(&gp->status)) {
	case G_RUNNABLE:
		out->runnable++;
		break;
	case G_RUNNING:
		if (rt_load_relaxed(&gp->rare) & G_BLOCKING)
			out->blocking++;
		else
			out->running++;
		break;
	case G_WAITING:
		out->parked++;
		out->parked_by[rt_load_relaxed(&gp->why)]++;
		break;
	default: /* it has exited meanwhile */
		break;
	}
}

/* Those whose P was taken away while they were not in an announced call. */
static int64_t detached(void)
{
	int64_t n = 0;

	rt_lock(&sched.lock);
	for (struct m *mp = sched.allm; mp; mp = mp->all_link)
		n += (rt_load_relaxed(&mp->flags) & M_DETACHED) != 0 &&
		    !m_is_blocking(mp);
	rt_unlock(&sched.lock);
	return n;
}

int gamp_stats_states(struct gamp_states *out, size_t size)
{
	struct gamp_states all;

	if (!out)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	memset(&all, 0, sizeof(all));
	all.detached = detached();
	g_each(count_state, &all);
	if (all.detached > all.running)
		all.detached = all.running;
	all.running -= all.detached;
	entry_end();
	hand_out(out, size, &all, sizeof(all));
	return 0;
}

const char *gamp_stats_reason(int reason)
{
	return g_why_name(reason);
}
