/* SPDX-License-Identifier: MIT */
/*
 * stress_chan.c - millions of items through channels, each delivered once.
 *
 * In a round eight producers, eight consumers and two selectors share some
 * channels of random capacity.  Items are sent and received plainly, by tries,
 * with deadlines and by selects; a selector consumes what it receives, or puts
 * it into another channel.  Meanwhile a closer closes some of the channels,
 * whereupon producers go to others, and a meddler starts further receivers
 * and cancels them.  At the end a bitmap says what arrived.
 *
 *	one	with one P (sched/solo.h)
 *	many	with two to four
 *	threads	some of them are threads
 *
 * Arguments	[seed [part]]
 * Environment	STRESS_SCALE	items in millions, of all parts or of the one
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

enum {
	PRODUCERS = 8,
	CONSUMERS = 8,
	SELECTORS = 2,
	WORKERS = PRODUCERS + CONSUMERS + SELECTORS,
	CHANNELS = 5,
	EACH_MAX = 1 << 13, /* items of a producer in a round */
	BURST = 32,         /* sent or received in one manner */
	ROUNDS = 10,        /* of a run */
	HANG = 120,         /* seconds for a round */
};

#define FORWARDED (UINT64_C(1) << 63)
#define FAR       (3600 * GAMP_SECOND)

struct item {
	uint64_t id; /* FORWARDED, producer << 32, number */
	uint64_t fill[10];
};

struct worker {
	int no;
	uint64_t rng;
	const char *step;
	bool shut[CHANNELS];
	uint32_t last[CHANNELS][PRODUCERS]; /* number + 1 */
	pthread_t thread;
};

static struct worker workers[WORKERS];
static struct gamp_chan *chans[CHANNELS], *over;
static atomic_ullong arrived[PRODUCERS][EACH_MAX / 64];
static uint32_t each, words; /* of an item */
static atomic_bool stop;
static uint64_t main_rng;
static atomic_llong rounds, extras;

static void on_alarm(int sig)
{
	static long long last;
	long long now = atomic_load(&rounds);

	(void)sig;
	if (now == last) {
		for (int i = 0; i < WORKERS; i++)
			(void)fprintf(stderr, "%d %s\n", i, workers[i].step);
		for (int i = 0; i < CHANNELS; i++)
			(void)fprintf(stderr, "channel %d: %zu of %zu\n", i,
			    gamp_chan_len(chans[i]), gamp_chan_cap(chans[i]));
		die(__LINE__, "hung", now);
	}
	last = now;
	(void)alarm(HANG);
}

static void rest(void)
{
	if (gamp_self())
		gamp_yield();
	else
		(void)sched_yield();
}

static int64_t soon(struct worker *w)
{
	return gamp_now() + rnd_of(&w->rng, 20000);
}

static struct item make(int producer, uint32_t number)
{
	struct item it;

	it.id = (uint64_t)producer << 32 | number;
	for (uint32_t i = 0; i + 1 < words; i++)
		it.fill[i] = it.id * (i + 3);
	return it;
}

/* By whom it was received, from where; k < 0: not in order. */
static void deliver(struct worker *w, const struct item *it, int k)
{
	uint64_t id = it->id & ~FORWARDED;
	uint32_t number = (uint32_t)id, producer = (uint32_t)(id >> 32);
	uint64_t bit = UINT64_C(1) << number % 64;

	MUST(producer < PRODUCERS && number < each, it->id);
	for (uint32_t i = 0; i + 1 < words; i++)
		MUST(it->fill[i] == id * (i + 3), i);
	MUST(
	    !(atomic_fetch_or(&arrived[producer][number / 64], bit) & bit), id);
	if (k < 0 || it->id & FORWARDED)
		return;
	MUST(number >= w->last[k][producer], id);
	w->last[k][producer] = number + 1;
}

/* One of those that are open, or -1. */
static int some_channel(struct worker *w)
{
	int k = (int)rnd_of(&w->rng, CHANNELS);

	for (int i = 0; i < CHANNELS; i++, k = (k + 1) % CHANNELS)
		if (!w->shut[k])
			return k;
	return -1;
}

