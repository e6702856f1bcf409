/* SPDX-License-Identifier: MIT */
/* test_net_threads.c - calls of other threads, and without a runtime. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static gamp_fd foreign_fds[2];

static void *foreign(void *arg)
{
	struct iovec v = { in_buf, 1 };
	struct gamp_addr sa;
	gamp_fd l, fd, a = foreign_fds[0], b = foreign_fds[1];
	int raw = eventfd(0, EFD_CLOEXEC);

	(void)arg;
	CHECK_EQ(gamp_self(), 0);
	/* Would park. */
	CHECK_EQ(gamp_read(b, in_buf, 9), -EPERM);
	CHECK_EQ(gamp_readv(b, &v, 1), -EPERM);
	CHECK_EQ(gamp_wait_readable(b), -EPERM);
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -EPERM);
	CHECK_EQ(gamp_sleep(1), -EPERM);
	/* May be called. */
	l = gamp_listen("tcp", "127.0.0.1:0");
	CHECK(l > 0);
	CHECK_EQ(gamp_accept(l), -EPERM);
	CHECK_EQ(gamp_set_read_deadline(l, 1), 0);
	CHECK_EQ(gamp_local_addr(l, &sa), 0);
	CHECK_EQ(gamp_close(l), 0);
	all_refuse(l);
	fd = gamp_adopt(raw);
	CHECK(fd > 0);
	CHECK_EQ(gamp_sysfd(fd), raw);
	CHECK_EQ(gamp_read(fd, in_buf, 8), -EPERM);
	CHECK_EQ(gamp_close(fd), 0);
	CHECK_EQ(gamp_set_deadline(b, gamp_now() + LIMIT), 0);
	CHECK_EQ(gamp_set_deadline(b, 0), 0);
	arm(b);
	CHECK_EQ(atomic_load(&arm_starts), 0);
	CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
	CHECK_EQ(write(gamp_sysfd(a), "xy", 2), 2);
	armed_gives(2);
	CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
	arm(b);
	armed_gives(0);
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(a), -EBADF);
	return (void *)1;
}

static void await_thread(void *(*fn)(void *))
{
	pthread_t th;
	void *r = NULL;

	CHECK_EQ(pthread_create(&th, NULL, fn, NULL), 0);
	gamp_enter_blocking();
	(void)pthread_join(th, &r);
	gamp_leave_blocking();
	CHECK(r != NULL);
}

static void foreign_main(void *arg)
{
	(void)arg;
	pair_socketpair(&foreign_fds[0], &foreign_fds[1]);
	drain(foreign_fds[1]);
	await_thread(foreign);
	CHECK_EQ(gamp_close(foreign_fds[1]), 0);
}

static void other_threads_may_call_what_does_not_park(void **state)
{
	(void)state;
	run(foreign_main);
	run_one(foreign_main);
}

/* net.h: "Threads goroutine"; api.h: "elsewhere the call gives -EPERM". */
static void *foreign_strict(void *arg)
{
	gamp_fd a = foreign_fds[0], b = foreign_fds[1];

	(void)arg;
	CHECK_EQ(gamp_write(a, "x", 1), -EPERM);
	CHECK_EQ(gamp_write_some(a, "x", 1), -EPERM);
	CHECK_EQ(gamp_wait_writable(a), -EPERM);
	CHECK_EQ(write(gamp_sysfd(a), "x", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 1), -EPERM);
	CHECK_EQ(gamp_wait_readable(b), -EPERM);
	return (void *)1;
}

static void foreign_strict_main(void *arg)
{
	(void)arg;
	pair_socketpair(&foreign_fds[0], &foreign_fds[1]);
	await_thread(foreign_strict);
	close_pair(foreign_fds[0], foreign_fds[1]);
}

static void calls_for_goroutines_are_refused_to_other_threads(void **state)
{
	(void)state;
	run(foreign_strict_main);
}

static atomic_int sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	atomic_fetch_add(&sigpipes, 1);
}

static void *foreign_pipe(void *arg)
{
	ssize_t r = gamp_write(foreign_fds[0], "x", 1);

	(void)arg;
	CHECK(r == -EPIPE || r == -EPERM);
	return (void *)1;
}

static void foreign_pipe_main(void *arg)
{
	(void)arg;
	pair_pipe(&foreign_fds[0], &foreign_fds[1]);
	CHECK_EQ(gamp_close(foreign_fds[1]), 0);
	await_thread(foreign_pipe);
	CHECK_EQ(gamp_close(foreign_fds[0]), 0);
}

static void writes_of_other_threads_raise_no_sigpipe(void **state)
{
	(void)state;
	atomic_store(&sigpipes, 0);
	(void)signal(SIGPIPE, on_sigpipe);
	run(foreign_pipe_main);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(atomic_load(&sigpipes), 0);
}

static gamp_fd left_open[2];

static void leave_open_main(void *arg)
{
	(void)arg;
	pair_tcp(&left_open[0], &left_open[1]);
}

static void calls_without_a_runtime_fail_cleanly(void **state)
{
	struct gamp_addr sa;
	int raw = eventfd(0, EFD_CLOEXEC), flags = fcntl(raw, F_GETFL);

	(void)state;
	run(leave_open_main);
	all_refuse(left_open[0]);
	all_refuse(1);
	assert_int_equal(failed.count, 0);
	assert_int_equal(gamp_listen("tcp", "127.0.0.1:0"), -ESRCH);
	assert_int_equal(gamp_adopt(raw), -ESRCH);
	assert_int_equal(fcntl(raw, F_GETFL), flags);
	assert_int_equal(close(raw), 0);
	assert_int_equal(gamp_dial("tcp", "127.0.0.1:1"), -EPERM);
	assert_int_equal(gamp_addr_parse("tcp", "127.0.0.1:1", &sa), 0);
	assert_int_equal(gamp_addr_port(&sa), 1);
}

static void stale_run_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	all_refuse(left_open[0]);
	all_refuse(left_open[1]);
	exchange(a, b);
	close_pair(a, b);
}

static void handles_of_an_earlier_run_stay_stale(void **state)
{
	(void)state;
	run(leave_open_main);
	run(stale_run_main);
	assert_int_equal(failed.count, 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(other_threads_may_call_what_does_not_park),
		TEST(calls_for_goroutines_are_refused_to_other_threads),
		TEST(writes_of_other_threads_raise_no_sigpipe),
		TEST(calls_without_a_runtime_fail_cleanly),
		TEST(handles_of_an_earlier_run_stay_stale),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
