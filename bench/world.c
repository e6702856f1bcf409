/* SPDX-License-Identifier: MIT */
/*
 * world.c - how long a collector waits until everybody has stopped.
 *
 * Answers, with two Ps and two goroutines that compute and call
 * gamp_checkpoint as an interpreter does: how long gamp_stop_world takes, how
 * long from gamp_start_world until both have gone on, and what gamp_walk costs
 * for each goroutine, with
 *	parked=N	goroutines that are parked beside them
 * Bar: parked=100000: 1 ms (p99) to stop.  Twin: go/world.go, the time of a
 * whole runtime.ReadMemStats, which stops the world, reads, and starts it.
 */
#include <stdatomic.h>

#include "bench/bench.h"

#define STOPS 1000
#define BUSY  2

static atomic_bool over;
static struct {
	atomic_int seen;     /* the round that it last ran in */
	_Atomic int64_t at;  /* since then */
} busy[BUSY];
static atomic_int current;
static struct gamp_chan *gate;
static int64_t took[STOPS], resumed[STOPS], walked[STOPS];

static void compute(void *arg)
{
	int me = (int)(intptr_t)arg;

	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		int now = atomic_load(&current);

		for (volatile int i = 0; i < 100; i++)
			;
		if (now != atomic_load(&busy[me].seen)) {
			atomic_store(&busy[me].at, gamp_now());
			atomic_store(&busy[me].seen, now);
		}
		(void)gamp_checkpoint();
	}
}

static void wait_there(void *arg)
{
	char c;

	(void)arg;
	(void)gamp_chan_recv(gate, &c);
}

static int look(const struct gamp_view *view, void *n)
{
	*(int64_t *)n += view->stack_high > view->stack_low;
	return 0;
}

/* All of them run in the current round; since when? */
static int64_t all_run(void)
{
	int64_t last = 0;

	for (int i = 0; i < BUSY; i++) {
		while (atomic_load(&busy[i].seen) != atomic_load(&current))
			(void)gamp_sleep(GAMP_MILLISECOND);
		last = busy[i].at > last ? busy[i].at : last;
	}
	return last;
}

static void measure(int i)
{
	int64_t t = gamp_now(), n = 0;

	(void)bench_must("stop", gamp_stop_world());
	took[i] = gamp_now() - t;
	t = gamp_now();
	(void)gamp_walk(look, &n);
	walked[i] = (gamp_now() - t) / (n > 0 ? n : 1);
	(void)atomic_fetch_add(&current, 1);
	t = gamp_now();
	(void)gamp_start_world();
	(void)gamp_sleep(GAMP_MILLISECOND);
	resumed[i] = all_run() - t;
}

static void run(void *arg)
{
	int parked = *(int *)arg;
	char name[64];

	atomic_store(&over, false);
	gate = gamp_chan_new(1, 0);
	for (int i = 0; i < parked; i++)
		(void)bench_must("go", gamp_go(wait_there, NULL));
	for (int i = 0; i < BUSY; i++)
		(void)bench_must(
		    "go", gamp_go(compute, (void *)(intptr_t)i));
	(void)atomic_fetch_add(&current, 1);
	(void)all_run();
	for (int i = 0; i < STOPS; i++)
		measure(i);
	atomic_store(&over, true);
	(void)gamp_chan_close(gate);
	(void)snprintf(name, sizeof(name), "World/parked=%d/procs=2", parked);
	bench_begin(name, STOPS);
	bench_latency("stop-", took, STOPS);
	bench_latency("resume-", resumed, STOPS);
	qsort(walked, STOPS, sizeof(walked[0]), bench_by_size);
	bench_value((double)walked[STOPS / 2], "walk-ns/g");
	bench_end();
}

int main(int argc, char **argv)
{
	static int rows[] = { 0, 100000 };

	bench_init(argc, argv);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		(void)bench_must("run",
		    gamp_run(run, &rows[i],
			&(struct gamp_options){ .maxprocs = 2 }));
	return 0;
}
