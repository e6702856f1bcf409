/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - getting a goroutine out of whatever it is parked in.
 *
 *	goroutine			canceller
 *	---------			---------
 *	C1 waits = how to wake me	C3 tag |= CANCELLED	(RMW)
 *	F1 light fence			F2 membar_heavy
 *	C2 cancelled? do not park	C4 w = waits; if w: w->fn(w, g)
 *	park ...			   and its struct wait (wait.h)
 *	C5 waits = null
 *
 * Either C2 sees the flag, or C4 sees how to wake it.  w->fn may come late,
 * when g has long gone on and perhaps waits on something else: it must be
 * harmless then.  So a struct canceller lies in memory that keeps its type
 * (a G, a poll descriptor), and its fn takes g out by an atomic operation that
 * fails when g is not there.  Where parking makes g findable only in its
 * commit, C2 is repeated there.
 */
#ifndef RT_SCHED_CANCEL_H
#define RT_SCHED_CANCEL_H

#include "base/membar.h"
#include "sched/g.h"

/* C1, F1, C2.  False: cancelled; do not park. */
static inline bool cancel_begin(struct g *gp, struct canceller *c)
{
	if (gp->uncancellable)
		return true;
	rt_store_release(&gp->waits, (uintptr_t)c); /* C1 */
	membar_light();				    /* F1 */
	if (!g_cancelled(gp))			    /* C2 */
		return true;
	rt_store_relaxed(&gp->waits, 0);
	return false;
}

/* C5. */
static inline void cancel_end(struct g *gp)
{
	rt_store_relaxed(&gp->waits, 0);
}

/* 0, or -ESRCH.  In the runtime, or on a thread that is not an M. */
int cancel_id(int64_t id);

/* The same in two steps, for many: C3 for each, F2 once, C4 for each.  mark
 * returns null if there is none, or it is cancelled already. */
struct g *cancel_mark(int64_t id);
void cancel_poke(struct g *gp);

/* Everybody. */
void cancel_all(void);

#endif
