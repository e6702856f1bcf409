/* SPDX-License-Identifier: MIT */
/*
 * test_heap.c - a heap of timers alone (sched/timer.h), without a runtime:
 * ghosts, alarms, periods, and those that wait for what they need.
 *
 * A walker looks at the whole heap after every step.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/timer.h"
#include "tests/net_util.h"

enum { N = 300 };

static struct timers heap;
static struct timer timer[N];
static struct alarm alarms[N];

static struct {
	int n;
	const void *who[4 * N];
	int64_t when[4 * N];
} fired;

static void up(uint32_t cap)
{
	memset(timer, 0, sizeof(timer));
	memset(alarms, 0, sizeof(alarms));
	fired.n = 0;
	assert_int_equal(timers_init(&heap, cap), 0);
}

static bool is_ghost(const struct timer *t)
{
	return t >= heap.ghost && t < heap.ghost + TIMER_GHOSTS;
}

/* Keys in order; everybody knows its place; next is the truth; no ghost at the
 * top. */
static void walk(void)
{
	uint32_t ghosts = 0, held = 0;
	int64_t next = NEVER;

	assert_true(heap.n + heap.nheld <= heap.cap && heap.high >= heap.n);
	for (uint32_t i = 0; i < heap.n; i++) {
		struct timer_entry e = heap.heap[i];

		assert_int_equal(e.t->index, i);
		assert_true(i == 0 || heap.heap[(i - 1) / 4].when <= e.when);
		if (is_ghost(e.t)) {
			assert_non_null(e.t->arg);
			ghosts++;
		} else {
			assert_true(rt_load_relaxed(&e.t->heap) ==
			    (uintptr_t)&heap);
			assert_true(e.when <= e.t->when);
		}
	}
	for (int k = 0; k < TIMER_GHOSTS; k++)
		ghosts -= heap.ghost[k].arg != NULL;
	assert_int_equal(ghosts, 0);
	for (struct alarm *a = heap.held; a; a = a->next, held++) {
		assert_true(
		    rt_load_relaxed(&a->t.heap) == (uintptr_t)&heap);
		assert_ptr_equal(a->next ? a->next->prev : heap.last_held,
		    a);
	}
	assert_int_equal(held, heap.nheld);
	if (heap.n) {
		assert_false(is_ghost(heap.heap[0].t));
		next = heap.heap[0].when;
	}
	if (heap.held && heap.retry < next)
		next = heap.retry;
	assert_true(timers_next(&heap) == next);
}

static void down(void)
{
	walk();
	timers_fini(&heap);
}

static void note(const void *who, int64_t when)
{
	assert_true(fired.n < 4 * N);
	fired.who[fired.n] = who;
	fired.when[fired.n++] = when;
}

static void timer_fired(void *arg, uint64_t seq)
{
	note(arg, (int64_t)seq);
}

static void alarm_fired(const struct timer_due *due)
{
	note(due->arg, due->when);
}

static const struct alarm_kind plain = { .fire = alarm_fired };

/* What some need: so many are to be had. */
static int goods, asked, given_back;

static void *get_good(void)
{
	asked++;
	if (goods == 0)
		return NULL;
	goods--;
	return &goods;
}

static void put_good(void *got)
{
	assert_ptr_equal(got, &goods);
	given_back++;
	goods++;
}

static void use_good(const struct timer_due *due)
{
	assert_ptr_equal(due->got, &goods);
	note(due->arg, due->when);
}

static const struct alarm_kind needy = {
	.fire = use_good,
	.get = get_good,
	.put = put_good,
};

static int start_timer(int i, int64_t when)
{
	timer[i].fn = timer_fired;
	timer[i].arg = &timer[i];
	timer[i].seq = (uint64_t)when;
	return timer_start(&heap, &timer[i], when);
}

static void start_alarm(
    int i, int64_t when, int64_t period, const struct alarm_kind *kind)
{
	alarms[i].t.arg = &alarms[i];
	alarms[i].period = period;
	alarms[i].kind = kind;
	assert_int_equal(timer_start(&heap, &alarms[i].t, when), 0);
}

static uint32_t ghosts(void)
{
	uint32_t n = 0;

	for (int k = 0; k < TIMER_GHOSTS; k++)
		n += heap.ghost[k].arg != NULL;
	return n;
}

