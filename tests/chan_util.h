/* SPDX-License-Identifier: MIT */
/*
 * chan_util.h - what the tests of channels and select share, beside
 * net_util.h.
 *
 * A process of which a thread once used a channel runs without solo sections
 * (sched/solo.h) for ever after.  So channels are made and freed inside of
 * goroutines, and tests with threads come last.
 */
#ifndef TESTS_CHAN_UTIL_H
#define TESTS_CHAN_UTIL_H

#include "base/san.h"
#include "tests/net_util.h"

#if defined(RT_TSAN) /* gcc's has room for 8,000 goroutines */
enum { SCALE = 1, CROWD = 400 };
#elif defined(RT_ASAN) || defined(RT_HARD)
enum { SCALE = 2, CROWD = 2500 };
#else
enum { SCALE = 2, CROWD = 5000 };
#endif

#define LONG (100 * GAMP_SECOND)

static inline void run_on(int procs, gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = procs });
}

/* With one P, two, and more than there are processors; where each takes long,
 * without that in the middle. */
static inline void run_each(gamp_fn *fn)
{
	run_on(1, fn);
	if (SCALE > 1)
		run_on(2, fn);
	run_on(4, fn);
}

/* Of the caller's own, as random64 has no lock. */
static inline uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x >> 16;
}

static inline void spin(uint64_t n)
{
	for (volatile uint64_t i = n; i > 0;)
		i = i - 1;
}

static inline int64_t length(struct gamp_chan *ch)
{
	return (int64_t)gamp_chan_len(ch);
}

/* Goroutines say that they are through, cancelled or not. */

static struct gamp_chan *over;

static inline void begin(void)
{
	over = gamp_chan_new(0, 1 << 30);
	CHECK(over);
}

static inline int64_t go(gamp_fn *fn, void *arg)
{
	int64_t id = gamp_go(fn, arg);

	CHECK(id > 0);
	return id;
}

static inline void finished(void)
{
	CHECK_EQ(gamp_chan_trysend(over, NULL), 0);
}

static inline void await_finished(int n)
{
	int64_t limit = gamp_now() + LONG;

	for (int i = 0; i < n; i++)
		if (!CHECK_EQ(gamp_chan_recv_until(over, NULL, limit), 0))
			return;
}

static inline void end(void)
{
	CHECK_EQ(length(over), 0);
	CHECK_EQ(gamp_chan_free(over), 0);
}

#endif
