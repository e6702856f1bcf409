/* SPDX-License-Identifier: MIT */
/*
 * parked.c - a million goroutines that wait.
 *
 * Answers: how long do 1,000,000 goroutines take to be created and parked (in
 * a sleep of an hour), what memory does each hold, how long until all have
 * exited once they are cancelled, and how much memory is left in the end?
 * Page tables are not in RSS; they are told apart (B-pagetables/g).
 * Bar: 4.3 KiB each (4,403 B; one page is 4,096), created within 3 s, 20 MB
 * left after a few seconds.  Go 1.24: 2,659 B, 2.5 s, 493 MB stay for good.
 * Twin: go/parked.go.
 */
#include <errno.h>
#include <stdatomic.h>

#include "bench/bench.h"

#define LEFT_BAR ((int64_t)20 << 20)

static _Atomic int64_t asleep, left;

static void parked(void *arg)
{
	(void)arg;
	atomic_fetch_add_explicit(&asleep, 1, memory_order_relaxed);
	if (gamp_sleep(3600 * GAMP_SECOND) != -ECANCELED)
		bench_fail("a sleep of an hour ended");
	atomic_fetch_sub_explicit(&left, 1, memory_order_release);
}

static int64_t page_tables(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmPTE: %ld", &kib) == 1)
			break;
	if (f)
		(void)fclose(f);
	return (int64_t)kib * 1024;
}

/* Waits until no more than LEFT_BAR is left, or 10 s; how long that took. */
static int64_t settle(int64_t before)
{
	int64_t t0 = gamp_now();

	while (bench_rss(0) - before > LEFT_BAR &&
	       gamp_now() - t0 < 10 * GAMP_SECOND)
		(void)gamp_sleep(20 * GAMP_MILLISECOND);
	return gamp_now() - t0;
}

static void run(void *arg)
{
	int64_t n = bench_env("BENCH_GOROUTINES", 1000000);
	int64_t *id = malloc((size_t)n * sizeof(*id));
	int64_t before, pt, t0, create, rss, cancel, after, gone;

	(void)arg;
	if (!id)
		bench_fail("no memory");
	memset(id, 1, (size_t)n * sizeof(*id)); /* ours, not theirs */
	atomic_store(&asleep, 0);
	atomic_store(&left, n);
	before = bench_rss(0);
	pt = page_tables();
	t0 = gamp_now();
	for (int64_t i = 0; i < n; i++)
		id[i] = bench_must("gamp_go", gamp_go(parked, NULL));
	while (atomic_load(&asleep) < n)
		(void)gamp_sleep(GAMP_MILLISECOND);
	create = gamp_now() - t0;
	(void)gamp_sleep(10 * GAMP_MILLISECOND); /* the last ones park */
	rss = bench_rss(0) - before;
	pt = page_tables() - pt;

	t0 = gamp_now();
	for (int64_t i = 0; i < n; i++)
		(void)bench_must("gamp_cancel", gamp_cancel(id[i]));
	while (atomic_load_explicit(&left, memory_order_acquire) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
	cancel = gamp_now() - t0;
	gone = settle(before);
	after = bench_rss(0) - before;

	bench_begin("Parked", (uint64_t)n);
	bench_value((double)create / (double)n, "ns/op");
	bench_value((double)rss / (double)n, "B/g");
	bench_value((double)pt / (double)n, "B-pagetables/g");
	bench_value((double)create / 1e9, "create-s");
	bench_value((double)cancel / 1e9, "cancel-s");
	bench_value((double)after / (1 << 20), "MiB-left");
	bench_value((double)gone / 1e9, "settle-s");
	bench_end();
	free(id);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int64_t i = bench_env("BENCH_COUNT", 1); i > 0; i--)
		bench_runtime(0, run, NULL);
	return 0;
}
