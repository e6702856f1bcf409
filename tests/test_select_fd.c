/* SPDX-License-Identifier: MIT */
/*
 * test_select_fd.c - descriptors in gamp_select: as reliable as a read, and
 * beside channels, deadlines, cancels and closes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/chan_util.h"

static void put(gamp_fd fd, char c)
{
	CHECK_EQ(gamp_write(fd, &c, 1), 1);
}

static char get(gamp_fd fd)
{
	char c = 0;

	CHECK_EQ(gamp_read(fd, &c, 1), 1);
	return c;
}

/* A select by a goroutine of its own. */

enum { MANY = 20 };

struct watcher {
	struct gamp_case c[MANY + 2];
	int n, k;
	int64_t id;
	atomic_bool done;
};

static void watch(void *arg)
{
	struct watcher *w = arg;

	w->k = gamp_select(w->c, w->n);
	atomic_store(&w->done, true);
}

static void begin_watch(struct watcher *w, int n)
{
	w->n = n;
	w->k = -EDOM;
	atomic_store(&w->done, false);
	w->id = go(watch, w);
}

static void park_watch(struct watcher *w, int n)
{
	begin_watch(w, n);
	await_parked(w->id, WHY_SELECT);
}

static void gives(struct watcher *w, int k, int err)
{
	AWAIT(atomic_load(&w->done));
	if (CHECK_EQ(w->k, k) && k >= 0)
		CHECK_EQ(w->c[k].err, err);
}

/* One at once, of a descriptor; a deadline says that it is not ready. */
static int ready_now(struct gamp_case fd)
{
	struct gamp_case c[] = { fd, GAMP_DEFAULT };
	int k = gamp_select(c, 2);

	CHECK(k == 0 || k == 1);
	return c[k == 0 ? 0 : 1].err;
}

/* Data before, while and after one waits. */

static void data_of(const struct kind *kind)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);
	struct watcher w;
	gamp_fd a, b;

	kind->make(&a, &b);
	for (int i = 0; i < 30; i++) {
		w.c[0] = GAMP_RECV(ch, NULL);
		w.c[1] = GAMP_READABLE(b);
		w.c[2] = GAMP_DEADLINE(gamp_now() + MS / 4);
		CHECK_EQ(ready_now(w.c[1]), -EAGAIN);
		if (i % 3 == 0)
			put(a, 'x');
		if (i % 3 == 2) {
			begin_watch(&w, 3);
			gives(&w, 2, -ETIMEDOUT);
			put(a, 'x');
		} else if (i % 3 == 1) {
			park_watch(&w, 2);
			put(a, 'x');
			gives(&w, 1, 0);
		}
		/* Until it is read. */
		for (int k = 0; k < 2 && i % 4; k++) {
			begin_watch(&w, 2);
			gives(&w, 1, 0);
		}
		CHECK_EQ(get(b), 'x');
	}
	if (kind->both)
		exchange(a, b);
	CHECK_EQ(gamp_chan_free(ch), 0);
	close_pair(a, b);
}

static void data_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++)
		data_of(&kinds[i]);
}

static void data_is_seen_before_while_and_after_a_select(void **state)
{
	(void)state;
	run_each(data_main);
}

/* More has come than was read: there is no second edge. */
static void rest_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		kinds[i].make(&a, &b);
		for (int k = 0; k < 20; k++) {
			struct gamp_case c[] = { GAMP_READABLE(b),
				GAMP_DEADLINE(gamp_now() + LONG) };

			CHECK_EQ(gamp_write(a, "abc", 3), 3);
			for (char ch = 'a'; ch <= 'c'; ch++) {
				CHECK_EQ(gamp_select(c, 2), 0);
				CHECK_EQ(c[0].err, 0);
				CHECK_EQ(get(b), ch);
			}
			CHECK_EQ(ready_now(c[0]), -EAGAIN);
		}
		close_pair(a, b);
	}
}

static void what_was_not_read_stays_readable(void **state)
{
	(void)state;
	run_each(rest_main);
}

/* Ends of a descriptor, and of its time. */

