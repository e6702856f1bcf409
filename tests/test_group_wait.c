/* SPDX-License-Identifier: MIT */
/*
 * test_group_wait.c - who waits for a group: cancelled, at a deadline, on a
 * plain thread; and the memory afterwards.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/group_util.h"

/* Cancelling who waits. */

static int waits(void *arg)
{
	struct gamp_group g;
	int r;

	(void)arg;
	begin(&g);
	for (int i = 0; i < 3; i++)
		go(&g, patient, NULL);
	r = end(&g);
	CHECK_EQ(r, -ECANCELED);
	CHECK(gamp_cancelled());
	atomic_fetch_add(&ran, 1);
	return 0;
}

static void wait_as_goroutine(void *arg)
{
	(void)waits(arg);
}

static void waiter_main(void *arg)
{
	(void)arg;
	for (int round = 1; round <= 20; round++) {
		int64_t id = gamp_go(wait_as_goroutine, NULL);

		if (round % 2)
			await_parked(id, WHY_GROUP);
		CHECK_EQ(gamp_cancel(id), 0);
		AWAIT(atomic_load(&ran) == round);
		CHECK_EQ(atomic_exchange(&cancelled, 0), 3);
	}
}

static void a_cancelled_waiter_cancels_and_goes_on_waiting(void **state)
{
	(void)state;
	on_each(waiter_main);
}

/* It does not hear of it, and takes its time. */
static int deaf(void *arg)
{
	struct gamp_chan *ch = arg;

	(void)gamp_uncancellable(true);
	CHECK_EQ(gamp_chan_recv(ch, NULL), 0);
	CHECK(gamp_cancelled());
	return 0;
}

static struct gamp_chan *gate;

static void wait_for_deaf(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, deaf, gate);
	CHECK_EQ(end(&g), -ECANCELED);
	atomic_fetch_add(&ran, 1);
}

static void deaf_main(void *arg)
{
	int64_t id;

	(void)arg;
	gate = gamp_chan_new(0, 0);
	id = gamp_go(wait_for_deaf, NULL);
	await_parked(id, WHY_GROUP);
	CHECK_EQ(gamp_cancel(id), 0);
	for (int i = 0; i < 100; i++) {
		gamp_yield();
		CHECK_EQ(atomic_load(&ran), 0);
	}
	await_parked(id, WHY_GROUP);
	CHECK_EQ(gamp_chan_send(gate, NULL), 0);
	AWAIT(atomic_load(&ran) == 1);
	AWAIT(!g_find(id));
	CHECK_EQ(gamp_chan_free(gate), 0);
}

static void a_group_is_never_left_with_children(void **state)
{
	(void)state;
	on_each(deaf_main);
}

static int waits_protected(void *arg)
{
	struct gamp_group g;

	(void)gamp_uncancellable(true);
	begin(&g);
	go(&g, yielding, NULL);
	go(&g, sleeping, arg);
	CHECK_EQ(end(&g), (intptr_t)arg);
	return 0;
}

static void protected_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	begin(&g);
	gamp_group_cancel(&g);
	go(&g, waits_protected, NULL);
	go(&g, waits_protected, (void *)-3);
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(atomic_load(&ran), 4);
}

static void who_is_uncancellable_waits_as_if_nothing_were(void **state)
{
	(void)state;
	on_each(protected_main);
}

/* What is over cannot be cancelled any more. */
static int says_who(void *arg)
{
	atomic_store((_Atomic int64_t *)arg, gamp_self());
	return 0;
}

static void wait_late(void *arg)
{
	_Atomic int64_t id = 0;
	struct gamp_group g;

	(void)arg;
	begin(&g);
	go(&g, says_who, &id);
	AWAIT(atomic_load(&id) != 0 && !g_find(atomic_load(&id)));
	CHECK_EQ(gamp_cancel(gamp_self()), 0);
	CHECK_EQ(end(&g), 0);
	atomic_fetch_add(&ran, 1);
}

static void finished_main(void *arg)
{
	(void)arg;
	CHECK(gamp_go(wait_late, NULL) > 0);
	AWAIT(atomic_load(&ran) == 1);
}

