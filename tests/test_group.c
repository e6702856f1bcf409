/* SPDX-License-Identifier: MIT */
/*
 * test_group.c - structured concurrency: the facts that Go's tests of errgroup
 * hold, and cancels of groups within groups.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "tests/group_util.h"

static void no_children_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	CHECK_EQ(end(&g), 0);
	CHECK_EQ(gamp_group_init(&g, gamp_now() + LONG), 0);
	CHECK_EQ(end(&g), 0);
	CHECK_EQ(gamp_group_init(&g, GAMP_FOREVER), 0);
	CHECK_EQ(end(&g), 0);
}

static void a_wait_without_children_returns(void **state)
{
	(void)state;
	on_each(no_children_main);
}

static void all_main(void *arg)
{
	gamp_err_fn *const all[] = { quick, yielding, sleeping, exiting };

	(void)arg;
	for (int round = 0; round < 30; round++) {
		struct gamp_group g;

		atomic_store(&ran, 0);
		begin(&g);
		for (int i = 0; i < round * 3; i++)
			go(&g, all[i % 4], NULL);
		CHECK_EQ(end(&g), 0);
		CHECK_EQ(atomic_load(&ran), round * 3);
	}
}

static void a_wait_returns_when_all_are_out(void **state)
{
	(void)state;
	on_each(all_main);
}

static void first_error_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 30; round++) {
		struct gamp_group g;

		begin(&g);
		for (int i = 0; i < 5; i++)
			go(&g, patient, &g);
		go(&g, yielding, (void *)(intptr_t)-EIO);
		CHECK_EQ(end(&g), -EIO);
		CHECK_EQ(atomic_exchange(&cancelled, 0), 5);
	}
}

static void the_first_error_cancels_the_rest_and_is_returned(void **state)
{
	(void)state;
	on_each(first_error_main);
}

static void any_error_main(void *arg)
{
	static const int errors[] = { -1, -EIO, 1, 77, INT32_MIN, INT32_MAX };

	(void)arg;
	for (size_t i = 0; i < LEN(errors); i++) {
		struct gamp_group g;

		begin(&g);
		go(&g, quick, (void *)(intptr_t)errors[i]);
		go(&g, patient, &g);
		CHECK_EQ(end(&g), errors[i]);
	}
}

static void an_error_is_whatever_is_not_zero(void **state)
{
	(void)state;
	on_each(any_error_main);
}

static void not_cancelled(void *arg)
{
	(void)arg;
	CHECK(!gamp_cancelled());
	CHECK_EQ(gamp_sleep(1), 0);
	atomic_fetch_add(&ran, 1);
}

static int with_error_and_clean_up(void *arg)
{
	CHECK_EQ(gamp_defer(not_cancelled, NULL), 0);
	return (int)(intptr_t)arg;
}

static void failing_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, patient, &g);
	go(&g, with_error_and_clean_up, (void *)-5);
	CHECK_EQ(end(&g), -5);
	CHECK_EQ(atomic_load(&ran), 1); /* waited for the clean-up, too */
}

static void who_fails_is_not_cancelled_and_cleans_up_in_the_group(void **state)
{
	(void)state;
	on_each(failing_main);
}

static void yield_once(void *arg)
{
	(void)arg;
	gamp_yield();
}

static int exiting_late(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_defer(yield_once, NULL), 0);
	gamp_yield();
	CHECK_EQ(gamp_defer(not_cancelled, NULL), 0);
	gamp_exit();
}

static void exit_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	for (int i = 0; i < 20; i++)
		go(&g, exiting_late, NULL);
	CHECK_EQ(end(&g), 0);
	CHECK_EQ(atomic_load(&ran), 20);
}

static void an_exit_counts_as_no_error(void **state)
{
	(void)state;
	on_each(exit_main);
}

static void cancel_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 20; round++) {
		struct gamp_group g;

		begin(&g);
		for (int i = 0; i < 10; i++)
			go(&g, patient, i % 2 ? &g : NULL);
		for (int i = round; i > 0; i--)
			gamp_yield();
		gamp_group_cancel(&g);
		gamp_group_cancel(&g);
		CHECK(!gamp_cancelled()); /* its goroutines, not who calls */
		CHECK_EQ(end(&g), -ECANCELED);
		CHECK_EQ(atomic_exchange(&cancelled, 0), 10);
	}
}

static void a_cancel_reaches_all_and_a_second_one_changes_nothing(void **state)
{
	(void)state;
	on_each(cancel_main);
}

static void late_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	gamp_group_cancel(&g);
	for (int i = 0; i < 5; i++)
		go(&g, begins_cancelled, (void *)-1);
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(atomic_load(&ran), 5);
	begin(&g);
	gamp_group_cancel(&g);
	CHECK_EQ(end(&g), -ECANCELED);
}

static void who_comes_after_a_cancel_begins_cancelled(void **state)
{
	(void)state;
	on_each(late_main);
}

static void own_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, patient, NULL);
	go(&g, cancels_own, &g);
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(atomic_load(&ran), 1);
}

