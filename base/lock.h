/* SPDX-License-Identifier: MIT */
/*
 * lock.h - a small mutex for short critical sections, with a rank.
 *
 * Blocks the thread, not the goroutine: hold it for a few dozen instructions
 * and never across a park, a callback or a system call that may block.
 *
 * The ranks below are the lock order, outermost first.  A thread may take a
 * lock only if its rank is greater than every rank it holds; RT_DEBUG checks
 * this at each rt_lock(), so a wrong order fails on its first run, not on its
 * first deadlock.
 *
 *	state	meaning				who leaves it, and how
 *	0	free				lock -> 1
 *	1	held, nobody sleeps		unlock -> 0; a loser -> 2
 *	2	held, somebody may sleep	unlock -> 0 and wakes one
 *
 * A loser spins for a moment first: the sections are shorter than a futex
 * call, so on more than one processor the holder is nearly always running.
 *
 * word_unlock: a locked instruction costs 10 ns, and an unlock that finds its
 * word at 1 needs none, only a single instruction:
 *
 *	holder				loser
 *	L1 word is 1?			L3 word: 1 -> 2	(locked)
 *	L2 word: 1 -> 0 (unlocked)	L4 membar_heavy()
 *					L5 word still 2? sleep
 *
 * L2 may have read 1 before L3 and write 0 after it.  At L4 it has done so,
 * or has not begun; so what L5 sees stays until the holder comes to unlock
 * and finds it.  L2 that fails writes back the 2 that it read, which is
 * harmless as long as nobody but the holder takes the word out of 2; and L1
 * sees to it that L2 meets 1 and 2 only.
 */
#ifndef RT_BASE_LOCK_H
#define RT_BASE_LOCK_H

#include "base/atomic.h"
#include "base/hard.h"
#include "base/membar.h"

#define RT_LOCK_RANKS(X)                                           \
	X(LIFE)	     /* runtime: start and stop */                 \
	X(OWNER)     /* runtime: a ticker, a group */              \
	X(GUARD)     /* sched: a channel or sync object */         \
	X(PDCACHE)   /* netpoll: free descriptors, growth */       \
	X(PD)	     /* netpoll: deadlines, waiters of one fd */   \
	X(STARVED)   /* netpoll: starts that wait for memory */    \
	X(TIMERS)    /* sched: one P's timer heap */               \
	X(SCHED)     /* sched: idle lists, global queue, retake */ \
	X(ARENA)     /* base: free stacks */                       \
	X(LEAF)	     /* takes nothing while held */

enum rt_rank {
	RANK_NONE,
#define X(name) RANK_##name,
	RT_LOCK_RANKS(X)
#undef X
};

struct rt_lock {
	rt_a32 word;
	uint8_t rank;
};

#define RT_LOCK_INIT(r)     \
	{                   \
		.rank = (r) \
	}

void rt_lock_slow(struct rt_lock *l);
void rt_unlock_slow(struct rt_lock *l);

#ifdef RT_DEBUG
void rt_rank_push(uint8_t rank);
void rt_rank_pop(uint8_t rank);
#else
static inline void rt_rank_push(uint8_t rank)
{
	(void)rank;
}

static inline void rt_rank_pop(uint8_t rank)
{
	(void)rank;
}
#endif

/* The holder.  held -> 0, and true; false: the word is something else. */
static inline bool word_unlock(rt_a32 *word, uint32_t held)
{
	if (rt_unlikely(rt_load_relaxed(word) != held)) /* L1 */
		return false;
	if (rt_likely(rt_load_relaxed(&membar_works)))
		return rt_cas_local(word, held, 0); /* L2 */
	return rt_cas_acqrel(word, &held, 0);
}

/* Without its rank: a second lock of a rank that is held, where that can be
 * argued. */
static inline void rt_lock_beside(struct rt_lock *l)
{
	uint32_t w = 0;

	if (rt_unlikely(!rt_cas_acqrel(&l->word, &w, 1)))
		rt_lock_slow(l);
}

static inline void rt_unlock_beside(struct rt_lock *l)
{
	if (rt_unlikely(!word_unlock(&l->word, 1)))
		rt_unlock_slow(l);
}

static inline void rt_lock(struct rt_lock *l)
{
	rt_rank_push(l->rank);
	hard_point();
	rt_lock_beside(l);
}

static inline void rt_unlock(struct rt_lock *l)
{
	rt_rank_pop(l->rank);
	rt_unlock_beside(l);
}

#endif
