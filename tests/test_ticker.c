/* SPDX-License-Identifier: MIT */
/*
 * test_ticker.c - tickers: what gamp/timer.h promises of the times they send,
 * of stop and reset, which no stale tick may pass, and of free.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "tests/chan_util.h"

#define HOUR (3600 * GAMP_SECOND)
#define US   GAMP_MICROSECOND

static int64_t from_now(int64_t ns)
{
	return gamp_now() + ns;
}

static struct gamp_ticker *make(int64_t when, int64_t period)
{
	struct gamp_ticker *t = gamp_ticker_new(when, period);

	CHECK(t);
	return t;
}

/* The next tick; 0 if none comes. */
static int64_t next_tick(struct gamp_ticker *t)
{
	int64_t v = 0;

	CHECK_EQ(gamp_chan_recv_until(
		     gamp_ticker_chan(t), &v, from_now(LIMIT)),
	    0);
	CHECK(gamp_now() >= v);
	return v;
}

static bool has_tick(struct gamp_ticker *t)
{
	int64_t v;

	return gamp_chan_tryrecv(gamp_ticker_chan(t), &v) == 0;
}

/* A first tick.  With several Ps the second may overtake it, which is then left
 * out: ticks never go back. */
static void check_first(int64_t v, int64_t when, int64_t period)
{
	if (gamp_maxprocs(0) == 1)
		CHECK_EQ(v, when);
	CHECK(v >= when && (v - when) % period == 0);
}

static void drop(struct gamp_ticker *t)
{
	CHECK_EQ(gamp_ticker_free(t), 0);
}

/* Go's TestTicker. */
static void times_main(void *arg)
{
	int64_t when = from_now(MS), period = 100 * US, v, last = 0;
	struct gamp_ticker *t = make(when, period);

	(void)arg;
	CHECK_EQ((int64_t)gamp_chan_cap(gamp_ticker_chan(t)), 1);
	check_first(next_tick(t), when, period);
	for (int i = 0; i < 50; i++, last = v) {
		v = next_tick(t);
		CHECK(v > last);
		CHECK_EQ((v - when) % period, 0);
	}
	when = from_now(MS) + 3;
	CHECK(gamp_ticker_reset(t, when, 2 * period) >= 0);
	check_first(next_tick(t), when, 2 * period);
	for (int i = 0; i < 50; i++) {
		v = next_tick(t);
		CHECK(v > when);
		CHECK_EQ((v - when) % (2 * period), 0);
	}
	CHECK(gamp_ticker_stop(t));
	CHECK_EQ(gamp_sleep(5 * period), 0);
	CHECK(!has_tick(t));
	CHECK(!gamp_ticker_stop(t));
	drop(t);
}

static void ticks_are_exact_multiples_of_the_period(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		run_each(times_main);
}

/* Go's TestAfter, TestAfterTick, TestOverflowSleep. */
static void after_main(void *arg)
{
	static const int64_t past[] = { 0, -1, INT64_MIN };
	struct gamp_ticker *t, *big = gamp_after(INT64_MAX);
	int64_t v;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		int64_t t0 = gamp_now();

		t = gamp_after(i * 50 * US);
		v = next_tick(t);
		CHECK(v >= t0 + i * 50 * US && v <= gamp_now());
		CHECK(!gamp_ticker_stop(t));
		CHECK(!has_tick(t));
		drop(t);
	}
	for (size_t i = 0; i < LEN(past); i++) {
		t = gamp_after(past[i]);
		CHECK(next_tick(t) > 0);
		drop(t);
	}
	t = make(-1, 0); /* before all time: counts as 1 */
	CHECK_EQ(next_tick(t), 1);
	CHECK_EQ(gamp_ticker_reset(t, INT64_MIN, 0), 0);
	CHECK_EQ(next_tick(t), 1);
	drop(t);
	CHECK(!has_tick(big));
	CHECK(gamp_ticker_stop(big));
	drop(big);
}

static void after_sends_once(void **state)
{
	(void)state;
	run_each(after_main);
}

