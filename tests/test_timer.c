/* SPDX-License-Identifier: MIT */
/*
 * test_timer.c - timers that call back: what gamp/timer.h promises of start,
 * stop and reset.  test_ticker.c has the tickers, test_heap.c the heap.
 *
 * Nothing is said about how late a callback may be but for LIMIT.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "sched/sched.h"
#include "tests/chan_util.h"

#define HOUR (3600 * GAMP_SECOND)

typedef int start_fn(struct gamp_timer *t, int64_t when, int64_t period,
    gamp_fn *fn, void *arg);

/* Both kinds. */
static start_fn *const starts[] = { gamp_timer_start,
	gamp_timer_start_short };

static atomic_int calls;
static struct gamp_timer timer;

static void add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&calls, 1);
}

static void fresh(void)
{
	atomic_store(&calls, 0);
	timer = (struct gamp_timer){ 0 };
}

static int64_t from_now(int64_t ns)
{
	return gamp_now() + ns;
}

/* In all heaps. */
static uint32_t entries(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < procs(); i++)
		n += timers_count(&sched.ps[i].timers);
	return n;
}

/* A callback, its time, its argument. */

static struct seen {
	int64_t when;
	atomic_int n;
	_Atomic int64_t at;
	bool in_goroutine;
} seen;

static void look(void *arg)
{
	struct seen *s = arg;
	int64_t now = gamp_now();

	atomic_store(&s->at, now);
	CHECK(now >= s->when);
	CHECK_EQ(gamp_self() > 0, s->in_goroutine);
	CHECK(!gamp_cancelled());
	if (s->in_goroutine)
		CHECK_EQ(gamp_sleep(1), 0);
	atomic_fetch_add(&s->n, 1);
}

static void once_main(void *arg)
{
	static const int64_t after[] = { -1, 0, 1, 1000, 100000, 3 * MS };

	(void)arg;
	fresh();
	for (size_t i = 0; i < 2 * LEN(after); i++) {
		start_fn *start_it = starts[i % 2];

		seen.when = from_now(after[i / 2]);
		seen.in_goroutine = i % 2 == 0;
		atomic_store(&seen.n, 0);
		CHECK_EQ(start_it(&timer, seen.when, 0, look, &seen), 0);
		AWAIT(atomic_load(&seen.n) == 1);
		CHECK(!gamp_timer_stop(&timer));
	}
	CHECK_EQ(atomic_load(&seen.n), 1);
}

static void a_timer_calls_back_once_at_its_time(void **state)
{
	(void)state;
	run_each(once_main);
}

static void past_main(void *arg)
{
	static const int64_t past[] = { 1, -1, INT64_MIN, INT64_MIN + 1 };

	(void)arg;
	fresh();
	for (size_t i = 0; i < 2 * LEN(past); i++) {
		CHECK_EQ(starts[i % 2](
			     &timer, past[i / 2], 0, add_one, NULL),
		    0);
		AWAIT(atomic_load(&calls) == (int)i + 1);
		CHECK_EQ(gamp_timer_reset(&timer, past[i / 2]), 0);
		AWAIT(atomic_load(&calls) == (int)i + 2);
		atomic_fetch_sub(&calls, 1);
	}
}

static void a_time_that_is_past_comes_at_once(void **state)
{
	(void)state;
	run_each(past_main);
}

static void never_main(void *arg)
{
	static const int64_t never[] = { 0, GAMP_FOREVER };

	(void)arg;
	fresh();
	for (size_t i = 0; i < 2 * LEN(never); i++) {
		CHECK_EQ(starts[i % 2](
			     &timer, never[i / 2], 1, never_run, NULL),
		    0);
		CHECK_EQ(gamp_sleep(MS), 0);
		CHECK_EQ(gamp_timer_start(&timer, 1, 0, never_run, NULL),
		    -EBUSY);
		CHECK_EQ(gamp_timer_reset(&timer, never[i / 2]), 1);
		CHECK(gamp_timer_stop(&timer));
	}
}

static void zero_and_forever_never_come(void **state)
{
	(void)state;
	run_each(never_main);
}

