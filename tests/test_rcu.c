/* SPDX-License-Identifier: MIT */
/*
 * test_rcu.c - read sections, grace periods and deferred calls, of goroutines
 * and of threads.
 *
 * What a writer unpublishes is poisoned and freed after a grace period: a
 * reader that still has it sees the poison, or a sanitizer does.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "sched/m.h"
#include "sched/rcu.h"
#include "sched/sched.h"
#include "tests/net_util.h"

#if defined(RT_TSAN)
enum { ROUNDS = 200, MANY = 300 };
#else
enum { ROUNDS = 800, MANY = 1000 };
#endif

static atomic_int count, turn, stop;

static void reset(void)
{
	atomic_store(&count, 0);
	atomic_store(&turn, 0);
	atomic_store(&stop, 0);
}

static void run_on(int procs, gamp_fn *fn)
{
	reset();
	run_with(fn, &(struct gamp_options){ .maxprocs = procs });
}

/* Burns time without a call into the runtime, until v is there. */
static void spin_until(atomic_int *v, int n)
{
	int64_t limit = gamp_now() + LIMIT;

	while (atomic_load(v) < n && gamp_now() < limit)
		(void)sched_yield();
	CHECK(atomic_load(v) >= n);
}

static pthread_t start_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, fn, arg), 0);
	return t;
}

static void add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
}

/* Misuse, in a child that has never used the runtime: this comes first. */

#ifdef RT_DEBUG
static void park_inside(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
	(void)gamp_sleep(1);
}

static void exit_inside(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
}

static void unlock_unlocked(void *arg)
{
	(void)arg;
	gamp_rcu_read_unlock();
}

static bool says(gamp_fn *fn, const char *what)
{
	char said[512] = "";
	int ends[2], status = 0;
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(ends[1], STDERR_FILENO);
		(void)alarm(60);
		(void)gamp_run(fn, NULL, NULL);
		_exit(0);
	}
	(void)close(ends[1]);
	while ((k = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)k;
	(void)close(ends[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	return status != 0 && strstr(said, what) != NULL;
}

#define MISUSE debug_builds_stop_at_misuse

static void debug_builds_stop_at_misuse(void **state)
{
	(void)state;
	assert_true(says(park_inside, "parked inside an RCU read section"));
	assert_true(says(exit_inside, "exited inside an RCU read section"));
	assert_true(says(unlock_unlocked, "without gamp_rcu_read_lock"));
}
#else
static void nap_inside(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
	atomic_store(&turn, 1);
	CHECK(gamp_sleep(20 * MS) == 0);
	CHECK(rcu_locked());
	CHECK(!atomic_load(&stop));
	gamp_rcu_read_unlock();
	CHECK(!rcu_locked());
	gamp_rcu_read_unlock();
	gamp_rcu_read_lock(); /* and exits */
	add_one(NULL);
}

static void nap_main(void *arg)
{
	(void)arg;
	CHECK(gamp_go(nap_inside, NULL) > 0);
	AWAIT(atomic_load(&turn) == 1);
	CHECK(gamp_rcu_synchronize() == 0);
	atomic_store(&stop, 1);
	AWAIT(atomic_load(&count) == 1);
	CHECK(gamp_rcu_synchronize() == 0);
	CHECK(rcu_quiet());
}

#define MISUSE a_section_follows_a_goroutine_that_parks

static void a_section_follows_a_goroutine_that_parks(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 3; procs++)
		run_on(procs, nap_main);
}
#endif

static void nest(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		CHECK(rcu_locked() == (i > 0));
		gamp_rcu_read_lock();
	}
	CHECK(gamp_rcu_synchronize() == -EDEADLK);
	CHECK(gamp_rcu_barrier() == -EDEADLK);
	for (int i = 5; i > 0; i--) {
		CHECK(rcu_locked() && !rcu_quiet());
		gamp_rcu_read_unlock();
	}
	CHECK(!rcu_locked() && rcu_quiet());
	CHECK(gamp_rcu_synchronize() == 0);
}