static void a_stopped_timer_gets_its_place_back(void **state)
{
	(void)state;
	up(N);
	for (int i = 0; i < 100; i++)
		assert_int_equal(start_timer(i, 1000 + i), 0);
	for (int i = 0; i < 1000; i++) {
		assert_true(timer_stop(&timer[50]));
		assert_int_equal(heap.n, 100);
		assert_int_equal(ghosts(), 1);
		walk();
		/* Sooner than before, or later; not the first of all. */
		assert_int_equal(
		    start_timer(50, 1001 + (int64_t)(random64() % 1000)), 0);
		assert_int_equal(heap.n, 100);
		walk();
	}
	assert_int_equal(timers_run(&heap, 5000), 100);
	assert_int_equal(heap.n, 0);
	down();
}

static void ghosts_are_few_and_vanish_with_the_last_timer(void **state)
{
	(void)state;
	up(N);
	for (int i = 0; i < N; i++)
		assert_int_equal(start_timer(i, 1000 + i), 0);
	for (int i = N - 1; i > 0; i--) {
		assert_true(timer_stop(&timer[i]));
		assert_true(heap.n <= (uint32_t)i + TIMER_GHOSTS);
		walk();
	}
	assert_true(timer_stop(&timer[0]));
	assert_int_equal(heap.n, 0);
	assert_int_equal(ghosts(), 0);
	down();
}

static void nobody_wakes_up_for_a_ghost(void **state)
{
	(void)state;
	up(N);
	for (int i = 0; i < 10; i++)
		assert_int_equal(start_timer(i, 10 + i), 0);
	for (int i = 1; i < 9; i++)
		assert_true(timer_stop(&timer[i]));
	assert_int_equal(timers_next(&heap), 10);
	assert_int_equal(timers_run(&heap, 10), 1);
	assert_int_equal(timers_next(&heap), 19);
	assert_int_equal(heap.n, 1);
	down();
}

/* The memory of a stopped timer is another's, who knows of nothing. */
static void a_ghost_does_not_follow_its_timer(void **state)
{
	struct timer *t = malloc(sizeof(*t));

	(void)state;
	up(N);
	assert_int_equal(start_timer(0, 1), 0);
	*t = (struct timer){ .fn = timer_fired };
	assert_int_equal(timer_start(&heap, t, 2), 0);
	assert_true(timer_stop(t));
	memset(t, 0xEE, sizeof(*t));
	free(t);
	for (int i = 1; i < 100; i++)
		assert_int_equal(start_timer(i, 2), 0);
	for (int i = 1; i < 100; i++)
		assert_true(timer_stop(&timer[i]));
	assert_int_equal(timers_run(&heap, 2), 1);
	assert_int_equal(heap.n, 0);
	down();
}

static void ghosts_make_room_when_the_table_is_full(void **state)
{
	(void)state;
	up(10);
	for (int i = 0; i < 10; i++)
		assert_int_equal(start_timer(i, 10 + i), 0);
	assert_int_equal(start_timer(10, 5), -ENOMEM);
	walk();
	for (int i = 3; i < 6; i++)
		assert_true(timer_stop(&timer[i]));
	for (int i = 11; i < 14; i++)
		assert_int_equal(start_timer(i, 10 + i), 0);
	assert_int_equal(start_timer(14, 5), -ENOMEM);
	assert_int_equal(timers_run(&heap, 100), 10);
	down();
}

static void a_period_is_kept_and_what_was_missed_is_left_out(void **state)
{
	static const int64_t now[] = { 99, 100, 101, 109, 110, 149, 150, 1000,
		1001, 1010 };
	static const int64_t due[] = { 0, 100, 0, 0, 110, 120, 150, 160, 0,
		1010 };

	(void)state;
	up(N);
	start_alarm(0, 100, 10, &plain);
	for (size_t i = 0; i < LEN(now); i++) {
		fired.n = 0;
		assert_int_equal(timers_run(&heap, now[i]), due[i] != 0);
		if (due[i])
			assert_int_equal(fired.when[0], due[i]);
		assert_true(timer_armed(&alarms[0].t));
		assert_int_equal((timers_next(&heap) - 100) % 10, 0);
		walk();
	}
	assert_true(timer_stop(&alarms[0].t));
	down();
}