static void results_main(void *arg)
{
	struct gamp_timer unused = { { 0 } };

	(void)arg;
	fresh();
	CHECK_EQ(gamp_timer_start(NULL, 1, 0, add_one, NULL), -EINVAL);
	CHECK_EQ(gamp_timer_start(&timer, 1, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(gamp_timer_start(&timer, 1, -1, add_one, NULL), -EINVAL);
	CHECK_EQ(gamp_timer_start_short(&timer, 1, INT64_MIN, add_one, NULL),
	    -EINVAL);
	CHECK_EQ(gamp_timer_reset(NULL, 1), -EINVAL);
	CHECK(!gamp_timer_stop(NULL));
	CHECK(!gamp_timer_stop(&timer));
	/* Never started: nothing to call. */
	CHECK_EQ(gamp_timer_reset(&unused, 1), 0);
	CHECK(!gamp_timer_stop(&unused));

	CHECK_EQ(gamp_timer_start(&timer, from_now(HOUR), 0, never_run, NULL),
	    0);
	CHECK_EQ(gamp_timer_start(&timer, 1, 0, never_run, NULL), -EBUSY);
	CHECK_EQ(gamp_timer_start_short(&timer, 1, 0, never_run, NULL),
	    -EBUSY);
	CHECK_EQ(gamp_timer_reset(&timer, from_now(2 * HOUR)), 1);
	CHECK(gamp_timer_stop(&timer));
	CHECK(!gamp_timer_stop(&timer));
	CHECK_EQ(gamp_timer_reset(&timer, from_now(HOUR)), 0);
	CHECK_EQ(gamp_timer_reset(&timer, from_now(HOUR)), 1);
	CHECK(gamp_timer_stop(&timer));
	CHECK_EQ(entries(), 0);
	CHECK_EQ(atomic_load(&calls), 0);
}

static void start_stop_and_reset_say_what_was(void **state)
{
	(void)state;
	run_each(results_main);
	assert_int_equal(
	    gamp_timer_start(&timer, 1, 0, add_one, NULL), -ESRCH);
	assert_int_equal(gamp_timer_reset(&timer, 1), -ESRCH);
	assert_false(gamp_timer_stop(&timer));
}

/* Go's TestAfterFunc: each callback starts the next, and then sleeps. */
static int chain_left;

static void chain(void *arg)
{
	if (--chain_left > 0) {
		CHECK_EQ(gamp_timer_start(&timer, 1, 0, chain, arg), 0);
		(void)gamp_sleep(HOUR);
	} else {
		finished();
	}
}

static void chain_main(void *arg)
{
	(void)arg;
	fresh();
	begin();
	chain_left = 10;
	CHECK_EQ(gamp_timer_start(&timer, 1, 0, chain, NULL), 0);
	await_finished(1);
	end();
}

static void a_callback_starts_the_next(void **state)
{
	(void)state;
	run_each(chain_main);
}

/* Go's TestAfterQueuing. */
static const int slots[] = { 5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0 };

static struct {
	struct gamp_timer t[LEN(slots)];
	int order[LEN(slots)];
	atomic_int n;
} queue;

static void note_slot(void *arg)
{
	int n = atomic_load(&queue.n);

	queue.order[n] = *(const int *)arg;
	atomic_store(&queue.n, n + 1);
}

static void order_main(void *arg)
{
	int64_t t0 = from_now(MS);

	(void)arg;
	memset(&queue, 0, sizeof(queue));
	for (size_t i = 0; i < LEN(slots); i++)
		CHECK_EQ(gamp_timer_start_short(&queue.t[i],
			     t0 + slots[i] * 50 * GAMP_MICROSECOND, 0,
			     note_slot, (void *)&slots[i]),
		    0);
	AWAIT(atomic_load(&queue.n) == LEN(slots));
	for (size_t i = 1; i < LEN(slots); i++)
		CHECK(queue.order[i - 1] <= queue.order[i]);
}

static void timers_of_a_p_come_in_order(void **state)
{
	/* All are started before one is due: nobody is made to yield. */
	struct gamp_options o = { .seed = 7 };

	(void)state;
	for (int i = 0; i < 20; i++)
		run_with(order_main, &o);
}

/* Go's TestZeroTimer: none is missed. */

static void tell(void *arg)
{
	CHECK_EQ(gamp_chan_trysend(arg, NULL), 0);
}

static void zero_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 1);

	(void)arg;
	fresh();
	for (int i = 0; i < SCALE * 4000; i++) {
		start_fn *start_it = starts[i % 8 == 0 ? 0 : 1];

		CHECK_EQ(start_it(&timer, 1, 0, tell, ch), 0);
		if (!CHECK_EQ(
			gamp_chan_recv_until(ch, NULL, from_now(LIMIT)), 0))
			return;
	}
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void no_timer_of_the_past_is_missed(void **state)
{
	(void)state;
	run_each(zero_main);
}

static void crowd_main(void *arg)
{
	enum { SET = SCALE * 125000 };
	struct gamp_timer *t = calloc(SET, sizeof(*t));

	(void)arg;
	fresh();
	CHECK(t);
	for (int i = 0; i < SET; i++)
		CHECK_EQ(gamp_timer_start_short(&t[i],
			     i % 2 ? 1 : from_now(i % 1000), 0, add_one,
			     NULL),
		    0);
	AWAIT(atomic_load(&calls) == SET);
	for (int i = 0; i < SET; i++)
		CHECK(!gamp_timer_stop(&t[i]));
	CHECK_EQ(atomic_load(&calls), SET);
	CHECK_EQ(gamp_sleep(1), 0);
	free(t);
}

static void a_million_timers_all_come(void **state)
{
	(void)state;
	run_each(crowd_main);
}

static void cancel_main(void *arg)
{
	enum { SET = 100000 };
	static struct gamp_timer t[SET];

	(void)arg;
	fresh();
	for (int i = 0; i < SET; i++)
		CHECK_EQ(starts[i % 2](&t[i], from_now(HOUR + i), i % 3,
			     never_run, NULL),
		    0);
	CHECK(entries() >= SET);
	for (int i = 0; i < SET; i++)
		CHECK(gamp_timer_stop(&t[i]));
	CHECK_EQ(entries(), 0);
	/* Beside one that stays. */
	CHECK_EQ(gamp_timer_start(&timer, from_now(HOUR), 0, never_run, NULL),
	    0);
	for (int i = 0; i < SET; i++) {
		struct gamp_timer *one = &t[i % 100];

		CHECK_EQ(gamp_timer_start(one, from_now(HOUR + i), 0,
			     never_run, NULL),
		    0);
		CHECK(gamp_timer_stop(one));
	}
	CHECK(entries() <= 1 + procs() * TIMER_GHOSTS);
	CHECK(gamp_timer_stop(&timer));
	for (uint32_t i = 0; i < procs(); i++)
		CHECK_EQ(timers_next(&sched.ps[i].timers), NEVER);
	CHECK_EQ(entries(), 0);
}

static void what_is_cancelled_leaves_nothing_behind(void **state)
{
	(void)state;
	run_each(cancel_main);
}

/* Go's TestReset, and what moves earlier. */

static void reset_main(void *arg)
{
	(void)arg;
	fresh();
	for (int i = 0; i < 2; i++) {
		int64_t later;
		int r;

		seen.in_goroutine = i == 0;
		seen.when = from_now(2 * MS);
		later = seen.when + 8 * MS;
		atomic_store(&seen.n, 0);
		CHECK_EQ(starts[i](&timer, seen.when, 0, look, &seen), 0);
		r = gamp_timer_reset(&timer, later);
		CHECK(r == 0 || r == 1);
		/* 0: this took 2 ms, and it comes twice. */
		AWAIT(atomic_load(&seen.n) == 2 - r);
		CHECK(r == 0 || atomic_load(&seen.at) >= later);
		CHECK(!gamp_timer_stop(&timer));
		AWAIT(entries() == 0);
	}
	/* Earlier; then fired; then once more. */
	CHECK_EQ(gamp_timer_start(&timer, from_now(HOUR), 0, add_one, NULL),
	    0);
	for (int i = 1; i <= 5; i++)
		CHECK_EQ(gamp_timer_reset(&timer, from_now(HOUR / i)), 1);
	CHECK_EQ(gamp_timer_reset(&timer, 1), 1);
	AWAIT(atomic_load(&calls) == 1);
	CHECK_EQ(gamp_timer_reset(&timer, from_now(MS)), 0);
	AWAIT(atomic_load(&calls) == 2);
	CHECK_EQ(gamp_timer_reset(&timer, 0), 0);
	CHECK_EQ(gamp_timer_reset(&timer, GAMP_FOREVER), 1);
	CHECK(gamp_timer_stop(&timer));
}

static void a_reset_moves_a_timer_to_any_time(void **state)
{
	(void)state;
	run_each(reset_main);
}

/* Go's TestTimerModifiedEarlier, TestAdjustTimers. */
static void adjust_main(void *arg)
{
	enum { SET = 100, STEPS = 11 };
	static struct gamp_timer t[SET];
	int step[SET] = { 0 }, left = SET;
	uint64_t rnd = random64() | 1;

	(void)arg;
	fresh();
	memset(t, 0, sizeof(t));
	while (left > 0) {
		int i = (int)(next_random(&rnd) % SET);
		int64_t far = from_now(
		    (int64_t)(60 + next_random(&rnd) % 200) * GAMP_SECOND);

		switch (step[i]) {
		case 0:
			CHECK_EQ(starts[i % 2](&t[i], far, 0, add_one, NULL),
			    0);
			break;
		case 1:
		case 4:
		case 7:
			CHECK_EQ(gamp_timer_reset(&t[i], far), 1);
			break;
		case 2:
		case 5:
		case 8:
			CHECK(gamp_timer_stop(&t[i]));
			break;
		case 3:
		case 6:
			CHECK_EQ(gamp_timer_reset(&t[i], far), 0);
			break;
		case 9:
			CHECK_EQ(gamp_timer_reset(&t[i], 1), 0);
			left--;
			break;
		default:
			continue;
		}
		step[i]++;
	}
	AWAIT(atomic_load(&calls) == SET);
	CHECK_EQ(entries(), 0);
}

static void timers_moved_to_and_fro_all_come(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		run_each(adjust_main);
}

/* Periods. */

static struct periodic {
	int64_t when, period, last;
	atomic_int n, until;
	bool stopped; /* by itself */
} tick;

/* The nth call is not before the nth time. */
static void on_period(void *arg)
{
	struct periodic *p = arg;
	int n = atomic_load(&p->n);

	CHECK(gamp_now() >= p->when + n * p->period);
	if (n + 1 == atomic_load(&p->until)) {
		p->stopped = gamp_timer_stop(&timer);
		CHECK(!gamp_timer_stop(&timer));
	}
	atomic_store(&p->n, n + 1);
}

static void period_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		fresh();
		tick.when = from_now(MS);
		tick.period = 200 * GAMP_MICROSECOND;
		atomic_store(&tick.n, 0);
		atomic_store(&tick.until, 50);
		CHECK_EQ(starts[i](&timer, tick.when, tick.period, on_period,
			     &tick),
		    0);
		CHECK_EQ(gamp_timer_start(&timer, 1, 0, add_one, NULL),
		    -EBUSY);
		AWAIT(atomic_load(&tick.n) == 50);
		CHECK(tick.stopped);
		CHECK_EQ(gamp_sleep(5 * tick.period), 0);
		CHECK_EQ(atomic_load(&tick.n), 50);
		CHECK_EQ(entries(), 0);
	}
}

