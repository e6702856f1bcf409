/* SPDX-License-Identifier: MIT */
/*
 * rcu.c - cost of a read section, of a grace period, of a deferred call.
 *
 * Answers: what do gamp_rcu_read_lock and gamp_rcu_read_unlock cost together,
 * of a goroutine, of a thread, and nested in another section?  What does
 * gamp_rcu_synchronize cost when nobody reads, when another thread is blocked
 * outside of any section, and when two goroutines read all the time?  What
 * does gamp_rcu_defer cost, with the call that it makes?
 * Bar: liburcu's memb flavour, twin urcu.c, row by row.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "bench/bench.h"

static atomic_bool over;
static struct gamp_waitgroup running;

static void sections(struct bench *b)
{
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		gamp_rcu_read_lock();
		gamp_rcu_read_unlock();
	}
	bench_stop(b);
}

static void nested(struct bench *b)
{
	gamp_rcu_read_lock();
	sections(b);
	gamp_rcu_read_unlock();
}

static void grace(struct bench *b)
{
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		(void)bench_must(
		    "gamp_rcu_synchronize", gamp_rcu_synchronize());
	bench_stop(b);
}

/* Detached, when it has been for a moment. */
static void block(void *arg)
{
	int *ends = arg;
	char c;

	gamp_enter_blocking();
	(void)bench_must("read", read(ends[0], &c, 1));
	gamp_leave_blocking();
}

static void beside_blocked(struct bench *b)
{
	int ends[2];

	(void)bench_must("pipe", pipe(ends));
	bench_go(&running, block, ends);
	(void)gamp_sleep(5 * GAMP_MILLISECOND);
	grace(b);
	(void)bench_must("write", write(ends[1], "x", 1));
	bench_wait(&running);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void reader(void *arg)
{
	(void)arg;
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		for (int i = 0; i < 1000; i++) {
			gamp_rcu_read_lock();
			gamp_rcu_read_unlock();
		}
		gamp_yield();
	}
}

static void beside_readers(struct bench *b)
{
	atomic_store(&over, false);
	for (int i = 0; i < 2; i++)
		bench_go(&running, reader, NULL);
	grace(b);
	atomic_store(&over, true);
	bench_wait(&running);
}

static uint64_t calls;

static void call(void *arg)
{
	(void)arg;
	calls++;
}

static void defer(struct bench *b)
{
	calls = 0;
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		(void)bench_must("gamp_rcu_defer", gamp_rcu_defer(call, NULL));
	(void)bench_must("gamp_rcu_barrier", gamp_rcu_barrier());
	bench_stop(b);
	bench_check("calls", calls, b->n);
}

static void rows(void *arg)
{
	(void)arg;
	bench_run("RcuRead/goroutine", sections, 0);
	bench_run("RcuRead/nested", nested, 0);
	bench_run("RcuGrace/quiet", grace, 0);
	bench_run("RcuGrace/blocked", beside_blocked, 0);
	bench_run("RcuGrace/readers=2", beside_readers, 0);
	bench_run("RcuDefer/goroutine", defer, 0);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	bench_run("RcuRead/thread", sections, 0);
	bench_run("RcuDefer/thread", defer, 0);
	bench_runtime(2, rows, NULL);
	return 0;
}
