/* SPDX-License-Identifier: MIT */
/*
 * solo.h - with one P the goroutines need no locks among themselves.
 *
 * Whoever has the only P and does not park is alone with everything that only
 * goroutines touch.  A locked instruction costs 10 ns, a lock two of them, an
 * item through a channel four; a solo section costs two plain stores.
 *
 *	owner of the only P		thread without a P
 *	-------------------		------------------
 *	busy = 1			on = 0
 *	light fence			membar_heavy()
 *	on? in the section		busy? wait until it is 0
 *	...				from here on all lock
 *	busy = 0 (release)
 *
 * Either the owner sees that it is off, or the thread sees it inside and waits
 * for the few instructions that this lasts.  A process one of whose threads
 * has once used a channel or a sync object, or cancelled a goroutine, keeps it
 * off for good (solo_break costs 2 us, once).
 *
 * A section may end on g0, in a commit, but never spans two goroutines.
 */
#ifndef RT_SCHED_SOLO_H
#define RT_SCHED_SOLO_H

#include "base/membar.h"

struct solo {
	_Alignas(RT_LINE) rt_a32 on;
	rt_a32 busy;
	rt_a32 broken; /* for good */
};

extern struct solo solo_state;

/* The owner of a P.  False: lock. */
static inline bool solo_begin(void)
{
	if (!rt_load_relaxed(&solo_state.on))
		return false;
	rt_store_relaxed(&solo_state.busy, 1);
	membar_light(); /* pairs with solo_break */
	if (rt_likely(rt_load_acquire(&solo_state.on)))
		return true;
	rt_store_release(&solo_state.busy, 0);
	return false;
}

static inline void solo_end(void)
{
	rt_store_release(&solo_state.busy, 0);
}

void solo_break_slow(void);

/* A thread without a P, before it touches what goroutines touch. */
static inline void solo_break(void)
{
	if (rt_unlikely(!rt_load_acquire(&solo_state.broken)))
		solo_break_slow();
}

/* The runtime starts with one P, before anything runs on it. */
void solo_start(void);

/* In the child of a fork: whoever was in a section is gone. */
void solo_forked(void);

/* It stops: until it starts anew, all lock. */
void solo_stop(void);

#endif