static void a_period_goes_on_until_stopped_from_within(void **state)
{
	(void)state;
	/* With one P, which nobody takes, no call overlaps another. */
	struct gamp_options o = { .seed = 7 };

	run_with(period_main, &o);
	run_with(period_main, &o);
}

static void drift_main(void *arg)
{
	int64_t when = from_now(MS), period = 30 * GAMP_MICROSECOND;
	struct alarm *a = (struct alarm *)&timer;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		fresh();
		CHECK_EQ(starts[i](&timer, when, period, add_one, NULL), 0);
		AWAIT(atomic_load(&calls) >= 100);
		CHECK(gamp_timer_stop(&timer));
		CHECK_EQ((a->t.when - when) % period, 0);
		CHECK(atomic_load(&calls) <=
		    (gamp_now() - when) / period + 1);
		CHECK_EQ(gamp_timer_reset(&timer, when + 7), 0);
		AWAIT(atomic_load(&calls) >= 200);
		CHECK(gamp_timer_stop(&timer));
		CHECK_EQ((a->t.when - when - 7) % period, 0);
		CHECK(gamp_now() >= when);
	}
}

static void a_period_does_not_drift(void **state)
{
	(void)state;
	run_each(drift_main);
}

static void missed_main(void *arg)
{
	int64_t period = 100 * GAMP_MICROSECOND, t;
	int before;

	(void)arg;
	fresh();
	CHECK_EQ(gamp_timer_start_short(
		     &timer, gamp_now(), period, add_one, NULL),
	    0);
	AWAIT(atomic_load(&calls) >= 1);
	before = atomic_load(&calls);
	t = gamp_now();
	while (gamp_now() < t + 50 * period)
		; /* the only P */
	CHECK_EQ(atomic_load(&calls), before);
	t = gamp_now();
	CHECK_EQ(gamp_sleep(1), 0);
	/* One for all that were missed. */
	CHECK(atomic_load(&calls) >= before + 1);
	CHECK(atomic_load(&calls) <=
	    before + 2 + (gamp_now() - t) / period);
	CHECK(gamp_timer_stop(&timer));
}

