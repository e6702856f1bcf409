/* SPDX-License-Identifier: MIT */
/* test_net_close.c - close, and handles that are stale or made up. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/net_util.h"

#if defined(RT_TSAN)
enum { STARTS = 20 * 1000 };
#else
enum { STARTS = 100 * 1000 };
#endif

static void close_parked_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		static const enum op ops[] = { READ, WAIT_R, WRITE, SOME,
			WAIT_W };

		for (size_t i = 0; i < LEN(ops); i++) {
			bool reads = why_of(ops[i]) == WHY_READ;
			gamp_fd a, b, fd;
			struct child *t, *second = NULL;
			int64_t closed;

			kinds[k].make(&a, &b);
			fd = reads ? b : a;
			if (!reads)
				(void)fill(a);
			t = start_parked((struct child){
			    .op = ops[i], .fd = fd, .buf = out_buf, .n = BIG });
			second = start((struct child){
			    .op = ops[i], .fd = fd, .buf = out_buf, .n = BIG });
			await_parked(second->id, WHY_FD_LOCK);
			closed = gamp_now();
			CHECK_EQ(gamp_close(fd), 0);
			CHECK_EQ(finish(t), -ECANCELED);
			CHECK_EQ(finish(second), -ECANCELED);
			CHECK(t->ended < closed + SOON);
			CHECK_EQ(gamp_close(reads ? a : b), 0);
		}
	}
}

static void close_ends_parked_calls_at_once(void **state)
{
	(void)state;
	run(close_parked_main);
	run_one(close_parked_main);
}

static void after_close_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		close_pair(a, b);
		all_refuse(a);
		all_refuse(b);
	}
}

static void every_call_after_close_gives_ebadf(void **state)
{
	(void)state;
	run(after_close_main);
}

enum { MANY = 100 };

static void stale_main(void *arg)
{
	static gamp_fd old[2 * MANY], new[2 * MANY];

	(void)arg;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			kinds[i % 3].make(&old[2 * i], &old[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			CHECK_EQ(gamp_close(old[i]), 0);
		for (int i = 0; i < MANY; i++)
			kinds[i % 3].make(&new[2 * i], &new[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			all_refuse(old[i]);
		for (int i = 0; i < MANY; i++)
			exchange(new[2 * i], new[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			CHECK_EQ(gamp_close(new[i]), 0);
		for (int i = 0; i < 2 * MANY; i++)
			all_refuse(new[i]);
	}
}

static void stale_handles_never_reach_the_next_owner(void **state)
{
	(void)state;
	run(stale_main);
	run_one(stale_main);
}

/* While the next owner's reader and writer are parked. */
static void stale_parked_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	struct child *rd, *wr, *rd2;
	size_t n;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	CHECK(((oa ^ a) & 0xffffff) == 0 || ((oa ^ b) & 0xffffff) == 0);
	n = fill(a);
	wr = start_parked(
	    (struct child){ .op = WRITE, .fd = a, .buf = out_buf, .n = 1 });
	rd = start_parked(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf, .n = 1 });
	rd2 = start(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf + 1, .n = 1 });
	await_parked(rd2->id, WHY_FD_LOCK);
	for (int i = 0; i < 1000; i++) {
		all_refuse(oa);
		all_refuse(ob);
	}
	await_parked(rd->id, WHY_READ); /* or again, after a late edge */
	await_parked(wr->id, WHY_WRITE);
	await_parked(rd2->id, WHY_FD_LOCK);
	CHECK_EQ(gamp_write(b, "1", 1), 1);
	CHECK_EQ(finish(rd), 1);
	CHECK_EQ(gamp_write(b, "2", 1), 1);
	CHECK_EQ(finish(rd2), 1);
	CHECK(in_buf[0] == '1' && in_buf[1] == '2');
	for (size_t got = 0; got < n;)
		got += (size_t)gamp_read(b, in_buf, BIG);
	CHECK_EQ(finish(wr), 1);
	close_pair(a, b);
}

static void stale_handles_do_not_disturb_parked_owners(void **state)
{
	(void)state;
	run(stale_parked_main);
}

/* More calls than the word of a descriptor can count waiters. */
static void stale_flood_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	struct child *rd, *rd2;
	int64_t other = 0;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	rd = start_parked(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf, .n = 1 });
	for (int i = 0; i < 1100 * 1000 && !other; i++) {
		ssize_t r = gamp_read(oa, out_buf, 1);

		if (r != -EBADF)
			other = r;
		r = gamp_read(ob, out_buf, 1);
		if (r != -EBADF)
			other = r;
	}
	CHECK_EQ(other, 0);
	rd2 = start(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf + 1, .n = 1 });
	CHECK_EQ(gamp_write(b, "1", 1), 1);
	CHECK_EQ(finish(rd), 1);
	CHECK_EQ(gamp_write(b, "2", 1), 1);
	CHECK_EQ(finish(rd2), 1);
	close_pair(a, b);
}