static void close_main(void *arg)
{
	struct watcher w;
	gamp_fd a, b, c, d;

	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++)
		for (int out = 0; out < 2; out++) {
			kinds[i].make(&a, &b);
			if (out)
				(void)fill(a);
			w.c[0] = out ? GAMP_WRITABLE(a) : GAMP_READABLE(b);
			w.c[1] = GAMP_DEADLINE(gamp_now() + LONG);
			park_watch(&w, 2);
			CHECK_EQ(gamp_close(out ? a : b), 0);
			gives(&w, 0, -ECANCELED);
			CHECK_EQ(ready_now(w.c[0]), -EBADF);
			kinds[i].make(&c, &d); /* likely in its slot */
			CHECK_EQ(ready_now(w.c[0]), -EBADF);
			close_pair(c, d);
			CHECK_EQ(gamp_close(out ? b : a), 0);
			CHECK_EQ(ready_now(GAMP_READABLE(0)), -EBADF);
			CHECK_EQ(ready_now(GAMP_WRITABLE(-1)), -EBADF);
			CHECK_EQ(ready_now(GAMP_READABLE(INT64_MAX)), -EBADF);
		}
}

static void a_closed_descriptor_is_told(void **state)
{
	(void)state;
	run_each(close_main);
}

static void time_main(void *arg)
{
	struct watcher w;
	gamp_fd a, b;

	(void)arg;
	for (int i = 0; i < 30; i++) {
		pair_socketpair(&a, &b);
		w.c[0] = GAMP_READABLE(b);
		w.c[1] = GAMP_DEADLINE(gamp_now() + LONG);
		CHECK_EQ(gamp_set_read_deadline(b, 1), 0);
		CHECK_EQ(ready_now(w.c[0]), -ETIMEDOUT);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		CHECK_EQ(ready_now(w.c[0]), -EAGAIN);
		if (i % 2)
			CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + MS), 0);
		else
			CHECK_EQ(
			    gamp_set_read_deadline(b, gamp_now() + LONG), 0);
		if (i % 2)
			begin_watch(&w, 2);
		else
			park_watch(&w, 2);
		if (i % 4 == 0)
			CHECK_EQ(gamp_set_deadline(b, -1), 0);
		if (i % 4 == 2) { /* moved, and not come */
			CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
			CHECK_EQ(gamp_set_write_deadline(b, 1), 0);
			put(a, 'y');
		}
		gives(&w, 0, i % 4 == 2 ? 0 : -ETIMEDOUT);
		CHECK_EQ(gamp_set_deadline(b, 0), 0);
		if (i % 4 == 2)
			CHECK_EQ(get(b), 'y');
		exchange(a, b);
		close_pair(a, b);
	}
}

static void a_descriptors_own_deadline_is_told(void **state)
{
	(void)state;
	run_each(time_main);
}

