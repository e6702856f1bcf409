/* SPDX-License-Identifier: MIT */
/*
 * test_surprises.c - what the runtime leaves alone: signals, masks, alternate
 * stacks, descriptors, threads of the program.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/san.h"
#include "tests/chan_util.h"

#if defined(RT_TSAN) || defined(RT_ASAN)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { SIGNALS = 65, RESTORER = 0x04000000 /* of libc */ };

/* Of the thread and the process. */
struct signals {
	struct sigaction act[SIGNALS];
	sigset_t mask;
	stack_t alt;
};

static void take(struct signals *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 1; i < SIGNALS; i++)
		(void)sigaction(i, NULL, &s->act[i]);
	(void)pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
	(void)sigaltstack(NULL, &s->alt);
}

/* The first signal that differs, but for these two; 0: none. */
static int differs(
    const struct signals *a, const struct signals *b, int but, int but2)
{
	for (int i = 1; i < SIGNALS; i++)
		if (i != but && i != but2 &&
		    (a->act[i].sa_handler != b->act[i].sa_handler ||
			((a->act[i].sa_flags ^ b->act[i].sa_flags) &
			    ~RESTORER)))
			return i;
	return 0;
}

static bool same_thread(const struct signals *a, const struct signals *b)
{
	return memcmp(&a->mask, &b->mask, sizeof(a->mask)) == 0 &&
	    a->alt.ss_flags == b->alt.ss_flags && a->alt.ss_sp == b->alt.ss_sp;
}

static struct signals before, during, after;

static void looks(void *arg)
{
	(void)arg;
	take(&during);
	CHECK_EQ(gamp_sleep(MS), 0);
}

static void nothing_changes_but(
    const struct gamp_options *opt, int but, int but2)
{
	take(&before);
	assert_int_equal(gamp_run(looks, NULL, opt), 0);
	take(&after);
	assert_int_equal(differs(&before, &during, but, but2), 0);
	assert_int_equal(differs(&before, &after, 0, 0), 0);
	assert_true(same_thread(&before, &after));
}

static void it_takes_no_signal_but_those_of_faults(void **state)
{
	const struct gamp_options here = { .main_thread = true };

	(void)state;
	nothing_changes_but(NULL, SIGSEGV, SIGBUS);
	nothing_changes_but(&here, SIGSEGV, SIGBUS);
	if (!SANITIZED)
		assert_int_not_equal(differs(&before, &during, 0, 0), 0);
}

static void it_takes_none_if_it_is_told_so(void **state)
{
	const struct gamp_options none = { .no_signals = true };

	(void)state;
	nothing_changes_but(&none, 0, 0);
}

static void a_guest_takes_none(void **state)
{
	const struct gamp_options guest = { .guest = true };

	(void)state;
	nothing_changes_but(&guest, 0, 0);
	assert_true(same_thread(&before, &during)); /* its thread is ours */
}

static void the_dump_signal_is_as_before_afterwards(void **state)
{
	const struct gamp_options asked = { .no_signals = true,
		.dump_signal = SIGQUIT };

	(void)state;
	nothing_changes_but(&asked, SIGQUIT, 0);
	assert_int_equal(differs(&before, &during, 0, 0), SIGQUIT);
}

static _Atomic int handled;

/* Whoever faults is let out of it. */
static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)info, (void)uc;
	handled = sig;
	_exit(42);
}

static void faults(void *arg)
{
	volatile char *nowhere = arg;

	gamp_yield();
	*nowhere = 1;
}

/* In a child, before it has used the runtime. */
static int in_child(void (*fn)(void))
{
	const struct rlimit none = { 0, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)alarm(120);
		fn();
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void with_own_handler(void)
{
	const struct sigaction own = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };

	(void)sigaction(SIGSEGV, &own, NULL);
	(void)gamp_run(faults, (void *)8, NULL);
}

static void set_meanwhile(void *arg)
{
	const struct sigaction own = { .sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK };

	(void)sigaction(SIGSEGV, &own, NULL);
	(void)arg;
}

static void with_a_handler_of_late(void)
{
	struct sigaction now;

	(void)gamp_run(set_meanwhile, NULL, NULL);
	(void)sigaction(SIGSEGV, NULL, &now);
	_exit(now.sa_sigaction == on_fault ? 42 : 1);
}

static void the_program_s_handler_is_called(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(in_child(with_own_handler), 42);
}

static void the_program_s_later_handler_stays(void **state)
{
	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(in_child(with_a_handler_of_late), 42);
}

static void breaks_connections(void *arg)
{
	gamp_fd a, b;
	char c = 0;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_close(b), 0);
	AWAIT(gamp_write(a, &c, 1) < 0);
	CHECK_EQ(gamp_write(a, &c, 1), -EPIPE);
	CHECK_EQ(gamp_close(a), 0);
	pair_pipe(&a, &b);
	CHECK_EQ(gamp_close(b), 0);
	CHECK_EQ(gamp_write(a, &c, 1), -EPIPE);
	CHECK_EQ(gamp_close(a), 0);
}

/* Its default action would be the end of this program. */
static void sigpipe_neither_comes_nor_is_ignored(void **state)
{
	struct sigaction now;

	(void)state;
	(void)signal(SIGPIPE, SIG_DFL);
	run_one(breaks_connections);
	(void)sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_DFL);
}

/* A thread that was there before, and what it has. */
static void *minds_its_own_business(void *arg)
{
	struct signals a, b;
	struct pollfd none = { .fd = -1 };

	take(&a);
	while (!__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE))
		(void)poll(&none, 1, 1);
	take(&b);
	return same_thread(&a, &b) ? arg : NULL;
}

static void other_threads_are_left_alone(void **state)
{
	pthread_t thread;
	int enough = 0;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(
	    &thread, NULL, minds_its_own_business, &enough), 0);
	assert_int_equal(gamp_run(looks, NULL, NULL), 0);
	__atomic_store_n(&enough, 1, __ATOMIC_RELEASE);
	(void)pthread_join(thread, &result);
	assert_non_null(result);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_program_s_handler_is_called),
		TEST(the_program_s_later_handler_stays),
		TEST(it_takes_no_signal_but_those_of_faults),
		TEST(it_takes_none_if_it_is_told_so),
		TEST(a_guest_takes_none),
		TEST(the_dump_signal_is_as_before_afterwards),
		TEST(sigpipe_neither_comes_nor_is_ignored),
		TEST(other_threads_are_left_alone),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
