/* SPDX-License-Identifier: MIT */
/*
 * stress_net.c - the races of descriptors, many times over.
 *
 *	close	 close beside reads, writes, accepts, dials of several
 *		 goroutines; the slot is taken anew at once
 *	deadline set, moved, cleared beside data and close
 *	arm	 go_when_readable beside data, deadline, close: fn runs once
 *		 for each arm that succeeded
 *	cancel	 beside all of these; no byte is lost, no sleep is cut short
 *	fresh	 any number as a handle while slots are first used
 *
 * Lanes race within themselves and disturb each other through the slots.
 *
 * Arguments	[seed [part]]
 * Environment	STRESS_SCALE	rounds of a lane, in thousands
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/stress.h"

#define LANES   8
#define VICTIMS 6
#define HANG    60 /* seconds without any progress */

struct lane;

struct victim {
	struct lane *lane;
	int op;
	gamp_fd fd;
	_Atomic int64_t id;
	int64_t result;
	atomic_int results; /* one each */
	char buf[8];
};

struct lane {
	uint64_t rng, setter_rng;
	int no;
	int64_t round;
	gamp_fd a, b;
	atomic_int pending, closed_ok;
	struct victim v[VICTIMS];
	atomic_int armed, started, stop;
	atomic_int next; /* byte that a reader expects */
	const char *step;
};

static struct lane lanes[LANES];
static int64_t rounds;
static atomic_llong races, progress;
static atomic_int lanes_left;

/* Seconds pass and nothing moves: say where everybody is. */
static void on_alarm(int sig)
{
	static long long last;
	long long now = atomic_load(&progress);

	(void)sig;
	if (now == last) {
		for (int i = 0; i < LANES; i++) {
			struct lane *ln = &lanes[i];

			(void)fprintf(stderr,
			    "lane %d round %" PRId64 " %s pending %d:", i,
			    ln->round, ln->step ? ln->step : "",
			    atomic_load(&ln->pending));
			for (int k = 0; k < VICTIMS; k++)
				(void)fprintf(stderr, " %d/%d", ln->v[k].op,
				    atomic_load(&ln->v[k].results));
			(void)fputc('\n', stderr);
		}
		die(__LINE__, "hung", now);
	}
	last = now;
	(void)alarm(HANG);
}

static uint32_t rnd(struct lane *ln, uint32_t below)
{
	return rnd_of(&ln->rng, below);
}

static void dawdle(struct lane *ln)
{
	switch (rnd(ln, 6)) {
	case 0:
		(void)gamp_sleep(rnd(ln, 30) * GAMP_MICROSECOND);
		break;
	case 1:
	case 2:
		for (uint32_t i = rnd(ln, 3); i > 0; i--)
			gamp_yield();
		break;
	default:
		for (volatile uint32_t i = rnd(ln, 300); i > 0;)
			i = i - 1;
	}
}

static void sockets(gamp_fd *a, gamp_fd *b)
{
	int sv[2];

	MUST(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, errno);
	*a = gamp_adopt(sv[0]);
	*b = gamp_adopt(sv[1]);
	MUST(*a > 0 && *b > 0, *a);
}

