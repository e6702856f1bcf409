/* SPDX-License-Identifier: MIT */
/*
 * test_timer_race.c - timers beside each other, threads, and the end of the
 * runtime: results of stop and reset that are exact under races, sleepers
 * that are woken for an earlier timer, goroutines that cannot be had, tables
 * that are full.
 */
#include <errno.h>
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

/*
 * Lanes.  Each has a timer, an owner who starts and resets it, and somebody
 * who only stops it.  An arming ends in a call or in a stop that says true:
 * never in both, never in neither.
 */

enum { LANES = 4, ROUNDS = 4000 + SCALE * 3000 };

static struct lane {
	struct gamp_timer t;
	int no;
	bool resets;
	uint64_t rnd, stopper_rnd;
	int armed, stopped; /* by the owner */
	atomic_int called, stopped_by_other;
	atomic_bool over;
} lanes[LANES];

static bool resets, threads;
static int rounds;
static atomic_int lanes_over;

static void called(void *arg)
{
	struct lane *ln = arg;

	atomic_fetch_add(&ln->called, 1);
}

static void dawdle(uint64_t *rnd)
{
	switch (next_random(rnd) % 8) {
	case 0:
		gamp_yield();
		break;
	case 1:
		(void)gamp_sleep((int64_t)(next_random(rnd) % 20000));
		break;
	default:
		spin(next_random(rnd) % 400);
	}
}

static void stop_now_and_then(struct lane *ln)
{
	while (!atomic_load(&ln->over)) {
		atomic_fetch_add(
		    &ln->stopped_by_other, gamp_timer_stop(&ln->t));
		dawdle(&ln->stopper_rnd);
	}
}

static void stopper(void *arg)
{
	stop_now_and_then(arg);
	atomic_fetch_add(&lanes_over, 1);
}

static void *foreign_stopper(void *arg)
{
	struct lane *ln = arg;

	while (!atomic_load(&ln->over)) {
		atomic_fetch_add(
		    &ln->stopped_by_other, gamp_timer_stop(&ln->t));
		spin(next_random(&ln->stopper_rnd) % 3000);
		(void)sched_yield();
	}
	return NULL;
}

static void arm_some(struct lane *ln)
{
	int64_t when = from_now((int64_t)(next_random(&ln->rnd) % 20000));
	int r;

	if (next_random(&ln->rnd) % 16 == 0)
		when = from_now(HOUR);
	if (ln->resets && ln->armed) {
		r = gamp_timer_reset(&ln->t, when);
		CHECK(r == 0 || r == 1);
		ln->armed += r == 0;
		return;
	}
	r = starts[ln->no % 2](&ln->t, when, 0, called, ln);
	CHECK(r == 0 || r == -EBUSY);
	ln->armed += r == 0;
}

static void owner(void *arg)
{
	struct lane *ln = arg;

	for (int i = 0; i < rounds; i++) {
		arm_some(ln);
		dawdle(&ln->rnd);
		if (next_random(&ln->rnd) % 2)
			ln->stopped += gamp_timer_stop(&ln->t);
	}
	ln->stopped += gamp_timer_stop(&ln->t);
	atomic_store(&ln->over, true);
	atomic_fetch_add(&lanes_over, 1);
}

static void race_main(void *arg)
{
	pthread_t th[LANES];

	(void)arg;
	atomic_store(&lanes_over, 0);
	memset(lanes, 0, sizeof(lanes));
	rounds = threads ? ROUNDS / 4 : ROUNDS;
	for (int i = 0; i < LANES; i++) {
		struct lane *ln = &lanes[i];

		ln->no = i;
		ln->resets = resets;
		ln->rnd = random64() | 1;
		ln->stopper_rnd = random64() | 1;
		(void)go(owner, ln);
		if (threads)
			CHECK_EQ(pthread_create(&th[i], NULL, foreign_stopper,
				     ln),
			    0);
		else
			(void)go(stopper, ln);
	}
	while (atomic_load(&lanes_over) < (threads ? 1 : 2) * LANES)
		pause_a_little();
	for (int i = 0; i < LANES; i++) {
		struct lane *ln = &lanes[i];

		if (threads)
			CHECK_EQ(pthread_join(th[i], NULL), 0);
		AWAIT(ln->armed ==
		    ln->stopped + atomic_load(&ln->stopped_by_other) +
			atomic_load(&ln->called));
		CHECK(ln->armed > rounds / 10);
	}
	CHECK_EQ(gamp_sleep(MS), 0);
	for (int i = 0; i < LANES; i++)
		CHECK_EQ(lanes[i].armed,
		    lanes[i].stopped + lanes[i].stopped_by_other +
			atomic_load(&lanes[i].called));
}

