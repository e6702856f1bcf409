/* SPDX-License-Identifier: MIT */
/*
 * stress_timer.c - the races of timers and tickers, many times over.
 *
 *	stop	 start, stop, reset of one timer by goroutines and threads
 *		 beside its firing: each arming ends in a call or in a stop
 *		 that says true, and in nothing else
 *	free	 the same, and the memory is freed as soon as it may be
 *	period	 timers that repeat, moved and stopped by others: not one call
 *		 too many, and none lost
 *	ticker	 stop and reset beside ticks and receivers: no stale tick, and
 *		 what is sent once is received or taken back
 *	scarce	 more callbacks than goroutines
 *	restart	 the runtime stops in the middle of it all
 *
 * Lanes race within themselves and disturb each other through the heaps.
 *
 * Arguments	[seed [part]]
 * Environment	STRESS_SCALE	rounds of a lane, in thousands
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/stress.h"

#define LANES 6
#define HANG  60 /* seconds without any progress */
#define HOUR  (3600 * GAMP_SECOND)

struct lane {
	uint64_t rng, helper_rng, outside_rng;
	int no;
	int64_t round;
	struct gamp_timer t;
	struct gamp_ticker *ticker;
	atomic_int armed, stopped, called, received, helpers;
	atomic_bool over;
};

static struct lane lanes[LANES];
static int64_t rounds;
static atomic_llong races, progress;
static atomic_int lanes_left, extra;

/* Seconds pass and nothing moves: say where everybody is. */
static void on_alarm(int sig)
{
	static long long last;
	long long now = atomic_load(&progress);

	(void)sig;
	if (now == last) {
		for (int i = 0; i < LANES; i++)
			(void)fprintf(stderr,
			    "lane %d round %" PRId64 " armed %d stopped %d "
			    "called %d received %d helpers %d\n",
			    i, lanes[i].round, atomic_load(&lanes[i].armed),
			    atomic_load(&lanes[i].stopped),
			    atomic_load(&lanes[i].called),
			    atomic_load(&lanes[i].received),
			    atomic_load(&lanes[i].helpers));
		die(__LINE__, "hung", now);
	}
	last = now;
	(void)alarm(HANG);
}

static uint32_t rnd(struct lane *ln, uint32_t below)
{
	return rnd_of(&ln->rng, below);
}

static void spin(uint32_t n)
{
	for (volatile uint32_t i = n; i > 0;)
		i = i - 1;
}

static void dawdle(uint64_t *rng)
{
	switch (rnd_of(rng, 8)) {
	case 0:
		(void)gamp_sleep(rnd_of(rng, 20) * GAMP_MICROSECOND);
		break;
	case 1:
		gamp_yield();
		break;
	default:
		spin(rnd_of(rng, 500));
	}
}

static int64_t soon(struct lane *ln)
{
	switch (rnd(ln, 10)) {
	case 0:
		return 1;
	case 1:
		return gamp_now() + HOUR + rnd(ln, 1000);
	case 2:
		return gamp_now() + 200 * GAMP_MICROSECOND;
	default:
		return gamp_now() + rnd(ln, 20000);
	}
}

static int start_any(
    struct lane *ln, struct gamp_timer *t, int64_t period, gamp_fn *fn)
{
	return rnd(ln, 2) ? gamp_timer_start(t, soon(ln), period, fn, ln)
			  : gamp_timer_start_short(
				t, soon(ln), period, fn, ln);
}

static void called(void *arg)
{
	atomic_fetch_add(&((struct lane *)arg)->called, 1);
	atomic_fetch_add(&progress, 1);
}

static void await(atomic_int *n, int want)
{
	while (atomic_load(n) != want)
		(void)gamp_sleep(50 * GAMP_MICROSECOND);
}

/* Every arming has come to its one end. */
static void settle(struct lane *ln)
{
	int64_t t0 = gamp_now();

	for (;;) {
		int is = atomic_load(&ln->stopped) + atomic_load(&ln->called);

		if (is == atomic_load(&ln->armed))
			break;
		MUST(is < atomic_load(&ln->armed), is);
		MUST(gamp_now() < t0 + HANG * GAMP_SECOND, is);
		(void)gamp_sleep(50 * GAMP_MICROSECOND);
	}
}

