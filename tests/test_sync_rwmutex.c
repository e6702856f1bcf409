/* SPDX-License-Identifier: MIT */
/*
 * test_sync_rwmutex.c - readers together, writers alone, nobody starves.
 */
#include "tests/test_sync_util.h"

static struct gamp_rwmutex rw;
static int64_t guarded;     /* by rw; TSan looks at it */
static atomic_int activity; /* readers + WRITER for each writer */
static atomic_int stop, reads, writes, order;

enum { WRITER = 10000 };

static int64_t waiting(int kind)
{
	return queued_in(&rw.lock, &rw.waiters[kind]);
}

static void is_as_new(void)
{
	CHECK_EQ(gamp_rwmutex_trylock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_tryrlock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);
	CHECK_EQ(waiting(0) + waiting(1), 0);
}

static void read_in(void)
{
	int n = atomic_fetch_add(&activity, 1) + 1;

	CHECK(n >= 1 && n < WRITER);
	(void)guarded;
	atomic_fetch_add(&reads, 1);
}

static void read_out(void)
{
	atomic_fetch_sub(&activity, 1);
	CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);
}

static void write_in(void)
{
	CHECK_EQ(atomic_fetch_add(&activity, WRITER), 0);
	guarded++;
	atomic_fetch_add(&writes, 1);
}

static void write_out(void)
{
	CHECK_EQ(atomic_fetch_sub(&activity, WRITER), WRITER);
	CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
}

/* Go's TestParallelReaders. */

static void read_together(int self)
{
	(void)self;
	CHECK_EQ(gamp_rwmutex_rlock(&rw), 0);
	read_in();
	AWAIT(atomic_load(&stop));
	read_out();
}

static void parallel_main(void *arg)
{
	static struct crew c;

	(void)arg;
	atomic_store(&stop, 0);
	crew_start(&c, 4, 2, read_together);
	AWAIT(atomic_load(&activity) == c.n);
	CHECK_EQ(gamp_rwmutex_trylock(&rw), -EAGAIN);
	CHECK_EQ(gamp_rwmutex_tryrlock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);
	atomic_store(&stop, 1);
	crew_wait(&c);
	is_as_new();
}

static void readers_read_together(void **state)
{
	(void)state;
	run_each(parallel_main);
}

/* Go's HammerRWMutex, with tries and deadlines among it. */

static void hammer(int self)
{
	uint64_t x = (uint64_t)self + 31;

	for (int i = 0; i < 150 * SCALE; i++) {
		bool writes_now = self % 5 == 0;
		int64_t until = gamp_now() + draw(&x, 30) * US;
		int r;

		switch (draw(&x, 4)) {
		case 0:
			r = writes_now ? gamp_rwmutex_trylock(&rw)
				       : gamp_rwmutex_tryrlock(&rw);
			break;
		case 1:
			r = writes_now ? gamp_rwmutex_lock_until(&rw, until)
				       : gamp_rwmutex_rlock_until(&rw, until);
			break;
		default:
			r = writes_now ? gamp_rwmutex_lock(&rw)
				       : gamp_rwmutex_rlock(&rw);
			CHECK_EQ(r, 0);
		}
		CHECK(r == 0 || r == -EAGAIN || r == -ETIMEDOUT);
		if (r < 0)
			continue;
		if (writes_now)
			write_in();
		else
			read_in();
		if (draw(&x, 20) == 0)
			dawdle(&x);
		if (writes_now)
			write_out();
		else
			read_out();
	}
}

static void hammer_main(void *arg)
{
	(void)arg;
	crew_run(10, 3, hammer);
	is_as_new();
}

static void writers_write_alone(void **state)
{
	(void)state;
	run_each(hammer_main);
}

