/* SPDX-License-Identifier: MIT */
/*
 * test_sync_count.c - semaphores, wait groups, once, barriers.
 */
#include "tests/test_sync_util.h"

static atomic_int inside, over, wrong;
static int64_t guarded; /* TSan looks at it */

/* Semaphores. */

static struct gamp_sem sem;

static void sem_is(int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		CHECK_EQ(gamp_sem_tryacquire(&sem), 0);
	CHECK_EQ(gamp_sem_tryacquire(&sem), -EAGAIN);
	CHECK_EQ(gamp_sem_release_n(&sem, n), 0);
	CHECK_EQ(QUEUED(&sem), 0);
}

static void sem_hammer(int self)
{
	uint64_t x = (uint64_t)self + 3;

	for (int i = 0; i < 200 * SCALE; i++) {
		int64_t until = gamp_now() + draw(&x, 30) * US;
		int r = i % 3 == 0   ? gamp_sem_tryacquire(&sem)
			: i % 5 == 0 ? gamp_sem_acquire_until(&sem, until)
				     : gamp_sem_acquire(&sem);

		CHECK(r == 0 || (i % 3 == 0 && r == -EAGAIN) ||
		      (i % 5 == 0 && r == -ETIMEDOUT));
		if (r < 0)
			continue;
		CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
		guarded++;
		if (draw(&x, 50) == 0)
			dawdle(&x);
		CHECK_EQ(atomic_fetch_sub(&inside, 1), 1);
		CHECK_EQ(gamp_sem_release(&sem), 0);
	}
}

static void sem_hammer_main(void *arg)
{
	(void)arg;
	atomic_store(&inside, 0);
	CHECK_EQ(gamp_sem_init(&sem, 1), 0);
	crew_run(10, 3, sem_hammer);
	sem_is(1);
}

static void a_semaphore_of_one_excludes(void **state)
{
	(void)state;
	run_each(sem_hammer_main);
}

static void sem_misuse_main(void *arg)
{
	struct gamp_sem s = GAMP_SEM_INIT(2);

	(void)arg;
	CHECK_EQ(gamp_sem_init(&s, -1), -EINVAL);
	CHECK_EQ(gamp_sem_acquire_n(&s, -1, 0), -EINVAL);
	CHECK_EQ(gamp_sem_release_n(&s, -1), -EINVAL);
	CHECK_EQ(gamp_sem_acquire_n(&s, 3, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_sem_acquire_n(&s, 2, 1), 0);
	CHECK_EQ(gamp_sem_acquire_n(&s, 0, 1), 0);
	CHECK_EQ(gamp_sem_acquire_until(&s, gamp_now() + MS), -ETIMEDOUT);
	CHECK_EQ(gamp_sem_release_n(&s, INT64_MAX), 0);
	CHECK_EQ(gamp_sem_release(&s), -EOVERFLOW);
	CHECK_EQ(gamp_sem_release_n(&s, INT64_MAX), -EOVERFLOW);
	CHECK_EQ(gamp_sem_release_n(&s, 0), 0);
	CHECK_EQ(gamp_sem_acquire_n(&s, INT64_MAX, 0), 0);
	CHECK_EQ(gamp_sem_tryacquire(&s), -EAGAIN);
}

static void a_semaphore_knows_its_limits(void **state)
{
	(void)state;
	run_each(sem_misuse_main);
}

/* What is released goes to who waits, not to who comes by (Go's
 * TestSemaHandoff), and in the order of arrival, whatever they want. */

static atomic_int next_turn;

static const int64_t wanted[] = { 5, 1, 3, 2, 1, 4 };

static void acquire_some(int self)
{
	CHECK_EQ(gamp_sem_acquire_n(&sem, wanted[self], 0), 0);
	CHECK_EQ(atomic_fetch_add(&next_turn, 1), self);
}

static void sem_order_main(void *arg)
{
	static struct crew c;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gamp_sem_init(&sem, 0), 0);
		atomic_store(&next_turn, 0);
		c = (struct crew){ .fn = acquire_some, .n = LEN(wanted) };
		atomic_store(&c.left, c.n);
		for (int k = 0; k < c.n; k++) {
			c.hands[k] = (struct hand){ .crew = &c, .self = k };
			(void)go(crew_work, &c.hands[k]);
			AWAIT(QUEUED(&sem) == k + 1);
		}
		for (int64_t sum = 0, n = 0, k = 0; k < c.n; n++) {
			CHECK_EQ(gamp_sem_tryacquire(&sem), -EAGAIN);
			CHECK_EQ(atomic_load(&next_turn), k);
			CHECK_EQ(gamp_sem_release(&sem), 0);
			if (n + 1 == sum + wanted[k]) {
				sum += wanted[k++];
				AWAIT(atomic_load(&next_turn) == k);
			}
		}
		crew_wait(&c);
		sem_is(0);
	}
}

