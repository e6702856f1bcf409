/* SPDX-License-Identifier: MIT */
/*
 * test_sync_cond.c - conditions: nobody is forgotten, nobody is overtaken.
 */
#include "tests/test_sync_util.h"

static struct gamp_mutex mutex;
static struct gamp_cond cond;

static atomic_int waits, woken, wrong;

static void lock_ok(void)
{
	CHECK_EQ(gamp_mutex_lock(&mutex), 0);
}

static void unlock_ok(void)
{
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

static void is_as_new(void)
{
	CHECK_EQ(gamp_mutex_trylock(&mutex), 0);
	unlock_ok();
	CHECK_EQ(QUEUED(&cond), 0);
	CHECK_EQ(QUEUED(&mutex), 0);
}

static void signal_locked(void)
{
	lock_ok();
	CHECK_EQ(gamp_cond_signal(&cond), 0);
	unlock_ok();
}

/* One at a time (Go's TestCondSignal). */

static void wait_once(int self)
{
	(void)self;
	lock_ok();
	atomic_fetch_add(&waits, 1);
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
	CHECK_EQ(gamp_mutex_trylock(&mutex), -EAGAIN); /* it is held */
	atomic_fetch_add(&woken, 1);
	unlock_ok();
}

static void signal_main(void *arg)
{
	static struct crew c;

	(void)arg;
	atomic_store(&waits, 0);
	atomic_store(&woken, 0);
	crew_start(&c, 3, 2, wait_once);
	AWAIT(QUEUED(&cond) == c.n);
	for (int i = 0; i < c.n; i++) {
		CHECK_EQ(atomic_load(&woken), i);
		if (i % 2)
			signal_locked();
		else
			CHECK_EQ(gamp_cond_signal(&cond), 0);
		AWAIT(atomic_load(&woken) == i + 1);
		for (int k = 0; k < 20; k++)
			gamp_yield();
	}
	CHECK_EQ(atomic_load(&woken), c.n);
	CHECK_EQ(gamp_cond_signal(&cond), 0); /* for nobody */
	crew_wait(&c);
	is_as_new();
}

static void a_signal_wakes_one(void **state)
{
	(void)state;
	run_each(signal_main);
}

/* Go's TestCondSignalGenerations: the one that has waited longest. */

static atomic_int last;

static void wait_in_line(void *arg)
{
	int self = (int)(intptr_t)arg;

	lock_ok();
	atomic_fetch_add(&waits, 1);
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
	if (atomic_exchange(&last, self) != self - 1)
		atomic_store(&wrong, 1);
	unlock_ok();
}

static void generations_main(void *arg)
{
	(void)arg;
	atomic_store(&waits, 0);
	atomic_store(&wrong, 0);
	atomic_store(&last, -1);
	for (int i = 0; i < 100; i++) {
		(void)go(wait_in_line, (void *)(intptr_t)i);
		AWAIT(atomic_load(&last) == i - 1);
		AWAIT(atomic_load(&waits) == i + 1);
		signal_locked();
	}
	AWAIT(atomic_load(&last) == 99);
	/* All at once, in order. */
	atomic_store(&last, -1);
	for (int i = 0; i < 50; i++) {
		(void)go(wait_in_line, (void *)(intptr_t)i);
		AWAIT(QUEUED(&cond) == i + 1);
	}
	for (int i = 0; i < 50; i++) {
		signal_locked();
		AWAIT(atomic_load(&last) == i);
	}
	CHECK(!atomic_load(&wrong));
	lock_ok(); /* the last one has left it */
	unlock_ok();
	is_as_new();
}

static void a_signal_is_for_who_waited_longest(void **state)
{
	(void)state;
	run_each(generations_main);
}

/* Go's TestCondBroadcast: everybody, once, in each of many rounds. */

enum { CROWD = 40, ROUNDS = 20 };

static int round_no;
static atomic_int seen[CREW_MAX];

static void wait_rounds(int self)
{
	lock_ok();
	for (int i = 0; i < ROUNDS; i++) {
		int mine = round_no;

		atomic_fetch_add(&waits, 1);
		CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
		CHECK_EQ(round_no, mine + 1);
		CHECK_EQ(atomic_fetch_add(&seen[self], 1), i);
	}
	unlock_ok();
}

static void broadcast_main(void *arg)
{
	static struct crew c;

	(void)arg;
	atomic_store(&waits, 0);
	for (int i = 0; i < CREW_MAX; i++)
		atomic_store(&seen[i], 0);
	round_no = 0;
	crew_start(&c, CROWD, 3, wait_rounds);
	for (int i = 0; i < ROUNDS; i++) {
		AWAIT(atomic_load(&waits) == (i + 1) * c.n);
		lock_ok(); /* so the last one waits */
		round_no++;
		if (i % 2 == 0)
			unlock_ok();
		CHECK_EQ(gamp_cond_broadcast(&cond), 0);
		if (i % 2)
			unlock_ok();
	}
	crew_wait(&c);
	CHECK_EQ(gamp_cond_broadcast(&cond), 0);
	is_as_new();
}

static void a_broadcast_wakes_everybody_once(void **state)
{
	(void)state;
	run_each(broadcast_main);
}

/* Go's TestRace: three that pass a number on. */

static int x;

static void race(int self)
{
	lock_ok();
	if (self == 0) {
		x = 1;
		CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
		CHECK_EQ(x, 2);
		x = 3;
		CHECK_EQ(gamp_cond_signal(&cond), 0);
		unlock_ok();
		return;
	}
	for (;;) {
		if (self == 1 && x == 1) {
			x = 2;
			CHECK_EQ(gamp_cond_signal(&cond), 0);
			break;
		}
		if (self == 2 && x == 2) {
			CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
			CHECK_EQ(x, 3);
			break;
		}
		if (self == 2 && x == 3)
			break;
		unlock_ok();
		if (gamp_self())
			gamp_yield();
		else
			(void)sched_yield();
		lock_ok();
	}
	unlock_ok();
}

static void race_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20 * SCALE; i++) {
		x = 0;
		crew_run(3 - threads_too * (i % 3), i % 3, race);
	}
	is_as_new();
}

