/* SPDX-License-Identifier: MIT */
/*
 * ready_latency.c - how soon a goroutine runs whose descriptor became ready.
 *
 * Answers: a plain thread writes its clock into a pipe, once in 0.5 to 1.5 ms;
 * how long after the write does the goroutine run that reads it, when
 *	load=none	nothing else runs;
 *	load=yield	two goroutines for each P yield all the time;
 *	load=100us	two goroutines for each P compute for 100 us, yield, ...
 * With +sleeper a goroutine sleeps 2 ms again and again; sleep-... is by how
 * much those sleeps are late.
 * Bar: p99 below 5 ms under any load; idle 21 us (p50), 70 us (p99), as
 * libfiber.  Go 1.24: 32 and 95; its sleepers of 2 ms among as many hogs as
 * Ps are 18 ms late (p50).  Twin: go/ready_latency.go.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "bench/bench.h"

#define SAMPLES_MAX 100000
#define NAP         (2 * GAMP_MILLISECOND)
#define BURST       (100 * GAMP_MICROSECOND)

enum load { LOAD_NONE, LOAD_YIELD, LOAD_100US };

struct row {
	const char *name;
	enum load load;
	bool sleeper;
	int procs;
};

static atomic_bool stop;
static _Atomic int running;
static int64_t delay[SAMPLES_MAX], nap[SAMPLES_MAX];
static size_t samples, naps;

/* A plain thread; closes the pipe in the end. */
static void *writer(void *arg)
{
	int sysfd = (int)(intptr_t)arg;
	uint64_t rnd = 7;

	for (size_t i = 0; i < samples; i++) {
		struct timespec ts = { 0 };
		int64_t now;

		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		ts.tv_nsec = GAMP_MILLISECOND / 2 +
			     (long)((rnd >> 34) % (uint64_t)GAMP_MILLISECOND);
		(void)nanosleep(&ts, NULL);
		now = gamp_now();
		if (write(sysfd, &now, sizeof(now)) != sizeof(now))
			bench_fail("write: %s", strerror(errno));
	}
	(void)close(sysfd);
	return NULL;
}

static void yields(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		gamp_yield();
	atomic_fetch_sub(&running, 1);
}

static void computes(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		int64_t t0 = gamp_now();

		while (gamp_now() - t0 < BURST)
			;
		gamp_yield();
	}
	atomic_fetch_sub(&running, 1);
}

static void sleeps(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		int64_t t0 = gamp_now();

		(void)bench_must("gamp_sleep", gamp_sleep(NAP));
		if (naps < SAMPLES_MAX)
			nap[naps++] = gamp_now() - t0 - NAP;
	}
	atomic_fetch_sub(&running, 1);
}

static void go(gamp_fn *fn)
{
	atomic_fetch_add(&running, 1);
	(void)bench_must("gamp_go", gamp_go(fn, NULL));
}

static size_t read_all(gamp_fd fd)
{
	size_t n = 0;
	int64_t sent[64]; /* several, if we are late */
	ssize_t r;

	while ((r = gamp_read(fd, sent, sizeof(sent))) > 0) {
		int64_t now = gamp_now();

		for (size_t i = 0; i < (size_t)r / sizeof(*sent); i++)
			delay[n++] = now - sent[i];
	}
	(void)bench_must("gamp_read", r);
	return n;
}

static void run(void *arg)
{
	const struct row *row = arg;
	int fds[2], r;
	pthread_t thread;
	gamp_fd fd;

	if (pipe2(fds, O_CLOEXEC) < 0)
		(void)bench_must("pipe2", -errno);
	fd = bench_must("gamp_adopt", gamp_adopt(fds[0]));
	atomic_store(&stop, false);
	naps = 0;
	for (int i = 0; i < 2 * row->procs; i++)
		if (row->load != LOAD_NONE)
			go(row->load == LOAD_YIELD ? yields : computes);
	if (row->sleeper)
		go(sleeps);
	r = pthread_create(&thread, NULL, writer, (void *)(intptr_t)fds[1]);
	(void)bench_must("pthread_create", -r);
	if (read_all(fd) != samples)
		bench_fail("lost some");
	atomic_store(&stop, true);
	while (atomic_load(&running) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
	(void)pthread_join(thread, NULL);
	(void)gamp_close(fd);

	bench_begin(row->name, samples);
	bench_latency("", delay, samples);
	bench_latency("sleep-", nap, naps);
	bench_end();
}

int main(int argc, char **argv)
{
	static const char *const load[] = { "none", "yield", "100us" };
	int64_t count = bench_env("BENCH_COUNT", 1);

	bench_init(argc, argv);
	samples = (size_t)bench_env("BENCH_SAMPLES", 1000);
	if (samples > SAMPLES_MAX)
		samples = SAMPLES_MAX;
	for (int i = 0; i < 3 * 2 * 2; i++) {
		char name[64];
		struct row row = { name, (enum load)(i / 4), i / 2 % 2,
			1 + i % 2 };

		(void)snprintf(name, sizeof(name),
		    "ReadyLatency/load=%s%s/procs=%d", load[row.load],
		    row.sleeper ? "+sleeper" : "", row.procs);
		for (int64_t k = 0; bench_wanted(name) && k < count; k++)
			bench_runtime(row.procs, run, &row);
	}
	return 0;
}
