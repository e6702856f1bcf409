/* SPDX-License-Identifier: MIT */
/* test_net_cancel.c - cancelling what waits, and turns among several users. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static void cancel_one_op(struct child init, int why)
{
	struct child *t = start(init);
	int64_t at;

	await_parked(t->id, why);
	at = gamp_now();
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK(t->ended < at + SOON);
}

/* An address where connections are neither taken nor refused: the queue of
 * its listener is full, by one.  Two descriptors. */
static void full_listener(char to[32], int fds[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct tcp_info ti = { 0 };
	socklen_t len = sizeof(in), ti_len = sizeof(ti);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(fds[0], (struct sockaddr *)&in, len), 0);
	CHECK_EQ(listen(fds[0], 0), 0);
	CHECK_EQ(getsockname(fds[0], (struct sockaddr *)&in, &len), 0);
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(fds[1], (struct sockaddr *)&in, len), 0);
	/* Of a listener: its queue, and the most before it is full. */
	AWAIT(getsockopt(fds[0], IPPROTO_TCP, TCP_INFO, &ti, &ti_len) == 0 &&
	      ti.tcpi_unacked > ti.tcpi_sacked);
	(void)snprintf(to, 32, "127.0.0.1:%d", ntohs(in.sin_port));
}

static void cancel_main(void *arg)
{
	gamp_fd a, b, c, d, l = gamp_listen("tcp", "127.0.0.1:0");
	int fds[2];
	char to[32];
	struct child *t, *second;

	(void)arg;
	pair_tcp(&a, &b);
	struct child rd = { .op = READ, .fd = b, .buf = in_buf, .n = 9 };
	cancel_one_op(rd, WHY_READ);
	cancel_one_op((struct child){ .op = WAIT_R, .fd = b }, WHY_READ);
	cancel_one_op((struct child){ .op = ACCEPT, .fd = l }, WHY_READ);
	cancel_one_op(
	    (struct child){ .op = SLEEP, .n = 3600 * GAMP_SECOND }, WHY_SLEEP);
	(void)fill(a);
	cancel_one_op(
	    (struct child){ .op = WRITE, .fd = a, .buf = out_buf, .n = 9 },
	    WHY_WRITE);
	cancel_one_op((struct child){ .op = WAIT_W, .fd = a }, WHY_WRITE);

	/* The second reader; the first is not disturbed. */
	pair_tcp(&c, &d);
	rd.fd = d;
	t = start_parked(rd);
	cancel_one_op(rd, WHY_FD_LOCK);
	second = start(rd);
	await_parked(second->id, WHY_FD_LOCK);
	/* The first; the second takes over. */
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(gamp_write(c, "x", 1), 1);
	CHECK_EQ(finish(second), 1);
	close_pair(c, d);

	full_listener(to, fds);
	cancel_one_op(
	    (struct child){ .op = DIAL, .network = "tcp", .addr = to },
	    WHY_WRITE);
	t = start((struct child){ .op = DIAL,
	    .network = "tcp",
	    .addr = to,
	    .deadline = gamp_now() + 5 * MS });
	CHECK_EQ(finish(t), -ETIMEDOUT);
	(void)close(fds[0]);
	(void)close(fds[1]);
	close_pair(a, b);
	CHECK_EQ(gamp_close(l), 0);
	AWAIT(gamp_cancel(t->id) == -ESRCH); /* it was about to exit */
}

static void cancel_ends_every_kind_of_wait(void **state)
{
	(void)state;
	run(cancel_main);
	run_one(cancel_main);
}

static gamp_fd cancel_fds[3];
static atomic_int cancel_done;

static void cancelled_body(void *arg)
{
	gamp_fd a = cancel_fds[0], b = cancel_fds[1], l = cancel_fds[2];
	char c[9];

	(void)arg;
	CHECK_EQ(gamp_sleep(3600 * GAMP_SECOND), -ECANCELED);
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_read(b, c, 9), -ECANCELED); /* there are data */
	CHECK_EQ(gamp_write(a, c, 1), -ECANCELED);
	CHECK_EQ(gamp_write_some(a, c, 1), -ECANCELED);
	CHECK_EQ(gamp_accept(l), -ECANCELED);
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -ECANCELED);
	CHECK_EQ(gamp_wait_readable(b), -ECANCELED);
	CHECK_EQ(gamp_wait_writable(a), -ECANCELED);
	CHECK_EQ(gamp_sleep(1), -ECANCELED);
	CHECK_EQ(gamp_sleep(0), -ECANCELED);

	CHECK(!gamp_uncancellable(true));
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_read(b, c, 9), 1);
	CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + MS), 0);
	CHECK_EQ(gamp_read(b, c, 9), -ETIMEDOUT); /* it parks */
	CHECK_EQ(gamp_write(a, "z", 1), 1);
	CHECK_EQ(gamp_sleep(MS), 0);
	CHECK(gamp_uncancellable(false));
	CHECK_EQ(gamp_read(b, c, 9), -ECANCELED);
	/* Calls that never park go on working. */
	CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
	CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
	atomic_store(&cancel_done, 1);
}

