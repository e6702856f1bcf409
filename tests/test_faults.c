/* SPDX-License-Identifier: MIT */
/*
 * test_faults.c - what the runtime does when the system says no.
 *
 * The calls below are wrapped by the linker, and a plan makes the Nth of one
 * fail, once or from then on.  N counts up until a run does not reach it, so
 * every call the code makes has failed once.  What fails must say so by a
 * clear -errno, and leave nothing behind: threads, descriptors, mappings and
 * memory are counted.
 *
 * Tests that set limits, or fill the process, run in a child.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "base/arena.h"
#include "tests/fault_plan.h"
#include "tests/test.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define LIMIT (60 * GAMP_SECOND)
#define MIB   ((long)1 << 20)

/* What a process holds. */

struct held {
	long fds, tasks, maps, pages, heap;
};

static long entries(const char *dir)
{
	DIR *d = opendir(dir);
	long n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static long field(int which)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long v[2];

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &v[0], &v[1]), 2);
	(void)fclose(f);
	return v[which];
}

static long lines(const char *path)
{
	FILE *f = fopen(path, "re");
	long n = 0;
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

static struct held look(void)
{
	struct held h;

	h.fds = entries("/proc/self/fd");
	h.tasks = entries("/proc/self/task");
	h.maps = lines("/proc/self/maps");
	h.pages = field(0);
	h.heap = (long)mallinfo2().uordblks;
	return h;
}

static long rss(void)
{
	return field(1) * sysconf(_SC_PAGESIZE);
}

/* Once it was true: it need not stay so. */
#define WAIT_UNTIL(cond)                                      \
	do {                                                  \
		int64_t end_ = gamp_now() + LIMIT;            \
		int met_;                                     \
                                                              \
		while (!(met_ = (cond)) && gamp_now() < end_) \
			sched_yield();                        \
		if (!met_)                                    \
			fail_msg("never: " #cond);            \
	} while (0)

/* With one thread, and the two entries of any directory.  One that was joined
 * leaves /proc a moment later. */
static struct held look_alone(void)
{
	WAIT_UNTIL(entries("/proc/self/task") == 3);
	return look();
}

static void assert_nothing_left(const struct held *before)
{
	struct held now = look_alone();

	assert_int_equal(now.fds, before->fds);
	assert_int_equal(now.tasks, before->tasks);
	if (SANITIZED)
		return;
	assert_true(now.maps <= before->maps + 2);
	assert_true(now.pages <= before->pages + MIB / 4096);
	assert_true(now.heap <= before->heap + 16384);
}

/* Small programs. */

static atomic_int count, failures, go_on;

#define EXPECT(c) ((c) ? (void)0 : (void)atomic_fetch_add(&failures, 1))

static void add_one(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		gamp_yield();
	EXPECT(gamp_sleep(GAMP_MICROSECOND) == 0);
	atomic_fetch_add(&count, 1);
}

static void parked(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
	EXPECT(gamp_sleep(GAMP_FOREVER) == -ECANCELED);
}

static void some_work(void *arg)
{
	int n = (int)(intptr_t)arg;

	for (int i = 0; i < n; i++)
		EXPECT(gamp_go(add_one, NULL) > 0);
	while (atomic_load(&count) < n)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static int setup(void **state)
{
	(void)state;
	plan_none();
	atomic_store(&count, 0);
	atomic_store(&failures, 0);
	atomic_store(&go_on, 0);
	return 0;
}

/* A test that failed does not take the others with it. */
static int teardown(void **state)
{
	(void)state;
	plan_none();
	(void)gamp_stop(gamp_now() + LIMIT);
	return 0;
}

static void assert_it_runs(const struct gamp_options *o)
{
	atomic_store(&count, 0);
	assert_int_equal(gamp_run(some_work, (void *)20, o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void stop(void)
{
	assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

/* A forked child's assertions are its own: it reports by its exit code. */
static int child_status(void (*fn)(void), char *said, size_t size)
{
	int p[2], status, r;
	size_t n = 0;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(p[1], STDERR_FILENO);
		(void)close(p[0]);
		(void)close(p[1]);
		(void)alarm(200);
		fn();
		_exit(0);
	}
	(void)close(p[1]);
	while ((r = (int)read(p[0], said + n, size - 1 - n)) > 0)
		n += (size_t)r;
	said[n] = 0;
	(void)close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		print_message("child: status %d, said: %s\n", status, said);
	return status;
}

/* In a child. */
#define NEED(c)                                                               \
	do {                                                                  \
		if (!(c)) {                                                   \
			(void)fprintf(stderr, "line %d: " #c "\n", __LINE__); \
			_exit(1);                                             \
		}                                                             \
	} while (0)
#define NEED_UNTIL(c)                                  \
	do {                                           \
		int64_t end_ = gamp_now() + 2 * LIMIT; \
                                                       \
		while (!(c) && gamp_now() < end_)      \
			sched_yield();                 \
		NEED(c);                               \
	} while (0)

/* Start. */

static const struct row {
	enum call call;
	const char *name;
	int err;
	bool needed; /* else the runtime does without */
} rows[] = {
	{ CALL_mmap, "mmap", ENOMEM, false },
	{ CALL_mprotect, "mprotect", ENOMEM, false },
	{ CALL_madvise, "madvise", EINVAL, false },
	{ CALL_pthread_create, "pthread_create", EAGAIN, true },
	{ CALL_epoll_create1, "epoll_create1", EMFILE, true },
	{ CALL_eventfd, "eventfd", ENFILE, true },
	{ CALL_epoll_ctl, "epoll_ctl", ENOSPC, true },
	{ CALL_aligned_alloc, "aligned_alloc", ENOMEM, true },
};

/* True if the plan was reached. */
static bool start_with(const struct row *row, int from, int to)
{
	struct gamp_options o = { .maxprocs = 2 };
	bool hit;
	int r;

	plan(row->call, from, to, row->err);
	r = gamp_start(&o);
	hit = atomic_load(&plans[row->call].hit) > 0;
	plan_none();
	if (r == 0) {
		assert_false(hit && row->needed);
		assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
	} else {
		assert_true(hit);
		assert_int_equal(r, -row->err);
		assert_int_equal(gamp_go(add_one, NULL), -ESRCH);
	}
	return hit;
}

static void a_start_that_fails_leaves_nothing(void **state)
{
	struct held before;

	(void)state;
	assert_it_runs(NULL); /* what the first run keeps for good */
	before = look_alone();
	for (size_t i = 0; i < LEN(rows); i++)
		for (int sticky = 0; sticky < 2; sticky++) {
			int n = 1;

			while (
			    start_with(&rows[i], n, sticky ? INT32_MAX : n)) {
				assert_nothing_left(&before);
				assert_true(n++ < 200);
			}
			if (rows[i].needed)
				assert_true(n > 1);
		}
	assert_it_runs(NULL);
	assert_nothing_left(&before);
}

/* The whole of a program, with every call failing once. */
static void a_run_survives_any_one_failure(void **state)
{
	struct held before;

	(void)state;
	assert_it_runs(NULL);
	before = look_alone();
	for (size_t i = 0; i < LEN(rows); i++)
		for (int n = 1, hit = 1; hit && n < 100; n++) {
			int r;

			atomic_store(&count, 0);
			plan(rows[i].call, n, n, rows[i].err);
			r = gamp_run(some_work, (void *)1, NULL);
			hit = atomic_load(&plans[rows[i].call].hit);
			plan_none();
			assert_true(r == 0 || r == -rows[i].err);
			/* Only gamp_go may have been refused. */
			if (atomic_load(&failures) > 0)
				assert_int_equal(rows[i].err, ENOMEM);
			atomic_store(&failures, 0);
			assert_nothing_left(&before);
		}
}

/* Goroutines. */

static void go_without_memory_is_enomem_and_the_rest_goes_on(void **state)
{
	struct gamp_options o = { .maxprocs = 2 };
	int n = 0, refused = 0;
	int64_t r = 0;

	(void)state;
	assert_int_equal(gamp_start(&o), 0);
	/* No address space for any stack. */
	plan(CALL_mmap, 1, INT32_MAX, ENOMEM);
	assert_int_equal(gamp_go(parked, NULL), -ENOMEM);
	plan_none();
	assert_true(gamp_go(parked, NULL) > 0);
	/* Addresses, but no memory for more than were begun.  What the monitor
	 * has in its hands at the first no, it gives back a moment later. */
	plan(CALL_mprotect, 1, INT32_MAX, ENOMEM);
	for (n = 1; n < 5000 && refused < 2; n += r > 0) {
		r = gamp_go(parked, NULL);
		refused = r > 0 ? 0 : refused + 1;
		assert_true(r > 0 || r == -ENOMEM);
	}
	assert_int_equal(refused, 2);
	WAIT_UNTIL(atomic_load(&count) == n);
	plan_none();
	for (int i = 0; i < 500; i++, n++)
		assert_true(gamp_go(parked, NULL) > 0);
	WAIT_UNTIL(atomic_load(&count) == n);
	stop();
}

static void as_many_as_allowed_and_no_more(void **state)
{
	struct gamp_options o = { .maxprocs = 2, .max_goroutines = 100 };
	int64_t id[100];
	int n = 100;

	(void)state;
	assert_int_equal(gamp_start(&o), 0);
	for (int round = 0; round < 5; round++) {
		atomic_store(&count, 0);
		for (int i = 0; i < n; i++) {
			/* Those that were cancelled need a moment to end. */
			int64_t end = gamp_now() + LIMIT;

			while ((id[i] = gamp_go(parked, NULL)) == -EAGAIN &&
			       gamp_now() < end)
				sched_yield();
			assert_true(id[i] > 0);
		}
		if (n == 100)
			assert_int_equal(gamp_go(parked, NULL), -EAGAIN);
		WAIT_UNTIL(atomic_load(&count) == n);
		for (int i = 0; i < n; i++)
			assert_int_equal(gamp_cancel(id[i]), 0);
		n = 100 - 100 / 8; /* Ps keep dead ones (sched.c, reset) */
	}
	stop();
}

/* Threads. */

static void block(void *arg)
{
	(void)arg;
	gamp_enter_blocking();
	(void)poll(NULL, 0, 3); /* blocks the thread: that is the test */
	gamp_leave_blocking();
	add_one(NULL);
}

static void spread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++)
		EXPECT(gamp_go(i % 10 == 0 ? block : add_one, NULL) > 0);
	while (atomic_load(&count) < 200)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static void without_more_threads_all_goroutines_still_end(void **state)
{
	struct gamp_options o = { .maxprocs = 4 };
	struct held before;

	(void)state;
	assert_it_runs(NULL);
	before = look_alone();
	/* The first is the monitor, the second the first M. */
	for (int from = 3; from < 7; from++)
		for (int sticky = 0; sticky < 2; sticky++) {
			atomic_store(&count, 0);
			plan(CALL_pthread_create, from,
			    sticky ? INT32_MAX : from + 2, EAGAIN);
			assert_int_equal(gamp_run(spread, NULL, &o), 0);
			assert_int_equal(atomic_load(&count), 200);
			assert_int_equal(atomic_load(&failures), 0);
			plan_none();
			assert_nothing_left(&before);
		}
	/* The same when it is their memory that is missing. */
	atomic_store(&count, 0);
	plan(CALL_aligned_alloc, 3, INT32_MAX, ENOMEM);
	assert_int_equal(gamp_run(spread, NULL, &o), 0);
	plan_none();
	assert_int_equal(atomic_load(&count), 200);
	assert_nothing_left(&before);
}

static atomic_int most_tasks;

/* The monitor has a name of its own, and so has who reads the topology. */
static bool is_m(const char *tid)
{
	char path[300], name[20] = "";
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	(void)!fgets(name, sizeof(name), f);
	(void)fclose(f);
	return strcmp(name, "gamp\n") == 0;
}

static int count_ms(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.' && is_m(e->d_name);
	if (d)
		(void)closedir(d);
	return n;
}

static void count_tasks(void *arg)
{
	int n, most;

	block(arg);
	n = count_ms();
	most = atomic_load(&most_tasks);
	while (n > most && !atomic_compare_exchange_weak(&most_tasks, &most, n))
		;
}

static void crowd(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		EXPECT(gamp_go(count_tasks, NULL) > 0);
	while (atomic_load(&count) < 100)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static void threads_are_as_many_as_allowed(void **state)
{
	static const int allowed[] = { 1, 2, 5 };

	(void)state;
	for (size_t i = 0; i < LEN(allowed); i++) {
		struct gamp_options o = { .maxprocs = 4,
			.max_threads = allowed[i] };

		atomic_store(&count, 0);
		atomic_store(&most_tasks, 0);
		WAIT_UNTIL(count_ms() == 0); /* of the run before */
		assert_int_equal(gamp_run(crowd, NULL, &o), 0);
		assert_int_equal(atomic_load(&failures), 0);
		assert_in_range(
		    atomic_load(&most_tasks), 1, (unsigned)allowed[i]);
	}
}

/* Descriptors. */

/* The monitor may have opened a file of /proc at this very moment. */
static long least_fds(void)
{
	long least = LONG_MAX;

	for (int i = 0; i < 100; i++) {
		long n = entries("/proc/self/fd");

		least = n < least ? n : least;
		sched_yield();
	}
	return least;
}

static void assert_fds(long n)
{
	WAIT_UNTIL(entries("/proc/self/fd") == n);
}

static gamp_fd listener;
static _Atomic(gamp_fd) result;

static void do_accept(void *arg)
{
	(void)arg;
	atomic_store(&result, gamp_accept(listener));
	atomic_fetch_add(&count, 1);
}

static void do_dial(void *arg)
{
	atomic_store(&result, gamp_dial("tcp", arg));
	atomic_fetch_add(&count, 1);
}

static gamp_fd in_goroutine(gamp_fn *fn, void *arg)
{
	atomic_store(&count, 0);
	atomic_store(&result, 0);
	assert_true(gamp_go(fn, arg) > 0);
	WAIT_UNTIL(atomic_load(&count) == 1);
	return atomic_load(&result);
}

static void refusals_of_epoll_are_returned_and_leak_nothing(void **state)
{
	struct gamp_options o = { .maxprocs = 2 };
	struct gamp_addr a;
	char text[64];
	long fds;
	int p[2];
	gamp_fd fd;

	(void)state;
	assert_int_equal(gamp_start(&o), 0);
	fds = least_fds();

	plan(CALL_epoll_ctl, 1, 1, ENOSPC);
	assert_int_equal(gamp_listen("tcp", "127.0.0.1:0"), -ENOSPC);
	assert_fds(fds);
	plan_none();
	listener = gamp_listen("tcp", "127.0.0.1:0");
	assert_true(listener > 0);
	assert_int_equal(gamp_local_addr(listener, &a), 0);
	assert_true(gamp_addr_string(&a, text, sizeof(text)) > 0);
	assert_fds(++fds);

	plan(CALL_epoll_ctl, 1, 1, ENOMEM);
	assert_int_equal(in_goroutine(do_dial, text), -ENOMEM);
	plan_none();
	assert_fds(fds);
	/* That dial reached the backlog and is gone again: accept finds it. */
	plan(CALL_epoll_ctl, 1, 1, ENOSPC);
	assert_int_equal(in_goroutine(do_accept, NULL), -ENOSPC);
	plan_none();
	assert_fds(fds);
	/* And the listener is none the worse. */
	fd = in_goroutine(do_dial, text);
	assert_true(fd > 0);
	assert_int_equal(gamp_close(fd), 0);
	fd = in_goroutine(do_accept, NULL);
	assert_true(fd > 0);
	assert_int_equal(gamp_close(fd), 0);
	assert_fds(fds);

	/* Adopted: it stays the caller's, and as it was. */
	assert_int_equal(pipe(p), 0);
	plan(CALL_epoll_ctl, 1, 1, ENOSPC);
	assert_int_equal(gamp_adopt(p[0]), -ENOSPC);
	plan_none();
	assert_int_equal(fcntl(p[0], F_GETFL) & O_NONBLOCK, 0);
	fd = gamp_adopt(p[0]);
	assert_true(fd > 0);
	assert_int_equal(gamp_close(fd), 0);
	assert_int_equal(close(p[1]), 0);
	assert_int_equal(gamp_close(listener), 0);
	assert_fds(fds - 1);
	stop();
}

/* Until one says no. */
static ssize_t write_all_that_fits(gamp_fd fd)
{
	static char big[1 << 20];
	ssize_t r = 0;

	for (int i = 0; i < 64 && r >= 0; i++)
		r = gamp_write(fd, big, sizeof(big));
	return r;
}

static void write_much(void *arg)
{
	struct gamp_addr a;
	char text[64];
	gamp_fd c, s;

	(void)arg;
	c = gamp_local_addr(listener, &a);
	EXPECT(c == 0 && gamp_addr_string(&a, text, sizeof(text)) > 0);
	c = gamp_dial("tcp", text);
	s = gamp_accept(listener);
	EXPECT(c > 0 && s > 0);
	/* Full at some point; then writing has to be registered, which the
	 * side that dialled is already. */
	plan(CALL_epoll_ctl, 1, INT32_MAX, ENOMEM);
	EXPECT(write_all_that_fits(s) == -ENOMEM);
	/* And again; there may be room by now. */
	EXPECT(write_all_that_fits(s) == -ENOMEM);
	plan_none();
	EXPECT(gamp_close(c) == 0 && gamp_close(s) == 0);
	atomic_fetch_add(&count, 1);
}

static void a_write_that_cannot_wait_says_so(void **state)
{
	(void)state;
	assert_int_equal(gamp_start(NULL), 0);
	listener = gamp_listen("tcp", "127.0.0.1:0");
	assert_true(listener > 0);
	assert_true(gamp_go(write_much, NULL) > 0);
	WAIT_UNTIL(atomic_load(&count) == 1);
	stop();
}

static void malformed_addresses_cost_nothing(void **state)
{
	static const struct {
		const char *network, *addr;
		int err;
	} bad[] = {
		{ "tcp", "", EINVAL },
		{ "tcp", NULL, EINVAL },
		{ "tcp", ":", EINVAL },
		{ "tcp", "127.0.0.1", EINVAL },
		{ "tcp", "127.0.0.1:", EINVAL },
		{ "tcp", "127.0.0.1:65536", EINVAL },
		{ "tcp", "127.0.0.1:-1", EINVAL },
		{ "tcp", "127.0.0.1:8o", EINVAL },
		{ "tcp", "127.0.0.256:80", EINVAL },
		{ "tcp", "[::1:80", EINVAL },
		{ "tcp", "::1:80", EINVAL },
		{ "tcp", "[::1]80", EINVAL },
		{ "tcp", "[127.0.0.1]:80", EINVAL },
		{ "tcp4", "[::1]:80", EINVAL },
		{ "tcp6", "127.0.0.1:80", EINVAL },
		{ "unix", "", EINVAL },
		{ "unix", "@", EINVAL },
		{ "udp", "127.0.0.1:80", EPROTONOSUPPORT },
		{ "", "127.0.0.1:80", EPROTONOSUPPORT },
		{ NULL, "127.0.0.1:80", EPROTONOSUPPORT },
	};
	long fds;

	(void)state;
	assert_int_equal(gamp_start(NULL), 0);
	fds = least_fds();
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(
		    gamp_listen(bad[i].network, bad[i].addr), -bad[i].err);
	assert_fds(fds);
	stop();
}

/* Guards. */

#define BEYOND 36000 /* goroutines; vm.max_map_count allows 32,700 */

static void beyond_the_map_count(void)
{
	struct gamp_options o = { .maxprocs = 2 };
	struct arena_stats st;
	int n = SANITIZED ? 1000 : BEYOND;

	NEED(setenv("GAMP_DEBUG", "guard=mprotect", 1) == 0);
	NEED(gamp_start(&o) == 0);
	for (int i = 0; i < n; i++)
		NEED(gamp_go(parked, NULL) > 0);
	NEED_UNTIL(atomic_load(&count) == n);
	arena_stats(&st);
	NEED(!st.guard_madvise);
	NEED(st.slots >= (uint64_t)n);
	if (!SANITIZED)
		NEED(st.unguarded > 0 && st.unguarded < st.slots / 2);
	NEED(gamp_stop(gamp_now() + 2 * LIMIT) == 0);
	NEED(atomic_load(&failures) == 0);
	/* And again, with all mappings back. */
	NEED(gamp_run(some_work, (void *)20, &o) == 0);
}

static long map_limit(void)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
	long n = 0;

	if (f) {
		if (fscanf(f, "%ld", &n) != 1)
			n = 0;
		(void)fclose(f);
	}
	return n;
}

static void guards_run_out_with_a_warning_and_a_count(void **state)
{
	char said[4096], *first;

	(void)state;
	if (map_limit() > 2 * BEYOND - 2000)
		skip();
	assert_int_equal(
	    child_status(beyond_the_map_count, said, sizeof(said)), 0);
	if (SANITIZED)
		return;
	first = strstr(said, "no more guard pages");
	assert_non_null(first);
	assert_null(strstr(first + 1, "no more guard pages")); /* once */
}

/* Limits. */

static long extra; /* bytes of address space that a child may add */

static void with_little_address_space(void)
{
	struct gamp_options o = { .maxprocs = 2 };
	struct rlimit rl;
	int r;

	rl.rlim_cur = rl.rlim_max =
	    (rlim_t)(field(0) * sysconf(_SC_PAGESIZE) + extra);
	NEED(setrlimit(RLIMIT_AS, &rl) == 0);
	r = gamp_start(&o);
	NEED(r == 0 || r == -ENOMEM || r == -EAGAIN);
	if (r == 0) {
		int64_t id = gamp_go(parked, NULL);

		NEED(id > 0 || id == -ENOMEM);
		if (id > 0)
			NEED_UNTIL(atomic_load(&count) == 1);
		NEED(gamp_stop(gamp_now() + LIMIT) == 0);
	}
	/* What it must be able to do with. */
	if (extra >= 1024 * MIB) {
		NEED(r == 0);
		atomic_store(&count, 0);
		NEED(gamp_run(some_work, (void *)500, &o) == 0);
		NEED(atomic_load(&failures) == 0);
	}
	_exit(0);
}

static void little_address_space_starts_small_or_says_so(void **state)
{
	static const long mib[] = { 1, 4, 16, 40, 100, 300, 600, 1024, 4096,
		65536 };
	char said[4096];

	(void)state;
	if (SANITIZED)
		skip();
	for (size_t i = 0; i < LEN(mib); i++) {
		extra = mib[i] * MIB;
		assert_int_equal(
		    child_status(with_little_address_space, said, sizeof(said)),
		    0);
	}
}

/* Memory. */

#define SPIKE 50000

static void memory_of_a_spike_goes_back(void **state)
{
	static int64_t id[SPIKE];
	struct gamp_options o = { .maxprocs = 2 };
	long before;

	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(gamp_start(&o), 0);
	for (int i = 0; i < 100; i++)
		assert_true(gamp_go(add_one, NULL) > 0);
	WAIT_UNTIL(atomic_load(&count) == 100);
	before = rss();
	atomic_store(&count, 0);
	for (int i = 0; i < SPIKE; i++)
		assert_true((id[i] = gamp_go(parked, NULL)) > 0);
	WAIT_UNTIL(atomic_load(&count) == SPIKE);
	assert_true(rss() > before + SPIKE * 4096L);
	for (int i = 0; i < SPIKE; i++)
		assert_int_equal(gamp_cancel(id[i]), 0);
	WAIT_UNTIL(rss() < before + 16 * MIB);
	/* All can be had again. */
	atomic_store(&count, 0);
	for (int i = 0; i < SPIKE; i++)
		assert_true(gamp_go(parked, NULL) > 0);
	WAIT_UNTIL(atomic_load(&count) == SPIKE);
	stop();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
		/* First those with children: who is forked from a process
		 * that has used the runtime may not. */
		T(guards_run_out_with_a_warning_and_a_count),
		T(little_address_space_starts_small_or_says_so),
		T(a_start_that_fails_leaves_nothing),
		T(a_run_survives_any_one_failure),
		T(go_without_memory_is_enomem_and_the_rest_goes_on),
		T(as_many_as_allowed_and_no_more),
		T(without_more_threads_all_goroutines_still_end),
		T(threads_are_as_many_as_allowed),
		T(refusals_of_epoll_are_returned_and_leak_nothing),
		T(a_write_that_cannot_wait_says_so),
		T(malformed_addresses_cost_nothing),
		T(memory_of_a_spike_goes_back),
	};

	/* No stacks of dead threads kept for the next: all is counted. */
	if (!getenv("GLIBC_TUNABLES")) {
		(void)setenv(
		    "GLIBC_TUNABLES", "glibc.pthread.stack_cache_size=0", 1);
		(void)execv("/proc/self/exe", argv);
	}
	(void)argc;
	/* One heap: another is 64 MiB of addresses, kept for ever. */
	(void)mallopt(M_ARENA_MAX, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