static void *nest_thread(void *arg)
{
	nest(arg);
	return NULL;
}

static void sections_nest(void **state)
{
	(void)state;
	nest(NULL);
	(void)pthread_join(start_thread(nest_thread, NULL), NULL);
	run_on(2, nest);
	nest(NULL);
	gamp_rcu_read_lock();
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(gamp_stop(0), -EDEADLK);
	gamp_rcu_read_unlock();
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(failed.count, 0);
}

/* A reader that is soon gone. */
static void visit(void)
{
	for (int i = 0; i < 3; i++) {
		gamp_rcu_read_lock();
		gamp_rcu_read_lock();
		gamp_rcu_read_unlock();
		gamp_rcu_read_unlock();
	}
}

/* Readers against writers. */

enum { ALIVE = 0x600d, DEAD = 0xdead, WORDS = 8 };

struct thing {
	int word[WORDS];
};

static struct thing *head;
static struct gamp_mutex writing;

static struct thing *new_thing(void)
{
	struct thing *t = malloc(sizeof(*t));

	for (int i = 0; i < WORDS; i++)
		t->word[i] = ALIVE;
	return t;
}

static void destroy(void *arg)
{
	struct thing *t = arg;

	for (int i = 0; i < WORDS; i++)
		t->word[i] = DEAD;
	free(t);
	atomic_fetch_add(&turn, 1);
}

static bool read_once(int i)
{
	bool good = true;
	struct thing *t;

	gamp_rcu_read_lock();
	t = gamp_rcu_dereference(head);
	for (int k = 0; k < WORDS; k++) {
		if (i % 64 == 0)
			(void)sched_yield();
		good = good && t->word[k] == ALIVE;
	}
	gamp_rcu_read_unlock();
	return good;
}

static void read_on(void *arg)
{
	(void)arg;
	for (int i = 0; !atomic_load(&stop); i++) {
		CHECK(read_once(i));
		if (i % 16 == 0)
			gamp_yield();
	}
	add_one(NULL);
}

static void *read_on_thread(void *arg)
{
	read_on(arg);
	return NULL;
}

static void write_some(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct thing *old;

		CHECK(gamp_mutex_lock(&writing) == 0);
		old = head;
		gamp_rcu_assign(head, new_thing());
		CHECK(gamp_mutex_unlock(&writing) == 0);
		if (arg) {
			CHECK(gamp_rcu_defer(destroy, old) == 0);
		} else {
			CHECK(gamp_rcu_synchronize() == 0);
			destroy(old);
		}
	}
	add_one(NULL);
}

static void *write_some_thread(void *arg)
{
	write_some(arg);
	return NULL;
}