static void ended_main(void *arg)
{
	struct linger now = { .l_onoff = 1 };
	struct watcher w;
	gamp_fd a, b;
	char c;

	(void)arg;
	for (size_t i = 0; i < 2 * LEN(kinds); i++)
		for (int when = 0; when < 2; when++) {
			kinds[i / 2].make(&a, &b);
			w.c[0] = GAMP_READABLE(b);
			w.c[1] = GAMP_DEADLINE(gamp_now() + LONG);
			if (when)
				park_watch(&w, 2);
			if (i % 2 && kinds[i / 2].both)
				CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
			else
				CHECK_EQ(gamp_close(a), 0);
			if (!when)
				begin_watch(&w, 2);
			gives(&w, 0, 0);
			for (int k = 0; k < 3; k++) { /* for ever */
				CHECK_EQ(gamp_read(b, &c, 1), 0);
				CHECK_EQ(ready_now(w.c[0]), 0);
			}
			CHECK_EQ(gamp_close(b), 0);
			if (i % 2 && kinds[i / 2].both)
				CHECK_EQ(gamp_close(a), 0);
		}
	pair_tcp(&a, &b);
	park_watch(&w, (w.c[0] = GAMP_READABLE(b), 1));
	(void)setsockopt(
	    gamp_sysfd(a), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	CHECK_EQ(gamp_close(a), 0);
	gives(&w, 0, 0);
	CHECK_EQ(gamp_read(b, &c, 1), -ECONNRESET);
	CHECK_EQ(gamp_close(b), 0);
}

static void the_end_of_a_stream_is_readable(void **state)
{
	(void)state;
	run_each(ended_main);
}

/* Others that use the descriptor. */

static void busy_main(void *arg)
{
	struct watcher w, v;
	struct child *reader;
	gamp_fd a, b;
	char c = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pair_socketpair(&a, &b);
		w.c[0] = GAMP_READABLE(b);
		w.c[1] = GAMP_WRITABLE(b);
		w.c[2] = GAMP_DEADLINE(gamp_now() + LONG);
		/* A read has it. */
		reader = start_parked(
		    (struct child){ .op = READ, .fd = b, .buf = &c, .n = 1 });
		CHECK_EQ(ready_now(w.c[0]), -EBUSY);
		CHECK_EQ(ready_now(w.c[1]), 0);
		put(a, 'r');
		CHECK_EQ(finish(reader), 1);
		CHECK_EQ(c, 'r');
		/* A select has it. */
		w.c[1] = w.c[2];
		park_watch(&w, 2);
		v.c[0] = GAMP_READABLE(b);
		begin_watch(&v, 1);
		gives(&v, 0, -EBUSY);
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
		reader = start(
		    (struct child){ .op = READ, .fd = b, .buf = &c, .n = 1 });
		await_parked(reader->id, WHY_FD_LOCK);
		if (i % 2) {
			CHECK_EQ(gamp_cancel(w.id), 0);
			gives(&w, -ECANCELED, 0);
			put(a, 's');
		} else {
			put(a, 's');
			gives(&w, 0, 0);
		}
		CHECK_EQ(finish(reader), 1);
		CHECK_EQ(c, 's');
		/* A start has it. */
		arm(b);
		CHECK_EQ(ready_now(w.c[0]), -EBUSY);
		put(a, 't');
		armed_gives(1);
		CHECK_EQ(ready_now(w.c[0]), -EAGAIN);
		exchange(a, b);
		close_pair(a, b);
	}
}

static void one_reader_at_a_time_has_a_descriptor(void **state)
{
	(void)state;
	run_each(busy_main);
}

/* Connections to take, and room to write. */

static void accept_main(void *arg)
{
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0"), a[3], b;
	struct watcher w;
	char to[32];

	(void)arg;
	port_text(to, "127.0.0.1", l);
	w.c[0] = GAMP_READABLE(l);
	for (int i = 0; i < 30; i++) {
		CHECK_EQ(ready_now(w.c[0]), -EAGAIN);
		if (i % 2)
			park_watch(&w, 1);
		for (int k = 0; k < 3; k++) { /* in this order */
			CHECK((a[k] = gamp_dial("tcp", to)) > 0);
			AWAIT(backlog(gamp_sysfd(l)) == k + 1);
		}
		for (int k = 0; k < 3; k++) {
			if (!(i % 2) || k > 0)
				begin_watch(&w, 1);
			gives(&w, 0, 0);
			CHECK((b = gamp_accept(l)) > 0);
			exchange(a[k], b);
			close_pair(a[k], b);
		}
	}
	park_watch(&w, 1);
	CHECK_EQ(gamp_close(l), 0);
	gives(&w, 0, -ECANCELED);
}

static void a_listener_is_readable_when_there_is_one_to_accept(void **state)
{
	(void)state;
	run_each(accept_main);
}

