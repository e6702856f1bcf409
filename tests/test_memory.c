/* SPDX-License-Identifier: MIT */
/*
 * test_memory.c - an allocator of the program's: it is asked for everything,
 * gets everything back, and may fail at any time.
 */

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chan_util.h"

/* Each block says that it is ours, and how large it is. */
struct block {
	size_t size;
	uint64_t ours;
	_Alignas(max_align_t) char bytes[];
};

#define OURS UINT64_C(0x6f7572626c6f636b)

static atomic_long in_use, asked;
static atomic_long fail_every; /* 0: never */

static struct block *block_of(void *p)
{
	struct block *b = (void *)((char *)p - offsetof(struct block, bytes));

	CHECK(b->ours == OURS);
	return b;
}

static void *give(size_t size)
{
	long n = atomic_fetch_add(&asked, 1) + 1, every = fail_every;
	struct block *b;

	if (every && n % every == 0)
		return NULL;
	b = malloc(sizeof(*b) + size);
	if (!b)
		return NULL;
	b->size = size;
	b->ours = OURS;
	memset(b->bytes, 0xa5, size);
	atomic_fetch_add(&in_use, 1);
	return b->bytes;
}

static void take_back(void *p)
{
	struct block *b = block_of(p);

	memset(b, 0x5a, sizeof(*b) + b->size);
	free(b);
	atomic_fetch_sub(&in_use, 1);
}

static void *give_more(void *p, size_t size)
{
	struct block *b = block_of(p);
	void *to = give(size);

	if (!to)
		return NULL;
	memcpy(to, p, b->size < size ? b->size : size);
	take_back(p);
	return to;
}

static const struct gamp_allocator ours = { give, give_more, take_back };

static void nothing(void *arg)
{
	(void)arg;
}

static struct gamp_key keys[40];

/* 0: all of it was done.  -ENOMEM is the only way to fail. */
static int use_all(void)
{
	struct gamp_chan *ch = gamp_chan_new(8, 5);
	struct gamp_ticker *tick = gamp_after(GAMP_SECOND);
	int r = ch && tick ? 0 : -ENOMEM, left = 0;
	gamp_fd fd;

	for (int i = 0; i < 40 && r == 0; i++)
		r = gamp_local_set(keys[i], &keys[i]);
	for (; left < 100 && r == 0; left++)
		r = gamp_defer(nothing, NULL);
	if (r == 0)
		r = gamp_rcu_defer(nothing, NULL);
	if (r == 0) {
		fd = gamp_dial("tcp", "localhost:1");
		r = fd == -ENOMEM ? -ENOMEM : 0;
	}
	(void)gamp_ticker_free(tick);
	(void)gamp_chan_free(ch);
	CHECK(r == 0 || r == -ENOMEM);
	return r;
}

static atomic_int done, succeeded;

static void user(void *arg)
{
	(void)arg;
	if (use_all() == 0)
		atomic_fetch_add(&succeeded, 1);
	atomic_fetch_add(&done, 1);
}

static void many(void *arg)
{
	enum { N = 50 };

	(void)arg;
	CHECK_EQ(gamp_set_allocator(NULL), -EBUSY);
	atomic_store(&done, 0);
	atomic_store(&succeeded, 0);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(gamp_key_new(&keys[i], NULL), 0);
	for (int i = 0; i < N; i++)
		(void)go(user, NULL);
	AWAIT(atomic_load(&done) == N);
	for (int i = 0; i < 40; i++)
		CHECK_EQ(gamp_key_free(keys[i]), 0);
}

static void run_with_ours(long every)
{
	const struct gamp_options opt = { .maxprocs = 3,
		.stop_timeout = LIMIT };
	int64_t limit;
	int r;

	failed.count = 0;
	atomic_store(&asked, 0);
	assert_int_equal(gamp_set_allocator(&ours), 0);
	atomic_store(&fail_every, every);
	r = gamp_run(many, NULL, &opt);
	atomic_store(&fail_every, 0);
	assert_true(r == 0 || (every && r == -ENOMEM));
	if (failed.count)
		fail_msg("%s", failed.text);
	/* A thread of ours may be the last one, and about to say that it has
	 * given back what we have. */
	limit = gamp_now() + LIMIT;
	while ((r = gamp_set_allocator(NULL)) == -EBUSY && gamp_now() < limit)
		(void)sched_yield();
	assert_int_equal(r, 0);
	assert_int_equal(atomic_load(&in_use), 0);
}

static void all_memory_comes_from_it_and_goes_back(void **state)
{
	(void)state;
	run_with_ours(0);
	assert_true(atomic_load(&asked) > 50 * 4);
	assert_int_equal(atomic_load(&succeeded), 50);
}

static void one_that_fails_gives_errors_and_no_more(void **state)
{
	static const long every[] = { 1, 2, 3, 5, 7, 11, 50 };

	(void)state;
	for (size_t i = 0; i < LEN(every); i++)
		run_with_ours(every[i]);
}

static void it_does_not_change_while_memory_is_in_use(void **state)
{
	struct gamp_chan *ch = gamp_chan_new(8, 1);
	struct gamp_allocator part = ours;

	(void)state;
	assert_int_equal(gamp_set_allocator(&ours), -EBUSY);
	assert_int_equal(gamp_chan_free(ch), 0);
	assert_int_equal(gamp_set_allocator(&ours), 0);
	ch = gamp_chan_new(8, 1);
	assert_int_equal(atomic_load(&in_use), 1);
	assert_int_equal(gamp_set_allocator(NULL), -EBUSY);
	assert_int_equal(gamp_chan_free(ch), 0);
	assert_int_equal(gamp_set_allocator(NULL), 0);
	part.resize = NULL;
	assert_int_equal(gamp_set_allocator(&part), -EINVAL);
}

static void *changes(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		int r = gamp_set_allocator(i % 2 ? &ours : NULL);

		if (r < 0 && r != -EBUSY)
			return NULL;
	}
	return arg;
}

static void threads_may_change_it_beside_others(void **state)
{
	pthread_t t[2];
	void *result;

	(void)state;
	failed.count = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, changes, &done), 0);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(gamp_chan_free(gamp_chan_new(8, 1)), 0);
	for (int i = 0; i < 2; i++) {
		(void)pthread_join(t[i], &result);
		assert_non_null(result);
	}
	assert_int_equal(gamp_set_allocator(NULL), 0);
	assert_int_equal(atomic_load(&in_use), 0);
	if (failed.count)
		fail_msg("%s", failed.text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(it_does_not_change_while_memory_is_in_use),
		TEST(threads_may_change_it_beside_others),
		TEST(all_memory_comes_from_it_and_goes_back),
		TEST(one_that_fails_gives_errors_and_no_more),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