static void readers_and_writers(void *arg)
{
	pthread_t t[4];

	(void)arg;
	head = new_thing();
	for (int i = 0; i < 4; i++)
		CHECK(gamp_go(read_on, NULL) > 0);
	for (int i = 0; i < 2; i++)
		t[i] = start_thread(read_on_thread, NULL);
	for (intptr_t i = 0; i < 2; i++) {
		CHECK(gamp_go(write_some, (void *)i) > 0);
		t[2 + i] = start_thread(write_some_thread, (void *)i);
	}
	while (atomic_load(&count) < 4)
		pause_a_little();
	atomic_store(&stop, 1);
	while (atomic_load(&count) < 10)
		pause_a_little();
	for (int i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
	CHECK(gamp_rcu_barrier() == 0);
	CHECK_EQ(atomic_load(&turn), 4 * ROUNDS);
	free(head);
}

static void no_reader_meets_what_was_freed(void **state)
{
	(void)state;
	run_on(1, readers_and_writers);
	run_on(2, readers_and_writers);
	run_on(4, readers_and_writers);
}

/* Who waits for whom. */

static void *hold_thread(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
	atomic_store(&turn, 1);
	spin_until(&stop, 1);
	gamp_rcu_read_unlock();
	return NULL;
}

static void synchronize_and_add(void *arg)
{
	CHECK(gamp_rcu_synchronize() == 0);
	CHECK(!arg || atomic_load((atomic_int *)arg) > 0);
	add_one(NULL);
}

static void hold_main(void *arg)
{
	pthread_t t = start_thread(hold_thread, NULL);
	int64_t ids[MANY];

	(void)arg;
	AWAIT(atomic_load(&turn) == 1);
	for (int i = 0; i < MANY; i++)
		CHECK((ids[i] = gamp_go(synchronize_and_add, &stop)) > 0);
	for (int i = 0; i < MANY; i++)
		await_parked(ids[i], WHY_RCU);
	for (int i = 0; i < MANY; i += 2) /* does not end it */
		CHECK(gamp_cancel(ids[i]) == 0);
	visit(); /* other readers come and go */
	CHECK_EQ(atomic_load(&count), 0);
	atomic_store(&stop, 1);
	AWAIT(atomic_load(&count) == MANY);
	(void)pthread_join(t, NULL);
}

static void many_goroutines_wait_for_one_reader(void **state)
{
	(void)state;
	visit();
	run_on(1, hold_main);
	run_on(3, hold_main);
}

/* Blocks its thread in the section; the P goes on without it. */
static void block_inside(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
	gamp_rcu_read_lock();
	gamp_enter_blocking();
	atomic_store(&turn, 1);
	spin_until(&stop, 1);
	gamp_leave_blocking();
	CHECK(rcu_locked());
	gamp_rcu_read_unlock();
	CHECK_EQ(atomic_load(&count), MANY);
	gamp_rcu_read_unlock();
	CHECK(!rcu_locked());
}

static void detached_main(void *arg)
{
	int64_t id;

	(void)arg;
	CHECK(gamp_go(block_inside, NULL) > 0);
	AWAIT(atomic_load(&turn) == 1);
	id = gamp_go(synchronize_and_add, &stop);
	await_parked(id, WHY_RCU);
	for (int i = 0; i < MANY; i++) /* nobody else is held up */
		CHECK(gamp_go(add_one, NULL) > 0);
	AWAIT(atomic_load(&count) == MANY);
	atomic_store(&stop, 1);
	AWAIT(atomic_load(&count) == MANY + 1);
}

static void a_detached_reader_holds_up_nobody_but_the_grace_period(
    void **state)
{
	(void)state;
	for (int procs = 1; procs <= 3; procs++)
		run_on(procs, detached_main);
}

/* One P: it comes back while the other one has it, and leaves its thread. */
static void move_inside(void *arg)
{
	(void)arg;
	gamp_rcu_read_lock();
	gamp_enter_blocking();
	atomic_store(&turn, 1);
	spin_until(&stop, 1);
	gamp_leave_blocking();
	CHECK(rcu_locked() && !rcu_quiet());
	CHECK_EQ(atomic_load(&count), 0);
	gamp_rcu_read_lock();
	gamp_rcu_read_unlock();
	atomic_store(&turn, 2);
	gamp_rcu_read_unlock();
	CHECK(!rcu_locked());
}

static void *synchronize_thread(void *arg)
{
	synchronize_and_add(arg);
	return NULL;
}

static void move_main(void *arg)
{
	bool before = arg, quiet;
	pthread_t t = 0;

	CHECK(gamp_go(move_inside, NULL) > 0);
	AWAIT(atomic_load(&turn) == 1);
	if (before)
		t = start_thread(synchronize_thread, NULL);
	atomic_store(&stop, 1);
	/* It is in the global queue, and we do not let it run, unless sysmon
	 * takes our P for that. */
	while (rt_load_relaxed(&sched.nglobal) == 0 && atomic_load(&turn) < 2)
		(void)sched_yield();
	quiet = rcu_quiet();
	CHECK(!quiet || atomic_load(&turn) == 2);
	quiet = atomic_load(&count) > 0;
	CHECK(!quiet || atomic_load(&turn) == 2);
	if (!before)
		t = start_thread(synchronize_thread, NULL);
	AWAIT(atomic_load(&count) == 1);
	(void)pthread_join(t, NULL);
	CHECK(rcu_quiet());
}

static void move_begun(void *arg)
{
	(void)arg;
	move_main((void *)1);
}

static void a_section_goes_on_on_another_thread(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		run_on(1, move_main);
		run_on(1, move_begun);
	}
}

