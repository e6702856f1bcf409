/* SPDX-License-Identifier: MIT */
/*
 * test_signal.c - signals of the process, received by goroutines.
 *
 * They are sent to the process and taken by the main thread, which sits in
 * gamp_run, or by plain threads that send them to themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/net_util.h"

static const int usr1 = SIGUSR1, usr2 = SIGUSR2;
static atomic_int came;

/* TSan looks away in the child of a process of several threads: it runs no
 * handlers there, and says that its own are set. */
#if defined(RT_TSAN)
enum { CHILD_HANDLES = 0 };
#else
enum { CHILD_HANDLES = 1 };
#endif

static void count(int sig)
{
	(void)sig;
	atomic_fetch_add(&came, 1);
}

static bool handled_by_count(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == count;
}

static void to_process(int sig)
{
	CHECK_EQ(kill(getpid(), sig), 0);
}

static atomic_int taken, taker_result;

/* Until an error. */
static void take(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;
	int r;

	while ((r = gamp_signal_next(fd)) > 0)
		atomic_fetch_add(&taken, r == SIGUSR1 ? 1 : 1000);
	atomic_store(&taker_result, r);
}

static int64_t start_taker(gamp_fd *fd)
{
	int64_t id;

	atomic_store(&taken, 0);
	atomic_store(&taker_result, 1);
	id = gamp_go(take, fd);
	CHECK(id > 0);
	await_parked(id, WHY_READ);
	return id;
}

static void receive_main(void *arg)
{
	int both[] = { SIGUSR1, SIGUSR2, SIGUSR1 };
	gamp_fd fd = gamp_signal_open(both, 3);
	int64_t id;

	(void)arg;
	CHECK(fd > 0);
	(void)start_taker(&fd);
	for (int i = 1; i <= 50; i++) {
		to_process(SIGUSR1);
		AWAIT(atomic_load(&taken) == i * 1001 - 1000);
		to_process(SIGUSR2);
		AWAIT(atomic_load(&taken) == i * 1001);
	}
	CHECK_EQ(gamp_close(fd), 0);
	AWAIT(atomic_load(&taker_result) == -ECANCELED);
	CHECK_EQ(gamp_signal_next(fd), -EBADF);

	fd = gamp_signal_open(&usr1, 1);
	id = start_taker(&fd);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&taker_result) == -ECANCELED);
	CHECK_EQ(gamp_set_read_deadline(fd, gamp_now() + MS), 0);
	CHECK_EQ(gamp_signal_next(fd), -ETIMEDOUT);
	CHECK_EQ(gamp_close(fd), 0);
}

static void a_parked_goroutine_receives_each_signal(void **state)
{
	(void)state;
	run(receive_main);
	run_one(receive_main);
}

static void select_main(void *arg)
{
	gamp_fd fd = gamp_signal_open(&usr1, 1);
	struct gamp_case c[2] = { GAMP_READABLE(fd),
		GAMP_DEADLINE(gamp_now() + MS) };

	(void)arg;
	CHECK_EQ(gamp_select(c, 2), 1);
	to_process(SIGUSR1);
	c[1] = GAMP_DEADLINE(gamp_now() + LIMIT);
	CHECK_EQ(gamp_select(c, 2), 0);
	CHECK_EQ(gamp_signal_next(fd), SIGUSR1);
	CHECK_EQ(gamp_close(fd), 0);
}

static void a_select_waits_for_signals(void **state)
{
	(void)state;
	run(select_main);
}

static void dispositions_main(void *arg)
{
	gamp_fd a = gamp_signal_open(&usr1, 1), b;
	int both[] = { SIGUSR1, SIGUSR2 };

	(void)arg;
	atomic_store(&came, 0);
	b = gamp_signal_open(both, 2);
	CHECK(a > 0 && b > 0);
	CHECK(!handled_by_count(SIGUSR1) && !handled_by_count(SIGUSR2));
	CHECK_EQ(gamp_close(a), 0);
	CHECK(!handled_by_count(SIGUSR1)); /* b has it, too */
	to_process(SIGUSR1);
	CHECK_EQ(gamp_signal_next(b), SIGUSR1);
	CHECK_EQ(atomic_load(&came), 0);
	CHECK_EQ(gamp_close(b), 0);
	CHECK(handled_by_count(SIGUSR1) && handled_by_count(SIGUSR2));
	to_process(SIGUSR1);
	AWAIT(atomic_load(&came) == 1);

	/* What the program sets meanwhile stays. */
	a = gamp_signal_open(&usr1, 1);
	(void)signal(SIGUSR1, SIG_IGN);
	CHECK_EQ(gamp_close(a), 0);
	CHECK(signal(SIGUSR1, count) == SIG_IGN);

	/* The end of the runtime is the end of these. */
	CHECK(gamp_signal_open(both, 2) > 0);
	CHECK(gamp_signal_open(both, 2) > 0);
	CHECK(!handled_by_count(SIGUSR1));
}

