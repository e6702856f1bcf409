/* SPDX-License-Identifier: MIT */
/*
 * detach.h - nothing that a goroutine does stalls the others: a P is taken
 * from the thread that does not come back.  The protocol is in m.h.
 *
 *	why		who			when
 *	---		---			----
 *	announced	blocking_enter		at once, if work waits; else
 *						sysmon at its next look
 *	blocked		sysmon			the kernel says that the thread
 *						sleeps (thread_state)
 *	computing	sysmon			its slice is over, it was asked
 *						(M_PREEMPT), and did not come
 *	stop		world.c			at once; a collector's
 *						only the announced
 *
 * The goroutine goes on as a thread and gets a P, or queues for one, at its
 * next call into the runtime (reattach).
 *
 * Hogs.  A goroutine that was taken while it computes competes for processors
 * with the Ps, as a thread of its own.  Its thread is made nice: HOG_NICE, or
 * HOG_NICE_MANY when there are more than HOGS_FEW per processor, so that a
 * few long computations go on at a fair part of the speed and a thousand leave
 * room for the rest.  It also gets longer slices from the kernel (HOG_SLICE),
 * and sysmon shorter ones than anybody: who wakes need not wait for the end of
 * a slice that is longer than its own.  Without that, beside a thousand loops,
 * each look of sysmon and each start of an M comes 3 ms late.  Back in the
 * runtime the thread becomes as it was; where the process may not raise it
 * again (an unprivileged one), it is spoilt: it ends as soon as its goroutine
 * has left it.  Threads that a goroutine is locked to are left alone.
 *
 * A spoilt thread takes no lock on its way out: others would wait for it while
 * it waits for a processor.  It leaves itself and its goroutine on a stack
 * (sched.spoilt) for sysmon.
 */
#ifndef RT_SCHED_DETACH_H
#define RT_SCHED_DETACH_H

#include "sched/m.h"

/* Takes the P of a thread that is in the program's code.  False: it is not.
 * hog: M_HOG, or 0. */
bool retake_locked(struct p *pp, uint32_t hog);

/* The same for every P that is owned; they become idle.  Or only for those
 * whose goroutines are in announced calls: the others are asked to let others
 * run.  Of threads that are in the runtime, it asks for attention. */
enum retake_whom { RETAKE_ANY, RETAKE_BLOCKING };
void retake_all_locked(enum retake_whom whom);

/* sysmon: takes pp for this reason and finds an M for it.  False: it was not
 * to be had, or there is no M to be had that could run it. */
bool detach(struct p *pp, enum detach_kind why);

/* Finds an M for a P that was taken or given up. */
void handoffp(struct p *pp);

/* Entered: the caller's goroutine gives up its P until it next enters.  The
 * second finds an M for it. */
struct p *give_up_locked(struct m *mp);
void give_up(struct m *mp);

/* The reverse: mp's goroutine has no P, and pp is nobody's. */
void attach_locked(struct m *mp, struct p *pp);

/* Around a call of the program that blocks the thread; the first is called by
 * gamp_enter_blocking (base/ARCH/kept.S), which everybody uses. */
void blocking_enter(const struct kept *kept);
void blocking_leave(void);

/* The beginning of the first, for who decides about its P; m_exit follows.
 * Null: not a goroutine, and nothing was done. */
struct m *blocking_begin(const struct kept *kept);

/* mp's goroutine no longer runs the program's code without a P. */
void settled_locked(struct m *mp);

/* g0 of a spoilt M, without a P: gp, which has left its stack (or null), and
 * mp are sysmon's.  The thread has to end. */
void spoilt_put(struct m *mp, struct g *gp);

/* sysmon: sees to what spoilt_put left. */
void spoilt_clear(void);

#endif
