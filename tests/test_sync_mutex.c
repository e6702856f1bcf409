/* SPDX-License-Identifier: MIT */
/*
 * test_sync_mutex.c - the mutex: exclusion, fairness, deadlines, cancelling.
 */
#include "tests/test_sync_util.h"

static struct gamp_mutex mutex;
static int64_t guarded; /* by the mutex; TSan looks at it */
static atomic_int inside;

static void lock_ok(void)
{
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
	CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
}

static void unlock_ok(void)
{
	CHECK_EQ(atomic_fetch_sub(&inside, 1), 1);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

/* Nobody holds it, and nobody waits. */
static void is_as_new(void)
{
	CHECK_EQ(gamp_mutex_trylock(&mutex), 0);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
	CHECK_EQ(gamp_mutex_unlock(&mutex), -EPERM);
	CHECK_EQ(QUEUED(&mutex), 0);
}

/* Locking in every way excludes. */

enum { LOOPS = 300 * SCALE };

static void hammer(int self)
{
	uint64_t x = (uint64_t)self + 77;

	for (int i = 0; i < LOOPS; i++) {
		int r = i % 3 == 0   ? gamp_mutex_trylock(&mutex)
			: i % 7 == 0 ? gamp_mutex_lock_until(&mutex,
					   gamp_now() + draw(&x, 20) * US)
				     : gamp_mutex_lock(&mutex);

		if (r < 0) {
			CHECK(r == (i % 3 == 0 ? -EAGAIN : -ETIMEDOUT) &&
			      (i % 3 == 0 || i % 7 == 0));
			continue;
		}
		CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
		guarded++;
		if (draw(&x, 50) == 0)
			dawdle(&x);
		guarded--;
		CHECK_EQ(guarded, 0);
		unlock_ok();
	}
}

static void hammer_main(void *arg)
{
	(void)arg;
	guarded = 0;
	crew_run(10, 3, hammer);
	is_as_new();
}

static void one_holds_it_at_a_time(void **state)
{
	(void)state;
	run_each(hammer_main);
}

/* The same without any goroutine. */
static void threads_need_no_runtime(void **state)
{
	static struct crew c;

	(void)state;
	if (!threads_too)
		return;
	failed.count = 0;
	guarded = 0;
	crew_start(&c, 0, 4, hammer);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(c.hands[i].thread, NULL), 0);
	is_as_new();
	assert_int_equal(failed.count, 0);
}

static void misuse_main(void *arg)
{
	struct gamp_mutex m = { 0 };

	(void)arg;
	CHECK_EQ(gamp_mutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_mutex_lock(&m), 0);
	CHECK_EQ(gamp_mutex_trylock(&m), -EAGAIN);
	CHECK_EQ(gamp_mutex_unlock(&m), 0);
	CHECK_EQ(gamp_mutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_mutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_mutex_trylock(&m), 0);
	CHECK_EQ(gamp_mutex_trylock(&m), -EAGAIN);
	CHECK_EQ(gamp_mutex_unlock(&m), 0);
}

static void unlocking_what_is_not_locked_is_refused(void **state)
{
	(void)state;
	run_each(misuse_main);
}

/* Any goroutine may unlock. */

static void unlock_it(void *arg)
{
	(void)arg;
	unlock_ok();
}

static void hand_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100 * SCALE; i++) {
		lock_ok();
		(void)go(unlock_it, NULL);
	}
	AWAIT(atomic_load(&inside) == 0);
	lock_ok();
	unlock_ok();
}

static void another_may_unlock_it(void **state)
{
	(void)state;
	run_each(hand_main);
}

/* Fairness. */

static atomic_int stop, turns, hogs;

