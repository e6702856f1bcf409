/* SPDX-License-Identifier: MIT */
/*
 * stats.h - counters of the scheduler, and how long who is ready waits.
 *
 * Each P has its own counters.  Its owner alone writes them, with a plain load
 * and a plain store of an atomic word; who reads sums them over all Ps.  So
 * nothing shared is written where it matters, and a sum is of a moment only
 * in so far as each of its terms was true at some time during the call.  Who
 * counts without a P (the M in the poller, sysmon, the program's threads) adds
 * to sched.stats, by locked instructions: a system call is never far there.
 *
 * Latency: from rt_ready or rt_start until the goroutine runs.  Two looks at
 * the clock are more than a whole message through a channel costs, so a sample
 * is taken:
 *
 *	ready	M counts down; at zero the G gets the time and a weight
 *	run	the P adds the weight to the bucket of what has gone by
 *
 * The count is drawn evenly from 1 .. 2w - 1, so that on average every w-th is
 * taken, and no pattern in the program falls in step with it; the weight is w.
 * The buckets thus count all goroutines that were made ready, as an estimate.
 * w follows the load, a power of two: samples of an M come no closer than some
 * SAMPLE_GAP, which makes them cost half a percent at most, and where little
 * happens each one is taken.  w is only changed after a draw, by what was
 * before it, so neither a slow nor a fast one is taken more often.
 */
#ifndef RT_SCHED_STATS_H
#define RT_SCHED_STATS_H

#include "base/atomic.h"

struct m;
struct p;
struct g;

/* Buckets of a time: four in each octave from 64 ns on, as in gamp/stats.h. */
#define STATS_BUCKETS	 128
#define STATS_FIRST_LOG2 6

enum detach_kind {
	DETACH_ANNOUNCED, /* inside gamp_enter_blocking */
	DETACH_BLOCKED,	  /* in a system call that nobody announced */
	DETACH_COMPUTING, /* it did not come back for a slice */
	DETACH_COUNT
};

/* Written as the text says; a reader may be anybody. */
struct p_stats {
	rt_a64 polls, events; /* of the network */
	rt_a64 steals, stolen; /* times; tasks */
	rt_a64 spills;	/* times that a ring was full */
	rt_a64 fired;	/* timers */
	rt_a64 preempted; /* goroutines that gave way when asked */
	rt_a64 latency[STATS_BUCKETS];
};

/* By whom, under sched.lock. */
struct m_stats {
	rt_a64 wakeups; /* of Ms that slept, to run a P */
	rt_a64 started; /* threads, ever */
	rt_a64 peak;	/* threads at once */
	rt_a64 detached[DETACH_COUNT];
};

#ifdef RT_MODEL
#define stat_inc(word)	       ((void)0)
#define stat_add(word, n)      ((void)0)
#define stat_of(pp, name, n)   ((void)0)
#define stats_latency(pp, gp)  ((void)0)
#else
/* The only writer of the word. */
#define stat_add(word, n) rt_store_relaxed((word), rt_load_relaxed(word) + (n))
#define stat_inc(word)	  stat_add(word, 1)

/* Counts n for pp, whose owner the caller is; or, null, for nobody's. */
#define stat_of(pp, name, n)                                              \
	((pp) ? stat_add(&(pp)->stats->name, (n))                          \
	      : (void)rt_add_relaxed(&sched.stats.name, (n)))

/* It is to be measured how long gp waits: mp's count is at zero, or there is no
 * mp.  Nobody can have found gp yet. */
void stats_sample(struct m *mp, struct g *gp);

/* The owner of pp is about to run gp, which has been sampled. */
void stats_latency(struct p *pp, struct g *gp);
#endif

/* The bucket of a time, and the least time of a bucket, in nanoseconds. */
int stats_bucket(int64_t ns);
int64_t stats_bucket_from(int i);

/* sysmon: schedtrace.  When the next line is due, NEVER: none; and prints it
 * if it is. */
int64_t schedtrace_next(void);
void schedtrace(int64_t now);
/* Once, at start: GAMP_DEBUG=schedtrace=MS. */
void schedtrace_init(void);

#endif