static void misuse_main(void *arg)
{
	struct gamp_rwmutex m = { 0 };

	(void)arg;
	CHECK_EQ(gamp_rwmutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_runlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_rlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_runlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_lock(&m), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_trylock(&m), -EAGAIN);
	CHECK_EQ(gamp_rwmutex_tryrlock(&m), -EAGAIN);
	CHECK_EQ(gamp_rwmutex_unlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_unlock(&m), -EPERM);
	CHECK_EQ(gamp_rwmutex_tryrlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_tryrlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_trylock(&m), -EAGAIN);
	CHECK_EQ(gamp_rwmutex_runlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_lock_until(&m, 1), 0); /* it was free */
	CHECK_EQ(gamp_rwmutex_lock_until(&m, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_rwmutex_rlock_until(&m, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_rwmutex_rlock_until(&m, gamp_now() + MS), -ETIMEDOUT);
	CHECK_EQ(gamp_rwmutex_unlock(&m), 0);
	CHECK_EQ(gamp_rwmutex_rlock_until(&m, 1), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&m), 0);
}

static void unlocking_what_is_not_locked_is_refused(void **state)
{
	(void)state;
	run_each(misuse_main);
}

/*
 * The order.  A script of arrivals behind a holder, who then leaves; each that
 * gets in writes down when, and holds it until everybody of its group is in.
 */

struct arrival {
	bool writes;
	int group; /* in which it gets in */
};

static const struct arrival *script;
static atomic_int group_left[8];

static void arrive(int self)
{
	const struct arrival *a = &script[self];

	if (a->writes)
		CHECK_EQ(gamp_rwmutex_lock(&rw), 0);
	else
		CHECK_EQ(gamp_rwmutex_rlock(&rw), 0);
	for (int g = 0; g < a->group; g++)
		CHECK_EQ(atomic_load(&group_left[g]), 0);
	atomic_fetch_sub(&group_left[a->group], 1);
	AWAIT(atomic_load(&group_left[a->group]) == 0);
	if (a->writes)
		CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
	else
		CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);
}

static void play(bool writer_holds, const struct arrival *s, int n)
{
	static struct crew c;

	script = s;
	for (int i = 0; i < 8; i++)
		atomic_store(&group_left[i], 0);
	for (int i = 0; i < n; i++)
		atomic_fetch_add(&group_left[s[i].group], 1);
	CHECK_EQ(
	    writer_holds ? gamp_rwmutex_lock(&rw) : gamp_rwmutex_rlock(&rw), 0);
	c = (struct crew){ .fn = arrive, .n = n };
	atomic_store(&c.left, n);
	for (int i = 0; i < n; i++) {
		c.hands[i] = (struct hand){ .crew = &c, .self = i };
		(void)go(crew_work, &c.hands[i]);
		AWAIT(waiting(0) + waiting(1) == i + 1);
	}
	CHECK_EQ(gamp_rwmutex_tryrlock(&rw), -EAGAIN);
	CHECK_EQ(
	    writer_holds ? gamp_rwmutex_unlock(&rw) : gamp_rwmutex_runlock(&rw),
	    0);
	crew_wait(&c);
	is_as_new();
}

static void order_main(void *arg)
{
	/* Behind a reader: in the order of arrival, until a writer unlocks. */
	static const struct arrival a[] = { { true, 0 }, { false, 1 },
		{ false, 1 }, { true, 2 }, { false, 1 }, { true, 3 } };
	/* Behind a writer: all readers first. */
	static const struct arrival b[] = { { true, 1 }, { false, 0 },
		{ true, 2 }, { false, 0 }, { false, 0 } };
	static const struct arrival w[] = { { true, 0 }, { true, 1 },
		{ true, 2 } };

	(void)arg;
	for (int i = 0; i < 10; i++) {
		play(false, a, LEN(a));
		play(true, b, LEN(b));
		play(true, w, LEN(w));
		play(false, w, LEN(w));
	}
}

static void they_come_in_the_order_promised(void **state)
{
	(void)state;
	run_each(order_main);
}

/* A waiting writer that gives up lets those behind it in. */

static void give_up(void *arg)
{
	bool writer = arg;
	int r = writer ? gamp_rwmutex_lock_until(&rw, 0)
		       : gamp_rwmutex_rlock_until(&rw, 0);

	CHECK_EQ(r, -ECANCELED);
	atomic_fetch_add(&order, 1);
}

static void read_once(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_rwmutex_rlock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);
	atomic_fetch_add(&order, 1);
}

static void write_once(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_rwmutex_lock(&rw), 0);
	CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
	atomic_fetch_add(&order, 1);
}