/* Helpers only stop. */

static void help(void *arg)
{
	struct lane *ln = arg;

	while (!atomic_load(&ln->over)) {
		atomic_fetch_add(&ln->stopped, gamp_timer_stop(&ln->t));
		dawdle(&ln->helper_rng);
	}
	atomic_fetch_sub(&ln->helpers, 1);
}

static void *help_from_outside(void *arg)
{
	struct lane *ln = arg;

	while (!atomic_load(&ln->over)) {
		atomic_fetch_add(&ln->stopped, gamp_timer_stop(&ln->t));
		spin(rnd_of(&ln->outside_rng, 5000));
		(void)sched_yield();
	}
	return NULL;
}

static void stop_round(struct lane *ln)
{
	bool thread = rnd(ln, 4) == 0;
	pthread_t th;
	int r;

	atomic_store(&ln->over, false);
	atomic_store(&ln->helpers, 1);
	MUST(gamp_go(help, ln) > 0, 0);
	if (thread)
		MUST(pthread_create(&th, NULL, help_from_outside, ln) == 0, 0);
	for (int i = 0; i < 100; i++) {
		if (rnd(ln, 3) && ln->armed > 0) {
			r = gamp_timer_reset(&ln->t, soon(ln));
			MUST(r == 0 || r == 1, r);
		} else {
			r = start_any(ln, &ln->t, 0, called);
			MUST(r == 0 || r == -EBUSY, r);
		}
		atomic_fetch_add(&ln->armed, r == 0);
		dawdle(&ln->rng);
		if (rnd(ln, 3) == 0)
			atomic_fetch_add(&ln->stopped, gamp_timer_stop(&ln->t));
	}
	atomic_store(&ln->over, true);
	await(&ln->helpers, 0);
	if (thread)
		(void)pthread_join(th, NULL);
	atomic_fetch_add(&ln->stopped, gamp_timer_stop(&ln->t));
	settle(ln);
	atomic_fetch_add(&races, 100);
}

static void free_round(struct lane *ln)
{
	enum { N = 16 };
	struct gamp_timer *t[N];

	for (int i = 0; i < N; i++) {
		t[i] = calloc(1, sizeof(*t[i]));
		MUST(t[i], i);
		MUST(start_any(ln, t[i], 0, called) == 0, i);
		atomic_fetch_add(&ln->armed, 1);
	}
	dawdle(&ln->rng);
	for (int i = 0; i < N; i++) {
		if (rnd(ln, 4) == 0) {
			int r = gamp_timer_reset(t[i], soon(ln));

			MUST(r == 0 || r == 1, r);
			atomic_fetch_add(&ln->armed, r == 0);
		}
		if (rnd(ln, 4) == 0)
			dawdle(&ln->rng);
		atomic_fetch_add(&ln->stopped, gamp_timer_stop(t[i]));
		memset(t[i], 0xEE, sizeof(*t[i]));
		free(t[i]);
	}
	settle(ln);
	atomic_fetch_add(&races, N);
}

/* Periods.  A call may still be about to begin when its round is over, however
 * long, so each round of a run counts for itself. */

static struct beat {
	atomic_int calls;
	int64_t from;
} *beats[LANES];

static void on_period(void *arg)
{
	struct beat *b = arg;

	MUST(gamp_now() >= b->from, b->from);
	atomic_fetch_add(&b->calls, 1);
	atomic_fetch_add(&progress, 1);
}

