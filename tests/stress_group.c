/* SPDX-License-Identifier: MIT */
/*
 * stress_group.c - the races of groups, many times over.
 *
 *	tree	 random trees of groups within groups, with errors, cancels
 *		 from inside and outside, of groups and of single goroutines,
 *		 deadlines, exits; whoever waits looks whether all are out
 *	deadline groups whose deadline comes as they end anyway
 *	leave	 what was deferred, and values of keys, on random ways out
 *	thread	 trees whose roots are waited for by plain threads
 *
 * Printed is how many groups ended well, cancelled, late, with an error.
 *
 * Arguments	[seed [part]]
 * Environment	STRESS_SCALE	rounds, in units of each part
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/stress.h"

#define LANES 4
#define HANG  60 /* seconds without any progress */
#define DEPTH 3
#define WIDTH 5

enum { ERR_MIN = 1000, ERR_MAX = 1100 }; /* what leaves return, negative */

static int64_t rounds;
static atomic_llong nodes, progress;
static atomic_llong ends[4]; /* groups: well, cancelled, late, failed */
static atomic_int lanes_left;

static void on_alarm(int sig)
{
	static long long last = -1;
	long long now = atomic_load(&progress);

	(void)sig;
	if (now == last)
		die(__LINE__, "hung", now);
	last = now;
	(void)alarm(HANG);
}

/* A goroutine, and if it is no leaf, the group that it waits for. */
struct node {
	struct node *up;
	uint64_t rng;
	int depth;
	bool doomed; /* some group above, or its own, has a deadline */
	bool timed;  /* its own has */
	_Atomic int64_t id;
	struct gamp_group group;
	atomic_int out;     /* goroutines of the group that are not out yet */
	atomic_int errors;  /* of these, that returned one */
	atomic_int cancels; /* of the group, that have begun */
};

/* Of whoever starts it; its own once it runs. */
struct seedling {
	struct node *up;
	uint64_t rng;
	gamp_err_fn *fn;
};

static int grow(void *arg);

static void is_out(void *arg)
{
	struct node *up = arg;

	MUST(atomic_fetch_sub(&up->out, 1) > 0, 0);
}

static void dawdle(uint64_t *rng)
{
	switch (rnd_of(rng, 6)) {
	case 0:
		(void)gamp_sleep(rnd_of(rng, 30) * GAMP_MICROSECOND);
		break;
	case 1:
	case 2:
		for (uint32_t i = rnd_of(rng, 3); i > 0; i--)
			gamp_yield();
		break;
	default:
		for (volatile uint32_t i = rnd_of(rng, 300); i > 0;)
			i = i - 1;
	}
}

/* From a goroutine that runs in the group of up, or waits for it. */
static void plant(struct node *up, uint64_t *rng, gamp_err_fn *fn)
{
	struct seedling *s = malloc(sizeof(*s));
	int r;

	MUST(s, 0);
	*s = (struct seedling){ .up = up,
		.rng = (uint64_t)rnd_of(rng, UINT32_MAX) << 32 |
		    rnd_of(rng, UINT32_MAX) | 1,
		.fn = fn };
	atomic_fetch_add(&up->out, 1);
	r = gamp_group_go(&up->group, fn, s);
	MUST(r == 0, r);
	atomic_fetch_add(&nodes, 1);
}

/* gamp_group_cancel of a group that is alive. */
static void cancel(struct node *n)
{
	atomic_fetch_add(&n->cancels, 1);
	gamp_group_cancel(&n->group);
}

static int fail(struct node *up, int err)
{
	MUST(err < 0, err);
	atomic_fetch_add(&up->errors, 1);
	return err;
}

/* Parked until it is cancelled. */
static int wait_for_cancel(uint64_t *rng)
{
	struct gamp_chan *ch;
	int r = 0;

	switch (rnd_of(rng, 3)) {
	case 0:
		r = gamp_sleep(3600 * GAMP_SECOND);
		break;
	case 1:
		ch = gamp_chan_new(8, 0);
		MUST(ch, 0);
		r = gamp_chan_recv(ch, NULL);
		MUST(gamp_chan_free(ch) == 0, 0);
		break;
	default:
		r = gamp_select(NULL, 0);
	}
	MUST(r == -ECANCELED && gamp_cancelled(), r);
	return r;
}

static int leaf(struct node *up, uint64_t *rng, bool doomed)
{
	struct node *at = up;
	int r;

	switch (rnd_of(rng, 10)) {
	case 0:
		r = gamp_sleep(rnd_of(rng, 50) * GAMP_MICROSECOND);
		MUST(r == 0 || (r == -ECANCELED && gamp_cancelled()), r);
		return r < 0 ? fail(up, r) : 0;
	case 1:
		if (rnd_of(rng, 4))
			return 0;
		r = ERR_MIN + (int)rnd_of(rng, ERR_MAX - ERR_MIN);
		return fail(up, -r);
	case 2:
		if (rnd_of(rng, 8) == 0)
			cancel(up);
		return 0;
	case 3:
		for (int i = 0; i < DEPTH && at->up && rnd_of(rng, 2); i++)
			at = at->up;
		if (rnd_of(rng, 16) == 0)
			cancel(at);
		return 0;
	case 4:
		gamp_exit();
	case 5:
		if (rnd_of(rng, 2))
			plant(up, rng, grow);
		return 0;
	default:
		if (!doomed)
			return 0;
		r = wait_for_cancel(rng);
		return rnd_of(rng, 2) ? fail(up, r) : 0;
	}
}

