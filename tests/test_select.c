/* SPDX-License-Identifier: MIT */
/*
 * test_select.c - gamp_select on channels, deadlines and default, step by
 * step; test_select_race.c has many at once, test_select_fd.c descriptors.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gamp/gamp.h>

#include "tests/chan_util.h"

static int send_int(struct gamp_chan *ch, int x)
{
	return gamp_chan_send(ch, &x);
}

/* What can never go. */

static int nothing;

static void wait_for_nothing(void *arg)
{
	struct gamp_case c[] = {
		GAMP_SEND(NULL, &nothing),
		GAMP_RECV(NULL, NULL),
		{ 0 },
		GAMP_DEADLINE(0),
		GAMP_DEADLINE(GAMP_FOREVER),
	};

	CHECK_EQ(gamp_select(c, (int)(intptr_t)arg), -ECANCELED);
	CHECK_EQ(gamp_select(c, (int)(intptr_t)arg), -ECANCELED);
	finished();
}

static void never_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(sizeof(int), 1);

	(void)arg;
	begin();
	for (intptr_t n = 0; n < 6; n++) {
		int64_t id = go(wait_for_nothing, (void *)n);

		await_parked(id, WHY_SELECT);
		CHECK_EQ(gamp_cancel(id), 0);
		await_finished(1);
	}
	for (int i = 0; i < 20; i++) {
		struct gamp_case c[] = {
			GAMP_SEND(NULL, &nothing),
			{ 0 },
			GAMP_SEND(i % 2 ? ch : NULL, &nothing),
			GAMP_RECV(NULL, &nothing),
			GAMP_DEFAULT,
		};
		int k = gamp_select(c, 5);

		CHECK_EQ(k, i % 2 ? 2 : 4);
		CHECK_EQ(c[k].err, i % 2 ? 0 : -EAGAIN);
		CHECK_EQ(gamp_chan_tryrecv(ch, NULL), i % 2 ? 0 : -EAGAIN);
	}
	CHECK_EQ(gamp_chan_free(ch), 0);
	end();
}

static void a_null_channel_never_goes(void **state)
{
	(void)state;
	run_each(never_main);
}

static void bad_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(sizeof(int), 1);
	struct gamp_case c[] = { GAMP_SEND(ch, NULL), GAMP_DEFAULT };
	struct gamp_case odd = { .op = (enum gamp_case_op)7 };

	(void)arg;
	CHECK_EQ(gamp_select(c, -1), -EINVAL);
	CHECK_EQ(gamp_select(c, 65537), -EINVAL);
	CHECK_EQ(gamp_select(NULL, 1), -EINVAL);
	CHECK_EQ(gamp_select(c, 2), -EINVAL);
	CHECK_EQ(gamp_select(&odd, 1), -EINVAL);
	odd.op = (enum gamp_case_op)(-1);
	CHECK_EQ(gamp_select(&odd, 1), -EINVAL);
	CHECK_EQ(length(ch), 0);
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void bad_calls_are_answered(void **state)
{
	(void)state;
	run_each(bad_main);
}

/* Deadlines: the earliest counts; early it never is. */

static void deadline_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);

	(void)arg;
	for (int i = 0; i < 40; i++) {
		int64_t now = gamp_now();
		int64_t soon = i % 4 ? now + i * 50 * GAMP_MICROSECOND : -1;
		struct gamp_case c[] = {
			GAMP_DEADLINE(GAMP_FOREVER),
			GAMP_DEADLINE(now + LONG),
			GAMP_RECV(ch, NULL),
			GAMP_DEADLINE(soon),
			GAMP_DEADLINE(0),
			GAMP_DEADLINE(now + 2 * LONG),
			GAMP_SEND(ch, NULL),
		};

		c[3].err = 1;
		CHECK_EQ(gamp_select(c, 7), 3);
		CHECK_EQ(c[3].err, -ETIMEDOUT);
		CHECK(gamp_now() >= soon);
		CHECK_EQ(gamp_select(c, 4), 3); /* it is past now */
		CHECK_EQ(gamp_select(c + 3, 1), 0);
	}
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void the_earliest_deadline_ends_a_select(void **state)
{
	(void)state;
	run_each(deadline_main);
}

static void late_main(void *arg)
{
	struct gamp_case c[] = { GAMP_DEFAULT, GAMP_RECV(NULL, NULL),
		GAMP_DEADLINE(1), GAMP_DEADLINE(gamp_now() + LONG) };

	(void)arg;
	CHECK_EQ(gamp_select(c, 4), 2);
	c[2].at = 0;
	CHECK_EQ(gamp_select(c, 4), 0);
}