static void period_round(struct lane *ln)
{
	struct beat *b = &beats[ln->no][ln->round];
	int64_t began = gamp_now(), period = 1000 + rnd(ln, 30000), most;
	int r, n = 0;

	atomic_store(&b->calls, 0);
	b->from = began + rnd(ln, 20000);
	r = rnd(ln, 2) ? gamp_timer_start(&ln->t, b->from, period, on_period,
			     b)
		       : gamp_timer_start_short(
			     &ln->t, b->from, period, on_period, b);
	MUST(r == 0, r);
	for (uint32_t i = rnd(ln, 8); i > 0; i--) {
		dawdle(&ln->rng);
		if (rnd(ln, 3) == 0) {
			int64_t when = soon(ln);

			n += when < gamp_now() + HOUR;
			if (when < b->from)
				when = b->from;
			MUST(gamp_timer_reset(&ln->t, when) == 1, i);
		}
	}
	if (n == 0 && rnd(ln, 2)) { /* it goes on */
		MUST(gamp_timer_reset(&ln->t, b->from) == 1, 0);
		n++;
		r = atomic_load(&b->calls) + 3;
		while (atomic_load(&b->calls) < r)
			(void)gamp_sleep(period);
	}
	MUST(gamp_timer_stop(&ln->t), 0);
	/* After a reset to the past: one at once, one before a period. */
	most = (gamp_now() - began) / period + 1 + 2 * n;
	MUST(!gamp_timer_stop(&ln->t), 0);
	(void)gamp_sleep(10 * GAMP_MICROSECOND);
	MUST(atomic_load(&b->calls) <= most, atomic_load(&b->calls) - most);
	ln->t = (struct gamp_timer){ 0 };
	atomic_fetch_add(&races, 1 + n);
}

/* Tickers. */

static void receive(void *arg)
{
	struct lane *ln = arg;

	while (gamp_chan_recv(gamp_ticker_chan(ln->ticker), NULL) == 0)
		atomic_fetch_add(&ln->received, 1);
	atomic_fetch_sub(&ln->helpers, 1);
}

static void stop_ticker(void *arg)
{
	struct lane *ln = arg;

	while (!atomic_load(&ln->over)) {
		atomic_fetch_add(&ln->stopped, gamp_ticker_stop(ln->ticker));
		dawdle(&ln->helper_rng);
	}
	atomic_fetch_sub(&ln->helpers, 1);
}

/* Each arming of one that sends once is received, or stopped. */
static void once_round(struct lane *ln)
{
	int armed = 1, back = 0;

	ln->ticker = gamp_ticker_new(soon(ln), 0);
	MUST(ln->ticker, 0);
	atomic_store(&ln->over, false);
	atomic_store(&ln->received, 0);
	atomic_store(&ln->stopped, 0);
	atomic_store(&ln->helpers, 3);
	MUST(gamp_go(receive, ln) > 0 && gamp_go(receive, ln) > 0, 0);
	MUST(gamp_go(stop_ticker, ln) > 0, 0);
	for (int i = 0; i < 100; i++, armed++) {
		int r = gamp_ticker_reset(ln->ticker, soon(ln), 0);

		MUST(r == 0 || r == 1, r);
		back += r;
		dawdle(&ln->rng);
	}
	atomic_store(&ln->over, true);
	await(&ln->helpers, 2);
	back += gamp_ticker_stop(ln->ticker);
	back += atomic_load(&ln->stopped);
	await(&ln->received, armed - back);
	MUST(gamp_chan_close(gamp_ticker_chan(ln->ticker)) == 0, 0);
	await(&ln->helpers, 0);
	MUST(atomic_load(&ln->received) == armed - back, back);
	MUST(gamp_ticker_free(ln->ticker) == 0, 0);
	atomic_fetch_add(&races, 100);
}