static void results_main(void *arg)
{
	static const int64_t never[] = { 0, GAMP_FOREVER };
	struct gamp_ticker *t;

	(void)arg;
	CHECK(!gamp_ticker_new(1, -1));
	CHECK(!gamp_ticker_chan(NULL));
	CHECK(!gamp_ticker_stop(NULL));
	CHECK_EQ(gamp_ticker_reset(NULL, 1, 1), -EINVAL);
	CHECK_EQ(gamp_ticker_free(NULL), 0);
	for (size_t i = 0; i < LEN(never); i++) {
		t = make(never[i], 1);
		CHECK_EQ(gamp_sleep(MS), 0);
		CHECK(!has_tick(t));
		CHECK_EQ(gamp_ticker_reset(t, never[i], 0), 1);
		CHECK_EQ(gamp_sleep(MS), 0);
		CHECK(!has_tick(t));
		CHECK(gamp_ticker_stop(t));
		CHECK(!gamp_ticker_stop(t));
		/* Refused: nothing was done. */
		CHECK_EQ(gamp_ticker_reset(t, from_now(HOUR), 0), 0);
		CHECK_EQ(gamp_ticker_reset(t, 1, -1), -EINVAL);
		CHECK(gamp_ticker_stop(t));
		drop(t);
	}
}

static void the_results_say_what_was(void **state)
{
	(void)state;
	run_each(results_main);
	assert_null(gamp_ticker_new(1, 1));
	assert_null(gamp_after(1));
}

/* Go's TestAfterStress. */
static void fast_main(void *arg)
{
	struct gamp_ticker *t = make(1, 1);
	int64_t last = 0;

	(void)arg;
	for (int i = 0; i < SCALE * 500; i++) {
		int64_t v = next_tick(t);

		CHECK(v > last);
		last = v;
	}
	CHECK(gamp_ticker_stop(t));
	drop(t);
}

static void a_period_of_a_nanosecond_is_bearable(void **state)
{
	(void)state;
	run_each(fast_main);
}

static void slow_main(void *arg)
{
	int64_t when = from_now(MS), period = 100 * US;
	struct gamp_ticker *t = make(when, period);
	int old = 0;

	(void)arg;
	AWAIT(gamp_chan_len(gamp_ticker_chan(t)) == 1);
	CHECK_EQ(gamp_sleep(20 * period), 0);
	/* The first is kept, the others are dropped. */
	CHECK_EQ(length(gamp_ticker_chan(t)), 1);
	check_first(next_tick(t), when, period);
	/* An M may have been about to send an old one all the while. */
	for (int i = 0; i < 4 && next_tick(t) <= when + 20 * period; i++)
		old++;
	CHECK(old < 4);
	drop(t);
}

static void ticks_that_nobody_receives_are_dropped(void **state)
{
	(void)state;
	run_each(slow_main);
}

static void taken_main(void *arg)
{
	struct gamp_ticker *t = make(1, 0);
	int64_t when;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		AWAIT(gamp_chan_len(gamp_ticker_chan(t)) == 1);
		if (i % 2) {
			CHECK(gamp_ticker_stop(t));
			CHECK(!gamp_ticker_stop(t));
			CHECK(!has_tick(t));
		}
		when = 2 + i;
		CHECK_EQ(gamp_ticker_reset(t, when, 0), i % 2 ? 0 : 1);
		CHECK_EQ(next_tick(t), when);
		CHECK_EQ(gamp_ticker_reset(t, 1, 0), 0);
	}
	drop(t);
}

static void stop_and_reset_take_a_tick_back(void **state)
{
	(void)state;
	run_each(taken_main);
}

/* Somebody whose M looks for timers all the time, ours among them. */
static atomic_bool quiet;

static void restless(void *arg)
{
	(void)arg;
	while (!atomic_load(&quiet))
		(void)gamp_sleep(1);
	finished();
}

static void stir(void)
{
	begin();
	atomic_store(&quiet, false);
	for (int i = 0; i < 2; i++)
		(void)go(restless, NULL);
}

static void calm(void)
{
	atomic_store(&quiet, true);
	await_finished(2);
	end();
}

static void pause_some(uint64_t *rnd)
{
	if (next_random(rnd) % 4 == 0)
		CHECK_EQ(gamp_sleep((int64_t)(next_random(rnd) % 3000)), 0);
	else
		spin(next_random(rnd) % 3000);
}

