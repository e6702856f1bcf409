/* SPDX-License-Identifier: MIT */
/*
 * test_detach.c - nothing that one goroutine does stalls the others: calls
 * that block the thread unannounced, loops that never call the runtime,
 * checkpoints, and what becomes of the threads.
 */

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { READERS = 12, HOGS = 6, CALLS = 60 };
#else
enum { READERS = 64, HOGS = 12, CALLS = 300 };
#endif

static atomic_int n_done, n_begun;
static atomic_bool halt;

static void fresh(void)
{
	atomic_store(&n_done, 0);
	atomic_store(&n_begun, 0);
	atomic_store(&halt, false);
}

static int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n - 2;
}

/* A thread in read(2) of a pipe, which gamp knows nothing of. */

static int pipes[READERS][2];

static void read_pipe(void *arg)
{
	int *ends = arg;
	char c = 0;

	atomic_fetch_add(&n_begun, 1);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(gamp_sleep(1), 0); /* it is a goroutine as before */
	atomic_fetch_add(&n_done, 1);
}

static void open_pipes(void)
{
	for (int i = 0; i < READERS; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
}

static void close_pipes(void)
{
	for (int i = 0; i < READERS; i++) {
		(void)close(pipes[i][0]);
		(void)close(pipes[i][1]);
	}
}

static void write_pipes(void)
{
	for (int i = 0; i < READERS; i++)
		CHECK_EQ(write(pipes[i][1], "x", 1), 1);
}

static void readers_main(void *arg)
{
	(void)arg;
	fresh();
	open_pipes();
	for (int i = 0; i < READERS; i++)
		go(read_pipe, pipes[i]);
	AWAIT(atomic_load(&n_begun) == READERS);
	for (int i = 0; i < 50; i++) /* others go on */
		CHECK_EQ(gamp_sleep(MS / 10), 0);
	CHECK_EQ(atomic_load(&n_done), 0);
	write_pipes();
	AWAIT(atomic_load(&n_done) == READERS);
	close_pipes();
}

static void reads_that_nobody_announced_stall_nobody(void **state)
{
	(void)state;
	run_each(readers_main);
}

/* The last P blocks, and there is nothing else to do: until there is. */

static void lone_main(void *arg)
{
	gamp_fd fd;
	char c;

	(void)arg;
	open_pipes();
	fd = gamp_adopt(pipes[1][0]);
	CHECK(fd > 0);
	go(read_pipe, pipes[0]);
	/* Its event comes while the reader has the only P. */
	CHECK_EQ(gamp_wait_readable(fd), 0);
	CHECK_EQ(gamp_read(fd, &c, 1), 1);
	AWAIT(atomic_load(&halt));
	CHECK_EQ(write(pipes[0][1], "x", 1), 1);
	AWAIT(atomic_load(&n_done) == 1);
	CHECK_EQ(gamp_close(fd), 0);
	pipes[1][0] = -1;
	close_pipes();
}

static void *write_later(void *arg)
{
	(void)arg;
	while (atomic_load(&n_begun) == 0)
		(void)sched_yield();
	CHECK_EQ(write(pipes[1][1], "y", 1), 1);
	atomic_store(&halt, true);
	return NULL;
}

static void descriptors_are_served_while_the_only_p_is_blocked(void **state)
{
	pthread_t t;

	(void)state;
	for (int i = 0; i < 5; i++) {
		fresh();
		assert_int_equal(
		    pthread_create(&t, NULL, write_later, NULL), 0);
		run_on(1, lone_main);
		(void)pthread_join(t, NULL);
	}
}

/* Threads are capped: who blocks keeps its P, and nothing is lost. */

static void capped_main(void *arg)
{
	readers_main(arg);
}

/* All six threads may be in a read: somebody else has to write. */
static void *write_all(void *arg)
{
	(void)arg;
	while (atomic_load(&n_begun) < 5)
		(void)sched_yield();
	/* Those of the run before were joined, but may still be listed. */
	AWAIT(count_threads() <= 4 + 6);
	write_pipes();
	return NULL;
}

static void cap_main(void *arg)
{
	struct gamp_statistics s = { 0 };
	pthread_t t;

	(void)arg;
	fresh();
	open_pipes();
	CHECK_EQ(pthread_create(&t, NULL, write_all, NULL), 0);
	for (int i = 0; i < READERS; i++)
		go(read_pipe, pipes[i]);
	AWAIT(atomic_load(&n_done) == READERS);
	CHECK_EQ(gamp_stats(&s, sizeof(s)), 0);
	CHECK(s.threads_peak >= 5 && s.threads_peak <= 6);
	AWAIT(count_threads() <= 4 + 6);
	(void)pthread_join(t, NULL);
	close_pipes();
}

static void threads_stay_under_their_limit(void **state)
{
	struct gamp_options o = { .maxprocs = 2, .max_threads = 6 };

	(void)state;
	for (int i = 0; i < 5; i++)
		run_with(cap_main, &o);
	o.max_threads = READERS + 8;
	run_with(capped_main, &o);
}

/* Loops that never call the runtime. */

static struct {
	_Alignas(64) atomic_ulong n;
} turns[HOGS];

static void hog(void *arg)
{
	atomic_ulong *n = arg;

	atomic_fetch_add(&n_begun, 1);
	while (!atomic_load_explicit(&halt, memory_order_relaxed))
		atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
	CHECK_EQ(gamp_sleep(1), 0);
	atomic_fetch_add(&n_done, 1);
}

static void hogs_main(void *arg)
{
	unsigned long before[HOGS];

	(void)arg;
	fresh();
	for (int i = 0; i < HOGS; i++)
		go(hog, &turns[i].n);
	AWAIT(atomic_load(&n_begun) == HOGS); /* each has got its turn */
	for (int i = 0; i < 20; i++)
		CHECK_EQ(gamp_sleep(MS), 0);
	for (int i = 0; i < HOGS; i++)
		before[i] = atomic_load(&turns[i].n);
	for (int i = 0; i < HOGS; i++)
		AWAIT(atomic_load(&turns[i].n) > before[i]);
	atomic_store(&halt, true);
	AWAIT(atomic_load(&n_done) == HOGS);
	AWAIT(rt_load_relaxed(&sched.nhogs) == 0);
}

static void loops_that_never_call_the_runtime_stall_nobody(void **state)
{
	(void)state;
	run_each(hogs_main);
}

/* Whoever was made nice is not, once it is back: unless it was late, and has
 * lost its P again. */
static void check_nice(void)
{
	int nice = getpriority(PRIO_PROCESS, 0);

	if (nice != sched.nice)
		CHECK(rt_load_relaxed(&m_self()->flags) & M_DETACHED);
}

static void nice_main(void *arg)
{
	hogs_main(arg);
	CHECK_EQ(sched.nice, 0);
	for (int i = 0; i < 20; i++) {
		check_nice();
		gamp_yield();
	}
}

static void threads_of_hogs_are_as_before_when_they_are_back(void **state)
{
	(void)state;
	if (getpriority(PRIO_PROCESS, 0) != 0)
		skip();
	run_on(2, nice_main);
}

/* A process that may not raise a priority again: such threads end. */
static void spoilt_main(void *arg)
{
	int before = count_threads();

	hogs_main(arg);
	for (int i = 0; i < 100; i++) {
		check_nice();
		gamp_yield();
	}
	AWAIT(count_threads() <= before + 4);
}

static void run_unprivileged(void)
{
	(void)alarm(300); /* the parent waits for ever */
	/* Of this thread, and of those that it starts. */
	if (syscall(SYS_setresgid, 65534, 65534, 65534) != 0 ||
	    syscall(SYS_setresuid, 65534, 65534, 65534) != 0)
		_exit(77);
	if (gamp_run(spoilt_main, NULL,
		&(struct gamp_options){ .maxprocs = 2 }) != 0)
		_exit(1);
	_exit(failed.count == 0 ? 0 : 2);
}

static void threads_that_stay_slow_end(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		execl("/proc/self/exe", "test_detach", "unprivileged",
		    (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

/* Checkpoints. */

static void computes(void *arg)
{
	_Atomic int64_t *n = arg;

	while (gamp_checkpoint() == 0)
		atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
	CHECK(gamp_cancelled());
	/* Again and again, but for a moment after it was put on a P. */
	int64_t t = gamp_now();
	int r;

	while ((r = gamp_checkpoint()) == 0 && gamp_now() - t < LIMIT)
		;
	CHECK_EQ(r, -ECANCELED);
	CHECK_EQ(gamp_checkpoint_slow(), -ECANCELED);
	finished();
}

static void checkpoint_main(void *arg)
{
	_Atomic int64_t n[4] = { 0 };
	int64_t id[4];

	(void)arg;
	begin();
	for (int i = 0; i < 4; i++)
		id[i] = go(computes, &n[i]);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(gamp_sleep(MS), 0);
		gamp_yield();
	}
	for (int i = 0; i < 4; i++) /* each has got its turn */
		AWAIT(atomic_load(&n[i]) > 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(gamp_cancel(id[i]), 0);
	await_finished(4);
	end();
}

static void checkpoints_let_others_run_and_see_cancellation(void **state)
{
	(void)state;
	assert_int_equal(gamp_checkpoint(), 0); /* no goroutine */
	assert_int_equal(gamp_checkpoint_slow(), 0);
	run_each(checkpoint_main);
	assert_int_equal(gamp_checkpoint(), 0);
}

/* When nobody wants anything, the word comes to rest at 0. */
static void quiet_main(void *arg)
{
	(void)arg;
	checkpoint_main(NULL);
	AWAIT(__atomic_load_n(&gamp_checkpoint_word, __ATOMIC_RELAXED) == 0);
}

static void the_word_is_zero_again_when_nobody_wants_anything(void **state)
{
	(void)state;
	run_each(quiet_main);
}

/* A thousand calls at once, then none: the threads go. */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void pass_gate(void *arg)
{
	(void)arg;
	atomic_fetch_add(&n_begun, 1);
	(void)pthread_mutex_lock(&gate);
	(void)pthread_mutex_unlock(&gate);
	atomic_fetch_add(&n_done, 1);
}

static void spike_main(void *arg)
{
	(void)arg;
	fresh();
	(void)pthread_mutex_lock(&gate);
	for (int i = 0; i < CALLS; i++)
		go(pass_gate, NULL);
	AWAIT(atomic_load(&n_begun) == CALLS);
	CHECK(count_threads() >= CALLS);
	(void)pthread_mutex_unlock(&gate);
	AWAIT(atomic_load(&n_done) == CALLS);
	for (int i = 0; i < 600 && count_threads() > 8; i++)
		CHECK_EQ(gamp_sleep(100 * MS), 0);
	CHECK(count_threads() <= 8);
}

static void threads_of_a_spike_go_within_seconds(void **state)
{
	(void)state;
	run_on(2, spike_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_that_nobody_announced_stall_nobody),
		TEST(descriptors_are_served_while_the_only_p_is_blocked),
		TEST(threads_stay_under_their_limit),
		TEST(loops_that_never_call_the_runtime_stall_nobody),
		TEST(threads_of_hogs_are_as_before_when_they_are_back),
		TEST(threads_that_stay_slow_end),
		TEST(checkpoints_let_others_run_and_see_cancellation),
		TEST(the_word_is_zero_again_when_nobody_wants_anything),
		TEST(threads_of_a_spike_go_within_seconds),
	};

	if (argc == 2 && strcmp(argv[1], "unprivileged") == 0)
		run_unprivileged();
	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
