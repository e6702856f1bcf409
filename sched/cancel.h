/* SPDX-License-Identifier: MIT */
/*
 * cancel.h - getting a goroutine out of whatever it is parked in.
 *
 *	goroutine			canceller
 *	---------			---------
 *	C1 waits = how to wake me	C3 tag |= CANCELLED	(RMW)
 *	F1 fence			F2 fence
 *	C2 cancelled? do not park	C4 w = waits; if w: w->fn(w, g)
 *	park ...
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

#include "sched/g.h"

/* C1, F1, C2.  False: cancelled; do not park. */
static inline bool cancel_begin(struct g *gp, struct canceller *c)
{
	if (gp->uncancellable)
		return true;
	rt_store_release(&gp->waits, (uintptr_t)c); /* C1 */
	rt_fence_seqcst();			    /* F1 */
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

/* Everybody. */
void cancel_all(void);

#endif