static void room_main(void *arg)
{
	struct watcher w, v;
	gamp_fd a, b;
	size_t n;

	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		kinds[i].make(&a, &b);
		for (int k = 0; k < 3; k++) {
			w.c[0] = GAMP_WRITABLE(a);
			w.c[1] = kinds[i].both ? GAMP_READABLE(a)
					       : GAMP_RECV(NULL, NULL);
			CHECK_EQ(ready_now(w.c[0]), 0);
			n = fill(a);
			CHECK_EQ(ready_now(w.c[0]), -EAGAIN);
			park_watch(&w, 2);
			if (k % 2) {
				CHECK_EQ(gamp_cancel(w.id), 0);
				gives(&w, -ECANCELED, 0);
				v.c[0] = GAMP_WRITABLE(a);
				park_watch(&v, 1);
			}
			while (n > 0) {
				size_t part = n < BIG ? n : BIG;

				CHECK_EQ(
				    read_full(b, in_buf, part), (ssize_t)part);
				n -= part;
			}
			gives(k % 2 ? &v : &w, 0, 0);
			put(a, 'z');
			CHECK_EQ(get(b), 'z');
		}
		close_pair(a, b);
	}
}

static void a_descriptor_with_room_is_writable(void **state)
{
	(void)state;
	run_each(room_main);
}

static void many_main(void *arg)
{
	gamp_fd a[MANY], b[MANY];
	struct watcher w;

	(void)arg;
	for (int i = 0; i < MANY; i++)
		kinds[i % 4].make(&a[i], &b[i]);
	for (int i = 0; i < 60; i++) {
		int hit = i * 7 % MANY, rest = 0;

		for (int k = 0; k < MANY; k++)
			w.c[k] = GAMP_READABLE(b[k]);
		w.c[MANY] = GAMP_RECV(NULL, NULL);
		w.c[MANY + 1] = GAMP_DEADLINE(gamp_now() + LONG);
		if (i % 2)
			park_watch(&w, MANY + 2);
		put(a[hit], 'm');
		if (i % 2 == 0)
			begin_watch(&w, MANY + 2);
		gives(&w, hit, 0);
		CHECK_EQ(get(b[hit]), 'm');
		for (int k = 0; k < MANY; k++)
			rest += ready_now(w.c[k]) != -EAGAIN;
		CHECK_EQ(rest, 0);
	}
	for (int i = 0; i < MANY; i++)
		close_pair(a[i], b[i]);
}

static void the_one_of_many_that_is_ready_goes(void **state)
{
	(void)state;
	run_each(many_main);
}

/*
 * A byte and a value come at about the same time, and a select takes one of
 * them; then the other must be found, whichever way it is looked for.
 */

enum { LANES = 3 };

struct lane {
	gamp_fd a, b;
	struct gamp_chan *ch, *next;
	uint64_t rng;
	atomic_int found;
};

static void feed_both(void *arg)
{
	struct lane *ln = arg;
	uint64_t rng = ln->rng ^ 0x5DEECE66D, x;

	while (gamp_chan_recv(ln->next, &x) == 0) {
		spin(next_random(&rng) % 2000);
		if (x % 2)
			CHECK_EQ(gamp_chan_send(ln->ch, &x), 0);
		put(ln->a, (char)x);
		if (next_random(&rng) % 8 == 0) /* the poller's turn */
			CHECK_EQ(gamp_sleep(20 * GAMP_MICROSECOND), 0);
		if (x % 2 == 0)
			CHECK_EQ(gamp_chan_send(ln->ch, &x), 0);
	}
	finished();
}

static void find_byte(void *arg)
{
	struct lane *ln = arg;

	(void)get(ln->b);
	atomic_store(&ln->found, 1);
}

static void look_for_byte(struct lane *ln, uint64_t x, int way)
{
	struct gamp_case c[] = { GAMP_READABLE(ln->b),
		GAMP_DEADLINE(gamp_now() + LONG) };

	CHECK_EQ(gamp_set_read_deadline(ln->b, gamp_now() + LONG), 0);
	switch (way) {
	case 0:
		break;
	case 1:
		CHECK_EQ(gamp_select(c, 2), 0);
		CHECK_EQ(c[0].err, 0);
		break;
	case 2:
		CHECK_EQ(gamp_wait_readable(ln->b), 0);
		break;
	case 3:
		AWAIT(ready_now(c[0]) == 0);
		break;
	default:
		atomic_store(&ln->found, 0);
		CHECK_EQ(gamp_go_when_readable(ln->b, find_byte, ln), 0);
		AWAIT(atomic_load(&ln->found) == 1);
		return;
	}
	CHECK_EQ(get(ln->b), (char)x);
}

