/* SPDX-License-Identifier: MIT */
/* stats.c - samples of how long goroutines wait to run; see stats.h. */

#include "sched/m.h"
#include "sched/sched.h"
#include "sched/stats.h"

#define SAMPLE_GAP     (16 * NS_PER_US) /* two clocks and a miss: 0.1 us */
#define SAMPLE_GAP_MAX (4 * SAMPLE_GAP)
#define SHIFT_MAX      12u
#define FOREIGN_SHIFT  4u /* they wake somebody up, which costs 5 us */

int stats_bucket(int64_t ns)
{
	int log2, i;

	if (ns < INT64_C(1) << STATS_FIRST_LOG2)
		return 0;
	log2 = 63 - __builtin_clzll((unsigned long long)ns);
	i = 1 + 4 * (log2 - STATS_FIRST_LOG2) + (int)(ns >> (log2 - 2) & 3);
	return i < STATS_BUCKETS ? i : STATS_BUCKETS - 1;
}

int64_t stats_bucket_from(int i)
{
	int octave = (i - 1) / 4, quarter = (i - 1) % 4;

	if (i <= 0)
		return 0;
	return (int64_t)(4 + quarter) << (STATS_FIRST_LOG2 - 2 + octave);
}

/* How many more until the next: 2^shift on average. */
static uint32_t draw(struct rng *rng, uint32_t shift)
{
	return 1 + rng_below(rng, (2u << shift) - 1);
}

/* By threads that are no Ms.  The counter is scrambled, for the same reason
 * that an M draws. */
static void sample_foreign(struct g *gp)
{
	struct rng rng;

	rng_seed(&rng, 1 + rt_add_relaxed(&sched.foreign_readied, 1));
	if (rng_below(&rng, 1u << FOREIGN_SHIFT) != 0)
		return;
	gp->ready_at = clock_real();
	gp->weight = FOREIGN_SHIFT;
	g_set_rare(gp, G_SAMPLED, 0);
}

void stats_sample(struct m *mp, struct g *gp)
{
	uint32_t shift;
	int64_t now, gap;

	if (!mp) {
		sample_foreign(gp);
		return;
	}
	shift = mp->sample_shift;
	now = clock_real();
	gap = now - mp->sampled_at;
	gp->ready_at = now;
	gp->weight = (uint8_t)shift;
	g_set_rare(gp, G_SAMPLED, 0);
	if (gap < SAMPLE_GAP && shift < SHIFT_MAX)
		shift++;
	for (; gap > SAMPLE_GAP_MAX && shift > 0; gap /= 2)
		shift--;
	mp->sampled_at = now;
	mp->sample_shift = shift;
	mp->sample = draw(&mp->rng, shift);
}

void stats_latency(struct p *pp, struct g *gp)
{
	int64_t ns = clock_real() - gp->ready_at;

	stat_add(&pp->stats->latency[stats_bucket(ns)],
	    UINT64_C(1) << gp->weight);
	g_set_rare(gp, 0, G_SAMPLED);
}
