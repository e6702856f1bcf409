/* SPDX-License-Identifier: MIT */
/*
 * ring.c - a number that goes round.
 *
 * Answers: what does it cost to hand a number on to the next goroutine, when
 * g of them form a ring of channels without capacity and there is one number?
 * An operation is one hop.  Nothing can run at once here, and with 10,000
 * each goroutine has gone cold when its turn comes.
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 220 to 370 ns, with 10,000 610 to 900;
 * Tokio 1.24 180 to 230, 260 to 330.  Twins: go/ring.go, tokio/src/ring.rs.
 */
#include "bench/bench.h"

#define MOST 10000

static struct gamp_waitgroup running;
static struct gamp_chan *ch[MOST + 1]; /* the last is the first once more */
static uint64_t rounds;

static void member(void *arg)
{
	struct gamp_chan **from = arg;

	for (uint64_t i = 0; i < rounds + 1; i++)
		bench_send(from[1], bench_recv(from[0]) + 1);
}

/* The main goroutine is the first of them.  One round, in which they start,
 * comes before those that count. */
static void ring(struct bench *b)
{
	uint64_t g = (uint64_t)b->arg, v = 0;

	for (uint64_t i = 0; i < g; i++)
		ch[i] = bench_chan(0);
	ch[g] = ch[0];
	rounds = (b->n + g - 1) / g;
	b->n = rounds * g;
	for (uint64_t i = 1; i < g; i++)
		bench_go(&running, member, &ch[i]);
	bench_send(ch[1], v + 1);
	v = bench_recv(ch[0]);
	bench_start(b);
	for (uint64_t i = 0; i < rounds; i++) {
		bench_send(ch[1], v + 1);
		v = bench_recv(ch[0]);
	}
	bench_stop(b);
	bench_check("hops", v, b->n + g);
	bench_wait(&running);
	for (uint64_t i = 0; i < g; i++)
		bench_chan_free(ch[i]);
}

static void rows(void *arg)
{
	static const int goroutines[] = { 100, MOST };
	int procs = *(const int *)arg;
	char name[64];

	for (size_t i = 0; i < sizeof(goroutines) / sizeof(int); i++) {
		(void)snprintf(name, sizeof(name), "Ring/g=%d/procs=%d",
		    goroutines[i], procs);
		bench_run(name, ring, goroutines[i]);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
