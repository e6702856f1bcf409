/* SPDX-License-Identifier: MIT */
/*
 * chan.c - cost of a channel.
 *
 * Answers: what does it cost to pass a number to another goroutine and get it
 * back (ChanRound; an operation is there and back), and to pass numbers on in
 * one direction (ChanStream; an operation is one number), without capacity,
 * with 100, and with 100 between eight senders and eight receivers?
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 400 to 630 ns for a round trip, 200 to
 * 340 and 59 to 99 in the streams; Tokio 1.24 350 to 490, 300 to 410, 94 to
 * 130 (8:8: 370).  Twins: go/chan.go, tokio/src/chan.rs.
 */
#include <stdatomic.h>

#include "bench/bench.h"

static struct gamp_waitgroup running;
static struct gamp_chan *there, *back;
static uint64_t each; /* numbers of each goroutine */
static _Atomic uint64_t sum;

static void echo(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < each; i++)
		bench_send(back, bench_recv(there) + 1);
}

/* On a thread of its own. */
static void echo_locked(void *arg)
{
	(void)bench_must("gamp_lock_thread", gamp_lock_thread());
	echo(arg);
}

static void round_trip(struct bench *b)
{
	uint64_t v = 0;

	there = bench_chan(0);
	back = bench_chan(0);
	each = b->n;
	bench_start(b);
	bench_go(&running, b->arg ? echo_locked : echo, NULL);
	for (uint64_t i = 0; i < b->n; i++) {
		bench_send(there, v);
		v = bench_recv(back);
	}
	bench_wait(&running);
	bench_stop(b);
	bench_check("round trips", v, b->n);
	bench_chan_free(there);
	bench_chan_free(back);
}

static void produce(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < each; i++)
		bench_send(there, i);
}

static void consume(void *arg)
{
	uint64_t s = 0;

	(void)arg;
	for (uint64_t i = 0; i < each; i++)
		s += bench_recv(there);
	atomic_fetch_add(&sum, s);
}

static const struct {
	const char *name;
	uint64_t capacity, pairs;
} streams[] = {
	{ "cap=0/1:1", 0, 1 },
	{ "cap=100/1:1", 100, 1 },
	{ "cap=100/8:8", 100, 8 },
};

static void stream(struct bench *b)
{
	uint64_t pairs = streams[b->arg].pairs;

	there = bench_chan(streams[b->arg].capacity);
	each = (b->n + pairs - 1) / pairs;
	b->n = each * pairs;
	atomic_store(&sum, 0);
	bench_start(b);
	for (uint64_t i = 0; i < pairs; i++) {
		bench_go(&running, produce, NULL);
		bench_go(&running, consume, NULL);
	}
	bench_wait(&running);
	bench_stop(b);
	bench_check("sum", atomic_load(&sum), b->n * (each - 1) / 2);
	bench_chan_free(there);
}

static void rows(void *arg)
{
	int procs = *(const int *)arg;
	char name[64];

	(void)snprintf(name, sizeof(name), "ChanRound/cap=0/procs=%d", procs);
	bench_run(name, round_trip, 0);
	(void)snprintf(
	    name, sizeof(name), "ChanRoundLocked/procs=%d", procs);
	bench_run(name, round_trip, 1);
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		(void)snprintf(name, sizeof(name), "ChanStream/%s/procs=%d",
		    streams[i].name, procs);
		bench_run(name, stream, (int64_t)i);
	}
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
