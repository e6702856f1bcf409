/* SPDX-License-Identifier: MIT */
/*
 * test_go.c - goroutines through the public face.
 *
 * cmocka's assertions jump, so goroutines note what they saw and the test
 * looks at it when gamp_run has returned.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/test.h"

#ifdef RT_TSAN /* which has room for 8,000, and takes its time */
enum { MANY = 1000 };
#else
enum { MANY = 3000 };
#endif

static atomic_int count, failures;
static atomic_llong saved;

#define EXPECT(c) ((c) ? (void)0 : (void)atomic_fetch_add(&failures, 1))

static void run(gamp_fn *fn, void *arg, const struct gamp_options *opt)
{
	struct gamp_options o = { 0 };

	if (opt)
		o = *opt;
	if (o.stop_timeout == 0)
		o.stop_timeout = 60 * GAMP_SECOND;
	atomic_store(&count, 0);
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(fn, arg, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void wait_for(int n)
{
	while (atomic_load(&count) < n)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static void add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
}

static void yield_and_add(void *arg)
{
	for (int i = 0; i < 20; i++)
		gamp_yield();
	add_one(arg);
}

static void start_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < MANY; i++)
		EXPECT(gamp_go(i % 2 ? yield_and_add : add_one, NULL) > 0);
	wait_for(MANY);
}

static void every_goroutine_runs_once(void **state)
{
	static const int procs[] = { 1, 2, 4, 64 };

	(void)state;
	for (size_t i = 0; i < LEN(procs); i++) {
		struct gamp_options o = { .maxprocs = procs[i] };

		run(start_many, NULL, &o);
		assert_int_equal(count, MANY);
	}
}

static void tree(void *arg)
{
	intptr_t depth = (intptr_t)arg;

	if (depth > 0) {
		EXPECT(gamp_go(tree, (void *)(depth - 1)) > 0);
		EXPECT(gamp_go(tree, (void *)(depth - 1)) > 0);
	}
	atomic_fetch_add(&count, 1);
}

static void grow_tree(void *arg)
{
	tree(arg);
	wait_for((1 << ((intptr_t)arg + 1)) - 1);
}

static void goroutines_start_goroutines(void **state)
{
	(void)state;
	run(grow_tree, (void *)10, NULL);
}

static void sleep_some(void *arg)
{
	int64_t ns = (int64_t)(intptr_t)arg, from = gamp_now();

	EXPECT(gamp_sleep(ns) == 0);
	EXPECT(gamp_now() - from >= ns);
	atomic_fetch_add(&count, 1);
}

static void sleep_many(void *arg)
{
	(void)arg;
	for (intptr_t i = 0; i < 500; i++)
		EXPECT(gamp_go(sleep_some, (void *)(i * 20000)) > 0);
	wait_for(500);
}

static void no_sleep_is_shorter_than_asked(void **state)
{
	struct gamp_options one = { .maxprocs = 1 };

	(void)state;
	run(sleep_many, NULL, NULL);
	run(sleep_many, NULL, &one);
}

static void sleep_for_ever(void *arg)
{
	int64_t ns = arg ? INT64_MAX : 3600 * GAMP_SECOND;

	EXPECT(gamp_sleep(ns) == -ECANCELED);
	EXPECT(gamp_cancelled());
	EXPECT(gamp_sleep(1) == -ECANCELED);
	EXPECT(gamp_sleep(0) == -ECANCELED);
	EXPECT(!gamp_uncancellable(true));
	EXPECT(gamp_sleep(1000) == 0);
	EXPECT(gamp_cancelled());
	EXPECT(gamp_uncancellable(false));
	EXPECT(gamp_sleep(1) == -ECANCELED);
	atomic_fetch_add(&count, 1);
}

static void cancel_sleepers(void *arg)
{
	int64_t ids[100];

	(void)arg;
	for (int i = 0; i < 100; i++)
		EXPECT((ids[i] = gamp_go(
			    sleep_for_ever, (void *)(intptr_t)(i % 2))) > 0);
	for (int i = 0; i < 100; i++)
		EXPECT(gamp_cancel(ids[i]) == 0);
	wait_for(100);
	for (int i = 0; i < 100; i++)
		while (gamp_cancel(ids[i]) != -ESRCH)
			gamp_yield();
}

static void cancel_ends_a_sleep_and_all_later_calls(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		run(cancel_sleepers, NULL, NULL);
}

static void leave_sleepers_behind(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		EXPECT(gamp_go(sleep_for_ever, NULL) > 0);
}

static void main_returning_cancels_the_rest(void **state)
{
	(void)state;
	run(leave_sleepers_behind, NULL, NULL);
	assert_int_equal(count, 100);
}

