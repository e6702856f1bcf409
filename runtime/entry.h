/* SPDX-License-Identifier: MIT */
/*
 * entry.h - public calls that any thread may make.
 *
 * A thread of the runtime cannot see it stop.  Any other thread can, so it is
 * counted while it is inside: gamp_stop clears `open`, then waits until the
 * count is zero, then frees.  (Count, fence, look; clear, fence, count.)
 */
#ifndef RT_RUNTIME_ENTRY_H
#define RT_RUNTIME_ENTRY_H

#include "sched/m.h"

extern rt_a32 entry_open;   /* the runtime runs */
extern rt_a32 entry_inside; /* foreign threads in a call */
extern rt_a32 entry_runs;   /* of the runtime, that are over */

/* False: the runtime is not running.  Else entry_end follows. */
static inline bool entry_begin(void)
{
	if (rt_likely(m_self() != NULL))
		return true;
	(void)rt_add_seqcst(&entry_inside, 1);
	if (rt_load_seqcst(&entry_open))
		return true;
	(void)rt_sub_seqcst(&entry_inside, 1);
	return false;
}

static inline void entry_end(void)
{
	if (rt_unlikely(m_self() == NULL))
		(void)rt_sub_seqcst(&entry_inside, 1);
}

#endif
