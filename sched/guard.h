/* SPDX-License-Identifier: MIT */
/*
 * guard.h - the lock of a channel or a sync object: four bytes, zero is free.
 *
 * Held for a few dozen instructions, by goroutines and plain threads; ended on
 * g0 when the holder parks.  With one P it is a solo section, and the word
 * stays 0: that is how guard_exit knows.
 *
 * The last instruction of an exit is the last access to the word (lock.h), so
 * that whoever enters next may free the object.
 */
#ifndef RT_SCHED_GUARD_H
#define RT_SCHED_GUARD_H

#include "base/lock.h"
#include "base/san.h"
#include "sched/solo.h"

struct guard {
	rt_a32 word;
};

void guard_lock_slow(struct guard *l);
void guard_unlock_slow(struct guard *l);

/* Without solo, rank and hard mode: for select, which holds several. */
static inline void guard_lock(struct guard *l)
{
	uint32_t w = 0;

	if (rt_unlikely(!rt_cas_acqrel(&l->word, &w, 1)))
		guard_lock_slow(l);
	san_acquire(l);
}

static inline void guard_unlock(struct guard *l)
{
	san_release(l);
	if (rt_unlikely(!word_unlock(&l->word, 1)))
		guard_unlock_slow(l);
}

static inline bool guard_is_solo(struct guard *l)
{
	return rt_load_relaxed(&l->word) == 0;
}

/* In the runtime, or on a thread that has called solo_break. */
static inline void guard_enter(struct guard *l)
{
	hard_point();
	rt_rank_push(RANK_GUARD);
	if (!solo_begin())
		guard_lock(l);
	else
		san_acquire(l);
}

static inline void guard_exit(struct guard *l)
{
	rt_rank_pop(RANK_GUARD);
	if (!guard_is_solo(l)) {
		guard_unlock(l);
		return;
	}
	san_release(l);
	solo_end();
}

#endif