static void a_start_ends_in_a_call_or_in_a_stop(void **state)
{
	(void)state;
	resets = threads = false;
	run_each(race_main);
}

static void an_arming_by_reset_ends_in_a_call_or_in_a_stop(void **state)
{
	(void)state;
	resets = true;
	threads = false;
	run_each(race_main);
}

static void stops_of_threads_are_exact(void **state)
{
	(void)state;
	threads = true;
	for (int i = 0; i < 2; i++) {
		resets = i == 1;
		run_each(race_main);
	}
}

/* Many are started and stopped while others fire. */

enum { MANY = 300 };

static struct busy {
	struct gamp_timer t[MANY];
	uint64_t rnd;
	int started, stopped;
	atomic_int called;
} busy[3];

static void busy_called(void *arg)
{
	atomic_fetch_add(&((struct busy *)arg)->called, 1);
}

static void keep_busy(void *arg)
{
	struct busy *b = arg;

	for (int i = 0; i < SCALE * 10; i++) {
		int64_t now = gamp_now();

		for (int k = 0; k < MANY; k++) {
			int64_t in = (int64_t)(next_random(&b->rnd) % 100000);

			if (starts[k % 2](&b->t[k], now + in, 0, busy_called,
				b) == 0)
				b->started++;
		}
		dawdle(&b->rnd);
		for (int k = 0; k < MANY; k++)
			if (next_random(&b->rnd) % 2)
				b->stopped += gamp_timer_stop(&b->t[k]);
	}
	for (int k = 0; k < MANY; k++)
		b->stopped += gamp_timer_stop(&b->t[k]);
	finished();
}

static void busy_main(void *arg)
{
	(void)arg;
	begin();
	memset(busy, 0, sizeof(busy));
	for (size_t i = 0; i < LEN(busy); i++) {
		busy[i].rnd = random64() | 1;
		(void)go(keep_busy, &busy[i]);
	}
	await_finished(LEN(busy));
	for (size_t i = 0; i < LEN(busy); i++)
		AWAIT(busy[i].started ==
		    busy[i].stopped + atomic_load(&busy[i].called));
	end();
}

static void many_are_stopped_while_others_fire(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 4; procs++) /* a fiber each, for TSan */
		run_with(busy_main, &(struct gamp_options){
			.maxprocs = procs, .max_goroutines = 2000 });
}

/* Whoever sleeps is woken for an earlier timer. */

static void *start_from_outside(void *arg)
{
	int64_t t0 = gamp_now(), limit = t0 + LIMIT;

	(void)arg;
	for (int i = 0; i < 100 && gamp_now() < limit; i++) {
		CHECK_EQ(starts[i % 2](&timer, from_now(20000), 0, add_one,
			     NULL),
		    0);
		while (atomic_load(&calls) < 2 * i + 1 && gamp_now() < limit)
			(void)sched_yield();
		/* Moved from far away. */
		CHECK_EQ(gamp_timer_reset(&timer, from_now(HOUR)), 0);
		CHECK_EQ(gamp_timer_reset(&timer, from_now(20000)), 1);
		while (atomic_load(&calls) < 2 * i + 2 && gamp_now() < limit)
			(void)sched_yield();
	}
	CHECK_EQ(atomic_load(&calls), 200);
	return NULL;
}