static void wants_the_p(void *arg)
{
	(void)arg;
	atomic_store(&turn, 1);
}

/* The flag stays until the section is over (to yield inside would stop a
 * debug build); its end obeys it. */
static void preempt_main(void *arg)
{
	int64_t limit = gamp_now() + LIMIT;

	(void)arg;
	gamp_rcu_read_lock();
	gamp_rcu_read_lock();
	CHECK(gamp_go(wants_the_p, NULL) > 0);
	while (!(rt_load_relaxed(&m_self()->flags)) && gamp_now() < limit)
		;
	CHECK(gamp_cancel(-1) == -ESRCH); /* enters */
	gamp_rcu_read_unlock();
	gamp_rcu_read_unlock();
	/* Hard mode may pick us again. */
	CHECK(atomic_load(&turn) ||
	    !(rt_load_relaxed(&m_self()->flags) & M_PREEMPT));
}

static void preemption_waits_for_the_outermost_unlock(void **state)
{
	(void)state;
	run_on(1, preempt_main);
}

/* Deferred calls. */

static int order[3 * MANY];

static void note_order(void *arg)
{
	order[atomic_fetch_add(&count, 1)] = (int)(intptr_t)arg;
}

static void defer_order(void *arg)
{
	(void)arg;
	CHECK(gamp_rcu_barrier() == 0);
	for (intptr_t i = 0; i < 3 * MANY; i++) {
		if (i % 100 == 0)
			gamp_rcu_read_lock();
		CHECK(gamp_rcu_defer(note_order, (void *)i) == 0);
		if (i % 100 == 0)
			gamp_rcu_read_unlock();
	}
	CHECK(gamp_rcu_barrier() == 0);
	CHECK_EQ(atomic_load(&count), 3 * MANY);
	for (int i = 0; i < 3 * MANY; i++)
		CHECK_EQ(order[i], i);
	CHECK(gamp_rcu_defer(NULL, NULL) == -EINVAL);
}

static void calls_come_in_the_order_in_which_they_were_deferred(void **state)
{
	(void)state;
	reset();
	defer_order(NULL); /* there has been no runtime, or no more */
	assert_int_equal(failed.count, 0);
	run_on(1, defer_order);
	run_on(4, defer_order);
}

static void hold_back(void *arg)
{
	pthread_t t = start_thread(hold_thread, NULL);

	(void)arg;
	AWAIT(atomic_load(&turn) == 1);
	for (int i = 0; i < 10; i++)
		CHECK(gamp_rcu_defer(add_one, NULL) == 0);
	for (int i = 0; i < 20; i++) /* longer than it lingers */
		CHECK(gamp_sleep(MS / 2) == 0);
	CHECK_EQ(atomic_load(&count), 0);
	atomic_store(&stop, 1);
	CHECK(gamp_rcu_barrier() == 0);
	CHECK_EQ(atomic_load(&count), 10);
	(void)pthread_join(t, NULL);
}

static void no_call_comes_before_the_readers_have_left(void **state)
{
	(void)state;
	run_on(2, hold_back);
}

static struct gamp_chan *called;

static void again(void *arg)
{
	int n = (int)(intptr_t)arg;

	CHECK(gamp_rcu_barrier() == -EDEADLK);
	CHECK(gamp_stop(0) == -EDEADLK);
	CHECK(gamp_rcu_synchronize() == 0);
	gamp_rcu_read_lock();
	CHECK(gamp_rcu_defer(n > 0 ? again : add_one,
		  (void *)(intptr_t)(n - 1)) == 0);
	gamp_rcu_read_unlock();
	if (called)
		CHECK(gamp_chan_send(called, &n) == 0);
}

