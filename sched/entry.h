/* SPDX-License-Identifier: MIT */
/*
 * entry.h - threads that are not the runtime's, inside of it.
 *
 * A thread of the runtime cannot see it stop.  Any other thread can, so it is
 * counted while it is inside: gamp_stop clears `open`, then waits until the
 * count is zero, then frees.  (Count, fence, look; clear, fence, count.)
 *
 * Whoever makes a goroutine ready has no need to look: until it is in a queue
 * the goroutine lives, so gamp_stop has yet to come to the count.
 */
#ifndef RT_SCHED_ENTRY_H
#define RT_SCHED_ENTRY_H

#include "sched/m.h"
#include "sched/solo.h"

/*
 * Enters, for a call on what goroutines and plain threads share; m_exit
 * follows.  Null: a thread, so there are no solo sections any more.
 */
static inline struct m *enter_shared(void)
{
	struct m *mp = m_enter();

	if (rt_unlikely(!mp))
		solo_break();
	return mp;
}

extern rt_a32 entry_open;   /* the runtime runs */
extern rt_a32 entry_inside; /* foreign threads in a call */
extern rt_a32 entry_runs;   /* of the runtime, that are over */

/* Of a thread that wakes a goroutine; entry_leave follows. */
static inline void entry_wake(void)
{
	(void)rt_add_seqcst(&entry_inside, 1);
}

static inline void entry_leave(void)
{
	(void)rt_sub_seqcst(&entry_inside, 1);
}

/* False: the runtime is not running.  Else entry_end follows. */
static inline bool entry_begin(void)
{
	if (rt_likely(m_self() != NULL))
		return true;
	(void)rt_add_seqcst(&entry_inside, 1);
	if (rt_load_seqcst(&entry_open))
		return true;
	entry_leave();
	return false;
}

static inline void entry_end(void)
{
	if (rt_unlikely(m_self() == NULL))
		entry_leave();
}

#endif
