/* SPDX-License-Identifier: MIT */
/*
 * fib.c - fork and join.
 *
 * Answers: what does it cost to start a goroutine, do next to nothing, and
 * wait for its result?  fib(30), in which each call with n >= 2 starts a
 * goroutine for fib(n - 1), computes fib(n - 2) itself, and then joins, by a
 * channel of capacity 1 made for it (Fib/chan) or by a wait group (Fib/wg).
 * An operation is one goroutine.
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 1.3 to 1.5 us, by a wait group 1.5 to
 * 2.0; Tokio 1.24 0.5 to 0.7, 0.4 to 0.5.  Twins: go/fib.go,
 * tokio/src/fib.rs.
 */
#include "bench/bench.h"

#define N     30u
#define FIB   832040u
#define TASKS 1346268u /* fib(N + 1) - 1 */

/* Lies on the stack of who waits for it. */
struct task {
	struct gamp_chan *ch;
	struct gamp_waitgroup wg;
	uint64_t n, result;
};

static uint64_t fib_chan(uint64_t n);
static uint64_t fib_wg(uint64_t n);

static void left_chan(void *arg)
{
	const struct task *t = arg;
	struct gamp_chan *ch = t->ch;

	bench_send(ch, fib_chan(t->n));
}

static uint64_t fib_chan(uint64_t n)
{
	struct task left = { .n = n - 1 };
	uint64_t sum;

	if (n < 2)
		return n;
	left.ch = bench_chan(1);
	(void)bench_must("gamp_go", gamp_go(left_chan, &left));
	sum = fib_chan(n - 2);
	sum += bench_recv(left.ch);
	bench_chan_free(left.ch);
	return sum;
}

static void left_wg(void *arg)
{
	struct task *t = arg;

	t->result = fib_wg(t->n);
}

static uint64_t fib_wg(uint64_t n)
{
	struct task left = { .n = n - 1 };
	uint64_t sum;

	if (n < 2)
		return n;
	bench_go(&left.wg, left_wg, &left);
	sum = fib_wg(n - 2);
	bench_wait(&left.wg);
	return sum + left.result;
}

static void fib(struct bench *b)
{
	uint64_t times = (b->n + TASKS - 1) / TASKS;

	b->n = times * TASKS;
	bench_start(b);
	for (uint64_t i = 0; i < times; i++)
		bench_check("fib", b->arg ? fib_wg(N) : fib_chan(N), FIB);
	bench_stop(b);
}

static void rows(void *arg)
{
	int procs = *(const int *)arg;
	char name[64];

	for (int wg = 0; wg <= 1; wg++) {
		(void)snprintf(name, sizeof(name), "Fib/%s/procs=%d",
		    wg ? "wg" : "chan", procs);
		bench_run(name, fib, wg);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