static void who_wants_little_does_not_overtake(void **state)
{
	(void)state;
	run_each(sem_order_main);
}

static void acquire_cancelled(void *arg)
{
	CHECK_EQ(gamp_sem_acquire_n(&sem, (intptr_t)arg, 0), -ECANCELED);
	CHECK_EQ(gamp_sem_acquire_n(&sem, (intptr_t)arg, 0), -ECANCELED);
	CHECK_EQ(gamp_sem_acquire_n(&sem, 0, 0), 0); /* it is free */
	atomic_fetch_add(&over, 1);
}

static void acquire_one(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_sem_acquire(&sem), 0);
	atomic_fetch_add(&over, 1);
}

static void sem_cancel_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&over, 0);
	CHECK_EQ(gamp_sem_init(&sem, 2), 0);
	id = go(acquire_cancelled, (void *)5);
	await_parked(id, WHY_SEM);
	(void)go(acquire_one, NULL);
	(void)go(acquire_one, NULL);
	AWAIT(QUEUED(&sem) == 3);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&over) == 3); /* it was in their way */
	sem_is(0);
}

static void who_gives_up_is_not_in_the_way(void **state)
{
	(void)state;
	run_each(sem_cancel_main);
}

/* Release, deadline and cancel race: no permit is lost, none is made. */

static struct crew racers;
static atomic_int seed;

static void sem_race(int self)
{
	uint64_t x = (uint64_t)self * 99 + (uint64_t)atomic_load(&seed) + 1;
	int64_t until = gamp_now() + draw(&x, 40) * US, n = draw(&x, 3);
	int r = gamp_sem_acquire_n(&sem, n, until);

	CHECK(r == 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r == 0)
		CHECK_EQ(gamp_sem_release_n(&sem, n), 0);
}

static void sem_race_main(void *arg)
{
	uint64_t x = random64() | 1;

	(void)arg;
	for (int i = 0; i < 400 * SCALE; i++) {
		atomic_store(&seed, (int)draw(&x, 1 << 30));
		CHECK_EQ(gamp_sem_init(&sem, draw(&x, 2)), 0);
		crew_start(&racers, 4, i % 16 == 0, sem_race);
		dawdle(&x);
		if (draw(&x, 2))
			(void)gamp_cancel(racers.hands[draw(&x, 4)].id);
		CHECK_EQ(gamp_sem_release(&sem), 0);
		dawdle(&x);
		CHECK_EQ(gamp_sem_release(&sem), 0);
		crew_wait(&racers);
		while (gamp_sem_acquire_n(&sem, 3, 1) == 0)
			CHECK_EQ(gamp_sem_release_n(&sem, 2), 0);
		sem_is(2);
	}
}

static void no_permit_is_lost_or_made(void **state)
{
	(void)state;
	run_each(sem_race_main);
}

/* Wait groups. */

static struct gamp_waitgroup wg1, wg2;

enum { N = 16 };

/* Go's TestWaitGroup. */
static void wg_member(int self)
{
	(void)self;
	CHECK_EQ(gamp_waitgroup_done(&wg1), 0);
	CHECK_EQ(gamp_waitgroup_wait(&wg2), 0);
	atomic_fetch_add(&over, 1);
}

