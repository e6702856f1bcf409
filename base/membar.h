/* SPDX-License-Identifier: MIT */
/*
 * membar.h - a full fence of which one side pays nothing: membarrier(2).
 *
 *	often (light)			seldom (heavy)
 *	-------------			--------------
 *	store x				store y
 *	membar_light()			membar_heavy()
 *	load y				load x
 *
 * At least one of the two sees the other's store, as with two full fences.
 * The light side only orders the compiler; the heavy side interrupts every
 * running thread of the process (1.6 us) and is a full fence on each.
 *
 * The same makes one instruction atomic that is not: when membar_heavy has
 * returned, an unlocked compare-and-exchange that was under way elsewhere is
 * over, for interrupts come between instructions (rt_cas_local, lock.h).
 *
 * Where the kernel refuses it both sides are fences (membar_works is 0).
 */
#ifndef RT_BASE_MEMBAR_H
#define RT_BASE_MEMBAR_H

#include "base/atomic.h"

/* 1: asked for, and granted.  Until then light is a fence. */
extern rt_a32 membar_works;

/* Any thread, any time.  Asks the kernel at the first call. */
void membar_heavy(void);

/* Asks the kernel; membar_works tells. */
void membar_init(void);

static inline void membar_light(void)
{
	if (rt_likely(rt_load_relaxed(&membar_works)))
		rt_barrier(); /* pairs with membar_heavy */
	else
		rt_fence_seqcst();
}

#endif
