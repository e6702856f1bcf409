/* SPDX-License-Identifier: MIT */
/*
 * test_asleep.c - a deadlock is told to gamp_run; and nothing else is.
 *
 * Whatever may still happen must not be taken for a deadlock, so each test
 * lets all goroutines wait for longer than the runtime takes to look (a
 * quarter of a second), and only then does that thing happen.  The quiet time
 * is not there "to let things happen": a test that is too quick passes.
 *
 * Under TSan there is a thread that is not ours, so nothing is ever reported.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/net_util.h"

#if defined(__SANITIZE_THREAD__)
#define WATCHED false
#else
#define WATCHED true
#endif

#define LONG_MS 600 /* far longer than it takes to be seen */
#define LONG	(LONG_MS * GAMP_MILLISECOND)

static struct gamp_chan *chan;
static atomic_int woken;

static void receiver(void *arg)
{
	int v, r = gamp_chan_recv(chan, &v);

	(void)arg;
	if (r == 0)
		atomic_fetch_add(&woken, 1);
	else
		CHECK_EQ(r, -ECANCELED);
}

static void new_chan(void)
{
	chan = gamp_chan_new(sizeof(int), 0);
	atomic_store(&woken, 0);
}

static void send_one(void *arg)
{
	int v = 1;

	(void)arg;
	CHECK_EQ(gamp_chan_send(chan, &v), 0);
}

/* Runs it, expecting r; main's receive is counted. */
static void expect(gamp_fn *fn, const struct gamp_options *o, int r, int n)
{
	struct gamp_options all = { 0 };

	if (o)
		all = *o;
	all.stop_timeout = LIMIT;
	failed.count = 0;
	assert_int_equal(gamp_run(fn, NULL, &all), r);
	assert_int_equal(failed.count, 0);
	assert_int_equal(atomic_load(&woken), n);
	(void)gamp_chan_free(chan);
}

static void wait_for_each_other(void *arg)
{
	new_chan();
	for (int i = 0; i < 10; i++)
		CHECK(gamp_go(receiver, NULL) > 0);
	receiver(arg);
}

static void everybody_asleep_is_edeadlk(void **state)
{
	static const int procs[] = { 1, 2, 4 };

	(void)state;
	for (size_t i = 0; WATCHED && i < LEN(procs); i++) {
		struct gamp_options o = { .maxprocs = procs[i] };

		expect(wait_for_each_other, &o, -EDEADLK, 0);
	}
}

static void under_fake_time_and_a_seed_too(void **state)
{
	struct gamp_options fake = { .fake_time = true };
	struct gamp_options seed = { .seed = 3 };

	(void)state;
	if (!WATCHED)
		return;
	expect(wait_for_each_other, &fake, -EDEADLK, 0);
	expect(wait_for_each_other, &seed, -EDEADLK, 0);
}

/* A thread that is in the way of the first look, and gone at a later one. */

static void *linger(void *arg)
{
	(void)poll(NULL, 0, LONG_MS);
	return arg;
}

static void wait_beside_a_thread(void *arg)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, linger, NULL), 0);
	CHECK_EQ(pthread_detach(t), 0);
	wait_for_each_other(arg);
}

static void a_thread_that_ends_lets_it_be_seen(void **state)
{
	(void)state;
	if (WATCHED)
		expect(wait_beside_a_thread, NULL, -EDEADLK, 0);
}

/* Blocks the thread for so long that a look comes in between. */
static void quiet_time(void)
{
	CHECK_EQ(poll(NULL, 0, LONG_MS), 0);
}

/* A thread of the program. */

static void *send_later(void *arg)
{
	quiet_time();
	send_one(arg);
	return NULL;
}

static void wait_for_a_thread(void *arg)
{
	pthread_t t;

	new_chan();
	CHECK_EQ(pthread_create(&t, NULL, send_later, NULL), 0);
	receiver(arg);
	CHECK_EQ(pthread_join(t, NULL), 0);
}

static void a_thread_may_send(void **state)
{
	(void)state;
	expect(wait_for_a_thread, NULL, 0, 1);
}

/* A blocking call, announced or not. */

static void block_and_send(void *arg)
{
	gamp_enter_blocking();
	quiet_time();
	gamp_leave_blocking();
	send_one(arg);
}

static void stall_and_send(void *arg)
{
	quiet_time();
	send_one(arg);
}

static void wait_for_blocking(void *arg)
{
	new_chan();
	CHECK(gamp_go(block_and_send, NULL) > 0);
	receiver(arg);
}

static void wait_for_stalled(void *arg)
{
	new_chan();
	CHECK(gamp_go(stall_and_send, NULL) > 0);
	receiver(arg);
}

static void a_blocking_call_may_return(void **state)
{
	struct gamp_options fake = { .fake_time = true };

	(void)state;
	expect(wait_for_blocking, NULL, 0, 1);
	expect(wait_for_stalled, NULL, 0, 1);
	expect(wait_for_blocking, &fake, 0, 1);
}

