/* SPDX-License-Identifier: MIT */
/*
 * lockm.h - a goroutine that is locked to its thread, and the thread to it.
 *
 *	M with the locked G			another M, with a P
 *	-------------------			-------------------
 *	G leaves its stack			picks G from a queue
 *	hands its P to others			hands its P to G's M: nextp,
 *	sleeps on its note	  <-----	wakes its note
 *	runs G on that P			goes on without a P
 *
 * Such an M runs nothing else, and ends when its goroutine exits.  Its note is
 * clear while its G runs, so a wake-up that comes before it sleeps is kept.
 * Where the last sleeps were short it spins for some 10 us before it sleeps,
 * and so do others that go idle (linger): then a message to a locked goroutine
 * and back costs no futex call.
 *
 * Model: tests/model/model_lockm.cpp.
 *
 * hop (park.c) neither leaves from nor arrives at a locked goroutine: g0 does
 * the hand-over.  That it does not leave from one costs others nothing: while a
 * locked goroutine runs, its P's clock_tick is 1, which means that something is
 * due.
 */
#ifndef RT_SCHED_LOCKM_H
#define RT_SCHED_LOCKM_H

#include "sched/m.h"

/* gp, which runs on mp or is about to, runs nowhere else from here on. */
void lockm_bind(struct m *mp, struct g *gp);
void lockm_free(struct m *mp, struct g *gp);

/* The same for one that has not begun, and an M that does not run yet. */
void lockm_to(struct m *mp, struct g *gp);

/* For one that has not begun: with the first M that runs it. */
static inline void lockm_later(struct g *gp)
{
	gp->lock_depth = 1;
	gp->lockm = NULL;
	gp->task.special = TASK_LOCKED;
	g_set_rare(gp, G_BINDS, 0);
}

/* mp, which is locked, goes on with a P. */
static inline void lockm_due(struct p *pp)
{
	pp->clock_tick = 1;
}

/* g0: the goroutine that mp is locked to has exited; mp has no P any more. */
void lockm_end(struct m *mp);

/* g0: does gp run on a thread of its own that is not mp? */
static inline bool lockm_elsewhere(struct m *mp, struct g *gp)
{
	return rt_unlikely(g_is_locked(gp)) && gp->lockm && gp->lockm != mp;
}

/* g0: gp is in the hands of mp, whose P goes with it. */
void lockm_hand(struct m *mp, struct g *gp);

/* g0 of a locked M, with a P or without: its G, with a P. */
struct g *lockm_wait(struct m *mp);

#endif