static void a_deadline_that_has_passed_goes_before_default(void **state)
{
	(void)state;
	run_each(late_main);
}

/* Closed channels, before and while one waits. */

struct picker {
	struct gamp_chan *in, *out;
	int expect, err, x;
};

static void pick(void *arg)
{
	struct picker *p = arg;
	struct gamp_case c[] = { GAMP_RECV(p->in, &p->x),
		GAMP_SEND(p->out, &nothing), GAMP_DEADLINE(gamp_now() + LONG) };

	p->x = -1;
	CHECK_EQ(gamp_select(c, 3), p->expect);
	CHECK_EQ(c[p->expect].err, p->err);
	finished();
}

/* It is in the queues, too: that was done with the channels' locks held. */
static void pick_parked(struct picker *p)
{
	await_parked(go(pick, p), WHY_SELECT);
	CHECK_EQ(gamp_chan_free(p->in), -EBUSY);
	CHECK_EQ(gamp_chan_free(p->out), -EBUSY);
}

static void closed_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 20; i++) {
		struct picker p[10];

		p[0] = (struct picker){ gamp_chan_new(sizeof(int), 0),
			gamp_chan_new(sizeof(int), 0), i % 2, -EPIPE, 0 };
		for (size_t k = 1; k < LEN(p); k++)
			p[k] = p[0];
		for (size_t k = 0; k < LEN(p); k++)
			pick_parked(&p[k]);
		CHECK_EQ(gamp_chan_close(i % 2 ? p[0].out : p[0].in), 0);
		await_finished(LEN(p));
		for (size_t k = 0; k < LEN(p); k++)
			CHECK_EQ(p[k].x, i % 2 ? -1 : 0);
		pick(&p[0]);
		await_finished(1);
		CHECK_EQ(p[0].x, i % 2 ? -1 : 0);
		CHECK_EQ(gamp_chan_free(p[0].in), 0);
		CHECK_EQ(gamp_chan_free(p[0].out), 0);
	}
	end();
}

static void a_closed_channel_is_ready(void **state)
{
	(void)state;
	run_each(closed_main);
}

/* The same cases again and again; what waits is served by each kind of
 * partner. */
static void again_main(void *arg)
{
	struct picker p = { gamp_chan_new(sizeof(int), 0),
		gamp_chan_new(sizeof(int), 0), 0, 0, 0 };
	struct gamp_case c[] = { GAMP_RECV(p.in, &p.x), GAMP_DEFAULT };
	int x;

	(void)arg;
	begin();
	for (int i = 0; i < 200; i++) {
		p.expect = i % 2;
		pick_parked(&p);
		x = i;
		if (i % 2)
			CHECK_EQ(i % 4 == 1 ? gamp_chan_recv(p.out, &x)
					    : gamp_chan_tryrecv(p.out, &x),
			    0);
		else
			CHECK_EQ(i % 4 ? gamp_chan_send(p.in, &x)
				       : gamp_chan_trysend(p.in, &x),
			    0);
		await_finished(1);
		CHECK_EQ(i % 2 ? x : p.x, i % 2 ? nothing : i);
		CHECK_EQ(gamp_select(c, 2), 1); /* c is used for ever */
	}
	CHECK_EQ(gamp_chan_free(p.in), 0);
	CHECK_EQ(gamp_chan_free(p.out), 0);
	end();
}

static void cases_may_be_used_again(void **state)
{
	(void)state;
	run_each(again_main);
}

/* Records of one channel twice in its queue, taken out from the middle. */

static struct gamp_chan *dup[3];

static void dup_select(void *arg)
{
	struct gamp_case c[] = { GAMP_RECV(dup[0], NULL),
		GAMP_RECV(dup[0], NULL), GAMP_RECV(dup[1], NULL) };

	(void)arg;
	CHECK_EQ(gamp_select(c, 3), 2);
	CHECK_EQ(send_int(dup[2], 9), 0);
	finished();
}

static void dup_recv(void *arg)
{
	int x = 0;

	(void)arg;
	CHECK_EQ(gamp_chan_recv(dup[0], &x), 0);
	CHECK_EQ(x, 8);
	finished();
}