static void wg_main(void *arg)
{
	static struct crew c;

	(void)arg;
	for (int i = 0; i < 8 * SCALE; i++) {
		int n = N + (threads_too && i % 4 == 0);

		atomic_store(&over, 0);
		CHECK_EQ(gamp_waitgroup_add(&wg1, n), 0);
		CHECK_EQ(gamp_waitgroup_add(&wg2, n), 0);
		crew_start(&c, N, i % 4 == 0, wg_member);
		CHECK_EQ(gamp_waitgroup_wait(&wg1), 0);
		for (int k = 0; k < n; k++) {
			CHECK_EQ(atomic_load(&over), 0); /* too soon */
			CHECK_EQ(gamp_waitgroup_done(&wg2), 0);
		}
		crew_wait(&c);
	}
	CHECK_EQ(QUEUED(&wg1) + QUEUED(&wg2), 0);
}

static void all_who_wait_go_at_zero(void **state)
{
	(void)state;
	run_each(wg_main);
}

static void wg_misuse_main(void *arg)
{
	struct gamp_waitgroup wg = { 0 };

	(void)arg;
	CHECK_EQ(gamp_waitgroup_wait(&wg), 0);
	CHECK_EQ(gamp_waitgroup_done(&wg), -EINVAL);
	CHECK_EQ(gamp_waitgroup_add(&wg, -1), -EINVAL);
	CHECK_EQ(gamp_waitgroup_add(&wg, INT64_MIN), -EINVAL);
	CHECK_EQ(gamp_waitgroup_add(&wg, 1), 0);
	CHECK_EQ(gamp_waitgroup_add(&wg, -2), -EINVAL);
	CHECK_EQ(gamp_waitgroup_wait_until(&wg, 1), -ETIMEDOUT);
	CHECK_EQ(gamp_waitgroup_wait_until(&wg, gamp_now() + MS), -ETIMEDOUT);
	CHECK_EQ(gamp_waitgroup_add(&wg, INT64_MAX - 1), 0);
	CHECK_EQ(gamp_waitgroup_add(&wg, 1), -EOVERFLOW);
	CHECK_EQ(gamp_waitgroup_go(&wg, NULL, NULL), -EINVAL);
	CHECK_EQ(gamp_waitgroup_add(&wg, -INT64_MAX), 0);
	CHECK_EQ(gamp_waitgroup_wait_until(&wg, 1), 0);
	CHECK_EQ(gamp_waitgroup_done(&wg), -EINVAL);
}

static void a_count_is_never_negative(void **state)
{
	(void)state;
	run_each(wg_misuse_main);
}

/* Go's TestWaitGroupRace; and whoever waited frees it at once. */

static struct gamp_waitgroup *_Atomic wg_now;

static void wg_add_one(int self)
{
	(void)self;
	atomic_fetch_add(&inside, 1);
	CHECK_EQ(gamp_waitgroup_done(atomic_load(&wg_now)), 0);
}

static void wg_race_main(void *arg)
{
	static struct crew c;

	(void)arg;
	for (int i = 0; i < 300 * SCALE; i++) {
		struct gamp_waitgroup *wg = calloc(1, sizeof(*wg));
		int threads = threads_too && i % 8 == 0;

		atomic_store(&wg_now, wg);
		atomic_store(&inside, 0);
		CHECK_EQ(gamp_waitgroup_add(wg, 2 + threads), 0);
		crew_start(&c, 2, threads, wg_add_one);
		CHECK_EQ(gamp_waitgroup_wait(wg), 0);
		CHECK_EQ(atomic_exchange(&inside, 0), 2 + threads);
		memset(wg, 0x5a, sizeof(*wg));
		free(wg);
		crew_wait(&c);
	}
}

static void who_waited_frees_it(void **state)
{
	(void)state;
	run_each(wg_race_main);
}

/* gamp_waitgroup_go, however they leave. */

static void say_deferred(void *arg)
{
	(void)arg;
	atomic_fetch_add(&over, 1);
}

static void member(void *arg)
{
	intptr_t how = (intptr_t)arg;

	if (how & 1)
		CHECK_EQ(gamp_defer(say_deferred, NULL), 0);
	else
		atomic_fetch_add(&over, 1);
	gamp_yield();
	if (how & 4)
		CHECK(gamp_waitgroup_go(&wg1, member, (void *)(how & 3)) > 0);
	if (how & 2)
		gamp_exit();
}

