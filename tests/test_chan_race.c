/* SPDX-License-Identifier: MIT */
/*
 * test_chan_race.c - channels of many: partners that meet at one moment, give
 * up, are cancelled; and small programs made of channels.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/chan_util.h"

#if defined(RT_TSAN) || defined(RT_ASAN) || defined(RT_HARD)
enum { CHAIN = 4 * CROWD };
#else
enum { CHAIN = 200 * CROWD };
#endif

/* A try must not be told that it cannot be while it could be all the time. */

static void try_once(void *arg)
{
	int r = gamp_chan_tryrecv(arg, NULL);

	CHECK(r == 0 || r == -EPIPE);
	finished();
}

/* A value, a value and a close, a close. */
static void tryrecv_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 1250 * SCALE; i++) {
		struct gamp_chan *ch = gamp_chan_new(8, 1);
		uint64_t x = 1;

		CHECK_EQ(gamp_chan_send(ch, &x), 0);
		(void)go(try_once, ch);
		spin((uint64_t)(i * 7 % 500));
		CHECK_EQ(gamp_chan_close(ch), 0);
		CHECK(gamp_chan_recv(ch, &x) != -EAGAIN);
		await_finished(1);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void a_value_or_a_close_is_never_missed_by_a_try(void **state)
{
	(void)state;
	run_each(tryrecv_main);
}

static void receive_once(void *arg)
{
	int r = gamp_chan_recv(arg, NULL);

	CHECK(r == 0 || r == -EPIPE);
	finished();
}

static void send_once(void *arg)
{
	int r = gamp_chan_trysend(arg, NULL);

	CHECK(r == 0 || r == -EPIPE);
	finished();
}

/* A receiver, or a close. */
static void trysend_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 500 * SCALE; i++) {
		struct gamp_chan *ch = gamp_chan_new(0, 0);

		await_parked(go(receive_once, ch), WHY_RECV);
		CHECK_EQ(gamp_chan_free(ch), -EBUSY); /* it is in the queue */
		(void)go(send_once, ch);
		spin((uint64_t)(i * 7 % 500));
		CHECK_EQ(gamp_chan_close(ch), 0);
		await_finished(2);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void a_receiver_or_a_close_is_never_missed_by_a_try(void **state)
{
	(void)state;
	run_each(trysend_main);
}

/* Who has put something in finds something, and the other way round. */

enum { MOVERS = 4 };

static atomic_bool reversed;

static void put_and_take(void *arg)
{
	struct gamp_chan *ch = arg;
	bool first = atomic_load(&reversed);
	uint64_t x = 3;

	for (int i = 0; i < 2000 * SCALE; i++) {
		if (!first || i > 0)
			CHECK_EQ(gamp_chan_trysend(ch, &x), 0);
		CHECK_EQ(gamp_chan_tryrecv(ch, &x), 0);
		if (i % 64 == 0)
			gamp_yield();
	}
	if (first)
		CHECK_EQ(gamp_chan_trysend(ch, &x), 0);
	CHECK(x == 3);
	finished();
}

static void *put_and_take_on_thread(void *arg)
{
	put_and_take(arg);
	return NULL;
}

static int mover_threads;

static void movers_main(void *arg)
{
	pthread_t t[MOVERS];
	uint64_t x = 3;

	(void)arg;
	begin();
	for (int way = 0; way < 2; way++) {
		struct gamp_chan *ch = gamp_chan_new(8, MOVERS);

		atomic_store(&reversed, way);
		for (int i = 0; way && i < MOVERS; i++)
			CHECK_EQ(gamp_chan_send(ch, &x), 0);
		for (int i = mover_threads; i < MOVERS; i++)
			(void)go(put_and_take, ch);
		for (int i = 0; i < mover_threads; i++)
			CHECK_EQ(pthread_create(
				     &t[i], NULL, put_and_take_on_thread, ch),
			    0);
		await_finished(MOVERS);
		for (int i = 0; i < mover_threads; i++)
			(void)pthread_join(t[i], NULL);
		CHECK_EQ(length(ch), way * MOVERS);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void what_is_always_there_is_always_found(void **state)
{
	(void)state;
	mover_threads = 0;
	run_each(movers_main);
}

static void threads_find_what_is_always_there(void **state)
{
	(void)state;
	for (mover_threads = 1; mover_threads < MOVERS; mover_threads++)
		run_on(mover_threads, movers_main);
}

/*
 * Each value that a send says it has sent is received, by one; what gave up
 * sent and received nothing.  Goroutines that are cancelled at any moment, and
 * waits of a few microseconds.
 */

static struct tally {
	_Atomic uint64_t count, sum, gave_up;
} sent, received;

static _Atomic uint64_t next_value;
static atomic_bool closing;
static struct gamp_chan *shared;

static int64_t some_deadline(uint64_t *rng)
{
	switch (next_random(rng) % 4) {
	case 0:
		return GAMP_FOREVER;
	case 1:
		return gamp_now() + LONG;
	default:
		return gamp_now() + (int64_t)(next_random(rng) % 30000);
	}
}

/* For threads, which nobody cancels, no wait is long. */
static int give_or_take(bool send, uint64_t *rng, bool brief)
{
	struct tally *t = send ? &sent : &received;
	uint64_t x = send ? atomic_fetch_add(&next_value, 1) : 0;
	int64_t at = some_deadline(rng);
	bool only_try = next_random(rng) % 5 == 0;
	int r;

	if (brief)
		at = gamp_now() + (int64_t)(next_random(rng) % 30000);
	if (send)
		r = only_try ? gamp_chan_trysend(shared, &x)
			     : gamp_chan_send_until(shared, &x, at);
	else
		r = only_try ? gamp_chan_tryrecv(shared, &x)
			     : gamp_chan_recv_until(shared, &x, at);
	if (r == 0) {
		atomic_fetch_add(&t->count, 1);
		atomic_fetch_add(&t->sum, x);
	} else {
		CHECK(send || x == 0);
		atomic_fetch_add(&t->gave_up, 1);
	}
	return r;
}

struct fickle {
	bool send;
	uint64_t seed;
	int64_t id;
};

static void fickle(void *arg)
{
	struct fickle *f = arg;
	uint64_t rng = f->seed;
	bool send = f->send;
	int r;

	while ((r = give_or_take(send, &rng, false)) != -ECANCELED) {
		CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT);
		if (gamp_cancelled())
			break;
		if (r == -EAGAIN || next_random(&rng) % 2)
			gamp_yield(); /* or two keep the P for themselves */
	}
	finished();
}

static void *fickle_thread(void *arg)
{
	struct fickle *f = arg;
	uint64_t rng = f->seed;

	while (!atomic_load(&closing)) {
		int r = give_or_take(f->send, &rng, true);

		CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT);
	}
	return NULL;
}

static void expect_balance(void)
{
	uint64_t x;

	CHECK_EQ(gamp_chan_close(shared), 0);
	while (gamp_chan_recv(shared, &x) == 0) {
		atomic_fetch_add(&received.count, 1);
		atomic_fetch_add(&received.sum, x);
	}
	CHECK_EQ((int64_t)sent.count, (int64_t)received.count);
	CHECK_EQ((int64_t)sent.sum, (int64_t)received.sum);
	CHECK_EQ(gamp_chan_free(shared), 0);
}

/* Lives of goroutines, each of which ends by a cancel, in several slots. */
static void live_and_die(size_t cap, int lives, int threads)
{
	struct fickle f[8], tf[4];
	uint64_t rng = random64() | 1;
	pthread_t t[4];

	shared = gamp_chan_new(8, cap);
	sent = received = (struct tally){ 0, 0, 0 };
	atomic_store(&next_value, 1);
	atomic_store(&closing, false);
	for (int i = 0; i < threads; i++) {
		tf[i] = (struct fickle){ i % 2, next_random(&rng) | 1, 0 };
		CHECK_EQ(pthread_create(&t[i], NULL, fickle_thread, &tf[i]), 0);
	}
	for (size_t i = 0; i < (size_t)lives + LEN(f); i++) {
		struct fickle *one = &f[i % LEN(f)];

		if (i >= LEN(f))
			CHECK_EQ(gamp_cancel(one->id), 0);
		if (i >= LEN(f))
			await_finished(1);
		if (i >= (size_t)lives)
			continue;
		*one = (struct fickle){ i % 2, next_random(&rng) | 1, 0 };
		one->id = go(fickle, one);
		if (next_random(&rng) % 2)
			gamp_yield();
		else
			spin(next_random(&rng) % 1000);
	}
	atomic_store(&closing, true);
	for (int i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
	expect_balance();
}

static int fickle_threads;

static void fickle_main(void *arg)
{
	int lives = (fickle_threads ? 30 : 150) * SCALE;

	(void)arg;
	begin();
	live_and_die(0, lives, fickle_threads);
	live_and_die(1, lives, fickle_threads);
	live_and_die(3, lives, fickle_threads);
	end();
}

static void each_value_arrives_once_beside_cancels_and_deadlines(void **state)
{
	(void)state;
	fickle_threads = 0;
	run_each(fickle_main);
}

static void each_value_arrives_once_between_threads_too(void **state)
{
	(void)state;
	for (fickle_threads = 1; fickle_threads < 5; fickle_threads++)
		run_on(fickle_threads, fickle_main);
}

/* One wait with nobody else there, and one cancel, at about the same time. */

static atomic_int stage;
static int how;

static void wait_alone(void *arg)
{
	struct gamp_chan *ch = arg;
	int64_t at = how & 2 ? gamp_now() + 3600 * GAMP_SECOND : 0;

	atomic_store(&stage, 1);
	CHECK_EQ(how & 1 ? gamp_chan_send_until(ch, NULL, at)
			 : gamp_chan_recv_until(ch, NULL, at),
	    -ECANCELED);
	atomic_store(&stage, 2);
	finished();
}

/* On another P, if there is one; its steal must not wait for us to yield. */
static void await_stage(void)
{
	int64_t limit = gamp_now() + 200 * GAMP_MICROSECOND;

	while (atomic_load(&stage) == 0)
		if (gamp_now() > limit)
			gamp_yield();
}

static void cancel_alone_main(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);
	uint64_t rng = random64() | 1;

	(void)arg;
	begin();
	for (how = 0; how < 4; how++)
		for (int i = 0; i < 1250 * SCALE; i++) {
			int64_t id;

			atomic_store(&stage, 0);
			id = go(wait_alone, ch);
			await_stage();
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

/* One partner, one cancel, one deadline: who was first decides for both. */

static _Atomic int64_t theirs;

static void one_wait(void *arg)
{
	struct gamp_chan *ch = arg;
	uint64_t x = 8;
	int64_t at = gamp_now() + 3 * GAMP_MICROSECOND;
	int r;

	if (how & 2)
		at = 0;
	atomic_store(&stage, 1);
	r = how & 1 ? gamp_chan_send_until(ch, &x, at)
		    : gamp_chan_recv_until(ch, &x, at);
	CHECK(r == 0 || r == -ECANCELED || r == -ETIMEDOUT);
	CHECK(how & 1 || x == (r == 0 ? 7 : 8));
	atomic_store(&theirs, r);
	finished();
}

static void canceller(void *arg)
{
	spin((uintptr_t)arg % 300);
	(void)gamp_cancel((int64_t)((uintptr_t)arg / 300));
	finished();
}

static void duel_main(void *arg)
{
	uint64_t rng = random64() | 1;

	(void)arg;
	begin();
	for (int i = 0; i < 2000 * SCALE; i++) {
		struct gamp_chan *ch = gamp_chan_new(8, 0);
		uint64_t x = 7;
		int64_t id;
		int r;

		how = i % 4;
		atomic_store(&stage, 0);
		id = go(one_wait, ch);
		await_stage();
		(void)go(canceller,
		    (void *)((uintptr_t)id * 300 + next_random(&rng) % 300));
		spin(next_random(&rng) % 400);
		r = how & 1 ? gamp_chan_tryrecv(ch, &x)
			    : gamp_chan_trysend(ch, &x);
		CHECK(r == 0 || r == -EAGAIN);
		CHECK(!(how & 1) || x == (r == 0 ? 8 : 7));
		await_finished(2);
		CHECK((r == 0) == (atomic_load(&theirs) == 0));
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void both_sides_agree_on_what_came_first(void **state)
{
	(void)state;
	run_on(2, duel_main);
	run_on(3, duel_main);
}

/* Programs. */

struct two {
	struct gamp_chan *to, *back;
	uint64_t n;
};

static void pong(void *arg)
{
	struct two *t = arg;
	uint64_t x;

	while (gamp_chan_recv(t->to, &x) == 0) {
		x++;
		CHECK_EQ(gamp_chan_send(t->back, &x), 0);
	}
	CHECK_EQ(gamp_chan_close(t->back), 0);
	finished();
}

static void *pong_on_thread(void *arg)
{
	pong(arg);
	return NULL;
}

static void ping(struct two *t, uint64_t n)
{
	uint64_t x = 0;

	for (uint64_t i = 0; i < n; i++) {
		CHECK_EQ(gamp_chan_send(t->to, &x), 0);
		CHECK_EQ(gamp_chan_recv(t->back, &x), 0);
	}
	CHECK(x == n);
	CHECK_EQ(gamp_chan_close(t->to), 0);
	CHECK_EQ(gamp_chan_recv(t->back, &x), -EPIPE);
}

static void ping_main(void *arg)
{
	(void)arg;
	begin();
	for (size_t cap = 0; cap < 4; cap++) {
		struct two t = { gamp_chan_new(8, cap % 2),
			gamp_chan_new(8, cap / 2), 0 };

		(void)go(pong, &t);
		ping(&t, 2500 * SCALE);
		await_finished(1);
		CHECK_EQ(gamp_chan_free(t.to), 0);
		CHECK_EQ(gamp_chan_free(t.back), 0);
	}
	end();
}

static void two_play_ping_pong(void **state)
{
	(void)state;
	run_each(ping_main);
}

static void thread_ping_main(void *arg)
{
	(void)arg;
	begin();
	for (size_t cap = 0; cap < 4; cap++) {
		struct two t = { gamp_chan_new(8, cap % 2),
			gamp_chan_new(8, cap / 2), 0 };
		pthread_t th;

		CHECK_EQ(pthread_create(&th, NULL, pong_on_thread, &t), 0);
		ping(&t, 150 * SCALE);
		(void)pthread_join(th, NULL);
		await_finished(1);
		CHECK_EQ(gamp_chan_free(t.to), 0);
		CHECK_EQ(gamp_chan_free(t.back), 0);
	}
	end();
}

static void a_goroutine_plays_ping_pong_with_a_thread(void **state)
{
	(void)state;
	run_each(thread_ping_main);
}

/* Each filter frees what it receives from, as soon as that is closed. */

struct filter {
	struct gamp_chan *in, *out;
	int prime;
};

static void filter(void *arg)
{
	struct filter f = *(struct filter *)arg;
	int x;

	free(arg);
	while (gamp_chan_recv(f.in, &x) == 0)
		if (x % f.prime)
			CHECK_EQ(gamp_chan_send(f.out, &x), 0);
	CHECK_EQ(gamp_chan_free(f.in), 0);
	CHECK_EQ(gamp_chan_close(f.out), 0);
}

static void generate(void *arg)
{
	for (int x = 2; x < 1000; x++)
		CHECK_EQ(gamp_chan_send(arg, &x), 0);
	CHECK_EQ(gamp_chan_close(arg), 0);
}

static void sieve_main(void *arg)
{
	for (size_t cap = 0; cap < 3; cap++) {
		struct gamp_chan *in = gamp_chan_new(sizeof(int), cap);
		int prime, n = 0;
		long sum = 0;

		(void)arg;
		(void)go(generate, in);
		while (gamp_chan_recv(in, &prime) == 0) {
			struct filter *f = malloc(sizeof(*f));

			f->in = in;
			in = f->out = gamp_chan_new(sizeof(int), cap);
			f->prime = prime;
			(void)go(filter, f);
			sum += prime;
			n++;
		}
		CHECK_EQ(gamp_chan_free(in), 0);
		CHECK_EQ(n, 168); /* primes below 1,000 */
		CHECK_EQ(sum, 76127);
	}
}

static void a_sieve_of_channels_finds_the_primes(void **state)
{
	(void)state;
	run_each(sieve_main);
}

/* 23 workers take from one channel and give to another. */

enum { WORKERS = 23 };

static struct gamp_chan *work, *results;

static void worker(void *arg)
{
	static const int odd[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };
	intptr_t w = (intptr_t)arg;
	int x;

	while (gamp_chan_recv(work, &x) == 0) {
		if (odd[w % (intptr_t)LEN(odd)] == x)
			gamp_yield(); /* out of step */
		CHECK_EQ(gamp_chan_send(results, &x), 0);
	}
	finished();
}

static void feed(void *arg)
{
	static const int odd[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };
	int n = 6500 * SCALE;
	long *expect = arg;

	for (int i = 0; i < n; i++) {
		int x = odd[i % (int)LEN(odd)];

		*expect += x;
		CHECK_EQ(gamp_chan_send(work, &x), 0);
	}
	CHECK_EQ(gamp_chan_close(work), 0);
	await_finished(WORKERS);
	CHECK_EQ(gamp_chan_close(results), 0);
}

static void consumers_main(void *arg)
{
	long expect = 0, sum = 0;
	int x, n = 0;

	(void)arg;
	begin();
	work = gamp_chan_new(sizeof(int), WORKERS * 3);
	results = gamp_chan_new(sizeof(int), WORKERS * 3);
	for (intptr_t i = 0; i < WORKERS; i++)
		(void)go(worker, (void *)i);
	(void)go(feed, &expect);
	while (gamp_chan_recv(results, &x) == 0) {
		sum += x;
		n++;
	}
	CHECK_EQ(n, 6500 * SCALE);
	CHECK_EQ(sum, expect);
	CHECK_EQ(gamp_chan_free(work), 0);
	CHECK_EQ(gamp_chan_free(results), 0);
	end();
}

static void many_consumers_lose_nothing(void **state)
{
	(void)state;
	run_each(consumers_main);
}

/* A request carries the channel to answer on, which goes with the answer. */

enum { CLIENTS = 20 };

struct request {
	struct gamp_chan *answer;
	uint64_t x, y, z;
};

static void serve(void *arg)
{
	struct request q;

	while (gamp_chan_recv(arg, &q) == 0) {
		uint64_t sum = q.x + q.y + q.z;

		CHECK_EQ(gamp_chan_send(q.answer, &sum), 0);
	}
	finished();
}

static void ask(void *arg)
{
	for (uint64_t i = 0; i < 100; i++) {
		struct request q = { gamp_chan_new(8, i % 2), i, 2 * i, 1 };
		uint64_t sum = 0;

		CHECK_EQ(gamp_chan_send(arg, &q), 0);
		CHECK_EQ(gamp_chan_recv(q.answer, &sum), 0);
		CHECK(sum == 3 * i + 1);
		CHECK_EQ(gamp_chan_free(q.answer), 0);
	}
	finished();
}

static void requests_main(void *arg)
{
	(void)arg;
	begin();
	for (size_t cap = 0; cap < 3; cap++) {
		struct gamp_chan *ch =
		    gamp_chan_new(sizeof(struct request), cap);

		for (int i = 0; i < CLIENTS; i++)
			(void)go(ask, ch);
		(void)go(serve, ch);
		(void)go(serve, ch);
		await_finished(CLIENTS);
		CHECK_EQ(gamp_chan_close(ch), 0);
		await_finished(2);
		CHECK_EQ(gamp_chan_free(ch), 0);
	}
	end();
}

static void channels_travel_through_channels(void **state)
{
	(void)state;
	run_each(requests_main);
}

/* A value goes through all of them, and each adds one. */

static struct gamp_chan **links;

static void link_of_chain(void *arg)
{
	struct gamp_chan **at = arg;
	uint64_t x = 0;

	CHECK_EQ(gamp_chan_recv(at[1], &x), 0);
	CHECK_EQ(gamp_chan_free(at[1]), 0);
	x++;
	CHECK_EQ(gamp_chan_send(at[0], &x), 0); /* the last look at them */
}

static void run_chain(int n)
{
	struct gamp_go_options small = { .stack_size = 16 << 10 };
	uint64_t x = 1;

	links = malloc((size_t)(n + 1) * sizeof(*links));
	for (int i = 0; i <= n; i++)
		links[i] = gamp_chan_new(8, 0);
	for (int i = 0; i < n; i++)
		CHECK(gamp_go_with(&small, link_of_chain, &links[i]) > 0);
	CHECK_EQ(gamp_chan_send(links[n], &x), 0);
	CHECK_EQ(gamp_chan_recv(links[0], &x), 0);
	CHECK_EQ((int64_t)x, n + 1);
	CHECK_EQ(gamp_chan_free(links[0]), 0);
	free(links);
}

static void short_chain(void *arg)
{
	(void)arg;
	run_chain(CHAIN / 10);
	run_chain(1);
}

static void long_chain(void *arg)
{
	(void)arg;
	run_chain(CHAIN);
}

static void a_value_passes_through_a_long_chain(void **state)
{
	(void)state;
	run_each(short_chain);
	run_on(2, long_chain);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_value_or_a_close_is_never_missed_by_a_try),
		TEST(a_receiver_or_a_close_is_never_missed_by_a_try),
		TEST(what_is_always_there_is_always_found),
		TEST(each_value_arrives_once_beside_cancels_and_deadlines),
		TEST(a_cancel_is_never_lost),
		TEST(both_sides_agree_on_what_came_first),
		TEST(two_play_ping_pong),
		TEST(a_sieve_of_channels_finds_the_primes),
		TEST(many_consumers_lose_nothing),
		TEST(channels_travel_through_channels),
		TEST(a_value_passes_through_a_long_chain),
		TEST(threads_find_what_is_always_there),
		TEST(each_value_arrives_once_between_threads_too),
		TEST(a_goroutine_plays_ping_pong_with_a_thread),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
