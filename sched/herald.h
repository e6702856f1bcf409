/* SPDX-License-Identifier: MIT */
/*
 * herald.h - a thread that reports when something has to be said: a dump on
 * a signal, a deadlock.
 *
 * There is one only from the moment it may be needed: from the start if the
 * program asked for a dump_signal, else when the first deadlock is seen.  It
 * sleeps until it is told; a signal handler does no more than that.
 */
#ifndef RT_SCHED_HERALD_H
#define RT_SCHED_HERALD_H

#include <stdbool.h>

/* dump_signal: 0, none.  0 or -errno, and then nothing is left behind. */
int herald_start(int dump_signal);
void herald_stop(void);

/* sysmon: nothing can run any more.  Reports it, then calls what gamp_run
 * wants to be called. */
void herald_deadlock(void (*then)(void));

/* The thread's, or 0. */
int herald_tid(void);

#endif
