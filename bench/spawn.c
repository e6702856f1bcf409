/* SPDX-License-Identifier: MIT */
/*
 * spawn.c - cost of a goroutine that does nothing.
 *
 * Answers: what do gamp_go and the exit of a goroutine cost together, in
 * batches and one at a time?  The parent yields until an atomic counter says
 * that all have gone: a locked instruction each (8 to 11 ns here) is the
 * benchmark's, and in batch=1 so are the parent's yields.
 * Bar: 60 ns in batches, with one P and with two.  Go 1.24: 200 to 282
 * (one at a time 408); Argobots 58 (89).  Twin: go/spawn.go.
 */
#include <stdatomic.h>

#include "bench/bench.h"

static _Atomic uint64_t left;

static void child(void *arg)
{
	(void)arg;
	atomic_fetch_sub_explicit(&left, 1, memory_order_release);
}

static void spawn(struct bench *b)
{
	uint64_t batch = (uint64_t)b->arg, rounds = (b->n + batch - 1) / batch;

	b->n = rounds * batch;
	bench_start(b);
	for (uint64_t r = 0; r < rounds; r++) {
		atomic_store_explicit(&left, batch, memory_order_relaxed);
		for (uint64_t i = 0; i < batch; i++)
			(void)bench_must("gamp_go", gamp_go(child, NULL));
		while (atomic_load_explicit(&left, memory_order_acquire) > 0)
			gamp_yield();
	}
	bench_stop(b);
}

static void rows(void *arg)
{
	static const int batches[] = { 1, 100, 1000 };
	int procs = *(const int *)arg;
	char name[64];

	for (size_t i = 0; i < sizeof(batches) / sizeof(int); i++) {
		(void)snprintf(name, sizeof(name), "Spawn/batch=%d/procs=%d",
		    batches[i], procs);
		bench_run(name, spawn, batches[i]);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