static void hog_it(int self)
{
	if (self == 0) { /* Go's TestMutexFairness */
		for (int i = 0; i < 10; i++) {
			if (gamp_self())
				CHECK_EQ(gamp_sleep(100 * US), 0);
			lock_ok();
			unlock_ok();
		}
		atomic_store(&stop, 1);
		return;
	}
	while (!atomic_load(&stop)) {
		lock_ok();
		if (gamp_self())
			CHECK_EQ(gamp_sleep(100 * US), 0);
		unlock_ok();
	}
}

/* They never wait for anything but the mutex, until all have had it. */
static void hog_hard(int self)
{
	int64_t limit = gamp_now() + LIMIT;
	int mine = 0;

	while (atomic_load(&turns) < atomic_load(&hogs)) {
		lock_ok();
		if (++mine == 3)
			atomic_fetch_add(&turns, 1);
		unlock_ok();
		if (gamp_now() > limit) {
			CHECK_EQ(self, -1);
			break;
		}
	}
}

static void fair_main(void *arg)
{
	static struct crew c;

	(void)arg;
	atomic_store(&stop, 0);
	crew_start(&c, 2, 1, hog_it);
	crew_wait(&c);

	atomic_store(&turns, 0);
	atomic_store(&hogs, 3 + threads_too);
	crew_start(&c, 3, 1, hog_hard);
	crew_wait(&c);
}

static void locking_again_and_again_starves_nobody(void **state)
{
	(void)state;
	run_each(fair_main);
}

static atomic_int order, order_wrong;

static void take_turn(int self)
{
	lock_ok();
	if (atomic_fetch_add(&order, 1) != self)
		atomic_store(&order_wrong, 1);
	unlock_ok();
}

static void queue_main(void *arg)
{
	struct crew *c = calloc(1, sizeof(*c));

	(void)arg;
	lock_ok();
	atomic_store(&order, 0);
	atomic_store(&order_wrong, 0);
	c->fn = take_turn;
	atomic_store(&c->left, 20);
	for (int i = 0; i < 20; i++) {
		c->hands[i] = (struct hand){ .crew = c, .self = i };
		(void)go(crew_work, &c->hands[i]);
		AWAIT(QUEUED(&mutex) == i + 1);
	}
	unlock_ok();
	crew_wait(c);
	CHECK(!atomic_load(&order_wrong));
	free(c);
	is_as_new();
}

static void who_waits_comes_in_order_of_arrival(void **state)
{
	(void)state;
	run_each(queue_main);
}

/* A young waiter is overtaken by who runs; an old one is not. */

enum { HAS_IT = 1, HAD_IT };

static void lock_once(void *arg)
{
	lock_ok();
	atomic_store((atomic_int *)arg, HAS_IT);
	unlock_ok();
	atomic_store((atomic_int *)arg, HAD_IT);
}

static bool overtakes(int64_t hold)
{
	atomic_int over = 0;
	bool won;

	lock_ok();
	(void)go(lock_once, &over);
	while (QUEUED(&mutex) == 0) /* soon: it is to be young */
		gamp_yield();
	if (hold > 0)
		CHECK_EQ(gamp_sleep(hold), 0);
	unlock_ok();
	won = gamp_mutex_trylock(&mutex) == 0;
	if (won) {
		/* Not if we lost the P, and it was through before. */
		won = atomic_load(&over) == 0;
		CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
	}
	AWAIT(atomic_load(&over) == HAD_IT);
	is_as_new();
	return won;
}

static void overtake_main(void *arg)
{
	(void)arg;
	AWAIT(overtakes(0)); /* unless it was not so young */
	for (int i = 0; i < 3; i++)
		CHECK(!overtakes(4 * MS));
}

static void a_waiter_of_a_millisecond_gets_it_handed_over(void **state)
{
	(void)state;
	run_on(1, overtake_main);
}

/* Deadlines and cancelling. */

