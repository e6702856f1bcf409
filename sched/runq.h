/* SPDX-License-Identifier: MIT */
/*
 * runq.h - a P's local run queue: one producer, many consumers, bounded.
 *
 *	        owner P              any thief
 *	put  -> tail                 head <- steal (half)
 *	get  <- head
 *
 * Ring of RUNQ_SIZE goroutines.  head and tail only grow; slot of index i is
 * i % RUNQ_SIZE; the queue holds slots [head, tail).
 *
 * Who may call what, and beside what (X: never at once, -: freely):
 *
 *	          put  get  steal
 *	put        X    X    -
 *	get        X    X    -
 *	steal      -    -    -
 *
 * Invariants
 *	I1  0 <= tail - head <= RUNQ_SIZE, in unsigned arithmetic.
 *	I2  only the owner writes tail and slots.
 *	I3  a goroutine leaves by exactly one successful CAS on head.
 *
 * Memory order
 *	P1  put stores the slot, then tail with release; steal loads tail with
 *	    acquire: a thief that sees the new tail sees the slot.
 *	P2  steal reads slots, then moves head with a release CAS; put loads
 *	    head with acquire: the owner reuses a slot only after the thief has
 *	    read it.
 *	The slot itself is a relaxed atomic, for a thief may read one that the
 *	owner is overwriting; its CAS (I3) then fails and the value is dropped.
 */
#ifndef RT_SCHED_RUNQ_H
#define RT_SCHED_RUNQ_H

#include <stddef.h>

#include "base/atomic.h"
#include "base/fatal.h"

#ifdef RT_HARD
#define RUNQ_SIZE 4u /* small, so that tests meet wrap and overflow */
#else
#define RUNQ_SIZE 256u
#endif

struct task;

struct runq {
	_Alignas(RT_LINE) rt_a32 head; /* CAS by owner and thieves */
	_Alignas(RT_LINE) rt_a32 tail; /* written by owner only */
	rt_aptr slot[RUNQ_SIZE];	 /* struct task *, by owner only */
};

#define SLOT(q, i) (&(q)->slot[(i) % RUNQ_SIZE])

RT_STATIC_ASSERT((RUNQ_SIZE & (RUNQ_SIZE - 1)) == 0, "indices must wrap");

/* Owner only.  False if the ring is full: the caller spills half (p.c). */
static inline bool runq_put(struct runq *q, struct task *task)
{
	uint32_t h = rt_load_acquire(&q->head); /* P2 */
	uint32_t t = rt_load_relaxed(&q->tail); /* ours, I2 */

	rt_assert(t - h <= RUNQ_SIZE); /* I1 */
	if (t - h == RUNQ_SIZE)
		return false;
	rt_store_relaxed(SLOT(q, t), (uintptr_t)task);
	rt_store_release(&q->tail, t + 1); /* P1 */
	return true;
}

/*
 * Owner only.  Null if empty.  alone: there are no thieves at all, since
 * there is no other P; that spares the locked instruction.
 */
static inline struct task *runq_get(struct runq *q, bool alone)
{
	uint32_t t = rt_load_relaxed(&q->tail); /* ours, I2 */
	uint32_t h = rt_load_acquire(&q->head);

	while (h != t) {
		uintptr_t task = rt_load_relaxed(SLOT(q, h));

		/* The next one's: its cache line is not here yet. */
		rt_prefetch((void *)rt_load_relaxed(SLOT(q, h + 1)));
		if (alone) {
			rt_store_release(&q->head, h + 1);
			return (struct task *)task;
		}
		if (rt_cas_acqrel(&q->head, &h, h + 1)) /* I3 */
			return (struct task *)task;
	}
	return NULL;
}

/*
 * Any thread.  Takes half of victim, rounded up, into dst, which the caller
 * owns and which must be empty.  Returns one goroutine to run now, or null.
 */
struct task *runq_steal(struct runq *dst, struct runq *victim);

/* Any thread.  A guess: stale the moment it returns. */
static inline uint32_t runq_len(struct runq *q)
{
	uint32_t h = rt_load_acquire(&q->head);

	return rt_load_acquire(&q->tail) - h;
}

#endif
