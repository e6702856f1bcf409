/* SPDX-License-Identifier: MIT */
/*
 * sync.c - cost of a mutex and of a condition.
 *
 * Answers: what do gamp_mutex_lock and gamp_mutex_unlock cost together around
 * one addition, when one goroutine does it and when 64 do?  What does a round
 * trip between two goroutines cost that wake each other by a condition each,
 * under one mutex (CondRound)?
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 16 to 23 ns, 380 to 610 for a round
 * trip; Tokio 1.24 52 to 69, 280 to 360.  Twins: go/sync.go,
 * tokio/src/sync.rs.
 */
#include "bench/bench.h"

static struct gamp_waitgroup running;
static struct gamp_mutex mutex;
static struct gamp_cond turned[2];
static uint64_t each, count;
static unsigned int turn;

static void locker(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < each; i++) {
		(void)bench_must("gamp_mutex_lock", gamp_mutex_lock(&mutex));
		count++;
		(void)bench_must(
		    "gamp_mutex_unlock", gamp_mutex_unlock(&mutex));
	}
}

static void lock(struct bench *b)
{
	uint64_t g = (uint64_t)b->arg;

	each = (b->n + g - 1) / g;
	b->n = each * g;
	count = 0;
	bench_start(b);
	for (uint64_t i = 0; i < g; i++)
		bench_go(&running, locker, NULL);
	bench_wait(&running);
	bench_stop(b);
	bench_check("locks", count, b->n);
}

static void play(unsigned int who)
{
	(void)bench_must("gamp_mutex_lock", gamp_mutex_lock(&mutex));
	for (uint64_t i = 0; i < each; i++) {
		while (turn != who)
			(void)bench_must("gamp_cond_wait",
			    gamp_cond_wait(&turned[who], &mutex));
		count++;
		turn = !who;
		(void)bench_must(
		    "gamp_cond_signal", gamp_cond_signal(&turned[!who]));
	}
	(void)bench_must("gamp_mutex_unlock", gamp_mutex_unlock(&mutex));
}

static void second(void *arg)
{
	(void)arg;
	play(1);
}

static void round_trip(struct bench *b)
{
	each = b->n;
	count = 0;
	turn = 0;
	bench_start(b);
	bench_go(&running, second, NULL);
	play(0);
	bench_wait(&running);
	bench_stop(b);
	bench_check("moves", count, 2 * b->n);
}

static void row(
    const char *name, int procs, void (*fn)(struct bench *), int64_t arg)
{
	char full[64];

	(void)snprintf(full, sizeof(full), "%s/procs=%d", name, procs);
	bench_run(full, fn, arg);
}

static void rows(void *arg)
{
	int procs = *(const int *)arg;

	row("Mutex/g=1", procs, lock, 1);
	row("Mutex/g=64", procs, lock, 64);
	row("CondRound", procs, round_trip, 0);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