static void exit_early(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
	gamp_exit();
	atomic_fetch_add(&failures, 1);
}

static void exit_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		EXPECT(gamp_go(exit_early, NULL) > 0);
	wait_for(100);
}

static void exit_ends_only_the_caller(void **state)
{
	(void)state;
	run(exit_main, NULL, NULL);
}

static void note_self(void *arg)
{
	int64_t self = gamp_self();

	(void)arg;
	atomic_store(&saved, self);
	gamp_yield();
	EXPECT(gamp_self() == self);
	atomic_fetch_add(&count, 1);
}

static void ids_main(void *arg)
{
	int64_t before = 0;

	(void)arg;
	for (int i = 1; i <= 1000; i++) {
		int64_t id = gamp_go(note_self, NULL);

		EXPECT(id > 0 && id != before && id != gamp_self());
		wait_for(i);
		EXPECT(atomic_load(&saved) == id);
		while (gamp_cancel(id) == 0)
			gamp_yield();
		before = id;
	}
	for (int i = 0; i < 100000; i++) {
		int64_t any = (int64_t)((uint64_t)i * 0x9E3779B97F4A7C15u);

		if (any != gamp_self())
			EXPECT(gamp_cancel(any) == -ESRCH);
	}
	EXPECT(gamp_cancel(INT64_MIN) == -ESRCH);
	EXPECT(gamp_cancel(INT64_MAX) == -ESRCH);
	EXPECT(gamp_cancel(0) == -ESRCH);
	EXPECT(gamp_cancel(-1) == -ESRCH);
}

static void an_id_names_one_goroutine_for_ever(void **state)
{
	(void)state;
	run(ids_main, NULL, NULL);
}

static void big_frame(void *arg)
{
	volatile char buf[900 << 10];

	(void)arg;
	for (size_t i = 0; i < sizeof(buf); i += 4096)
		buf[i] = 1;
	atomic_fetch_add(&count, buf[0]);
}

static void stacks_main(void *arg)
{
	struct gamp_go_options o = { .stack_size = 1 << 20, .name = "big" };

	(void)arg;
	for (int i = 0; i < 20; i++)
		EXPECT(gamp_go_with(&o, big_frame, NULL) > 0);
	o.stack_size = 65 << 20;
	EXPECT(gamp_go_with(&o, big_frame, NULL) == -EINVAL);
	wait_for(20);
}

static void a_stack_is_as_large_as_asked_for(void **state)
{
	(void)state;
	run(stacks_main, NULL, NULL);
}

static void limit_main(void *arg)
{
	int64_t id = 1;
	int n = 0;

	(void)arg;
	for (; n < 200 && (id = gamp_go(sleep_for_ever, NULL)) > 0; n++)
		;
	EXPECT(id == -EAGAIN);
	EXPECT(n == 99); /* and this one */
}

static void more_goroutines_than_allowed_are_eagain(void **state)
{
	struct gamp_options o = { .max_goroutines = 100, .maxprocs = 4 };

	(void)state;
	run(limit_main, NULL, &o);
}

static void bad_calls_are_answered(void **state)
{
	struct gamp_options o = { .maxprocs = 1025 };

	(void)state;
	assert_int_equal(gamp_run(NULL, NULL, NULL), -EINVAL);
	assert_int_equal(gamp_run(add_one, NULL, &o), -EINVAL);
	o = (struct gamp_options){ .maxprocs = -1 };
	assert_int_equal(gamp_start(&o), -EINVAL);
	o = (struct gamp_options){ .stack_size = (size_t)65 << 20 };
	assert_int_equal(gamp_start(&o), -EINVAL);
	o = (struct gamp_options){ .max_goroutines = -1 };
	assert_int_equal(gamp_start(&o), -EINVAL);
	assert_int_equal(gamp_stop(0), -ESRCH);
	assert_int_equal(gamp_go(add_one, NULL), -ESRCH);
	assert_int_equal(gamp_go(NULL, NULL), -EINVAL);
	assert_int_equal(gamp_cancel(1), -ESRCH);
	assert_int_equal(gamp_sleep(1), -EPERM);
	assert_int_equal(gamp_self(), 0);
	assert_false(gamp_cancelled());
	assert_false(gamp_uncancellable(true));
	assert_int_equal(gamp_maxprocs(0), 0);
	gamp_yield();
	gamp_enter_blocking();
	gamp_leave_blocking();
}

static void nest(void *arg)
{
	(void)arg;
	EXPECT(gamp_run(add_one, NULL, NULL) == -EDEADLK);
	EXPECT(gamp_start(NULL) == -EDEADLK);
	EXPECT(gamp_stop(0) == -EDEADLK);
	EXPECT(gamp_maxprocs(0) == 3);
	EXPECT(gamp_maxprocs(-1) == -EINVAL);
}

