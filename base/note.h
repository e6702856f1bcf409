/* SPDX-License-Identifier: MIT */
/*
 * note.h - a one-shot event that one thread sleeps on.
 *
 *	0 clear --note_wake--> 1 woken --note_clear--> 0
 *
 * note_wake may come before the sleep: it then does not sleep.  The waker's
 * writes before note_wake are seen after note_sleep returns.
 */
#ifndef RT_BASE_NOTE_H
#define RT_BASE_NOTE_H

#include <errno.h>

#include "base/futex.h"

struct note {
	rt_a32 word;
};

/* The sleeper.  What a waker did before its note_wake is seen after this, so
 * look at the condition again before sleeping. */
static inline void note_clear(struct note *n)
{
	(void)rt_swap_acqrel(&n->word, 0);
}

/* Any thread.  False if it was woken already. */
static inline bool note_wake(struct note *n)
{
	if (rt_swap_acqrel(&n->word, 1) != 0)
		return false;
	futex_wake(&n->word, 1);
	return true;
}

/* The sleeper.  True when woken, false at time `until` (0: no limit). */
static inline bool note_sleep(struct note *n, int64_t until)
{
	while (rt_load_acquire(&n->word) == 0)
		if (futex_wait(&n->word, 0, until) == -ETIMEDOUT)
			return rt_load_acquire(&n->word) != 0;
	return true;
}

#endif
