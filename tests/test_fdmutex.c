/* SPDX-License-Identifier: MIT */
/* test_fdmutex.c - fdmutex.h, one sentence each. */

#include "netpoll/fdmutex.h"
#include "tests/test.h"

static void open_one(rt_a64 *mu)
{
	rt_store_relaxed(mu, 1);
	fdmu_open(mu);
}

static void a_free_slot_takes_no_users(void **state)
{
	rt_a64 mu = { 1 };

	(void)state;
	assert_int_equal(fdmu_incref(&mu), FDMU_CLOSED);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, true), FDMU_CLOSED);
	assert_int_equal(rt_load_relaxed(&mu), 1);
}

static void readers_exclude_readers_but_not_writers(void **state)
{
	rt_a64 mu;

	(void)state;
	open_one(&mu);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, false), FDMU_OK);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, false), FDMU_BUSY);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, false), FDMU_OK);
	assert_int_equal(fdmu_unlock(&mu, MODE_READ), FDMU_OK);
	assert_int_equal(fdmu_unlock(&mu, MODE_WRITE), FDMU_OK);
}

static void unlock_posts_one_waiter_at_a_time(void **state)
{
	rt_a64 mu;

	(void)state;
	open_one(&mu);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, true), FDMU_OK);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, true), FDMU_BUSY);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, true), FDMU_BUSY);
	assert_int_equal(fdmu_unlock(&mu, MODE_WRITE), FDMU_POST);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, true), FDMU_OK);
	assert_int_equal(fdmu_unlock(&mu, MODE_WRITE), FDMU_POST);
	assert_int_equal(fdmu_lock(&mu, MODE_WRITE, true), FDMU_OK);
	assert_int_equal(fdmu_unlock(&mu, MODE_WRITE), FDMU_OK);
}

static void the_last_user_of_a_closed_one_destroys_it(void **state)
{
	rt_a64 mu;

	(void)state;
	open_one(&mu);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, true), FDMU_OK);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, true), FDMU_BUSY);
	assert_int_equal(fdmu_incref(&mu), FDMU_OK);
	assert_int_equal(fdmu_close(&mu), FDMU_OK);
	assert_int_equal(fdmu_close(&mu), FDMU_CLOSED);
	assert_int_equal(fdmu_incref(&mu), FDMU_CLOSED);
	assert_int_equal(fdmu_decref(&mu), FDMU_OK);
	assert_int_equal(fdmu_unlock(&mu, MODE_READ), FDMU_OK);
	assert_int_equal(fdmu_decref(&mu), FDMU_LAST);
	assert_int_equal(rt_load_relaxed(&mu), 1);
}

static void a_million_users_are_too_many(void **state)
{
	rt_a64 mu;

	(void)state;
	open_one(&mu);
	for (int i = 0; i < (1 << 20) - 1; i++)
		if (fdmu_incref(&mu) != FDMU_OK)
			fail();
	assert_int_equal(fdmu_incref(&mu), FDMU_FULL);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, true), FDMU_FULL);
	assert_int_equal(fdmu_decref(&mu), FDMU_OK);
	assert_int_equal(fdmu_lock(&mu, MODE_READ, true), FDMU_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_free_slot_takes_no_users),
		TEST(readers_exclude_readers_but_not_writers),
		TEST(unlock_posts_one_waiter_at_a_time),
		TEST(the_last_user_of_a_closed_one_destroys_it),
		TEST(a_million_users_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
