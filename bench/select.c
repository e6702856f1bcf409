/* SPDX-License-Identifier: MIT */
/*
 * select.c - cost of a select.
 *
 * Answers: what does a round trip between two goroutines cost when each of
 * them receives by a select of two channels without capacity
 * (SelectRound)?  And what does a select cost that has a default and finds
 * nothing ready, with one and with two receives beside the default
 * (SelectDefault), or gamp_chan_tryrecv, which asks the same of one channel
 * (TryRecv)?  Go compiles a select of one receive and a default to the like
 * of gamp_chan_tryrecv: it stands beside both rows.
 * Bar: half of Go's time with one P; with two 0.8 of the better of Go and
 * Tokio.  With one P Go 1.19 takes 600 to 970 ns for a round trip, 67 to
 * 105 for two receives and a default, 5 to 9 for one; Tokio 1.24 500 to 800,
 * 87 to 110, 43 to 64 (a try 4 to 7).  Twins: go/select.go,
 * tokio/src/select.rs.
 */
#include <errno.h>

#include "bench/bench.h"

static struct gamp_waitgroup running;
static struct gamp_chan *there[2], *back[2];
static uint64_t each;

static uint64_t pick(struct gamp_case *cases, const uint64_t *v)
{
	int i = (int)bench_must("gamp_select", gamp_select(cases, 2));

	(void)bench_must("select, receive", cases[i].err);
	return v[i];
}

static void echo(void *arg)
{
	uint64_t v[2];
	struct gamp_case cases[] = { GAMP_RECV(there[0], &v[0]),
		GAMP_RECV(there[1], &v[1]) };

	(void)arg;
	for (uint64_t i = 0; i < each; i++)
		bench_send(back[i & 1], pick(cases, v) + 1);
}

static void round_trip(struct bench *b)
{
	struct gamp_case cases[2];
	uint64_t v[2], last = 0;

	for (int i = 0; i < 2; i++) {
		there[i] = bench_chan(0);
		back[i] = bench_chan(0);
		cases[i] = GAMP_RECV(back[i], &v[i]);
	}
	each = b->n;
	bench_start(b);
	bench_go(&running, echo, NULL);
	for (uint64_t i = 0; i < b->n; i++) {
		bench_send(there[i & 1], last);
		last = pick(cases, v);
	}
	bench_wait(&running);
	bench_stop(b);
	bench_check("round trips", last, b->n);
	for (int i = 0; i < 2; i++) {
		bench_chan_free(there[i]);
		bench_chan_free(back[i]);
	}
}

/* So many receives, and a default. */
static void nothing(struct bench *b)
{
	struct gamp_chan *one = bench_chan(0), *two = bench_chan(0);
	struct gamp_case cases[] = { GAMP_DEFAULT, GAMP_RECV(one, NULL),
		GAMP_RECV(two, NULL) };
	uint64_t defaults = 0;
	int n = (int)b->arg + 1;

	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		defaults += gamp_select(cases, n) == 0;
	bench_stop(b);
	bench_check("defaults", defaults, b->n);
	bench_chan_free(one);
	bench_chan_free(two);
}

static void tryrecv(struct bench *b)
{
	struct gamp_chan *ch = bench_chan(0);
	uint64_t v, none = 0;

	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		none += gamp_chan_tryrecv(ch, &v) == -EAGAIN;
	bench_stop(b);
	bench_check("tries", none, b->n);
	bench_chan_free(ch);
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

	row("SelectRound/cases=2", procs, round_trip, 0);
	row("SelectDefault/cases=1", procs, nothing, 1);
	row("SelectDefault/cases=2", procs, nothing, 2);
	row("TryRecv", procs, tryrecv, 0);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	for (int procs = 1; procs <= 2; procs++)
		bench_runtime(procs, rows, &procs);
	return 0;
}
