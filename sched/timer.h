/* SPDX-License-Identifier: MIT */
/*
 * timer.h - a P's timers: a 4-ary heap under a lock.
 *
 * A timer calls fn(arg, seq) once, at or after `when`, on a scheduler's stack
 * and with no lock held.  The heap is an array of (when, timer); a timer knows
 * its place, so stopping is O(log n) and leaves nothing behind.
 *
 *	timer		meaning			who leaves it, and how
 *	heap == 0	idle or firing		start -> armed
 *	heap != 0	armed in that heap	stop -> idle, true
 *						run -> idle, then calls fn
 *
 * Moving a timer later does not move it in the heap: `when` of the timer is
 * the truth, the key in the heap only a lower bound; run re-sorts what it
 * finds early.  (Deadlines move later on every request and fire never.)
 *
 * Exactness: fn is called if and only if no stop returned true between the
 * start and the call.  A stop that returns false may come while fn runs; who
 * must tell the old firing from a new one compares seq.
 *
 * Who starts a timer must be alone in doing so (its descriptor's lock, or
 * the goroutine that owns it).  stop, reset and run may race freely.
 *
 * `next` is the earliest key, readable without the lock: NEVER if empty.
 * It is stored before the lock is released and read by Ms that decide how
 * long to sleep; who arms an earlier timer than the sleeper knew is expected
 * to say so (wake_poller).
 */
#ifndef RT_SCHED_TIMER_H
#define RT_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/lock.h"

typedef void (*timer_fn)(void *arg, uint64_t seq);

struct timer {
	rt_aptr heap;	/* struct timers *; written under its lock */
	uint32_t index; /* place in the heap */
	int64_t when;
	timer_fn fn;
	void *arg;
	uint64_t seq;
};

struct timer_entry {
	int64_t when; /* <= t->when */
	struct timer *t;
};

struct timers {
	_Alignas(RT_LINE) rt_atime next;
	struct rt_lock lock;
	uint32_t n, cap, high;
	struct timer_entry *heap; /* reserved for cap, touched up to high */
};

/* Reserves room for cap timers, or for fewer.  0 or -errno. */
int timers_init(struct timers *h, uint32_t cap);
void timers_fini(struct timers *h);

/* Arms an idle timer; fn, arg and seq are set by the caller.  -ENOMEM if the
 * heap is full. */
int timer_start(struct timers *h, struct timer *t, int64_t when);

/* True if it was armed: fn will not be called for this start. */
bool timer_stop(struct timer *t);

/* As timer_stop, for the start that had this seq and no later one: for who
 * no longer knows that the timer is still its own. */
bool timer_stop_seq(struct timer *t, uint64_t seq);

/* As timer_stop, if it would call fn: for who only knows the memory. */
bool timer_stop_fn(struct timer *t, timer_fn fn);

/* Moves an armed timer and gives it a new seq.  False if it was not armed. */
bool timer_reset(struct timer *t, int64_t when, uint64_t seq);

/* Calls what is due at `now`; returns how many. */
int timers_run(struct timers *h, int64_t now);

/* Gives memory of a former spike back. */
void timers_trim(struct timers *h);

static inline int64_t timers_next(struct timers *h)
{
	return rt_load_acquire(&h->next);
}

#endif