static void go_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20 * SCALE; i++) {
		atomic_store(&over, 0);
		for (intptr_t how = 0; how < 8; how++)
			CHECK(gamp_waitgroup_go(&wg1, member, (void *)how) > 0);
		CHECK_EQ(gamp_waitgroup_wait(&wg1), 0);
		CHECK_EQ(atomic_load(&over), 12); /* the deferred, too */
	}
	CHECK_EQ(gamp_waitgroup_done(&wg1), -EINVAL);
}

static void whichever_way_they_exit_they_are_done(void **state)
{
	(void)state;
	run_each(go_main);
	assert_int_equal(gamp_waitgroup_go(&wg1, member, NULL), -ESRCH);
	if (threads_too)
		assert_int_equal(gamp_waitgroup_wait(&wg1), 0);
}

static void wg_wait_cancelled(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_waitgroup_wait(&wg1), -ECANCELED);
	CHECK_EQ(gamp_waitgroup_wait_until(&wg1, 0), -ECANCELED);
	CHECK_EQ(gamp_waitgroup_wait(&wg2), 0); /* zero already */
	atomic_fetch_add(&over, 1);
}

static void wg_cancel_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&over, 0);
	CHECK_EQ(gamp_waitgroup_add(&wg1, 1), 0);
	id = go(wg_wait_cancelled, NULL);
	await_parked(id, WHY_WAITGROUP);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&over) == 1);
	CHECK_EQ(QUEUED(&wg1), 0);
	CHECK_EQ(gamp_waitgroup_done(&wg1), 0);
}

static void a_wait_for_a_group_is_cancelled(void **state)
{
	(void)state;
	run_each(wg_cancel_main);
}

/* Once. */

static struct gamp_once once;

static void slow_once(void *arg)
{
	uint64_t x = 9;

	CHECK_EQ(atomic_fetch_add(&inside, 1), 0);
	dawdle(&x);
	guarded = (intptr_t)arg;
	gamp_yield();
}

static void do_it(int self)
{
	(void)self;
	CHECK_EQ(gamp_once_do(&once, slow_once, (void *)7), 0);
	CHECK_EQ(guarded, 7);
}

static void never(void *arg)
{
	(void)arg;
	atomic_store(&wrong, 1);
}

static void once_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_once_do(&once, NULL, NULL), -EINVAL);
	for (int i = 0; i < 50 * SCALE; i++) {
		once = (struct gamp_once){ 0 };
		guarded = 0;
		atomic_store(&inside, 0);
		crew_run(10, 2 * (i % 8 == 0), do_it);
		CHECK_EQ(atomic_load(&inside), 1);
		CHECK_EQ(gamp_once_do(&once, never, NULL), 0);
	}
	CHECK(!atomic_load(&wrong));
}

static void it_is_done_once(void **state)
{
	(void)state;
	run_each(once_main);
}

/* Go's TestOncePanic: leaving by gamp_exit has done it, too. */

static void deferred_in_once(void *arg)
{
	CHECK_EQ(((struct gamp_once *)arg)->done, 0); /* in the middle */
	atomic_fetch_add(&over, 1);
}

static void exit_in_once(void *arg)
{
	CHECK_EQ(gamp_defer(deferred_in_once, arg), 0);
	gamp_yield();
	gamp_exit();
}

static void exits_in_once(void *arg)
{
	(void)gamp_once_do(arg, exit_in_once, arg);
	CHECK_EQ(gamp_self(), 0); /* it does not return */
}