static void run_lane(void *arg)
{
	struct lane *ln = arg;

	(void)go(feed_both, ln);
	for (uint64_t i = 0; i < 1000u * SCALE && failed.count == 0; i++) {
		struct gamp_case c[3];
		uint64_t y = i;
		int k;

		c[0] = GAMP_READABLE(ln->b);
		c[1] = GAMP_RECV(ln->ch, &y);
		c[2] = GAMP_DEADLINE(gamp_now() + LONG);
		CHECK_EQ(gamp_chan_send(ln->next, &i), 0);
		spin(next_random(&ln->rng) % 2000);
		k = gamp_select(c, 2 + (int)(next_random(&ln->rng) % 2));
		if (!CHECK(k == 0 || k == 1) || !CHECK_EQ(c[k].err, 0))
			break;
		if (k == 1)
			look_for_byte(ln, i, (int)(next_random(&ln->rng) % 5));
		else
			CHECK_EQ(get(ln->b), (char)i);
		if (k == 0)
			CHECK_EQ(gamp_chan_recv(ln->ch, &y), 0);
		CHECK(y == i);
	}
	CHECK_EQ(gamp_chan_close(ln->next), 0);
	finished();
}

static void edges_main(void *arg)
{
	struct lane lanes[LANES];

	(void)arg;
	begin();
	for (size_t i = 0; i < LANES; i++) {
		struct lane *ln = &lanes[i];

		ln->rng = random64() | 1;
		ln->ch = gamp_chan_new(8, i % 2);
		ln->next = gamp_chan_new(8, 0);
		kinds[(i + random64()) % LEN(kinds)].make(&ln->a, &ln->b);
		(void)go(run_lane, ln);
	}
	await_finished(2 * LANES);
	for (int i = 0; i < LANES; i++) {
		CHECK_EQ(gamp_chan_free(lanes[i].ch), 0);
		CHECK_EQ(gamp_chan_free(lanes[i].next), 0);
		close_pair(lanes[i].a, lanes[i].b);
	}
	end();
}

static void no_edge_is_lost_when_another_case_goes(void **state)
{
	(void)state;
	run_each(edges_main);
}

/* Whatever can end a select, at about the same time. */

enum { BYTE = 1, VALUE = 2, CANCEL = 4, CLOSE = 8, TIME = 16 };

struct storm {
	gamp_fd a, b;
	struct gamp_chan *ch;
	int64_t at;
	int k, err;
	atomic_int stage;
};

static void stormy(void *arg)
{
	struct storm *s = arg;
	struct gamp_case c[] = { GAMP_READABLE(s->b), GAMP_RECV(s->ch, NULL),
		GAMP_DEADLINE(s->at) };

	atomic_store(&s->stage, 1);
	s->k = gamp_select(c, 3);
	s->err = s->k < 0 ? 0 : c[s->k].err;
	finished();
}

/* In any order; what was done. */
static int brew(struct storm *s, int64_t id, uint64_t *rng)
{
	int did = 0, want = 1 + (int)(next_random(rng) % 31);

	if (want & CLOSE && next_random(rng) % 8)
		want &= ~CLOSE;
	for (int i = 0; i < 8; i++) {
		int what = want & 1 << next_random(rng) % 5 & ~did;

		spin(next_random(rng) % 300);
		if (what == BYTE && !(did & CLOSE))
			put(s->a, 'b');
		else if (what == VALUE)
			CHECK_EQ(gamp_chan_send(s->ch, NULL), 0);
		else if (what == CANCEL)
			(void)gamp_cancel(id);
		else if (what == CLOSE)
			CHECK_EQ(gamp_close(s->b), 0);
		else if (what == TIME && !(did & CLOSE))
			CHECK_EQ(gamp_set_read_deadline(s->b, 1), 0);
		else
			what = 0;
		did |= what;
	}
	if (!(did & (BYTE | VALUE | CANCEL | CLOSE | TIME)) &&
	    s->at > gamp_now() + GAMP_SECOND) {
		CHECK_EQ(gamp_chan_send(s->ch, NULL), 0);
		did |= VALUE;
	}
	return did;
}

