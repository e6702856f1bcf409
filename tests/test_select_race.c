/* SPDX-License-Identifier: MIT */
/*
 * test_select_race.c - selects that meet each other, single sends and
 * receives, closes, cancels and threads, all at one moment.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "tests/chan_util.h"

static int send_int(struct gamp_chan *ch, int x)
{
	return gamp_chan_send(ch, &x);
}

/* What the channels hold is seen at one moment: some case could always go. */

static struct gamp_chan *one, *two;

static void never_default(void *arg)
{
	struct gamp_case c[] = { GAMP_RECV(one, NULL), GAMP_RECV(two, NULL),
		GAMP_DEFAULT };

	(void)arg;
	CHECK(gamp_select(c, 3) < 2);
	finished();
}

/* A second one becomes ready before the first is taken. */
static void moment_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 2500 * SCALE; i++) {
		one = gamp_chan_new(sizeof(int), 1);
		two = gamp_chan_new(sizeof(int), (size_t)i % 2);
		CHECK_EQ(send_int(one, 1), 0);
		(void)go(never_default, NULL);
		spin((uint64_t)(i * 7 % 500));
		if (i % 2)
			CHECK_EQ(send_int(two, 1), 0);
		else
			CHECK_EQ(gamp_chan_close(two), 0);
		(void)gamp_chan_tryrecv(one, NULL);
		await_finished(1);
		CHECK_EQ(gamp_chan_free(one), 0);
		CHECK_EQ(gamp_chan_free(two), 0);
	}
	end();
}

static void default_goes_only_if_nothing_else_can(void **state)
{
	(void)state;
	run_each(moment_main);
}

static void carry(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000 * SCALE; i++) {
		CHECK_EQ(send_int(two, i), 0);
		CHECK_EQ(gamp_chan_recv(one, NULL), 0);
		CHECK_EQ(send_int(one, i), 0);
		CHECK_EQ(gamp_chan_recv(two, NULL), 0);
	}
	finished();
}

/* A token is laid down here before another is taken up there. */
static void token_main(void *arg)
{
	struct gamp_case c[3];

	(void)arg;
	begin();
	one = gamp_chan_new(sizeof(int), 2);
	two = gamp_chan_new(sizeof(int), 2);
	CHECK_EQ(send_int(one, 0), 0);
	c[0] = GAMP_RECV(one, NULL);
	c[1] = GAMP_RECV(two, NULL);
	c[2] = GAMP_DEFAULT;
	(void)go(carry, NULL);
	while (length(over) == 0) {
		int k = gamp_select(c, 3);

		if (!CHECK(k < 2))
			break;
		CHECK_EQ(send_int(k ? two : one, 0), 0);
		gamp_yield();
	}
	await_finished(1);
	CHECK_EQ(gamp_chan_free(one), 0);
	CHECK_EQ(gamp_chan_free(two), 0);
	end();
}

static void what_is_always_somewhere_is_always_found(void **state)
{
	(void)state;
	run_each(token_main);
}

/* Both ends of one channel in one select: nobody receives his own value. */

static struct gamp_chan *both;

static void self_select(void *arg)
{
	int me = (int)(intptr_t)arg, v;

	for (int i = 0; i < 1000; i++) {
		struct gamp_case c[2];
		bool flip = me % 2 && i % 2;
		int k;

		v = -1;
		c[flip] = GAMP_SEND(both, &me);
		c[!flip] = GAMP_RECV(both, &v);
		k = gamp_select(c, 2);
		if (!CHECK(k >= 0))
			break;
		CHECK_EQ(c[k].err, 0);
		if (k == !flip)
			CHECK(gamp_chan_cap(both) > 0 || (v >= 0 && v != me));
		else
			CHECK_EQ(v, -1);
	}
	finished();
}

static void self_main(void *arg)
{
	(void)arg;
	begin();
	for (int n = 2; n < 9; n += 2)
		for (size_t cap = 0; cap < 11; cap += 10) {
			int64_t limit = gamp_now() + LONG;

			both = gamp_chan_new(sizeof(int), cap);
			for (intptr_t i = 0; i < n; i++)
				(void)go(self_select, (void *)i);
			/* The last may be left without a partner. */
			for (int i = 0; i < n;) {
				struct gamp_case c[] = { GAMP_RECV(over, NULL),
					GAMP_RECV(i ? both : NULL, NULL),
					GAMP_DEADLINE(limit) };
				int k = gamp_select(c, 3);

				if (!CHECK(k < 2))
					break;
				i += k == 0;
			}
			CHECK_EQ(gamp_chan_free(both), 0);
		}
	end();
}

static void nobody_receives_his_own_value(void **state)
{
	(void)state;
	run_each(self_main);
}

/* Of four cases that send the same number, one goes: no number comes twice. */

static struct gamp_chan *four[4], *merged;

