/* SPDX-License-Identifier: MIT */
/*
 * test_thread.c - goroutines that are locked to their threads, and plain
 * threads that call goroutines' code.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { LAPS = 300, LOCKED = 8 };
#else
enum { LAPS = 3000, LOCKED = 30 };
#endif

#if defined(RT_TSAN) || defined(RT_ASAN)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static int tid(void)
{
	return (int)syscall(SYS_gettid);
}

static bool thread_exists(int t)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d", t);
	return access(path, F_OK) == 0;
}

static struct gamp_chan *there, *back;

static void make_chans(size_t capacity)
{
	there = gamp_chan_new(sizeof(int), capacity);
	back = gamp_chan_new(sizeof(int), capacity);
	CHECK(there && back);
}

static void free_chans(void)
{
	CHECK_EQ(gamp_chan_free(there), 0);
	CHECK_EQ(gamp_chan_free(back), 0);
}

/* Everything that parks, on one thread. */
static void stays(void *arg)
{
	int v, home = tid();

	(void)arg;
	for (int i = 0; i < LAPS; i++) {
		CHECK_EQ(tid(), home);
		CHECK_EQ(gamp_chan_recv(there, &v), 0);
		CHECK_EQ(tid(), home);
		if (i % 50 == 0)
			CHECK_EQ(gamp_sleep(1), 0);
		gamp_yield();
		CHECK_EQ(tid(), home);
		CHECK_EQ(gamp_chan_send(back, &v), 0);
	}
	finished();
}

static void lock_and_stay(void *arg)
{
	CHECK_EQ(gamp_lock_thread(), 0);
	CHECK_EQ(gamp_lock_thread(), 0);
	CHECK_EQ(gamp_unlock_thread(), 0); /* calls nest */
	stays(arg);
	CHECK_EQ(gamp_unlock_thread(), 0);
	CHECK_EQ(gamp_unlock_thread(), -EINVAL);
	finished();
}

static void play(void)
{
	for (int i = 0; i < LAPS; i++) {
		int v = -1;

		CHECK_EQ(gamp_chan_send(there, &i), 0);
		CHECK_EQ(gamp_chan_recv(back, &v), 0);
		CHECK_EQ(v, i);
	}
}

static void ping_main(void *arg)
{
	(void)arg;
	for (size_t capacity = 0; capacity < 2; capacity++) {
		begin();
		make_chans(capacity);
		go(lock_and_stay, NULL);
		play();
		await_finished(2);
		free_chans();
		end();
	}
}

static void a_locked_goroutine_stays_on_its_thread(void **state)
{
	(void)state;
	assert_int_equal(gamp_lock_thread(), -EPERM);
	assert_int_equal(gamp_unlock_thread(), -EPERM);
	run_each(ping_main);
}

/* Both ends are locked. */
static void both_main(void *arg)
{
	CHECK_EQ(gamp_lock_thread(), 0);
	ping_main(arg);
	CHECK_EQ(gamp_unlock_thread(), 0);
}

static void two_locked_goroutines_talk(void **state)
{
	(void)state;
	run_each(both_main);
}

/* A locked thread runs nobody else, whoever is starving. */

static __thread int owner; /* of the thread: set while it is locked */

__attribute__((noinline)) static int *owner_here(void)
{
	__asm__ volatile("" ::: "memory");
	return &owner;
}

static atomic_bool halt;

static void stranger(void *arg)
{
	(void)arg;
	while (!atomic_load(&halt)) {
		CHECK_EQ(*owner_here(), 0);
		gamp_yield();
	}
	finished();
}

static void owns(void *arg)
{
	int me = (int)(intptr_t)arg;

	CHECK_EQ(*owner_here(), 0);
	*owner_here() = me;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gamp_sleep(1 + i % 3 * 100000), 0);
		CHECK_EQ(*owner_here(), me);
		gamp_yield();
		CHECK_EQ(*owner_here(), me);
	}
	*owner_here() = 0;
	finished();
}

static void alone_main(void *arg)
{
	struct gamp_go_options o = { .lock_thread = true };

	(void)arg;
	atomic_store(&halt, false);
	begin();
	for (int i = 0; i < 8; i++)
		go(stranger, NULL);
	for (int i = 1; i <= LOCKED; i++)
		CHECK(gamp_go_with(&o, owns, (void *)(intptr_t)i) > 0);
	await_finished(LOCKED);
	atomic_store(&halt, true);
	await_finished(8);
	end();
}