static void judge(struct storm *s, int did)
{
	int e = s->err;

	if (s->k == -ECANCELED)
		CHECK(did & CANCEL);
	else if (s->k == 0 && e == 0)
		CHECK(did & BYTE);
	else if (s->k == 0)
		CHECK((did & CLOSE && (e == -ECANCELED || e == -EBADF)) ||
		      (did & TIME && e == -ETIMEDOUT));
	else if (s->k == 1)
		CHECK(did & VALUE && e == 0);
	else
		CHECK(s->k == 2 && e == -ETIMEDOUT && gamp_now() >= s->at);
	/* What did not go is there still. */
	CHECK_EQ(gamp_chan_tryrecv(s->ch, NULL),
	    did & VALUE && s->k != 1 ? 0 : -EAGAIN);
	if (did & CLOSE)
		return;
	CHECK_EQ(gamp_set_read_deadline(s->b, gamp_now() + LONG), 0);
	if (did & BYTE)
		CHECK_EQ(get(s->b), 'b');
	CHECK_EQ(ready_now(GAMP_READABLE(s->b)), -EAGAIN);
}

static void storm_main(void *arg)
{
	struct storm s = { .ch = gamp_chan_new(0, 1) };
	uint64_t rng = random64() | 1;

	(void)arg;
	begin();
	pair_socketpair(&s.a, &s.b);
	for (int i = 0; i < 3000 * SCALE && failed.count == 0; i++) {
		int64_t id, limit = gamp_now() + 100 * GAMP_MICROSECOND;
		int did;

		s.at = next_random(&rng) % 2
			   ? gamp_now() + LONG
			   : gamp_now() + (int64_t)(next_random(&rng) % 50000);
		atomic_store(&s.stage, 0);
		CHECK_EQ(gamp_set_read_deadline(s.b, 0), 0);
		id = go(stormy, &s);
		while (atomic_load(&s.stage) == 0)
			if (gamp_now() > limit)
				gamp_yield();
		did = brew(&s, id, &rng);
		await_finished(1);
		judge(&s, did);
		if (did & CLOSE) {
			CHECK_EQ(gamp_close(s.a), 0);
			pair_socketpair(&s.a, &s.b);
		}
	}
	exchange(s.a, s.b);
	close_pair(s.a, s.b);
	CHECK_EQ(gamp_chan_free(s.ch), 0);
	end();
}

static void whatever_comes_first_ends_a_select(void **state)
{
	(void)state;
	run_on(2, storm_main);
	run_on(3, storm_main);
	run_on(1, storm_main);
}

/* Only a cancel. */

static void wait_alone(void *arg)
{
	struct storm *s = arg;
	struct gamp_case c[] = { GAMP_READABLE(s->b), GAMP_READABLE(s->a),
		GAMP_RECV(s->ch, NULL),
		GAMP_DEADLINE(gamp_now() + 3600 * GAMP_SECOND) };

	atomic_store(&s->stage, 1);
	CHECK_EQ(gamp_select(c, s->k), -ECANCELED);
	finished();
}

static void alone_main(void *arg)
{
	struct storm s = { .ch = gamp_chan_new(0, 0) };
	uint64_t rng = random64() | 1;

	(void)arg;
	begin();
	pair_socketpair(&s.a, &s.b);
	for (int i = 0; i < 4000 * SCALE && failed.count == 0; i++) {
		int64_t id, limit = gamp_now() + 100 * GAMP_MICROSECOND;

		s.k = 1 + i % 4;
		atomic_store(&s.stage, 0);
		id = go(wait_alone, &s);
		while (atomic_load(&s.stage) == 0)
			if (gamp_now() > limit)
				gamp_yield();
		spin(next_random(&rng) % 500);
		CHECK_EQ(gamp_cancel(id), 0);
		await_finished(1);
	}
	close_pair(s.a, s.b);
	CHECK_EQ(gamp_chan_free(s.ch), 0);
	end();
}