static void the_runtime_does_not_nest(void **state)
{
	struct gamp_options o = { .maxprocs = 3 };

	(void)state;
	run(nest, NULL, &o);
}

static void *foreign(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++)
		EXPECT(gamp_go(yield_and_add, NULL) > 0);
	return NULL;
}

static void any_thread_starts_goroutines(void **state)
{
	pthread_t t[4];

	(void)state;
	atomic_store(&count, 0);
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(gamp_start(NULL), -EALREADY);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, foreign, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(count, 2000);
}

static atomic_bool go_on;

static void stubborn(void *arg)
{
	(void)arg;
	while (!atomic_load(&go_on))
		gamp_yield();
}

static void stop_gives_up_at_its_deadline_and_can_go_on(void **state)
{
	(void)state;
	atomic_store(&go_on, false);
	assert_int_equal(gamp_start(NULL), 0);
	assert_true(gamp_go(stubborn, NULL) > 0);
	assert_int_equal(
	    gamp_stop(gamp_now() + 20 * GAMP_MILLISECOND), -ETIMEDOUT);
	assert_int_equal(gamp_stop(-1), -ETIMEDOUT);
	assert_int_equal(gamp_go(stubborn, NULL), -ECANCELED);
	assert_int_equal(gamp_start(NULL), -EALREADY);
	atomic_store(&go_on, true);
	assert_int_equal(gamp_stop(0), 0);
}

/* Blocks the thread until the other one is there: needs two Ms with one P. */
static void rendezvous(void *arg)
{
	pthread_barrier_t *b = arg;

	gamp_enter_blocking();
	gamp_enter_blocking();
	pthread_barrier_wait(b);
	gamp_leave_blocking();
	pthread_barrier_wait(b);
	gamp_leave_blocking();
	atomic_fetch_add(&count, 1);
}

static void block_main(void *arg)
{
	pthread_barrier_t b;

	(void)arg;
	pthread_barrier_init(&b, NULL, 20);
	for (int i = 0; i < 20; i++)
		EXPECT(gamp_go(rendezvous, &b) > 0);
	wait_for(20);
	pthread_barrier_destroy(&b);
}

static void a_blocking_section_does_not_hold_the_p(void **state)
{
	struct gamp_options o = { .maxprocs = 1 };

	(void)state;
	for (int i = 0; i < 5; i++)
		run(block_main, NULL, &o);
}

/* Alone when it enters, so the P is not handed over: sysmon takes it. */
static void lone_blocker(void *arg)
{
	pthread_barrier_t *b = arg;

	gamp_enter_blocking();
	pthread_barrier_wait(b);
	gamp_leave_blocking();
	atomic_fetch_add(&count, 1);
}

static void *start_later(void *arg)
{
	EXPECT(gamp_go(lone_blocker, arg) > 0);
	return NULL;
}

static void retake_main(void *arg)
{
	pthread_barrier_t b;
	pthread_t t;

	(void)arg;
	pthread_barrier_init(&b, NULL, 2);
	EXPECT(pthread_create(&t, NULL, start_later, &b) == 0);
	lone_blocker(&b);
	wait_for(2);
	pthread_join(t, NULL);
	pthread_barrier_destroy(&b);
}

static void sysmon_takes_the_p_of_a_blocked_thread(void **state)
{
	struct gamp_options o = { .maxprocs = 1 };

	(void)state;
	for (int i = 0; i < 20; i++)
		run(retake_main, NULL, &o);
}

static void chain(void *arg)
{
	if (!atomic_load(&go_on))
		EXPECT(gamp_go(chain, arg) > 0);
}

static void end_chain(void *arg)
{
	(void)arg;
	atomic_store(&go_on, true);
}

static void chain_main(void *arg)
{
	(void)arg;
	atomic_store(&go_on, false);
	for (int i = 0; i < 3; i++)
		EXPECT(gamp_go(chain, NULL) > 0);
	EXPECT(gamp_go(end_chain, NULL) > 0);
	while (!atomic_load(&go_on))
		gamp_yield();
}

static void a_chain_through_runnext_does_not_starve_others(void **state)
{
	struct gamp_options o = { .maxprocs = 1 };

	(void)state;
	run(chain_main, NULL, &o);
}

/* Always woken, never done: more of them than the Ps' rings hold. */
static void churn(void *arg)
{
	(void)arg;
	while (gamp_sleep(1) == 0)
		;
}

