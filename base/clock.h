/* SPDX-License-Identifier: MIT */
/* clock.h - the monotonic clock in nanoseconds, and times that saturate. */
#ifndef RT_BASE_CLOCK_H
#define RT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_US  INT64_C(1000)
#define NEVER	   INT64_MAX /* no deadline, no timer */

/* 30 to 60 ns: hot paths use the time that their P has cached. */
static inline int64_t clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* now + ns, not beyond NEVER. */
static inline int64_t clock_after(int64_t now, int64_t ns)
{
	return ns >= NEVER - now ? NEVER : now + ns;
}

/* A public deadline (0: none) as an internal one. */
static inline int64_t clock_deadline(int64_t t)
{
	return t == 0 ? NEVER : t;
}

#endif