static void deadline_main(void *arg)
{
	int64_t until;

	(void)arg;
	CHECK_EQ(gamp_mutex_lock_until(&mutex, 1), 0); /* it was free */
	CHECK_EQ(gamp_mutex_lock_until(&mutex, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_mutex_lock_until(&mutex, -1), -ETIMEDOUT);
	until = gamp_now() + 2 * MS;
	CHECK_EQ(gamp_mutex_lock_until(&mutex, until), -ETIMEDOUT);
	CHECK(gamp_now() >= until);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
	is_as_new();
	CHECK_EQ(gamp_mutex_lock_until(&mutex, 0), 0);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

static void deadline_of_a_thread(int self)
{
	(void)self;
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
	CHECK_EQ(gamp_mutex_lock_until(&mutex, gamp_now() + MS), -ETIMEDOUT);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

static void deadline_all(void *arg)
{
	deadline_main(arg);
	crew_run(1, 2, deadline_of_a_thread);
	is_as_new();
}

static void a_deadline_ends_the_wait(void **state)
{
	(void)state;
	run_each(deadline_all);
}

static atomic_int begun, refused;

static void cancelled_main(void *arg)
{
	bool forever = arg;

	if (forever) {
		CHECK_EQ(gamp_mutex_lock(&mutex), 0);
		CHECK(gamp_cancelled());
	} else {
		CHECK_EQ(gamp_mutex_lock_until(&mutex, 0), -ECANCELED);
		CHECK_EQ(gamp_mutex_lock_until(&mutex, 0), -ECANCELED);
		atomic_store(&refused, 1);
		while (atomic_load(&inside) != 2)
			gamp_yield();
		CHECK_EQ(gamp_mutex_lock_until(&mutex, 0), 0); /* free */
	}
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
	atomic_fetch_add(&begun, 1);
}

static void cancel_main(void *arg)
{
	int64_t a, b;

	(void)arg;
	atomic_store(&begun, 0);
	atomic_store(&refused, 0);
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
	a = go(cancelled_main, NULL);
	b = go(cancelled_main, (void *)1);
	await_parked(a, WHY_MUTEX);
	await_parked(b, WHY_MUTEX);
	CHECK_EQ(gamp_cancel(b), 0);
	for (int i = 0; i < 100; i++)
		gamp_yield();
	CHECK(is_parked(b, WHY_MUTEX));
	CHECK_EQ(gamp_cancel(a), 0);
	AWAIT(QUEUED(&mutex) == 1);
	AWAIT(atomic_load(&refused) == 1); /* before it could have it */
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
	AWAIT(atomic_load(&begun) == 1);
	atomic_store(&inside, 2);
	AWAIT(atomic_load(&begun) == 2);
	atomic_store(&inside, 0);
	is_as_new();
}

static void only_waits_with_a_deadline_are_cancelled(void **state)
{
	(void)state;
	run_each(cancel_main);
}

/*
 * Unlock, deadline and cancel race for the same waiters.  Whoever returns 0
 * owns it, alone; nobody is forgotten, and in the end it is free.
 */

enum { VICTIMS = 3, RACES = 1000 * SCALE };

static struct crew racers;
static atomic_int outcomes[3];

static void race(int self)
{
	uint64_t x = (uint64_t)self * 99 + (uint64_t)atomic_load(&turns) + 1;
	int64_t until = gamp_now() + draw(&x, 40) * US;
	int r;

	r = draw(&x, 4) ? gamp_mutex_lock_until(&mutex, until)
			: gamp_mutex_lock(&mutex);
	if (r == 0) {
		CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
		if (draw(&x, 3) == 0)
			dawdle(&x);
		unlock_ok();
	} else {
		CHECK(r == -ETIMEDOUT || r == -ECANCELED);
	}
	atomic_fetch_add(&outcomes[r == 0 ? 0 : r == -ETIMEDOUT ? 1 : 2], 1);
}

static void race_main(void *arg)
{
	uint64_t x = random64() | 1;

	(void)arg;
	for (int i = 0; i < RACES; i++) {
		atomic_store(&turns, (int)draw(&x, 1 << 30));
		lock_ok();
		crew_start(&racers, VICTIMS, i % 16 == 0, race);
		dawdle(&x);
		if (draw(&x, 2))
			(void)gamp_cancel(racers.hands[draw(&x, VICTIMS)].id);
		if (draw(&x, 2))
			dawdle(&x);
		unlock_ok();
		crew_wait(&racers);
		is_as_new();
	}
	for (int i = 0; i < 3; i++)
		CHECK(atomic_exchange(&outcomes[i], 0) > 0);
}

static void unlock_deadline_and_cancel_have_one_winner(void **state)
{
	(void)state;
	run_each(race_main);
}

/* Whoever comes out last frees it. */

struct shared {
	struct gamp_mutex m;
	int refs;
};

static struct shared *_Atomic shared;

static void drop(int self)
{
	uint64_t x = (uint64_t)self + 5;
	struct shared *s = atomic_load(&shared);
	bool last;

	if (self > 1)
		dawdle(&x);
	CHECK_EQ(gamp_mutex_lock(&s->m), 0);
	last = --s->refs == 0;
	CHECK_EQ(gamp_mutex_unlock(&s->m), 0);
	if (last) {
		memset(s, 0x5a, sizeof(*s));
		free(s);
	}
}

static void free_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 300 * SCALE; i++) {
		struct shared *s = calloc(1, sizeof(*s));
		int threads = i % 8 == 0;

		s->refs = 3 + (threads_too ? threads : 0);
		atomic_store(&shared, s);
		crew_run(3, threads, drop);
	}
}

static void the_last_user_frees_it(void **state)
{
	(void)state;
	run_each(free_main);
}

/* On g0 nothing waits, but everything else works. */

static void calls_on_g0(void)
{
	CHECK_EQ(gamp_mutex_lock(&mutex), -EDEADLK);
	CHECK_EQ(gamp_mutex_lock_until(&mutex, 0), -EDEADLK);
	CHECK_EQ(gamp_mutex_trylock(&mutex), -EAGAIN);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0); /* wakes the waiter */
}