static void dup_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 200; i++) {
		int x = 0;

		for (int k = 0; k < 3; k++)
			dup[k] = gamp_chan_new(sizeof(int), 0);
		await_parked(go(dup_select, NULL), WHY_SELECT);
		await_parked(go(dup_recv, NULL), WHY_RECV);
		CHECK_EQ(send_int(dup[1], 7), 0);
		CHECK_EQ(gamp_chan_recv(dup[2], &x), 0);
		CHECK_EQ(x, 9);
		CHECK_EQ(send_int(dup[0], 8), 0);
		await_finished(2);
		for (int k = 0; k < 3; k++)
			CHECK_EQ(gamp_chan_free(dup[k]), 0);
	}
	end();
}

static void a_channel_may_occur_several_times(void **state)
{
	(void)state;
	run_each(dup_main);
}

/* Chances are equal: none is off by more than 10 sigma. */

enum { TRIALS = SCALE == 1 ? 3000 : 10000 };

/* x of n at chance p. */
static void fair(int x, int n, double p)
{
	double off = x - n * p;

	CHECK(off * off <= 100 * n * p * (1 - p));
}

/* Of n that are ready, among as many that are not; some send. */
static void fair_among(int n)
{
	struct gamp_chan *ch[16];
	struct gamp_case c[16];
	int hits[16] = { 0 };

	for (int i = 0; i < 2 * n; i++) {
		bool send = i % 4 > 1;

		ch[i] = gamp_chan_new(0, i % 2 ? TRIALS : 0);
		for (int k = 0; i % 2 && !send && k < TRIALS; k++)
			CHECK_EQ(gamp_chan_send(ch[i], NULL), 0);
		c[i] = send ? GAMP_SEND(ch[i], NULL) : GAMP_RECV(ch[i], NULL);
	}
	for (int i = 0; i < TRIALS; i++) {
		int k = gamp_select(c, 2 * n);

		if (CHECK(k >= 0 && k % 2 == 1 && c[k].err == 0))
			hits[k]++;
	}
	for (int i = 0; i < 2 * n; i++) {
		if (i % 2)
			fair(hits[i], TRIALS, 1.0 / n);
		CHECK_EQ(gamp_chan_free(ch[i]), 0);
	}
}

/* What a sender chooses, of two cases of one channel. */
static void send_bits(void *arg)
{
	int zero = 0, one_ = 1;

	for (int i = 0; i < TRIALS; i++) {
		struct gamp_case c[] = { GAMP_SEND(arg, &one_),
			GAMP_SEND(arg, &zero) };

		CHECK(gamp_select(c, 2) >= 0);
	}
	finished();
}

