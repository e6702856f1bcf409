/* SPDX-License-Identifier: MIT */
/*
 * skynet.c - a million goroutines that form a tree.
 *
 * Answers: how long does it take to start 1,111,111 goroutines, ten by each
 * that is not a leaf, and to add up the numbers of the million leaves on the
 * way back, through a channel without capacity for each ten?  An operation is
 * one goroutine; ms is the whole tree.  One tree comes before those that
 * count.
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 1.3 to 1.9 s of processor time, Tokio
 * 1.24 0.5 to 0.7 s.  Twins: go/skynet.go, tokio/src/skynet.rs.
 */
#include "bench/bench.h"

#define CHILDREN 10u
#define LEAVES   1000000u
#define NODES    1111111u
#define SUM      499999500000u

struct node {
	struct gamp_chan *up;
	uint64_t first, leaves; /* number of the first leaf, how many */
};

/* A node lies on its parent's stack until the parent has its answer. */
static void node(void *arg)
{
	const struct node *me = arg;
	struct node child[CHILDREN];
	struct gamp_chan *ch;
	uint64_t sum = 0;

	if (me->leaves == 1) {
		bench_send(me->up, me->first);
		return;
	}
	ch = bench_chan(0);
	for (unsigned int i = 0; i < CHILDREN; i++) {
		uint64_t leaves = me->leaves / CHILDREN;

		child[i] = (struct node){ ch, me->first + i * leaves, leaves };
		(void)bench_must("gamp_go", gamp_go(node, &child[i]));
	}
	for (unsigned int i = 0; i < CHILDREN; i++)
		sum += bench_recv(ch);
	bench_chan_free(ch);
	bench_send(me->up, sum);
}

static void tree(struct bench *b)
{
	struct node root = { bench_chan(0), 0, LEAVES };
	uint64_t sum;

	b->n = NODES;
	bench_start(b);
	(void)bench_must("gamp_go", gamp_go(node, &root));
	sum = bench_recv(root.up);
	bench_stop(b);
	bench_check("sum of the leaves", sum, SUM);
	bench_chan_free(root.up);
}

static void row(void *arg)
{
	struct bench b = { .n = NODES };
	char name[64];

	(void)snprintf(
	    name, sizeof(name), "Skynet/procs=%d", *(const int *)arg);
	if (!bench_wanted(name))
		return;
	tree(&b);
	for (int64_t i = bench_env("BENCH_COUNT", 5); i > 0; i--) {
		tree(&b);
		bench_begin(name, b.n);
		bench_value((double)(b.t1 - b.t0) / NODES, "ns/op");
		bench_value((double)(b.c1 - b.c0) / NODES, "cpu-ns/op");
		bench_value((double)(b.t1 - b.t0) / 1e6, "ms");
		bench_end();
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, row, &procs);
	return 0;
}