static void give_up_main(void *arg)
{
	int64_t id, firm;

	(void)arg;
	atomic_store(&order, 0);
	CHECK_EQ(gamp_rwmutex_rlock(&rw), 0);
	id = go(give_up, (void *)1);
	await_parked(id, WHY_RWMUTEX);
	(void)go(read_once, NULL);
	(void)go(read_once, NULL);
	AWAIT(waiting(0) == 2);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&order) == 3);
	CHECK_EQ(gamp_rwmutex_runlock(&rw), 0);

	CHECK_EQ(gamp_rwmutex_lock(&rw), 0);
	id = go(give_up, NULL);
	await_parked(id, WHY_RWMUTEX);
	firm = go(write_once, NULL);
	await_parked(firm, WHY_RWMUTEX);
	CHECK_EQ(gamp_cancel(firm), 0); /* it waits all the same */
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&order) == 4);
	CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
	AWAIT(atomic_load(&order) == 5);
	is_as_new();
}

static void who_gives_up_is_not_in_the_way(void **state)
{
	(void)state;
	run_each(give_up_main);
}

/* Neither kind starves the other, however many there are of it. */

static atomic_int writer_alone;

static void one_turn(bool writes_now)
{
	CHECK_EQ(
	    writes_now ? gamp_rwmutex_lock(&rw) : gamp_rwmutex_rlock(&rw), 0);
	if (gamp_self())
		gamp_yield();
	CHECK_EQ(
	    writes_now ? gamp_rwmutex_unlock(&rw) : gamp_rwmutex_runlock(&rw),
	    0);
}

/* The first is of one kind, all others of the other. */
static void crowd(int self)
{
	bool writes_now = (self == 0) == atomic_load(&writer_alone);

	if (self > 0) {
		while (!atomic_load(&stop))
			one_turn(writes_now);
		return;
	}
	for (int i = 0; i < 20; i++)
		one_turn(writes_now);
	atomic_store(&stop, 1);
}

static void crowd_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		atomic_store(&writer_alone, i);
		atomic_store(&stop, 0);
		crew_run(8, 2, crowd);
	}
	is_as_new();
}

static void neither_kind_starves_the_other(void **state)
{
	(void)state;
	run_each(crowd_main);
}

/* Unlock, deadline and cancel race; in the end nobody has it. */

static struct crew racers;
static atomic_int seed;

static void race(int self)
{
	uint64_t x = (uint64_t)self * 99 + (uint64_t)atomic_load(&seed) + 1;
	int64_t until = gamp_now() + draw(&x, 40) * US;
	bool writes_now = draw(&x, 2);
	int r = writes_now ? gamp_rwmutex_lock_until(&rw, until)
			   : gamp_rwmutex_rlock_until(&rw, until);

	CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r < 0)
		return;
	if (writes_now) {
		write_in();
		dawdle(&x);
		write_out();
	} else {
		read_in();
		dawdle(&x);
		read_out();
	}
}

static void race_main(void *arg)
{
	uint64_t x = random64() | 1;

	(void)arg;
	for (int i = 0; i < 300 * SCALE; i++) {
		bool writer = draw(&x, 2);

		atomic_store(&seed, (int)draw(&x, 1 << 30));
		CHECK_EQ(
		    writer ? gamp_rwmutex_lock(&rw) : gamp_rwmutex_rlock(&rw),
		    0);
		crew_start(&racers, 4, i % 16 == 0, race);
		dawdle(&x);
		if (draw(&x, 2))
			(void)gamp_cancel(racers.hands[draw(&x, 4)].id);
		dawdle(&x);
		CHECK_EQ(writer ? gamp_rwmutex_unlock(&rw)
				: gamp_rwmutex_runlock(&rw),
		    0);
		crew_wait(&racers);
		is_as_new();
	}
}

static void unlock_deadline_and_cancel_have_one_winner(void **state)
{
	(void)state;
	run_each(race_main);
}

/* Whoever comes out last frees it. */

struct shared {
	struct gamp_rwmutex m;
	atomic_int refs;
};

static struct shared *_Atomic shared;