static void a_million_calls_on_a_stale_handle_change_nothing(void **state)
{
	(void)state;
	run(stale_flood_main);
}

/* A stale handle's read must not pass for a reader of the next owner. */

static gamp_fd stale_fd;
static atomic_int stale_stop;

static void *stale_thread(void *arg)
{
	char c;

	(void)arg;
	while (!atomic_load(&stale_stop))
		if (gamp_read(stale_fd, &c, 1) != -EBADF)
			return (void *)1;
	return NULL;
}

static atomic_int started_count;

static void count_start(void *arg)
{
	(void)arg;
	atomic_fetch_add(&started_count, 1);
}

static void stale_busy_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	pthread_t th;
	void *bad = NULL;
	int busy = 0, armed = 0;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	stale_fd = ((oa ^ a) & 0xffffff) ? ob : oa;
	CHECK_EQ((stale_fd ^ a) & 0xffffff, 0);
	CHECK_EQ(gamp_write(b, "x", 1), 1); /* so each starts at once */
	atomic_store(&stale_stop, 0);
	atomic_store(&started_count, 0);
	CHECK_EQ(pthread_create(&th, NULL, stale_thread, NULL), 0);
	for (int i = 0; i < STARTS && busy == 0; i++) {
		int r = gamp_go_when_readable(a, count_start, NULL);

		busy += r == -EBUSY;
		armed += r == 0;
		if (i % 64 == 0)
			gamp_yield();
	}
	atomic_store(&stale_stop, 1);
	(void)pthread_join(th, &bad);
	CHECK(bad == NULL);
	CHECK_EQ(busy, 0);
	AWAIT(atomic_load(&started_count) == armed);
	close_pair(a, b);
}

static void stale_reads_do_not_make_the_next_owner_busy(void **state)
{
	(void)state;
	run(stale_busy_main);
}

/* The first reader takes the slot anew before the second, which was waiting
 * for its turn, comes to run. */

static gamp_fd reuse_a, reuse_b, reuse_fd;
static atomic_int reused;

static void reader_that_reopens(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_read(reuse_fd, in_buf, 1), -ECANCELED);
	pair_socketpair(&reuse_a, &reuse_b);
	atomic_store(&reused, 1);
}

static void turn_reuse_main(void *arg)
{
	gamp_fd other;
	struct child *t;
	int64_t id;

	(void)arg;
	pair_socketpair(&reuse_fd, &other);
	atomic_store(&reused, 0);
	id = gamp_go(reader_that_reopens, NULL);
	await_parked(id, WHY_READ);
	t = start((struct child){
	    .op = READ, .fd = reuse_fd, .buf = out_buf, .n = 1 });
	await_parked(t->id, WHY_FD_LOCK);
	CHECK_EQ(gamp_close(reuse_fd), 0);
	CHECK_EQ(finish(t), -ECANCELED); /* it was in progress */
	AWAIT(atomic_load(&reused));
	exchange(reuse_a, reuse_b);
	close_pair(reuse_a, reuse_b);
	CHECK_EQ(gamp_close(other), 0);
}

static void close_cancels_waiters_though_the_slot_is_taken_anew(void **state)
{
	(void)state;
	run_one(turn_reuse_main);
	run(turn_reuse_main);
}

static void random_handles_main(void *arg)
{
	static const int64_t odd[] = { 0, 1, 2, 3, 5, 100, -1, -2, -9,
		INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, INT32_MAX,
		INT32_MIN, (int64_t)1 << 22, (int64_t)1 << 24,
		((int64_t)1 << 24) - 1, (int64_t)1 << 39, (int64_t)1 << 62 };
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	for (size_t i = 0; i < LEN(odd); i++)
		all_refuse(odd[i]);
	for (int i = 0; i < 64; i++) { /* neighbours of a live one */
		gamp_fd fd = a ^ (gamp_fd)(UINT64_C(1) << i);

		if (fd != b)
			all_refuse(fd);
	}
	for (int i = 0; i < 20000; i++) {
		gamp_fd fd = (gamp_fd)(random64() >> random64() % 64);

		if (i % 2)
			fd = (fd & ~(gamp_fd)0xffffff) | (a & 0xffffff);
		if (fd != a && fd != b)
			all_refuse(fd);
	}
	exchange(a, b);
	close_pair(a, b);
}

static void any_value_is_a_safe_handle(void **state)
{
	(void)state;
	run(random_handles_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(close_ends_parked_calls_at_once),
		TEST(every_call_after_close_gives_ebadf),
		TEST(stale_handles_never_reach_the_next_owner),
		TEST(stale_handles_do_not_disturb_parked_owners),
		TEST(a_million_calls_on_a_stale_handle_change_nothing),
		TEST(stale_reads_do_not_make_the_next_owner_busy),
		TEST(close_cancels_waiters_though_the_slot_is_taken_anew),
		TEST(any_value_is_a_safe_handle),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