static void three_pass_a_number_on(void **state)
{
	(void)state;
	run_each(race_main);
}

/* Go's TestCondSignalStealing: who waited first gets the broadcast, whoever
 * begins to wait beside it. */

static bool done;

static void first_waiter(void *arg)
{
	(void)arg;
	lock_ok();
	atomic_store(&waits, 1);
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
	unlock_ok();
	atomic_fetch_add(&woken, 1);
}

static void steal(int self)
{
	if (self == 0) {
		CHECK_EQ(gamp_cond_broadcast(&cond), 0);
		return;
	}
	lock_ok();
	while (!done)
		CHECK_EQ(gamp_cond_wait(&cond, &mutex), 0);
	unlock_ok();
}

static void stealing_main(void *arg)
{
	static struct crew c;

	(void)arg;
	for (int i = 0; i < 200 * SCALE; i++) {
		atomic_store(&waits, 0);
		atomic_store(&woken, 0);
		done = false;
		(void)go(first_waiter, NULL);
		AWAIT(atomic_load(&waits));
		lock_ok();
		unlock_ok();
		crew_start(&c, 2, i % 16 == 0, steal);
		AWAIT(atomic_load(&woken));
		lock_ok();
		done = true;
		unlock_ok();
		CHECK_EQ(gamp_cond_broadcast(&cond), 0);
		crew_wait(&c);
	}
	is_as_new();
}

static void a_later_waiter_steals_no_broadcast(void **state)
{
	(void)state;
	run_each(stealing_main);
}

/* Misuse, deadlines, cancelling: the mutex is held afterwards, always. */

static void misuse_main(void *arg)
{
	struct gamp_mutex m = { 0 };

	(void)arg;
	CHECK_EQ(gamp_cond_wait(&cond, &m), -EPERM);
	CHECK_EQ(gamp_cond_wait_until(&cond, &m, 1), -EPERM);
	CHECK_EQ(gamp_mutex_trylock(&m), 0);
	CHECK_EQ(gamp_cond_wait_until(&cond, &m, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_mutex_trylock(&m), -EAGAIN);
	CHECK_EQ(gamp_mutex_unlock(&m), 0);
	is_as_new();
}

static void waiting_without_the_mutex_is_refused(void **state)
{
	(void)state;
	run_each(misuse_main);
}

static void time_out(int self)
{
	int64_t until = gamp_now() + (1 + self) * MS;

	lock_ok();
	CHECK_EQ(gamp_cond_wait_until(&cond, &mutex, until), -ETIMEDOUT);
	CHECK(gamp_now() >= until);
	CHECK_EQ(gamp_mutex_trylock(&mutex), -EAGAIN);
	unlock_ok();
}

static void be_cancelled(void *arg)
{
	(void)arg;
	lock_ok();
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), -ECANCELED);
	CHECK_EQ(gamp_mutex_trylock(&mutex), -EAGAIN);
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), -ECANCELED);
	CHECK_EQ(gamp_mutex_trylock(&mutex), -EAGAIN);
	atomic_fetch_add(&woken, 1);
	unlock_ok();
}