static void missed_times_are_left_out(void **state)
{
	(void)state;
	/* Whoever computes keeps its P. */
	struct gamp_options o = { .seed = 7 };

	for (int i = 0; i < 10; i++)
		run_with(missed_main, &o);
}

/* Callbacks that reset and stop their own timer, and others. */

static struct self {
	struct gamp_timer *t;
	int64_t period;
	int left, result;
	bool stops;
} self;

static void on_self(void *arg)
{
	struct self *s = arg;
	int want = s->period ? 1 : 0;

	if (s->left > 0) {
		s->left--;
		CHECK_EQ(gamp_timer_reset(s->t, s->left % 2 ? 1 : from_now(1)),
		    want);
		atomic_fetch_add(&calls, 1);
		return;
	}
	CHECK_EQ(gamp_timer_stop(s->t), want);
	atomic_fetch_add(&calls, 1);
}

static void self_main(void *arg)
{
	struct alarm *a = (struct alarm *)&timer;

	(void)arg;
	for (int i = 0; i < 4; i++) {
		fresh();
		self = (struct self){ &timer, i / 2 ? HOUR : 0, 500, 0,
			false };
		CHECK_EQ(starts[i % 2](&timer, 1, self.period, on_self, &self),
		    0);
		AWAIT(atomic_load(&calls) == 501);
		AWAIT(!timer_armed(&a->t));
	}
}