static void what_has_succeeded_stays_so(void **state)
{
	(void)state;
	on_each(finished_main);
}

/* Deadlines. */

static void deadline_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 10; round++) {
		int64_t at = gamp_now() + round * 100 * GAMP_MICROSECOND;
		struct gamp_group g;

		CHECK_EQ(gamp_group_init(&g, at), 0);
		for (int i = 0; i < 5; i++)
			go(&g, patient, &g);
		CHECK_EQ(end(&g), -ETIMEDOUT);
		CHECK(gamp_now() >= at);
		CHECK_EQ(atomic_exchange(&cancelled, 0), 5);
	}
}

static void after_the_deadline_all_are_cancelled(void **state)
{
	(void)state;
	on_each(deadline_main);
}

static void past_main(void *arg)
{
	static const int64_t past[] = { 1, -1, INT64_MIN };

	(void)arg;
	for (size_t i = 0; i < LEN(past); i++) {
		struct gamp_group g;

		CHECK_EQ(gamp_group_init(&g, past[i]), 0);
		go(&g, begins_cancelled, (void *)-7);
		CHECK_EQ(end(&g), -ETIMEDOUT);
		CHECK_EQ(gamp_group_init(&g, past[i]), 0);
		CHECK_EQ(end(&g), -ETIMEDOUT);
	}
	CHECK_EQ(atomic_load(&ran), LEN(past));
}

static void a_deadline_in_the_past_is_over_at_once(void **state)
{
	(void)state;
	on_each(past_main);
}

static int waits_until(void *arg)
{
	struct gamp_group g;
	int r;

	CHECK_EQ(gamp_group_init(&g, gamp_now() + (intptr_t)arg), 0);
	go(&g, patient, NULL);
	r = end(&g);
	atomic_fetch_add(&ran, 1);
	return r;
}

static void earlier_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	/* The outer one's is earlier: it reaches the inner one as a cancel. */
	CHECK_EQ(gamp_group_init(&g, gamp_now() + GAMP_MILLISECOND), 0);
	go(&g, waits_until, (void *)(intptr_t)LONG);
	CHECK_EQ(end(&g), -ETIMEDOUT);
	/* The inner one's is: it goes up as an error. */
	CHECK_EQ(gamp_group_init(&g, gamp_now() + LONG), 0);
	go(&g, waits_until, (void *)(intptr_t)GAMP_MILLISECOND);
	go(&g, patient, NULL);
	CHECK_EQ(end(&g), -ETIMEDOUT);
	CHECK_EQ(atomic_load(&ran), 2);
	CHECK_EQ(atomic_load(&cancelled), 3);
}

static void of_two_deadlines_the_earlier_one_counts(void **state)
{
	(void)state;
	on_each(earlier_main);
}

/* The deadline comes just as the last one leaves: the group is on a stack that
 * is used for something else at once. */
static int until_about(void *arg)
{
	int64_t until = *(int64_t *)arg;

	while (gamp_now() < until)
		gamp_yield();
	return 0;
}

static void just_now_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 300; round++) {
		int64_t at = gamp_now() + 20 * GAMP_MICROSECOND, until = at;
		struct gamp_group g;
		int r;

		until += (round % 20 - 10) * GAMP_MICROSECOND;
		CHECK_EQ(gamp_group_init(&g, at), 0);
		go(&g, until_about, &until);
		r = end(&g);
		CHECK(r == 0 || r == -ETIMEDOUT);
	}
}

static void a_deadline_may_come_as_the_last_one_leaves(void **state)
{
	(void)state;
	on_each(just_now_main);
}

/* Many cancel at once: others, the waiter, an error, the deadline. */
static int canceller(void *arg)
{
	gamp_group_cancel(arg);
	return 0;
}