static void defers_in_once(void *arg)
{
	CHECK_EQ(gamp_defer(never, arg), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(gamp_defer(say_deferred, arg), 0);
}

static void returns_from_once(void *arg)
{
	struct gamp_once *mine = calloc(1, sizeof(*mine));

	(void)arg;
	CHECK_EQ(gamp_defer(say_deferred, NULL), 0);
	CHECK_EQ(gamp_once_do(mine, say_deferred, NULL), 0);
	free(mine); /* nothing of it is left behind */
	mine = calloc(1, sizeof(*mine));
	CHECK_EQ(gamp_once_do(mine, defers_in_once, NULL), 0);
	free(mine);
}

static void exit_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10 * SCALE; i++) {
		struct gamp_once *o = calloc(1, sizeof(*o));

		atomic_store(&over, 0);
		CHECK(gamp_waitgroup_go(&wg1, exits_in_once, o) > 0);
		while (!atomic_load(&over)) /* it is inside, or through */
			gamp_yield();
		CHECK_EQ(gamp_once_do(o, never, NULL), 0);
		CHECK_EQ(gamp_waitgroup_wait(&wg1), 0);
		CHECK(!atomic_load(&wrong));
		free(o);

		atomic_store(&over, 0);
		CHECK(gamp_waitgroup_go(&wg1, returns_from_once, NULL) > 0);
		CHECK_EQ(gamp_waitgroup_wait(&wg1), 0);
		CHECK_EQ(atomic_load(&over), 7);
		CHECK_EQ(atomic_exchange(&wrong, 0), 1);
	}
}

static void leaving_by_exit_has_done_it(void **state)
{
	(void)state;
	run_each(exit_main);
}

/* Barriers. */

static struct gamp_barrier barrier;

enum { ROUNDS = 30 };

static atomic_int arrived[ROUNDS], lasts[ROUNDS];
static int party;

static void meet(int self)
{
	uint64_t x = (uint64_t)self + 3;

	for (int i = 0; i < ROUNDS; i++) {
		int r;

		atomic_fetch_add(&arrived[i], 1);
		if (draw(&x, 4) == 0)
			dawdle(&x);
		r = gamp_barrier_wait(&barrier);
		CHECK(r == 0 || r == 1);
		CHECK_EQ(atomic_load(&arrived[i]), party);
		if (r == 1)
			atomic_fetch_add(&lasts[i], 1);
	}
}

static void barrier_main(void *arg)
{
	struct gamp_barrier none = { 0 };

	(void)arg;
	CHECK_EQ(gamp_barrier_wait(&none), -EINVAL);
	CHECK_EQ(gamp_barrier_init(&barrier, 0), -EINVAL);
	CHECK_EQ(gamp_barrier_init(&barrier, -1), -EINVAL);
	CHECK_EQ(gamp_barrier_init(&barrier, 1), 0);
	CHECK_EQ(gamp_barrier_wait(&barrier), 1);
	CHECK_EQ(gamp_barrier_wait_until(&barrier, 1), 1);
	for (int n = 2; n <= 12; n += 5) {
		for (int i = 0; i < ROUNDS; i++) {
			atomic_store(&arrived[i], 0);
			atomic_store(&lasts[i], 0);
		}
		party = n + threads_too;
		CHECK_EQ(gamp_barrier_init(&barrier, party), 0);
		crew_run(n, 1, meet);
		for (int i = 0; i < ROUNDS; i++)
			CHECK_EQ(atomic_load(&lasts[i]), 1);
		CHECK_EQ(QUEUED(&barrier), 0);
	}
}

static void nobody_passes_before_all_have_arrived(void **state)
{
	(void)state;
	run_each(barrier_main);
}

static void leave_early(void *arg)
{
	bool by_time = arg;

	CHECK_EQ(by_time
		     ? gamp_barrier_wait_until(&barrier, gamp_now() + 2 * MS)
		     : gamp_barrier_wait(&barrier),
	    by_time ? -ETIMEDOUT : -ECANCELED);
	atomic_fetch_add(&over, 1);
}

static void barrier_leave_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&over, 0);
	CHECK_EQ(gamp_barrier_init(&barrier, 2), 0);
	id = go(leave_early, NULL);
	await_parked(id, WHY_BARRIER);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&over) == 1);
	(void)go(leave_early, (void *)1);
	AWAIT(atomic_load(&over) == 2);
	CHECK_EQ(gamp_barrier_wait_until(&barrier, 1), -ETIMEDOUT);
	CHECK_EQ(QUEUED(&barrier), 0);
}

static void who_leaves_has_not_arrived(void **state)
{
	(void)state;
	run_each(barrier_leave_main);
}