static void a_goroutine_may_cancel_its_own_group(void **state)
{
	(void)state;
	on_each(own_main);
}

static int waits_for_own(void *arg)
{
	CHECK_EQ(gamp_group_wait(arg), -EDEADLK);
	return quick(NULL);
}

static void own_wait_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, waits_for_own, &g);
	CHECK_EQ(end(&g), 0);
	CHECK_EQ(atomic_load(&ran), 1);
}

static void who_waits_for_itself_is_told(void **state)
{
	(void)state;
	on_each(own_wait_main);
}

/* Nested groups. */

struct nest {
	int depth, width, err;
	bool fails; /* the one at the bottom */
};

static int nest(void *arg)
{
	struct nest *n = arg, below = *n;
	struct gamp_group g;
	int r;

	if (n->depth == 0)
		return n->fails ? n->err : patient(NULL);
	below.depth--;
	begin(&g);
	for (int i = 0; i < n->width; i++)
		go(&g, nest, &below);
	r = end(&g);
	atomic_fetch_add(&ran, 1);
	return r;
}

static void down_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 10; round++) {
		struct nest n = { .depth = 4, .width = 3 };
		struct gamp_group g;

		atomic_store(&ran, 0);
		begin(&g);
		go(&g, nest, &n);
		for (int i = round * 20; i > 0; i--)
			gamp_yield();
		gamp_group_cancel(&g);
		CHECK_EQ(end(&g), -ECANCELED);
		CHECK_EQ(atomic_load(&ran), 1 + 3 + 9 + 27);
		CHECK_EQ(atomic_exchange(&cancelled, 0), 81);
	}
}

static void a_cancel_goes_down_through_nested_groups(void **state)
{
	(void)state;
	on_each(down_main);
}

static void up_main(void *arg)
{
	struct nest n = {
		.depth = 3, .width = 2, .err = -EPIPE, .fails = true
	};
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, patient, NULL);
	go(&g, nest, &n);
	CHECK_EQ(end(&g), -EPIPE);
	CHECK_EQ(atomic_load(&cancelled), 1);
}

static void an_error_goes_up_through_nested_groups(void **state)
{
	(void)state;
	on_each(up_main);
}

struct parent {
	struct gamp_group *own;
	atomic_int left;
};

static int breeds(void *arg)
{
	struct parent *p = arg;

	if (atomic_fetch_sub(&p->left, 1) > 0)
		CHECK_EQ(gamp_group_go(p->own, breeds, p), 0);
	if (atomic_fetch_sub(&p->left, 1) > 0)
		CHECK_EQ(gamp_group_go(p->own, breeds, p), 0);
	return yielding(NULL);
}

static void breed_main(void *arg)
{
	struct gamp_group g;
	struct parent p = { .own = &g };

	(void)arg;
	atomic_init(&p.left, 1000);
	begin(&g);
	go(&g, breeds, &p);
	CHECK_EQ(end(&g), 0);
	CHECK_EQ(atomic_load(&ran), 1001);
}

static void children_start_children_while_it_is_waited_for(void **state)
{
	(void)state;
	on_each(breed_main);
}

static void crowd_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	for (int i = 0; i < CROWD; i++)
		go(&g, i % 2 ? patient : yielding, NULL);
	gamp_group_cancel(&g);
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(atomic_load(&cancelled), CROWD / 2);
	CHECK_EQ(atomic_load(&ran), CROWD / 2);
}

static void a_group_may_be_large(void **state)
{
	(void)state;
	on_each(crowd_main);
}

static void cancel_from_outside(void *arg)
{
	gamp_group_cancel(arg);
	atomic_fetch_add(&ran, 1);
}

/* All are out as soon as the last one has been woken, while the canceller is
 * still at it. */
static void outside_main(void *arg)
{
	(void)arg;
	for (int round = 1; round <= 100; round++) {
		struct gamp_group g;

		begin(&g);
		for (int i = 0; i < round; i++)
			go(&g, patient, NULL);
		CHECK(gamp_go(cancel_from_outside, &g) > 0);
		CHECK_EQ(end(&g), -ECANCELED);
		AWAIT(atomic_load(&ran) == round);
	}
}

static void a_wait_lets_the_canceller_finish(void **state)
{
	(void)state;
	on_each(outside_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_wait_without_children_returns),
		TEST(a_wait_returns_when_all_are_out),
		TEST(the_first_error_cancels_the_rest_and_is_returned),
		TEST(an_error_is_whatever_is_not_zero),
		TEST(who_fails_is_not_cancelled_and_cleans_up_in_the_group),
		TEST(an_exit_counts_as_no_error),
		TEST(a_cancel_reaches_all_and_a_second_one_changes_nothing),
		TEST(who_comes_after_a_cancel_begins_cancelled),
		TEST(a_goroutine_may_cancel_its_own_group),
		TEST(who_waits_for_itself_is_told),
		TEST(a_cancel_goes_down_through_nested_groups),
		TEST(an_error_goes_up_through_nested_groups),
		TEST(children_start_children_while_it_is_waited_for),
		TEST(a_group_may_be_large),
		TEST(a_wait_lets_the_canceller_finish),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