/* Without capacity the sender waits each time, with it never. */
static void fair_bits(size_t cap)
{
	struct gamp_chan *ch = gamp_chan_new(sizeof(int), cap);
	int64_t id = go(send_bits, ch);
	int ones = 0, x = 0;

	for (int i = 0; i < TRIALS; i++) {
		while (cap == 0 && !is_parked(id, WHY_SELECT))
			gamp_yield();
		CHECK_EQ(gamp_chan_recv(ch, &x), 0);
		ones += x;
	}
	fair(ones, TRIALS, 0.5);
	await_finished(1);
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void fair_main(void *arg)
{
	(void)arg;
	begin();
	for (int n = 2; n <= 8; n++)
		fair_among(n);
	fair_bits(TRIALS);
	end();
}

static void chances_are_equal(void **state)
{
	(void)state;
	run_each(fair_main);
}

static void fair_waiting_main(void *arg)
{
	(void)arg;
	begin();
	fair_bits(0);
	end();
}

static void chances_are_equal_of_what_waits(void **state)
{
	(void)state;
	run_each(fair_waiting_main);
}

/* What ends in the middle of a long queue costs no more than at its end. */

static struct gamp_chan *common;

static void select_common(void *arg)
{
	struct gamp_case c[] = { GAMP_RECV(common, NULL),
		GAMP_RECV(arg, NULL) };
	int k = gamp_select(c, 2);

	CHECK(k >= 0 && c[k].err == (k ? 0 : -EPIPE));
	finished();
}

static int64_t cpu_time(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * GAMP_SECOND + ts.tv_nsec;
}

static int64_t end_of_crowd(int n, bool by_close)
{
	struct gamp_chan **own = calloc((size_t)n, sizeof(struct gamp_chan *));
	int64_t *id = calloc((size_t)n, sizeof(*id)), t;

	common = gamp_chan_new(8, 0);
	for (int i = 0; i < n; i++) {
		own[i] = gamp_chan_new(0, 0);
		id[i] = go(select_common, own[i]);
	}
	for (int i = 0; i < n; i++)
		await_parked(id[i], WHY_SELECT);
	t = cpu_time();
	if (by_close)
		CHECK_EQ(gamp_chan_close(common), 0);
	else /* in no order: 997 is prime to n */
		for (int64_t i = 0; i < n; i++)
			CHECK_EQ(gamp_chan_send(own[i * 997 % n], NULL), 0);
	await_finished(n);
	t = cpu_time() - t;
	for (int i = 0; i < n; i++)
		CHECK_EQ(gamp_chan_free(own[i]), 0);
	CHECK_EQ(gamp_chan_free(common), 0);
	free(own);
	free(id);
	return t;
}

/* Twenty times the crowd is some 20 times the work, or 400 times if each had to
 * look for its place.  Sums, and more of them if others were in the way. */
static void linear_main(void *arg)
{
	int n = CROWD / 5;

	(void)arg;
	begin();
	for (int by_close = 0; by_close < 2; by_close++) {
		int64_t few = 0, many = 0;

		(void)end_of_crowd(20 * n, by_close); /* stacks are new */
		for (int i = 0;
		     SCALE > 1 && i < 20 && (i < 3 || many >= 170 * few); i++) {
			few += end_of_crowd(n, by_close);
			many += end_of_crowd(20 * n, by_close);
		}
		check(SCALE == 1 || many < 170 * few, "linear", __FILE__,
		    __LINE__, few, many);
	}
	end();
}

static void the_cost_of_a_common_channel_is_linear(void **state)
{
	(void)state;
	run_on(1, linear_main);
	if (SCALE > 1)
		run_on(2, linear_main);
}

enum { MOST = 65536 };

static void select_most(void *arg)
{
	struct gamp_case *c = arg;

	CHECK_EQ(gamp_select(c, MOST), MOST - 2);
	CHECK_EQ(c[MOST - 2].err, 0);
	finished();
}

static void most_main(void *arg)
{
	struct gamp_case *c = calloc(MOST, sizeof(*c));
	struct gamp_chan *ch[100];
	int x = 0;

	(void)arg;
	begin();
	for (size_t i = 0; i < LEN(ch); i++)
		ch[i] = gamp_chan_new(sizeof(int), 0);
	for (size_t i = 0; i < MOST; i++)
		c[i] = GAMP_RECV(ch[i * i % 99], &x);
	c[MOST - 2] = GAMP_RECV(ch[99], &x);
	for (int i = 0; i < 2; i++) {
		await_parked(go(select_most, c), WHY_SELECT);
		CHECK_EQ(send_int(ch[99], 5 + i), 0);
		await_finished(1);
		CHECK_EQ(x, 5 + i);
	}
	for (size_t i = 0; i < LEN(ch); i++)
		CHECK_EQ(gamp_chan_free(ch[i]), 0);
	free(c);
	end();
}

static void a_select_may_have_65536_cases(void **state)
{
	(void)state;
	run_each(most_main);
}

static void a_thread_that_nothing_can_wake_is_told(void **state)
{
	struct gamp_case c[] = { GAMP_RECV(NULL, NULL), { 0 },
		GAMP_DEADLINE(GAMP_FOREVER), GAMP_DEADLINE(0), GAMP_DEADLINE(1),
		GAMP_DEFAULT };

	(void)state;
	for (int n = 0; n < 5; n++)
		assert_int_equal(gamp_select(c, n), -EDEADLK);
	assert_int_equal(gamp_select(c, 5), 4);
	c[4].at = gamp_now() + LONG;
	assert_int_equal(gamp_select(c, 6), 5);
	c[4].at = gamp_now() + 2 * MS;
	assert_int_equal(gamp_select(c, 5), 4);
	assert_true(gamp_now() >= c[4].at);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_null_channel_never_goes),
		TEST(bad_calls_are_answered),
		TEST(the_earliest_deadline_ends_a_select),
		TEST(a_deadline_that_has_passed_goes_before_default),
		TEST(a_closed_channel_is_ready),
		TEST(cases_may_be_used_again),
		TEST(a_channel_may_occur_several_times),
		TEST(chances_are_equal),
		TEST(chances_are_equal_of_what_waits),
		TEST(the_cost_of_a_common_channel_is_linear),
		TEST(a_select_may_have_65536_cases),
		TEST(a_thread_that_nothing_can_wake_is_told),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
