/* SPDX-License-Identifier: MIT */
/*
 * hard.h - hard mode: the rare case made common.
 *
 * With RT_HARD rings hold four, a poll brings one event, threads yield the
 * processor at locks and between the steps of protocols, and choices that are
 * the scheduler's own (who runs next, whether a wake-up was real) are made by
 * a generator.  Its seed is printed at start, and GAMP_HARD_SEED replays it
 * (as far as the kernel's own scheduling lets it).
 */
#ifndef RT_BASE_HARD_H
#define RT_BASE_HARD_H

#include <stdbool.h>
#include <stdint.h>

#if defined(RT_HARD) && !defined(RT_MODEL)
/* Once, at start. */
void hard_init(void);
/* Sometimes gives the processor away. */
void hard_point(void);
/* True once in n times.  With the P. */
bool hard_chance(uint32_t n);
/* These chances follow from `by` alone (0: as before): for a seeded order. */
void hard_fix(uint64_t by);
#else
static inline void hard_init(void)
{
}
static inline void hard_point(void)
{
}
static inline void hard_fix(uint64_t by)
{
	(void)by;
}
static inline bool hard_chance(uint32_t n)
{
	(void)n;
	return false;
}
#endif

#endif
