/* SPDX-License-Identifier: MIT */
/*
 * leave.h - what a goroutine still has to do as it exits.
 *
 * Most have nothing to do, and pay one load for that (g.h, leaving).  Whoever
 * gives one something to do calls leave_arm:
 *
 *	1  what it deferred, the last first		defer.c
 *	2  one destructor of a value; then 1 again,	local.c
 *	   and so on until nothing is left
 *	3  it is out of its group			group.c
 *	   or done in its wait group			waitgroup.c
 *
 * Steps 1 and 2 are the program's code, which may do anything that goroutines
 * do.  Each thing is taken off before it is called, so gamp_exit in it drops
 * its frames and goes on with the rest: back to leave_run, whose place on the
 * stack is gp->frame while it runs.  The first gamp_exit drops nothing yet:
 * what was deferred may be about variables of the frames that it leaves.
 */
#ifndef RT_RUNTIME_LEAVE_H
#define RT_RUNTIME_LEAVE_H

#include "sched/g.h"

/* The program's code; returns when the goroutine has nothing left to do. */
void leave_run(struct g *gp);

/* In the program's code that leave_run called: goes on with the rest. */
_Noreturn void leave_again(struct g *gp);

/* Calls a destructor; false: there is no value left, and no memory. */
bool local_destroy(struct g *gp);

/* In the child of a fork: whoever made or freed a key is gone. */
void local_forked(void);

/* The same: signals come to the child as they did before it subscribed. */
void signal_forked(void);

/* gp, which is in a group, is out; the group's memory may be gone. */
void group_leave(struct g *gp);

/* The same for one that gamp_waitgroup_go started.  All it has to do if it is
 * `leaving` itself: nothing was deferred. */
void waitgroup_leave(struct g *gp);

static inline void leave_arm(struct g *gp)
{
	/* Another one, life.c's, calls leave_run itself. */
	if (!gp->leaving || gp->leaving == waitgroup_leave)
		gp->leaving = leave_run;
}

/* Takes back what the calling goroutine deferred. */
void defer_drop(gamp_fn *fn, void *arg);

#endif
