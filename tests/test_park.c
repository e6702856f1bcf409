/* SPDX-License-Identifier: MIT */
/*
 * test_park.c - gamp_park and gamp_ready, by which a language builds its own
 * primitives; and gamp_protect and gamp_fail, by which it builds its panics.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { LAPS = 2000, ROUNDS = 2000 };
#elif defined(RT_ASAN) || defined(RT_HARD)
enum { LAPS = 5000, ROUNDS = 5000 };
#else
enum { LAPS = 20000, ROUNDS = 15000 };
#endif

/* A semaphore as a language would write it: a spinlock, a count, and a list of
 * waiters that lie on their stacks. */

struct waiter {
	struct waiter *next;
	struct sem *sem;
	gamp_ticket ticket;
	bool given, listed;
};

struct sem {
	atomic_flag lock;
	int count;
	struct waiter *waiters;
};

static void lock(struct sem *s)
{
	while (atomic_flag_test_and_set_explicit(
	    &s->lock, memory_order_acquire))
		;
}

static void unlock(struct sem *s)
{
	atomic_flag_clear_explicit(&s->lock, memory_order_release);
}

static bool enlist(gamp_ticket ticket, void *arg)
{
	struct waiter *w = arg;

	w->ticket = ticket;
	w->next = w->sem->waiters;
	w->sem->waiters = w;
	w->listed = true;
	unlock(w->sem);
	return true;
}

static bool delist(struct sem *s, struct waiter *w)
{
	for (struct waiter **at = &s->waiters; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return true;
		}
	return false;
}

static int take(struct sem *s, int64_t deadline)
{
	struct waiter w = { .sem = s };
	int r;

	lock(s);
	if (s->count > 0) {
		s->count--;
		unlock(s);
		return 0;
	}
	r = gamp_park(enlist, &w, deadline, "my semaphore");
	if (r < 0) {
		lock(s);
		(void)delist(s, &w);
		unlock(s);
	}
	return r;
}

static void give(struct sem *s)
{
	for (;;) {
		struct waiter *w;

		lock(s);
		w = s->waiters;
		if (!w) {
			s->count++;
			unlock(s);
			return;
		}
		s->waiters = w->next;
		/* Under the lock: w lives until its owner has had it. */
		if (gamp_ready(w->ticket) == 0) {
			unlock(s);
			return;
		}
		unlock(s); /* it gave up meanwhile: the next one */
	}
}

/* ---- it works ---------------------------------------------------------- */

static struct sem ping, pong;

static void player(void *arg)
{
	(void)arg;
	for (int i = 0; i < LAPS; i++) {
		CHECK_EQ(take(&ping, GAMP_FOREVER), 0);
		give(&pong);
	}
	finished();
}

static void play_main(void *arg)
{
	(void)arg;
	begin();
	(void)go(player, NULL);
	for (int i = 0; i < LAPS; i++) {
		give(&ping);
		CHECK_EQ(take(&pong, GAMP_FOREVER), 0);
	}
	await_finished(1);
	CHECK(!ping.waiters && !pong.waiters);
	end();
}

static void two_play_with_a_semaphore_of_their_own(void **state)
{
	(void)state;
	run_each(play_main);
}

/* ---- deadlines, cancels and partners race ------------------------------ */

enum { TAKERS = 12 };

static struct sem pool;
static atomic_long taken, late, cancelled;
static int64_t ids[TAKERS];

static void taker(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg * 77 + 5;

	while (!gamp_cancelled()) {
		int r = take(&pool, gamp_now() + (int64_t)(
			next_random(&x) % 50000));

		CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
		if (r == 0)
			atomic_fetch_add(&taken, 1);
		else
			atomic_fetch_add(r == -ETIMEDOUT ? &late : &cancelled,
			    1);
	}
	finished();
}

static void *giver_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		give(&pool);
	return NULL;
}

static void giver(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		give(&pool);
		if (i % 16 == 0)
			(void)gamp_sleep(20 * GAMP_MICROSECOND);
	}
	(void)arg;
	finished();
}

