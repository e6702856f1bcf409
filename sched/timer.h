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
 *						run -> idle, then fires;
 *						a period: still armed
 *						fini -> idle
 *	  index HELD	it is due, but waits	run, each RETRY; stop; reset
 *			for what it needs
 *
 * Moving a timer later does not move it in the heap: `when` of the timer is
 * the truth, the key in the heap only a lower bound; run re-sorts what it
 * finds early.  (Deadlines move later on every request and fire never.)
 *
 * Exactness: fn is called if and only if no stop returned true between the
 * start and the call.  A stop that returns false may come while fn runs; who
 * must tell the old firing from a new one compares seq.
 *
 * A struct alarm is a timer that lies in the program's memory (fn is null) and
 * does what its kind says.  Two things about it differ:
 *
 * 1. Once it is idle its memory may be gone.  So run copies what firing takes
 *    (struct timer_due) under the lock, before it makes it idle, and does not
 *    touch it afterwards.  One with a period stays armed: the same section
 *    moves it to its next time, so that a stop says true until it has made an
 *    end of it.
 *
 * 2. It may need something that cannot be had now: a goroutine.  It counts as
 *    fired only when that is there:
 *
 *	run					anyone
 *	R1 lock: the first that is due needs	stop, reset: it is armed
 *	   one, and none is in hand; unlock
 *	R2 get one: no lock is held		stop, reset: it is armed
 *	R3 lock: look anew at who is first.	stop, reset: true before
 *	   Got one: copy, idle, unlock, fire.	R3, false after
 *	   Got none: all that are due and
 *	   need one go to the `held` list,
 *	   armed; one try for all of them
 *	   after RETRY
 *	R4 what is left in hand is given back
 *
 *    The held wait in order, and those that come due meanwhile queue behind
 *    them, so any number costs one try each millisecond, and holds up no
 *    other timer of the heap.
 *
 * Ghosts.  A timer that is stopped leaves its place to one of the heap's few
 * ghosts.  If it is started again before that ghost is needed elsewhere, it
 * takes the place back, and there is no work to do in the heap: a limit that
 * is set and cleared for each operation costs the same beside a million
 * others.  A ghost knows its timer by the address, which it does not follow:
 * the memory may be another timer's by now, to whom the place is as good as
 * any.  No ghost is ever at the top, so nobody wakes up for one, and there are
 * at most TIMER_GHOSTS of them, so nothing piles up.
 *
 * Who starts a timer must be alone in doing so (its descriptor's lock, or
 * the goroutine that owns it).  stop, reset and run may race freely.
 *
 * `next` is the earliest key, or when the held are tried: readable without
 * the lock; NEVER if empty.  It is stored before the lock is released and read
 * by Ms that decide how long to sleep; who arms an earlier timer than the
 * sleeper knew is expected to say so (wake_poller).
 */
#ifndef RT_SCHED_TIMER_H
#define RT_SCHED_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/lock.h"

#define TIMER_RETRY  NS_PER_MS /* between two looks for what the held need */
#define TIMER_GHOSTS 16

typedef void (*timer_fn)(void *arg, uint64_t seq);

struct timer {
	rt_aptr heap;	/* struct timers *; written under its lock */
	uint32_t index; /* place in the heap */
	int64_t when;
	timer_fn fn; /* null: a struct alarm */
	void *arg;
	uint64_t seq;
};

struct alarm;

/* A firing: what its timer said.  An alarm that is no longer armed may be
 * gone by now. */
struct timer_due {
	timer_fn fn;
	void *arg;
	uint64_t seq;
	int64_t when; /* it was due */
	const struct alarm_kind *kind;
	void *got; /* by kind->get */
};

/* What an alarm does.  Those that need something (get) all need the same. */
struct alarm_kind {
	/* On a scheduler's stack, without locks, as fn of other timers. */
	void (*fire)(const struct timer_due *due);
	/* Under the heap's lock, just before it fires; or null. */
	void (*take)(struct alarm *a);
	/* Without locks: what fire needs, or null if there is none now; put:
	 * nobody needs it any more.  Or null, both. */
	void *(*get)(void);
	void (*put)(void *got);
};

struct alarm {
	struct timer t;
	int64_t period; /* 0: once */
	const struct alarm_kind *kind;
	struct alarm *next, *prev; /* while it is held: the heap's lock */
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
	/* Due, and waiting for what they need; n + nheld <= cap. */
	struct alarm *held, *last_held;
	uint32_t nheld;
	int64_t retry; /* when to look for it again */
	uint32_t hand; /* the next ghost to use */
	struct timer ghost[TIMER_GHOSTS]; /* arg: whose place it keeps */
};

/* Reserves room for cap timers, or for fewer.  0 or -errno. */
int timers_init(struct timers *h, uint32_t cap);

/* What is armed is idle afterwards, and is not called.  No thread may run
 * these timers any more, and the memory of those that are armed must still be
 * there. */
void timers_fini(struct timers *h);

/* Arms an idle timer; fn, arg and seq are set by the caller.  -ENOMEM if the
 * heap is full. */
int timer_start(struct timers *h, struct timer *t, int64_t when);

/* True if it was armed: fn will not be called for this start. */
bool timer_stop(struct timer *t);

/* As timer_stop, if it would call fn: for who only knows the memory. */
bool timer_stop_fn(struct timer *t, timer_fn fn);

/* Moves an armed timer and gives it a new seq.  False if it was not armed. */
bool timer_reset(struct timer *t, int64_t when, uint64_t seq);

/* Moves an armed timer: the heap it is in, or null if it was not armed.
 * *sooner: it comes before what was the earliest of that heap. */
struct timers *timer_shift(struct timer *t, int64_t when, bool *sooner);

/* Moves all that is armed from one heap to the other: as if it had been armed
 * there.  Beside stop and reset, not beside start or run.  What does not fit
 * stays. */
void timers_move(struct timers *to, struct timers *from);

/* Calls what is due at `now`; returns how many. */
int timers_run(struct timers *h, int64_t now);

/* How many are armed, and ghosts. */
uint32_t timers_count(struct timers *h);

/* Gives memory of a former spike back. */
void timers_trim(struct timers *h);

static inline int64_t timers_next(struct timers *h)
{
	return rt_load_acquire(&h->next);
}

/* Any thread.  No: nobody will touch it until it is started again. */
static inline bool timer_armed(struct timer *t)
{
	return rt_load_acquire(&t->heap) != 0;
}

#endif