static void tcp(gamp_fd *a, gamp_fd *b)
{
	static const struct linger now = { .l_onoff = 1 };
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	struct gamp_addr sa;
	char to[32];

	MUST(l > 0, l);
	MUST(gamp_local_addr(l, &sa) == 0, 0);
	(void)snprintf(to, sizeof(to), "127.0.0.1:%d", gamp_addr_port(&sa));
	*a = gamp_dial("tcp", to);
	MUST(*a > 0, *a);
	*b = gamp_accept(l);
	MUST(*b > 0, *b);
	/* No TIME_WAIT: there are not ports enough for a million. */
	(void)setsockopt(
	    gamp_sysfd(*a), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)setsockopt(
	    gamp_sysfd(*b), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	MUST(gamp_close(l) == 0, 0);
}

static void pair(struct lane *ln, gamp_fd *a, gamp_fd *b)
{
	if (rnd(ln, 8) == 0)
		tcp(a, b);
	else
		sockets(a, b);
}

enum { READ, WAIT_R, WRITE, WAIT_W, ACCEPT, DIAL, SLEEP, CLOSE, NAP, OPS };

static char page[1 << 20];

static int64_t act(struct victim *v)
{
	switch (v->op) {
	case READ:
		return gamp_read(v->fd, v->buf, sizeof(v->buf));
	case WAIT_R:
		return gamp_wait_readable(v->fd);
	case WRITE:
		return gamp_write(v->fd, page, sizeof(page));
	case WAIT_W:
		return gamp_wait_writable(v->fd);
	case ACCEPT:
		return gamp_accept(v->fd);
	case DIAL: {
		/* The number of a closed one is free a moment later. */
		char name[64];

		(void)snprintf(name, sizeof(name),
		    "@gamp-stress-%d-%d-%" PRId64, (int)getpid(), v->lane->no,
		    v->lane->round);
		return gamp_dial("unix", name);
	}
	case SLEEP:
		return gamp_sleep(3600 * GAMP_SECOND);
	case NAP:
		return gamp_sleep(20 * GAMP_MICROSECOND);
	case CLOSE:
		return gamp_close(v->fd);
	default:
		return -ENOSYS;
	}
}

static void run_victim(void *arg)
{
	struct victim *v = arg;

	v->result = act(v);
	MUST(atomic_fetch_add(&v->results, 1) == 0, v->op);
	if (v->op == CLOSE && v->result == 0)
		atomic_fetch_add(&v->lane->closed_ok, 1);
	if ((v->op == ACCEPT || v->op == DIAL) && v->result > 0)
		MUST(gamp_close(v->result) == 0, v->op);
	atomic_fetch_sub(&v->lane->pending, 1);
}

static void launch(struct lane *ln, int i, int op, gamp_fd fd)
{
	struct victim *v = &ln->v[i];
	int64_t id;

	v->lane = ln;
	v->op = op;
	v->fd = fd;
	atomic_store(&v->results, 0);
	atomic_fetch_add(&ln->pending, 1);
	id = gamp_go(run_victim, v);
	MUST(id > 0, id);
	atomic_store(&v->id, id);
}

static void await_victims(struct lane *ln)
{
	ln->step = "victims";
	for (int i = 0; atomic_load(&ln->pending) > 0; i++) {
		if (i < 100)
			gamp_yield();
		else
			(void)gamp_sleep(20 * GAMP_MICROSECOND);
	}
	ln->step = "";
}

/* Its own eight bytes and nobody else's, both ways. */
static void converse(struct lane *ln, gamp_fd a, gamp_fd b)
{
	uint64_t token = (uint64_t)ln->round << 8 | (uint64_t)ln->no, got = 0;
	ssize_t r;

	ln->step = "converse";
	r = gamp_write(a, &token, 8);
	MUST(r == 8, r);
	r = gamp_read(b, &got, 8);
	MUST(r == 8 && got == token, r);
	r = gamp_write(b, &token, 8);
	MUST(r == 8, r);
	got = 0;
	r = gamp_read(a, &got, 8);
	MUST(r == 8 && got == token, r);
	ln->step = "";
}

static bool closed_error(int64_t r)
{
	return r == -ECANCELED || r == -EBADF;
}

static bool broken_error(int64_t r)
{
	return r == -EPIPE || r == -ECONNRESET;
}

/* What a call may return whose descriptor, or the peer's, is closed. */
static void judge(struct victim *v, bool cancelled)
{
	int64_t r = v->result;

	MUST(atomic_load(&v->results) == 1, v->op);
	if (cancelled && r == -ECANCELED)
		return;
	switch (v->op) {
	case READ:
		MUST(closed_error(r) || broken_error(r) || (r >= 0 && r <= 8),
		    r);
		break;
	case WAIT_R:
	case WAIT_W:
		MUST(closed_error(r) || r == 0, r);
		break;
	case WRITE: /* all of it fits into some TCP connections */
		MUST(closed_error(r) || broken_error(r) ||
			 r == (int64_t)sizeof(page),
		    r);
		break;
	case ACCEPT:
		MUST(closed_error(r) || r > 0, r);
		break;
	case DIAL:
		MUST(r > 0 || r == -ECONNREFUSED || r == -ECONNRESET, r);
		break;
	case CLOSE:
		MUST(r == 0 || r == -EBADF, r);
		break;
	case NAP:
		MUST(r == 0, r);
		break;
	default:
		MUST(cancelled && r == -ECANCELED, r);
	}
}

static void close_round(struct lane *ln)
{
	int n = 1 + (int)rnd(ln, VICTIMS - 2), closers = 1 + (int)rnd(ln, 2);
	bool listens = rnd(ln, 8) == 0;
	gamp_fd a = 0, b, na, nb;

	atomic_store(&ln->closed_ok, 0);
	if (listens) {
		/* The number of a closed one is free a moment later. */
		char name[64];

		(void)snprintf(name, sizeof(name),
		    "@gamp-stress-%d-%d-%" PRId64, (int)getpid(), ln->no,
		    ln->round);
		b = gamp_listen("unix", name);
		MUST(b > 0, b);
	} else {
		pair(ln, &a, &b);
	}
	for (int i = 0; i < n; i++) {
		if (listens)
			launch(ln, i, i % 2 ? DIAL : ACCEPT, b);
		else
			launch(ln, i, (int)rnd(ln, 4), b);
		if (rnd(ln, 2))
			dawdle(ln);
	}
	if (!listens && rnd(ln, 3) == 0)
		(void)gamp_write(a, "data", 1 + rnd(ln, 4));
	dawdle(ln);
	for (int i = 1; i < closers; i++)
		launch(ln, n++, CLOSE, b);
	if (rnd(ln, 2))
		dawdle(ln);
	if (gamp_close(b) == 0)
		atomic_fetch_add(&ln->closed_ok, 1);
	sockets(&na, &nb); /* most likely in the slot of b */
	if (rnd(ln, 2))
		dawdle(ln);
	converse(ln, na, nb);
	await_victims(ln);
	for (int i = 0; i < n; i++)
		judge(&ln->v[i], false);
	MUST(atomic_load(&ln->closed_ok) == 1, atomic_load(&ln->closed_ok));
	converse(ln, na, nb);
	if (a)
		MUST(gamp_close(a) == 0, 0);
	MUST(gamp_close(na) == 0 && gamp_close(nb) == 0, 0);
	atomic_fetch_add(&races, n);
}

/*
 * Deadlines: bytes 0, 1, 2 ... are written one by one; the reader gets all
 * of them in order whatever happens to its deadline.
 */

enum { BYTES = 50 };

static void byte_reader(void *arg)
{
	struct lane *ln = arg;

	for (int next = 0; next < BYTES;) {
		unsigned char c[4];
		ssize_t r = gamp_read(ln->b, c, sizeof(c));

		if (r == -ETIMEDOUT) {
			if (next % 3 == 0)
				(void)gamp_wait_readable(ln->b);
			MUST(gamp_set_read_deadline(ln->b, 0) == 0, 0);
			continue;
		}
		MUST(r > 0, r);
		for (ssize_t i = 0; i < r; i++)
			MUST(c[i] == next++, c[i]);
		atomic_store(&ln->next, next);
	}
	/* Closed now, sooner or later. */
	for (;;) {
		unsigned char c;
		ssize_t r = gamp_read(ln->b, &c, 1);

		if (r != -ETIMEDOUT) {
			MUST(closed_error(r), r);
			break;
		}
		(void)gamp_set_read_deadline(ln->b, 0);
	}
	atomic_fetch_sub(&ln->pending, 1);
}

static int64_t some_deadline(struct lane *ln)
{
	switch (rnd(ln, 6)) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return gamp_now() + GAMP_SECOND;
	default:
		return gamp_now() + rnd(ln, 60) * GAMP_MICROSECOND;
	}
}