static void ticker_round(struct lane *ln)
{
	struct gamp_chan *ch;
	struct gamp_ticker *t;
	int64_t v, last = 0;

	if (rnd(ln, 8) == 0) {
		once_round(ln);
		return;
	}
	t = gamp_ticker_new(soon(ln), 1 + rnd(ln, 5000));
	MUST(t, 0);
	ch = gamp_ticker_chan(t);
	for (int i = 0; i < 10; i++) {
		int64_t when = gamp_now() + rnd(ln, 5000);
		int64_t period = 1 + rnd(ln, 3000);

		dawdle(&ln->rng);
		if (rnd(ln, 2)) {
			MUST(gamp_ticker_stop(t), i);
			MUST(gamp_chan_tryrecv(ch, &v) == -EAGAIN, i);
			dawdle(&ln->rng);
			MUST(gamp_chan_tryrecv(ch, &v) == -EAGAIN, i);
			MUST(!gamp_ticker_stop(t), i);
		}
		MUST(gamp_ticker_reset(t, when, period) >= 0, i);
		last = 0;
		for (uint32_t k = rnd(ln, 4); k > 0; k--, last = v) {
			MUST(gamp_chan_recv(ch, &v) == 0, k);
			MUST(v > last && v >= when, v);
			MUST((v - when) % period == 0, v - when);
		}
	}
	MUST(gamp_ticker_free(t) == 0, 0);
	atomic_fetch_add(&races, 10);
}

/* More callbacks than goroutines: max_goroutines is small here. */

static void linger(void *arg)
{
	dawdle(&(uint64_t){ (uint64_t)gamp_now() | 1 });
	called(arg);
}

static void scarce_round(struct lane *ln)
{
	enum { N = 20 };
	struct gamp_timer t[N] = { { { 0 } } };

	for (int i = 0; i < N; i++) {
		MUST(gamp_timer_start(&t[i], soon(ln), 0, linger, ln) == 0, i);
		atomic_fetch_add(&ln->armed, 1);
	}
	dawdle(&ln->rng);
	for (int i = 0; i < N; i++) {
		int r = 0;

		if (rnd(ln, 3) == 0) {
			r = gamp_timer_reset(&t[i], soon(ln));
			atomic_fetch_add(&ln->armed, r == 0);
		}
		if (rnd(ln, 4) == 0)
			dawdle(&ln->rng);
		atomic_fetch_add(&ln->stopped, gamp_timer_stop(&t[i]));
	}
	settle(ln);
	atomic_fetch_add(&races, N);
}

static const struct {
	const char *name;
	void (*round)(struct lane *ln);
	int weight; /* rounds per thousand */
	int goroutines;
} parts[] = {
	{ "stop", stop_round, 500, 0 },
	{ "free", free_round, 2000, 0 },
	{ "period", period_round, 2000, 0 },
	{ "ticker", ticker_round, 1500, 0 },
	{ "scarce", scarce_round, 300, LANES + 3 },
};

static size_t current;

static int64_t rounds_of_lane(void)
{
	return rounds * parts[current].weight / 1000 / LANES + 1;
}

static void run_lane(void *arg)
{
	struct lane *ln = arg;
	int64_t n = rounds_of_lane();

	for (ln->round = 0; ln->round < n; ln->round++) {
		parts[current].round(ln);
		atomic_fetch_add(&progress, 1);
	}
	atomic_fetch_sub(&lanes_left, 1);
}

static void run_part(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&lanes_left, LANES);
	for (int i = 0; i < LANES; i++) {
		memset(&lanes[i], 0, sizeof(lanes[i]));
		lanes[i].no = i;
		lanes[i].rng = seed * (uint64_t)(2 * i + 1) + current + 1;
		lanes[i].helper_rng = lanes[i].rng ^ 0x9e3779b97f4a7c15;
		lanes[i].outside_rng = lanes[i].rng + 2;
		/* Callbacks of those before may have taken them all. */
		while ((id = gamp_go(run_lane, &lanes[i])) == -EAGAIN)
			(void)gamp_sleep(GAMP_MICROSECOND);
		MUST(id > 0, id);
	}
	while (atomic_load(&lanes_left) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
}

/* On a machine that stalls, timers that are due at once are thousands; TSan
 * has room for 8,128 goroutines. */
#if defined(__SANITIZE_THREAD__)
enum { MOST = 1000 };
#else
enum { MOST = 0 };
#endif

static void run(int procs, int goroutines)
{
	struct gamp_options opt = { .maxprocs = procs,
		.max_goroutines = goroutines ? goroutines : MOST };
	int r;

	for (int i = 0; i < LANES; i++) {
		beats[i] =
		    calloc((size_t)rounds_of_lane(), sizeof(*beats[i]));
		MUST(beats[i], i);
	}
	r = gamp_run(run_part, NULL, &opt);
	MUST(r == 0, r);
	for (int i = 0; i < LANES; i++)
		free(beats[i]);
}