static void at_once_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 100; round++) {
		struct gamp_group g, killers;
		int r;

		CHECK_EQ(gamp_group_init(&g,
			     gamp_now() + round % 10 * GAMP_MICROSECOND * 10),
		    0);
		begin(&killers);
		go(&g, patient, NULL);
		for (int i = 0; i < 4; i++)
			go(&killers, canceller, &g);
		go(&g, cancels_own, &g);
		go(&g, yielding, (void *)-2);
		for (int i = 0; i < 8; i++)
			go(&g, patient, NULL);
		CHECK_EQ(end(&killers), 0); /* before g may go */
		r = end(&g);
		CHECK(r == -2 || r == -ECANCELED || r == -ETIMEDOUT);
	}
}

static void many_cancel_at_once(void **state)
{
	(void)state;
	on_each(at_once_main);
}

/* A canceller that began while the group was there holds its end up. */
static int one_of_two(void *arg)
{
	struct gamp_group *g = *(struct gamp_group **)arg;

	gamp_group_cancel(g);
	return 0;
}

static void held_main(void *arg)
{
	(void)arg;
	for (int round = 0; round < 100; round++) {
		struct gamp_group *g = malloc(sizeof(*g));

		begin(g);
		for (int i = 0; i < 4; i++)
			go(g, one_of_two, &g);
		CHECK_EQ(gamp_group_wait(g), -ECANCELED);
		free(g);
	}
}

static void the_memory_may_be_freed_after_the_wait(void **state)
{
	(void)state;
	on_each(held_main);
}

static void bad_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	CHECK_EQ(gamp_group_init(NULL, 0), -EINVAL);
	begin(&g);
	CHECK_EQ(gamp_group_go(&g, NULL, NULL), -EINVAL);
	CHECK_EQ(gamp_group_go(NULL, quick, NULL), -EINVAL);
	CHECK_EQ(gamp_group_wait(NULL), -EINVAL);
	gamp_group_cancel(NULL);
	CHECK_EQ(end(&g), 0);
}

static void limit_main(void *arg)
{
	struct gamp_group g;
	int n = 0;

	(void)arg;
	begin(&g);
	while (gamp_group_go(&g, patient, NULL) == 0)
		n++;
	CHECK_EQ(n, 99); /* and this one */
	CHECK_EQ(gamp_group_go(&g, patient, NULL), -EAGAIN);
	gamp_group_cancel(&g);
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(atomic_load(&cancelled), n);
}

static void bad_calls_are_answered(void **state)
{
	struct gamp_group g;

	(void)state;
	atomic_store(&ran, 0);
	atomic_store(&cancelled, 0);
	run(bad_main);
	run_with(limit_main,
	    &(struct gamp_options){ .maxprocs = 1, .max_goroutines = 100 });
	assert_int_equal(gamp_group_init(&g, 0), -ESRCH);
}

/* Threads that are not the runtime's.  Last, for after them there are no solo
 * sections any more (sched/solo.h). */

static void stopping_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	CHECK_EQ(gamp_group_init(&g, gamp_now() + LONG), 0);
	for (int i = 0; i < 5; i++)
		go(&g, patient, &g);
	atomic_store(&ran, 1);
	/* It is gamp_stop that cancels. */
	CHECK_EQ(end(&g), -ECANCELED);
	CHECK_EQ(gamp_group_init(&g, 0), 0);
	CHECK_EQ(gamp_group_go(&g, quick, NULL), -ECANCELED);
	CHECK_EQ(end(&g), 0);
}

static void a_stop_ends_groups_like_a_cancel(void **state)
{
	(void)state;
	failed.count = 0;
	for (int i = 0; i < 20; i++) {
		atomic_store(&ran, 0);
		assert_int_equal(gamp_start(NULL), 0);
		assert_true(gamp_go(stopping_main, NULL) > 0);
		while (atomic_load(&ran) == 0)
			(void)sched_yield();
		assert_int_equal(gamp_stop(0), 0);
		if (failed.count)
			fail_msg("%s", failed.text);
	}
}