enum { PLAIN, PLAIN_TOO, TRY, BRIEFLY, LONG, SELECT, MANNERS };

/* The index of the channel, or -EAGAIN. */
static int select_send(struct worker *w, struct item *it)
{
	struct gamp_case c[CHANNELS + 1];
	int at[CHANNELS + 1], n = 0, r;

	for (int i = 1 + (int)rnd_of(&w->rng, CHANNELS); i > 0; i--) {
		int k = (int)rnd_of(&w->rng, CHANNELS);

		at[n] = k;
		c[n++] = GAMP_SEND(w->shut[k] ? NULL : chans[k], it);
	}
	c[n++] = rnd_of(&w->rng, 2) ? GAMP_DEADLINE(soon(w)) : GAMP_DEFAULT;
	r = gamp_select(c, n);
	MUST(r >= 0, r);
	if (r < n - 1 && c[r].err == -EPIPE)
		w->shut[at[r]] = true;
	return r == n - 1 || c[r].err < 0 ? -EAGAIN : at[r];
}

static void send_one(struct worker *w, struct item *it, uint32_t manner, int k)
{
	for (;;) {
		int r;

		if (manner == SELECT) {
			if (select_send(w, it) >= 0)
				return;
			manner = PLAIN;
		}
		if (w->shut[k])
			k = some_channel(w);
		if (manner <= PLAIN_TOO)
			r = gamp_chan_send(chans[k], it);
		else if (manner == TRY)
			r = gamp_chan_trysend(chans[k], it);
		else
			r = gamp_chan_send_until(chans[k], it,
			    manner == LONG ? gamp_now() + FAR : soon(w));
		if (r == 0)
			return;
		MUST(r == -EPIPE || (r == -EAGAIN && manner == TRY) ||
			 (r == -ETIMEDOUT && manner == BRIEFLY),
		    r);
		if (r == -EPIPE)
			w->shut[k] = true;
		else
			rest();
		manner = rnd_of(&w->rng, MANNERS);
	}
}

static void produce(struct worker *w)
{
	uint32_t manner = 0;
	int k = 0;

	for (uint32_t i = 0; i < each; i++) {
		struct item it = make(w->no, i);

		if (i % BURST == 0) {
			manner = rnd_of(&w->rng, MANNERS);
			k = some_channel(w);
		}
		w->step = "sends";
		send_one(w, &it, manner, k);
	}
}

static void consume(struct worker *w)
{
	uint32_t manner = 0, left = 0;
	int k = 0;

	while ((k = left ? k : some_channel(w)) >= 0) {
		struct item it;
		int r;

		if (left == 0) {
			left = 1 + rnd_of(&w->rng, BURST);
			manner = rnd_of(&w->rng, SELECT);
		}
		left--;
		w->step = "receives";
		if (manner <= PLAIN_TOO)
			r = gamp_chan_recv(chans[k], &it);
		else if (manner == TRY)
			r = gamp_chan_tryrecv(chans[k], &it);
		else
			r = gamp_chan_recv_until(chans[k], &it,
			    manner == LONG ? gamp_now() + FAR : soon(w));
		MUST(r == 0 || r == -EPIPE || (r == -EAGAIN && manner == TRY) ||
			 (r == -ETIMEDOUT && manner == BRIEFLY),
		    r);
		if (r == 0)
			deliver(w, &it, k);
		else
			left = 0;
		if (r == -EPIPE)
			w->shut[k] = true;
		else if (r < 0)
			rest();
	}
}