static void cancelled_for_good_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&cancel_done, 0);
	pair_tcp(&cancel_fds[0], &cancel_fds[1]);
	cancel_fds[2] = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(gamp_write(cancel_fds[0], "x", 1), 1);
	id = gamp_go(cancelled_body, NULL);
	await_parked(id, WHY_SLEEP);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&cancel_done));
	close_pair(cancel_fds[0], cancel_fds[1]);
	CHECK_EQ(gamp_close(cancel_fds[2]), 0);
}

static void cancelled_goroutines_stay_cancelled_unless_protected(void **state)
{
	(void)state;
	run(cancelled_for_good_main);
}

static void uncancellable_main(void *arg)
{
	gamp_fd a, b;
	struct child *t;

	(void)arg;
	pair_tcp(&a, &b);
	t = start_parked((struct child){
	    .op = READ, .fd = b, .buf = in_buf, .n = 9, .protect = true });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(gamp_cancel(t->id), 0);
	pass_the_poller();
	await_parked(t->id, WHY_READ); /* or is so again, after an edge */
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	CHECK_EQ(finish(t), 1);
	t = start_parked((struct child){
	    .op = READ, .fd = b, .buf = in_buf, .n = 9, .protect = true });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(gamp_close(b), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(gamp_close(a), 0);
}

static void uncancellable_calls_go_through(void **state)
{
	(void)state;
	run(uncancellable_main);
}

/*
 * The reader is told that there are data, and cancelled before it runs: the
 * next reader must find them.  The only P is ours, and while we spin without
 * a call the monitor polls the network.
 */
static void cancelled_reader_main(void *arg)
{
	int64_t r = 0;

	(void)arg;
	for (int i = 0; i < 50 && r != -ECANCELED; i++) {
		gamp_fd a, b;
		struct child *t;
		struct child rd = { .op = READ, .buf = in_buf, .n = 9 };
		int64_t limit;
		struct g *gp;

		pair_socketpair(&a, &b);
		rd.fd = b;
		drain(b);
		t = start_parked(rd);
		gp = g_find(t->id);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		limit = gamp_now() + LIMIT;
		while (gp && rt_load_acquire(&gp->status) == G_WAITING &&
		       gamp_now() < limit)
			;
		(void)gamp_cancel(t->id); /* perhaps too late */
		r = finish(t);
		if (r == -ECANCELED)
			CHECK_EQ(finish(start(rd)), 1);
		close_pair(a, b);
	}
}

static void data_told_to_a_cancelled_reader_are_not_lost(void **state)
{
	(void)state;
	run_one(cancelled_reader_main);
}

/* Several users. */

static void turns_main(void *arg)
{
	static char c[8];
	struct child *t[8];
	gamp_fd a, b;
	int sum = 0;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		memset(c, 0, sizeof(c));
		sum = 0;
		for (int i = 0; i < 8; i++) {
			t[i] = start((struct child){
			    .op = READ, .fd = b, .buf = &c[i], .n = 1 });
			await_parked(t[i]->id, i == 0 ? WHY_READ : WHY_FD_LOCK);
		}
		CHECK_EQ(gamp_write(a, "\1\2\3\4\5\6\7\10", 8), 8);
		for (int i = 0; i < 8; i++) {
			CHECK_EQ(finish(t[i]), 1);
			sum += c[i];
		}
		CHECK_EQ(sum, 36);
		close_pair(a, b);
	}
}

static void readers_take_turns(void **state)
{
	(void)state;
	run(turns_main);
	run_one(turns_main);
}

enum { RECORD = 50000, RECORDS = 20, WRITERS = 4 };

static gamp_fd record_fd;

static void record_writer(void *arg)
{
	char *rec = malloc(RECORD);

	if (!CHECK(rec != NULL))
		return;
	memset(rec, (int)(intptr_t)arg, RECORD);
	for (int i = 0; i < RECORDS; i++) {
		struct iovec v[3] = { { rec, 7 }, { rec, RECORD / 2 },
			{ rec, RECORD - RECORD / 2 - 7 } };

		CHECK_EQ(i % 2 ? gamp_write(record_fd, rec, RECORD)
			       : gamp_writev(record_fd, v, 3),
		    RECORD);
	}
	free(rec);
}

static void records_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd b;

		kinds[k].make(&record_fd, &b);
		for (int i = 1; i <= WRITERS; i++)
			CHECK(gamp_go(record_writer, (void *)(intptr_t)i) > 0);
		for (int i = 0; i < WRITERS * RECORDS; i++) {
			if (!CHECK_EQ(read_full(b, in_buf, RECORD), RECORD))
				return;
			for (int j = 1; j < RECORD; j++)
				if (in_buf[j] != in_buf[0]) {
					CHECK(false);
					break;
				}
		}
		close_pair(record_fd, b);
	}
}

static void writes_never_interleave(void **state)
{
	(void)state;
	run(records_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(cancel_ends_every_kind_of_wait),
		TEST(cancelled_goroutines_stay_cancelled_unless_protected),
		TEST(uncancellable_calls_go_through),
		TEST(data_told_to_a_cancelled_reader_are_not_lost),
		TEST(readers_take_turns),
		TEST(writes_never_interleave),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
