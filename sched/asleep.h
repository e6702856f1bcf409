/* SPDX-License-Identifier: MIT */
/*
 * asleep.h - can anything still happen?  If not, gamp_run is told.
 *
 * A deadlock is reported only if nothing that could end it exists:
 *
 *	what could wake a goroutine	why it cannot
 *	---------------------------	-------------
 *	another goroutine		each one is WAITING: none is runnable,
 *					in a blocking call, or detached
 *	a start that is queued		all queues are empty, none is starved
 *	a timer, a deadline, a ticker	no heap has one
 *	a descriptor			nobody waits for one, none is armed
 *	a thread of the program		the process has none but ours and the
 *					one that sleeps in gamp_run
 *	a name lookup			is a goroutine in a blocking call
 *	gamp_stop, a canceller		is one of the above; `stopping` is off
 *	a signal handler		may not call us
 *
 * Each of these lasts once all hold together, for whoever could change one is
 * another of them.  They are looked at one after the other:
 *
 *	1  all Ps idle, all queues and heaps empty
 *	2  nobody waits for a descriptor
 *	3  all threads are ours, and asleep in the kernel
 *	4  all goroutines WAITING, and as many as are counted
 *	5  as 1, and no P has run since (their ticks)
 *
 * An M without a P may be about to queue what a poll has found.  Then either
 * the waiter was still there at 2; or the M runs at 3; or by then it has made
 * the goroutine runnable, or holds a start that is counted, and 4 says no; or
 * it has queued it, and 5 says no.
 *
 * It may miss a deadlock (a library's idle thread could always send): then
 * gamp_run waits, as it would have done.  It may not invent one.
 *
 * Where: sysmon, when all Ps have been idle for a quarter of a second, before
 * it goes to sleep for good.  If 3 alone says no, which a loaded machine is
 * enough for, it looks some more times, twice as late each.  Only gamp_run is
 * watched: who calls gamp_start has a thread of its own, which may come back.
 */
#ifndef RT_SCHED_ASLEEP_H
#define RT_SCHED_ASLEEP_H

#include <stdbool.h>
#include <stdint.h>

/* gamp_run: the calling thread sleeps now until `deadlocked` is called (once,
 * by a thread of ours), or main has exited. */
void asleep_watch(void (*deadlocked)(void));
void asleep_unwatch(void);

/* sysmon.  True: only a thread is in the way, which may be about to sleep, or
 * to end. */
bool asleep_look(void);

#endif
