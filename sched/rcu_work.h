/* SPDX-License-Identifier: MIT */
/*
 * rcu_work.h - who waits for grace periods, and what runs after one.
 *
 *	rcu_call   ---> blocks of records ---\
 *	rcu_wait   ---> waiters: a grace      >--- work.lock ---> the worker
 *	rcu_barrier --> waiters: records run /
 *
 *	worker:	take all that is there; one grace period; wake the waiters of
 *		grace; run the records in order; wake those of records; again
 *
 * The worker is a thread of its own: a deferred call may block it, and the
 * runtime need not run.  It is started by the first that needs it.  While the
 * runtime runs it stays, asleep in a futex; else it ends when there has been
 * nothing to do for a while.
 *
 *	state	  meaning			who leaves it, and how
 *	NONE	  no thread			who needs it -> STARTS
 *	STARTS	  somebody starts it		that one -> RUNS, NONE
 *	RUNS					itself -> NONE, ENDED
 *	ENDED	  rcu_stop joins it		rcu_stop -> NONE
 *
 *	sleep	  when				who wakes it
 *	ASLEEP	  there is nothing		whoever adds anything
 *	LINGERS	  for a millisecond, with a	whoever waits, or adds the
 *		  few records: more will come	URGENT-th
 *	AWAKE	  else				nobody
 *
 * Invariants
 *	I1  Records run in the order in which they were queued; `done` of those
 *	    `queued` so far have.
 *	I2  A worker does not end while anybody waits.
 */
#ifndef RT_SCHED_RCU_WORK_H
#define RT_SCHED_RCU_WORK_H

#include <gamp/go.h>

/* Calls fn(arg) after a grace period.  0, -ENOMEM, -EAGAIN (no thread).  Any
 * thread; no lock of ours held.  May sleep: rcu_work.c, throttle. */
int rcu_call(gamp_fn *fn, void *arg);

/* A grace period passes.  Parks, or blocks.  0, or -EDEADLK: in a section, or
 * in the callback of a short timer.  An M must have entered. */
int rcu_wait(void);

/* All records queued so far have run.  As rcu_wait; -EAGAIN: no thread;
 * -EDEADLK in a record, too. */
int rcu_barrier(void);

/* Is the caller where neither works? */
bool rcu_may_not_wait(void);

/* The runtime starts; rcu_flush, when its goroutines are gone: runs all that
 * is queued, or -ETIMEDOUT at `limit` (real clock; 0: none); it has stopped. */
void rcu_start(void);
int rcu_flush(int64_t limit);
void rcu_stop(void);

/* The worker's number to the kernel, if it sleeps and has nothing to do. */
int rcu_work_asleep(void);

#endif
