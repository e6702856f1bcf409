/* SPDX-License-Identifier: MIT */
/* test_net_adopt.c - descriptors of the system's making. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static void adopt_eventfd(void)
{
	int raw = eventfd(0, EFD_CLOEXEC);
	gamp_fd fd = gamp_adopt(raw);
	struct child *t;
	uint64_t v;

	CHECK(fd > 0);
	CHECK_EQ(gamp_sysfd(fd), raw);
	t = start_parked(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 8 });
	v = 7;
	CHECK_EQ(gamp_write(fd, &v, 8), 8);
	CHECK_EQ(finish(t), 8);
	memcpy(&v, in_buf, 8);
	CHECK_EQ((int64_t)v, 7);
	for (int i = 0; i < 3; i++) { /* eight bytes of eight: no short read */
		v = 1;
		CHECK_EQ(gamp_write(fd, &v, 8), 8);
		CHECK_EQ(gamp_read(fd, in_buf, 8), 8);
	}
	v = UINT64_MAX - 1; /* full: a writer parks */
	CHECK_EQ(gamp_write(fd, &v, 8), 8);
	v = 1;
	t = start_parked(
	    (struct child){ .op = WRITE, .fd = fd, .buf = &v, .n = 8 });
	CHECK_EQ(gamp_read(fd, in_buf, 64), 8);
	CHECK_EQ(finish(t), 8);
	CHECK_EQ(gamp_read(fd, in_buf, 64), 8);
	CHECK_EQ(gamp_close(fd), 0);
}

