/* SPDX-License-Identifier: MIT */
/* membar.c - see membar.h. */

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/membar.h"

rt_a32 membar_works;

static int barrier(int cmd)
{
	return (int)syscall(SYS_membarrier, cmd, 0, 0);
}

static void ask(void)
{
	if (barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 &&
	    barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
		rt_store_release(&membar_works, 1);
}

void membar_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, ask);
}

/* The fence is for threads that still took the word for 0. */
void membar_heavy(void)
{
	membar_init();
	rt_fence_seqcst();
	if (rt_load_relaxed(&membar_works))
		(void)barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