static void calls_call(void *arg)
{
	int n;

	(void)arg;
	called = gamp_chan_new(sizeof(int), 0);
	CHECK(gamp_rcu_defer(again, (void *)3) == 0);
	for (int i = 3; i >= 0; i--)
		CHECK(gamp_chan_recv(called, &n) == 0 && n == i);
	AWAIT(atomic_load(&count) == 1);
	CHECK(gamp_chan_free(called) == 0);
	called = NULL;
	/* Those that are left come before gamp_run returns. */
	CHECK(gamp_rcu_defer(again, (void *)3) == 0);
}

static void calls_may_defer_send_and_wait(void **state)
{
	(void)state;
	run_on(2, calls_call);
	assert_int_equal(atomic_load(&count), 2);
}

static void slow_add(void *arg)
{
	(void)arg;
	for (volatile int i = 0; i < 100; i++)
		;
	add_one(NULL);
}

enum { FLOOD = 100000 };

static void flood(void *arg)
{
	(void)arg;
	for (int i = 0; i < FLOOD; i++)
		CHECK(gamp_rcu_defer(slow_add, NULL) == 0);
	CHECK(gamp_rcu_barrier() == 0);
	CHECK_EQ(atomic_load(&count), FLOOD);
}

static void a_flood_of_calls_is_throttled_and_drained(void **state)
{
	(void)state;
	run_on(2, flood);
	reset();
	flood(NULL);
	assert_int_equal(failed.count, 0);
}

/* A clock that jumps while all are parked does not while one waits here. */
static void fake_main(void *arg)
{
	pthread_t t = start_thread(hold_thread, NULL);
	int64_t now = gamp_now();

	(void)arg;
	while (atomic_load(&turn) == 0)
		(void)sched_yield();
	CHECK(gamp_go(synchronize_and_add, &stop) > 0);
	gamp_yield();
	atomic_store(&stop, 1);
	CHECK(gamp_rcu_synchronize() == 0);
	CHECK(gamp_now() - now < MS);
	(void)pthread_join(t, NULL);
	AWAIT(atomic_load(&count) == 1);
}

static void fake_time_stands_still_while_one_waits(void **state)
{
	(void)state;
	reset();
	run_with(fake_main,
	    &(struct gamp_options){ .maxprocs = 1, .fake_time = true });
}

/* Threads that come and go. */

static pthread_key_t late;

static void read_late(void *arg)
{
	gamp_rcu_read_lock();
	gamp_rcu_read_lock();
	CHECK(rcu_locked() && !rcu_quiet());
	CHECK(gamp_rcu_synchronize() == -EDEADLK);
	gamp_rcu_read_unlock();
	gamp_rcu_read_unlock();
	CHECK(!rcu_locked());
	CHECK(gamp_rcu_synchronize() == 0);
	if ((intptr_t)arg > 1) /* once more, after all other destructors */
		(void)pthread_setspecific(late, (void *)((intptr_t)arg - 1));
	else
		add_one(NULL);
}

static void *come_and_go(void *arg)
{
	(void)arg;
	(void)pthread_setspecific(late, (void *)3);
	visit();
	return NULL;
}

static void threads_come_and_go_and_read_even_in_their_destructors(
    void **state)
{
	(void)state;
	reset();
	assert_int_equal(pthread_key_create(&late, read_late), 0);
	for (int i = 0; i < 50; i++) {
		(void)pthread_join(start_thread(come_and_go, NULL), NULL);
		assert_int_equal(gamp_rcu_synchronize(), 0);
	}
	assert_int_equal(pthread_key_delete(late), 0);
	assert_int_equal(atomic_load(&count), 50);
	assert_int_equal(failed.count, 0);
	assert_true(rcu_quiet());
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void use_all(void *arg)
{
	(void)arg;
	CHECK(gamp_rcu_defer(add_one, NULL) == 0);
	gamp_rcu_read_lock();
	gamp_rcu_read_unlock();
	CHECK(gamp_rcu_synchronize() == 0);
	CHECK(gamp_rcu_defer(add_one, NULL) == 0);
}

static void a_hundred_runs_leave_nothing_behind(void **state)
{
	int had;

	(void)state;
	run_on(2, use_all);
	had = threads(); /* one that was joined may still be listed */
	for (int i = 0; i < 100; i++) {
		run_on(2, use_all);
		assert_int_equal(atomic_load(&count), 2);
		AWAIT(threads() <= had);
	}
	assert_int_equal(failed.count, 0);
}

static void *defer_thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(gamp_rcu_defer(add_one, arg) == 0);
		if (i % 64 == 0)
			CHECK(gamp_rcu_synchronize() == 0);
	}
	return NULL;
}

