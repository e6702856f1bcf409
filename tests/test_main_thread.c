/* SPDX-License-Identifier: MIT */
/* test_main_thread.c - gamp_run with main on the thread that called it. */

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { LAPS = 200, BACKGROUND = 1 };
#else
enum { LAPS = 2000, BACKGROUND = 0 };
#endif

static int tid(void)
{
	return (int)syscall(SYS_gettid);
}

static int home;
static atomic_int done;

static void here_with(gamp_fn *fn, struct gamp_options opt)
{
	stack_t before, after;

	opt.main_thread = true;
	opt.stop_timeout = LIMIT;
	home = tid();
	failed.count = 0;
	atomic_store(&done, 0);
	assert_int_equal(sigaltstack(NULL, &before), 0);
	assert_int_equal(gamp_run(fn, NULL, &opt), 0);
	if (failed.count)
		fail_msg("%s", failed.text);
	assert_int_equal(gamp_self(), 0);
	assert_int_equal(sigaltstack(NULL, &after), 0);
	assert_int_equal(before.ss_flags, after.ss_flags);
}

static void here(gamp_fn *fn, int procs)
{
	here_with(fn, (struct gamp_options){ .maxprocs = procs });
}

static void is_elsewhere(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		CHECK(tid() != home);
		gamp_yield();
	}
	atomic_fetch_add(&done, 1);
}

static struct gamp_chan *there, *back;

static void answers(void *arg)
{
	int v;

	(void)arg;
	while (gamp_chan_recv(there, &v) == 0) {
		CHECK(tid() != home);
		CHECK_EQ(gamp_chan_send(back, &v), 0);
	}
}

/* Everything that parks. */
static void stays(void *arg)
{
	int v;

	(void)arg;
	there = gamp_chan_new(sizeof(int), 0);
	back = gamp_chan_new(sizeof(int), 1);
	(void)go(answers, NULL);
	for (int i = 0; i < LAPS; i++) {
		CHECK_EQ(tid(), home);
		CHECK_EQ(gamp_chan_send(there, &i), 0);
		CHECK_EQ(tid(), home);
		CHECK_EQ(gamp_chan_recv(back, &v), 0);
		CHECK_EQ(tid(), home);
		if (i % 50 == 0)
			CHECK_EQ(gamp_sleep(MS / 20), 0);
		if (i % 20 == 0)
			(void)go(is_elsewhere, NULL);
		gamp_yield();
	}
	AWAIT(atomic_load(&done) == LAPS / 20);
	CHECK_EQ(tid(), home);
	CHECK_EQ(gamp_unlock_thread(), 0);
	CHECK_EQ(gamp_lock_thread(), 0);
	CHECK_EQ(gamp_chan_close(there), 0);
}

static void free_both(void)
{
	assert_int_equal(gamp_chan_free(there), 0);
	assert_int_equal(gamp_chan_free(back), 0);
}

static void main_stays_on_the_calling_thread(void **state)
{
	(void)state;
	here(stays, 1);
	free_both();
	here(stays, 2);
	free_both();
	here(stays, 4);
	free_both();
}

/* It has all of a large stack, as such libraries expect. */
static void digs(void *arg)
{
	volatile char much[4 << 20];

	(void)arg;
	for (size_t i = 0; i < sizeof(much); i += 1024)
		much[i] = 1;
	gamp_yield();
	CHECK_EQ(much[sizeof(much) - 1024], 1);
}

static void its_stack_is_large(void **state)
{
	(void)state;
	here(digs, 2);
}

static void ticks(void *arg)
{
	(void)arg;
	while (atomic_load(&done) < 20) {
		CHECK_EQ(gamp_sleep(MS), 0);
		atomic_fetch_add(&done, 1);
	}
}

/* A library's loop that never comes back, as far as we can tell. */
static void blocks(void *arg)
{
	int64_t limit = gamp_now() + LIMIT;

	(void)arg;
	(void)go(ticks, NULL);
	while (atomic_load(&done) < 10 && gamp_now() < limit)
		spin(1000);
	while (atomic_load(&done) < 20 && gamp_now() < limit)
		(void)poll(NULL, 0, 1); /* blocks the thread */
	CHECK_EQ(atomic_load(&done), 20);
	CHECK_EQ(tid(), home);
	gamp_yield();
	CHECK_EQ(tid(), home);
}

static void others_go_on_while_main_blocks_its_thread(void **state)
{
	(void)state;
	here(blocks, 1);
	here(blocks, 2);
}

static void called(void *arg)
{
	CHECK(gamp_self() > 0);
	CHECK(tid() != home);
	CHECK_EQ(gamp_sleep(MS), 0);
	*(int *)arg += 1;
}

static void *calls(void *arg)
{
	int n = 0;

	for (int i = 0; i < 20; i++)
		if (gamp_call(called, &n) < 0)
			return NULL;
	atomic_fetch_add(&done, 1);
	return n == 20 ? arg : NULL;
}

static void has_threads_beside(void *arg)
{
	pthread_t t[3];
	void *result;

	(void)arg;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, calls, &done), 0);
	AWAIT(atomic_load(&done) == 3);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(pthread_join(t[i], &result), 0);
		CHECK(result != NULL);
	}
	gamp_exit();
}

static void other_threads_call_in(void **state)
{
	(void)state;
	here(has_threads_beside, 2);
}

static void is_cancelled(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_sleep(GAMP_FOREVER), -ECANCELED);
	atomic_fetch_add(&done, 1);
}

static void returns_at_once(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		(void)go(is_cancelled, NULL);
}

static void the_others_are_cancelled_when_it_returns(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		here(returns_at_once, 1 + i % 4);
		assert_int_equal(atomic_load(&done), 10);
	}
}

static void moves_about(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		gamp_yield();
}

/* Its processors are its own again. */
static void bound_threads_leave_the_caller_as_it_was(void **state)
{
	cpu_set_t before, after;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	here_with(moves_about,
	    (struct gamp_options){ .maxprocs = 2, .bind_threads = true });
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
}

static int result_of_wait;

static void waits_for_nobody(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);

	(void)arg;
	result_of_wait = gamp_chan_recv(ch, NULL);
	(void)gamp_chan_free(ch);
}

/* The report goes to standard error. */
static void a_deadlock_ends_main(void **state)
{
	const struct gamp_options opt = { .main_thread = true };

	(void)state;
	if (BACKGROUND) /* has a thread, which might do something */
		skip();
	assert_int_equal(
	    gamp_run(waits_for_nobody, NULL, &opt), -EDEADLK);
	assert_int_equal(result_of_wait, -ECANCELED);
	here(moves_about, 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(main_stays_on_the_calling_thread),
		TEST(its_stack_is_large),
		TEST(others_go_on_while_main_blocks_its_thread),
		TEST(the_others_are_cancelled_when_it_returns),
		TEST(bound_threads_leave_the_caller_as_it_was),
		TEST(a_deadlock_ends_main),
		TEST(other_threads_call_in),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
