/* SPDX-License-Identifier: MIT */
/*
 * stall.c - what one goroutine does to the others.
 *
 * Answers, with two Ps: by how much is a goroutine late that sleeps 2 ms again
 * and again, beside
 *	readers=N	goroutines in read(2) of a pipe that nobody writes
 *	hogs=N		goroutines that compute and never call the runtime
 *	calls=N		goroutines that sleep 100 ms in libc, in a loop, half of
 *			them in poll(2)
 * spread is how many times as far the fastest hog came as the slowest, once
 * all had begun, in so long that each has 60 ms of a processor; threads is how
 * many there were.
 *	chain	how long a goroutine waits for its turn beside a chain of
 *		goroutines that start each other and exit
 *	wake	how long a goroutine that was woken waits while the one that
 *		woke it computes on
 * Bars: readers=64+hogs=4: 0.2 ms (p50), 5 ms (p99); hogs=1000: 20 ms (p50),
 * spread 2; calls=1000: 0.1 ms (p50); chain: 20 ms (max); wake: 15 us (p50).
 * Go 1.24: 18 ms (p50) with two hogs, none in 4 s beside 1000.  Twin:
 * go/stall.go.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#include "bench/bench.h"

#define NAP	  (2 * GAMP_MILLISECOND)
#define NAPS_MAX  10000
#define LOAD_MAX  1024
#define PAUSE_MS  100
#define COMPUTE	  (200 * GAMP_MICROSECOND)
#define WAKES	  2000

struct row {
	const char *name;
	int readers, hogs, calls;
};

static atomic_bool stop;
static atomic_int begun, running;
static int silent[2];
static int64_t late[NAPS_MAX];
static struct {
	_Alignas(64) atomic_ulong n;
	unsigned long from;
} turns[LOAD_MAX];

static bool over(void)
{
	return atomic_load_explicit(&stop, memory_order_relaxed);
}

static void reads(void *arg)
{
	char c;

	(void)arg;
	atomic_fetch_add(&begun, 1);
	while (read(silent[0], &c, 1) < 0 && errno == EINTR)
		;
	atomic_fetch_sub(&running, 1);
}

static void computes(void *arg)
{
	atomic_ulong *n = arg;

	atomic_fetch_add(&begun, 1);
	while (!over())
		atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
	atomic_fetch_sub(&running, 1);
}

static void calls(void *arg)
{
	struct timespec ts = { .tv_nsec = PAUSE_MS * 1000000 };

	atomic_fetch_add(&begun, 1);
	while (!over())
		if (arg)
			(void)nanosleep(&ts, NULL);
		else
			(void)poll(NULL, 0, PAUSE_MS);
	atomic_fetch_sub(&running, 1);
}

static void go(gamp_fn *fn, void *arg)
{
	atomic_fetch_add(&running, 1);
	(void)bench_must("gamp_go", gamp_go(fn, arg));
}

static int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = -2; /* . and .. */

	while (d && readdir(d))
		n++;
	if (d)
		(void)closedir(d);
	return n;
}

static double spread(int hogs)
{
	double least = 1e18, most = 1;

	for (int i = 0; i < hogs; i++) {
		double n = (double)(atomic_load(&turns[i].n) - turns[i].from);

		if (n < least)
			least = n;
		if (n > most)
			most = n;
	}
	return most / (least < 1 ? 1 : least);
}

static size_t nap(int64_t length)
{
	int64_t end = gamp_now() + length;
	size_t n = 0;

	while (gamp_now() < end && n < NAPS_MAX) {
		int64_t t0 = gamp_now();

		(void)bench_must("gamp_sleep", gamp_sleep(NAP));
		late[n++] = gamp_now() - t0 - NAP;
	}
	return n;
}

