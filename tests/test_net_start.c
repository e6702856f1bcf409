/* SPDX-License-Identifier: MIT */
/* test_net_start.c - gamp_go_when_readable. */
#include <errno.h>
#include <stdatomic.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

enum { MANY = 100 };

/* Readable already, known or not; then not yet. */
static void arm_for_data(gamp_fd a, gamp_fd b)
{
	CHECK_EQ(gamp_write(a, "xyz", 3), 3);
	arm(b);
	armed_gives(3);
	CHECK_EQ(gamp_write(a, "xyz", 3), 3);
	pass_the_poller();
	arm(b);
	armed_gives(3);

	/* Data that come later. */
	drain(b);
	arm(b);
	CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
	CHECK_EQ(gamp_go_when_readable(b, NULL, NULL), -EINVAL);
	CHECK_EQ(atomic_load(&arm_starts), 0);
	CHECK_EQ(gamp_write(a, "xy", 2), 2);
	armed_gives(2);
}

/* A reader before the start, then one behind it. */
static void arm_beside_readers(gamp_fd a, gamp_fd b)
{
	struct child *t;

	t = start_parked(
	    (struct child){ .op = READ, .fd = b, .buf = in_buf, .n = 9 });
	CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	CHECK_EQ(finish(t), 1);

	/* A reader waits for its turn behind the start. */
	drain(b);
	arm(b);
	t = start((struct child){ .op = READ, .fd = b, .buf = in_buf, .n = 1 });
	await_parked(t->id, WHY_FD_LOCK);
	CHECK_EQ(gamp_write(a, "xx", 2), 2);
	AWAIT(atomic_load(&arm_starts) == 1 || atomic_load(&t->done));
	CHECK_EQ(gamp_write(a, "yy", 2), 2);
	CHECK_EQ(finish(t), 1);
	AWAIT(atomic_load(&arm_starts) == 1);
	CHECK_EQ(read_full(b, in_buf, (size_t)(3 - arm_result)),
	    3 - arm_result);
}

/* The deadline: to come, and past. */
static void arm_with_deadlines(gamp_fd b)
{
	CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + 2 * MS), 0);
	arm(b);
	armed_gives(-ETIMEDOUT);
	arm(b);
	armed_gives(-ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
	arm(b);
	CHECK_EQ(gamp_set_read_deadline(b, 1), 0);
	armed_gives(-ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
}

static void arm_and_close(gamp_fd a, gamp_fd b)
{
	drain(b);
	arm(b);
	CHECK_EQ(atomic_load(&arm_starts), 0);
	CHECK_EQ(gamp_close(b), 0);
	armed_gives(-EBADF);
	CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBADF);
	CHECK_EQ(gamp_close(a), 0);
}

static void arm_and_lose_the_peer(gamp_fd a, gamp_fd b)
{
	drain(b);
	arm(b);
	CHECK_EQ(gamp_close(a), 0);
	armed_gives(0);
	arm(b);
	armed_gives(0);
	CHECK_EQ(gamp_close(b), 0);
}

static void arm_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;

		kinds[k].make(&a, &b);
		arm_for_data(a, b);
		arm_beside_readers(a, b);
		arm_with_deadlines(b);
		arm_and_close(a, b);
		kinds[k].make(&a, &b);
		arm_and_lose_the_peer(a, b);
	}
}

static void go_when_readable_starts_once_for_every_reason(void **state)
{
	(void)state;
	run(arm_main);
	run_one(arm_main);
}

/* Not drained as far as the runtime knows, yet there is nothing to read. */
static void idle_arm_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;

		kinds[k].make(&a, &b);
		arm(b);
		pass_the_poller();
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
		CHECK_EQ(atomic_load(&arm_starts), 0);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		armed_gives(1);
		close_pair(a, b);
	}
}

static void go_when_readable_on_a_new_connection_starts_with_data(void **state)
{
	(void)state;
	run(idle_arm_main);
}

static gamp_fd chain_a, chain_b;
static atomic_int chain_n;

