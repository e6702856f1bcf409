/* SPDX-License-Identifier: MIT */
/*
 * apart.h - an M that is woken need not wait for its waker's processor.
 *
 * The kernel likes to wake a thread where its waker runs, or where it last
 * ran; on a virtual machine also because it takes a processor that the host
 * has put to sleep for one that is busy.  If the waker goes on to compute, the
 * thread waits although another processor is idle.  To send each M elsewhere
 * does not pay: mostly its waker parks soon, or all processors are busy (HTTP
 * under load: a sixth of the throughput).  It is done for the sake of a single
 * goroutine whose waker is known to compute (wake.h, credit).
 *
 *	waker					sleeper
 *	takes its processor out of the
 *	sleeper's set; apart = that
 *	wakes it	------------------->	is on its way to another one
 *	puts it back; apart = none		apart? puts it back
 *
 * What the sleeper runs may make threads and processes, which inherit the set:
 * so it sees to it as well, though mostly the waker was first (0.4 us; on a
 * processor that has just come up such a call takes up to 20).  Nothing else
 * depends on it: a set that is put back twice, or late, is only a set.
 */
#ifndef RT_SCHED_APART_H
#define RT_SCHED_APART_H

#include "sched/m.h"

/* Before mp is woken, by the caller.  What it returns is for apart_end. */
uint32_t apart_begin(struct m *mp);
void apart_end(struct m *mp, uint32_t from);

/* mp, the caller, was woken. */
static inline void apart_woken(struct m *mp)
{
	uint32_t from = rt_load_acquire(&mp->apart);

	if (rt_unlikely(from != 0))
		apart_end(mp, from);
}

#endif