static void a_locked_thread_runs_nobody_else(void **state)
{
	(void)state;
	run_each(alone_main);
}

/* Whoever exits locked takes the thread along. */

static atomic_int last_tid;

static void exits_locked(void *arg)
{
	CHECK_EQ(gamp_lock_thread(), 0);
	atomic_store(&last_tid, tid());
	finished();
	if (arg)
		gamp_exit();
}

static void exit_main(void *arg)
{
	(void)arg;
	begin();
	for (int i = 0; i < 10; i++) {
		go(exits_locked, (void *)(intptr_t)(i % 2));
		await_finished(1);
		AWAIT(!thread_exists(atomic_load(&last_tid)));
	}
	end();
}

static void a_thread_ends_with_the_goroutine_that_locked_it(void **state)
{
	(void)state;
	run_each(exit_main);
}

/* It computes, loses its P, and comes back, on the same thread. */
static void computes_locked(void *arg)
{
	int home = tid();

	(void)arg;
	for (int i = 0; i < 3; i++) {
		int64_t t = gamp_now();

		while (gamp_now() - t < 15 * MS)
			;
		CHECK_EQ(tid(), home);
		gamp_yield();
		CHECK_EQ(tid(), home);
	}
	finished();
}

static void detached_main(void *arg)
{
	struct gamp_go_options o = { .lock_thread = true };

	(void)arg;
	begin();
	for (int i = 0; i < 3; i++)
		CHECK(gamp_go_with(&o, computes_locked, NULL) > 0);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(gamp_sleep(MS), 0);
	await_finished(3);
	end();
}

static void it_stays_although_it_loses_its_p(void **state)
{
	(void)state;
	run_each(detached_main);
}

/* Plain threads call what needs a goroutine. */

static void called(void *arg)
{
	int *n = arg;
	int fds[2];
	gamp_fd r, w;
	char c;

	CHECK(gamp_self() > 0);
	CHECK_EQ(pipe(fds), 0);
	r = gamp_adopt(fds[0]);
	w = gamp_adopt(fds[1]);
	CHECK_EQ(gamp_write(w, "x", 1), 1);
	CHECK_EQ(gamp_read(r, &c, 1), 1);
	CHECK_EQ(gamp_close(r), 0);
	CHECK_EQ(gamp_close(w), 0);
	CHECK_EQ(gamp_sleep(1), 0);
	++*n;
}

static void calls_exit(void *arg)
{
	++*(int *)arg;
	gamp_exit();
}

static void *call_thread(void *arg)
{
	int n = 0;

	(void)arg;
	for (int i = 1; i <= 50; i++) {
		CHECK_EQ(gamp_call(called, &n), 0);
		CHECK_EQ(n, i);
	}
	CHECK_EQ(gamp_call(calls_exit, &n), 0);
	CHECK_EQ(n, 51);
	return NULL;
}

static void call_main(void *arg)
{
	pthread_t t[4];
	int n = 0;

	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, call_thread, NULL), 0);
	CHECK_EQ(gamp_call(called, &n), 0); /* it is one already */
	CHECK_EQ(n, 1);
	for (int i = 0; i < 4; i++)
		(void)pthread_join(t[i], NULL);
}

static void threads_call_into_the_runtime(void **state)
{
	int n = 0;

	(void)state;
	assert_int_equal(gamp_call(called, &n), -ESRCH);
	assert_int_equal(gamp_call(NULL, &n), -EINVAL);
	run_each(call_main);
}

/* A thread that is lost is not lost silently. */

static void exits_thread(void *arg)
{
	(void)arg;
	pthread_exit(NULL);
}

static void pthread_exit_in_a_goroutine_is_told(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SANITIZED) /* their own bookkeeping stops first */
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "test_thread", "lost", (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_locked_goroutine_stays_on_its_thread),
		TEST(two_locked_goroutines_talk),
		TEST(a_locked_thread_runs_nobody_else),
		TEST(a_thread_ends_with_the_goroutine_that_locked_it),
		TEST(it_stays_although_it_loses_its_p),
		TEST(threads_call_into_the_runtime),
		TEST(pthread_exit_in_a_goroutine_is_told),
	};

	if (argc == 2 && strcmp(argv[1], "lost") == 0)
		return gamp_run(exits_thread, NULL, NULL) < 0;
	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