static void threads_defer_while_the_runtime_starts_and_stops(void **state)
{
	pthread_t t[3];

	(void)state;
	reset();
	for (size_t i = 0; i < LEN(t); i++)
		t[i] = start_thread(defer_thread, NULL);
	for (int i = 0; i < 20; i++)
		run_with(use_all, NULL);
	for (size_t i = 0; i < LEN(t); i++)
		(void)pthread_join(t[i], NULL);
	assert_int_equal(gamp_rcu_barrier(), 0);
	assert_int_equal(failed.count, 0);
	assert_int_equal(
	    atomic_load(&count), (int)LEN(t) * ROUNDS + 2 * 20);
}

static void a_stop_with_a_reader_left_can_be_repeated(void **state)
{
	pthread_t t;

	(void)state;
	reset();
	assert_int_equal(gamp_start(NULL), 0);
	t = start_thread(hold_thread, NULL);
	spin_until(&turn, 1);
	assert_int_equal(gamp_rcu_defer(add_one, NULL), 0);
	assert_int_equal(gamp_stop(gamp_now() + 5 * MS), -ETIMEDOUT);
	assert_int_equal(atomic_load(&count), 0);
	atomic_store(&stop, 1);
	assert_int_equal(gamp_stop(0), 0);
	assert_int_equal(atomic_load(&count), 1);
	(void)pthread_join(t, NULL);
}

#ifdef RT_TSAN /* which cannot start a thread there */
static bool defers_in_child(void)
{
	return gamp_rcu_synchronize() == 0;
}
#else
static bool defers_in_child(void)
{
	return gamp_rcu_defer(add_one, NULL) == 0 && gamp_rcu_barrier() == 0 &&
	    atomic_load(&count) == 1;
}
#endif

static void a_forked_child_reads_and_defers(void **state)
{
	int status = -1;
	pthread_t t;
	pid_t pid;

	(void)state;
	reset();
	t = start_thread(hold_thread, NULL);
	spin_until(&turn, 1);
	visit();
	assert_int_equal(gamp_rcu_defer(add_one, NULL), 0);
	pid = fork();
	if (pid == 0) {
		(void)alarm(60);
		nest(NULL);
		_exit(failed.count || !defers_in_child());
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	atomic_store(&stop, 1);
	(void)pthread_join(t, NULL);
	assert_int_equal(gamp_rcu_barrier(), 0);
	assert_int_equal(atomic_load(&count), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(MISUSE), /* first: it forks */
		TEST(calls_come_in_the_order_in_which_they_were_deferred),
		TEST(sections_nest),
		TEST(no_reader_meets_what_was_freed),
		TEST(many_goroutines_wait_for_one_reader),
		TEST(a_detached_reader_holds_up_nobody_but_the_grace_period),
		TEST(a_section_goes_on_on_another_thread),
		TEST(preemption_waits_for_the_outermost_unlock),
		TEST(no_call_comes_before_the_readers_have_left),
		TEST(calls_may_defer_send_and_wait),
		TEST(a_flood_of_calls_is_throttled_and_drained),
		TEST(fake_time_stands_still_while_one_waits),
		TEST(threads_come_and_go_and_read_even_in_their_destructors),
		TEST(a_hundred_runs_leave_nothing_behind),
		TEST(threads_defer_while_the_runtime_starts_and_stops),
		TEST(a_stop_with_a_reader_left_can_be_repeated),
		TEST(a_forked_child_reads_and_defers),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
