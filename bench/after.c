/* SPDX-License-Identifier: MIT */
/*
 * after.c - cost of a timer that does not fire.
 *
 * Answers: what does it cost to start a timer that would call back in an hour
 * and stop it again (start+stop; an operation is both), to move one that is
 * armed to an hour from now (reset), and to stop one and arm it again
 * (stop+reset; both), alone and beside 10,000 others?  Reading the clock is
 * part of it: Go's calls take a distance and read it themselves.
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 280 to 560 ns to start and stop, 60 to
 * 75 to reset, 91 to 107 to stop and reset; Tokio 1.24 190 to 270 and 41 to
 * 61.  Twins: go/after.go, tokio/src/after.rs.
 */
#include "bench/bench.h"

#define HOUR   (3600 * GAMP_SECOND)
#define OTHERS 10000

static struct gamp_timer timer, other[OTHERS];

static void never(void *arg)
{
	(void)arg;
	bench_fail("a timer fired an hour early");
}

static void start(struct gamp_timer *t, int64_t when)
{
	(void)bench_must(
	    "gamp_timer_start", gamp_timer_start(t, when, 0, never, NULL));
}

static void start_stop(struct bench *b)
{
	uint64_t stopped = 0;

	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		start(&timer, gamp_now() + HOUR);
		stopped += gamp_timer_stop(&timer);
	}
	bench_stop(b);
	bench_check("stopped", stopped, b->n);
}

static uint64_t again(int64_t when)
{
	return (uint64_t)bench_must(
	    "gamp_timer_reset", gamp_timer_reset(&timer, when));
}

static void reset(struct bench *b)
{
	uint64_t armed = 0;

	start(&timer, gamp_now() + HOUR);
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		armed += again(gamp_now() + HOUR);
	bench_stop(b);
	bench_check("armed", armed, b->n);
	bench_check("stopped", gamp_timer_stop(&timer), 1);
}

static void stop_reset(struct bench *b)
{
	uint64_t stopped = 0, armed = 0;

	start(&timer, gamp_now() + HOUR);
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		stopped += gamp_timer_stop(&timer);
		armed += again(gamp_now() + HOUR);
	}
	bench_stop(b);
	bench_check("stopped", stopped, b->n);
	bench_check("armed", armed, 0);
	bench_check("stopped", gamp_timer_stop(&timer), 1);
}

static void row(
    const char *what, int others, int procs, void (*fn)(struct bench *))
{
	char name[64];

	(void)snprintf(name, sizeof(name), "Timer/%s/others=%d/procs=%d", what,
	    others, procs);
	bench_run(name, fn, 0);
}

static void rows(void *arg)
{
	int procs = *(const int *)arg;

	for (int others = 0; others <= OTHERS; others += OTHERS) {
		for (int i = 0; i < others; i++)
			start(&other[i], gamp_now() + HOUR + i * GAMP_SECOND);
		row("start+stop", others, procs, start_stop);
		row("reset", others, procs, reset);
		row("stop+reset", others, procs, stop_reset);
		for (int i = 0; i < others; i++)
			bench_check("stopped", gamp_timer_stop(&other[i]), 1);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