static void no_time_overflows(void **state)
{
	(void)state;
	up(N);
	start_alarm(0, INT64_MIN, 7, &plain);
	start_alarm(1, INT64_MIN, INT64_MAX, &plain);
	start_alarm(2, 5, INT64_MAX - 3, &plain);
	start_alarm(3, INT64_MAX - 1, 5, &plain);
	start_alarm(4, NEVER, 5, &plain);
	assert_int_equal(timers_run(&heap, 1000), 3);
	walk();
	/* INT64_MIN + 7 n, just after 1000. */
	assert_true(alarms[0].t.when > 1000 && alarms[0].t.when <= 1007);
	assert_int_equal(
	    ((uint64_t)alarms[0].t.when - (uint64_t)INT64_MIN) % 7, 0);
	assert_true(alarms[1].t.when == INT64_MAX - 1);
	assert_true(alarms[2].t.when == NEVER);
	assert_int_equal(timers_run(&heap, INT64_MAX - 1), 3);
	assert_int_equal(timers_run(&heap, INT64_MAX - 1), 0);
	for (int i = 0; i < 5; i++) {
		assert_true(alarms[i].t.when == NEVER);
		assert_true(timer_stop(&alarms[i].t));
	}
	down();
}

static void who_lacks_something_holds_up_nobody(void **state)
{
	int64_t now = 100;

	(void)state;
	up(N);
	goods = asked = 0;
	for (int i = 0; i < 100; i++)
		start_alarm(i, 1 + i, 0, &needy);
	for (int i = 0; i < 100; i++)
		assert_int_equal(start_timer(i, 1 + i), 0);
	assert_int_equal(timers_run(&heap, now), 100);
	assert_int_equal(asked, 1);
	assert_int_equal(heap.nheld, 100);
	assert_int_equal(timers_next(&heap), now + TIMER_RETRY);
	walk();
	/* One try each time, however many wait. */
	for (int i = 2; i < 100; i++) {
		now += TIMER_RETRY;
		assert_int_equal(timers_run(&heap, now), 0);
		assert_int_equal(asked, i);
		assert_int_equal(timers_next(&heap), now + TIMER_RETRY);
	}
	/* Those that come due meanwhile queue behind. */
	start_alarm(100, now, 0, &needy);
	goods = 100;
	assert_int_equal(timers_run(&heap, now), 0);
	assert_int_equal(heap.nheld, 101);
	fired.n = 0;
	now += TIMER_RETRY;
	assert_int_equal(timers_run(&heap, now), 100);
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(fired.who[i], &alarms[i]);
	assert_int_equal(heap.nheld, 1);
	assert_true(timer_armed(&alarms[100].t));
	goods = 2;
	assert_int_equal(timers_run(&heap, now + TIMER_RETRY), 1);
	assert_int_equal(heap.nheld, 0);
	assert_int_equal(goods, 1);
	down();
}

static void who_is_held_can_be_stopped_and_moved(void **state)
{
	bool sooner;

	(void)state;
	up(N);
	goods = 0;
	for (int i = 0; i < 5; i++)
		start_alarm(i, 1 + i, i == 3 ? 10 : 0, &needy);
	assert_int_equal(timers_run(&heap, 20), 0);
	assert_int_equal(heap.nheld, 5);
	assert_true(timer_stop(&alarms[2].t)); /* in the middle */
	walk();
	assert_false(timer_stop(&alarms[2].t));
	assert_true(timer_stop(&alarms[0].t)); /* the first */
	walk();
	assert_ptr_equal(
	    timer_shift(&alarms[4].t, 30, &sooner), &heap); /* the last */
	assert_true(sooner);
	walk();
	assert_int_equal(heap.nheld, 2);
	goods = 2;
	assert_int_equal(timers_run(&heap, 20 + TIMER_RETRY), 2);
	assert_ptr_equal(fired.who[0], &alarms[1]);
	assert_ptr_equal(fired.who[1], &alarms[3]);
	assert_int_equal(fired.when[1], 4);
	/* The period goes on; 4 waits behind nobody. */
	assert_false(timer_armed(&alarms[1].t));
	assert_int_equal(alarms[3].t.when, 20 + TIMER_RETRY + 4);
	assert_int_equal(heap.nheld, 1);
	assert_true(timer_stop(&alarms[3].t));
	assert_true(timer_stop(&alarms[4].t));
	assert_int_equal(timers_next(&heap), NEVER);
	down();
}

static void what_is_left_in_hand_is_given_back(void **state)
{
	(void)state;
	up(N);
	goods = 1;
	given_back = 0;
	start_alarm(0, 1, 0, &needy);
	assert_int_equal(timers_run(&heap, 1), 1);
	assert_int_equal(given_back, 0);
	goods = 1;
	start_alarm(0, 1, 0, &needy);
	start_alarm(1, 1, 0, &needy);
	assert_int_equal(timers_run(&heap, 1), 1);
	assert_int_equal(heap.nheld, 1);
	assert_int_equal(goods, 0);
	down();
	assert_false(timer_armed(&alarms[1].t));
}