static void send_on_one(void *arg)
{
	int n = (int)(intptr_t)arg;

	for (int i = 0; i < n; i++) {
		struct gamp_case c[4];

		for (int k = 0; k < 4; k++)
			c[k] = GAMP_SEND(four[(i + k) % 4], &i);
		CHECK(gamp_select(c, 4) >= 0);
	}
	for (int k = 0; k < 4; k++)
		CHECK_EQ(gamp_chan_close(four[k]), 0);
	finished();
}

static void merge(void *arg)
{
	int x;

	while (gamp_chan_recv(arg, &x) == 0)
		CHECK_EQ(gamp_chan_send(merged, &x), 0);
	finished();
}

static void double_main(void *arg)
{
	int n = 2500 * SCALE;
	char *seen = calloc((size_t)n, 1);

	(void)arg;
	begin();
	merged = gamp_chan_new(sizeof(int), 0);
	for (int k = 0; k < 4; k++) {
		four[k] = gamp_chan_new(sizeof(int), 0);
		(void)go(merge, four[k]);
	}
	(void)go(send_on_one, (void *)(intptr_t)n);
	for (int i = 0; i < n; i++) {
		int x = -1;

		CHECK_EQ(gamp_chan_recv(merged, &x), 0);
		if (CHECK(x >= 0 && x < n))
			CHECK_EQ(seen[x]++, 0);
	}
	await_finished(5);
	CHECK_EQ(gamp_chan_free(merged), 0);
	for (int k = 0; k < 4; k++)
		CHECK_EQ(gamp_chan_free(four[k]), 0);
	free(seen);
	end();
}

static void only_one_case_goes(void **state)
{
	(void)state;
	run_each(double_main);
}

/* Four channels; at each end one who selects and four who do not. */

static struct gamp_chan *c4[4];
static const size_t c4_caps[4] = { 0, 0, 2, 3 };
static int each;

static void send_each(void *arg)
{
	for (int i = 0; i < each; i++)
		CHECK_EQ(send_int(arg, i), 0);
	finished();
}

static void recv_each(void *arg)
{
	for (int i = 0; i < each; i++)
		CHECK_EQ(gamp_chan_recv(arg, NULL), 0);
	finished();
}

static void select_each(void *arg)
{
	struct gamp_case c[4];
	int counts[4] = { 0 }, x = 0;

	for (int k = 0; k < 4; k++)
		c[k] = arg ? GAMP_SEND(c4[k], &x) : GAMP_RECV(c4[k], &x);
	for (int i = 0; i < 4 * each; i++) {
		int k = gamp_select(c, 4);

		if (!CHECK(k >= 0 && c[k].err == 0))
			break;
		if (++counts[k] == each)
			c[k].ch = NULL;
	}
	finished();
}

static void stress_main(void *arg)
{
	(void)arg;
	begin();
	each = 700 * SCALE;
	for (int k = 0; k < 4; k++) {
		c4[k] = gamp_chan_new(sizeof(int), c4_caps[k]);
		(void)go(send_each, c4[k]);
		(void)go(recv_each, c4[k]);
	}
	(void)go(select_each, NULL);
	(void)go(select_each, c4);
	await_finished(10);
	for (int k = 0; k < 4; k++)
		CHECK_EQ(gamp_chan_free(c4[k]), 0);
	end();
}

static void selects_and_single_calls_share_channels(void **state)
{
	(void)state;
	run_each(stress_main);
}

/* A select with nobody there, and a cancel, at about the same time. */

static atomic_int stage;
static int how;

static void select_alone(void *arg)
{
	struct gamp_case c[] = { GAMP_RECV(arg, NULL), GAMP_SEND(arg, NULL),
		GAMP_DEADLINE(gamp_now() + 3600 * GAMP_SECOND) };

	atomic_store(&stage, 1);
	CHECK_EQ(gamp_select(c, how), -ECANCELED);
	finished();
}

static void cancel_alone_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);
	uint64_t rng = random64() | 1;

	(void)arg;
	begin();
	for (int i = 0; i < 5000 * SCALE; i++) {
		int64_t id, limit = gamp_now() + 200 * GAMP_MICROSECOND;

		how = i % 4;
		atomic_store(&stage, 0);
		id = go(select_alone, ch);
		while (atomic_load(&stage) == 0)
			if (gamp_now() > limit)
				gamp_yield();
		spin(next_random(&rng) % 400);
		CHECK_EQ(gamp_cancel(id), 0);
		await_finished(1);
	}
	end();
	CHECK_EQ(gamp_chan_free(ch), 0);
}

static void a_cancel_is_never_lost(void **state)
{
	(void)state;
	run_on(2, cancel_alone_main);
	run_on(3, cancel_alone_main);
}

/*
 * Selects on any of some channels in any order, with or without a default and
 * deadlines, that are cancelled at any moment: no value is lost or doubled,
 * and nobody waits for ever.
 */

enum { POOL = 6, CASES = 10 };

static struct gamp_chan *pool[POOL];
static _Atomic uint64_t next_value;
static struct tally {
	_Atomic uint64_t count, sum;
} sent, received;
static atomic_bool closing;