static void run(void *arg)
{
	const struct row *row = arg;
	int64_t length = bench_env("BENCH_STALL_MS",
	    row->hogs > 200 ? row->hogs * 30 : 2000) * GAMP_MILLISECOND;
	int64_t t0 = gamp_now();
	int threads, load = row->readers + row->hogs + row->calls;
	size_t n;

	atomic_store(&stop, false);
	atomic_store(&begun, 0);
	if (pipe(silent) < 0)
		(void)bench_must("pipe", -errno);
	for (int i = 0; i < row->readers; i++)
		go(reads, NULL);
	for (int i = 0; i < row->hogs; i++)
		go(computes, &turns[i].n);
	for (int i = 0; i < row->calls; i++)
		go(calls, i % 2 ? &stop : NULL);
	while (atomic_load(&begun) < load)
		(void)gamp_sleep(GAMP_MILLISECOND);
	t0 = gamp_now() - t0;
	for (int i = 0; i < row->hogs; i++)
		turns[i].from = atomic_load(&turns[i].n);
	n = nap(length);
	threads = count_threads();
	bench_begin(row->name, n);
	bench_latency("", late, n);
	bench_value((double)t0 / 1e6, "begin-ms");
	bench_value(threads, "threads");
	if (row->hogs > 0)
		bench_value(spread(row->hogs), "spread");
	bench_end();
	atomic_store(&stop, true);
	(void)close(silent[1]);
	while (atomic_load(&running) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
	(void)close(silent[0]);
}

static void load_row(int readers, int hogs, int ncalls)
{
	char name[64];
	struct row row = { name, readers, hogs, ncalls };

	(void)snprintf(name, sizeof(name),
	    "Stall/readers=%d/hogs=%d/calls=%d/procs=2", readers, hogs,
	    ncalls);
	if (bench_wanted(name))
		bench_runtime(2, run, &row);
}

/* One link starts the next, which runs next. */
static void link_of_chain(void *arg)
{
	if (over())
		atomic_fetch_sub(&running, 1);
	else
		(void)bench_must("gamp_go", gamp_go(link_of_chain, arg));
}

static void chain(void *arg)
{
	size_t n;

	(void)arg;
	atomic_store(&stop, false);
	go(link_of_chain, NULL);
	for (n = 0; n < 200; n++) {
		int64_t t0 = gamp_now();

		gamp_yield();
		late[n] = gamp_now() - t0;
	}
	atomic_store(&stop, true);
	while (atomic_load(&running) > 0)
		gamp_yield();
	bench_begin("StallChain/procs=1", n);
	bench_latency("", late, n);
	bench_end();
}

static struct gamp_chan *bell;
static int64_t rung;

static void listens(void *arg)
{
	size_t *n = arg;
	uint64_t v;

	while (gamp_chan_recv(bell, &v) == 0)
		late[(*n)++] = gamp_now() - (int64_t)v;
	atomic_fetch_sub(&running, 1);
}

static void wake(void *arg)
{
	size_t n = 0;

	(void)arg;
	bell = bench_chan(1);
	go(listens, &n);
	for (int i = 0; i < WAKES; i++) {
		(void)gamp_sleep(GAMP_MILLISECOND / 2); /* all is idle */
		rung = gamp_now();
		bench_send(bell, (uint64_t)rung);
		while (gamp_now() - rung < COMPUTE)
			;
	}
	(void)gamp_chan_close(bell);
	while (atomic_load(&running) > 0)
		gamp_yield();
	bench_begin("StallWake/procs=2", n);
	bench_latency("", late, n);
	bench_end();
	bench_chan_free(bell);
}

int main(int argc, char **argv)
{
	static const int loads[][3] = { { 0, 0, 0 }, { 64, 0, 0 }, { 0, 2, 0 },
		{ 64, 4, 0 }, { 0, 16, 0 }, { 0, 200, 0 }, { 0, 1000, 0 },
		{ 0, 0, 1000 } };

	bench_init(argc, argv);
	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
		load_row(loads[i][0], loads[i][1], loads[i][2]);
	if (bench_wanted("StallChain/procs=1"))
		bench_runtime(1, chain, NULL);
	if (bench_wanted("StallWake/procs=2"))
		bench_runtime(2, wake, NULL);
	return 0;
}
