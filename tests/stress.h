/* SPDX-License-Identifier: MIT */
/* stress.h - what the stress programs share: seeds, and how they die. */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t seed;	      /* odd; the run follows from it, nearly */
static const char *part = ""; /* of the program, that runs */

static inline void die(int line, const char *what, int64_t x)
{
	(void)fprintf(stderr,
	    "%s: line %d: %s: %" PRId64 " (part %s, seed 0x%" PRIx64 ")\n",
	    program_invocation_short_name, line, what, x, part, seed);
	abort();
}

#define MUST(cond, x)                                       \
	do {                                                \
		if (!(cond))                                \
			die(__LINE__, #cond, (int64_t)(x)); \
	} while (0)

/* 0 <= result < below; of the caller's own numbers. */
static inline uint32_t rnd_of(uint64_t *rng, uint32_t below)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return (uint32_t)(*rng >> 32) % below;
}

static inline void take_seed(int argc, char **argv)
{
	seed = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 0)
			: (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	seed |= 1;
}

#endif
