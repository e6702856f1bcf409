/* SPDX-License-Identifier: MIT */
/*
 * test_chan.c - channels: what gamp/chan.h promises of send, receive, close
 * and free, step by step; test_chan_race.c has the rest.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "runtime/chan.h"
#include "tests/chan_util.h"

/* One send or receive, by a goroutine or a thread of its own. */

enum { MAX_SIZE = 5000 };

struct call {
	struct gamp_chan *ch;
	bool send;
	int64_t deadline;
	int64_t id;
	int result;
	atomic_bool done;
	unsigned char buf[MAX_SIZE];
};

static struct call calls[128];
static size_t ncalls;

/* The k-th value. */
static void *value(unsigned char *buf, size_t size, uint64_t k)
{
	memset(buf, (int)(k % 250) + 1, size);
	memcpy(buf, &k, size < 8 ? size / 2 : 8);
	return buf;
}

static bool is_value(const unsigned char *buf, size_t size, uint64_t k)
{
	unsigned char want[MAX_SIZE];

	return memcmp(buf, value(want, size, k), size) == 0;
}

static bool is_all(const unsigned char *buf, size_t size, int c)
{
	for (size_t i = 0; i < size; i++)
		if (buf[i] != c)
			return false;
	return true;
}

static void perform(void *arg)
{
	struct call *c = arg;

	c->result = c->send ? gamp_chan_send_until(c->ch, c->buf, c->deadline)
			    : gamp_chan_recv_until(c->ch, c->buf, c->deadline);
	atomic_store(&c->done, true);
}

static struct call *prepare(struct gamp_chan *ch, bool send, uint64_t k)
{
	struct call *c = &calls[ncalls++ % LEN(calls)];

	c->ch = ch;
	c->send = send;
	c->deadline = 0;
	atomic_store(&c->done, false);
	if (send)
		(void)value(c->buf, ch->size, k);
	else
		memset(c->buf, 0xEE, sizeof(c->buf));
	return c;
}

static struct call *begin_parked(struct gamp_chan *ch, bool send, uint64_t k)
{
	struct call *c = prepare(ch, send, k);

	c->id = go(perform, c);
	await_parked(c->id, send ? WHY_SEND : WHY_RECV);
	return c;
}

static int result_of(struct call *c)
{
	AWAIT(atomic_load(&c->done));
	return atomic_load(&c->done) ? c->result : -EDOM;
}

/* Every size of values beside every capacity. */

static const size_t sizes[] = { 0, 1, 8, 24, 200, MAX_SIZE };
static const size_t caps[] = { 0, 1, 10, SCALE > 1 ? 1000 : 100 };