static void note(struct tally *t, uint64_t x)
{
	atomic_fetch_add(&t->count, 1);
	atomic_fetch_add(&t->sum, x);
}

static int mix_once(uint64_t *rng, bool mortal)
{
	/* Not on the stack: ASan sees it if anyone comes late. */
	struct gamp_case *c = malloc((CASES + 2) * sizeof(*c));
	uint64_t out = atomic_fetch_add(&next_value, 1), in = 0;
	int64_t brief = gamp_now() + (int64_t)(next_random(rng) % 30000);
	int n = 1 + (int)(next_random(rng) % CASES), k;

	for (int i = 0; i < n; i++) {
		struct gamp_chan *ch = pool[next_random(rng) % POOL];

		if (next_random(rng) % 8 == 0)
			ch = NULL;
		c[i] = next_random(rng) % 2 ? GAMP_SEND(ch, &out)
					    : GAMP_RECV(ch, &in);
	}
	c[n++] =
	    mortal ? GAMP_DEADLINE(gamp_now() + LONG) : GAMP_DEADLINE(brief);
	if (next_random(rng) % 4 == 0)
		c[n++] = GAMP_DEFAULT;
	else if (next_random(rng) % 2 == 0)
		c[n++] = GAMP_DEADLINE(brief);
	k = gamp_select(c, n);
	if (CHECK(k >= 0 || k == -ECANCELED) && k >= 0) {
		if (c[k].op == GAMP_CASE_SEND && CHECK_EQ(c[k].err, 0))
			note(&sent, out);
		else if (c[k].op == GAMP_CASE_RECV && CHECK_EQ(c[k].err, 0))
			note(&received, in);
		else
			k = -EAGAIN;
	}
	CHECK(k >= 0 || in == 0);
	free(c);
	return k;
}

struct mixer {
	uint64_t seed;
	int64_t id;
};

static void mix(void *arg)
{
	uint64_t rng = ((struct mixer *)arg)->seed;

	while (mix_once(&rng, true) != -ECANCELED)
		gamp_yield();
	finished();
}

static void *mix_on_thread(void *arg)
{
	uint64_t rng = ((struct mixer *)arg)->seed;

	while (!atomic_load(&closing))
		(void)mix_once(&rng, false);
	return NULL;
}

static void expect_balance(void)
{
	uint64_t x;

	for (int i = 0; i < POOL; i++) {
		CHECK_EQ(gamp_chan_close(pool[i]), 0);
		while (gamp_chan_recv(pool[i], &x) == 0)
			note(&received, x);
		CHECK_EQ(gamp_chan_free(pool[i]), 0);
	}
	CHECK_EQ((int64_t)sent.count, (int64_t)received.count);
	CHECK_EQ((int64_t)sent.sum, (int64_t)received.sum);
}

static int mixing_threads;

static void mix_main(void *arg)
{
	uint64_t rng = random64() | 1;
	size_t lives = (mixing_threads ? 250 : 1000) * SCALE;
	struct mixer m[8], tm[4];
	pthread_t t[4];

	(void)arg;
	begin();
	sent = received = (struct tally){ 0, 0 };
	atomic_store(&next_value, 1);
	atomic_store(&closing, false);
	for (size_t i = 0; i < POOL; i++)
		pool[i] = gamp_chan_new(8, i / 2);
	for (int i = 0; i < mixing_threads; i++) {
		tm[i].seed = next_random(&rng) | 1;
		CHECK_EQ(pthread_create(&t[i], NULL, mix_on_thread, &tm[i]), 0);
	}
	for (size_t i = 0; i < lives + LEN(m); i++) {
		struct mixer *one_ = &m[i % LEN(m)];

		if (i >= LEN(m)) {
			CHECK_EQ(gamp_cancel(one_->id), 0);
			await_finished(1);
		}
		if (i >= lives)
			continue;
		one_->seed = next_random(&rng) | 1;
		one_->id = go(mix, one_);
		if (next_random(&rng) % 2)
			gamp_yield();
		else
			spin(next_random(&rng) % 1000);
	}
	atomic_store(&closing, true);
	for (int i = 0; i < mixing_threads; i++)
		(void)pthread_join(t[i], NULL);
	expect_balance();
	end();
}

static void selects_in_any_order_lose_and_double_nothing(void **state)
{
	(void)state;
	mixing_threads = 0;
	run_each(mix_main);
}

static void threads_select_beside_goroutines(void **state)
{
	(void)state;
	for (mixing_threads = 1; mixing_threads < 5; mixing_threads++)
		run_on(mixing_threads, mix_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(default_goes_only_if_nothing_else_can),
		TEST(what_is_always_somewhere_is_always_found),
		TEST(nobody_receives_his_own_value),
		TEST(only_one_case_goes),
		TEST(selects_and_single_calls_share_channels),
		TEST(a_cancel_is_never_lost),
		TEST(selects_in_any_order_lose_and_double_nothing),
		TEST(threads_select_beside_goroutines),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
