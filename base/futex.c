/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h. */

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/futex.h"
#include "base/san.h"

/* Reading the clock is what lets TSan run the handlers. */
static int64_t until_look(int64_t until)
{
	int64_t look;

	if (SAN_SIGNALS == 0)
		return until;
	look = clock_real() + SAN_SIGNALS;
	return until && until < look ? until : look;
}

int futex_wait(rt_a32 *w, uint32_t val, int64_t until)
{
	int64_t at = until_look(until);
	struct timespec ts = { .tv_sec = at / NS_PER_SEC,
		.tv_nsec = at % NS_PER_SEC };
	int saved = errno;
	long r;

	/* WAIT_BITSET takes an absolute time on the monotonic clock. */
	r = syscall(SYS_futex, w, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, val,
	    at ? &ts : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
	r = r < 0 && errno == ETIMEDOUT && at == until ? -ETIMEDOUT : 0;
	errno = saved;
	return (int)r;
}

void futex_wake(rt_a32 *w, int n)
{
	int saved = errno;

	(void)syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, n);
	errno = saved;
}