static void on_idle(int procs)
{
	pthread_t t;

	fresh();
	failed.count = 0;
	assert_int_equal(
	    gamp_start(&(struct gamp_options){ .maxprocs = procs }), 0);
	assert_int_equal(pthread_create(&t, NULL, start_from_outside, NULL), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(gamp_stop(0), 0);
	if (failed.count)
		fail_msg("%s", failed.text);
}

static void a_thread_starts_timers_of_an_idle_runtime(void **state)
{
	(void)state;
	on_idle(1);
	on_idle(2);
	on_idle(4);
}

/* Our M computes; another sleeps in the poller, and knows of nothing. */
static void earlier_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		int64_t limit = from_now(LIMIT);

		fresh();
		CHECK_EQ(gamp_sleep(MS), 0); /* the other one goes to sleep */
		if (i % 2)
			CHECK_EQ(gamp_timer_start_short(&timer, from_now(HOUR),
				     0, add_one, NULL),
			    0);
		if (i % 2)
			CHECK_EQ(gamp_timer_reset(&timer, from_now(MS)), 1);
		else
			CHECK_EQ(gamp_timer_start_short(
				     &timer, from_now(MS), 0, add_one, NULL),
			    0);
		while (atomic_load(&calls) == 0 && gamp_now() < limit)
			; /* neither parks nor yields */
		CHECK_EQ(atomic_load(&calls), 1);
	}
}

static void a_timer_does_not_wait_for_a_busy_p(void **state)
{
	(void)state;
	run_on(2, earlier_main);
	run_on(4, earlier_main);
}

/* No goroutine is to be had. */

enum { MOST = 64, WAITING = 200 };

static struct gamp_chan *gate;
static struct gamp_timer waiting[WAITING];

static atomic_int at_gate;

static void wait_at_gate(void *arg)
{
	(void)arg;
	(void)gamp_chan_recv(gate, NULL);
	atomic_fetch_sub(&at_gate, 1);
}

static int64_t go_to_gate(void)
{
	int64_t id = gamp_go(wait_at_gate, NULL);

	if (id > 0) /* 0 may be passed on the way */
		atomic_fetch_add(&at_gate, 1);
	return id;
}

static void open_gate(void)
{
	CHECK_EQ(gamp_chan_close(gate), 0);
	AWAIT(atomic_load(&at_gate) == 0);
	CHECK_EQ(gamp_chan_free(gate), 0);
}

static int fill_up(void)
{
	int64_t id = 0;
	int n = 0;

	while (n < MOST && (id = go_to_gate()) > 0)
		n++;
	CHECK_EQ(id, -EAGAIN);
	return n;
}

static void none_main(void *arg)
{
	int stopped = 0, n;

	(void)arg;
	fresh();
	memset(waiting, 0, sizeof(waiting));
	gate = gamp_chan_new(0, 0);
	n = fill_up();
	for (int i = 0; i < WAITING; i++)
		CHECK_EQ(gamp_timer_start(&waiting[i], from_now(i), 0,
			     add_one, NULL),
		    0);
	CHECK_EQ(gamp_timer_start(&timer, 1, HOUR, add_one, NULL), 0);
	/* Others come as ever: sleeps, short ones. */
	for (int i = 0; i < 5; i++)
		CHECK_EQ(gamp_sleep(MS), 0);
	CHECK_EQ(atomic_load(&calls), 0);
	for (int i = 0; i < WAITING; i += 10)
		stopped += gamp_timer_stop(&waiting[i]);
	for (int i = 5; i < WAITING; i += 10)
		CHECK_EQ(gamp_timer_reset(
			     &waiting[i], i % 4 ? 1 : from_now(MS)), 1);
	CHECK_EQ(stopped, WAITING / 10);
	CHECK_EQ(gamp_timer_start(&waiting[0], 1, 0, add_one, NULL), 0);
	CHECK_EQ(atomic_load(&calls), 0);
	/* One leaves: that is enough for all. */
	CHECK_EQ(gamp_chan_send(gate, NULL), 0);
	AWAIT(atomic_load(&calls) == WAITING - stopped + 2);
	CHECK(gamp_timer_stop(&timer));
	CHECK(n > MOST / 2);
	open_gate();
	CHECK_EQ(atomic_load(&calls), WAITING - stopped + 2);
}

static void without_a_goroutine_a_timer_waits_and_is_not_lost(void **state)
{
	static const int procs[] = { 1, 2, 3 };

	(void)state;
	for (int i = 0; i < 9; i++)
		run_with(none_main, &(struct gamp_options){
			.maxprocs = procs[i % 3], .max_goroutines = MOST });
}

