/* SPDX-License-Identifier: MIT */
/* test_net_accept.c - accept: timed out, closed, short of descriptors. */
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static void accept_deadline_main(void *arg)
{
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0"), a, b;
	struct child *t;
	char to[32];

	(void)arg;
	port_text(to, "127.0.0.1", l);
	CHECK_EQ(gamp_set_read_deadline(l, gamp_now() + 2 * MS), 0);
	CHECK_EQ(gamp_accept(l), -ETIMEDOUT);
	a = gamp_dial("tcp", to);
	CHECK(a > 0);
	CHECK_EQ(gamp_accept(l), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(l, 0), 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	exchange(a, b);
	close_pair(a, b);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_set_deadline(l, 1), 0);
	CHECK_EQ(finish(t), -ETIMEDOUT);
	CHECK_EQ(gamp_close(l), 0);
}

static void accept_obeys_the_read_deadline(void **state)
{
	(void)state;
	run(accept_deadline_main);
}

/* A port that only we can listen on, as we do not: nobody else is given it. */
static int hold_port(char to[32])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	CHECK_EQ(
	    setsockopt(raw, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	CHECK_EQ(bind(raw, (struct sockaddr *)&in, len), 0);
	CHECK_EQ(getsockname(raw, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(to, 32, "127.0.0.1:%d", ntohs(in.sin_port));
	return raw;
}

static void close_listener_main(void *arg)
{
	struct gamp_listen_options share = { .reuse_port = true };
	struct child *t[3];
	gamp_fd l;
	char to[32];
	int raw = hold_port(to);

	(void)arg;
	l = gamp_listen_with(&share, "tcp", to);
	CHECK(l > 0);
	t[0] = start_parked((struct child){ .op = ACCEPT, .fd = l });
	for (int i = 1; i < 3; i++) {
		t[i] = start((struct child){ .op = ACCEPT, .fd = l });
		await_parked(t[i]->id, WHY_FD_LOCK);
	}
	CHECK_EQ(gamp_close(l), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(finish(t[i]), -ECANCELED);
	CHECK_EQ(gamp_accept(l), -EBADF);
	CHECK_EQ(gamp_dial("tcp", to), -ECONNREFUSED);
	(void)close(raw);
}

static void close_ends_every_accept(void **state)
{
	(void)state;
	run(close_listener_main);
}

/* Out of descriptors. */

enum { CLIENTS = 40, SPARE = 10 };

static gamp_fd emfile_listener, emfile_got[CLIENTS];
static atomic_int emfile_n;

static void emfile_accepter(void *arg)
{
	(void)arg;
	for (int i = 0; i < CLIENTS; i++) {
		gamp_fd fd = gamp_accept(emfile_listener);

		if (!CHECK(fd > 0))
			return;
		emfile_got[i] = fd;
		atomic_fetch_add(&emfile_n, 1);
	}
}

static int64_t cpu_time(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * GAMP_SECOND + ts.tv_nsec;
}

/* Paused: hardly any processor time goes by.  A host that stalls may charge
 * us for it, now and then; who tries all the time pays each time. */
static bool is_quiet(void)
{
	int64_t cpu = cpu_time(), from = gamp_now();

	while (gamp_now() < from + 300 * MS)
		(void)gamp_sleep(100 * MS);
	return cpu_time() - cpu < (gamp_now() - from) / 3;
}

static void emfile_main(void *arg)
{
	struct rlimit was, low;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int raw[CLIENTS], n, top = 0;
	int64_t id;

	(void)arg;
	emfile_listener = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(getsockname(
		     gamp_sysfd(emfile_listener), (struct sockaddr *)&ss, &len),
	    0);
	for (int i = 0; i < CLIENTS; i++) {
		raw[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK_EQ(connect(raw[i], (struct sockaddr *)&ss, len), 0);
		CHECK_EQ(send(raw[i], &i, sizeof(i), 0), sizeof(i));
		/* In this order: on a busy host one may overtake. */
		AWAIT(backlog(gamp_sysfd(emfile_listener)) == i + 1);
		/* The last may fill a gap: the monitor opens files. */
		top = raw[i] > top ? raw[i] : top;
	}
	top += 1 + SPARE;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = (rlim_t)top;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	atomic_store(&emfile_n, 0);
	id = gamp_go(emfile_accepter, NULL);
	CHECK(id > 0);
	AWAIT(atomic_load(&emfile_n) >= SPARE);
	await_parked(id, WHY_READ);

	CHECK(is_quiet() || is_quiet() || is_quiet());
	n = atomic_load(&emfile_n);
	CHECK(n >= SPARE && n < CLIENTS);

	/* Closing some lets as many in; then all. */
	for (int i = 0; i < n; i++) {
		int who = -1;

		CHECK_EQ(
		    gamp_read(emfile_got[i], &who, sizeof(who)), sizeof(who));
		CHECK_EQ(who, i); /* in order, none lost */
		CHECK_EQ(gamp_close(emfile_got[i]), 0);
	}
	AWAIT(atomic_load(&emfile_n) >= n + 1);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
	AWAIT(atomic_load(&emfile_n) == CLIENTS);
	for (int i = n; i < CLIENTS; i++) {
		int who = -1;

		CHECK_EQ(
		    gamp_read(emfile_got[i], &who, sizeof(who)), sizeof(who));
		CHECK_EQ(who, i);
		CHECK_EQ(gamp_close(emfile_got[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		(void)close(raw[i]);
	CHECK_EQ(gamp_close(emfile_listener), 0);
}

static void accept_pauses_while_descriptors_are_short(void **state)
{
	(void)state;
	run(emfile_main);
	run_one(emfile_main);
}

/* Closed, cancelled, timed out while it pauses. */
static void emfile_ends_main(void *arg)
{
	struct rlimit was, low;
	struct child *t;
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int raw;

	(void)arg;
	CHECK_EQ(getsockname(gamp_sysfd(l), (struct sockaddr *)&ss, &len), 0);
	raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(raw, (struct sockaddr *)&ss, len), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = 3;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_set_read_deadline(l, gamp_now() + 2 * MS), 0);
	CHECK_EQ(finish(t), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(l, 0), 0);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -EMFILE);
	CHECK_EQ(gamp_listen("tcp", "127.0.0.1:0"), -EMFILE);
	CHECK_EQ(gamp_close(l), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
	(void)close(raw);
}

static void a_pausing_accept_can_be_ended(void **state)
{
	(void)state;
	run(emfile_ends_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(accept_obeys_the_read_deadline),
		TEST(close_ends_every_accept),
		TEST(accept_pauses_while_descriptors_are_short),
		TEST(a_pausing_accept_can_be_ended),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