static void deadline_setter(void *arg)
{
	struct lane *ln = arg;
	struct lane own = { .rng = ln->setter_rng };

	while (!atomic_load(&ln->stop)) {
		int r = rnd(&own, 4)
			    ? gamp_set_read_deadline(ln->b, some_deadline(&own))
			    : gamp_set_deadline(ln->b, some_deadline(&own));

		MUST(r == 0 || r == -EBADF, r);
		dawdle(&own);
		atomic_fetch_add(&races, 1);
		gamp_yield();
	}
	atomic_fetch_sub(&ln->pending, 1);
}

static void deadline_round(struct lane *ln)
{
	pair(ln, &ln->a, &ln->b);
	atomic_store(&ln->stop, 0);
	atomic_store(&ln->next, 0);
	ln->setter_rng = ln->rng ^ 0x9e3779b97f4a7c15;
	atomic_fetch_add(&ln->pending, 2);
	MUST(gamp_go(byte_reader, ln) > 0, 0);
	MUST(gamp_go(deadline_setter, ln) > 0, 0);
	ln->step = "bytes";
	for (int i = 0; i < BYTES; i++) {
		unsigned char c = (unsigned char)i;
		ssize_t r = gamp_write(ln->a, &c, 1);

		MUST(r == 1, r);
		dawdle(ln);
	}
	while (atomic_load(&ln->next) < BYTES)
		(void)gamp_sleep(10 * GAMP_MICROSECOND);
	if (rnd(ln, 2))
		atomic_store(&ln->stop, 1);
	dawdle(ln);
	MUST(gamp_close(ln->b) == 0, 0);
	atomic_store(&ln->stop, 1);
	await_victims(ln);
	MUST(gamp_close(ln->a) == 0, 0);
}

/* Arms. */