static void an_empty_one(struct gamp_chan *ch)
{
	unsigned char buf[MAX_SIZE];

	memset(buf, 0xEE, sizeof(buf));
	CHECK_EQ(length(ch), 0);
	CHECK_EQ(gamp_chan_tryrecv(ch, buf), -EAGAIN);
	CHECK_EQ(gamp_chan_recv_until(ch, buf, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_chan_recv_until(ch, buf, -1), -ETIMEDOUT);
	CHECK(is_all(buf, sizeof(buf), 0xEE));
}

static void expect_values(struct gamp_chan *ch, uint64_t k, uint64_t to)
{
	unsigned char buf[MAX_SIZE];

	for (; k < to; k++) {
		memset(buf, 0xEE, sizeof(buf));
		CHECK_EQ(k % 2 ? gamp_chan_tryrecv(ch, buf)
			       : gamp_chan_recv(ch, buf),
		    0);
		CHECK(is_value(buf, ch->size, k));
		CHECK(is_all(buf + ch->size, sizeof(buf) - ch->size, 0xEE));
	}
}

static void fill_chan(struct gamp_chan *ch)
{
	unsigned char buf[MAX_SIZE];

	for (size_t k = 0; k < ch->cap; k++) {
		CHECK_EQ(length(ch), (int64_t)k);
		(void)value(buf, ch->size, k);
		CHECK_EQ(k % 2 ? gamp_chan_trysend(ch, buf)
			       : gamp_chan_send_until(ch, buf, 1),
		    0);
	}
	CHECK_EQ(length(ch), (int64_t)ch->cap);
	CHECK_EQ(gamp_chan_trysend(ch, buf), -EAGAIN);
	CHECK_EQ(gamp_chan_send_until(ch, buf, 1), -ETIMEDOUT);
}

static void a_full_one(struct gamp_chan *ch)
{
	struct call *c[3];

	fill_chan(ch);
	for (size_t i = 0; i < LEN(c); i++)
		c[i] = begin_parked(ch, true, ch->cap + i);
	CHECK_EQ(length(ch), (int64_t)ch->cap);
	expect_values(ch, 0, ch->cap + LEN(c));
	for (size_t i = 0; i < LEN(c); i++)
		CHECK_EQ(result_of(c[i]), 0);
}

static void one_with_receivers(struct gamp_chan *ch)
{
	unsigned char buf[MAX_SIZE];
	struct call *c[3];

	for (size_t i = 0; i < LEN(c); i++)
		c[i] = begin_parked(ch, false, 0);
	for (size_t i = 0; i < LEN(c); i++) {
		(void)value(buf, ch->size, i);
		CHECK_EQ(i == 1 ? gamp_chan_trysend(ch, buf)
				: gamp_chan_send(ch, buf),
		    0);
		CHECK_EQ(length(ch), 0);
	}
	for (size_t i = 0; i < LEN(c); i++) {
		CHECK_EQ(result_of(c[i]), 0);
		CHECK(is_value(c[i]->buf, ch->size, i));
	}
}

/* Its last part waits for senders and receivers by turns. */
static void stream(void *arg)
{
	struct gamp_chan *ch = arg;
	unsigned char buf[MAX_SIZE];

	for (uint64_t k = 0; k < 3 * ch->cap / 2 + 20; k++) {
		(void)value(buf, ch->size, k);
		CHECK_EQ(gamp_chan_send(ch, ch->size ? buf : NULL), 0);
		if (k % 7 == 0)
			gamp_yield();
	}
	CHECK_EQ(gamp_chan_close(ch), 0);
}

static void a_closed_one(struct gamp_chan *ch)
{
	unsigned char buf[MAX_SIZE];

	for (int i = 0; i < 3; i++) {
		memset(buf, 0xEE, sizeof(buf));
		CHECK_EQ(i == 0   ? gamp_chan_recv(ch, buf)
			 : i == 1 ? gamp_chan_tryrecv(ch, buf)
				  : gamp_chan_recv_until(ch, buf, 1),
		    -EPIPE);
		CHECK(is_all(buf, ch->size, 0));
		CHECK(is_all(buf + ch->size, sizeof(buf) - ch->size, 0xEE));
	}
	CHECK_EQ(gamp_chan_recv(ch, NULL), -EPIPE);
	CHECK_EQ(gamp_chan_send(ch, buf), -EPIPE);
	CHECK_EQ(gamp_chan_trysend(ch, buf), -EPIPE);
	CHECK_EQ(gamp_chan_send_until(ch, buf, 1), -EPIPE);
	CHECK_EQ(gamp_chan_close(ch), -EPIPE);
	CHECK_EQ(length(ch), 0);
}

static void matrix_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(sizes) * LEN(caps); i++) {
		size_t size = sizes[i / LEN(caps)], cap = caps[i % LEN(caps)];
		struct gamp_chan *ch = gamp_chan_new(size, cap);

		CHECK(ch && gamp_chan_cap(ch) == cap);
		an_empty_one(ch);
		a_full_one(ch);
		an_empty_one(ch);
		one_with_receivers(ch);
		fill_chan(ch);
		expect_values(ch, 0, cap);
		(void)go(stream, ch);
		for (uint64_t k = 0; k < 3 * cap / 2 + 20; k++) {
			unsigned char buf[MAX_SIZE];

			CHECK_EQ(gamp_chan_recv(ch, buf), 0);
			CHECK(is_value(buf, size, k));
		}
		CHECK_EQ(gamp_chan_recv(ch, NULL), -EPIPE);
		a_closed_one(ch);
		CHECK_EQ(gamp_chan_free(ch), 0);
		ch = gamp_chan_new(size, cap);
		fill_chan(ch);
		CHECK_EQ(gamp_chan_close(ch), 0);
		expect_values(ch, 0, cap);
		a_closed_one(ch);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
}

