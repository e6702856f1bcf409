/* SPDX-License-Identifier: MIT */
/*
 * wake.h - who wakes an M when there is work, and why none is forgotten.
 *
 * An M that searches for work is "spinning" (it does not busy-wait: it looks
 * everywhere once).  At most one M is woken at a time; when it finds work it
 * wakes the next (wake_found), so load spreads by doubling, and a burst does
 * not wake everybody.
 *
 *	submitter			M that runs out of work
 *	---------			-----------------------
 *	W1 put G in a queue		S1 give up P: npidle++
 *	F1 full fence			S2 nspinning--, if it was spinning
 *	R1 nspinning > 0? done		F2 full fence
 *	R2 npidle == 0?  done		S3 look at every queue again; if there
 *	   wake one			   is something: get a P, spin, go on
 *
 * No G is forgotten while a P is idle:
 *	- R1 saw a spinner X.  If X's decrement S2 comes after R1, then by F1
 *	  and F2 X's S3 sees the G.  If X stops spinning because it found other
 *	  work, it calls wake_found, which does S2, F2, S3 as well, and wakes
 *	  another one for what it sees.
 *	- R2 saw no idle P.  Whoever makes one idle does S1 after R2, so its S3
 *	  sees the G.  (This is why every M does S3, not only spinners.)
 *	- A wake-up that fails for want of a P takes its nspinning back under
 *	  sched.lock; a P that another M then releases is released before that
 *	  M's S3.
 *	- A wake-up that fails for want of a thread takes an M that went to
 *	  sleep meanwhile.  Else it leaves its P idle and says so, under
 *	  sched.lock (unserved).  That P may have work in its rings, at which S3
 *	  does not look: an M that is past its S3 takes a P instead of going to
 *	  sleep, and one that is about to do S1 keeps its own; both search
 *	  again.  If there is none, all Ms have work.
 *
 * Frugality: a wake-up costs 5 us of processor time, more than a whole small
 * request.  A G in runnext will mostly run right here, as soon as the caller
 * parks, so waking for it alone is usually a waste.  Each P keeps a credit:
 * it rises when the owner itself came to run such a G, and falls to zero when
 * the G had to be taken by somebody else.  With credit no M is woken for a
 * lone runnext; sysmon sees a wrong guess within a millisecond, and the first
 * time after each of its looks at the clock (32 picks, or it was idle) the P
 * looks for itself how long it let runnext wait.  A goroutine that computes
 * after readying another so loses its credit soon, and the next time somebody
 * is woken immediately.
 *
 * An M whose last few sleeps were all ended by a waker within QUICK, less
 * than they cost, lingers: it goes on spinning for some 10 us before it gives
 * up its P.  One that lingered in vain must earn it anew.  So an M that starts
 * a goroutine every few microseconds does not pay for a wake-up each time,
 * and one that waits for the network never spins.  One
 * without a P lingers likewise before it sleeps on its note (lockm.h).
 *
 * Which M is woken: one asleep in a futex; for the last idle P the one in the
 * poller (all Ps then are busy and poll for themselves); else a new thread.
 */
#ifndef RT_SCHED_WAKE_H
#define RT_SCHED_WAKE_H

#include "sched/sched.h"

/* After W1, by the owner of pp: F1, R1, R2.  lone: only runnext waits. */
void wake_submitted(struct p *pp, bool lone);

/* After W1 on a global queue. */
void wake_global(void);

/* mp looks for work everywhere; it is counted as spinning. */
void wake_search(struct m *mp);

/* S3: is there anything, on any P that runs? */
bool wake_work(void);

/* mp was spinning and has found work. */
void wake_found(struct m *mp);

/* Wakes one M to search, if a P is idle and nobody searches. */
void wakep(void);

/* Runs pp, which nobody owns, on an M that sleeps, or on a new one. */
void startm(struct p *pp, bool spinning);

/* A timer was armed on a P that may not come to run it.  Wakes the poller
 * if it would sleep longer. */
void wake_poller(int64_t when);

#endif
