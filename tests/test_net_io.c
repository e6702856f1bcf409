/* SPDX-License-Identifier: MIT */
/* test_net_io.c - reads and writes, ends of streams, urgent data, vectors. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

/* A connection whose other end is a blocking socket of the system. */
static gamp_fd tcp_to_raw(int *raw)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char to[32];
	gamp_fd fd;

	CHECK_EQ(bind(l, (struct sockaddr *)&in, len), 0);
	CHECK_EQ(listen(l, 5), 0);
	CHECK_EQ(getsockname(l, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(in.sin_port));
	fd = gamp_dial("tcp", to);
	CHECK(fd > 0);
	*raw = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	CHECK(*raw >= 0);
	(void)close(l);
	(void)setsockopt(
	    *raw, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

static void reset_raw(int raw)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(raw);
}

static int tcp_state(int sysfd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	if (getsockopt(sysfd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
		return -errno;
	return ti.tcpi_state;
}

static void eof_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_read(b, in_buf, 100), 5);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_read(b, in_buf, 3), 3);
		CHECK_EQ(gamp_read(b, in_buf, 100), 2);
		CHECK_EQ(gamp_read(b, in_buf, 0), 0);
		CHECK_EQ(gamp_write(a, "bye", 3), 3);
		CHECK_EQ(gamp_close(a), 0);
		CHECK_EQ(gamp_read(b, in_buf, 100), 3);
		CHECK_EQ(gamp_read(b, in_buf, 100), 0);
		CHECK_EQ(gamp_read(b, in_buf, 100), 0);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void read_returns_what_arrived_then_zero(void **state)
{
	(void)state;
	run(eof_main);
	run_one(eof_main);
}

/* `polled`: whether the poller has told before the first read. */
static void data_and_fin(bool polled, bool parked)
{
	struct child *t = NULL;
	int raw;
	gamp_fd fd = tcp_to_raw(&raw);

	if (parked)
		t = start_parked((struct child){
		    .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(send(raw, "hello", 5, 0), 5);
	(void)close(raw);
	AWAIT(tcp_state(gamp_sysfd(fd)) == TCP_CLOSE_WAIT);
	if (polled)
		pass_the_poller();
	CHECK_EQ(t ? finish(t) : gamp_read(fd, in_buf, 100), 5);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 0);
	CHECK_EQ(gamp_close(fd), 0);
}

static void data_and_fin_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		data_and_fin(false, false);
		data_and_fin(true, false);
		data_and_fin(false, true);
	}
}

static void end_that_comes_with_data_is_seen(void **state)
{
	(void)state;
	run(data_and_fin_main);
	run_one(data_and_fin_main);
}

/* A pipe whose writer goes away with the data. */
static void pipe_data_and_end_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		gamp_fd a, b;
		struct child *t;

		pair_pipe(&a, &b);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_close(a), 0);
		if (i % 2)
			pass_the_poller();
		CHECK_EQ(gamp_read(b, in_buf, 100), 5);
		t = start((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 100 });
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void end_of_a_pipe_that_comes_with_data_is_seen(void **state)
{
	(void)state;
	run(pipe_data_and_end_main);
}

static void half_close_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;

		if (!kinds[i].both)
			continue;
		kinds[i].make(&a, &b);
		t = start_parked((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
		CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_write(a, "x", 1), -EPIPE);
		CHECK_EQ(gamp_read(b, in_buf, 9), 0);
		CHECK_EQ(gamp_write(b, "still", 5), 5);
		CHECK_EQ(read_full(a, in_buf, 5), 5);
		CHECK_EQ(gamp_write(b, "works", 5), 5);
		CHECK_EQ(read_full(a, in_buf, 5), 5);
		CHECK_EQ(gamp_shutdown(b, SHUT_WR), 0);
		CHECK_EQ(gamp_read(a, in_buf, 9), 0);
		close_pair(a, b);

		/* Our own end, while we are parked on it. */
		kinds[i].make(&a, &b);
		t = start_parked((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
		CHECK_EQ(gamp_shutdown(b, SHUT_RD), 0);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_shutdown(b, 77), -EINVAL);
		close_pair(a, b);
	}
}

