/* SPDX-License-Identifier: MIT */
/* sleep.h - parking until a time, and timers of goroutines. */
#ifndef RT_SCHED_SLEEP_H
#define RT_SCHED_SLEEP_H

#include "sched/m.h"

/* Goroutine, entered.  0; -ECANCELED; -ENOMEM: too many timers. */
int sleep_until(struct m *mp, int64_t when);

/* Arms t on a heap near the caller, and lets the poller know.  Any thread;
 * an M must have entered. */
int timer_arm(struct timer *t, int64_t when);

/* Moves t if it is armed; lets the poller know. */
bool timer_move(struct timer *t, int64_t when, uint64_t seq);

#endif
