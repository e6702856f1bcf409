/* SPDX-License-Identifier: MIT */
/* rand.h - a cheap generator for scheduling decisions; one per M. */
#ifndef RT_BASE_RAND_H
#define RT_BASE_RAND_H

#include <stdint.h>

struct rng {
	uint64_t s;
};

/* Marsaglia's xorshift64 with a multiplier (Vigna, "xorshift64*"). */
static inline uint32_t rng_next(struct rng *r)
{
	uint64_t x = r->s;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	r->s = x;
	return (uint32_t)((x * UINT64_C(0x2545F4914F6CDD1D)) >> 32);
}

static inline void rng_seed(struct rng *r, uint64_t seed)
{
	r->s = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
}

/* 0 <= result < n, n > 0, without a division. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((uint64_t)rng_next(r) * n) >> 32);
}

#endif