static void half_closed_connections_still_carry(void **state)
{
	(void)state;
	run(half_close_main);
}

static void reset_main(void *arg)
{
	struct child *t;
	int raw;
	gamp_fd fd;

	(void)arg;
	fd = tcp_to_raw(&raw);
	t = start_parked(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 9 });
	reset_raw(raw);
	CHECK_EQ(finish(t), -ECONNRESET);
	CHECK_EQ(gamp_close(fd), 0);

	fd = tcp_to_raw(&raw);
	reset_raw(raw);
	AWAIT(tcp_state(gamp_sysfd(fd)) == TCP_CLOSE);
	CHECK_EQ(gamp_read(fd, in_buf, 9), -ECONNRESET);
	CHECK_EQ(gamp_read(fd, in_buf, 9), 0); /* said once, as read(2) */
	CHECK_EQ(gamp_write(fd, "x", 1), -EPIPE);
	CHECK_EQ(gamp_close(fd), 0);

	fd = tcp_to_raw(&raw);
	(void)fill(fd);
	t = start_parked(
	    (struct child){ .op = WRITE, .fd = fd, .buf = out_buf, .n = BIG });
	reset_raw(raw);
	CHECK_EQ(finish(t), -ECONNRESET);
	CHECK_EQ(gamp_close(fd), 0);
}

static void reset_by_the_peer_is_econnreset(void **state)
{
	(void)state;
	run(reset_main);
}

static void bytewise_writer(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;

	for (int i = 0; i < 2000; i++) {
		char c = (char)(i * 7);

		if (!CHECK_EQ(gamp_write(fd, &c, 1), 1))
			break;
		if (i % 3 == 0)
			gamp_yield();
	}
	CHECK_EQ(gamp_close(fd), 0);
}

static void bytewise_main(void *arg)
{
	static gamp_fd a, b;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		int n = 0;
		ssize_t r;

		kinds[k].make(&a, &b);
		CHECK(gamp_go(bytewise_writer, &a) > 0);
		while ((r = gamp_read(b, in_buf, 1 + (size_t)n % 5)) > 0)
			for (ssize_t i = 0; i < r; i++, n++)
				CHECK_EQ(in_buf[i], (char)(n * 7));
		CHECK_EQ(r, 0);
		CHECK_EQ(n, 2000);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void one_byte_at_a_time_arrives(void **state)
{
	(void)state;
	run(bytewise_main);
}

/*
 * In-band bytes count up; urgent ones are 0xff and may or may not come along
 * (a second one pushes the first back into the stream).
 */
static void urgent_round(bool parked)
{
	static unsigned char sent[256];
	int raw, n = 0, got = 0, steps = 1 + (int)(random64() % 8);
	gamp_fd fd = tcp_to_raw(&raw);
	struct child *t = NULL;
	int64_t r;

	if (parked)
		t = start_parked((struct child){
		    .op = READ, .fd = fd, .buf = in_buf, .n = 200 });
	for (int i = 0; i < steps; i++) {
		int k = (int)(random64() % 6);

		if (random64() % 3 == 0)
			CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
		for (int j = 0; j < k; j++)
			sent[n + j] = (unsigned char)(n + j);
		if (k > 0)
			CHECK_EQ(send(raw, sent + n, (size_t)k, 0), k);
		n += k;
		if (random64() % 4 == 0)
			pass_the_poller();
	}
	if (random64() % 2)
		CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
	(void)shutdown(raw, SHUT_WR);
	for (;;) {
		if (!t)
			t = start((struct child){
			    .op = READ, .fd = fd, .buf = in_buf, .n = 200 });
		r = finish(t);
		t = NULL;
		if (r <= 0)
			break;
		for (int i = 0; i < r; i++)
			if (in_buf[i] != '\xff')
				CHECK_EQ((unsigned char)in_buf[i], got++);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(got, n);
	(void)close(raw);
	CHECK_EQ(gamp_close(fd), 0);
}

/* The mark between two halves, all there before the first read. */
static void urgent_mark_round(bool polled, bool more)
{
	struct child *t;
	int raw;
	gamp_fd fd = tcp_to_raw(&raw);

	CHECK_EQ(send(raw, "abc", 3, 0), 3);
	CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
	CHECK_EQ(send(raw, "def", 3, 0), 3);
	AWAIT(queued(gamp_sysfd(fd)) >= 3);
	if (polled)
		pass_the_poller();
	CHECK_EQ(gamp_read(fd, in_buf, 100), 3);
	if (more)
		CHECK_EQ(gamp_wait_readable(fd), 0);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 3);
	CHECK(memcmp(in_buf, "def", 3) == 0);
	(void)close(raw);
	CHECK_EQ(gamp_close(fd), 0);
}

static void urgent_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		urgent_mark_round(i & 1, i & 2);
	for (int i = 0; i < 200; i++)
		urgent_round(i & 1);
}