static void on_readable(void *arg)
{
	struct lane *ln = arg;
	char c[2];
	ssize_t r;

	atomic_fetch_add(&ln->started, 1);
	if (gamp_now() % 3) {
		r = gamp_read(ln->b, c, sizeof(c));
		MUST(r >= 0 || closed_error(r) || r == -ETIMEDOUT ||
			 broken_error(r),
		    r);
	}
	if (gamp_now() % 4) {
		r = gamp_go_when_readable(ln->b, on_readable, ln);
		MUST(r == 0 || r == -EBADF || r == -EBUSY, r);
		if (r == 0)
			atomic_fetch_add(&ln->armed, 1);
	}
	atomic_fetch_sub(&ln->pending, 1);
}

/* pending counts one start each, and is taken back for a refused one. */
static void armer(struct lane *ln)
{
	int r = gamp_go_when_readable(ln->b, on_readable, ln);

	MUST(r == 0 || r == -EBADF || r == -EBUSY, r);
	if (r == 0)
		atomic_fetch_add(&ln->armed, 1);
}

/* Nothing begins any more once all that began have ended: each counts what
 * it armed before it ends, so the order of these looks matters. */
static bool starts_are_over(struct lane *ln)
{
	int started = atomic_load(&ln->started);
	int ended = -atomic_load(&ln->pending);

	return atomic_load(&ln->v[0].results) > 0 && ended == started &&
	    atomic_load(&ln->armed) == started;
}

static void arm_round(struct lane *ln)
{
	int closing = (int)rnd(ln, 12);

	atomic_store(&ln->armed, 0);
	atomic_store(&ln->started, 0);
	pair(ln, &ln->a, &ln->b);
	for (int i = 0; i < 12; i++) {
		if (i == closing)
			launch(ln, 0, CLOSE, ln->b);
		switch (rnd(ln, 4)) {
		case 0:
			(void)gamp_write(ln->a, "x", 1);
			break;
		case 1:
			(void)gamp_set_read_deadline(ln->b, some_deadline(ln));
			break;
		default:
			armer(ln);
		}
		dawdle(ln);
	}
	ln->step = "starts";
	while (!starts_are_over(ln))
		(void)gamp_sleep(10 * GAMP_MICROSECOND);
	atomic_store(&ln->pending, 0);
	atomic_fetch_add(&races, atomic_load(&ln->armed));
	MUST(gamp_close(ln->a) == 0, 0);
}

/* Cancels. */

static void byte_taker(void *arg)
{
	struct lane *ln = arg;
	unsigned char c;
	ssize_t r;

	if (ln->round % 3 == 0)
		r = gamp_wait_readable(ln->b);
	r = gamp_read(ln->b, &c, 1);
	if (r == 1)
		MUST(c == (unsigned char)atomic_fetch_add(&ln->next, 1), c);
	else
		MUST(r == -ECANCELED, r);
	atomic_fetch_sub(&ln->pending, 1);
}

/* Readers come and are cancelled; the bytes go to those that are not. */
static void taken_bytes(struct lane *ln)
{
	atomic_store(&ln->next, 0);
	pair(ln, &ln->a, &ln->b);
	for (int i = 0; i < 10; i++) {
		int64_t id;
		unsigned char c = (unsigned char)i;

		atomic_fetch_add(&ln->pending, 1);
		id = gamp_go(byte_taker, ln);
		MUST(id > 0, id);
		dawdle(ln);
		MUST(gamp_write(ln->a, &c, 1) == 1, 0);
		if (rnd(ln, 4))
			dawdle(ln);
		(void)gamp_cancel(id);
		await_victims(ln);
		ln->step = "bytes after a cancel";
		while (atomic_load(&ln->next) <= i) {
			atomic_fetch_add(&ln->pending, 1);
			MUST(gamp_go(byte_taker, ln) > 0, 0);
			await_victims(ln);
		}
		ln->step = "";
	}
	MUST(gamp_close(ln->a) == 0 && gamp_close(ln->b) == 0, 0);
}

static void sleeper(void *arg)
{
	struct lane *ln = arg;
	int64_t t = gamp_now(), ns = 300 * GAMP_MICROSECOND;
	int r = gamp_sleep(ns);

	MUST(r == 0, r);
	MUST(gamp_now() - t >= ns, gamp_now() - t);
	atomic_fetch_sub(&ln->pending, 1);
}

