/* SPDX-License-Identifier: MIT */
/* apart.c - see apart.h. */

#include <sched.h>

#include "sched/apart.h"
#include "sched/sched.h"

/* Room for 1,024 processors; where there are more the kernel refuses, and all
 * stays as it was. */

uint32_t apart_begin(struct m *mp)
{
	int here = sched_getcpu();
	cpu_set_t set;

	if (sched.ncpus == 1 || sched.bind_threads || here < 0 ||
	    sched_getaffinity(mp->tid, sizeof(set), &set) < 0)
		return 0;
	CPU_CLR((size_t)here, &set);
	if (CPU_COUNT(&set) == 0)
		return 0;
	rt_store_release(&mp->apart, (uint32_t)here + 1);
	(void)sched_setaffinity(mp->tid, sizeof(set), &set);
	return (uint32_t)here + 1;
}

/* Both may do it, at once. */
void apart_end(struct m *mp, uint32_t from)
{
	cpu_set_t set;

	if (from == 0 || sched_getaffinity(mp->tid, sizeof(set), &set) < 0)
		return;
	CPU_SET(from - 1, &set);
	(void)sched_setaffinity(mp->tid, sizeof(set), &set);
	rt_store_release(&mp->apart, 0);
}
