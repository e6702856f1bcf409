/* SPDX-License-Identifier: MIT */
/*
 * park.h - the one way a goroutine stops, and the one way it goes on.
 *
 *	waiter (on its stack)          scheduler's stack        waker
 *	---------------------          -----------------        -----
 *	publish intent ("waiting")
 *	rt_park(commit, arg, why)
 *	        \--- switch --->       g: RUNNING -> WAITING
 *	                               commit(g, arg)
 *	                                 true: g may be found   takes g out,
 *	                                 false: resume g now    rt_ready(g)
 *
 * commit runs after g has left its stack, so a waker that finds g may run it
 * at once on another thread.  Everything a waiter must do "after it sleeps"
 * (unlock a channel, link itself, CAS a word) is done in its own commit;
 * there is no list of things the scheduler does on its behalf.
 */
#ifndef RT_SCHED_PARK_H
#define RT_SCHED_PARK_H

#include <stdbool.h>

#include "sched/g.h"

/* Runs on the scheduler's stack: may not park, may not use g's stack, and
 * may not touch g after it let g be found. */
typedef bool (*rt_commit_fn)(struct g *gp, void *arg);

/* Between m_enter and m_exit.  Returns when readied, on any thread. */
void rt_park(rt_commit_fn commit, void *arg, enum rt_why why);

/* As rt_park, for who holds guards, or is in a solo section. */
void rt_park_now(rt_commit_fn commit, void *arg, enum rt_why why);

/* Between m_enter and m_exit, or on a scheduler's stack, or on a thread that
 * is not the runtime's.  gp must be WAITING, and is the caller's to wake. */
void rt_ready(struct g *gp);

/* Queues a goroutine that g_new made. */
void rt_start(struct g *gp);

/* Makes gp runnable and appends it to l; rt_ready without the queueing. */
void rt_ready_onto(struct task_list *l, struct g *gp);

/* Queues goroutines that are runnable already, as rt_ready does. */
void rt_queue_list(struct task_list *l);

/* Between m_enter and m_exit. */
void rt_yield(void);

/* The same through g0, which puts who is low where it belongs. */
void rt_yield_far(void);

/* Ends the calling goroutine. */
_Noreturn void rt_goexit(void);

#endif
