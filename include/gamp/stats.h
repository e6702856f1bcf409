/* SPDX-License-Identifier: MIT */
/*
 * stats.h - what the runtime has done, and what its goroutines do now.
 *
 * Counting is always on; it costs a fraction of a nanosecond a switch.  For
 * example, to see how long goroutines wait, for their turn and for what:
 *
 *	struct gamp_statistics now;
 *	struct gamp_states states;
 *
 *	if (gamp_stats(&now, sizeof(now)) == 0)
 *		printf("%" PRId64 " goroutines, p99 %" PRId64 " ns\n",
 *		    now.goroutines, gamp_stats_latency(&now, 0.99));
 *	if (gamp_stats_states(&states, sizeof(states)) == 0)
 *		for (int i = 0; i < GAMP_STATS_REASONS; i++)
 *			if (states.parked_by[i] > 0)
 *				printf("%s: %" PRId64 "\n",
 *				    gamp_stats_reason(i), states.parked_by[i]);
 *
 * The environment's GAMP_DEBUG=schedtrace=1000 prints a line on standard error
 * each 1,000 milliseconds, for any program.
 */
#ifndef GAMP_STATS_H
#define GAMP_STATS_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GAMP_STATS_BUCKETS 128
#define GAMP_STATS_REASONS 32

/*
 * Counters only grow while the runtime runs, and begin at zero with each run.
 * What is said to be of now is read while the program goes on: each field was
 * true at some time during the call, but not all at the same.
 */
struct gamp_statistics {
	/* Goroutines. */
	int64_t goroutines;    /* alive now */
	int64_t runnable;      /* of these, about: in run queues now */
	uint64_t spawned;      /* ever */
	uint64_t exited;       /* ever */
	uint64_t switches;     /* times that one began to run or went on, less
				* some that are not counted yet, 31 a P */
	uint64_t preempted;    /* times that one gave way when it was asked */
	/* Goroutines that lost their P, and went on as threads: */
	uint64_t detached_announced; /* in gamp_enter_blocking */
	uint64_t detached_blocked;   /* in a call that was not announced */
	uint64_t detached_computing; /* without a call */

	/* Scheduling. */
	int64_t procs;	     /* Ps now */
	int64_t procs_idle;  /* of these */
	uint64_t steals;     /* times that a P took from another one */
	uint64_t stolen;     /* goroutines that it took */
	uint64_t spills;     /* times that a P's queue was full */
	uint64_t polls;	     /* looks at the network */
	uint64_t events;     /* that they found */
	int64_t timers;	     /* armed now, about */
	uint64_t timers_fired;

	/* Threads that run goroutines; without the monitor. */
	int64_t threads;       /* now */
	int64_t threads_idle;  /* of these, without work */
	int64_t threads_peak;  /* most at once */
	uint64_t threads_started; /* ever */
	uint64_t wakeups;      /* times that one was woken for work */

	/* Stacks, by the slots that they live in. */
	int64_t stacks;	       /* slots used so far */
	int64_t stacks_free;   /* of these, without a goroutine now */
	int64_t stacks_released; /* of the free, those that take no memory */
	int64_t stacks_unguarded; /* without a guard page: overflow is silent */
	int64_t stack_reserved;	/* bytes of addresses of all slots */
	int64_t stack_touched; /* bytes of memory at the least: a page each */

	/*
	 * How long goroutines waited from being made ready, or started, until
	 * they ran: an estimate, from samples, of how many of them waited for
	 * how long.  Bucket 0: less than 64 ns; bucket i: at least
	 * (4 + (i - 1) % 4) * 2^(4 + (i - 1) / 4) ns and less than the next;
	 * the last one: anything longer.  What yields, and what
	 * gamp_go_when_readable starts, is not in it.
	 */
	uint64_t latency[GAMP_STATS_BUCKETS];
};

/* Goroutines alive, by what they do now. */
struct gamp_states {
	int64_t running;  /* on a P */
	int64_t runnable; /* waiting for one */
	int64_t blocking; /* in gamp_enter_blocking */
	int64_t detached; /* on a thread whose P was taken away */
	int64_t parked;
	int64_t parked_by[GAMP_STATS_REASONS]; /* gamp_stats_reason */
};

/*
 * gamp_stats - counters, and how long goroutines wait to run
 *
 * size is sizeof(struct gamp_statistics), as the caller was compiled: if its
 * struct is shorter than the library's, it gets the fields it knows; if it is
 * longer, the rest is zero.  Takes some microseconds, and more with many Ps.
 *
 * Returns	0
 * Errors	-ESRCH		the runtime is not running
 *		-EINVAL		out is null
 * Parks	never.
 * Threads	any thread.
 * See		gamp_stats_states, gamp_stats_latency
 */
GAMP_API int gamp_stats(struct gamp_statistics *out, size_t size);

/*
 * gamp_stats_latency - a quantile of the times goroutines waited to run
 *
 * q: 0 to 1; 0.5 is the median.  Between two bounds of a bucket, which are a
 * quarter apart or less, it is interpolated.  For an interval, subtract the
 * buckets of its beginning from those of its end first.
 *
 * Returns	nanoseconds; 0 if nothing has been measured.
 * Errors	-EINVAL		q is out of range
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_stats_latency(
    const struct gamp_statistics *stats, double q);

/*
 * gamp_stats_states - count goroutines by what they do
 *
 * Looks at the control block of every stack slot that was ever used, each on
 * a page of its own: 0.2 us for each of a few, 0.6 us for each of 100,000.
 * Goroutines that move meanwhile are counted where they were met, so some are
 * counted twice, or not at all.  size as in gamp_stats.
 *
 * Returns	0
 * Errors	-ESRCH		the runtime is not running
 *		-EINVAL		out is null
 * Parks	never, but takes its time: see above.
 * Threads	any thread.
 */
GAMP_API int gamp_stats_states(struct gamp_states *out, size_t size);

/*
 * gamp_stats_reason - the name of a reason to be parked
 *
 * Returns	words, such as "sleep", "receive", "fd lock"; null if there is
 *		no such reason (yet).
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API const char *gamp_stats_reason(int reason);

#ifdef __cplusplus
}
#endif

#endif
