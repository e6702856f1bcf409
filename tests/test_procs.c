/* SPDX-License-Identifier: MIT */
/*
 * test_procs.c - the number of Ps changes, and the world stops, while
 * everything is in use.
 *
 * STRESS_SCALE=34 goes from 1 to 64, 1, 1024, 2 and 1 a thousand times.
 */

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/procs.h"
#include "sched/world.h"
#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { ROUNDS = 4, STOPS = 40, PAIRS = 6, SLEEPERS = 20, MANY = 96 };
#elif defined(RT_HARD)
enum { ROUNDS = 10, STOPS = 200, PAIRS = 12, SLEEPERS = 100, MANY = 256 };
#else
enum { ROUNDS = 30, STOPS = 500, PAIRS = 12, SLEEPERS = 300, MANY = 1024 };
#endif

static atomic_bool halt;
static atomic_int n_alive;
static atomic_ulong n_laps;

static bool halted(void)
{
	return atomic_load_explicit(&halt, memory_order_relaxed);
}

static void left(void)
{
	atomic_fetch_sub(&n_alive, 1);
}

static void begin_load(gamp_fn *fn, void *arg)
{
	atomic_fetch_add(&n_alive, 1);
	(void)go(fn, arg);
}

/* A load of everything: channels, sleeps, yields, starts, loops. */

static void plays(void *arg)
{
	struct gamp_chan *ch = arg;
	uint64_t v;

	while (gamp_chan_recv(ch, &v) == 0) {
		atomic_fetch_add(&n_laps, 1);
		if (halted() || gamp_chan_send(ch, &v) < 0)
			break;
	}
	(void)gamp_chan_close(ch);
	left();
}

static void naps(void *arg)
{
	int64_t ns = 1 + (int64_t)(intptr_t)arg % 50 * 20000;

	while (!halted()) {
		int64_t t = gamp_now();

		CHECK_EQ(gamp_sleep(ns), 0);
		CHECK(gamp_now() - t >= ns);
	}
	left();
}

static void chains(void *arg)
{
	if (halted())
		left();
	else if (!CHECK(gamp_go(chains, arg) > 0))
		left();
}

static void yields(void *arg)
{
	(void)arg;
	while (!halted())
		gamp_yield();
	left();
}

static void computes(void *arg)
{
	(void)arg;
	while (!halted())
		spin(100);
	left();
}

static struct gamp_chan *tables[PAIRS];

static void load(void)
{
	uint64_t ball = 1;

	atomic_store(&halt, false);
	atomic_store(&n_laps, 0);
	for (int i = 0; i < PAIRS; i++) {
		tables[i] = gamp_chan_new(sizeof(ball), (size_t)i % 2);
		begin_load(plays, tables[i]);
		begin_load(plays, tables[i]);
		CHECK_EQ(gamp_chan_send(tables[i], &ball), 0);
	}
	for (int i = 0; i < SLEEPERS; i++)
		begin_load(naps, (void *)(intptr_t)i);
	for (int i = 0; i < 3; i++) {
		begin_load(chains, NULL);
		begin_load(yields, NULL);
	}
	begin_load(computes, NULL);
}

static void unload(void)
{
	atomic_store(&halt, true);
	AWAIT(atomic_load(&n_alive) == 0);
	for (int i = 0; i < PAIRS; i++)
		CHECK_EQ(gamp_chan_free(tables[i]), 0);
}

static void resize(int n)
{
	unsigned long laps = atomic_load(&n_laps);
	int was = gamp_maxprocs(0);

	CHECK_EQ(gamp_maxprocs(n), was);
	CHECK_EQ(gamp_maxprocs(0), n);
	AWAIT(atomic_load(&n_laps) > laps); /* all goes on */
}

/* STRESS_SCALE times as many. */
static int rounds(void)
{
	const char *scale = getenv("STRESS_SCALE");

	return scale ? (int)(atof(scale) * ROUNDS) : ROUNDS;
}

static void resize_main(void *arg)
{
	(void)arg;
	load();
	for (int i = rounds(); i > 0; i--) {
		(void)alarm(180); /* for each */
		resize(64);
		resize(1);
		resize(MANY);
		resize(2);
		resize(1);
	}
	unload();
}

static void the_number_of_ps_changes_under_a_full_load(void **state)
{
	(void)state;
	run_on(1, resize_main);
	run_on(3, resize_main);
}

static void *resize_thread(void *arg)
{
	uint64_t x = 88172645463325252u;

	(void)arg;
	while (!halted()) {
		int n = 1 + (int)(next_random(&x) % 7);

		CHECK(gamp_maxprocs(n) > 0);
	}
	return NULL;
}

/* Several at once, goroutines and threads. */
static void contend_main(void *arg)
{
	pthread_t t;

	(void)arg;
	load();
	CHECK_EQ(pthread_create(&t, NULL, resize_thread, NULL), 0);
	for (int i = 0; i < STOPS; i++)
		CHECK(gamp_maxprocs(1 + i % 5) > 0);
	unload();
	(void)pthread_join(t, NULL);
}

static void anybody_may_change_it(void **state)
{
	(void)state;
	assert_int_equal(gamp_maxprocs(-1), -EINVAL);
	assert_int_equal(gamp_maxprocs(1025), -EINVAL);
	assert_int_equal(gamp_maxprocs(3), 0); /* nothing runs */
	run_on(2, contend_main);
}

/* Timers that lie on a P that goes. */
static void timers_main(void *arg)
{
	int64_t t = gamp_now();

	(void)arg;
	atomic_store(&halt, false);
	CHECK_EQ(gamp_maxprocs(16), 2);
	for (int i = 0; i < SLEEPERS; i++)
		begin_load(naps, (void *)(intptr_t)(49 + i * 50));
	for (int i = 0; i < 5; i++)
		gamp_yield();
	CHECK_EQ(gamp_maxprocs(1), 16);
	CHECK_EQ(gamp_sleep(MS), 0);
	atomic_store(&halt, true);
	AWAIT(atomic_load(&n_alive) == 0);
	CHECK(gamp_now() - t < LIMIT);
}

static void sleeps_end_although_their_p_is_gone(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		run_on(2, timers_main);
}

/* While the world is stopped nobody gets through the runtime. */

static void stop_main(void *arg)
{
	int64_t most = 0;

	(void)arg;
	load();
	for (int i = 0; i < STOPS; i++) {
		int64_t t = clock_real();
		unsigned long laps;

		world_stop(WORLD_PS);
		t = clock_real() - t;
		most = t > most ? t : most;
		laps = atomic_load(&n_laps);
		CHECK_EQ(rt_load_relaxed(&sched.npidle), procs());
		spin(1000);
		CHECK_EQ(rt_load_relaxed(&sched.npidle), procs());
		/* A lap is counted after a receive: one for each player. */
		CHECK(atomic_load(&n_laps) <= laps + 2 * PAIRS);
		world_start();
		if (i % 8 == 0)
			AWAIT(atomic_load(&n_laps) > laps);
	}
	unload();
	print_message("the longest stop took %d us\n", (int)(most / 1000));
}

static void the_world_stops_and_goes_on(void **state)
{
	(void)state;
	run_each(stop_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_number_of_ps_changes_under_a_full_load),
		TEST(anybody_may_change_it),
		TEST(sleeps_end_although_their_p_is_gone),
		TEST(the_world_stops_and_goes_on),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
