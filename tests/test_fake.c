/* SPDX-License-Identifier: MIT */
/* test_fake.c - time that jumps, and orders that repeat. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/test.h"

#ifdef RT_TSAN /* a millisecond for each goroutine */
enum { TIMES = 4, RUNS = 100, JUMPS = 3000 };
#else
enum { TIMES = 20, RUNS = 2000, JUMPS = 100000 };
#endif

static atomic_int failures;

#define EXPECT(c) ((c) ? (void)0 : (void)atomic_fetch_add(&failures, 1))

static void run(gamp_fn *fn, void *arg, const struct gamp_options *opt)
{
	struct gamp_options o = { 0 };

	if (opt)
		o = *opt;
	if (o.stop_timeout == 0)
		o.stop_timeout = 60 * GAMP_SECOND;
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(fn, arg, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void run_fake(gamp_fn *fn, void *arg)
{
	for (int procs = 1; procs <= 3; procs++) {
		struct gamp_options o = { .fake_time = true };

		o.maxprocs = procs;
		for (int i = 0; i < TIMES; i++)
			run(fn, arg, &o);
	}
}

static void sleep_a_day(void *arg)
{
	int64_t day = 24 * 3600 * GAMP_SECOND;

	(void)arg;
	EXPECT(gamp_now() == GAMP_SECOND);
	for (int i = 1; i <= 10; i++) {
		EXPECT(gamp_sleep(day) == 0);
		EXPECT(gamp_now() == GAMP_SECOND + i * day);
	}
}

static void a_sleep_of_a_day_is_exact_and_takes_no_time(void **state)
{
	(void)state;
	run_fake(sleep_a_day, NULL);
}

static void answer_late(void *arg)
{
	int v = 1;

	EXPECT(gamp_sleep(30 * GAMP_SECOND + 1) == 0);
	EXPECT(gamp_chan_send(arg, &v) == -EPIPE);
}

static void time_out(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(sizeof(int), 0);
	int64_t late = gamp_now() + 30 * GAMP_SECOND;
	int v;

	(void)arg;
	EXPECT(gamp_go(answer_late, ch) > 0);
	EXPECT(gamp_chan_recv_until(ch, &v, late) == -ETIMEDOUT);
	EXPECT(gamp_now() == late);
	EXPECT(gamp_chan_close(ch) == 0);
	EXPECT(gamp_sleep(GAMP_SECOND) == 0);
	EXPECT(gamp_now() == late + GAMP_SECOND);
	EXPECT(gamp_chan_free(ch) == 0);
}

static void a_timeout_of_30_seconds_comes_to_the_nanosecond(void **state)
{
	(void)state;
	run_fake(time_out, NULL);
}

/* Every nanosecond counts: who wakes when sees exactly that time. */
static void wake_in_order(void *arg)
{
	int64_t when = GAMP_SECOND + (intptr_t)arg;

	EXPECT(gamp_sleep((intptr_t)arg) == 0);
	EXPECT(gamp_now() == when);
}

static void many_sleepers(void *arg)
{
	(void)arg;
	for (intptr_t i = 1; i <= 300; i++)
		EXPECT(gamp_go(wake_in_order, (void *)(i * 7 % 301)) > 0);
	EXPECT(gamp_sleep(GAMP_SECOND) == 0);
}

static void sleepers_wake_at_their_own_nanosecond(void **state)
{
	(void)state;
	run_fake(many_sleepers, NULL);
}

static void work(void *arg)
{
	atomic_int *done = arg;

	for (int i = 0; i < 2000; i++)
		gamp_yield();
	EXPECT(gamp_now() == GAMP_SECOND);
	atomic_fetch_add(done, 1);
}

static void watch_the_clock(void *arg)
{
	atomic_int done = 0;

	(void)arg;
	for (int i = 0; i < 5; i++)
		EXPECT(gamp_go(work, &done) > 0);
	EXPECT(gamp_sleep(1) == 0);
	EXPECT(atomic_load(&done) == 5);
}

static void time_stands_still_while_a_goroutine_can_run(void **state)
{
	(void)state;
	run_fake(watch_the_clock, NULL);
}

static void block(void *arg)
{
	int *pipes = arg;
	char c;

	gamp_enter_blocking();
	EXPECT(read(pipes[0], &c, 1) == 1);
	gamp_leave_blocking();
	EXPECT(gamp_now() == GAMP_SECOND);
}

static void *write_later(void *arg)
{
	int *pipes = arg;
	struct timespec ts = { .tv_nsec = 3000000 };

	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	EXPECT(write(pipes[1], "x", 1) == 1);
	return NULL;
}

static void block_main(void *arg)
{
	pthread_t t;
	int pipes[2];

	(void)arg;
	EXPECT(pipe(pipes) == 0);
	EXPECT(gamp_go(block, pipes) > 0);
	EXPECT(pthread_create(&t, NULL, write_later, pipes) == 0);
	gamp_yield();
	EXPECT(gamp_sleep(5) == 0);
	EXPECT(gamp_now() == GAMP_SECOND + 5);
	(void)pthread_join(t, NULL);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void time_waits_for_a_blocking_call(void **state)
{
	struct gamp_options o = { .fake_time = true, .maxprocs = 1 };

	(void)state;
	for (int i = 0; i < 20; i++)
		run(block_main, NULL, &o);
}

/* Goroutines that come from outside while all the others sleep. */

static atomic_int coming, looked;

static void sleep_short(void *arg)
{
	(void)arg;
	while (gamp_sleep(1000) == 0)
		;
}

static void spin(uint64_t n)
{
	for (volatile uint64_t i = n; i > 0;)
		i = i - 1;
}

static void look_twice(void *arg)
{
	int64_t from = gamp_now();

	(void)arg;
	spin(30000);
	EXPECT(gamp_now() == from);
	atomic_fetch_add(&looked, 1);
	atomic_store(&coming, 0);
}

static void *start_from_outside(void *arg)
{
	uint64_t rnd = 88172645463325252U;

	(void)arg;
	while (atomic_load(&looked) < 1500) {
		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		spin(rnd % 20000);
		atomic_store(&coming, 1);
		EXPECT(gamp_go(look_twice, NULL) > 0);
		while (atomic_load(&coming))
			(void)sched_yield();
	}
	return NULL;
}

static void outside_main(void *arg)
{
	pthread_t t;

	(void)arg;
	atomic_store(&looked, 0);
	EXPECT(gamp_go(sleep_short, NULL) > 0);
	EXPECT(pthread_create(&t, NULL, start_from_outside, NULL) == 0);
	while (atomic_load(&looked) < 1500)
		EXPECT(gamp_sleep(5000) == 0);
	(void)pthread_join(t, NULL);
}

static void time_stands_still_for_who_comes_from_outside(void **state)
{
	struct gamp_options o = { .fake_time = true };

	(void)state;
	for (o.maxprocs = 1; o.maxprocs <= 2; o.maxprocs++)
		run(outside_main, NULL, &o);
}

/* A cancelled goroutine takes its time, and the clock may jump meanwhile. */

static void end_slowly(void *arg)
{
	(void)arg;
	while (gamp_sleep(3600 * GAMP_SECOND) == 0)
		;
	spin(100000);
}

static void end_before_it(void *arg)
{
	(void)arg;
	EXPECT(gamp_go(end_slowly, NULL) > 0);
	EXPECT(gamp_sleep(GAMP_SECOND) == 0);
}

static void the_end_of_a_run_is_waited_for_in_real_time(void **state)
{
	struct gamp_options o = { .fake_time = true };

	(void)state;
	for (int i = 0; i < RUNS; i++) {
		o.maxprocs = 1 + i % 2;
		run(end_before_it, NULL, &o);
	}
}

/* A thread's deadline passes, however far the clock jumps meanwhile. */

static atomic_bool over;
static atomic_int timeouts, threads_out;

static void *time_out_on_thread(void *arg)
{
	int v;

	while (!atomic_load(&over)) {
		EXPECT(gamp_chan_recv_until(arg, &v, gamp_now() + 1) ==
		    -ETIMEDOUT);
		atomic_fetch_add(&timeouts, 1);
	}
	atomic_store(&threads_out, 1);
	return NULL;
}

static void jump_main(void *arg)
{
	int64_t limit = 60 * GAMP_SECOND;
	int before = atomic_load(&timeouts);
	struct timespec from, now;
	pthread_t t;

	EXPECT(pthread_create(&t, NULL, time_out_on_thread, arg) == 0);
	while (atomic_load(&timeouts) == before) /* it is there */
		(void)sched_yield();
	for (int i = 0; i < JUMPS; i++)
		EXPECT(gamp_sleep(12 * 3600 * GAMP_SECOND) == 0);
	atomic_store(&over, true);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	gamp_enter_blocking();
	do {
		(void)sched_yield();
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!atomic_load(&threads_out) &&
	    (now.tv_sec - from.tv_sec) * GAMP_SECOND < limit);
	gamp_leave_blocking();
	if (!atomic_load(&threads_out))
		abort(); /* it would never end */
	(void)pthread_join(t, NULL);
}

static void a_threads_deadline_passes_while_the_clock_jumps(void **state)
{
	struct gamp_options o = { .fake_time = true, .maxprocs = 1 };
	struct gamp_chan *empty = gamp_chan_new(sizeof(int), 0);

	(void)state;
	for (int i = 0; i < 3; i++) {
		atomic_store(&over, false);
		atomic_store(&threads_out, 0);
		run(jump_main, empty, &o);
	}
	assert_int_equal(gamp_chan_free(empty), 0);
}

static void serve(void *arg)
{
	gamp_fd fd = gamp_accept(*(gamp_fd *)arg);
	char buf[8];

	EXPECT(fd > 0);
	EXPECT(gamp_set_read_deadline(fd, gamp_now() + 60 * GAMP_SECOND) ==
	    0);
	EXPECT(gamp_read(fd, buf, sizeof(buf)) == 4);
	EXPECT(gamp_now() < 60 * GAMP_SECOND);
	EXPECT(gamp_read(fd, buf, sizeof(buf)) == -ETIMEDOUT);
	EXPECT(gamp_now() == 61 * GAMP_SECOND);
	EXPECT(gamp_close(fd) == 0);
}

static void idle_peer(void *arg)
{
	char name[32], c;
	gamp_fd l, fd;

	(void)arg;
	/* No TCP: its data may be under way for a moment. */
	(void)snprintf(name, sizeof(name), "@gamp-fake-%d", (int)getpid());
	l = gamp_listen("unix", name);
	EXPECT(l > 0 && gamp_go(serve, &l) > 0);
	fd = gamp_dial("unix", name);
	EXPECT(fd > 0 && gamp_write(fd, "ping", 4) == 4);
	EXPECT(gamp_read(fd, &c, 1) == 0);
	EXPECT(gamp_now() == 61 * GAMP_SECOND);
	EXPECT(gamp_close(fd) == 0 && gamp_close(l) == 0);
}

static void an_idle_peer_times_out_after_its_minute(void **state)
{
	struct gamp_options o = { .fake_time = true, .maxprocs = 1 };

	(void)state;
	run(idle_peer, NULL, &o);
}

/* What a program with a seed does, as a number. */
static uint64_t trace;
static struct gamp_chan *ch;

static void note(uint64_t x)
{
	trace = (trace ^ x) * UINT64_C(0x100000001b3);
}

static void actor(void *arg)
{
	uint64_t v = (uint64_t)(intptr_t)arg;

	for (int i = 0; i < 20; i++) {
		struct gamp_case c[] = { GAMP_SEND(ch, &v), GAMP_RECV(ch, &v),
			GAMP_DEADLINE(gamp_now() + (int64_t)(v % 50) + 1) };

		note(v);
		note((uint64_t)gamp_select(c, 3));
		note(v);
		gamp_yield();
	}
}

static void act(void *arg)
{
	(void)arg;
	ch = gamp_chan_new(sizeof(uint64_t), 1);
	for (intptr_t i = 1; i <= 40; i++)
		EXPECT(gamp_go(actor, (void *)i) > 0);
	EXPECT(gamp_sleep(GAMP_SECOND) == 0);
	EXPECT(gamp_chan_free(ch) == 0);
}

static uint64_t run_seed(uint64_t seed)
{
	struct gamp_options o = { .fake_time = true };

	o.seed = seed;
	trace = 0;
	run(act, NULL, &o);
	return trace;
}

static void a_seed_repeats_the_order_and_another_changes_it(void **state)
{
	struct gamp_options two = { .maxprocs = 2, .seed = 7 };
	int differ = 0;

	(void)state;
	assert_int_equal(gamp_start(&two), -EINVAL);
	for (uint64_t seed = 1; seed <= TIMES / 2; seed++) {
		uint64_t first = run_seed(seed);

		for (int i = 0; i < 10; i++)
			assert_true(run_seed(seed) == first);
		differ += first != run_seed(seed + 100);
	}
	assert_true(differ >= TIMES / 2 - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sleep_of_a_day_is_exact_and_takes_no_time),
		TEST(a_timeout_of_30_seconds_comes_to_the_nanosecond),
		TEST(sleepers_wake_at_their_own_nanosecond),
		TEST(time_stands_still_while_a_goroutine_can_run),
		TEST(time_waits_for_a_blocking_call),
		TEST(an_idle_peer_times_out_after_its_minute),
		TEST(a_seed_repeats_the_order_and_another_changes_it),
		TEST(the_end_of_a_run_is_waited_for_in_real_time),
		TEST(time_stands_still_for_who_comes_from_outside),
		TEST(a_threads_deadline_passes_while_the_clock_jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
