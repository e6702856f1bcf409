/* SPDX-License-Identifier: MIT */
/*
 * guest.h - goroutines on threads that are not ours: guest mode.
 *
 * There is one M and one P.  The M is the host's thread, its g0 the host's own
 * stack, but only inside guest_poll; outside it the thread is like any other
 * (m_tls is null), and the P is idle, perhaps with goroutines in its rings.
 *
 *	host outside guest_poll		somebody with work
 *	-----------------------		------------------
 *	H1 consume the wake		W1 queue it (wake.h), or arm a timer
 *	H2 the P is idle: npidle++	F1 full fence
 *	F2 full fence			R2 npidle != 0? guest_wake
 *	H3 look at queues and timers	   (or poll_until is later: the same)
 *
 * Model: tests/model/model_guest.cpp.
 *
 * So a wake means that the descriptor is readable: one system call for any
 * number of them until the host has come and found nothing left to do (H1).
 * Where more could run as guest_poll returns, it wakes itself.  Whatever
 * would have an M started or woken (startm, wakep) wakes the host.
 *
 * A slice is that of the whole guest_poll: goroutines that yield to each other
 * for ever would keep the host away as well as one that computes.  Nobody
 * watches, so gamp_checkpoint looks at the clock for itself: its word is 1 as
 * long as there is a guest.  Every so many checkpoints it reads the clock, and
 * has the network and the timers looked at twice a millisecond.
 *
 * Nothing is detached, and a goroutine that is locked to its thread shares it
 * with the others: there is no other.
 */
#ifndef RT_SCHED_GUEST_H
#define RT_SCHED_GUEST_H

#include <pthread.h>

#include "sched/m.h"

/* pthread_t of the host; 0: the runtime is no guest, or does not run. */
extern rt_aptr guest_host;

static inline bool guest_on(void)
{
	return rt_unlikely(rt_load_relaxed(&guest_host) != 0);
}

/* The host's thread, which is in no goroutine: it may not wait for one. */
static inline bool guest_must_not_wait(void)
{
	return guest_on() && !m_self() &&
	    rt_load_relaxed(&guest_host) == (uintptr_t)pthread_self();
}

/* The calling thread becomes the host, and stops being it. */
void guest_start(void);
void guest_stop(void);

/* Any thread: makes the descriptor readable. */
void guest_wake(void);

/* The host.  max: turns; 0: no limit.  1: more could run; 0: not now. */
int guest_poll(int max);

/* The host: when guest_poll has something to do at the latest. */
int64_t guest_deadline(void);

/* The host, in a call of the program's: runs goroutines, and waits, until
 * somebody wakes the note.  False: it was limit, on the real clock (0: none),
 * before. */
bool guest_drive(struct note *until, int64_t limit);

/* loop.c, on g0: the goroutine for the next turn; null: guest_poll returns. */
struct g *guest_next(struct m *mp);

/* A goroutine that computes: lets the host go on when the slice is over. */
void guest_checkpoint(void);

/* In the child of a fork there is no guest. */
void guest_forked(void);

#endif