static void dispositions_come_back(void **state)
{
	void (*was1)(int) = signal(SIGUSR1, count);
	void (*was2)(int) = signal(SIGUSR2, count);

	(void)state;
	for (int i = 0; i < 3; i++) {
		run(dispositions_main);
		assert_true(handled_by_count(SIGUSR1));
		assert_true(handled_by_count(SIGUSR2));
	}
	(void)signal(SIGUSR1, was1);
	(void)signal(SIGUSR2, was2);
}

/* Each of three signals once, in any order, and nothing else. */
static void expect_three(gamp_fd fd)
{
	int sysfd = gamp_sysfd(fd), sum = 0;

	AWAIT(queued(sysfd) == 3);
	for (int i = 0; i < 3; i++) {
		int sig = gamp_signal_next(fd);

		CHECK(sig > 0);
		sum += sig;
	}
	CHECK_EQ(sum, SIGUSR1 + SIGUSR2 + SIGTERM);
	CHECK_EQ(queued(sysfd), 0);
}

static void coalesce_main(void *arg)
{
	int three[] = { SIGUSR1, SIGUSR2, SIGTERM };
	gamp_fd fd[2];

	(void)arg;
	for (int k = 0; k < 2; k++)
		fd[k] = gamp_signal_open(three, 3);
	for (int i = 0; i < 3000; i++)
		to_process(i % 2 ? SIGUSR1 : SIGUSR2);
	to_process(SIGTERM); /* not lost behind the flood */
	for (int k = 0; k < 2; k++)
		expect_three(fd[k]);
	to_process(SIGUSR1);
	for (int k = 0; k < 2; k++)
		CHECK_EQ(gamp_signal_next(fd[k]), SIGUSR1);
	for (int k = 0; k < 2; k++)
		CHECK_EQ(gamp_close(fd[k]), 0);
}

static void a_flood_is_one_signal_for_each_subscriber(void **state)
{
	(void)state;
	run(coalesce_main);
}

static void errors_main(void *arg)
{
	static const int bad[] = { 0, -1, 65, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,
		SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, 32, 33 };
	struct sigaction was, now;
	gamp_fd many[64], a, b;
	int two[2] = { SIGUSR1, 0 };

	(void)arg;
	(void)sigaction(SIGUSR1, NULL, &was);
	for (size_t i = 0; i < LEN(bad); i++) {
		two[1] = bad[i];
		CHECK_EQ(gamp_signal_open(two, 2), -EINVAL);
		CHECK_EQ(gamp_signal_open(&bad[i], 1), -EINVAL);
	}
	CHECK_EQ(gamp_signal_open(&usr1, 0), -EINVAL);
	CHECK_EQ(gamp_signal_open(NULL, 1), -EINVAL);
	for (size_t i = 0; i < LEN(many); i++)
		CHECK((many[i] = gamp_signal_open(&usr1, 1)) > 0);
	CHECK_EQ(gamp_signal_open(&usr1, 1), -EMFILE);
	to_process(SIGUSR1);
	for (size_t i = 0; i < LEN(many); i++) {
		CHECK_EQ(gamp_signal_next(many[i]), SIGUSR1);
		CHECK_EQ(gamp_close(many[i]), 0);
		CHECK_EQ(gamp_signal_next(many[i]), -EBADF);
	}
	(void)sigaction(SIGUSR1, NULL, &now);
	CHECK(now.sa_handler == was.sa_handler);
	pair_pipe(&a, &b);
	CHECK_EQ(gamp_signal_next(b), -EINVAL);
	close_pair(a, b);
}

