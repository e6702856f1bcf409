/* SPDX-License-Identifier: MIT */
/*
 * note.h - a one-shot event that one thread sleeps on.
 *
 *	state	meaning			who leaves it, and how
 *	CLEAR	nobody sleeps		sleeper -> ASLEEP; waker -> WOKEN
 *	ASLEEP	it may be in a futex	waker -> WOKEN, and wakes it
 *	WOKEN				note_clear
 *
 * note_wake may come before the sleep: it then does not sleep, and the waker
 * made no system call.  The waker's writes before note_wake are seen after
 * note_sleep returns.
 */
#ifndef RT_BASE_NOTE_H
#define RT_BASE_NOTE_H

#include <errno.h>

#include "base/futex.h"

enum { NOTE_CLEAR, NOTE_ASLEEP, NOTE_WOKEN };

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
	uint32_t was = rt_swap_acqrel(&n->word, NOTE_WOKEN);

	if (was == NOTE_ASLEEP)
		futex_wake(&n->word, 1);
	return was != NOTE_WOKEN;
}

static inline bool note_is_woken(struct note *n)
{
	return rt_load_acquire(&n->word) == NOTE_WOKEN;
}

/* The sleeper.  True when woken, false at time `until` (0: no limit). */
static inline bool note_sleep(struct note *n, int64_t until)
{
	uint32_t clear = NOTE_CLEAR;

	(void)rt_cas_acqrel(&n->word, &clear, NOTE_ASLEEP);
	while (!note_is_woken(n))
		if (futex_wait(&n->word, NOTE_ASLEEP, until) == -ETIMEDOUT)
			return note_is_woken(n);
	return true;
}

#endif