static void drop(int self)
{
	uint64_t x = (uint64_t)self + 5;
	struct shared *s = atomic_load(&shared);
	bool last;

	if (self > 1)
		dawdle(&x);
	if (self % 2)
		CHECK_EQ(gamp_rwmutex_lock(&s->m), 0);
	else
		CHECK_EQ(gamp_rwmutex_rlock(&s->m), 0);
	last = atomic_fetch_sub(&s->refs, 1) == 1;
	if (last) { /* alone, once the others have unlocked */
		if (self % 2 == 0) {
			CHECK_EQ(gamp_rwmutex_runlock(&s->m), 0);
			CHECK_EQ(gamp_rwmutex_lock(&s->m), 0);
		}
		CHECK_EQ(gamp_rwmutex_unlock(&s->m), 0);
		memset(s, 0x5a, sizeof(*s));
		free(s);
	} else if (self % 2) {
		CHECK_EQ(gamp_rwmutex_unlock(&s->m), 0);
	} else {
		CHECK_EQ(gamp_rwmutex_runlock(&s->m), 0);
	}
}

static void free_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200 * SCALE; i++) {
		struct shared *s = calloc(1, sizeof(*s));
		int threads = i % 8 == 0;

		atomic_store(&s->refs, 4 + (threads_too ? threads : 0));
		atomic_store(&shared, s);
		crew_run(4, threads, drop);
	}
}

static void the_last_user_frees_it(void **state)
{
	(void)state;
	run_each(free_main);
}

/* One unlock too many, beside the right one. */

static atomic_int arrived, refused;

static void write_through(int self)
{
	(void)self;
	CHECK_EQ(gamp_rwmutex_lock(&rw), 0);
	write_in();
	write_out();
}

static void unlock_together(int self)
{
	int r;

	(void)self;
	atomic_fetch_add(&arrived, 1);
	for (int i = 0; atomic_load(&arrived) < 2; i++)
		if (i > 1000)
			gamp_yield();
	r = gamp_rwmutex_runlock(&rw);
	CHECK(r == 0 || r == -EPERM);
	if (r < 0)
		atomic_fetch_add(&refused, 1);
}

static void twice_main(void *arg)
{
	static struct crew writers, unlockers;

	(void)arg;
	for (int i = 0; i < 30 * SCALE; i++) {
		int threads = threads_too ? i % 3 : 0;

		atomic_store(&arrived, 0);
		atomic_store(&refused, 0);
		CHECK_EQ(gamp_rwmutex_rlock(&rw), 0);
		crew_start(&writers, 2, 0, write_through);
		AWAIT(waiting(0) + waiting(1) == 2);
		crew_start(&unlockers, 2 - threads, threads, unlock_together);
		crew_wait(&unlockers);
		CHECK_EQ(atomic_load(&refused), 1);
		crew_wait(&writers);
		is_as_new();
	}
}

static void of_two_unlocks_of_one_reader_one_is_refused(void **state)
{
	(void)state;
	run_each(twice_main);
}

static void calls_on_g0(void)
{
	CHECK_EQ(gamp_rwmutex_lock(&rw), -EDEADLK);
	CHECK_EQ(gamp_rwmutex_rlock(&rw), -EDEADLK);
	CHECK_EQ(gamp_rwmutex_tryrlock(&rw), -EAGAIN);
	CHECK_EQ(gamp_rwmutex_unlock(&rw), 0);
}

static void g0_main(void *arg)
{
	(void)arg;
	atomic_store(&order, 0);
	CHECK_EQ(gamp_rwmutex_lock(&rw), 0);
	(void)go(write_once, NULL);
	(void)go(read_once, NULL);
	AWAIT(waiting(0) == 1 && waiting(1) == 1);
	call_on_g0(calls_on_g0);
	AWAIT(atomic_load(&order) == 2);
	is_as_new();
}

static void the_schedulers_stack_does_not_wait(void **state)
{
	(void)state;
	run_each(g0_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(readers_read_together),
		TEST(writers_write_alone),
		TEST(unlocking_what_is_not_locked_is_refused),
		TEST(they_come_in_the_order_promised),
		TEST(who_gives_up_is_not_in_the_way),
		TEST(neither_kind_starves_the_other),
		TEST(unlock_deadline_and_cancel_have_one_winner),
		TEST(the_last_user_frees_it),
		TEST(of_two_unlocks_of_one_reader_one_is_refused),
		TEST(the_schedulers_stack_does_not_wait),
	};

	take_arguments(argc, argv);
	return RUN_TWICE(tests);
}