/* Time. */

static void wait_for_a_sleeper(void *arg)
{
	new_chan();
	CHECK(gamp_go(receiver, NULL) > 0);
	CHECK_EQ(gamp_sleep(LONG), 0);
	send_one(arg);
}

static void wait_for_a_timer(void *arg)
{
	static struct gamp_timer t;

	new_chan();
	CHECK_EQ(gamp_timer_start(&t, gamp_now() + LONG, 0, send_one, NULL),
	    0);
	receiver(arg);
}

static void wait_for_a_deadline(void *arg)
{
	int v;

	(void)arg;
	new_chan();
	CHECK(gamp_go(receiver, NULL) > 0);
	CHECK_EQ(
	    gamp_chan_recv_until(chan, &v, gamp_now() + LONG), -ETIMEDOUT);
	send_one(NULL);
}

static void time_may_pass(void **state)
{
	(void)state;
	expect(wait_for_a_sleeper, NULL, 0, 1);
	expect(wait_for_a_timer, NULL, 0, 1);
	expect(wait_for_a_deadline, NULL, 0, 1);
}

/* Descriptors.  The other end is in another process. */

static pid_t write_later(int fd)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)poll(NULL, 0, LONG_MS);
		_exit(write(fd, "x", 1) != 1);
	}
	return pid;
}

static int ends[2];
static pid_t writer;

static void wait_for_input(void *arg)
{
	gamp_fd fd = gamp_adopt(ends[0]);
	char c;

	(void)arg;
	new_chan();
	CHECK_EQ(gamp_read(fd, &c, 1), 1);
	CHECK_EQ(gamp_close(fd), 0);
}

static void wait_in_select(void *arg)
{
	gamp_fd fd = gamp_adopt(ends[0]);
	int v;
	struct gamp_case c[] = { GAMP_RECV(chan, &v), GAMP_READABLE(fd) };

	(void)arg;
	new_chan();
	c[0].ch = chan;
	CHECK_EQ(gamp_select(c, 2), 1);
	CHECK_EQ(gamp_close(fd), 0);
}

static void wait_for_an_armed_start(void *arg)
{
	gamp_fd fd = gamp_adopt(ends[0]);

	new_chan();
	CHECK_EQ(gamp_go_when_readable(fd, send_one, NULL), 0);
	receiver(arg);
	CHECK_EQ(gamp_close(fd), 0);
}

static void a_descriptor_may_become_ready(void **state)
{
	static const struct {
		gamp_fn *fn;
		int n;
	} ways[] = {
		{ wait_for_input, 0 },
		{ wait_in_select, 0 },
		{ wait_for_an_armed_start, 1 },
	};
	int status;

	(void)state;
	for (size_t i = 0; i < LEN(ways); i++) {
		assert_int_equal(pipe(ends), 0);
		writer = write_later(ends[1]);
		assert_true(writer > 0);
		expect(ways[i].fn, NULL, 0, ways[i].n);
		assert_int_equal(waitpid(writer, &status, 0), writer);
		assert_int_equal(status, 0);
		(void)close(ends[1]);
	}
}

/* Others than gamp_run. */

static void started_programs_are_not_watched(void **state)
{
	int64_t id;

	(void)state;
	assert_int_equal(gamp_start(NULL), 0);
	new_chan();
	id = gamp_go(receiver, NULL);
	assert_true(id > 0);
	(void)poll(NULL, 0, LONG_MS);
	assert_int_equal(gamp_cancel(id), 0); /* it was still there */
	assert_int_equal(gamp_stop(GAMP_FOREVER), 0);
	(void)gamp_chan_free(chan);
}

static pthread_t ender;

static void *cancel_later(void *arg)
{
	quiet_time();
	CHECK_EQ(gamp_cancel((int64_t)(intptr_t)arg), 0);
	return NULL;
}

static void wait_for_a_canceller(void *arg)
{
	new_chan();
	CHECK_EQ(pthread_create(&ender, NULL, cancel_later,
		     (void *)(intptr_t)gamp_self()),
	    0);
	receiver(arg);
}

static void the_option_turns_it_off(void **state)
{
	struct gamp_options o = { .no_deadlock = true };

	(void)state;
	expect(wait_for_a_canceller, &o, 0, 0);
	assert_int_equal(pthread_join(ender, NULL), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(everybody_asleep_is_edeadlk),
		TEST(under_fake_time_and_a_seed_too),
		TEST(a_thread_that_ends_lets_it_be_seen),
		TEST(a_thread_may_send),
		TEST(a_blocking_call_may_return),
		TEST(time_may_pass),
		TEST(a_descriptor_may_become_ready),
		TEST(started_programs_are_not_watched),
		TEST(the_option_turns_it_off),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