/* Why did a group end so? */
static void judge(struct node *n, int r)
{
	bool stopped = gamp_cancelled() || atomic_load(&n->cancels) > 0;

	MUST(atomic_load(&n->out) == 0, atomic_load(&n->out));
	atomic_fetch_add(&ends[r == 0 ? 0 :
			       r == -ECANCELED ? 1 :
			       r == -ETIMEDOUT ? 2 : 3], 1);
	if (r == 0)
		MUST(atomic_load(&n->errors) == 0, atomic_load(&n->errors));
	else if (r == -ECANCELED)
		MUST(stopped || atomic_load(&n->errors) > 0, r);
	else if (r == -ETIMEDOUT)
		MUST(n->timed || atomic_load(&n->errors) > 0, r);
	else
		MUST(atomic_load(&n->errors) > 0 && -r >= ERR_MIN &&
			 -r < ERR_MAX,
		    r);
}

struct killer {
	struct node *n;
	uint64_t rng;
	int64_t id; /* of a goroutine; 0: the group */
};

/* From outside: the group may be over, its memory is there. */
static int kill_it(void *arg)
{
	struct killer *k = arg;

	dawdle(&k->rng);
	if (k->id)
		(void)gamp_cancel(k->id);
	else
		cancel(k->n);
	return 0;
}

/* A group of its own, from first to last. */
static int run_node(struct node *n)
{
	struct gamp_group killers;
	struct killer k = { .n = n, .rng = n->rng | 2 };
	int64_t at = 0;
	int r;

	if (n->timed)
		at = gamp_now() + rnd_of(&n->rng, 300) * GAMP_MICROSECOND;
	r = gamp_group_init(&n->group, at);
	MUST(r == 0, r);
	MUST(gamp_group_init(&killers, 0) == 0, 0);
	if (rnd_of(&n->rng, 4) == 0) {
		k.id = rnd_of(&n->rng, 2) ? atomic_load(&n->id) : 0;
		MUST(gamp_group_go(&killers, kill_it, &k) == 0, 0);
	}
	for (uint32_t i = rnd_of(&n->rng, WIDTH); i > 0; i--)
		plant(n, &n->rng, grow);
	if (rnd_of(&n->rng, 16) == 0)
		cancel(n);
	if (rnd_of(&n->rng, 2))
		dawdle(&n->rng);
	r = gamp_group_wait(&n->group);
	judge(n, r);
	(void)gamp_group_wait(&killers);
	memset(&n->group, 0xa5, sizeof(n->group));
	memset(&killers, 0xa5, sizeof(killers));
	return r;
}

static int grow(void *arg)
{
	struct seedling s = *(struct seedling *)arg;
	struct node n = { .up = s.up, .rng = s.rng, .depth = s.up->depth + 1 };
	int r;

	free(arg);
	MUST(gamp_defer(is_out, s.up) == 0, 0);
	if (n.depth >= DEPTH || rnd_of(&n.rng, 3) == 0) {
		if (rnd_of(&n.rng, 2))
			dawdle(&n.rng);
		return leaf(s.up, &n.rng, s.up->doomed);
	}
	atomic_store(&n.id, gamp_self());
	n.timed = rnd_of(&n.rng, 4) == 0;
	n.doomed = n.timed || s.up->doomed;
	r = run_node(&n);
	return r && rnd_of(&n.rng, 4) ? fail(s.up, r) : 0;
}

static void tree_round(uint64_t *rng)
{
	struct node root = { .rng = *rng };

	root.timed = root.doomed = rnd_of(rng, 4) > 0;
	atomic_store(&root.id, 0);
	root.rng = *rng;
	(void)run_node(&root);
}

static int until(void *arg)
{
	int64_t at = *(int64_t *)arg;

	while (gamp_now() < at)
		gamp_yield();
	return 0;
}

static void deadline_round(uint64_t *rng)
{
	struct gamp_group g;
	int64_t at = gamp_now() + 30 * GAMP_MICROSECOND, end;
	int r;

	end = at + ((int)rnd_of(rng, 20) - 10) * GAMP_MICROSECOND;
	MUST(gamp_group_init(&g, at) == 0, 0);
	for (uint32_t i = rnd_of(rng, 3); i > 0; i--)
		MUST(gamp_group_go(&g, until, &end) == 0, 0);
	r = gamp_group_wait(&g);
	memset(&g, 0xa5, sizeof(g));
	MUST(r == 0 || r == -ETIMEDOUT, r);
	atomic_fetch_add(&ends[r == 0 ? 0 : 2], 1);
	if (rnd_of(rng, 4) == 0)
		dawdle(rng);
}