static void chain_link(void *arg)
{
	char c[4];
	ssize_t r = gamp_read(chain_b, c, sizeof(c));

	(void)arg;
	if (r <= 0) {
		atomic_store(&chain_n, r == 0 ? -1 : -2);
		return;
	}
	CHECK_EQ(gamp_write(chain_b, c, (size_t)r), r);
	atomic_fetch_add(&chain_n, 1);
	CHECK_EQ(gamp_go_when_readable(chain_b, chain_link, NULL), 0);
}

static void chain_main(void *arg)
{
	char c[4];

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		if (!kinds[k].both)
			continue;
		kinds[k].make(&chain_a, &chain_b);
		atomic_store(&chain_n, 0);
		CHECK_EQ(gamp_go_when_readable(chain_b, chain_link, NULL), 0);
		for (int i = 0; i < 1000; i++) {
			CHECK_EQ(gamp_write(chain_a, "link", 4), 4);
			CHECK_EQ(read_full(chain_a, c, 4), 4);
		}
		AWAIT(atomic_load(&chain_n) == 1000);
		CHECK_EQ(gamp_close(chain_a), 0);
		AWAIT(atomic_load(&chain_n) == -1);
		CHECK_EQ(gamp_close(chain_b), 0);
	}
}

static void a_thousand_starts_follow_each_other(void **state)
{
	(void)state;
	run(chain_main);
	run_one(chain_main);
}

static void leave_armed_main(void *arg)
{
	static gamp_fd fds[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	atomic_store(&arm_cancelled, 0);
	for (int i = 0; i < MANY; i++) {
		gamp_fd a;

		pair_socketpair(&a, &fds[i]);
		drain(fds[i]);
		CHECK_EQ(
		    gamp_go_when_readable(fds[i], on_readable, &fds[i]), 0);
	}
	CHECK_EQ(atomic_load(&arm_starts), 0);
}

static void stopping_starts_what_is_armed(void **state)
{
	(void)state;
	run(leave_armed_main);
	assert_int_equal(atomic_load(&arm_starts), MANY);
	assert_int_equal(atomic_load(&arm_cancelled), 1);
	assert_int_equal(atomic_load(&arm_result), -ECANCELED);
}

/* Room for two goroutines only, so most starts must wait for one to exit. */
static void starved_main(void *arg)
{
	static gamp_fd a[MANY], b[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	for (int i = 0; i < MANY; i++) {
		pair_socketpair(&a[i], &b[i]);
		drain(b[i]);
		CHECK_EQ(gamp_go_when_readable(b[i], on_readable, &b[i]), 0);
	}
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(gamp_write(a[i], "x", 1), 1);
	AWAIT(atomic_load(&arm_starts) == MANY);
	for (int i = 0; i < MANY; i++)
		close_pair(a[i], b[i]);
}

static void starts_wait_for_room(void **state)
{
	(void)state;
	run_with(starved_main,
	    &(struct gamp_options){ .maxprocs = 2, .max_goroutines = 2 });
	run_with(starved_main,
	    &(struct gamp_options){ .maxprocs = 1, .max_goroutines = 2 });
}

static void starved_stop_main(void *arg)
{
	static gamp_fd b[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	for (int i = 0; i < MANY; i++) {
		gamp_fd a;

		pair_socketpair(&a, &b[i]);
		drain(b[i]);
		CHECK_EQ(gamp_go_when_readable(b[i], on_readable, &b[i]), 0);
	}
}

static void starts_wait_for_room_while_stopping(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		run_with(starved_stop_main,
		    &(struct gamp_options){
			.maxprocs = 1 + i % 2, .max_goroutines = 2 });
		assert_int_equal(atomic_load(&arm_starts), MANY);
	}
	run(arm_main); /* and the next run is not disturbed */
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(go_when_readable_starts_once_for_every_reason),
		TEST(go_when_readable_on_a_new_connection_starts_with_data),
		TEST(a_thousand_starts_follow_each_other),
		TEST(stopping_starts_what_is_armed),
		TEST(starts_wait_for_room),
		TEST(starts_wait_for_room_while_stopping),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