static void cancel_round(struct lane *ln)
{
	static const int ops[] = { READ, WAIT_R, WRITE, SLEEP, NAP, READ };
	gamp_fd a, b;
	int n = VICTIMS;

	if (rnd(ln, 8) == 0) {
		taken_bytes(ln);
		return;
	}
	pair(ln, &a, &b);
	for (int i = 0; i < n; i++)
		launch(ln, i, ops[rnd(ln, 6)], b);
	dawdle(ln);
	if (rnd(ln, 2))
		(void)gamp_write(a, "data", 1 + rnd(ln, 4));
	for (int i = 0; i < n; i++) {
		(void)gamp_cancel(atomic_load(&ln->v[i].id));
		if (rnd(ln, 3) == 0) {
			/* Likely in the slot of one that has just exited. */
			atomic_fetch_add(&ln->pending, 1);
			MUST(gamp_go(sleeper, ln) > 0, 0);
		}
		if (i == n / 2 && rnd(ln, 4) == 0) {
			MUST(gamp_close(b) == 0, 0);
			b = 0;
		}
	}
	await_victims(ln);
	for (int i = 0; i < n; i++)
		judge(&ln->v[i], true);
	if (b)
		MUST(gamp_close(b) == 0, 0);
	MUST(gamp_close(a) == 0, 0);
	atomic_fetch_add(&races, n);
}

/* Small numbers as handles, while the slots are taken for the first time. */

static atomic_int fresh_stop, fresh_at;

static void *fresh_thread(void *arg)
{
	char c;

	(void)arg;
	while (!atomic_load(&fresh_stop)) {
		int at = atomic_load(&fresh_at);

		for (int i = at; i < at + 3; i++) {
			int64_t r = gamp_sysfd(i);

			MUST(r == -EBADF, r);
			r = gamp_read(i, &c, 1);
			MUST(r == -EBADF, r);
		}
	}
	return NULL;
}

static void fresh_main(void *arg)
{
	pthread_t th[2];
	enum { N = 500 };

	(void)arg;
	atomic_store(&fresh_stop, 0);
	atomic_store(&fresh_at, 0);
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&th[i], NULL, fresh_thread, NULL) == 0, 0);
	for (int i = 0; i < N; i++) {
		atomic_store(&fresh_at, i);
		MUST(gamp_adopt(eventfd(0, EFD_CLOEXEC)) > 0, i);
	}
	atomic_store(&fresh_stop, 1);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(th[i], NULL);
	atomic_fetch_add(&races, N);
	atomic_fetch_add(&progress, 1);
}

static const struct {
	const char *name;
	void (*round)(struct lane *ln);
	int weight; /* rounds per thousand */
} parts[] = {
	{ "close", close_round, 1000 },
	{ "deadline", deadline_round, 50 },
	{ "arm", arm_round, 200 },
	{ "cancel", cancel_round, 500 },
};

static size_t current;

static void run_lane(void *arg)
{
	struct lane *ln = arg;
	int64_t n = rounds * parts[current].weight / 1000 / LANES + 1;

	for (ln->round = 0; ln->round < n; ln->round++) {
		parts[current].round(ln);
		atomic_fetch_add(&progress, 1);
	}
	ln->step = "done";
	atomic_fetch_sub(&lanes_left, 1);
}

static void run_part(void *arg)
{
	(void)arg;
	atomic_store(&lanes_left, LANES);
	for (int i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .no = i,
			.rng = seed * (uint64_t)(2 * i + 1) + current + 1 };
		MUST(gamp_go(run_lane, &lanes[i]) > 0, i);
	}
	while (atomic_load(&lanes_left) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
}

static void run(gamp_fn *fn, int procs)
{
	int r = gamp_run(fn, NULL, &(struct gamp_options){ .maxprocs = procs });

	MUST(r == 0, r);
}

static void report(int64_t began)
{
	(void)printf("%-8s %9lld races %6.1f s\n", part,
	    (long long)atomic_exchange(&races, 0),
	    (double)(gamp_now() - began) / 1e9);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("STRESS_SCALE");
	int64_t began;

	take_seed(argc, argv);
	rounds = (int64_t)((scale ? atof(scale) : 4) * 1000);
	(void)printf(
	    "seed 0x%" PRIx64 " rounds %" PRId64 "\n", seed, rounds);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(HANG);
	for (current = 0; current < sizeof(parts) / sizeof(parts[0]);
	     current++) {
		part = parts[current].name;
		if (argc > 2 && strcmp(argv[2], part) != 0)
			continue;
		began = gamp_now();
		run(run_part, 1 + (int)(seed >> 8) % 4);
		run(run_part, 4);
		report(began);
	}
	part = "fresh";
	if (argc <= 2 || strcmp(argv[2], part) == 0) {
		began = gamp_now();
		for (int64_t i = 0; i < rounds / 100; i++)
			run(fresh_main, 2);
		report(began);
	}
	return 0;
}