/* All others wait for the callback, and an idle P keeps what is left. */
static void keeper_main(void *arg)
{
	int64_t id;

	(void)arg;
	fresh();
	gate = gamp_chan_new(0, 0);
	while ((id = go_to_gate()) > 0)
		;
	CHECK_EQ(id, -EAGAIN);
	/* These exit where they last ran. */
	for (int i = 0; i < 8; i++)
		CHECK_EQ(gamp_chan_send(gate, NULL), 0);
	CHECK_EQ(gamp_sleep(MS), 0);
	while (go_to_gate() > 0)
		;
	CHECK_EQ(gamp_timer_start(&timer, 1, 0, add_one, NULL), 0);
	CHECK_EQ(gamp_sleep(3 * MS), 0);
	if (atomic_load(&calls) == 0) /* indeed none was left */
		CHECK_EQ(gamp_chan_send(gate, NULL), 0);
	AWAIT(atomic_load(&calls) == 1);
	open_gate();
}

static void the_last_goroutine_is_found_on_an_idle_p(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		run_with(keeper_main, &(struct gamp_options){
			.maxprocs = 4, .max_goroutines = 256 });
}

/* The table is full. */

static void set_room(uint32_t cap)
{
	for (uint32_t i = 0; i < procs(); i++)
		sched.ps[i].timers.cap = cap;
}

static void full_main(void *arg)
{
	enum { ROOM = 50 };
	static struct gamp_timer t[ROOM + 1];
	uint32_t cap = sched.ps[0].timers.cap;

	(void)arg;
	fresh();
	memset(t, 0, sizeof(t));
	CHECK_EQ(gamp_timer_start(&timer, 1, 0, add_one, NULL), 0);
	AWAIT(atomic_load(&calls) == 1);
	set_room(ROOM);
	for (int i = 0; i < ROOM; i++)
		CHECK_EQ(gamp_timer_start(&t[i], from_now(HOUR), 0, never_run,
			     NULL),
		    0);
	CHECK_EQ(gamp_timer_start(&t[ROOM], 1, 0, never_run, NULL), -ENOMEM);
	CHECK_EQ(gamp_timer_start_short(&t[ROOM], 1, 0, never_run, NULL),
	    -ENOMEM);
	CHECK(!gamp_timer_stop(&t[ROOM]));
	CHECK_EQ(gamp_timer_reset(&timer, 1), -ENOMEM);
	CHECK(!gamp_timer_stop(&timer));
	CHECK_EQ(gamp_timer_reset(&t[0], from_now(2 * HOUR)), 1);
	CHECK(!gamp_ticker_new(from_now(HOUR), 1));
	CHECK(!gamp_after(1));
	/* One makes room for one. */
	CHECK(gamp_timer_stop(&t[ROOM / 2]));
	CHECK_EQ(gamp_timer_reset(&timer, 1), 0);
	AWAIT(atomic_load(&calls) == 2);
	for (int i = 0; i < ROOM; i++)
		CHECK_EQ(gamp_timer_stop(&t[i]), i != ROOM / 2);
	set_room(cap);
}

static void a_full_table_is_enomem(void **state)
{
	(void)state;
	run_on(1, full_main);
}

/* The end of the runtime, and the next one. */

static struct gamp_timer armed[6];

static void arm_and_leave(void *arg)
{
	(void)arg;
	gate = gamp_chan_new(0, 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(starts[i % 2](&armed[i], from_now(HOUR),
			     i / 2 ? HOUR : 0, never_run, NULL),
		    0);
	(void)fill_up();
	/* These two are due, and wait; perhaps until we have left. */
	CHECK_EQ(gamp_timer_start(&armed[4], 1, 0, add_one, NULL), 0);
	CHECK_EQ(gamp_timer_start(&armed[5], 1, HOUR, add_one, NULL), 0);
	CHECK_EQ(gamp_sleep(MS), 0);
}

static void start_again(void *arg)
{
	(void)arg;
	fresh();
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(gamp_timer_reset(&armed[i], from_now(HOUR)), 0);
		CHECK(gamp_timer_stop(&armed[i]));
		CHECK_EQ(starts[i % 2](&armed[i], 1, 0, add_one, NULL), 0);
	}
	AWAIT(atomic_load(&calls) == 6);
}

static void timers_survive_the_runtime_idle(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 3; procs++) {
		memset(armed, 0, sizeof(armed));
		run_with(arm_and_leave, &(struct gamp_options){
			.maxprocs = procs, .max_goroutines = MOST });
		assert_int_equal(gamp_chan_free(gate), 0);
		for (int i = 0; i < 6; i++) {
			assert_int_equal(starts[i % 2](&armed[i], 1, 0,
					     never_run, NULL),
			    -ESRCH);
			assert_int_equal(
			    gamp_timer_reset(&armed[i], 1), -ESRCH);
			assert_false(gamp_timer_stop(&armed[i]));
		}
		run_on(procs, start_again);
	}
}