/* Receives from any; holds at most one item, and offers it to all. */
static void select_all(struct worker *w)
{
	struct item it, held;
	struct gamp_case c[2 * CHANNELS];
	bool holds = false;
	int open = CHANNELS;

	for (int k = 0; k < CHANNELS; k++)
		c[k] = GAMP_RECV(chans[k], &it);
	while (open > 0) {
		int k;

		for (k = 0; k < CHANNELS; k++)
			c[CHANNELS + k] = GAMP_SEND(chans[k], &held);
		w->step = holds ? "selects, holding" : "selects";
		k = gamp_select(c, holds ? 2 * CHANNELS : CHANNELS);
		MUST(k >= 0, k);
		MUST(c[k].err == 0 || c[k].err == -EPIPE, c[k].err);
		if (k >= CHANNELS && c[k].err < 0) {
			deliver(w, &held, -1); /* closed: keep it */
			holds = false;
		} else if (k >= CHANNELS) {
			holds = false;
		} else if (c[k].err < 0) {
			c[k].ch = NULL;
			open--;
		} else if (!holds && !(it.id & FORWARDED) &&
		    rnd_of(&w->rng, 2)) {
			held = it;
			held.id |= FORWARDED;
			holds = true;
		} else {
			deliver(w, &it, k);
		}
	}
	if (holds)
		deliver(w, &held, -1);
}

static void work(void *arg)
{
	struct worker *w = arg;

	if (w->no < PRODUCERS)
		produce(w);
	else if (w->no < PRODUCERS + CONSUMERS)
		consume(w);
	else
		select_all(w);
	w->step = "is done";
	MUST(gamp_chan_trysend(over, NULL) == 0, w->no);
}

static void *work_on_thread(void *arg)
{
	work(arg);
	return NULL;
}

/* One more receiver, which is cancelled. */

struct extra {
	uint64_t rng;
	struct gamp_chan *ended;
};

static void extra(void *arg)
{
	struct extra *e = arg;
	uint64_t rng = e->rng;
	struct gamp_chan *ch = chans[rnd_of(&rng, CHANNELS)];
	struct gamp_chan *ch2 = chans[rnd_of(&rng, CHANNELS)];
	struct item it;
	int r;

	switch (rnd_of(&rng, 3)) {
	case 0:
		r = gamp_chan_recv(ch, &it);
		break;
	case 1:
		r = gamp_chan_recv_until(ch, &it, gamp_now() + FAR);
		break;
	default: {
		struct gamp_case c[] = { GAMP_RECV(ch, &it),
			GAMP_RECV(ch2, &it),
			rnd_of(&rng, 2) ? GAMP_DEADLINE(gamp_now() + FAR)
				     : GAMP_DEADLINE(0) };

		r = gamp_select(c, 3);
		r = r < 0 ? r : c[r].err;
	}
	}
	MUST(r == 0 || r == -ECANCELED || r == -EPIPE, r);
	if (r == 0)
		deliver(NULL, &it, -1);
	MUST(gamp_chan_trysend(e->ended, NULL) == 0, 0);
}

static void meddle(void *arg)
{
	struct extra e = { .rng = *(uint64_t *)arg };
	uint64_t rng = e.rng ^ 0x9E3779B97F4A7C15u;

	e.ended = gamp_chan_new(0, 1);
	while (!atomic_load(&stop)) {
		int64_t id;

		e.rng = (rng ^ rnd_of(&rng, 1000)) | 1;
		id = gamp_go(extra, &e);
		MUST(id > 0, id);
		if (rnd_of(&rng, 4) == 0)
			MUST(gamp_sleep(rnd_of(&rng, 100000)) == 0, 0);
		else
			gamp_yield();
		(void)gamp_cancel(id);
		MUST(gamp_chan_recv(e.ended, NULL) == 0, 0);
		atomic_fetch_add(&extras, 1);
	}
	MUST(gamp_chan_free(e.ended) == 0, 0);
	MUST(gamp_chan_trysend(over, NULL) == 0, 0);
}

/* Never the first channel: there is always one to go to. */
static void close_some(void *arg)
{
	uint64_t rng = *(uint64_t *)arg ^ 0xD1B54A32D192ED03u;

	for (uint32_t i = rnd_of(&rng, 4); i > 0; i--) {
		int r;

		MUST(gamp_sleep(rnd_of(&rng, 2000000)) == 0, 0);
		r = gamp_chan_close(chans[1 + rnd_of(&rng, CHANNELS - 1)]);
		MUST(r == 0 || r == -EPIPE, r);
	}
	MUST(gamp_chan_trysend(over, NULL) == 0, 0);
}

static void await(int n)
{
	while (n-- > 0)
		MUST(gamp_chan_recv(over, NULL) == 0, n);
}

