/* SPDX-License-Identifier: MIT */
/*
 * timer.h - timers that call back, and tickers that send on a channel.
 *
 * Times are deadlines (gamp/api.h): 0 and GAMP_FOREVER never come, a time that
 * is past comes at once (a negative one counts as 1).  A period is kept without
 * drift: the nth time is when + n * period, however late the one before was;
 * times that have been missed altogether are left out.
 */
#ifndef GAMP_TIMER_H
#define GAMP_TIMER_H

#include <gamp/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A timer that calls back.  Zero: not armed, and ready for use.  May not be
 * moved or freed while armed. */
struct gamp_timer {
	uint64_t opaque[10];
};

/*
 * gamp_timer_start - call fn(arg) at a time, in a goroutine of its own
 *
 * period > 0: and again each period, until it is stopped.  If no goroutine can
 * be had at the time (max_goroutines, memory), it is tried again every
 * millisecond; nothing is lost.
 *
 * Errors	-EBUSY		it is armed already
 *		-EINVAL		t or fn is null, or period is negative
 *		-ENOMEM		the table of timers is full
 *		-ESRCH		the runtime is not running
 * Parks	never.
 * Threads	any thread; start and reset of one timer not at once.
 */
GAMP_API int gamp_timer_start(struct gamp_timer *t, int64_t when,
    int64_t period, gamp_fn *fn, void *arg);

/*
 * gamp_timer_start_short - call fn(arg) at a time, on the scheduler's stack
 *
 * No goroutine is started: fn holds up everything else on its P.  It must be
 * short and may not park: only calls that never park (gamp_chan_trysend,
 * gamp_go, gamp_cancel, ...) are allowed.
 *
 * Errors	as gamp_timer_start
 * Parks	never.
 * Threads	any thread; start and reset of one timer not at once.
 */
GAMP_API int gamp_timer_start_short(struct gamp_timer *t, int64_t when,
    int64_t period, gamp_fn *fn, void *arg);

/*
 * gamp_timer_stop - stop a timer
 *
 * Exact: fn is called if and only if no stop said true since the start.  After
 * false it may be about to begin, or running, or over.
 *
 * Returns	true: it was armed, and fn will not be called.  With a period:
 *		no time is to come any more; the call for one that has come
 *		may still be about to begin, in its goroutine.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API bool gamp_timer_stop(struct gamp_timer *t);

/*
 * gamp_timer_reset - move a timer to another time, armed or not
 *
 * fn, arg, and the period stay.
 *
 * Returns	1: it was armed, and will now come at `when` only;
 *		0: it was not armed (never started, fired, stopped): it is now,
 *		unless it was never started.
 * Errors	-ENOMEM, -ESRCH	as gamp_timer_start
 * Parks	never.
 * Threads	any thread; start and reset of one timer not at once.
 */
GAMP_API int gamp_timer_reset(struct gamp_timer *t, int64_t when);

/* Sends the time it was due on a channel. */
struct gamp_ticker;

/*
 * gamp_ticker_new - a ticker: sends on its channel at `when`, then each period
 *
 * period 0: once.  What is sent is the time, an int64_t, at which it was due.
 * The channel holds one value: ticks that nobody receives are dropped.
 *
 * Returns	the ticker; null: no memory, the table of timers is full, the
 *		period is negative, or the runtime does not run.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API struct gamp_ticker *gamp_ticker_new(int64_t when, int64_t period);

/*
 * gamp_after - a ticker that sends once, ns from now
 *
 * Returns	as gamp_ticker_new
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API struct gamp_ticker *gamp_after(int64_t ns);

/*
 * gamp_ticker_chan - the channel to receive from
 *
 * It is the ticker's, and goes with it.
 *
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API struct gamp_chan *gamp_ticker_chan(struct gamp_ticker *t);

/*
 * gamp_ticker_stop - stop sending; the channel stays open
 *
 * A tick that was sent and not received yet is taken back: nothing is received
 * after this returns, until a reset.
 *
 * Returns	true: it would have sent again, or a tick was taken back
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API bool gamp_ticker_stop(struct gamp_ticker *t);

/*
 * gamp_ticker_reset - stop, and begin anew
 *
 * Returns	as gamp_ticker_stop: 1 or 0
 * Errors	-EINVAL		period is negative; nothing was done
 *		-ENOMEM		the table of timers is full: it is stopped
 *		-ESRCH		the runtime is not running
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_ticker_reset(
    struct gamp_ticker *t, int64_t when, int64_t period);

/*
 * gamp_ticker_free - stop and free a ticker, and its channel
 *
 * Null is allowed.
 *
 * Errors	-EBUSY		somebody waits on its channel: it is stopped,
 *				but not freed
 * Parks	never.
 * Threads	any thread; nobody may use it any more.
 */
GAMP_API int gamp_ticker_free(struct gamp_ticker *t);

#ifdef __cplusplus
}
#endif

#endif
