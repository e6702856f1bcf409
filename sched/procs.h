/* SPDX-License-Identifier: MIT */
/*
 * procs.h - how many Ps there are, and how that changes while they run.
 *
 * Ps lie in one array with room for PROCS_MAX, of which only those that were
 * ever used take memory; they stay until the runtime stops, so that a P that
 * somebody still has the address of is always one.  procs() of them are in
 * use: the first ones.
 *
 * procs_set stops the world.  What Ps that go have is moved: goroutines to
 * the scheduler's queue, timers to P 0, free stacks to the arena.  Counters
 * stay where they are; who sums them looks at all that were ever made.
 */
#ifndef RT_SCHED_PROCS_H
#define RT_SCHED_PROCS_H

#include "sched/sched.h"

/* At start, before there are threads; all idle.  0 or -errno. */
int procs_init(uint32_t n);
void procs_fini(void);

/* sysmon: what the default is now; it may change nothing. */
void procs_follow(uint32_t n);

/* 1 to PROCS_MAX; as world_stop.  0, or -ENOMEM: nothing has changed. */
int procs_set(uint32_t n);

#endif