static void values_of_any_size_keep_their_order_at_any_capacity(void **state)
{
	(void)state;
	run_each(matrix_main);
}

static void bad_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(8, 2), *none = NULL;
	uint64_t x = 5;

	(void)arg;
	CHECK_EQ(gamp_chan_send(none, &x), -EINVAL);
	CHECK_EQ(gamp_chan_trysend(none, &x), -EINVAL);
	CHECK_EQ(gamp_chan_send_until(none, &x, 1), -EINVAL);
	CHECK_EQ(gamp_chan_recv(none, &x), -EINVAL);
	CHECK_EQ(gamp_chan_tryrecv(none, &x), -EINVAL);
	CHECK_EQ(gamp_chan_recv_until(none, &x, 1), -EINVAL);
	CHECK_EQ(gamp_chan_close(none), -EINVAL);
	CHECK_EQ((int64_t)gamp_chan_len(none), 0);
	CHECK_EQ((int64_t)gamp_chan_cap(none), 0);
	CHECK_EQ(gamp_chan_free(none), 0);
	CHECK_EQ(gamp_chan_send(ch, NULL), -EINVAL);
	CHECK_EQ(gamp_chan_trysend(ch, NULL), -EINVAL);
	CHECK_EQ(gamp_chan_send_until(ch, NULL, 1), -EINVAL);
	CHECK(x == 5);
	CHECK_EQ(gamp_chan_send(ch, &x), 0);
	CHECK_EQ(gamp_chan_recv(ch, NULL), 0); /* dropped */
	CHECK_EQ(length(ch), 0);
	CHECK_EQ(gamp_chan_free(ch), 0);
	CHECK(!gamp_chan_new(SIZE_MAX / 2, 4));
	CHECK(!gamp_chan_new(4, SIZE_MAX / 2));
	CHECK(!gamp_chan_new(SIZE_MAX, SIZE_MAX));
	CHECK(!gamp_chan_new(SIZE_MAX, 1));
	CHECK(!gamp_chan_new(1, SIZE_MAX));
}

static void bad_calls_are_answered(void **state)
{
	(void)state;
	run_each(bad_main);
}

/* Close, and free, beside those who wait. */

enum { WAITERS = 40 };