static void *use_from_thread(void *arg)
{
	(void)arg;
	for (int round = 0; round < 50; round++) {
		int64_t at = round % 3 ? 0 :
			     gamp_now() + round * 10 * GAMP_MICROSECOND;
		struct gamp_group g;
		int r;

		CHECK_EQ(gamp_group_init(&g, at), 0);
		for (int i = 0; i < 5; i++)
			go(&g, round % 2 ? yielding : waits, NULL);
		if (round % 4 == 0)
			gamp_group_cancel(&g);
		else if (round % 2 == 0)
			go(&g, yielding, (void *)-9);
		r = end(&g);
		CHECK(r == (round % 4 == 0 ? -ECANCELED :
			       round % 2 == 0 ? -9 : 0) ||
		    (at && r == -ETIMEDOUT));
	}
	return NULL;
}

static int wait_without_children(void *arg)
{
	return (int)(intptr_t)arg;
}

static void use_from_threads(void)
{
	pthread_t t[3];

	for (size_t i = 0; i < LEN(t); i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, use_from_thread, NULL), 0);
	for (size_t i = 0; i < LEN(t); i++)
		(void)pthread_join(t[i], NULL);
}

static void threads_use_groups_like_goroutines(void **state)
{
	static const int procs[] = { 1, 3 };

	(void)state;
	for (size_t i = 0; i < LEN(procs); i++) {
		struct gamp_options o = { .maxprocs = procs[i] };

		failed.count = 0;
		assert_int_equal(gamp_start(&o), 0);
		use_from_threads();
		assert_int_equal(gamp_stop(0), 0);
		if (failed.count)
			fail_msg("%s", failed.text);
	}
}

/* A group of a thread may outlive its runtime, and even another one. */
static void a_group_is_waited_for_after_the_runtime_has_stopped(void **state)
{
	struct gamp_group g[3];

	(void)state;
	failed.count = 0;
	assert_int_equal(gamp_start(NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    gamp_group_init(&g[i], i ? gamp_now() + LONG : 0), 0);
		go(&g[i], wait_without_children, NULL);
		go(&g[i], patient, NULL);
	}
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(gamp_group_go(&g[0], quick, NULL), -ESRCH);
	gamp_group_cancel(&g[0]);
	assert_int_equal(gamp_group_wait(&g[0]), -ECANCELED);
	assert_int_equal(gamp_group_wait(&g[1]), 0);
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(gamp_group_wait(&g[2]), 0);
	assert_int_equal(gamp_stop(0), 0);
	if (failed.count)
		fail_msg("%s", failed.text);
}

/* There, nobody is left to tell that the time has come. */
static void a_forked_child_waits_for_a_group_and_gets_out(void **state)
{
	static const int64_t after[] = { 0, 1, 20 * MS, LONG };
	struct gamp_group g[LEN(after)];

	(void)state;
	assert_int_equal(gamp_start(NULL), 0);
	for (size_t i = 0; i < LEN(after); i++) {
		int64_t deadline = after[i] ? gamp_now() + after[i] : 0;
		int status = -1;
		pid_t pid;

		assert_int_equal(gamp_group_init(&g[i], deadline), 0);
		pid = fork();
		if (pid == 0) {
			(void)alarm(60);
			(void)gamp_group_wait(&g[i]);
			_exit(0);
		}
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_int_equal(status, 0);
		(void)gamp_group_wait(&g[i]);
	}
	assert_int_equal(gamp_stop(0), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cancelled_waiter_cancels_and_goes_on_waiting),
		TEST(a_group_is_never_left_with_children),
		TEST(who_is_uncancellable_waits_as_if_nothing_were),
		TEST(what_has_succeeded_stays_so),
		TEST(after_the_deadline_all_are_cancelled),
		TEST(a_deadline_in_the_past_is_over_at_once),
		TEST(of_two_deadlines_the_earlier_one_counts),
		TEST(a_deadline_may_come_as_the_last_one_leaves),
		TEST(many_cancel_at_once),
		TEST(the_memory_may_be_freed_after_the_wait),
		TEST(bad_calls_are_answered),
		TEST(a_stop_ends_groups_like_a_cancel),
		TEST(threads_use_groups_like_goroutines),
		TEST(a_group_is_waited_for_after_the_runtime_has_stopped),
		TEST(a_forked_child_waits_for_a_group_and_gets_out),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
