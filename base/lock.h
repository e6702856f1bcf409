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
 */
#ifndef RT_BASE_LOCK_H
#define RT_BASE_LOCK_H

#include "base/atomic.h"
#include "base/hard.h"

#define RT_LOCK_RANKS(X)                                           \
	X(LIFE)	     /* runtime: start and stop */                 \
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

static inline void rt_lock(struct rt_lock *l)
{
	uint32_t w = 0;

	rt_rank_push(l->rank);
	hard_point();
	if (rt_unlikely(!rt_cas_acqrel(&l->word, &w, 1)))
		rt_lock_slow(l);
}

static inline void rt_unlock(struct rt_lock *l)
{
	rt_rank_pop(l->rank);
	if (rt_unlikely(rt_swap_acqrel(&l->word, 0) == 2))
		rt_unlock_slow(l);
}

#endif