static void closed_main(void *arg)
{
	struct call *c[WAITERS];
	unsigned char buf[24];

	(void)arg;
	for (size_t cap = 0; cap < 3; cap++) {
		struct gamp_chan *ch = gamp_chan_new(24, cap);

		for (int i = 0; i < WAITERS; i++) {
			c[i] = prepare(ch, false, 0);
			c[i]->deadline = i % 3 ? gamp_now() + LONG : 0;
			c[i]->id = go(perform, c[i]);
			await_parked(c[i]->id, WHY_RECV);
		}
		CHECK_EQ(gamp_chan_close(ch), 0);
		for (int i = 0; i < WAITERS; i++) {
			CHECK_EQ(result_of(c[i]), -EPIPE);
			CHECK(is_all(c[i]->buf, 24, 0));
			CHECK(is_all(c[i]->buf + 24, 24, 0xEE));
		}
		CHECK_EQ(gamp_chan_free(ch), 0);

		ch = gamp_chan_new(24, cap);
		fill_chan(ch);
		for (int i = 0; i < WAITERS; i++)
			c[i] = begin_parked(ch, true, 1000);
		CHECK_EQ(gamp_chan_close(ch), 0);
		for (int i = 0; i < WAITERS; i++)
			CHECK_EQ(result_of(c[i]), -EPIPE);
		expect_values(ch, 0, cap); /* and none of those who waited */
		CHECK_EQ(gamp_chan_recv(ch, buf), -EPIPE);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
}

static void close_tells_everybody_who_waits(void **state)
{
	(void)state;
	run_each(closed_main);
}

static void busy_main(void *arg)
{
	uint64_t x = 7;

	(void)arg;
	for (int send = 0; send < 2; send++) {
		struct gamp_chan *ch = gamp_chan_new(8, 0);
		struct call *c = begin_parked(ch, send, 3);

		for (int i = 0; i < 3; i++)
			CHECK_EQ(gamp_chan_free(ch), -EBUSY);
		CHECK_EQ(
		    send ? gamp_chan_recv(ch, &x) : gamp_chan_send(ch, &x), 0);
		CHECK_EQ(gamp_chan_free(ch), 0);
		CHECK_EQ(result_of(c), 0);
		ch = gamp_chan_new(8, 0);
		c = begin_parked(ch, send, 3);
		CHECK_EQ(gamp_cancel(c->id), 0);
		CHECK_EQ(result_of(c), -ECANCELED);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
}

static void a_channel_is_not_freed_while_somebody_waits(void **state)
{
	(void)state;
	run_each(busy_main);
}

/* Whoever sent the last value, or closed, may still be about to return. */

static void send_last(void *arg)
{
	uint64_t x = 1;

	CHECK_EQ(gamp_chan_send(arg, &x), 0);
	finished();
}

static void trysend_last(void *arg)
{
	uint64_t x = 1;

	while (gamp_chan_trysend(arg, &x) == -EAGAIN)
		gamp_yield();
	finished();
}

static void close_last(void *arg)
{
	CHECK_EQ(gamp_chan_close(arg), 0);
	finished();
}

static void free_main(void *arg)
{
	static gamp_fn *const last[] = { send_last, trysend_last, close_last };
	int n = 3000 * SCALE;

	(void)arg;
	begin();
	for (int i = 0; i < n; i++) {
		struct gamp_chan *ch = gamp_chan_new(8, (size_t)i % 2);
		uint64_t x;

		(void)go(last[i % 3], ch);
		if (i % 5 == 0 && i % 3 != 1) /* two tries never meet */
			while (gamp_chan_tryrecv(ch, &x) == -EAGAIN)
				gamp_yield();
		else
			CHECK_EQ(
			    gamp_chan_recv(ch, &x), i % 3 < 2 ? 0 : -EPIPE);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	await_finished(n);
	end();
}

static void a_channel_may_go_with_its_last_value(void **state)
{
	(void)state;
	run_each(free_main);
}

/* Who waits longest goes first. */

static void queue_main(void *arg)
{
	struct call *c[WAITERS];

	(void)arg;
	for (int send = 0; send < 2; send++) {
		struct gamp_chan *ch = gamp_chan_new(200, 0);
		unsigned char buf[200];

		for (uint64_t i = 0; i < WAITERS; i++)
			c[i] = begin_parked(ch, send, i);
		for (uint64_t i = 0; i < WAITERS; i += 3) {
			CHECK_EQ(gamp_cancel(c[i]->id), 0);
			CHECK_EQ(result_of(c[i]), -ECANCELED);
		}
		for (uint64_t i = 0; i < WAITERS; i++) {
			if (i % 3 == 0)
				continue;
			(void)value(buf, 200, i);
			CHECK_EQ(send ? gamp_chan_recv(ch, buf)
				      : gamp_chan_send(ch, buf),
			    0);
			CHECK_EQ(result_of(c[i]), 0);
			CHECK(is_value(send ? buf : c[i]->buf, 200, i));
		}
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
}

static void those_who_wait_are_served_in_order(void **state)
{
	(void)state;
	run_each(queue_main);
}

/* Deadlines and cancellation, one by one. */

static void deadlines_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(8, 1);
	int64_t at;
	uint64_t x = 9;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		at = gamp_now() + i * 100 * GAMP_MICROSECOND;
		CHECK_EQ(gamp_chan_recv_until(ch, &x, at), -ETIMEDOUT);
		CHECK(gamp_now() >= at && x == 9);
	}
	CHECK_EQ(gamp_chan_send_until(ch, &x, -5), 0); /* needs no waiting */
	for (int i = 0; i < 20; i++) {
		at = gamp_now() + i * 100 * GAMP_MICROSECOND;
		CHECK_EQ(gamp_chan_send_until(ch, &x, at), -ETIMEDOUT);
		CHECK(gamp_now() >= at);
	}
	CHECK_EQ(length(ch), 1);
	CHECK_EQ(gamp_chan_recv_until(ch, &x, 1), 0);
	for (int i = 0; i < 3; i++) {
		struct call *c = prepare(ch, false, 0);

		c->deadline = i == 0   ? 0
			      : i == 1 ? GAMP_FOREVER
				       : gamp_now() + LONG;
		c->id = go(perform, c);
		await_parked(c->id, WHY_RECV);
		CHECK_EQ(gamp_chan_send(ch, &x), 0);
		CHECK_EQ(result_of(c), 0);
	}
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void a_deadline_ends_a_wait_and_nothing_else(void **state)
{
	(void)state;
	run_each(deadlines_main);
}

static void cancelled(void *arg)
{
	struct gamp_chan *ch = arg;
	uint64_t x = 0xABCD;

	CHECK_EQ(gamp_chan_recv(ch, &x), -ECANCELED);
	CHECK(x == 0xABCD);
	/* From now on no call that could park does anything. */
	CHECK_EQ(gamp_chan_send(ch, &x), -ECANCELED);
	CHECK_EQ(gamp_chan_send_until(ch, &x, 1), -ECANCELED);
	CHECK_EQ(length(ch), 0);
	CHECK_EQ(gamp_chan_trysend(ch, &x), 0);
	CHECK_EQ(gamp_chan_recv(ch, &x), -ECANCELED);
	CHECK_EQ(gamp_chan_recv_until(ch, &x, 1), -ECANCELED);
	CHECK_EQ(length(ch), 1);
	CHECK_EQ(gamp_chan_tryrecv(ch, &x), 0);
	(void)gamp_uncancellable(true);
	CHECK_EQ(gamp_chan_send(ch, &x), 0);
	CHECK_EQ(gamp_chan_recv(ch, &x), 0);
	CHECK_EQ(gamp_chan_recv_until(ch, &x, gamp_now() + MS), -ETIMEDOUT);
	finished();
	CHECK_EQ(gamp_chan_recv(ch, &x), 0); /* parks */
	CHECK(x == 4);
	finished();
}

static void cancel_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(8, 1);
	uint64_t x = 4;
	int64_t id;

	(void)arg;
	begin();
	for (int i = 0; i < 50; i++) {
		id = go(cancelled, ch);
		if (i % 2)
			await_parked(id, WHY_RECV);
		CHECK_EQ(gamp_cancel(id), 0);
		await_finished(1);
		await_parked(id, WHY_RECV);
		CHECK_EQ(gamp_cancel(id), 0);
		CHECK(is_parked(id, WHY_RECV));
		CHECK_EQ(gamp_chan_send(ch, &x), 0);
		await_finished(1);
	}
	end();
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void a_cancelled_goroutine_waits_no_more(void **state)
{
	(void)state;
	run_each(cancel_main);
}

/* Main returns while others wait. */

static struct gamp_chan *left[2];
static atomic_int nleft;

static void left_behind(void *arg)
{
	struct gamp_chan *ch = left[(intptr_t)arg % 2];
	uint64_t x = 1;
	int r;

	if ((intptr_t)arg % 3 == 0)
		(void)gamp_uncancellable(false);
	if ((intptr_t)arg % 2)
		r = gamp_chan_send(ch, &x);
	else
		r = gamp_chan_recv_until(ch, &x,
		    (intptr_t)arg % 3 ? gamp_now() + LONG : GAMP_FOREVER);
	CHECK_EQ(r, -ECANCELED);
	if (atomic_fetch_sub(&nleft, 1) == 1) {
		CHECK_EQ(gamp_chan_free(left[0]), 0);
		CHECK_EQ(gamp_chan_free(left[1]), 0);
	}
}

static void leaving_main(void *arg)
{
	(void)arg;
	left[0] = gamp_chan_new(8, 2);
	left[1] = gamp_chan_new(8, 0);
	atomic_store(&nleft, WAITERS);
	for (intptr_t i = 0; i < WAITERS; i++)
		(void)go(left_behind, (void *)i);
	for (int i = (int)(random64() % 50); i > 0; i--)
		gamp_yield();
}

static void the_end_of_the_runtime_ends_every_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		run_each(leaving_main);
		assert_int_equal(nleft, 0);
	}
}

/* In a blocking section a goroutine is a thread that may have no P. */

enum { BLOCKERS = 4, EACH = 300 };

static void blocking_sender(void *arg)
{
	gamp_enter_blocking();
	for (uint64_t i = 1; i <= EACH; i++) {
		CHECK_EQ(i % 3
			     ? gamp_chan_send(arg, &i)
			     : gamp_chan_send_until(arg, &i, gamp_now() + LONG),
		    0);
		if (i % 16 == 0)
			spin(20000); /* until the P is taken away */
	}
	gamp_leave_blocking();
	finished();
}

static void blocking_main(void *arg)
{
	uint64_t sum = 0, x;

	(void)arg;
	begin();
	for (size_t cap = 0; cap < 4; cap += 3) {
		struct gamp_chan *ch = gamp_chan_new(8, cap);

		for (int i = 0; i < BLOCKERS; i++)
			(void)go(blocking_sender, ch);
		sum = 0;
		for (int i = 0; i < BLOCKERS * EACH; i++) {
			if (i == EACH)
				gamp_enter_blocking();
			CHECK_EQ(gamp_chan_recv(ch, &x), 0);
			sum += x;
		}
		gamp_leave_blocking();
		CHECK_EQ((int64_t)sum, BLOCKERS * EACH * (EACH + 1) / 2);
		await_finished(BLOCKERS);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void a_channel_works_in_a_blocking_section(void **state)
{
	(void)state;
	run_each(blocking_main);
}

/* Threads: no test of goroutines alone after this. */

static void *perform_on_thread(void *arg)
{
	perform(arg);
	return NULL;
}

static pthread_t on_thread(struct call *c)
{
	pthread_t t;

	CHECK_EQ(pthread_create(&t, NULL, perform_on_thread, c), 0);
	return t;
}

/* Of a channel without capacity.  It may have given up again already. */
static bool has_waited(struct call *c)
{
	uint32_t state = rt_load_acquire(&c->ch->state);

	return state == (c->send ? CHAN_CAN_RECV : CHAN_CAN_SEND) ||
	       atomic_load(&c->done);
}

static pthread_t waiting_thread(struct call *c)
{
	pthread_t t = on_thread(c);

	AWAIT(has_waited(c));
	return t;
}

static void thread_waits(bool send, int how)
{
	struct gamp_chan *ch = gamp_chan_new(24, 0);
	struct call *c = prepare(ch, send, 6);
	unsigned char buf[MAX_SIZE];
	pthread_t t;

	c->deadline = how == 2 ? gamp_now() + 2 * MS : how ? 0 : GAMP_FOREVER;
	t = waiting_thread(c);
	if (how == 0 && send) {
		expect_values(ch, 6, 7);
	} else if (how == 0) {
		CHECK_EQ(gamp_chan_free(ch), -EBUSY);
		CHECK_EQ(gamp_chan_trysend(ch, value(buf, 24, 6)), 0);
	} else if (how == 1) {
		CHECK_EQ(gamp_chan_close(ch), 0);
	}
	CHECK_EQ(result_of(c), how == 0 ? 0 : how == 1 ? -EPIPE : -ETIMEDOUT);
	if (how == 0)
		CHECK(is_value(c->buf, 24, 6));
	else if (how == 1 && !send)
		CHECK(is_all(c->buf, 24, 0));
	else if (!send)
		CHECK(is_all(c->buf, 24, 0xEE));
	(void)pthread_join(t, NULL);
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void threads_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 30; i++)
		for (int how = 0; how < 3; how++) {
			thread_waits(false, how);
			thread_waits(true, how);
		}
	bad_main(NULL);
}

static void threads_wait_as_goroutines_do(void **state)
{
	(void)state;
	run_each(threads_main);
}

static void no_runtime_is_needed(void **state)
{
	(void)state;
	failed.count = 0;
	threads_main(NULL);
	assert_string_equal(failed.count ? failed.text : "", "");
}

static void *stream_on_thread(void *arg)
{
	stream(arg);
	return NULL;
}

/* Either side a thread, the other a goroutine. */
static void mixed_main(void *arg)
{
	unsigned char buf[MAX_SIZE];
	pthread_t t;

	(void)arg;
	for (size_t i = 0; i < LEN(sizes) * LEN(caps); i++) {
		size_t size = sizes[i / LEN(caps)], cap = caps[i % LEN(caps)];
		struct gamp_chan *ch = gamp_chan_new(size, cap);

		CHECK_EQ(pthread_create(&t, NULL, stream_on_thread, ch), 0);
		for (uint64_t k = 0; k < 3 * cap / 2 + 20; k++) {
			CHECK_EQ(gamp_chan_recv(ch, buf), 0);
			CHECK(is_value(buf, size, k));
		}
		CHECK_EQ(gamp_chan_recv(ch, NULL), -EPIPE);
		a_closed_one(ch);
		(void)pthread_join(t, NULL);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
}

static void values_keep_their_order_between_threads_and_goroutines(void **state)
{
	(void)state;
	run_each(mixed_main);
	failed.count = 0;
	mixed_main(NULL);
	assert_string_equal(failed.count ? failed.text : "", "");
}

/* The runtime starts and stops; the channel does not care. */

static struct gamp_chan *to, *back;

static void *echo(void *arg)
{
	uint64_t x;

	(void)arg;
	while (gamp_chan_recv(to, &x) == 0)
		CHECK_EQ(gamp_chan_send(back, &x), 0);
	return NULL;
}

static void call_echo(void *arg)
{
	uint64_t x;

	(void)arg;
	for (uint64_t i = 0; i < 20; i++) {
		CHECK_EQ(gamp_chan_send(to, &i), 0);
		CHECK_EQ(gamp_chan_recv(back, &x), 0);
		CHECK_EQ((int64_t)x, (int64_t)i);
	}
	CHECK_EQ(gamp_chan_send(to, &(uint64_t){ 99 }), 0);
}

static void a_channel_outlives_the_runtime(void **state)
{
	pthread_t t;
	uint64_t x = 0;

	(void)state;
	to = gamp_chan_new(8, 0);
	back = gamp_chan_new(8, 1);
	assert_int_equal(pthread_create(&t, NULL, echo, NULL), 0);
	for (int i = 0; i < 30; i++) {
		run_on(1 + i % 3, call_echo);
		assert_int_equal(gamp_chan_recv(back, &x), 0);
		assert_int_equal(x, 99);
	}
	assert_int_equal(gamp_chan_close(to), 0);
	(void)pthread_join(t, NULL);
	assert_int_equal(gamp_chan_free(to), 0);
	assert_int_equal(gamp_chan_free(back), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(values_of_any_size_keep_their_order_at_any_capacity),
		TEST(bad_calls_are_answered),
		TEST(close_tells_everybody_who_waits),
		TEST(a_channel_is_not_freed_while_somebody_waits),
		TEST(a_channel_may_go_with_its_last_value),
		TEST(those_who_wait_are_served_in_order),
		TEST(a_deadline_ends_a_wait_and_nothing_else),
		TEST(a_cancelled_goroutine_waits_no_more),
		TEST(the_end_of_the_runtime_ends_every_wait),
		TEST(a_channel_works_in_a_blocking_section),
		TEST(threads_wait_as_goroutines_do),
		TEST(no_runtime_is_needed),
		TEST(values_keep_their_order_between_threads_and_goroutines),
		TEST(a_channel_outlives_the_runtime),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