static void a_callback_resets_its_own_timer(void **state)
{
	(void)state;
	run_each(self_main);
}

enum { PAIRS = 200 };

static struct pair_of {
	struct gamp_timer t;
	struct pair_of *other;
	atomic_int called, stopped;
} pairs[PAIRS];

static void stop_other(void *arg)
{
	struct pair_of *p = arg;

	atomic_fetch_add(&p->called, 1);
	if (gamp_timer_stop(&p->other->t))
		atomic_fetch_add(&p->other->stopped, 1);
	atomic_fetch_add(&calls, 1);
}

/* Of two that are due at once, each stops the other. */
static void stop_each_other(void *arg)
{
	int stopped = 0;

	(void)arg;
	fresh();
	memset(pairs, 0, sizeof(pairs));
	for (int i = 0; i < PAIRS; i++) {
		pairs[i].other = &pairs[i ^ 1];
		CHECK_EQ(starts[i / 2 % 2](&pairs[i].t, from_now(MS / 2), 0,
			     stop_other, &pairs[i]),
		    0);
	}
	for (int i = 0; i < PAIRS; i++) {
		AWAIT(atomic_load(&pairs[i].called) +
			atomic_load(&pairs[i].stopped) ==
		    1);
		stopped += atomic_load(&pairs[i].stopped);
	}
	AWAIT(atomic_load(&calls) == PAIRS - stopped);
}

static void callbacks_stop_other_timers(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		run_each(stop_each_other);
}

/* What a short callback may do. */

static struct gamp_chan *woken;

/* The cancel last: without it main does not go on, and frees the channel. */
static void short_work(void *arg)
{
	int64_t v = 7;

	CHECK_EQ(gamp_self(), 0);
	CHECK(gamp_go(add_one, NULL) > 0);
	CHECK_EQ(gamp_chan_trysend(woken, &v), 0);
	CHECK_EQ(gamp_chan_send(woken, &v), -EDEADLK);
	CHECK_EQ(gamp_cancel(*(int64_t *)arg), 0);
}

static void sleep_long(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_sleep(HOUR), -ECANCELED);
	atomic_fetch_add(&calls, 1);
}

