/* SPDX-License-Identifier: MIT */
/*
 * watch.h - sysmon's look at a P that runs: does its M come back?
 *
 *	its goroutine			who waits		then
 *	-------------			---------		----
 *	in an announced call		-			P taken
 *	asleep in the kernel		anybody: here, a	P taken; soon
 *					queue, a timer		the next look
 *	asleep for a TICK		nobody			P taken: who
 *								polls?
 *	computing for URGENT_ASK	woken, or a timer; no	asked to yield
 *	for URGENT_TAKE			P is idle		P taken
 *	computing for a SLICE		anybody			asked to yield
 *	a TICK longer			the same, no P idle;	P taken
 *					or other hogs compute
 *	only ever from runnext		anybody			asked to yield
 */
#ifndef RT_SCHED_WATCH_H
#define RT_SCHED_WATCH_H

#include "sched/sched.h"

#define TICK NS_PER_MS /* between two looks, as a rule */

/* What all Ps have in common at a look. */
struct view {
	int64_t real;
	bool due;    /* a timer is, and nobody has run it */
	bool global; /* somebody waits in the scheduler's queues */
	bool woken;  /* and was woken */
	bool idle;   /* a P is idle: who waits has where to go */
	bool hurry;  /* some P was taken from a call, a few looks ago */
	bool took;   /* out: one was now */
	bool stuck;  /* out: one picks nothing while somebody waits */
};

void watch(struct p *pp, struct view *v);

#endif