static void race_main(void *arg)
{
	pthread_t t;
	long got;

	(void)arg;
	begin();
	memset(&pool, 0, sizeof(pool));
	atomic_store(&taken, 0);
	atomic_store(&late, 0);
	atomic_store(&cancelled, 0);
	for (uintptr_t i = 0; i < TAKERS; i++)
		ids[i] = go(taker, (void *)i);
	(void)go(giver, NULL);
	CHECK_EQ(pthread_create(&t, NULL, giver_thread, NULL), 0);
	await_finished(1);
	gamp_enter_blocking();
	CHECK_EQ(pthread_join(t, NULL), 0);
	gamp_leave_blocking();
	AWAIT(atomic_load(&late) > 0);
	for (int i = 0; i < TAKERS; i++)
		CHECK_EQ(gamp_cancel(ids[i]), 0);
	await_finished(TAKERS);
	got = atomic_load(&taken);
	/* Nothing that was given is lost, whoever gave up. */
	CHECK_EQ(got + pool.count, 2 * ROUNDS);
	CHECK(!pool.waiters);
	end();
}

static void nothing_that_is_given_is_lost(void **state)
{
	(void)state;
	run_each(race_main);
}

/* ---- the rules of a commit --------------------------------------------- */

static gamp_ticket last_ticket;

static bool refuse(gamp_ticket ticket, void *arg)
{
	last_ticket = ticket;
	*(int *)arg += 1;
	return false;
}

static bool ready_at_once(gamp_ticket ticket, void *arg)
{
	last_ticket = ticket;
	*(int *)arg += 1;
	CHECK_EQ(gamp_ready(ticket), 0);
	CHECK_EQ(gamp_ready(ticket), -ESRCH);
	return true;
}

static bool publish(gamp_ticket ticket, void *arg)
{
	atomic_store((_Atomic int64_t *)arg, ticket);
	return true;
}

static bool leave_it(gamp_ticket ticket, void *arg)
{
	last_ticket = ticket;
	*(int *)arg += 1;
	return true;
}

static void rules_main(void *arg)
{
	uint64_t x = random64() | 1;
	int calls = 0;

	(void)arg;
	CHECK_EQ(gamp_park(NULL, NULL, 0, NULL), -EINVAL);
	CHECK_EQ(gamp_park(refuse, &calls, 0, NULL), -EAGAIN);
	CHECK_EQ(gamp_ready(last_ticket), -ESRCH);
	CHECK_EQ(gamp_park(ready_at_once, &calls, 0, "x"), 0);
	CHECK_EQ(gamp_ready(last_ticket), -ESRCH);
	CHECK_EQ(gamp_park(leave_it, &calls, -1, NULL), -ETIMEDOUT);
	CHECK_EQ(gamp_ready(last_ticket), -ESRCH);
	CHECK_EQ(gamp_park(leave_it, &calls, gamp_now() + MS, NULL),
	    -ETIMEDOUT);
	CHECK_EQ(gamp_ready(last_ticket), -ESRCH);
	CHECK_EQ(gamp_cancel(gamp_self()), 0);
	CHECK_EQ(gamp_park(leave_it, &calls, 0, NULL), -ECANCELED);
	CHECK_EQ(gamp_ready(last_ticket), -ESRCH);
	CHECK_EQ(gamp_park(leave_it, &calls, gamp_now() + LONG, NULL),
	    -ECANCELED);
	CHECK_EQ(calls, 6); /* once each */
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(gamp_ready((gamp_ticket)next_random(&x)), -ESRCH);
	CHECK_EQ(gamp_ready(0), -ESRCH);
	CHECK_EQ(gamp_ready(-1), -ESRCH);
}

static void a_commit_is_called_once(void **state)
{
	int calls = 0;

	(void)state;
	assert_int_equal(gamp_park(refuse, &calls, 0, NULL), -EPERM);
	assert_int_equal(gamp_ready(5), -ESRCH);
	run_each(rules_main);
	assert_int_equal(calls, 0);
}

static _Atomic int64_t shown;

static void parks_for_show(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_park(publish, &shown, 0, "a friend"), 0);
	finished();
}

/* Tickets of other waits, and of those before, wake nobody. */
static void tickets_main(void *arg)
{
	int64_t id, was;

	(void)arg;
	begin();
	for (int i = 0; i < 100; i++) {
		was = atomic_load(&shown);
		id = go(parks_for_show, NULL);
		await_parked(id, WHY_PARK);
		AWAIT(atomic_load(&shown) != was); /* by its commit */
		CHECK_EQ(gamp_ready(was), -ESRCH);
		CHECK_EQ(gamp_ready(atomic_load(&shown)), 0);
		await_finished(1);
	}
	id = gamp_self();
	CHECK_EQ(gamp_ready(id), -ESRCH);
	end();
}

static void late_tickets_wake_nobody(void **state)
{
	(void)state;
	run_each(tickets_main);
}

