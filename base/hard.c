/* SPDX-License-Identifier: MIT */
/* hard.c - see hard.h. */

#include "base/hard.h"

#ifdef RT_HARD

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/fatal.h"
#include "base/rand.h"

static uint64_t seed;
static rt_a64 threads;

/* Not inlined: the thread's variable is looked up at each call. */
static __attribute__((noinline)) uint32_t draw(void)
{
	static _Thread_local struct rng rng;

	if (rng.s == 0)
		rng_seed(&rng, seed + rt_add_relaxed(&threads, 1));
	return rng_next(&rng);
}

void hard_init(void)
{
	const char *s = getenv("GAMP_HARD_SEED");
	char line[64];

	if (seed != 0)
		return;
	seed = s ? strtoull(s, NULL, 0) : (uint64_t)clock_real();
	(void)snprintf(line, sizeof(line), "hard mode, GAMP_HARD_SEED=%llu",
	    (unsigned long long)seed);
	rt_warn(line);
}

void hard_point(void)
{
	if (draw() % 64 == 0)
		(void)sched_yield();
}

static struct {
	bool set;
	struct rng rng;
} fixed;

void hard_fix(uint64_t by)
{
	fixed.set = by != 0;
	rng_seed(&fixed.rng, by);
}

bool hard_chance(uint32_t n)
{
	if (fixed.set)
		return rng_next(&fixed.rng) % n == 0;
	return draw() % n == 0;
}

#endif