static void leave_main(void *arg)
{
	int64_t id;

	(void)arg;
	crew_run(3, 2, time_out);
	atomic_store(&woken, 0);
	id = go(be_cancelled, NULL);
	await_parked(id, WHY_COND);
	lock_ok(); /* it comes back only with the mutex */
	CHECK_EQ(gamp_cancel(id), 0);
	await_parked(id, WHY_MUTEX);
	CHECK_EQ(atomic_load(&woken), 0);
	unlock_ok();
	AWAIT(atomic_load(&woken) == 1);
	lock_ok(); /* it has left it */
	unlock_ok();
	is_as_new();
}

static void who_leaves_early_holds_the_mutex(void **state)
{
	(void)state;
	run_each(leave_main);
}

/*
 * One waits with a deadline, or is cancelled; another waits behind it for
 * ever.  One signal, at about that time, is for exactly one of the two.
 */

static atomic_int got, patient;

static void impatient(int self)
{
	uint64_t rnd = (uint64_t)atomic_load(&last) * 7 + 1;
	int64_t until = gamp_now() + (30 + draw(&rnd, 60)) * US;
	int r;

	lock_ok();
	atomic_fetch_add(&waits, 1);
	if (self == 0) {
		r = gamp_cond_wait_until(&cond, &mutex, until);
		CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	} else {
		r = gamp_cond_wait(&cond, &mutex);
		CHECK_EQ(r, 0);
	}
	if (r == 0)
		atomic_fetch_add(&got, 1);
	if (self == 1)
		atomic_fetch_add(&patient, 1);
	unlock_ok();
}

static void one_of_two_main(void *arg)
{
	static struct crew c;
	uint64_t rnd = random64() | 1;

	(void)arg;
	for (int i = 0; i < 300 * SCALE; i++) {
		atomic_store(&last, (int)draw(&rnd, 1 << 30));
		atomic_store(&waits, 0);
		atomic_store(&got, 0);
		atomic_store(&patient, 0);
		/* The second begins when the first waits, or has left. */
		crew_start(&c, 1, 0, impatient);
		AWAIT(atomic_load(&waits) == 1);
		lock_ok();
		unlock_ok();
		c.n = 2;
		atomic_fetch_add(&c.left, 1);
		c.hands[1] = (struct hand){ .crew = &c, .self = 1 };
		(void)go(crew_work, &c.hands[1]);
		AWAIT(atomic_load(&waits) == 2);
		lock_ok();
		unlock_ok();
		dawdle(&rnd);
		if (draw(&rnd, 2))
			(void)gamp_cancel(c.hands[0].id);
		if (draw(&rnd, 2))
			dawdle(&rnd);
		CHECK_EQ(gamp_cond_signal(&cond), 0);
		AWAIT(atomic_load(&got) == 1);
		if (!atomic_load(&patient))
			signal_locked();
		crew_wait(&c);
		CHECK(atomic_load(&got) <= 2);
		is_as_new();
	}
}

static void a_signal_is_not_lost_on_who_leaves(void **state)
{
	(void)state;
	run_each(one_of_two_main);
}

/* A queue of numbers between two kinds, by two conditions. */

enum { SLOTS = 3 };

static struct gamp_cond not_full, not_empty;
static int64_t slots[SLOTS], count, sent, received, sum;

static void produce_and_consume(int self)
{
	enum { EACH = 200 * SCALE };

	for (int i = 0; i < EACH; i++) {
		lock_ok();
		if (self % 2 == 0) {
			while (count == SLOTS)
				CHECK_EQ(gamp_cond_wait(&not_full, &mutex), 0);
			slots[sent % SLOTS] = sent;
			sent++;
			count++;
			CHECK_EQ(gamp_cond_signal(&not_empty), 0);
			unlock_ok();
		} else {
			while (count == 0)
				CHECK_EQ(gamp_cond_wait(&not_empty, &mutex), 0);
			CHECK_EQ(slots[received % SLOTS], received);
			sum += received++;
			count--;
			unlock_ok();
			CHECK_EQ(gamp_cond_signal(&not_full), 0);
		}
	}
}

static void queue_main(void *arg)
{
	int64_t n;

	(void)arg;
	count = sent = received = sum = 0;
	crew_run(6, 2, produce_and_consume);
	n = sent;
	CHECK_EQ(received, n);
	CHECK_EQ(sum, n * (n - 1) / 2);
	is_as_new();
}

static void no_signal_is_lost_in_a_queue(void **state)
{
	(void)state;
	run_each(queue_main);
}