/* Threads and callbacks use timers until the runtime is down. */

static atomic_bool is_down;

static void go_on(void *arg)
{
	MUST(!atomic_load(&is_down), 0);
	atomic_fetch_add(&extra, 1);
	(void)gamp_go(called, &lanes[0]);
	if (arg)
		(void)gamp_timer_reset(arg, gamp_now() + 2000);
}

static void *use(void *arg)
{
	uint64_t rng = (uint64_t)(uintptr_t)arg | 1;
	int r;

	do {
		struct gamp_timer *t = calloc(1, sizeof(*t));
		int64_t at = gamp_now() + rnd_of(&rng, 30000);
		struct gamp_ticker *k = gamp_ticker_new(at, rnd_of(&rng, 3000));

		r = gamp_timer_start_short(t, at, rnd_of(&rng, 2) * 5000,
		    go_on, NULL);
		MUST(r == 0 || r == -ESRCH, r);
		spin(rnd_of(&rng, 3000));
		if (k && rnd_of(&rng, 2))
			(void)gamp_ticker_stop(k);
		(void)gamp_ticker_free(k);
		(void)gamp_timer_stop(t);
		memset(t, 0xEE, sizeof(*t));
		free(t);
		(void)sched_yield();
	} while (r != -ESRCH);
	return NULL;
}

static void restart(uint64_t *rng)
{
	static struct gamp_timer own[4];
	struct gamp_options opt = { .maxprocs = 1 + (int)rnd_of(rng, 3) };
	pthread_t th[2];
	int r = gamp_start(&opt);

	MUST(r == 0, r);
	atomic_store(&is_down, false);
	atomic_store(&extra, 0);
	for (int i = 0; i < 4; i++) {
		r = i % 2 ? gamp_timer_start(&own[i], 1, i / 2 * 3000, go_on,
				&own[i])
			  : gamp_timer_start_short(&own[i], 1, i / 2 * 3000,
				go_on, &own[i]);
		MUST(r == 0, r);
	}
	for (int i = 0; i < 2; i++)
		MUST(pthread_create(&th[i], NULL, use,
			 (void *)(uintptr_t)*rng) == 0,
		    i);
	while (atomic_load(&extra) < (int)rnd_of(rng, 60))
		(void)sched_yield();
	r = gamp_stop(gamp_now() + HANG * GAMP_SECOND);
	MUST(r == 0, r);
	atomic_store(&is_down, true);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(th[i], NULL);
	for (int i = 0; i < 4; i++)
		MUST(!gamp_timer_stop(&own[i]), i);
	atomic_fetch_add(&progress, 1);
	atomic_fetch_add(&races, atomic_load(&extra));
}

static void report(int64_t began)
{
	(void)printf("%-8s %9lld races %6.1f s\n", part,
	    (long long)atomic_exchange(&races, 0),
	    (double)(gamp_now() - began) / 1e9);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("STRESS_SCALE");
	int64_t began;
	uint64_t rng;

	take_seed(argc, argv);
	rng = seed;
	rounds = (int64_t)((scale ? atof(scale) : 4) * 1000);
	(void)printf(
	    "seed 0x%" PRIx64 " rounds %" PRId64 "\n", seed, rounds);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(HANG);
	for (current = 0; current < sizeof(parts) / sizeof(parts[0]);
	     current++) {
		part = parts[current].name;
		if (argc > 2 && strcmp(argv[2], part) != 0)
			continue;
		began = gamp_now();
		run(1 + (int)(seed >> 8) % 3, parts[current].goroutines);
		run(4, parts[current].goroutines);
		report(began);
	}
	part = "restart";
	if (argc <= 2 || strcmp(argv[2], part) == 0) {
		began = gamp_now();
		for (int64_t i = 0; i < rounds / 20; i++)
			restart(&rng);
		report(began);
	}
	return 0;
}
