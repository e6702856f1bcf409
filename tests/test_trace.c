/* SPDX-License-Identifier: MIT */
/*
 * test_trace.c - traces: what the calls answer, and that no record is torn.
 * What is in the file is looked at by prog/test_trace.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "sched/trace.h"
#include "tests/test.h"

#define YIELDERS 9

static atomic_int failures, running;
static atomic_bool over;

#define EXPECT(c)                                                          \
	((c) ? (void)0 :                                                   \
	       (void)(atomic_fetch_add(&failures, 1),                      \
		   fprintf(stderr, "line %d: %s\n", __LINE__, #c)))

static void run(gamp_fn *fn, int procs)
{
	struct gamp_options o = { .maxprocs = procs };

	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(fn, NULL, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void answers_main(void *arg)
{
	(void)arg;
	EXPECT(gamp_trace_stop(-1) == -ESRCH);
	EXPECT(gamp_trace_start(SIZE_MAX) == -EINVAL);
	EXPECT(gamp_trace_start(0) == 0);
	EXPECT(gamp_trace_start(0) == -EALREADY);
	gamp_trace_mark("a mark");
	gamp_trace_mark(NULL);
	EXPECT(gamp_trace_stop(-1) == 0);
	EXPECT(gamp_trace_stop(-1) == -ESRCH);
	EXPECT(gamp_trace_start(1) == 0);
	EXPECT(gamp_trace_stop(12345) == -EBADF);
	EXPECT(gamp_trace_stop(-1) == -ESRCH); /* it is gone */
}

static void calls_are_answered(void **state)
{
	(void)state;
	assert_int_equal(gamp_trace_start(0), -ESRCH);
	assert_int_equal(gamp_trace_stop(-1), -ESRCH);
	gamp_trace_mark("nowhere");
	run(answers_main, 2);
}

static void start_main(void *arg)
{
	(void)arg;
	EXPECT(gamp_trace_start(0) == 0);
}

static void a_trace_outlives_the_runtime(void **state)
{
	(void)state;
	run(start_main, 1);
	assert_int_equal(gamp_trace_start(0), -ESRCH);
	assert_int_equal(gamp_trace_stop(-1), 0);
	run(answers_main, 4);
}

static void fork_main(void *arg)
{
	int status = -1;
	pid_t pid;

	(void)arg;
	EXPECT(gamp_trace_start(0) == 0);
	pid = fork();
	if (pid == 0) {
		gamp_trace_mark("in the child");
		_exit(gamp_trace_stop(-1) == -ESRCH ? 0 : 1);
	}
	EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	EXPECT(gamp_trace_stop(-1) == 0);
}

static void a_forked_child_has_no_trace(void **state)
{
	(void)state;
	run(fork_main, 2);
}

static void yielder(void *arg)
{
	(void)arg;
	atomic_fetch_add(&running, 1);
	while (!atomic_load(&over)) {
		gamp_trace_mark("m");
		gamp_yield();
	}
}

/* In order, whole, and of a kind that there is. */
static void check_rings(void)
{
	for (uint32_t k = 0; k < trace.n; k++) {
		struct trace_buf *b = &trace.buf[k];
		int64_t last = trace.from;

		for (uint64_t i = trace_first(b); i < b->head; i++) {
			struct trace_rec *r = trace_at(b, i);

			EXPECT(r->kind <= TRACE_MARK);
			if (r->kind == TRACE_NAME)
				continue;
			EXPECT(r->at >= last && r->at <= trace.to);
			last = r->at;
			if (r->kind == TRACE_MARK)
				EXPECT(*(const char *)(intptr_t)r->b == 'm');
		}
	}
}

static void *tracer(void *arg)
{
	(void)arg;
	while (atomic_load(&running) < YIELDERS) /* the stop comes after us */
		(void)sched_yield();
	for (int i = 0; i < 300; i++) {
		EXPECT(trace_begin(1 << (i % 18)) == 0);
		if (i % 3 == 0)
			(void)sched_yield();
		EXPECT(trace_end());
		check_rings();
		trace_free();
	}
	atomic_store(&over, true);
	return NULL;
}

static void rings_main(void *arg)
{
	(void)arg;
	for (int i = 1; i < YIELDERS; i++)
		EXPECT(gamp_go(yielder, NULL) > 0);
	yielder(arg);
}

static void no_record_is_written_after_the_end(void **state)
{
	struct gamp_options o = { .maxprocs = 4 };
	pthread_t t;

	(void)state;
	atomic_store(&over, false);
	atomic_store(&failures, 0);
	atomic_store(&running, 0);
	assert_int_equal(gamp_start(&o), 0);
	assert_true(gamp_go(rings_main, NULL) > 0);
	assert_int_equal(pthread_create(&t, NULL, tracer, NULL), 0);
	pthread_join(t, NULL);
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_are_answered),
		TEST(a_trace_outlives_the_runtime),
		TEST(a_forked_child_has_no_trace),
		TEST(no_record_is_written_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