/* Timers fire, start each other and goroutines, while the runtime stops. */

static struct gamp_timer storm[16];
static atomic_int down;

static void again(void *arg)
{
	CHECK(!atomic_load(&down));
	(void)gamp_go(add_one, NULL);
	(void)gamp_timer_reset(arg, from_now(1000));
	atomic_fetch_add(&calls, 1);
}

static void every(void *arg)
{
	(void)arg;
	CHECK(!atomic_load(&down));
	(void)gamp_go(add_one, NULL);
	atomic_fetch_add(&calls, 1);
}

static void stop_in_a_storm(int procs)
{
	fresh();
	failed.count = 0;
	memset(storm, 0, sizeof(storm));
	atomic_store(&down, 0);
	assert_int_equal(
	    gamp_start(&(struct gamp_options){ .maxprocs = procs }), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(starts[i % 2](&storm[i], from_now(i), i / 8,
				     i / 8 ? every : again, &storm[i]),
		    0);
	while (atomic_load(&calls) < 100)
		(void)sched_yield();
	assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
	atomic_store(&down, 1);
	for (int i = 0; i < 16; i++)
		assert_false(gamp_timer_stop(&storm[i]));
	if (failed.count)
		fail_msg("%s", failed.text);
}

static void the_runtime_stops_while_timers_fire(void **state)
{
	(void)state;
	for (int i = 0; i < 10 + SCALE * 4; i++)
		stop_in_a_storm(1 + i % 3);
}

/* Threads that use timers until they are told that the runtime is down, and
 * free them. */
static void *use_until_down(void *arg)
{
	uint64_t rnd = (uint64_t)(uintptr_t)arg | 1;
	int r;

	do {
		struct gamp_timer *t = calloc(1, sizeof(*t));

		r = starts[rnd % 2](t,
		    from_now((int64_t)(next_random(&rnd) % 100000)),
		    (int64_t)(rnd % 4 ? 0 : 10000), add_one, NULL);
		CHECK(r == 0 || r == -ESRCH);
		spin(next_random(&rnd) % 1000);
		if (r == 0) {
			r = gamp_timer_reset(t, from_now(HOUR));
			CHECK(r == 0 || r == 1 || r == -ESRCH);
		}
		(void)gamp_timer_stop(t);
		memset(t, 0xEE, sizeof(*t));
		free(t);
	} while (r != -ESRCH);
	return NULL;
}

static void threads_free_their_timers_while_the_runtime_stops(void **state)
{
	(void)state;
	for (int i = 0; i < 10 + SCALE * 4; i++) {
		pthread_t t[3];

		fresh();
		failed.count = 0;
		assert_int_equal(gamp_start(&(struct gamp_options){
				     .maxprocs = 1 + i % 3 }),
		    0);
		for (size_t k = 0; k < LEN(t); k++)
			assert_int_equal(
			    pthread_create(&t[k], NULL, use_until_down,
				(void *)(uintptr_t)random64()),
			    0);
		while (atomic_load(&calls) < 20)
			(void)sched_yield();
		assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
		for (size_t k = 0; k < LEN(t); k++)
			assert_int_equal(pthread_join(t[k], NULL), 0);
		if (failed.count)
			fail_msg("%s", failed.text);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_start_ends_in_a_call_or_in_a_stop),
		TEST(an_arming_by_reset_ends_in_a_call_or_in_a_stop),
		TEST(many_are_stopped_while_others_fire),
		TEST(a_timer_does_not_wait_for_a_busy_p),
		TEST(without_a_goroutine_a_timer_waits_and_is_not_lost),
		TEST(the_last_goroutine_is_found_on_an_idle_p),
		TEST(a_full_table_is_enomem),
		TEST(timers_survive_the_runtime_idle),
		TEST(stops_of_threads_are_exact),
		TEST(a_thread_starts_timers_of_an_idle_runtime),
		TEST(the_runtime_stops_while_timers_fire),
		TEST(threads_free_their_timers_while_the_runtime_stops),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