static void woken_goroutines_do_not_keep_others_out(void **state)
{
	struct gamp_options o = { .maxprocs = 1 };

	(void)state;
	for (int procs = 1; procs <= 2; procs++) {
		o.maxprocs = procs;
		atomic_store(&go_on, false);
		assert_int_equal(gamp_start(&o), 0);
		for (int i = 0; i < 1000; i++)
			assert_true(gamp_go(churn, NULL) > 0);
		assert_true(gamp_go(end_chain, NULL) > 0);
		while (!atomic_load(&go_on))
			(void)sched_yield();
		assert_int_equal(gamp_stop(0), 0);
	}
}

static int in_child(void)
{
	return gamp_go(add_one, NULL) == -ESRCH && gamp_self() == 0 &&
	       gamp_sleep(1) == -EPERM && gamp_cancel(1) == -ESRCH &&
	       gamp_start(NULL) == -EOPNOTSUPP && gamp_stop(0) == -EOPNOTSUPP;
}

static void fork_main(void *arg)
{
	int status = -1;
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		_exit(in_child() ? 0 : 1);
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static void a_forked_child_gets_errors_and_the_parent_goes_on(void **state)
{
	(void)state;
	run(fork_main, NULL, NULL);
}

/* Copies values, which takes most of its time, in solo sections. */
static void use_channel(void *arg)
{
	static char value[1000000];
	struct gamp_chan *ch = gamp_chan_new(sizeof(value), 4);

	while (!gamp_cancelled()) {
		EXPECT(gamp_chan_trysend(ch, value) == 0);
		EXPECT(gamp_chan_tryrecv(ch, value) == 0);
		add_one(arg);
	}
	EXPECT(gamp_chan_free(ch) == 0);
}

static int lock_in_child(void)
{
	static struct gamp_mutex m;

	(void)alarm(60);
	return gamp_mutex_lock(&m) == 0 &&
	       gamp_mutex_trylock(&m) == -EAGAIN && gamp_mutex_unlock(&m) == 0;
}

static void a_forked_child_locks_while_the_parents_p_was_busy(void **state)
{
	struct gamp_options o = { .maxprocs = 1 };

	(void)state;
	atomic_store(&count, 0);
	atomic_store(&failures, 0);
	assert_int_equal(gamp_start(&o), 0);
	assert_true(gamp_go(use_channel, NULL) > 0);
	for (int i = 0; i < 20; i++) {
		int status = -1, from = atomic_load(&count);
		pid_t pid;

		while (atomic_load(&count) == from)
			(void)sched_yield();
		pid = fork();
		if (pid == 0)
			_exit(lock_in_child() ? 0 : 1);
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_int_equal(status, 0);
	}
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

/* Computes while the other sleeps: only another P, or sysmon, can wake it. */
static void busy_main(void *arg)
{
	int64_t until = gamp_now() + 60 * GAMP_SECOND;

	(void)arg;
	EXPECT(gamp_go(sleep_some, (void *)(intptr_t)GAMP_MILLISECOND) > 0);
	EXPECT(gamp_sleep(100) == 0); /* let it begin */
	while (gamp_now() < until && atomic_load(&count) == 0)
		;
	EXPECT(atomic_load(&count) == 1);
}

static void a_timer_does_not_wait_for_a_busy_p(void **state)
{
	struct gamp_options o = { .maxprocs = 2 };

	(void)state;
	for (int i = 0; i < 20; i++)
		run(busy_main, NULL, &o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: before a thread ends solo sections for good. */
		TEST(a_forked_child_locks_while_the_parents_p_was_busy),
		TEST(every_goroutine_runs_once),
		TEST(goroutines_start_goroutines),
		TEST(no_sleep_is_shorter_than_asked),
		TEST(cancel_ends_a_sleep_and_all_later_calls),
		TEST(main_returning_cancels_the_rest),
		TEST(exit_ends_only_the_caller),
		TEST(an_id_names_one_goroutine_for_ever),
		TEST(a_stack_is_as_large_as_asked_for),
		TEST(more_goroutines_than_allowed_are_eagain),
		TEST(bad_calls_are_answered),
		TEST(the_runtime_does_not_nest),
		TEST(any_thread_starts_goroutines),
		TEST(stop_gives_up_at_its_deadline_and_can_go_on),
		TEST(a_blocking_section_does_not_hold_the_p),
		TEST(sysmon_takes_the_p_of_a_blocked_thread),
		TEST(a_chain_through_runnext_does_not_starve_others),
		TEST(woken_goroutines_do_not_keep_others_out),
		TEST(a_forked_child_gets_errors_and_the_parent_goes_on),
		TEST(a_timer_does_not_wait_for_a_busy_p),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
