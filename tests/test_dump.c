/* SPDX-License-Identifier: MIT */
/*
 * test_dump.c - gamp_dump, and the signals that the runtime takes.
 *
 * A dump goes to a file in memory, and the tests look for lines in it.  What
 * the reports of dying programs look like is in prog/test_report.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/net_util.h"

#define TEXT_MAX (4 << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static char *text; /* of the last dump */

/* The dump, as a string. */
static void dump(void)
{
	int fd = memfd_create("dump", MFD_CLOEXEC);
	ssize_t n;

	free(text);
	text = calloc(1, TEXT_MAX);
	CHECK(fd >= 0 && text);
	CHECK_EQ(gamp_dump(fd), 0);
	n = pread(fd, text, TEXT_MAX - 1, 0);
	CHECK(n > 0 && n < TEXT_MAX - 1);
	(void)close(fd);
}

static int lines_with(const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* The lines about one goroutine; "" if there is none. */
static const char *about(int64_t id)
{
	static char part[1 << 16];
	char head[64];
	const char *at, *end;

	(void)snprintf(head, sizeof(head), "goroutine %lld ", (long long)id);
	part[0] = 0;
	at = strncmp(text, head, strlen(head)) == 0 ? text : NULL;
	for (const char *s = text; !at && (s = strchr(s, '\n')); s++)
		if (strncmp(s + 1, head, strlen(head)) == 0)
			at = s + 1;
	if (!at)
		return part;
	end = strstr(at, "\ngoroutine ");
	if (!end)
		end = strstr(at, "\ngamp: ");
	if (end && (size_t)(end - at) < sizeof(part))
		(void)snprintf(
		    part, sizeof(part), "%.*s\n", (int)(end - at), at);
	return part;
}

static bool says(int64_t id, const char *what)
{
	bool found = strstr(about(id), what) != NULL;

	if (!found)
		(void)fprintf(stderr, "no \"%s\" in: %s\n", what, about(id));
	return found;
}

/* One goroutine for each reason to wait. */

static struct {
	struct gamp_chan *full, *empty;
	struct gamp_mutex mutex, of_cond;
	struct gamp_rwmutex rwmutex;
	struct gamp_cond cond;
	struct gamp_sem sem;
	struct gamp_waitgroup wg;
	struct gamp_barrier barrier;
	gamp_fd a, b;
} on;

static void free_chans(void)
{
	(void)gamp_chan_free(on.full);
	(void)gamp_chan_free(on.empty);
	on.full = on.empty = NULL;
}

static void in_mutex(void *arg)
{
	(void)arg;
	(void)gamp_mutex_lock(&on.mutex);
	gamp_mutex_unlock(&on.mutex);
}

static void in_rwmutex(void *arg)
{
	(void)arg;
	(void)gamp_rwmutex_lock(&on.rwmutex);
	gamp_rwmutex_unlock(&on.rwmutex);
}

static void in_cond(void *arg)
{
	(void)arg;
	(void)gamp_mutex_lock(&on.of_cond);
	(void)gamp_cond_wait(&on.cond, &on.of_cond);
	gamp_mutex_unlock(&on.of_cond);
}

static void in_sem(void *arg)
{
	(void)arg;
	(void)gamp_sem_acquire(&on.sem);
}

static void in_waitgroup(void *arg)
{
	(void)arg;
	(void)gamp_waitgroup_wait(&on.wg);
}

static void in_barrier(void *arg)
{
	(void)arg;
	(void)gamp_barrier_wait(&on.barrier);
}

static void in_send(void *arg)
{
	int v = 1;

	(void)arg;
	(void)gamp_chan_send(on.full, &v);
}

static void in_receive(void *arg)
{
	int v;

	(void)arg;
	(void)gamp_chan_recv(on.empty, &v);
}

static void in_select(void *arg)
{
	int v;
	struct gamp_case c[] = { GAMP_RECV(on.empty, &v) };

	(void)arg;
	(void)gamp_select(c, 1);
}

static void in_sleep(void *arg)
{
	(void)arg;
	(void)gamp_sleep(3600 * GAMP_SECOND);
}

static void in_read(void *arg)
{
	char c;

	(void)arg;
	(void)gamp_read(on.b, &c, 1);
}

static void in_group(void *arg)
{
	struct gamp_group g;

	CHECK_EQ(gamp_group_init(&g, 0), 0);
	CHECK_EQ(gamp_group_go(&g, (gamp_err_fn *)arg, NULL), 0);
	(void)gamp_group_wait(&g);
}

static int member(void *arg)
{
	in_receive(arg);
	return 0;
}

static const struct {
	const char *name, *runs;
	int why;
	gamp_fn *fn;
} reasons[] = {
	{ "(mutex)", "runs in_mutex+", WHY_MUTEX, in_mutex },
	{ "(rwmutex)", "runs in_rwmutex+", WHY_RWMUTEX, in_rwmutex },
	{ "(cond)", "runs in_cond+", WHY_COND, in_cond },
	{ "(semaphore)", "runs in_sem+", WHY_SEM, in_sem },
	{ "(wait group)", "runs in_waitgroup+", WHY_WAITGROUP, in_waitgroup },
	{ "(barrier)", "runs in_barrier+", WHY_BARRIER, in_barrier },
	{ "(send)", "runs in_send+", WHY_SEND, in_send },
	{ "(receive)", "runs in_receive+", WHY_RECV, in_receive },
	{ "(select)", "runs in_select+", WHY_SELECT, in_select },
	{ "(sleep)", "runs in_sleep+", WHY_SLEEP, in_sleep },
	{ "(read)", "runs in_read+", WHY_READ, in_read },
	{ "(group)", "runs in_group+", WHY_GROUP, in_group },
};

static void make_reasons(void)
{
	memset(&on, 0, sizeof(on));
	on.full = gamp_chan_new(sizeof(int), 0);
	on.empty = gamp_chan_new(sizeof(int), 0);
	CHECK_EQ(gamp_mutex_lock(&on.mutex), 0);
	CHECK_EQ(gamp_rwmutex_lock(&on.rwmutex), 0);
	CHECK_EQ(gamp_waitgroup_add(&on.wg, 1), 0);
	CHECK_EQ(gamp_barrier_init(&on.barrier, 2), 0);
	pair_socketpair(&on.a, &on.b);
}

static void end_reasons(void)
{
	gamp_mutex_unlock(&on.mutex);
	gamp_rwmutex_unlock(&on.rwmutex);
	(void)gamp_waitgroup_done(&on.wg);
	close_pair(on.a, on.b);
}

static void dump_all_reasons(void *arg)
{
	int64_t ids[LEN(reasons)];

	(void)arg;
	make_reasons();
	for (size_t i = 0; i < LEN(reasons); i++) {
		struct gamp_go_options o = { .name = reasons[i].name };
		void *fn_arg = NULL;
		gamp_err_fn *m = member;

		if (reasons[i].why == WHY_GROUP)
			memcpy(&fn_arg, &m, sizeof(m));
		ids[i] = gamp_go_with(&o, reasons[i].fn, fn_arg);
		CHECK(ids[i] > 0);
		await_parked(ids[i], reasons[i].why);
	}
	dump();
	for (size_t i = 0; i < LEN(reasons); i++) {
		char head[64], by[64];

		(void)snprintf(head, sizeof(head), "\"%s\" waiting %s for ",
		    reasons[i].name, reasons[i].name);
		(void)snprintf(by, sizeof(by),
		    "started by goroutine %lld at dump_all_reasons+",
		    (long long)gamp_self());
		CHECK(says(ids[i], head));
		CHECK(says(ids[i], reasons[i].runs));
		CHECK(says(ids[i], by));
		CHECK(says(ids[i], "rt_park_now+"));
		CHECK(says(ids[i], strchr(reasons[i].runs, 'i')));
		CHECK(says(ids[i], "\n    rt_ctx_entry+"));
	}
	/* The group's goroutine is named by what the program gave. */
	CHECK_EQ(lines_with("runs member+"), 1);
	CHECK(says(gamp_self(), "\"main\" running, and calls this"));
	CHECK(says(gamp_self(), "\n    dump_all_reasons+"));
	CHECK_EQ(lines_with("\ngoroutine "), (int)LEN(reasons) + 2);
	end_reasons();
}

static void a_dump_says_of_each_goroutine_what_it_waits_for(void **state)
{
	(void)state;
	run(dump_all_reasons);
	free_chans();
}

static void dump_after_five_seconds(void *arg)
{
	int64_t id;

	(void)arg;
	on.empty = gamp_chan_new(sizeof(int), 0); /* it may run at once */
	id = gamp_go(in_receive, NULL);
	CHECK_EQ(gamp_sleep(5 * GAMP_SECOND), 0);
	dump();
	CHECK(says(id, "waiting (receive) for 5.000 s"));
	CHECK_EQ(gamp_sleep(1500 * GAMP_MILLISECOND), 0);
	dump();
	CHECK(says(id, "waiting (receive) for 6.500 s"));
}

static void a_dump_says_since_when(void **state)
{
	struct gamp_options o = { .fake_time = true, .maxprocs = 1 };

	(void)state;
	run_with(dump_after_five_seconds, &o);
	free_chans();
}

static void not_yet_run(void *arg)
{
	(void)arg;
}

/* Some may get their turn before the world has stopped, but not a thousand. */
static void dump_the_runnable(void *arg)
{
	(void)arg;
	do {
		for (int i = 0; i < 1000; i++) {
			int64_t id = gamp_go(not_yet_run, NULL);

			CHECK(id > 0);
			if (i % 2)
				(void)gamp_cancel(id);
		}
		dump();
	} while (!lines_with(" runnable, not yet run\n") ||
	    !lines_with(" runnable, not yet run, cancelled\n"));
}

static void a_dump_tells_who_has_not_run(void **state)
{
	struct gamp_options o = { .maxprocs = 1, .seed = 7 };

	(void)state;
	run_with(dump_the_runnable, &o);
}

/* In system calls, and out of them. */

static int quiet_pipe[2];
static atomic_int entered;

static void in_blocking(void *arg)
{
	char c;

	(void)arg;
	gamp_enter_blocking();
	atomic_store(&entered, 1);
	CHECK_EQ(read(quiet_pipe[0], &c, 1), 1);
	gamp_leave_blocking();
}

static void dump_the_blocked(void *arg)
{
	char call[64];
	int64_t id;

	(void)arg;
	atomic_store(&entered, 0);
	CHECK_EQ(pipe(quiet_pipe), 0);
	id = gamp_go(in_blocking, NULL);
	AWAIT(atomic_load(&entered) == 1);
	(void)snprintf(call, sizeof(call), " in system call %d\n", SYS_read);
	for (int64_t limit = gamp_now() + LIMIT; gamp_now() < limit;) {
		dump(); /* until it is there */
		if (strstr(about(id), call))
			break;
		pause_a_little();
	}
	CHECK(says(id, "in a blocking call, thread "));
	CHECK(says(id, call));
	CHECK_EQ(write(quiet_pipe[1], "x", 1), 1);
	AWAIT(gamp_cancel(id) == -ESRCH);
	(void)close(quiet_pipe[0]);
	(void)close(quiet_pipe[1]);
}

static void a_dump_names_the_system_call_of_one_that_blocks(void **state)
{
	(void)state;
	run(dump_the_blocked);
}

/* From a thread; and while the runtime is not there. */

static void *dump_in_thread(void *arg)
{
	(void)arg;
	dump();
	return NULL;
}

static void let_a_thread_dump(void *arg)
{
	pthread_t t;

	(void)arg;
	CHECK_EQ(pthread_create(&t, NULL, dump_in_thread, NULL), 0);
	gamp_enter_blocking();
	CHECK_EQ(pthread_join(t, NULL), 0);
	gamp_leave_blocking();
	CHECK(says(gamp_self(), "\"main\" "));
	CHECK_EQ(lines_with("gamp: 1 goroutines\n"), 1);
}

static void any_thread_may_dump(void **state)
{
	(void)state;
	run(let_a_thread_dump);
}

static void without_a_runtime_there_is_esrch(void **state)
{
	(void)state;
	assert_int_equal(gamp_dump(STDERR_FILENO), -ESRCH);
}

static void dump_badly(void *arg)
{
	int p[2];

	(void)arg;
	CHECK_EQ(gamp_dump(-1), -EBADF);
	CHECK_EQ(pipe(p), 0);
	(void)close(p[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	CHECK_EQ(gamp_dump(p[1]), -EPIPE);
	(void)close(p[1]);
}

static void what_write_says_is_returned(void **state)
{
	(void)state;
	run(dump_badly);
}

/* The reader of a dump may be a goroutine. */

enum { CROWD = 2000 };

static void read_dump(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;
	size_t n = 0;
	ssize_t r;

	while ((r = gamp_read(fd, text + n, TEXT_MAX - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = 0;
	atomic_store(&entered, 1);
}

static void dump_to_a_goroutine(void *arg)
{
	gamp_fd fd;
	int p[2];

	(void)arg;
	on.empty = gamp_chan_new(sizeof(int), 0);
	for (int i = 0; i < CROWD; i++)
		CHECK(gamp_go(in_receive, NULL) > 0);
	free(text);
	text = calloc(1, TEXT_MAX);
	atomic_store(&entered, 0);
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	fd = gamp_adopt(p[0]);
	CHECK(fd > 0);
	CHECK(gamp_go(read_dump, &fd) > 0);
	CHECK_EQ(gamp_dump(p[1]), 0); /* far more than a pipe holds */
	(void)close(p[1]);
	AWAIT(atomic_load(&entered) == 1);
	CHECK_EQ(lines_with("\ngoroutine "), CROWD + 2);
	CHECK_EQ(lines_with("\n    runs in_receive+"), CROWD);
	CHECK_EQ(gamp_close(fd), 0);
}

static void a_goroutine_may_read_the_dump(void **state)
{
	(void)state;
	run_one(dump_to_a_goroutine);
	free_chans();
}

/* While everything moves. */

static atomic_int over;

static void come_and_go(void *arg)
{
	struct gamp_chan *c = arg;
	int v = 0;

	while (!atomic_load(&over)) {
		(void)gamp_chan_trysend(c, &v);
		gamp_yield();
		(void)gamp_chan_tryrecv(c, &v);
		(void)gamp_sleep(v++ % 50 * 1000);
		(void)gamp_go(not_yet_run, NULL);
	}
}

static void dump_what_moves(void *arg)
{
	struct gamp_chan *c = gamp_chan_new(sizeof(int), 4);

	(void)arg;
	on.full = c;
	atomic_store(&over, 0);
	for (int i = 0; i < 50; i++)
		CHECK(gamp_go(come_and_go, c) > 0);
	for (int i = 0; i < (SANITIZED ? 10 : 40); i++) {
		dump();
		CHECK(lines_with("runs come_and_go+") == 50);
		CHECK(says(gamp_self(), "running, and calls this"));
	}
	atomic_store(&over, 1);
}

static void a_dump_of_what_moves_is_whole(void **state)
{
	(void)state;
	run(dump_what_moves);
	free_chans();
}

/* Signals. */

static struct sigaction action_of(int sig)
{
	struct sigaction sa;

	assert_int_equal(sigaction(sig, NULL, &sa), 0);
	return sa;
}

static void mine(int sig)
{
	(void)sig;
}

static void take_segv(void *arg)
{
	struct sigaction sa = { .sa_handler = mine };

	CHECK_EQ(sigaction(SIGSEGV, &sa, arg), 0);
}

static void keep_segv(void *arg)
{
	CHECK_EQ(sigaction(SIGSEGV, NULL, arg), 0);
}

static void signals_are_given_back(void **state)
{
	struct sigaction before = action_of(SIGSEGV), in, after;

	(void)state;
	assert_int_equal(gamp_run(keep_segv, &in, NULL), 0);
	after = action_of(SIGSEGV);
	assert_true(after.sa_handler == before.sa_handler);
	/* Sanitizers have their own. */
	assert_true(SANITIZED == (in.sa_handler == before.sa_handler));
}

static void what_the_program_set_meanwhile_stays(void **state)
{
	struct sigaction before = action_of(SIGSEGV), in;

	(void)state;
	assert_int_equal(gamp_run(take_segv, &in, NULL), 0);
	assert_true(action_of(SIGSEGV).sa_handler == mine);
	(void)sigaction(SIGSEGV, &before, NULL);
}

static void no_signals_means_none(void **state)
{
	struct gamp_options o = { .no_signals = true };
	struct sigaction before = action_of(SIGSEGV), in;

	(void)state;
	assert_int_equal(gamp_run(keep_segv, &in, &o), 0);
	assert_true(in.sa_handler == before.sa_handler);
}

static void keep_quit(void *arg)
{
	CHECK_EQ(sigaction(SIGQUIT, NULL, arg), 0);
}

static void the_dump_signal_is_given_back(void **state)
{
	struct gamp_options o = { .dump_signal = SIGQUIT };
	struct sigaction in, set = { .sa_handler = mine };

	(void)state;
	assert_int_equal(sigaction(SIGQUIT, &set, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gamp_run(keep_quit, &in, &o), 0);
		assert_true(in.sa_handler != mine);
		assert_true(action_of(SIGQUIT).sa_handler == mine);
	}
	(void)signal(SIGQUIT, SIG_DFL);
}

static void signals_that_cannot_be_had_are_refused(void **state)
{
	static const int bad[] = { -1, 1000, SIGSEGV, SIGBUS, SIGKILL };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct gamp_options o = { .dump_signal = bad[i] };

		assert_int_equal(gamp_run(keep_quit, NULL, &o), -EINVAL);
	}
	run(dump_badly); /* and nothing was left behind */
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(without_a_runtime_there_is_esrch),
		TEST(a_dump_says_of_each_goroutine_what_it_waits_for),
		TEST(a_dump_says_since_when),
		TEST(a_dump_tells_who_has_not_run),
		TEST(a_dump_names_the_system_call_of_one_that_blocks),
		TEST(any_thread_may_dump),
		TEST(what_write_says_is_returned),
		TEST(a_goroutine_may_read_the_dump),
		TEST(a_dump_of_what_moves_is_whole),
		TEST(signals_are_given_back),
		TEST(what_the_program_set_meanwhile_stays),
		TEST(no_signals_means_none),
		TEST(the_dump_signal_is_given_back),
		TEST(signals_that_cannot_be_had_are_refused),
	};
	int r;

	take_arguments(argc, argv);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	free(text);
	return r;
}