static void locks_on_g0(void)
{
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

static void g0_main(void *arg)
{
	atomic_int over = 0;
	int64_t id;

	(void)arg;
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
	id = go(lock_once, &over);
	await_parked(id, WHY_MUTEX);
	call_on_g0(calls_on_g0);
	AWAIT(atomic_load(&over) == HAD_IT);
	is_as_new();
	call_on_g0(locks_on_g0);
	is_as_new();
}

static void the_schedulers_stack_does_not_wait(void **state)
{
	(void)state;
	run_each(g0_main);
}

/* A mutex may be left locked, or hot, from one run to the next. */

static void leave_locked(void *arg)
{
	(void)arg;
	lock_ok();
}

static void unlock_left(void *arg)
{
	(void)arg;
	unlock_ok();
	is_as_new();
}

static void it_outlives_a_run(void **state)
{
	static const int procs[] = { 1, 2, 1, 4 };

	(void)state;
	for (size_t i = 1; i < LEN(procs); i++) {
		run_on(procs[i - 1], leave_locked);
		run_on(procs[i], unlock_left);
		run_on(procs[i], hammer_main);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(one_holds_it_at_a_time),
		TEST(threads_need_no_runtime),
		TEST(unlocking_what_is_not_locked_is_refused),
		TEST(another_may_unlock_it),
		TEST(locking_again_and_again_starves_nobody),
		TEST(who_waits_comes_in_order_of_arrival),
		TEST(a_waiter_of_a_millisecond_gets_it_handed_over),
		TEST(a_deadline_ends_the_wait),
		TEST(only_waits_with_a_deadline_are_cancelled),
		TEST(unlock_deadline_and_cancel_have_one_winner),
		TEST(the_last_user_frees_it),
		TEST(the_schedulers_stack_does_not_wait),
		TEST(it_outlives_a_run),
	};

	take_arguments(argc, argv);
	return RUN_TWICE(tests);
}