static void urgent_data_hides_no_byte(void **state)
{
	(void)state;
	run(urgent_main);
}

enum { HUGE = 16 << 20 };

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 12));
}

static atomic_int huge_bad;

static void slow_reader(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;
	size_t got = 0, step = 1;
	ssize_t r;

	while ((r = gamp_read(fd, in_buf, step)) > 0) {
		for (ssize_t i = 0; i < r; i++)
			if ((unsigned char)in_buf[i] != pattern(got++))
				atomic_fetch_add(&huge_bad, 1);
		step = step * 3 % BIG + 1;
		if (step % 5 == 0)
			(void)gamp_sleep(GAMP_MICROSECOND);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ((int64_t)got, HUGE);
	CHECK_EQ(gamp_close(fd), 0);
	atomic_fetch_add(&huge_bad, 1 << 30);
}

static void huge_main(void *arg)
{
	static gamp_fd a, b;
	unsigned char *all = malloc(HUGE);

	(void)arg;
	if (!CHECK(all != NULL))
		return;
	for (size_t i = 0; i < HUGE; i++)
		all[i] = pattern(i);
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		atomic_store(&huge_bad, 0);
		CHECK(gamp_go(slow_reader, &b) > 0);
		CHECK_EQ(gamp_write(a, all, HUGE), HUGE);
		CHECK_EQ(gamp_close(a), 0);
		AWAIT(atomic_load(&huge_bad) >= 1 << 30);
		CHECK_EQ(atomic_load(&huge_bad), 1 << 30);
	}
	free(all);
}

static void write_writes_everything_to_a_slow_reader(void **state)
{
	(void)state;
	run(huge_main);
}

static void vectors_reader(void *arg)
{
	slow_reader(arg);
}

static void vectors_main(void *arg)
{
	static struct iovec iov[1025];
	static gamp_fd a, b;
	unsigned char *all = malloc(HUGE);
	size_t at = 0;

	(void)arg;
	if (!CHECK(all != NULL))
		return;
	for (size_t i = 0; i < HUGE; i++)
		all[i] = pattern(i);
	for (int i = 0; i < 1024; i++) {
		size_t n = i == 1023    ? HUGE - at
			   : i % 7 == 0 ? 0
					: (size_t)(random64() % 30000);

		iov[i] = (struct iovec){ all + at, n };
		at += n;
	}
	iov[1024] = (struct iovec){ all, 1 };
	pair_tcp(&a, &b);
	atomic_store(&huge_bad, 0);
	CHECK(gamp_go(vectors_reader, &b) > 0);
	CHECK_EQ(gamp_writev(a, iov, 1025), -EINVAL);
	CHECK_EQ(gamp_writev(a, iov, -1), -EINVAL);
	CHECK_EQ(gamp_readv(a, iov, 1025), -EINVAL);
	CHECK_EQ(gamp_readv(a, iov, -1), -EINVAL);
	CHECK_EQ(gamp_writev(a, iov, 0), 0);
	CHECK_EQ(gamp_writev(a, iov, 1), 0); /* an empty one */
	CHECK_EQ(gamp_writev(a, NULL, 0), 0);
	CHECK_EQ(gamp_readv(a, NULL, 0), 0);
	CHECK_EQ(gamp_readv(a, iov, 1), 0);
	CHECK_EQ(gamp_writev(a, iov, 1024), HUGE);
	CHECK_EQ(gamp_close(a), 0);
	AWAIT(atomic_load(&huge_bad) >= 1 << 30);
	CHECK_EQ(atomic_load(&huge_bad), 1 << 30);

	pair_tcp(&a, &b);
	CHECK_EQ(gamp_write(a, "abcdefgh", 8), 8);
	AWAIT(queued(gamp_sysfd(b)) == 8);
	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ in_buf + i, (size_t)(i & 1) };
	CHECK_EQ(gamp_readv(b, iov, 1024), 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(in_buf[2 * i + 1], 'a' + i);
	iov[0] = (struct iovec){ in_buf, SSIZE_MAX };
	iov[1] = (struct iovec){ in_buf, 1 };
	CHECK_EQ(gamp_readv(b, iov, 2), -EINVAL);
	CHECK_EQ(gamp_writev(b, iov, 2), -EINVAL);
	close_pair(a, b);
	free(all);
}

