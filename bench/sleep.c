/* SPDX-License-Identifier: MIT */
/*
 * sleep.c - how late sleeps end, and what a million of them cost.
 *
 * Answers: (SleepLate) by how much does gamp_sleep oversleep when nothing
 * else runs?  (Sleepers) how much processor time do 1,000,000 goroutines take
 * that each sleep once, 1 to 2 s, from the first spawn to the last exit?
 * Bar: 10 us within 100 us at the median (Go 1.24: 1 ms); 1 ms late by 61 us
 * (p50) and 115 us (p99) as libgo (Go 73, 150).  Sleepers: Go 4.9 to 6.8 s;
 * half of Go's processor time with one P, with two 0.8 of the better of Go
 * and Tokio.  Twins: go/sleep.go; of Sleepers also tokio/src/sleep.rs.
 */
#include <stdatomic.h>

#include "bench/bench.h"

static void late(void *arg)
{
	static const struct {
		int64_t ns;
		const char *name;
		size_t n;
	} row[] = { { 10 * GAMP_MICROSECOND, "SleepLate/d=10us", 2000 },
		{ 100 * GAMP_MICROSECOND, "SleepLate/d=100us", 2000 },
		{ GAMP_MILLISECOND, "SleepLate/d=1ms", 500 } };
	static int64_t v[2000];

	(void)arg;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int64_t t0 = gamp_now();
		size_t n = row[i].n;

		if (!bench_wanted(row[i].name))
			continue;
		for (size_t k = 0; k < n; k++) {
			int64_t t = gamp_now();

			(void)bench_must("gamp_sleep", gamp_sleep(row[i].ns));
			v[k] = gamp_now() - t - row[i].ns;
			if (v[k] < 0)
				bench_fail("a sleep was too short");
		}
		bench_begin(row[i].name, n);
		bench_value((double)(gamp_now() - t0) / (double)n, "ns/op");
		bench_latency("late-", v, n);
		bench_end();
	}
}

static _Atomic int64_t left;

static void sleeper(void *arg)
{
	int64_t ns = (int64_t)(intptr_t)arg;

	(void)bench_must("gamp_sleep", gamp_sleep(ns));
	atomic_fetch_sub_explicit(&left, 1, memory_order_release);
}

static void sleepers(void *arg)
{
	int64_t n = bench_env("BENCH_GOROUTINES", 1000000);
	struct bench b = { .n = (uint64_t)n };
	uint64_t rnd = 1;
	char name[64];

	(void)snprintf(
	    name, sizeof(name), "Sleepers/procs=%d", *(const int *)arg);
	if (!bench_wanted(name))
		return;
	atomic_store(&left, n);
	bench_start(&b);
	for (int64_t i = 0; i < n; i++) {
		int64_t ns;

		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		ns = GAMP_SECOND + (int64_t)(rnd >> 34) % GAMP_SECOND;
		(void)bench_must(
		    "gamp_go", gamp_go(sleeper, (void *)(intptr_t)ns));
	}
	while (atomic_load_explicit(&left, memory_order_acquire) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
	bench_stop(&b);
	bench_begin(name, b.n);
	bench_value((double)(b.t1 - b.t0) / (double)n, "ns/op");
	bench_value((double)(b.c1 - b.c0) / (double)n, "cpu-ns/op");
	bench_value((double)(b.c1 - b.c0) / 1e9, "cpu-s");
	bench_end();
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	bench_runtime(0, late, NULL);
	for (int procs = 1; procs <= 2; procs++)
		for (int64_t i = bench_env("BENCH_COUNT", 1); i > 0; i--)
			bench_runtime(procs, sleepers, &procs);
	return 0;
}