/* Between the look and the second one somebody stops it. */
static void *get_and_stop(void)
{
	assert_true(timer_stop(&alarms[0].t));
	return get_good();
}

static void a_stop_beside_a_try_is_exact(void **state)
{
	static const struct alarm_kind stopped = {
		.fire = use_good,
		.get = get_and_stop,
		.put = put_good,
	};

	(void)state;
	for (int have = 0; have < 2; have++) {
		up(N);
		goods = have;
		given_back = 0;
		start_alarm(0, 1, 0, &stopped);
		assert_int_equal(timers_run(&heap, 1), 0);
		assert_int_equal(given_back, have);
		assert_int_equal(heap.nheld, 0);
		assert_int_equal(timers_next(&heap), NEVER);
		down();
	}
}

static void what_is_armed_at_the_end_is_idle(void **state)
{
	(void)state;
	up(N);
	goods = 0;
	for (int i = 0; i < 20; i++) {
		start_alarm(i, 1 + i, i % 2, &needy);
		assert_int_equal(start_timer(i, 100 + i), 0);
	}
	assert_true(timer_stop(&timer[5]));
	assert_int_equal(timers_run(&heap, 10), 0);
	down();
	for (int i = 0; i < 20; i++)
		assert_true(!timer_armed(&timer[i]) &&
		    !timer_armed(&alarms[i].t));
	assert_int_equal(fired.n, 0);
}

/* Against a plain array, from a seed. */

static int64_t due_at[N]; /* 0: idle */
static int64_t period_of[N];

/* Runs, and tells the array.  all: nobody may be left behind, else those in
 * need may. */
static void expect(int64_t now, int have, bool all)
{
	fired.n = 0;
	goods = have;
	(void)timers_run(&heap, now);
	for (int k = 0; k < fired.n; k++) {
		int i = (int)((const struct alarm *)fired.who[k] - alarms);

		assert_true(due_at[i] && due_at[i] <= now);
		assert_true(fired.when[k] == due_at[i]);
		if (period_of[i])
			due_at[i] += ((now - due_at[i]) / period_of[i] + 1) *
			    period_of[i];
		else
			due_at[i] = 0;
	}
	for (int i = 0; i < N; i++) {
		assert_int_equal(timer_armed(&alarms[i].t), due_at[i] != 0);
		assert_true(!due_at[i] || due_at[i] > now ||
		    (!all && alarms[i].kind == &needy));
	}
}

static void random_step(int64_t *now)
{
	int i = (int)(random64() % N);
	int64_t when = *now + (int64_t)(random64() % 100) - 5;
	bool sooner;

	switch (random64() % 8) {
	case 0:
	case 1:
	case 2:
		if (due_at[i]) {
			assert_non_null(
			    timer_shift(&alarms[i].t, when, &sooner));
		} else {
			period_of[i] = random64() % 4 ? 0 : 7;
			start_alarm(i, when, period_of[i],
			    random64() % 2 ? &needy : &plain);
		}
		due_at[i] = when;
		break;
	case 3:
	case 4:
	case 5:
		assert_int_equal(timer_stop(&alarms[i].t), due_at[i] != 0);
		due_at[i] = 0;
		break;
	case 6:
		*now += 1;
		expect(*now, (int)(random64() % 3), false);
		break;
	default:
		if (random64() % 20 == 0)
			*now += TIMER_RETRY;
		expect(*now, N, heap.nheld == 0 || heap.retry <= *now);
	}
}

static void random_operations_keep_the_heap(void **state)
{
	int64_t now = 1000;

	(void)state;
	up(N);
	memset(due_at, 0, sizeof(due_at));
	for (int k = 0; k < 100000; k++) {
		random_step(&now);
		if (k % 16 == 0)
			walk();
	}
	down();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stopped_timer_gets_its_place_back),
		TEST(ghosts_are_few_and_vanish_with_the_last_timer),
		TEST(nobody_wakes_up_for_a_ghost),
		TEST(a_ghost_does_not_follow_its_timer),
		TEST(ghosts_make_room_when_the_table_is_full),
		TEST(a_period_is_kept_and_what_was_missed_is_left_out),
		TEST(no_time_overflows),
		TEST(who_lacks_something_holds_up_nobody),
		TEST(who_is_held_can_be_stopped_and_moved),
		TEST(what_is_left_in_hand_is_given_back),
		TEST(a_stop_beside_a_try_is_exact),
		TEST(what_is_armed_at_the_end_is_idle),
		TEST(random_operations_keep_the_heap),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