/* After a stop nothing comes, after a reset nothing old: many times, while
 * ticks are sent on other Ps. */
static void stale_main(void *arg)
{
	enum { N = 2000 + SCALE * 500 };
	struct gamp_ticker *t = make(from_now(1000), 1000);
	uint64_t rnd = random64() | 1;
	int taken_back = 0, received = 0;

	(void)arg;
	stir();
	for (int i = 0; i < N; i++) {
		int64_t when, v, period = 1 + i % 3000;

		pause_some(&rnd);
		if (i % 2 == 0) {
			int64_t had = length(gamp_ticker_chan(t));

			CHECK(gamp_ticker_stop(t));
			taken_back += had > 0;
			CHECK(!has_tick(t));
			pause_some(&rnd);
			CHECK(!has_tick(t));
		}
		when = from_now((int64_t)(next_random(&rnd) % 3000));
		CHECK_EQ(gamp_ticker_reset(t, when, period), i % 2);
		pause_some(&rnd);
		if (gamp_chan_tryrecv(gamp_ticker_chan(t), &v) == 0) {
			check_first(v, when, period);
			received++;
		}
	}
	CHECK(taken_back > N / 100 && received > N / 100);
	calm();
	drop(t);
}

static void no_stale_tick_is_ever_received(void **state)
{
	(void)state;
	run_each(stale_main);
	run_each(stale_main);
}

/* One that sends once: a receive or a stop that says true, not both. */

static struct once {
	struct gamp_ticker *t;
	uint64_t rnd;
	atomic_int received, stopped;
	atomic_bool over;
} once;

static void receiver(void *arg)
{
	struct once *o = arg;

	while (gamp_chan_recv(gamp_ticker_chan(o->t), NULL) == 0)
		atomic_fetch_add(&o->received, 1);
	finished();
}

static void other_stopper(void *arg)
{
	struct once *o = arg;

	while (!atomic_load(&o->over)) {
		atomic_fetch_add(&o->stopped, gamp_ticker_stop(o->t));
		pause_some(&o->rnd);
	}
	finished();
}

static void once_main(void *arg)
{
	enum { N = 2000 + SCALE * 1000, FEW = N / 100 };
	uint64_t rnd = random64() | 1;
	int armed = 1, taken_back = 0;

	(void)arg;
	begin();
	memset(&once, 0, sizeof(once));
	once.rnd = rnd + 2;
	once.t = make(from_now(1000), 0);
	(void)go(receiver, &once);
	(void)go(other_stopper, &once);
	/* Some, but however many it takes until both have had a few. */
	for (int i = 0; i < N || once.received < FEW || once.stopped < FEW;
	     i++) {
		int64_t when = from_now((int64_t)(next_random(&rnd) % 4000));
		int r = gamp_ticker_reset(once.t, when, 0);

		CHECK(r == 0 || r == 1);
		taken_back += r;
		armed++;
		pause_some(&rnd);
	}
	atomic_store(&once.over, true);
	AWAIT(armed ==
	    taken_back + atomic_load(&once.received) +
		atomic_load(&once.stopped));
	CHECK_EQ(gamp_chan_close(gamp_ticker_chan(once.t)), 0);
	await_finished(2);
	drop(once.t);
	end();
}

static void once_is_received_or_stopped(void **state)
{
	(void)state;
	run_each(once_main);
}

/* Free. */

static void free_waited_main(void *arg)
{
	struct gamp_ticker *t = make(from_now(HOUR), 1);
	int64_t id;

	(void)arg;
	begin();
	once.t = t;
	id = go(receiver, &once);
	await_parked(id, WHY_RECV);
	CHECK_EQ(gamp_ticker_free(t), -EBUSY);
	CHECK(!gamp_ticker_stop(t)); /* it is stopped */
	CHECK_EQ(gamp_ticker_reset(t, from_now(HOUR), 0), 0);
	CHECK_EQ(gamp_ticker_free(t), -EBUSY);
	CHECK_EQ(gamp_cancel(id), 0);
	await_finished(1);
	drop(t);
	end();
}

static void nobody_may_wait_on_what_is_freed(void **state)
{
	(void)state;
	run_each(free_waited_main);
}