static void set_up(void)
{
	static const size_t caps[] = { 0, 0, 1, 2, 7, 64, 1000 };

	memset(arrived, 0, sizeof(arrived));
	atomic_store(&stop, false);
	words = rnd_of(&main_rng, 3) ? 1 : 2 + rnd_of(&main_rng, 10);
	over = gamp_chan_new(0, WORKERS + 2);
	for (int k = 0; k < CHANNELS; k++) {
		chans[k] = gamp_chan_new(words * sizeof(uint64_t),
		    caps[rnd_of(&main_rng, sizeof(caps) / sizeof(caps[0]))]);
		MUST(chans[k], k);
	}
	for (int i = 0; i < WORKERS; i++)
		workers[i] = (struct worker){ .no = i,
			.step = "begins",
			.rng = (main_rng + (uint64_t)i * 77) | 1 };
}

/* threads: how many of each kind. */
static void one_round(int threads)
{
	uint64_t rng;

	set_up();
	rng = main_rng;
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		if (i % 8 < threads)
			MUST(pthread_create(
				 &w->thread, NULL, work_on_thread, w) == 0,
			    i);
		else
			MUST(gamp_go(work, w) > 0, i);
	}
	MUST(gamp_go(meddle, &rng) > 0, 0);
	MUST(gamp_go(close_some, &rng) > 0, 0);
	await(PRODUCERS + 1); /* and the closer */
	atomic_store(&stop, true);
	await(1);
	for (int k = 0; k < CHANNELS; k++)
		(void)gamp_chan_close(chans[(k + (int)(rng % 5)) % CHANNELS]);
	await(CONSUMERS + SELECTORS);
	for (int i = 0; i < WORKERS; i++)
		if (i % 8 < threads)
			(void)pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < PRODUCERS; i++)
		for (uint32_t k = 0; k < each; k++)
			MUST(atomic_load(&arrived[i][k / 64]) >> k % 64 & 1, k);
	for (int k = 0; k < CHANNELS; k++)
		MUST(gamp_chan_free(chans[k]) == 0, k);
	MUST(gamp_chan_free(over) == 0, 0);
	atomic_fetch_add(&rounds, 1);
}

static int64_t left; /* items to go */

static void run_rounds(void *arg)
{
	int threads = (int)(intptr_t)arg;

	for (int i = 0; i < ROUNDS && left > 0; i++) {
		int64_t most = left / PRODUCERS + 1;

		each = 1 + rnd_of(&main_rng, EACH_MAX);
		if (each > most)
			each = (uint32_t)most;
		one_round(threads);
		left -= (int64_t)each * PRODUCERS;
	}
}

static void run_part(int which, int64_t items)
{
	int64_t began = gamp_now();
	long long first = atomic_load(&rounds);

	for (left = items; left > 0;) {
		int procs = which ? 2 + (int)rnd_of(&main_rng, 3) : 1;
		intptr_t threads =
		    which == 2 ? 1 + (intptr_t)rnd_of(&main_rng, 4) : 0;
		int r = gamp_run(run_rounds, (void *)threads,
		    &(struct gamp_options){ .maxprocs = procs });

		MUST(r == 0, r);
	}
	(void)printf("%-8s %10" PRId64 " items %6lld rounds %8lld cancels "
		     "%7.1f s\n",
	    part, items - left, (long long)atomic_load(&rounds) - first,
	    (long long)atomic_exchange(&extras, 0),
	    (double)(gamp_now() - began) / 1e9);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static const char *const parts[] = { "one", "many", "threads" };
	static const int share[] = { 4, 2, 4 };
	const char *scale = getenv("STRESS_SCALE");
	int64_t items = (int64_t)((scale ? atof(scale) : 1) * 1e6);

	take_seed(argc, argv);
	main_rng = seed | 1;
	(void)printf("seed 0x%" PRIx64 " items %" PRId64 "\n", seed, items);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(HANG);
	for (int i = 0; i < 3; i++) {
		part = parts[i];
		if (argc <= 2)
			run_part(i, items / share[i]);
		else if (strcmp(argv[2], part) == 0)
			run_part(i, items);
	}
	return 0;
}