/* Ways out. */

static struct gamp_key keys[8];

struct way {
	uint64_t rng;
	int due;  /* calls that must come */
	int done; /* that came */
};

static void come_and_go(void *arg);

static void load(struct way *w)
{
	for (uint32_t i = rnd_of(&w->rng, 12); i > 0; i--) {
		w->due++;
		MUST(gamp_defer(come_and_go, w) == 0, 0);
	}
	for (uint32_t i = rnd_of(&w->rng, 4); i > 0; i--) {
		struct gamp_key k = keys[rnd_of(&w->rng, 8)];

		if (!gamp_local_get(k))
			w->due++;
		MUST(gamp_local_set(k, w) == 0, 0);
	}
}

static void come_and_go(void *arg)
{
	struct way *w = arg;

	w->done++;
	if (rnd_of(&w->rng, 4) == 0)
		dawdle(&w->rng);
	/* Values set by a destructor may not be destroyed: POSIX's limit. */
	if (rnd_of(&w->rng, 16) == 0) {
		w->due++;
		MUST(gamp_defer(come_and_go, w) == 0, 0);
	}
	if (rnd_of(&w->rng, 4) == 0)
		gamp_exit();
}

static int take_a_way(void *arg)
{
	struct way *w = arg;

	load(w);
	if (rnd_of(&w->rng, 2))
		gamp_exit();
	return 0;
}

static void leave_round(uint64_t *rng)
{
	struct way ways[4];
	struct gamp_group g;

	MUST(gamp_group_init(&g, 0) == 0, 0);
	for (int i = 0; i < 4; i++) {
		ways[i] = (struct way){ .rng = *rng + (uint64_t)i * 2 };
		(void)rnd_of(rng, 2);
		MUST(gamp_group_go(&g, take_a_way, &ways[i]) == 0, 0);
	}
	MUST(gamp_group_wait(&g) == 0, 0);
	for (int i = 0; i < 4; i++)
		MUST(ways[i].done == ways[i].due, ways[i].done);
}

static const struct {
	const char *name;
	void (*round)(uint64_t *rng);
	int weight; /* rounds per thousand */
	bool threads;
} parts[] = {
	{ "tree", tree_round, 1500, false },
	{ "deadline", deadline_round, 4000, false },
	{ "leave", leave_round, 500, false },
	{ "thread", tree_round, 500, true },
};

static size_t current;

static void run_lane(void *arg)
{
	int64_t n = rounds * parts[current].weight / 1000 / LANES + 1;
	uint64_t rng = seed * (uint64_t)(2 * (intptr_t)arg + 1) + current + 1;

	while (n-- > 0) {
		(void)rnd_of(&rng, 2);
		parts[current].round(&rng);
		atomic_fetch_add(&progress, 1);
	}
	atomic_fetch_sub(&lanes_left, 1);
}

static void *run_thread(void *arg)
{
	run_lane(arg);
	return NULL;
}

static void run_part(void *arg)
{
	(void)arg;
	atomic_store(&lanes_left, LANES);
	for (intptr_t i = 0; i < LANES; i++)
		MUST(gamp_go(run_lane, (void *)i) > 0, i);
	while (atomic_load(&lanes_left) > 0)
		(void)gamp_sleep(GAMP_MILLISECOND);
}

static void run_threads(const struct gamp_options *opt)
{
	pthread_t t[LANES];

	MUST(gamp_start(opt) == 0, 0);
	for (intptr_t i = 0; i < LANES; i++)
		MUST(pthread_create(&t[i], NULL, run_thread, (void *)i) == 0,
		    i);
	for (int i = 0; i < LANES; i++)
		(void)pthread_join(t[i], NULL);
	MUST(gamp_stop(0) == 0, 0);
}

static void run(int procs)
{
	struct gamp_options opt = { .maxprocs = procs };
	int64_t began = gamp_now();

	if (parts[current].threads)
		run_threads(&opt);
	else
		MUST(gamp_run(run_part, NULL, &opt) == 0, 0);
	(void)printf("%-8s %d Ps %9lld goroutines; groups:", part, procs,
	    (long long)atomic_exchange(&nodes, 0));
	for (int i = 0; i < 4; i++)
		(void)printf(" %lld", (long long)atomic_exchange(&ends[i], 0));
	(void)printf(" %6.1f s\n", (double)(gamp_now() - began) / 1e9);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("STRESS_SCALE");

	take_seed(argc, argv);
	rounds = (int64_t)((scale ? atof(scale) : 4) * 1000);
	(void)printf(
	    "seed 0x%" PRIx64 " rounds %" PRId64 "\n", seed, rounds);
	for (int i = 0; i < 8; i++)
		MUST(gamp_key_new(&keys[i], come_and_go) == 0, i);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(HANG);
	for (current = 0; current < sizeof(parts) / sizeof(parts[0]);
	     current++) {
		part = parts[current].name;
		if (argc > 2 && strcmp(argv[2], part) != 0)
			continue;
		run(1);
		run(2 + (int)(seed >> 8) % 3);
	}
	return 0;
}
