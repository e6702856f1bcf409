/* SPDX-License-Identifier: MIT */
/* timer.h - what timers and tickers share. */
#ifndef RT_RUNTIME_TIMER_H
#define RT_RUNTIME_TIMER_H

#include "sched/entry.h"
#include "sched/timer.h"

/* Slow half of alarm_enter. */
bool alarm_wait_down(struct timer *t);

/*
 * As entry_begin, for who may touch the alarm t; entry_end follows.  False:
 * the runtime is down, and t is idle, whatever it was before.
 */
static inline bool alarm_enter(struct timer *t)
{
	return rt_likely(entry_begin()) || alarm_wait_down(t);
}

#endif