/* A firing may be under way. */
static void free_main(void *arg)
{
	uint64_t rnd = random64() | 1;

	(void)arg;
	stir();
	for (int i = 0; i < 2000 + SCALE * 500; i++) {
		struct gamp_ticker *t = make(
		    from_now((int64_t)(next_random(&rnd) % 3000)), i % 3);

		pause_some(&rnd);
		if (i % 4 == 0)
			(void)next_tick(t);
		drop(t);
	}
	calm();
}

static void a_ticker_may_be_freed_while_it_fires(void **state)
{
	(void)state;
	run_each(free_main);
}

/* Go's TestTeardown; and timeouts in a select. */
static void select_main(void *arg)
{
	struct gamp_chan *never = gamp_chan_new(0, 0);

	(void)arg;
	for (int i = 0; i < 20; i++) {
		struct gamp_ticker *slow = gamp_after(HOUR);
		struct gamp_ticker *fast = gamp_after(100 * US);
		int64_t v[2] = { 0 };
		struct gamp_case c[] = {
			GAMP_RECV(never, NULL),
			GAMP_RECV(gamp_ticker_chan(slow), &v[0]),
			GAMP_RECV(gamp_ticker_chan(fast), &v[1]),
		};

		CHECK_EQ(gamp_select(c, 3), 2);
		CHECK(v[1] > 0 && v[1] <= gamp_now());
		drop(fast);
		CHECK(gamp_ticker_stop(slow));
		drop(slow);
	}
	CHECK_EQ(gamp_chan_free(never), 0);
}

static void a_select_times_out_by_a_ticker(void **state)
{
	(void)state;
	run_each(select_main);
}

/* Many at once, each with a receiver. */

enum { MANY = 200 };

static void count_ticks(void *arg)
{
	struct gamp_ticker *t = make(from_now(50 * US), (int64_t)(intptr_t)arg);
	int64_t last = 0;

	for (int i = 0; i < 20; i++) {
		int64_t v = next_tick(t);

		CHECK(v > last);
		last = v;
	}
	drop(t);
	finished();
}

static void many_main(void *arg)
{
	(void)arg;
	begin();
	for (intptr_t i = 0; i < MANY; i++)
		(void)go(count_ticks, (void *)(i * 1000 + 1));
	await_finished(MANY);
	end();
}

static void many_tick_beside_each_other(void **state)
{
	(void)state;
	run_each(many_main);
}

/* Threads; and a ticker that outlives the runtime. */

static void *use_from_outside(void *arg)
{
	int64_t when = from_now(100 * US), period = 50 * US, v, last = 0;
	struct gamp_ticker *t = make(when, period);

	(void)arg;
	for (int i = 0; i < 100; i++, last = v) {
		v = next_tick(t);
		CHECK(v > last);
		CHECK_EQ((v - when) % period, 0);
	}
	for (int i = 0; i < 200; i++) {
		CHECK(gamp_ticker_stop(t));
		CHECK(!has_tick(t));
		when = from_now(i % 3 * US);
		CHECK_EQ(gamp_ticker_reset(t, when, period), 0);
		if (i % 4 == 0)
			check_first(next_tick(t), when, period);
	}
	drop(t);
	return NULL;
}

static void threads_use_tickers(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 3; procs++) {
		pthread_t t[3];

		failed.count = 0;
		assert_int_equal(
		    gamp_start(&(struct gamp_options){ .maxprocs = procs }),
		    0);
		for (size_t i = 0; i < LEN(t); i++)
			assert_int_equal(pthread_create(&t[i], NULL,
					     use_from_outside, NULL),
			    0);
		for (size_t i = 0; i < LEN(t); i++)
			assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_int_equal(gamp_stop(0), 0);
		if (failed.count)
			fail_msg("%s", failed.text);
	}
}

static struct gamp_ticker *left[3];

static void leave_main(void *arg)
{
	(void)arg;
	left[0] = make(from_now(HOUR), 1);
	left[1] = make(1, 0);
	left[2] = make(1, 10 * US);
	AWAIT(gamp_chan_len(gamp_ticker_chan(left[1])) == 1);
	AWAIT(gamp_chan_len(gamp_ticker_chan(left[2])) == 1);
}

static void go_on_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(gamp_ticker_reset(left[i], 5, 0), 0);
		CHECK_EQ(next_tick(left[i]), 5);
		drop(left[i]);
	}
}