static void vectors_are_one_write(void **state)
{
	(void)state;
	run(vectors_main);
}

static void broken_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		ssize_t r;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_close(b), 0);
		AWAIT((r = gamp_write(a, "x", 1)) < 0);
		CHECK(r == -EPIPE || r == -ECONNRESET);
		CHECK_EQ(gamp_write_some(a, "x", 1), -EPIPE);
		CHECK_EQ(
		    gamp_writev(a, &(struct iovec){ out_buf, 1 }, 1), -EPIPE);
		CHECK_EQ(gamp_close(a), 0);
	}
	/* The reader of a full pipe goes away while the writer is parked. */
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;
		int64_t r;

		kinds[i].make(&a, &b);
		(void)fill(a);
		t = start_parked((struct child){
		    .op = WRITE, .fd = a, .buf = out_buf, .n = BIG });
		CHECK_EQ(gamp_close(b), 0);
		r = finish(t);
		CHECK(r == -EPIPE || r == -ECONNRESET);
		CHECK_EQ(gamp_close(a), 0);
	}
}

static void write_to_a_closed_peer_gives_an_error_and_no_signal(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_DFL);
	run(broken_main);
}

static void empty_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_read(a, NULL, 0), 0);
	CHECK_EQ(gamp_write(a, NULL, 0), 0);
	CHECK_EQ(gamp_write_some(a, NULL, 0), 0);
	(void)fill(a);
	CHECK_EQ(gamp_write(a, NULL, 0), 0);
	close_pair(a, b);
}

static void nothing_to_do_does_not_park(void **state)
{
	(void)state;
	run(empty_main);
}

static void wait_ready_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;
		size_t n;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_wait_writable(a), 0);
		t = start_parked((struct child){ .op = WAIT_R, .fd = b });
		CHECK_EQ(gamp_write(a, "xy", 2), 2);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_wait_readable(b), 0); /* it is still there */
		CHECK_EQ(gamp_read(b, in_buf, 1), 1);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_read(b, in_buf, 1), 1);
		t = start_parked((struct child){ .op = WAIT_R, .fd = b });
		CHECK_EQ(gamp_write(a, "z", 1), 1);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
		n = fill(a);
		t = start_parked((struct child){ .op = WAIT_W, .fd = a });
		for (size_t got = 0; got < n;)
			got += (size_t)gamp_read(b, in_buf, BIG);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_write(a, "z", 1), 1);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
		CHECK_EQ(gamp_close(a), 0);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void wait_readable_and_writable_wait(void **state)
{
	(void)state;
	run(wait_ready_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(read_returns_what_arrived_then_zero),
		TEST(end_that_comes_with_data_is_seen),
		TEST(end_of_a_pipe_that_comes_with_data_is_seen),
		TEST(half_closed_connections_still_carry),
		TEST(reset_by_the_peer_is_econnreset),
		TEST(one_byte_at_a_time_arrives),
		TEST(urgent_data_hides_no_byte),
		TEST(write_writes_everything_to_a_slow_reader),
		TEST(vectors_are_one_write),
		TEST(write_to_a_closed_peer_gives_an_error_and_no_signal),
		TEST(nothing_to_do_does_not_park),
		TEST(wait_readable_and_writable_wait),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