static void adopt_timerfd(void)
{
	struct itimerspec in_2ms = { .it_value.tv_nsec = 2000000 };
	gamp_fd fd = gamp_adopt(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	uint64_t v = 0;

	CHECK(fd > 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(timerfd_settime(gamp_sysfd(fd), 0, &in_2ms, NULL), 0);
		CHECK_EQ(gamp_read(fd, &v, 8), 8);
		CHECK_EQ((int64_t)v, 1);
	}
	CHECK_EQ(gamp_close(fd), 0);
}

/* Sent to this thread and blocked in it: gone with the goroutine's
 * next park, so it goes to the process, where main has it blocked. */
static void adopt_signalfd(void)
{
	struct signalfd_siginfo si;
	struct child *t;
	sigset_t set;
	gamp_fd fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	fd = gamp_adopt(signalfd(-1, &set, SFD_CLOEXEC));
	CHECK(fd > 0);
	t = start_parked((struct child){
	    .op = READ, .fd = fd, .buf = &si, .n = sizeof(si) });
	CHECK_EQ(kill(getpid(), SIGUSR2), 0);
	CHECK_EQ(finish(t), (int64_t)sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR2);
	CHECK_EQ(gamp_close(fd), 0);
}

/* Somebody else's listener. */
static void adopt_listener(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct child *t;
	gamp_fd fd, a;
	char to[32];

	CHECK_EQ(bind(raw, (struct sockaddr *)&in, sizeof(in)), 0);
	CHECK_EQ(listen(raw, 5), 0);
	fd = gamp_adopt(raw);
	CHECK(fd > 0);
	port_text(to, "127.0.0.1", fd);
	t = start_parked((struct child){ .op = ACCEPT, .fd = fd });
	a = gamp_dial("tcp", to);
	CHECK(a > 0);
	CHECK(finish(t) > 0);
	exchange(a, t->result);
	CHECK_EQ(gamp_accept(a), -EINVAL);
	close_pair(a, t->result);
	CHECK_EQ(gamp_close(fd), 0);
}

static void adopt_kinds_main(void *arg)
{
	(void)arg;
	adopt_eventfd();
	adopt_timerfd();
	adopt_signalfd();
	adopt_listener();
}

static void adopted_descriptors_of_every_kind_work(void **state)
{
	sigset_t set, old;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	run(adopt_kinds_main);
	run_one(adopt_kinds_main);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* The same under a number that nobody else is given, for that would be the
 * lowest: the monitor opens files, too. */
static int far_off(int fd)
{
	int far = fcntl(fd, F_DUPFD_CLOEXEC, 500);

	CHECK(far >= 500);
	(void)close(fd);
	return far;
}

static void adopt_errors_main(void *arg)
{
	char path[] = "/tmp/gamp-test-XXXXXX", c;
	int raw = far_off(mkstemp(path)), flags, p[2];
	struct stat st;
	gamp_fd fd;

	(void)arg;
	(void)unlink(path);
	flags = fcntl(raw, F_GETFL);
	CHECK_EQ(gamp_adopt(raw), -EPERM);
	CHECK_EQ(fcntl(raw, F_GETFL), flags);
	CHECK_EQ(write(raw, "x", 1), 1);
	CHECK_EQ(pread(raw, &c, 1, 0), 1);
	(void)close(raw);
	CHECK_EQ(gamp_adopt(-1), -EBADF);
	CHECK_EQ(gamp_adopt(INT_MIN), -EBADF);
	CHECK_EQ(gamp_adopt(INT_MAX), -EBADF);
	CHECK_EQ(gamp_adopt(raw), -EBADF);

	/* Twice: the second fails, and leaves the first alone. */
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	p[0] = far_off(p[0]);
	fd = gamp_adopt(p[0]);
	CHECK(fd > 0);
	CHECK_EQ(gamp_adopt(p[0]), -EEXIST);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(gamp_read(fd, &c, 1), 1);
	CHECK_EQ(gamp_close(fd), 0);
	CHECK(fstat(p[0], &st) < 0); /* close has closed it */
	(void)close(p[1]);

	/* What is no listener. */
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	fd = gamp_adopt(p[0]);
	CHECK_EQ(gamp_accept(fd), -EINVAL);
	CHECK_EQ(gamp_close(fd), 0);
	(void)close(p[1]);
}

static void what_cannot_be_adopted_stays_as_it_was(void **state)
{
	(void)state;
	run(adopt_errors_main);
}

/* A pipe in packet mode: each read stops at the end of a packet. */
static void packets_main(void *arg)
{
	struct child *t;
	gamp_fd fd;
	int p[2];

	(void)arg;
	CHECK_EQ(pipe2(p, O_CLOEXEC | O_DIRECT), 0);
	fd = gamp_adopt(p[0]);
	CHECK_EQ(write(p[1], "one", 3), 3);
	CHECK_EQ(write(p[1], "three", 5), 5);
	pass_the_poller();
	CHECK_EQ(gamp_read(fd, in_buf, 100), 3);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 5);
	CHECK_EQ(gamp_close(fd), 0);
	(void)close(p[1]);
}

static void packets_of_a_pipe_all_arrive(void **state)
{
	(void)state;
	run(packets_main);
}

/* Datagrams: a read per message, of whatever length; an empty one is 0. */
static void datagrams_main(void *arg)
{
	struct child *t;
	gamp_fd a, b;
	int sv[2];

	(void)arg;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	a = gamp_adopt(sv[0]);
	b = gamp_adopt(sv[1]);
	for (int i = 1; i < 10; i++)
		CHECK_EQ(gamp_write(a, "123456789", (size_t)i), i);
	for (int i = 1; i < 10; i++) {
		t = start((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 100 });
		CHECK_EQ(finish(t), i);
	}
	close_pair(a, b);
}

static void datagrams_all_arrive(void **state)
{
	(void)state;
	run(datagrams_main);
}

/* A copy of the number lives on after close: no events for the dead. */
static void dup_main(void *arg)
{
	gamp_fd a, b, c, d;
	int copy;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pair_socketpair(&a, &b);
		copy = fcntl(gamp_sysfd(b), F_DUPFD_CLOEXEC, 0);
		CHECK(copy >= 0);
		CHECK_EQ(gamp_close(b), 0);
		pair_socketpair(&c, &d);
		drain(c);
		drain(d);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		CHECK_EQ(read(copy, in_buf, 9), 1);
		exchange(c, d);
		(void)close(copy);
		CHECK_EQ(gamp_close(a), 0);
		close_pair(c, d);
	}
}

static void copies_of_a_descriptor_outlive_close_quietly(void **state)
{
	(void)state;
	run(dup_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(adopted_descriptors_of_every_kind_work),
		TEST(what_cannot_be_adopted_stays_as_it_was),
		TEST(packets_of_a_pipe_all_arrive),
		TEST(datagrams_all_arrive),
		TEST(copies_of_a_descriptor_outlive_close_quietly),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
