/* SPDX-License-Identifier: MIT */
/*
 * yield.c - cost of a yield.
 *
 * Answers: what does gamp_yield cost when g goroutines do nothing else?  An
 * operation is one yield of one of them, so that with one P it is a switch
 * from one goroutine to the next.  With 10,000 the local ring overflows into
 * the global queue all the time.
 * Bar: 20 ns with one P; with two no slower.  Go 1.24: 112 (10,000: 180);
 * libgo and libfiber 17 to 26.  Twin: go/yield.go.
 */
#include <stdatomic.h>

#include "bench/bench.h"

static struct {
	uint64_t each; /* yields of each */
	atomic_bool go;
	_Atomic uint64_t left;
} ring;

static void member(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&ring.go, memory_order_acquire))
		gamp_yield();
	for (uint64_t i = 0; i < ring.each; i++)
		gamp_yield();
	atomic_fetch_sub_explicit(&ring.left, 1, memory_order_release);
}

/* The main goroutine is one of them. */
static void yield(struct bench *b)
{
	uint64_t g = (uint64_t)b->arg;

	ring.each = (b->n + g - 1) / g;
	b->n = ring.each * g;
	atomic_store(&ring.go, false);
	atomic_store(&ring.left, g - 1);
	for (uint64_t i = 1; i < g; i++)
		(void)bench_must("gamp_go", gamp_go(member, NULL));
	bench_start(b);
	atomic_store(&ring.go, true);
	for (uint64_t i = 0; i < ring.each; i++)
		gamp_yield();
	while (atomic_load_explicit(&ring.left, memory_order_acquire) > 0)
		gamp_yield();
	bench_stop(b);
}

static void rows(void *arg)
{
	static const int goroutines[] = { 2, 100, 1000, 10000 };
	int procs = *(const int *)arg;
	char name[64];

	for (size_t i = 0; i < sizeof(goroutines) / sizeof(int); i++) {
		(void)snprintf(name, sizeof(name), "Yield/g=%d/procs=%d",
		    goroutines[i], procs);
		bench_run(name, yield, goroutines[i]);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
