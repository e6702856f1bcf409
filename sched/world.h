/* SPDX-License-Identifier: MIT */
/*
 * world.h - stop-the-world: no goroutine runs under a P until it starts again.
 *
 *	stopper, under sched.lock		M with a P
 *	-------------------------		----------
 *	stopped = 1: idle Ps stay idle		in the program (PS), or in an
 *	every other P: is its M in the		announced call: its P is taken
 *	program's code? take the P (PS),	(m.h); it goes on as a thread
 *	or ask it to let others run (ALL);	until it next enters, and is
 *	else ask for attention			held there
 *	look for a moment; sleep until the	asked, or in the runtime: comes
 *	last P is idle, or for RETRY; then	to g0, or back to the program;
 *	again					g0 sees stopped and makes its
 *						P idle
 *
 * The world has stopped when all Ps are idle, which they stay, for
 * pidle_get_locked gives none.  Whatever becomes ready meanwhile (descriptors,
 * other threads) goes to queues.  Idle Ps may have goroutines in their rings
 * then; world_start finds an M for each of these.
 *
 * A goroutine that stops the world is in a blocking call meanwhile: it gives up
 * its own P first, which stays idle, and has it again when world_start returns;
 * until then it may not enter the runtime.  One stopper at a time; the others
 * block.
 *
 *	how	who may go on				for
 *	---	-------------				---
 *	PS	goroutines that were detached or are	the runtime itself
 *		in announced blocking calls: they run
 *		only the program's code
 *	ALL	those in announced blocking calls	collectors
 *
 * For ALL nothing is gained by taking the P of who must be waited for anyway:
 * with it, it comes, is held, and goes on, without another look for a P.  And
 * the stopper waits until sched.nmutators is 0 as well: Ms whose P was
 * taken while their goroutine was in the program's code, and not in an
 * announced call.  Each comes to its next call into the runtime, finds no P,
 * and leaves its stack (see_off_detached), which ends that.  It is taken into
 * account under sched.lock, together with M_DETACHED; so between a P that is
 * taken and a goroutine that is off its stack there is always something that
 * is not 0.
 *
 * Then every goroutine is off its stack with its registers saved (ctx), or has
 * left a record of them as it began to block (g.kept).
 */
#ifndef RT_SCHED_WORLD_H
#define RT_SCHED_WORLD_H

#include "sched/sched.h"

enum world_how { WORLD_PS, WORLD_ALL };

/* A goroutine or any other thread; not on g0.  The runtime must be running,
 * and the caller see to it that it does not end (entry.h).  In assembly:
 * base/ARCH/kept.S. */
void world_stop(enum world_how how);
void world_stop_kept(const struct kept *kept, enum world_how how);
void world_start(void);

/* Has the calling thread stopped it? */
bool world_is_mine(void);

/* The registers of who has. */
extern struct kept world_kept;

/* sysmon, which may not wait for another stopper.  False: there is one. */
bool world_stop_try(void);

/* g0, with a P, saw that the world stops: mp has none afterwards. */
void world_hold(struct m *mp);

static inline bool world_stops(void)
{
	return rt_unlikely(rt_load_relaxed(&sched.stopped));
}

#endif
