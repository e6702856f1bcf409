/* SPDX-License-Identifier: MIT */
/*
 * stress_restart.c - the runtime starts and stops many times in one process,
 * and gives everything back: descriptors, threads, maps, memory.
 *
 * Each run leaves behind what a program may leave: goroutines in every kind
 * of wait, sockets, armed starts with and without data, deadlines to come.
 *
 * Then threads that are not the runtime's use it while it starts and stops:
 * one wakes the last goroutine, others look at descriptors.
 *
 * Arguments	[seed]
 * Environment	STRESS_SCALE	hundreds of runs; 25 each under sanitizers
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define LEFT 40 /* of each kind */
#define HANG 120
#define GROW (96 << 20) /* size: stacks of threads that libc keeps */

static uint64_t seed;
static int run_no;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static atomic_int armed, started, ended, spawned;

static void die(int line, const char *what, int64_t x)
{
	(void)fprintf(stderr,
	    "stress_restart: line %d: %s: %" PRId64 " (run %d, seed 0x%" PRIx64
	    ")\n",
	    line, what, x, run_no, seed);
	abort();
}

#define MUST(cond, x)                                       \
	do {                                                \
		if (!(cond))                                \
			die(__LINE__, #cond, (int64_t)(x)); \
	} while (0)

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % below;
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	MUST(d != NULL, errno);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static int maps(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	int n = 0, c;

	MUST(f != NULL, errno);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

static int64_t memory(int field)
{
	FILE *f = fopen("/proc/self/statm", "re");
	int64_t v[2] = { 0 };

	MUST(f != NULL, errno);
	MUST(fscanf(f, "%" SCNd64 " %" SCNd64, &v[0], &v[1]) == 2, 0);
	(void)fclose(f);
	return v[field] * sysconf(_SC_PAGESIZE);
}

static void sockets(gamp_fd *a, gamp_fd *b)
{
	int sv[2];

	MUST(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0, errno);
	*a = gamp_adopt(sv[0]);
	*b = gamp_adopt(sv[1]);
	MUST(*a > 0 && *b > 0, *a);
}

static void reads(void *arg)
{
	char c;
	ssize_t r = gamp_read((gamp_fd)(intptr_t)arg, &c, 1);

	MUST(r == -ECANCELED || r >= 0, r);
	atomic_fetch_add(&ended, 1);
}

static void accepts(void *arg)
{
	gamp_fd r = gamp_accept((gamp_fd)(intptr_t)arg);

	MUST(r == -ECANCELED, r);
	atomic_fetch_add(&ended, 1);
}

static void sleeps(void *arg)
{
	int r = gamp_sleep(3600 * GAMP_SECOND);

	(void)arg;
	MUST(r == -ECANCELED, r);
	atomic_fetch_add(&ended, 1);
}

static void yields(void *arg)
{
	(void)arg;
	while (!gamp_cancelled())
		gamp_yield();
	atomic_fetch_add(&ended, 1);
}

static void starts(void *arg)
{
	char c;

	(void)gamp_read((gamp_fd)(intptr_t)arg, &c, 1);
	atomic_fetch_add(&started, 1);
}

static void leave(gamp_fn *fn, gamp_fd fd)
{
	MUST(gamp_go(fn, (void *)(intptr_t)fd) > 0, 0);
	atomic_fetch_add(&spawned, 1);
}

static void leave_armed(gamp_fd fd)
{
	char c;
	int r;

	(void)gamp_set_read_deadline(fd, gamp_now() + GAMP_MICROSECOND);
	(void)gamp_read(fd, &c, 1);
	(void)gamp_set_read_deadline(
	    fd, rnd(2) ? 0 : gamp_now() + rnd(3000) * GAMP_MICROSECOND);
	r = gamp_go_when_readable(fd, starts, (void *)(intptr_t)fd);
	MUST(r == 0, r);
	atomic_fetch_add(&armed, 1);
}

static void leave_much(void *arg)
{
	static gamp_fd told[LEFT];
	gamp_fd a, b;

	(void)arg;
	for (int i = 0; i < LEFT; i++) {
		leave(sleeps, 0);
		sockets(&a, &b);
		leave(reads, a);
		leave(reads, a); /* waits for its turn */
		leave(reads, b);
		(void)gamp_set_deadline(b, gamp_now() + GAMP_SECOND * 3600);
		sockets(&a, &b);
		leave_armed(b);
		sockets(&told[i], &b);
		leave_armed(b);
		if (i % 10 == 0) {
			a = gamp_listen("tcp", "127.0.0.1:0");
			MUST(a > 0, a);
			leave(accepts, a);
		}
	}
	leave(yields, 0);
	if (rnd(2))
		gamp_yield();
	/* The last thing: events that meet the stop. */
	for (int i = 0; i < LEFT; i++)
		MUST(gamp_write(told[i], "x", 1) == 1, 0);
}

static void once(void)
{
	struct gamp_options opt = { .maxprocs = 1 + (int)rnd(4),
		.stop_timeout = HANG * GAMP_SECOND };
	int r;

	atomic_store(&armed, 0);
	atomic_store(&started, 0);
	atomic_store(&spawned, 0);
	atomic_store(&ended, 0);
	r = gamp_run(leave_much, NULL, &opt);
	MUST(r == 0, r);
	MUST(atomic_load(&started) == atomic_load(&armed),
	    atomic_load(&started));
	MUST(atomic_load(&ended) == atomic_load(&spawned), atomic_load(&ended));
}

/* Threads. */

enum { LOOKERS = 1 };

static struct gamp_sem sem;
static _Atomic int64_t looked_at;
static atomic_int round_no, released;
static atomic_bool over, acquired;
static atomic_long looks;

/* A thread that is interrupted is slow, wherever it is. */
static void dawdle(int sig)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	(void)sig;
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void *release(void *arg)
{
	int round = 0;

	(void)arg;
	while (!atomic_load(&over)) {
		if (atomic_load(&round_no) == round)
			continue;
		round++;
		MUST(gamp_sem_release(&sem) == 0, round);
		atomic_store(&released, round);
	}
	return NULL;
}

static void *look(void *arg)
{
	struct gamp_chan *ch = gamp_chan_new(0, 0);

	(void)arg;
	while (!atomic_load(&over)) {
		struct gamp_case c[] = { GAMP_READABLE(
						atomic_load(&looked_at)),
			GAMP_RECV(ch, NULL), GAMP_DEFAULT };
		int k = gamp_select(c, 3);

		MUST(k == 0 || k == 2, k);
		atomic_fetch_add(&looks, 1);
	}
	MUST(gamp_chan_free(ch) == 0, 0);
	return NULL;
}

static void acquire(void *arg)
{
	(void)arg;
	MUST(gamp_sem_acquire(&sem) == 0, 0);
	atomic_store(&acquired, true);
}

static void pause_up_to(uint32_t ns)
{
	int64_t until = gamp_now() + rnd(ns);

	while (gamp_now() < until)
		;
}

/* The last goroutine is on its way out while it is still being woken. */
static void stop_beside(pthread_t releaser)
{
	struct gamp_options opt = { .maxprocs = 1 + (int)rnd(2) };
	int64_t id;
	gamp_fd a, b;
	int r = gamp_start(&opt), round = atomic_load(&round_no) + 1;

	MUST(r == 0, r);
	sockets(&a, &b);
	atomic_store(&looked_at, a);
	atomic_store(&acquired, false);
	id = gamp_go(acquire, NULL);
	MUST(id > 0, id);
	leave(yields, 0); /* so that a P looks for work all the time */
	pause_up_to(100000);
	if (rnd(4) > 0)
		(void)pthread_kill(releaser, SIGUSR1);
	pause_up_to(5000);
	atomic_store(&round_no, round);
	while (!atomic_load(&acquired))
		(void)sched_yield();
	r = gamp_stop(0);
	MUST(r == 0, r);
	if (rnd(2)) /* else the call goes on while it starts anew */
		while (atomic_load(&released) < round)
			(void)sched_yield();
}

static void threads(int runs)
{
	pthread_t releaser, lookers[LOOKERS];

	(void)signal(SIGUSR1, dawdle);
	atomic_store(&looked_at, 1);
	MUST(pthread_create(&releaser, NULL, release, NULL) == 0, 0);
	for (int i = 0; i < LOOKERS; i++)
		MUST(pthread_create(&lookers[i], NULL, look, NULL) == 0, i);
	for (run_no = 0; run_no < runs; run_no++) {
		(void)alarm(HANG);
		stop_beside(releaser);
	}
	atomic_store(&over, true);
	(void)pthread_join(releaser, NULL);
	for (int i = 0; i < LOOKERS; i++)
		(void)pthread_join(lookers[i], NULL);
	(void)printf("%d runs beside threads: %ld looks\n", runs,
	    atomic_load(&looks));
}

static void hung(int sig)
{
	(void)sig;
	die(__LINE__, "hung", 0);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("STRESS_SCALE");
	int runs = (scale ? atoi(scale) : 1) * (SANITIZED ? 25 : 100);
	int fds, tasks, nmaps;
	int64_t size, rss;

	seed = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 0)
			: (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	seed |= 1;
	(void)printf("seed 0x%" PRIx64 "\n", seed);
	(void)fflush(stdout);
	(void)signal(SIGALRM, hung);
	/* Else glibc keeps up to eight arenas per processor. */
	(void)mallopt(M_ARENA_MAX, 1);
	for (run_no = 0; run_no < 5; run_no++)
		once(); /* libc's heap and caches grow to their size */
	fds = entries("/proc/self/fd");
	tasks = entries("/proc/self/task"); /* TSan has one of its own */
	nmaps = maps();
	size = memory(0);
	rss = memory(1);
	for (; run_no < runs; run_no++) {
		(void)alarm(HANG);
		once();
		MUST(entries("/proc/self/fd") == fds, fds);
		/* One that was joined leaves /proc a moment later. */
		while (entries("/proc/self/task") > tasks)
			(void)sched_yield();
	}
	if (!SANITIZED) { /* they keep books of their own */
		MUST(maps() <= nmaps + 20, maps() - nmaps);
		MUST(memory(0) <= size + GROW, memory(0) - size);
		MUST(memory(1) <= rss + GROW / 16, memory(1) - rss);
	}
	(void)printf("%d runs: maps %+d size %+" PRId64 " rss %+" PRId64 "\n",
	    runs, maps() - nmaps, memory(0) - size, memory(1) - rss);
	threads(runs / 2);
	return 0;
}