/* The last arrival, deadlines and cancels race: of each round either all
 * have passed, or those who left were not counted. */

static atomic_int passed, last_ones;

static void barrier_race(int self)
{
	uint64_t x = (uint64_t)self * 99 + (uint64_t)atomic_load(&seed) + 1;
	int64_t until = gamp_now() + draw(&x, 60) * US;
	int r = gamp_barrier_wait_until(&barrier, until);

	CHECK(r >= 0 || r == -ETIMEDOUT || r == -ECANCELED);
	if (r >= 0)
		atomic_fetch_add(&passed, 1);
	if (r == 1)
		atomic_fetch_add(&last_ones, 1);
}

static void barrier_race_main(void *arg)
{
	uint64_t x = random64() | 1;

	(void)arg;
	for (int i = 0; i < 400 * SCALE; i++) {
		int n = 2 + (int)draw(&x, 2);

		atomic_store(&seed, (int)draw(&x, 1 << 30));
		atomic_store(&passed, 0);
		atomic_store(&last_ones, 0);
		CHECK_EQ(gamp_barrier_init(&barrier, n), 0);
		crew_start(&racers, 5, i % 16 == 0, barrier_race);
		dawdle(&x);
		if (draw(&x, 2))
			(void)gamp_cancel(racers.hands[draw(&x, 5)].id);
		crew_wait(&racers);
		CHECK_EQ(atomic_load(&passed), n * atomic_load(&last_ones));
		CHECK_EQ(QUEUED(&barrier), 0);
		CHECK_EQ(gamp_barrier_wait_until(&barrier, 1), -ETIMEDOUT);
	}
}

static void a_round_counts_all_who_passed(void **state)
{
	(void)state;
	run_each(barrier_race_main);
}

/* On g0 nothing waits. */

static void calls_on_g0(void)
{
	CHECK_EQ(gamp_sem_acquire(&sem), -EDEADLK);
	CHECK_EQ(gamp_waitgroup_wait(&wg1), -EDEADLK);
	CHECK_EQ(gamp_barrier_wait(&barrier), -EDEADLK);
	CHECK_EQ(gamp_waitgroup_wait(&wg2), 0);
	CHECK_EQ(gamp_sem_release_n(&sem, 2), 0);
	CHECK_EQ(gamp_waitgroup_done(&wg1), 0);
}

static void wait_for_both(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_sem_acquire(&sem), 0);
	CHECK_EQ(gamp_waitgroup_wait(&wg1), 0);
	atomic_fetch_add(&over, 1);
}

static void g0_main(void *arg)
{
	(void)arg;
	atomic_store(&over, 0);
	CHECK_EQ(gamp_sem_init(&sem, 0), 0);
	CHECK_EQ(gamp_barrier_init(&barrier, 2), 0);
	CHECK_EQ(gamp_waitgroup_add(&wg1, 1), 0);
	(void)go(wait_for_both, NULL);
	(void)go(wait_for_both, NULL);
	AWAIT(QUEUED(&sem) == 2);
	call_on_g0(calls_on_g0);
	AWAIT(atomic_load(&over) == 2);
}

static void the_schedulers_stack_does_not_wait(void **state)
{
	(void)state;
	run_each(g0_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_semaphore_of_one_excludes),
		TEST(a_semaphore_knows_its_limits),
		TEST(who_wants_little_does_not_overtake),
		TEST(who_gives_up_is_not_in_the_way),
		TEST(no_permit_is_lost_or_made),
		TEST(all_who_wait_go_at_zero),
		TEST(a_count_is_never_negative),
		TEST(who_waited_frees_it),
		TEST(whichever_way_they_exit_they_are_done),
		TEST(a_wait_for_a_group_is_cancelled),
		TEST(it_is_done_once),
		TEST(leaving_by_exit_has_done_it),
		TEST(nobody_passes_before_all_have_arrived),
		TEST(who_leaves_has_not_arrived),
		TEST(a_round_counts_all_who_passed),
		TEST(the_schedulers_stack_does_not_wait),
	};

	take_arguments(argc, argv);
	return RUN_TWICE(tests);
}