/* Whoever waits may free it when it comes out. */

struct job {
	struct gamp_mutex m;
	struct gamp_cond c;
	bool done;
};

static void finish_job(void *arg)
{
	struct job *j = arg;

	CHECK_EQ(gamp_mutex_lock(&j->m), 0);
	j->done = true;
	CHECK_EQ(gamp_cond_signal(&j->c), 0);
	CHECK_EQ(gamp_mutex_unlock(&j->m), 0);
}

static void *finish_job_thread(void *arg)
{
	finish_job(arg);
	return NULL;
}

static void free_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200 * SCALE; i++) {
		struct job *j = calloc(1, sizeof(*j));
		bool by_thread = threads_too && i % 8 == 0;
		pthread_t t;

		if (by_thread)
			CHECK(pthread_create(&t, NULL, finish_job_thread, j) ==
			      0);
		else
			(void)go(finish_job, j);
		CHECK_EQ(gamp_mutex_lock(&j->m), 0);
		while (!j->done)
			CHECK_EQ(gamp_cond_wait(&j->c, &j->m), 0);
		CHECK_EQ(gamp_mutex_unlock(&j->m), 0);
		free(j);
		if (by_thread)
			(void)pthread_join(t, NULL);
	}
}

static void who_waited_frees_it(void **state)
{
	(void)state;
	run_each(free_main);
}

/* Who may not wait goes round, and is not in the way. */

static bool let_go, is_late; /* guarded by mutex; before it starts */

static void go_round(void *arg)
{
	int64_t limit = gamp_now() + LIMIT / 2;
	int r;

	(void)arg;
	lock_ok();
	do
		r = is_late ? gamp_cond_wait_until(&cond, &mutex, 1)
			    : gamp_cond_wait(&cond, &mutex);
	while (!let_go && gamp_now() < limit);
	CHECK_EQ(r, is_late ? -ETIMEDOUT : -ECANCELED);
	CHECK(let_go);
	unlock_ok();
	atomic_fetch_add(&woken, 1); /* it may have lost its P before */
}

static void round_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20 && !failed.count; i++) {
		int64_t id;

		let_go = false;
		is_late = i % 2;
		atomic_store(&woken, 0);
		id = go(go_round, NULL);
		gamp_yield();
		if (!is_late) {
			AWAIT(QUEUED(&cond) == 1);
			CHECK_EQ(gamp_cancel(id), 0);
		}
		for (int k = 0; k < 5; k++) {
			CHECK_EQ(gamp_mutex_lock_until(
				     &mutex, gamp_now() + LIMIT / 4),
			    0);
			let_go = k == 4;
			unlock_ok();
		}
		AWAIT(atomic_load(&woken) == 1);
		is_as_new();
	}
}

static void who_may_not_wait_lets_others_have_the_mutex(void **state)
{
	(void)state;
	run_each(round_main);
}

/* On g0 nothing waits; signals work. */

static void calls_on_g0(void)
{
	CHECK_EQ(gamp_mutex_trylock(&mutex), 0);
	CHECK_EQ(gamp_cond_wait(&cond, &mutex), -EDEADLK);
	CHECK_EQ(gamp_cond_signal(&cond), 0);
	CHECK_EQ(gamp_cond_broadcast(&cond), 0);
	CHECK_EQ(gamp_mutex_unlock(&mutex), 0);
}

static void g0_main(void *arg)
{
	static struct crew c;

	(void)arg;
	atomic_store(&woken, 0);
	crew_start(&c, 3, 0, wait_once);
	AWAIT(QUEUED(&cond) == 3);
	lock_ok(); /* nobody is about to leave it */
	unlock_ok();
	call_on_g0(calls_on_g0);
	crew_wait(&c);
	CHECK_EQ(atomic_load(&woken), 3);
	is_as_new();
}

static void the_schedulers_stack_signals(void **state)
{
	(void)state;
	run_each(g0_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_signal_wakes_one),
		TEST(a_signal_is_for_who_waited_longest),
		TEST(a_broadcast_wakes_everybody_once),
		TEST(three_pass_a_number_on),
		TEST(a_later_waiter_steals_no_broadcast),
		TEST(waiting_without_the_mutex_is_refused),
		TEST(who_leaves_early_holds_the_mutex),
		TEST(a_signal_is_not_lost_on_who_leaves),
		TEST(no_signal_is_lost_in_a_queue),
		TEST(who_waited_frees_it),
		TEST(who_may_not_wait_lets_others_have_the_mutex),
		TEST(the_schedulers_stack_signals),
	};

	take_arguments(argc, argv);
	return RUN_TWICE(tests);
}
