/* SPDX-License-Identifier: MIT */
/*
 * ticker.c - tickers: an alarm (sched/timer.h) that sends on a channel.
 *
 * All of a ticker is under its channel's guard, so that a tick is sent, taken
 * back or left out at one moment for whoever receives.  Stop and reset change
 * seq, stop the alarm, and empty the channel:
 *
 *	an M that fires			stop, reset
 *	F1 heap's lock: taken, with	S1 guard: seq++, the alarm is stopped
 *	   the seq and the time;	   (heap's lock inside)
 *	   refs++			S2 the tick in the channel is taken
 *	F2 guard: is it this seq?	   back; unguard
 *	   send; unguard
 *	F3 wake the receiver, refs--
 *
 * F2 before S1: the tick is in the channel, where S2 finds it, or was
 * received.  F2 after S2: it is of an old seq, and nothing is sent.  `live`
 * says that F2 is yet to come, so it is what stop returns, exactly.
 *
 * With a period the alarm stays armed over F1 to F3, and another M may take
 * the next time and be first at F2: the late one is left out (`last`), so ticks
 * never go back.
 *
 * References: one is the program's, until free; one is each firing's, from F1
 * on.  Free stops the alarm under the heap's lock, so no F1 comes later.
 */

#include <errno.h>

#include <gamp/timer.h>

#include "base/alloc.h"
#include "runtime/chan.h"
#include "runtime/timer.h"
#include "sched/m.h"
#include "sched/sleep.h"

struct gamp_ticker {
	struct alarm alarm; /* seq and period: the guard */
	struct gamp_chan *ch;
	int64_t last; /* tick that was sent; the guard */
	bool live;    /* one is yet to come, */
	uint32_t run; /* in this run of the runtime; the guard */
	rt_a32 refs;
};

static void put(struct gamp_ticker *t)
{
	if (rt_sub_seqcst(&t->refs, 1) > 1)
		return;
	(void)gamp_chan_free(t->ch);
	rt_release(t);
}

/* F1 */
static void take(struct alarm *a)
{
	(void)rt_add_relaxed(&((struct gamp_ticker *)a)->refs, 1);
}

/* F2, F3 */
static void tick(const struct timer_due *due)
{
	struct gamp_ticker *t = due->arg;
	struct gamp_chan *ch = t->ch;
	struct wait *peer = NULL;

	guard_enter(&ch->guard);
	if (due->seq == t->alarm.t.seq && due->when >= t->last) {
		t->last = due->when;
		t->live = t->alarm.period > 0;
		(void)chan_send_now(
		    ch, &due->when, guard_is_solo(&ch->guard), &peer);
	}
	chan_exit(ch);
	if (peer)
		wait_wake(peer);
	put(t);
}

static const struct alarm_kind ticking = { .fire = tick, .take = take };

/* Nobody sends under a guard that we hold.  False: the runtime is down, and
 * the alarm is idle. */
static bool enter(struct gamp_ticker *t)
{
	bool up = alarm_enter(&t->alarm.t);

	(void)enter_shared();
	guard_enter(&t->ch->guard);
	return up;
}

static void leave(struct gamp_ticker *t, bool up, struct wait *peer)
{
	chan_exit(t->ch);
	if (peer)
		wait_wake(peer);
	m_exit();
	if (up)
		entry_end();
}

/* S1, S2.  *peer: somebody else sends on our channel. */
static bool stop_guarded(struct gamp_ticker *t, bool up, struct wait **peer)
{
	bool live =
	    t->live && up && t->run == rt_load_relaxed(&entry_runs);

	(void)timer_stop(&t->alarm.t);
	t->alarm.t.seq++;
	t->live = false;
	return chan_recv_now(t->ch, NULL, guard_is_solo(&t->ch->guard),
		   peer) == 0 ||
	    live;
}

static int arm_guarded(
    struct gamp_ticker *t, bool up, int64_t when, int64_t period)
{
	int r = -ESRCH;

	t->alarm.period = period;
	t->last = INT64_MIN;
	t->run = rt_load_relaxed(&entry_runs);
	if (up)
		r = timer_arm(&t->alarm.t, clock_deadline(when));
	t->live = r == 0;
	return r;
}

static struct gamp_ticker *make(void)
{
	struct gamp_ticker *t = rt_alloc_zero(sizeof(*t));

	if (!t)
		return NULL;
	t->ch = gamp_chan_new(sizeof(int64_t), 1);
	if (!t->ch) {
		rt_release(t);
		return NULL;
	}
	t->alarm.t.arg = t;
	t->alarm.kind = &ticking;
	rt_store_relaxed(&t->refs, 1);
	return t;
}

struct gamp_ticker *gamp_ticker_new(int64_t when, int64_t period)
{
	struct gamp_ticker *t = period >= 0 ? make() : NULL;
	bool up;
	int r;

	if (!t)
		return NULL;
	up = enter(t);
	r = arm_guarded(t, up, when, period);
	leave(t, up, NULL);
	if (r == 0)
		return t;
	put(t);
	return NULL;
}

/* A time that is past must not come out as 0: that never comes. */
struct gamp_ticker *gamp_after(int64_t ns)
{
	return gamp_ticker_new(
	    clock_after(clock_now(), ns > 0 ? ns : 0), 0);
}

struct gamp_chan *gamp_ticker_chan(struct gamp_ticker *t)
{
	return t ? t->ch : NULL;
}

bool gamp_ticker_stop(struct gamp_ticker *t)
{
	struct wait *peer;
	bool up, was;

	if (!t)
		return false;
	up = enter(t);
	was = stop_guarded(t, up, &peer);
	leave(t, up, peer);
	return was;
}

int gamp_ticker_reset(struct gamp_ticker *t, int64_t when, int64_t period)
{
	struct wait *peer;
	bool up;
	int was, r;

	if (!t || period < 0)
		return -EINVAL;
	up = enter(t);
	was = stop_guarded(t, up, &peer);
	r = arm_guarded(t, up, when, period);
	leave(t, up, peer);
	return r < 0 ? r : was;
}

int gamp_ticker_free(struct gamp_ticker *t)
{
	struct wait *peer;
	bool up, busy;

	if (!t)
		return 0;
	up = enter(t);
	(void)stop_guarded(t, up, &peer);
	busy = t->ch->recvq.first || t->ch->sendq.first;
	leave(t, up, peer);
	if (busy)
		return -EBUSY;
	put(t);
	return 0;
}