static void short_main(void *arg)
{
	int64_t id, v = 0;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		fresh();
		woken = gamp_chan_new(sizeof(v), 1);
		id = go(sleep_long, NULL);
		CHECK_EQ(gamp_timer_start_short(
			     &timer, from_now(i), 0, short_work, &id),
		    0);
		AWAIT(atomic_load(&calls) == 2);
		CHECK_EQ(gamp_chan_recv(woken, &v), 0);
		CHECK_EQ(v, 7);
		CHECK_EQ(gamp_chan_free(woken), 0);
	}
}

static void a_short_callback_starts_sends_and_cancels(void **state)
{
	(void)state;
	run_each(short_main);
}

/* What it cannot do: it is no goroutine, beside others that can run. */

static void short_yield(void *arg)
{
	gamp_yield();
	add_one(arg);
}

static void short_blocking(void *arg)
{
	gamp_enter_blocking();
	gamp_leave_blocking();
	gamp_leave_blocking();
	add_one(arg);
}

static void short_sleep(void *arg)
{
	CHECK_EQ(gamp_sleep(1), -EPERM);
	CHECK_EQ(gamp_sleep(0), -EPERM);
	add_one(arg);
}

static atomic_bool enough;

static void yield_on(void *arg)
{
	while (!atomic_load(&enough))
		gamp_yield();
	add_one(arg);
}

static void refuse_main(void *arg)
{
	static gamp_fn *const all[] = { short_yield, short_blocking,
		short_sleep };

	(void)arg;
	for (size_t i = 0; i < 10 * LEN(all); i++) {
		fresh();
		atomic_store(&enough, false);
		for (int k = 0; k < 4; k++)
			(void)go(yield_on, NULL);
		CHECK_EQ(gamp_timer_start_short(
			     &timer, 1, 0, all[i % LEN(all)], NULL),
		    0);
		AWAIT(atomic_load(&calls) == 1);
		atomic_store(&enough, true);
		AWAIT(atomic_load(&calls) == 5);
	}
}

static void a_short_callback_neither_yields_nor_waits(void **state)
{
	(void)state;
	run_each(refuse_main);
}

/* The memory is the program's as soon as a stop says false. */

struct gone {
	struct gamp_timer t;
	char rest[100];
};

static void free_it(void *arg)
{
	memset(arg, 0xEE, sizeof(struct gone));
	free(arg);
	atomic_fetch_add(&calls, 1);
}

static void free_main(void *arg)
{
	int started = 0, stopped = 0;
	uint64_t rnd = random64() | 1;

	(void)arg;
	fresh();
	for (int i = 0; i < SCALE * 2000; i++, started++) {
		struct gone *g = calloc(1, sizeof(*g));
		struct gamp_timer *t = malloc(sizeof(*t));

		/* Freed by its own callback. */
		CHECK_EQ(starts[i % 2](&g->t, 1, 0, free_it, g), 0);
		/* Freed by us. */
		*t = (struct gamp_timer){ 0 };
		CHECK_EQ(starts[i % 2](t,
			     from_now((int64_t)(next_random(&rnd) % 3000)),
			     0, add_one, NULL),
		    0);
		spin(next_random(&rnd) % 3000);
		if (i % 8 == 0)
			gamp_yield();
		stopped += gamp_timer_stop(t);
		memset(t, 0xEE, sizeof(*t));
		free(t);
	}
	AWAIT(atomic_load(&calls) == 2 * started - stopped);
}

static void a_timer_that_is_not_armed_may_be_freed(void **state)
{
	(void)state;
	run_each(free_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_timer_calls_back_once_at_its_time),
		TEST(a_time_that_is_past_comes_at_once),
		TEST(zero_and_forever_never_come),
		TEST(start_stop_and_reset_say_what_was),
		TEST(a_callback_starts_the_next),
		TEST(timers_of_a_p_come_in_order),
		TEST(no_timer_of_the_past_is_missed),
		TEST(a_million_timers_all_come),
		TEST(what_is_cancelled_leaves_nothing_behind),
		TEST(a_reset_moves_a_timer_to_any_time),
		TEST(timers_moved_to_and_fro_all_come),
		TEST(a_period_goes_on_until_stopped_from_within),
		TEST(a_period_does_not_drift),
		TEST(missed_times_are_left_out),
		TEST(a_callback_resets_its_own_timer),
		TEST(callbacks_stop_other_timers),
		TEST(a_short_callback_starts_sends_and_cancels),
		TEST(a_short_callback_neither_yields_nor_waits),
		TEST(a_timer_that_is_not_armed_may_be_freed),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
