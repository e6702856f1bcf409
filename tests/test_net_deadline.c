/* SPDX-License-Identifier: MIT */
/* test_net_deadline.c - deadlines of reads and writes. */
#include <errno.h>
#include <stdatomic.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static void deadline_basics_main(void *arg)
{
	gamp_fd a, b;
	int64_t began;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	AWAIT(queued(gamp_sysfd(b)) == 1);
	/* Past, in every form: at once, though there are data. */
	static const int64_t past[] = { 1, -1, INT64_MIN };
	for (size_t i = 0; i < LEN(past); i++) {
		CHECK_EQ(gamp_set_read_deadline(b, past[i]), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
		CHECK_EQ(gamp_wait_readable(b), -ETIMEDOUT);
		CHECK_EQ(gamp_write(b, "y", 1), 1);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
	}
	CHECK_EQ(gamp_set_deadline(b, gamp_now()), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_write(b, "y", 1), -ETIMEDOUT);
	CHECK_EQ(gamp_write_some(b, "y", 1), -ETIMEDOUT);
	CHECK_EQ(gamp_wait_writable(b), -ETIMEDOUT);
	CHECK_EQ(gamp_set_write_deadline(b, GAMP_FOREVER), 0);
	CHECK_EQ(gamp_write(b, "y", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_set_deadline(b, 0), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), 1);

	began = gamp_now();
	CHECK_EQ(gamp_set_read_deadline(b, began + 5 * MS), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK(gamp_now() >= began + 5 * MS);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
	CHECK_EQ(gamp_write(a, "z", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 9), 1); /* used again */
	close_pair(a, b);
}

static void deadlines_past_present_and_future(void **state)
{
	(void)state;
	run(deadline_basics_main);
	run_one(deadline_basics_main);
}

/* Later, again and again: unless we came too late. */
static void moved_later(gamp_fd b, struct child rd)
{
	int64_t set = gamp_now() + LIMIT;
	bool in_time = true;
	struct child *t;

	CHECK_EQ(gamp_set_read_deadline(b, set), 0);
	t = start_parked(rd);
	for (int i = 1; i <= 20; i++) {
		int64_t was = set;

		set = gamp_now() + i * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		in_time = in_time && gamp_now() < was;
	}
	CHECK_EQ(finish(t), -ETIMEDOUT);
	CHECK(t->ended >= set || !in_time);
	CHECK(t->ended < set + SOON);
}

/* Only data help, unless we came too late. */
static void removed(gamp_fd a, gamp_fd b, struct child rd)
{
	struct child *t;
	bool in_time;
	int64_t set;

	do {
		int64_t limit = gamp_now() + LIMIT;

		CHECK_EQ(gamp_set_read_deadline(b, limit), 0);
		t = start_parked(rd);
		set = gamp_now() + 10 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		in_time = gamp_now() < set;
		AWAIT(gamp_now() > set + 5 * MS);
		CHECK(in_time <= !atomic_load(&t->done));
	} while (atomic_load(&t->done) && !failed.count);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	CHECK_EQ(finish(t), 1);
}

static void deadline_moves_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;
		struct child *t;
		int64_t set;
		struct child rd;

		kinds[k].make(&a, &b);
		rd = (struct child){
			.op = READ, .fd = b, .buf = in_buf, .n = 9
		};

		/* None, then set while parked. */
		t = start_parked(rd);
		set = gamp_now() + 3 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set);

		/* Earlier. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		set = gamp_now() + 3 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set && t->ended < set + SOON);

		/* To the past. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		CHECK_EQ(gamp_set_read_deadline(b, 1), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);

		moved_later(b, rd);

		/* Later, when the timer was to fire in between. */
		set = gamp_now() + 20 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + MS), 0);
		t = start(rd);
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		if (finish(t) == -ETIMEDOUT)
			CHECK(t->ended < set + SOON);

		removed(a, b, rd);
		close_pair(a, b);
	}
}

static void deadlines_move_while_parked(void **state)
{
	(void)state;
	run(deadline_moves_main);
	run_one(deadline_moves_main);
}

static void write_deadline_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;
		struct child *t;
		int64_t set;
		size_t n;

		kinds[k].make(&a, &b);
		n = fill(a);
		t = start_parked((struct child){
		    .op = WRITE, .fd = a, .buf = out_buf, .n = BIG });
		set = gamp_now() + 2 * MS;
		CHECK_EQ(gamp_set_write_deadline(a, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set && t->ended < set + SOON);
		CHECK_EQ(gamp_set_write_deadline(a, 0), 0);
		t = start((struct child){
		    .op = SOME, .fd = a, .buf = out_buf, .n = 1 });
		for (size_t got = 0; got < n;)
			got += (size_t)gamp_read(b, in_buf, BIG);
		CHECK_EQ(finish(t), 1);
		close_pair(a, b);
	}
}

static void write_deadline_ends_a_write_that_does_not_fit(void **state)
{
	(void)state;
	run(write_deadline_main);
}

static void deadline_race_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;

		kinds[k].make(&a, &b);
		for (int i = 0; i < 300; i++) {
			struct child *t;
			int64_t r;

			drain(b);
			CHECK_EQ(gamp_set_read_deadline(b,
				     gamp_now() +
					 (int64_t)(random64() % (100 * 1000))),
			    0);
			t = start((struct child){
			    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
			if (random64() % 2)
				gamp_yield();
			CHECK_EQ(gamp_write(a, "x", 1), 1);
			r = finish(t);
			if (r == 1)
				continue;
			CHECK_EQ(r, -ETIMEDOUT);
			CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
			t = start((struct child){
			    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
			if (!CHECK_EQ(finish(t), 1))
				return;
		}
		close_pair(a, b);
	}
}

static void deadline_beside_data_loses_no_data(void **state)
{
	(void)state;
	run(deadline_race_main);
	run_one(deadline_race_main);
}

/* The timer of an earlier deadline is due but has had no chance to run: the
 * only P is ours. */
static void overdue_main(void *arg)
{
	gamp_fd a, b;
	int64_t now;

	(void)arg;
	pair_socketpair(&a, &b);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	now = gamp_now();
	CHECK_EQ(gamp_set_read_deadline(b, now + MS / 2), 0);
	while (gamp_now() < now + MS)
		;
	CHECK_EQ(gamp_set_read_deadline(b, now + MS), 0); /* past as well */
	if (CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT)) {
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
	}
	close_pair(a, b);
}

static void past_deadline_holds_though_an_older_timer_is_overdue(void **state)
{
	(void)state;
	run_one(overdue_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(deadlines_past_present_and_future),
		TEST(deadlines_move_while_parked),
		TEST(write_deadline_ends_a_write_that_does_not_fit),
		TEST(deadline_beside_data_loses_no_data),
		TEST(past_deadline_holds_though_an_older_timer_is_overdue),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