static void what_cannot_be_subscribed_is_refused(void **state)
{
	(void)state;
	run(errors_main);
	assert_int_equal(gamp_signal_open(&usr1, 1), -ESRCH);
	assert_int_equal(gamp_signal_next(1 << 24), -EBADF);
}

/* Threads that are hit all the time, while subscriptions come and go. */
static atomic_int over, hits;

static void *hit(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		errno = 4711;
		CHECK_EQ(raise(SIGUSR1), 0);
		CHECK_EQ(raise(SIGUSR2), 0);
		CHECK_EQ(errno, 4711);
		atomic_fetch_add(&hits, 1);
	}
	return NULL;
}

static void churn_main(void *arg)
{
	enum { ROUNDS = 500 };
	gamp_fd fd = 0;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		gamp_fd both[2] = { gamp_signal_open(&usr1, 1),
			gamp_signal_open(&usr2, 1) };
		int p[2];

		if (i % 3 == 0)
			CHECK_EQ(gamp_signal_next(both[0]), SIGUSR1);
		(void)start_taker(&both[1]);
		CHECK_EQ(gamp_close(both[0]), 0);
		/* These have its numbers: no handler writes there. */
		CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
		fd = both[1];
		CHECK_EQ(gamp_close(fd), 0);
		AWAIT(atomic_load(&taker_result) < 0);
		CHECK_EQ(queued(p[0]), 0);
		(void)close(p[0]);
		(void)close(p[1]);
	}
	atomic_store(&over, 1);
}

static void subscriptions_come_and_go_under_fire(void **state)
{
	void (*was1)(int) = signal(SIGUSR1, count);
	void (*was2)(int) = signal(SIGUSR2, count);
	pthread_t t[2];

	(void)state;
	atomic_store(&over, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hit, NULL), 0);
	run(churn_main);
	atomic_store(&over, 1);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(t[i], NULL);
	assert_true(atomic_load(&hits) > 0);
	assert_true(handled_by_count(SIGUSR1) && handled_by_count(SIGUSR2));
	(void)signal(SIGUSR1, was1);
	(void)signal(SIGUSR2, was2);
}

static void fork_main(void *arg)
{
	gamp_fd fd = gamp_signal_open(&usr1, 1);
	int status = -1;
	pid_t pid;

	(void)arg;
	atomic_store(&came, 0);
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		(void)sigemptyset(&none);
		(void)pthread_sigmask(SIG_SETMASK, &none, NULL);
		(void)raise(SIGUSR1);
		_exit(!CHILD_HANDLES ||
			    (atomic_load(&came) == 1 &&
				handled_by_count(SIGUSR1)) ?
			0 :
			1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(queued(gamp_sysfd(fd)), 0);
	to_process(SIGUSR1);
	CHECK_EQ(gamp_signal_next(fd), SIGUSR1);
	CHECK_EQ(gamp_close(fd), 0);
}

static void a_forked_childs_signals_are_its_own(void **state)
{
	void (*was)(int) = signal(SIGUSR1, count);

	(void)state;
	run(fork_main);
	(void)signal(SIGUSR1, was);
}

static void child_main(void *arg)
{
	int chld = SIGCHLD;
	gamp_fd fd = gamp_signal_open(&chld, 1);
	struct gamp_process p;

	(void)arg;
	CHECK_EQ(gamp_spawn(&p, NULL, "true", NULL), 0);
	CHECK_EQ(gamp_signal_next(fd), SIGCHLD);
	CHECK_EQ(gamp_process_wait(&p, NULL), 0);
	CHECK_EQ(gamp_process_close(&p), 0);
	CHECK_EQ(gamp_close(fd), 0);
}

static void the_end_of_a_child_is_a_signal_as_well(void **state)
{
	(void)state;
	run(child_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_parked_goroutine_receives_each_signal),
		TEST(a_select_waits_for_signals),
		TEST(dispositions_come_back),
		TEST(a_flood_is_one_signal_for_each_subscriber),
		TEST(what_cannot_be_subscribed_is_refused),
		TEST(subscriptions_come_and_go_under_fire),
		TEST(a_forked_childs_signals_are_its_own),
		TEST(the_end_of_a_child_is_a_signal_as_well),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
