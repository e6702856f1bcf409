/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the monotonic clock in nanoseconds, and times that saturate.
 *
 * There are two: the program's, which stands still in tests with fake time and
 * is moved by the scheduler when all goroutines are parked, and the real one,
 * for threads that sleep and for how long something may run.
 */
#ifndef RT_BASE_CLOCK_H
#define RT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/atomic.h"

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_US  INT64_C(1000)
#define NEVER	   INT64_MAX /* no deadline, no timer */

extern rt_atime clock_fake; /* the program's time; 0: it is the real one */

/* 30 to 60 ns: hot paths use the time that their P has cached. */
static inline int64_t clock_real(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* As of the kernel's last tick, some milliseconds ago: 5 ns. */
static inline int64_t clock_rough(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* The program's. */
static inline int64_t clock_now(void)
{
	int64_t fake = rt_load_acquire(&clock_fake);

	return rt_likely(fake == 0) ? clock_real() : fake;
}

/* now + ns, not beyond NEVER. */
static inline int64_t clock_after(int64_t now, int64_t ns)
{
	return ns >= NEVER - now ? NEVER : now + ns;
}

/* 0: the real one again. */
static inline void clock_set(int64_t t)
{
	rt_store_release(&clock_fake, t);
}

/* A time of the program's as one that a thread can sleep until: 0, no limit,
 * for NEVER. */
static inline int64_t clock_real_at(int64_t t)
{
	int64_t fake = rt_load_acquire(&clock_fake);

	if (t == NEVER)
		return 0;
	if (rt_unlikely(fake != 0))
		t = t < fake ? 1 : clock_after(clock_real(), t - fake);
	return t > 0 ? t : 1;
}

/* A public deadline (0: none) as an internal one: never negative, so that the
 * difference of two does not overflow. */
static inline int64_t clock_deadline(int64_t t)
{
	return t == 0 ? NEVER : t < 0 ? 1 : t;
}

#endif