/* ---- failures ---------------------------------------------------------- */

static int depth_seen;

static void fail_below(int depth)
{
	volatile char frame[200];

	frame[0] = (char)depth;
	if (depth > 0)
		fail_below(depth - 1);
	else if (depth == 0)
		gamp_fail(42, &depth_seen);
	depth_seen += frame[0] >= 0; /* not reached */
}

static void fails(void *arg)
{
	fail_below(*(int *)arg);
}

static void returns(void *arg)
{
	*(int *)arg += 1;
}

static void fails_within(void *arg)
{
	struct gamp_failure how = { .code = 0 };
	int depth = 3;

	CHECK_EQ(gamp_protect(fails, &depth, &how), -EFAULT);
	CHECK_EQ(how.code, 42);
	gamp_yield(); /* perhaps to another thread */
	gamp_fail(7, arg);
}

static void protect_main(void *arg)
{
	struct gamp_failure how;
	int n = 0;

	(void)arg;
	CHECK_EQ(gamp_protect(NULL, NULL, &how), -EINVAL);
	depth_seen = 0;
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(gamp_protect(returns, &n, &how), 0);
		CHECK_EQ(gamp_protect(fails, &i, NULL), -EFAULT);
		CHECK_EQ(gamp_protect(fails, &i, &how), -EFAULT);
		CHECK(!how.exception);
		CHECK_EQ(how.code, 42);
		CHECK(how.value == &depth_seen);
		CHECK_EQ(gamp_protect(fails_within, &n, &how), -EFAULT);
		CHECK_EQ(how.code, 7);
		CHECK(how.value == &n);
	}
	CHECK_EQ(n, 100);
	CHECK_EQ(depth_seen, 0);
}

static void a_failure_ends_at_the_innermost_protection(void **state)
{
	struct gamp_failure how;

	(void)state;
	assert_int_equal(gamp_protect(returns, NULL, &how), -EPERM);
	run_each(protect_main);
}

static atomic_int told, undone;
static atomic_long told_code;

static void at_failed(
    int64_t id, void **slots, const struct gamp_failure *how)
{
	CHECK_EQ(gamp_self(), id);
	CHECK(slots == gamp_slots());
	CHECK(!how->exception);
	gamp_yield();
	atomic_fetch_add(&told, 1);
	atomic_fetch_add(&told_code, how->code);
}

static void undo(void *arg)
{
	(void)arg;
	atomic_fetch_add(&undone, 1);
}

static void undo_and_fail(void *arg)
{
	atomic_fetch_add(&undone, 1);
	gamp_fail(1000, arg);
}

static void exits_within(void *arg)
{
	(void)arg;
	gamp_exit();
}

static void fails_alone(void *arg)
{
	int kind = (int)(uintptr_t)arg, depth = 10;

	CHECK_EQ(gamp_defer(undo, NULL), 0);
	if (kind == 1)
		CHECK_EQ(gamp_defer(undo_and_fail, NULL), 0);
	CHECK_EQ(gamp_defer(undo, NULL), 0);
	if (kind == 2)
		(void)gamp_protect(exits_within, NULL, NULL);
	else if (kind == 3)
		fails(&depth);
}

static void alone_main(void *arg)
{
	(void)arg;
	for (uintptr_t i = 0; i < 400; i++)
		CHECK(gamp_go(fails_alone, (void *)(i % 4)) > 0);
	AWAIT(atomic_load(&undone) == 900);
}

static void a_goroutine_that_fails_is_told_of_and_exits(void **state)
{
	static const struct gamp_embed hooks = { .failed = at_failed };

	(void)state;
	for (int procs = 1; procs <= 4; procs *= 2) {
		atomic_store(&told, 0);
		atomic_store(&told_code, 0);
		atomic_store(&undone, 0);
		run_with(alone_main,
		    &(struct gamp_options){
			.maxprocs = procs, .embed = &hooks });
		assert_int_equal(told, 200);
		assert_int_equal(told_code, 100 * 1000 + 100 * 42);
		assert_int_equal(undone, 900);
	}
	/* Without the hook it just exits. */
	atomic_store(&undone, 0);
	run_on(2, alone_main);
	assert_int_equal(undone, 900);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_is_called_once),
		TEST(two_play_with_a_semaphore_of_their_own),
		TEST(late_tickets_wake_nobody),
		TEST(a_failure_ends_at_the_innermost_protection),
		TEST(a_goroutine_that_fails_is_told_of_and_exits),
		TEST(nothing_that_is_given_is_lost),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