static void a_ticker_outlives_the_runtime_idle(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 2; procs++) {
		run_on(procs, leave_main);
		/* It would not have sent; but a tick is there. */
		assert_false(gamp_ticker_stop(left[0]));
		assert_true(gamp_ticker_stop(left[1]));
		assert_false(gamp_ticker_stop(left[1]));
		assert_int_equal(gamp_ticker_reset(left[2], 1, 1), -ESRCH);
		assert_int_equal(
		    gamp_chan_tryrecv(gamp_ticker_chan(left[2]), NULL),
		    -EAGAIN);
		run_on(procs, go_on_main);
		run_on(procs, leave_main);
		for (int i = 0; i < 3; i++)
			assert_int_equal(gamp_ticker_free(left[i]), 0);
	}
}

static void stop_main(void *arg)
{
	(void)arg;
	CHECK(!gamp_ticker_stop(left[0]));
	CHECK_EQ(gamp_ticker_reset(left[0], from_now(HOUR), 0), 0);
	CHECK(gamp_ticker_stop(left[0]));
	CHECK(gamp_ticker_stop(left[1])); /* a tick is there */
	CHECK(!gamp_ticker_stop(left[1]));
	for (int i = 0; i < 3; i++)
		drop(left[i]);
}

static void a_restart_does_not_bring_a_ticker_back(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 2; procs++) {
		run_on(procs, leave_main);
		run_on(procs, stop_main);
	}
}

/* Goroutines and threads use them while the runtime stops. */

static void *tick_until_down(void *arg)
{
	uint64_t rnd = (uint64_t)(uintptr_t)arg | 1;
	struct gamp_ticker *t;

	while ((t = gamp_ticker_new(
		    from_now((int64_t)(next_random(&rnd) % 5000)),
		    (int64_t)(rnd % 2000)))) {
		spin(next_random(&rnd) % 2000);
		(void)gamp_ticker_reset(t, from_now(1000), 500);
		if (rnd % 4 == 0)
			(void)gamp_ticker_stop(t);
		CHECK_EQ(gamp_ticker_free(t), 0);
		(void)sched_yield();
	}
	return NULL;
}

static void the_runtime_stops_while_tickers_tick(void **state)
{
	(void)state;
	for (int i = 0; i < 10 + SCALE * 2; i++) {
		pthread_t t[2];
		struct gamp_ticker *mine[8];

		failed.count = 0;
		assert_int_equal(gamp_start(&(struct gamp_options){
				     .maxprocs = 1 + i % 3 }),
		    0);
		for (size_t k = 0; k < LEN(mine); k++)
			mine[k] = make(1, 1 + (int64_t)k * 1000);
		for (size_t k = 0; k < LEN(t); k++)
			assert_int_equal(
			    pthread_create(&t[k], NULL, tick_until_down,
				(void *)(uintptr_t)random64()),
			    0);
		for (int k = 0; k < 20; k++)
			(void)next_tick(mine[k % 8]);
		assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
		for (size_t k = 0; k < LEN(t); k++)
			assert_int_equal(pthread_join(t[k], NULL), 0);
		for (size_t k = 0; k < LEN(mine); k++)
			drop(mine[k]);
		if (failed.count)
			fail_msg("%s", failed.text);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(ticks_are_exact_multiples_of_the_period),
		TEST(after_sends_once),
		TEST(the_results_say_what_was),
		TEST(a_period_of_a_nanosecond_is_bearable),
		TEST(ticks_that_nobody_receives_are_dropped),
		TEST(stop_and_reset_take_a_tick_back),
		TEST(no_stale_tick_is_ever_received),
		TEST(once_is_received_or_stopped),
		TEST(nobody_may_wait_on_what_is_freed),
		TEST(a_ticker_may_be_freed_while_it_fires),
		TEST(a_select_times_out_by_a_ticker),
		TEST(many_tick_beside_each_other),
		/* From here on no solo sections: chan_util.h. */
		TEST(threads_use_tickers),
		TEST(a_ticker_outlives_the_runtime_idle),
		TEST(a_restart_does_not_bring_a_ticker_back),
		TEST(the_runtime_stops_while_tickers_tick),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