static void a_cancel_is_never_lost(void **state)
{
	(void)state;
	run_on(2, alone_main);
	run_on(3, alone_main);
}

/* Main returns while others wait. */

static atomic_int told;

static void left_behind(void *arg)
{
	gamp_fd *fd = arg;
	struct gamp_case c[] = { GAMP_READABLE(*fd),
		GAMP_DEADLINE(gamp_now() + LONG) };

	CHECK_EQ(gamp_select(c, 1 + (int)(*fd % 2)), -ECANCELED);
	atomic_fetch_add(&told, 1);
}

static void leaving_main(void *arg)
{
	static gamp_fd fd[MANY];

	(void)arg;
	atomic_store(&told, 0);
	for (int i = 0; i < MANY; i += 2) {
		pair_socketpair(&fd[i], &fd[i + 1]);
		(void)go(left_behind, &fd[i]);
		(void)go(left_behind, &fd[i + 1]);
	}
	for (int i = (int)(random64() % 30); i > 0; i--)
		gamp_yield();
}

static void the_end_of_the_runtime_ends_every_select(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		run_each(leaving_main);
		assert_int_equal(told, MANY);
	}
}

/* The same direction twice. */
static void twice_main(void *arg)
{
	struct watcher w;
	gamp_fd a, b;

	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		kinds[i].make(&a, &b);
		for (int k = 0; k < 4 && !failed.count; k++) {
			w.c[0] = w.c[1] = GAMP_READABLE(b);
			w.c[2] = GAMP_DEADLINE(gamp_now() + MS / 4);
			CHECK_EQ(gamp_select(w.c, 3), 2);
			park_watch(&w, 2);
			put(a, 'x');
			gives(&w, 0, 0);
			CHECK_EQ(gamp_select(w.c, 3), 0);
			CHECK_EQ(get(b), 'x');
			w.c[0] = w.c[1] = GAMP_WRITABLE(a);
			CHECK_EQ(gamp_select(w.c, 2), 0);
		}
		close_pair(a, b);
	}
}

static void of_two_cases_for_one_direction_the_first_goes(void **state)
{
	(void)state;
	run_each(twice_main);
}

/* A thread may look, and not wait. */

static void *look_on_thread(void *arg)
{
	gamp_fd *fd = arg;

	CHECK_EQ(ready_now(GAMP_READABLE(fd[0])), -EPERM);
	CHECK_EQ(ready_now(GAMP_READABLE(fd[1])), 0);
	CHECK_EQ(ready_now(GAMP_WRITABLE(fd[0])), 0);
	return NULL;
}

static void thread_main(void *arg)
{
	gamp_fd fd[2];
	pthread_t t;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pair_socketpair(&fd[0], &fd[1]);
		put(fd[0], 't');
		CHECK_EQ(pthread_create(&t, NULL, look_on_thread, fd), 0);
		(void)pthread_join(t, NULL);
		CHECK_EQ(get(fd[1]), 't');
		exchange(fd[0], fd[1]);
		close_pair(fd[0], fd[1]);
	}
}

static void a_thread_looks_and_does_not_wait(void **state)
{
	(void)state;
	run_each(thread_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(data_is_seen_before_while_and_after_a_select),
		TEST(what_was_not_read_stays_readable),
		TEST(a_closed_descriptor_is_told),
		TEST(a_descriptors_own_deadline_is_told),
		TEST(the_end_of_a_stream_is_readable),
		TEST(one_reader_at_a_time_has_a_descriptor),
		TEST(a_listener_is_readable_when_there_is_one_to_accept),
		TEST(a_descriptor_with_room_is_writable),
		TEST(the_one_of_many_that_is_ready_goes),
		TEST(no_edge_is_lost_when_another_case_goes),
		TEST(whatever_comes_first_ends_a_select),
		TEST(a_cancel_is_never_lost),
		TEST(the_end_of_the_runtime_ends_every_select),
		TEST(of_two_cases_for_one_direction_the_first_goes),
		TEST(a_thread_looks_and_does_not_wait),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
