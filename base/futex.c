/* SPDX-License-Identifier: MIT */
/* futex.c - see futex.h. */

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/futex.h"

int futex_wait(rt_a32 *w, uint32_t val, int64_t until)
{
	struct timespec ts = { .tv_sec = until / 1000000000,
		.tv_nsec = until % 1000000000 };
	int saved = errno;
	long r;

	/* WAIT_BITSET takes an absolute time on the monotonic clock. */
	r = syscall(SYS_futex, w, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, val,
	    until ? &ts : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
	r = r < 0 && errno == ETIMEDOUT ? -ETIMEDOUT : 0;
	errno = saved;
	return (int)r;
}

void futex_wake(rt_a32 *w, int n)
{
	int saved = errno;

	(void)syscall(SYS_futex, w, FUTEX_WAKE_PRIVATE, n);
	errno = saved;
}
