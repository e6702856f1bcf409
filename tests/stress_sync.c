/* SPDX-License-Identifier: MIT */
/*
 * stress_sync.c - sync objects, hammered by goroutines, threads, deadlines and
 * cancellers at once.
 *
 *	mutex	 every way to lock; never two inside
 *	rwmutex	 readers together, writers alone
 *	cond	 items put and taken; no signal is lost
 *	sem	 permits of several sizes; none is lost or made
 *	group	 wait groups, whose members exit in every way; once among them
 *	barrier	 rounds are whole
 *
 * Each lane makes an object, lets a few victims at it, and whoever leaves last
 * frees it.  First goroutines alone, with one P in solo sections; then threads
 * take part.
 *
 * Arguments	[seed [part]]
 * Environment	STRESS_SCALE	rounds of a part, in thousands
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

#define LANES   6
#define VICTIMS 5
#define HANG    60 /* seconds without any progress */
#define US      GAMP_MICROSECOND

struct lane;

/* What the victims of one round share.  The last one frees it. */
struct object {
	atomic_int refs, inside;
	int64_t guarded;
	struct gamp_mutex m;
	struct gamp_rwmutex rw;
	struct gamp_cond c;
	struct gamp_sem s;
	struct gamp_waitgroup wg;
	struct gamp_once once;
	struct gamp_barrier b;
	int64_t items;
	atomic_int passed, lasts;
};

struct victim {
	struct lane *lane;
	struct object *o;
	uint64_t rng;
	int no;
	bool is_thread, firm; /* may not fail */
	int64_t id;
	pthread_t thread;
};

struct lane {
	uint64_t rng;
	int no;
	int64_t round;
	struct gamp_waitgroup victims;
	struct victim v[VICTIMS];
	const char *step;
};

static struct lane lanes[LANES];
static int64_t rounds;
static atomic_llong races, progress;
static bool threads_too;

#define MUST_EQ(a, b)                                             \
	do {                                                      \
		int64_t a_ = (a);                                 \
		if (a_ != (b))                                    \
			die(__LINE__, #a " == " #b, (int64_t)a_); \
	} while (0)

/* Seconds pass and nothing moves: say where everybody is. */
static void on_alarm(int sig)
{
	static long long last;
	long long now = atomic_load(&progress);

	(void)sig;
	if (now == last) {
		for (int i = 0; i < LANES; i++)
			(void)fprintf(stderr, "lane %d round %" PRId64 " %s\n",
			    i, lanes[i].round,
			    lanes[i].step ? lanes[i].step : "");
		die(__LINE__, "hung", now);
	}
	last = now;
	(void)alarm(HANG);
}

static void dawdle(uint64_t *x)
{
	switch (rnd_of(x, 6)) {
	case 0:
		if (gamp_self())
			(void)gamp_sleep(rnd_of(x, 30) * US);
		break;
	case 1:
	case 2:
		for (uint32_t i = rnd_of(x, 3); i > 0; i--) {
			if (gamp_self())
				gamp_yield();
			else
				(void)sched_yield();
		}
		break;
	default:
		for (volatile uint32_t i = rnd_of(x, 300); i > 0;)
			i = i - 1;
	}
}

/* Past, soon, or not so soon. */
static int64_t some_deadline(uint64_t *x)
{
	switch (rnd_of(x, 4)) {
	case 0:
		return 1;
	case 1:
		return gamp_now() + rnd_of(x, 500) * US;
	default:
		return gamp_now() + rnd_of(x, 40) * US;
	}
}

static bool gave_up(int r)
{
	return r == -ETIMEDOUT || r == -ECANCELED;
}

static void alone(struct object *o, uint64_t *x)
{
	MUST_EQ(atomic_fetch_add(&o->inside, 1), 0);
	o->guarded++;
	if (rnd_of(x, 4) == 0)
		dawdle(x);
	MUST_EQ(atomic_fetch_sub(&o->inside, 1), 1);
}

/* The mutex. */

static void mutex_part(struct victim *v)
{
	struct object *o = v->o;
	bool last;

	for (uint32_t i = rnd_of(&v->rng, 6); i > 0; i--) {
		int r;

		switch (rnd_of(&v->rng, 4)) {
		case 0:
			r = gamp_mutex_trylock(&o->m);
			MUST(r == 0 || r == -EAGAIN, r);
			break;
		case 1:
			r = gamp_mutex_lock_until(
			    &o->m, some_deadline(&v->rng));
			MUST(r == 0 || gave_up(r), r);
			break;
		default:
			r = gamp_mutex_lock(&o->m);
			MUST_EQ(r, 0);
		}
		if (r == 0) {
			alone(o, &v->rng);
			MUST_EQ(gamp_mutex_unlock(&o->m), 0);
		}
	}
	/* The count is under the mutex: the last unlock may race with none. */
	MUST_EQ(gamp_mutex_lock(&o->m), 0);
	last =
	    atomic_fetch_sub_explicit(&o->refs, 1, memory_order_relaxed) == 1;
	MUST_EQ(gamp_mutex_unlock(&o->m), 0);
	if (last) {
		MUST_EQ(o->m.waiters.opaque[0] != NULL, 0);
		free(o);
	}
}

/* The last one, by another count. */
static void leave(struct object *o)
{
	if (atomic_fetch_sub(&o->refs, 1) == 1)
		free(o);
}

/* The rwmutex. */

enum { WRITER = 1000 };

static void rwmutex_part(struct victim *v)
{
	struct object *o = v->o;

	for (uint32_t i = rnd_of(&v->rng, 6); i > 0; i--) {
		bool writes = rnd_of(&v->rng, 3) == 0;
		int64_t until = some_deadline(&v->rng);
		int r, n;

		switch (rnd_of(&v->rng, 4)) {
		case 0:
			r = writes ? gamp_rwmutex_trylock(&o->rw)
				   : gamp_rwmutex_tryrlock(&o->rw);
			MUST(r == 0 || r == -EAGAIN, r);
			break;
		case 1:
			r = writes ? gamp_rwmutex_lock_until(&o->rw, until)
				   : gamp_rwmutex_rlock_until(&o->rw, until);
			MUST(r == 0 || gave_up(r), r);
			break;
		default:
			r = writes ? gamp_rwmutex_lock(&o->rw)
				   : gamp_rwmutex_rlock(&o->rw);
			MUST_EQ(r, 0);
		}
		if (r < 0)
			continue;
		n = writes ? WRITER : 1;
		MUST(atomic_fetch_add(&o->inside, n) < (writes ? 1 : WRITER),
		    writes);
		if (writes)
			o->guarded++;
		if (rnd_of(&v->rng, 4) == 0)
			dawdle(&v->rng);
		(void)atomic_fetch_sub(&o->inside, n);
		MUST_EQ(writes ? gamp_rwmutex_unlock(&o->rw)
			       : gamp_rwmutex_runlock(&o->rw),
		    0);
	}
	leave(o);
}

/* The condition: as many items are put as may be taken. */

static void cond_part(struct victim *v)
{
	struct object *o = v->o;
	bool puts = v->no % 2 == 0;
	int n = 1 + (int)rnd_of(&v->rng, 4), r;

	for (int i = 0; i < 4; i++) {
		MUST_EQ(gamp_mutex_lock(&o->m), 0);
		if (puts) {
			o->items++;
			if (rnd_of(&v->rng, 2)) {
				MUST_EQ(gamp_cond_signal(&o->c), 0);
				MUST_EQ(gamp_mutex_unlock(&o->m), 0);
			} else {
				MUST_EQ(gamp_mutex_unlock(&o->m), 0);
				MUST_EQ(rnd_of(&v->rng, 4)
					    ? gamp_cond_signal(&o->c)
					    : gamp_cond_broadcast(&o->c),
				    0);
			}
			dawdle(&v->rng);
			continue;
		}
		for (r = 0; r == 0 && o->items == 0 && i < n;) {
			r = v->firm ? gamp_cond_wait(&o->c, &o->m)
				    : gamp_cond_wait_until(
					  &o->c, &o->m, some_deadline(&v->rng));
			MUST(r == 0 || (!v->firm && gave_up(r)), r);
			MUST_EQ(gamp_mutex_trylock(&o->m), -EAGAIN);
		}
		MUST(o->items >= 0, o->items);
		if (r == 0 && o->items > 0)
			o->items--;
		MUST_EQ(gamp_mutex_unlock(&o->m), 0);
	}
	leave(o);
}

/* The semaphore: three permits. */

static void sem_part(struct victim *v)
{
	struct object *o = v->o;

	for (uint32_t i = rnd_of(&v->rng, 6); i > 0; i--) {
		int64_t n = rnd_of(&v->rng, 4);
		int r = rnd_of(&v->rng, 3) ? gamp_sem_acquire_n(
					      &o->s, n, some_deadline(&v->rng))
					: gamp_sem_acquire_n(&o->s, n = 1, 0);

		MUST(r == 0 || gave_up(r), r);
		if (r < 0)
			continue;
		MUST(atomic_fetch_add(&o->inside, (int)n) + n <= 3, n);
		if (rnd_of(&v->rng, 4) == 0)
			dawdle(&v->rng);
		(void)atomic_fetch_sub(&o->inside, (int)n);
		MUST_EQ(gamp_sem_release_n(&o->s, n), 0);
	}
	if (atomic_fetch_sub(&o->refs, 1) == 1) {
		(void)gamp_uncancellable(true);
		MUST_EQ(gamp_sem_acquire_n(&o->s, 3, 0), 0);
		MUST_EQ(gamp_sem_tryacquire(&o->s), -EAGAIN);
		free(o);
	}
}

/* Wait groups and once. */

static void add_one(void *arg)
{
	struct object *o = arg;

	(void)atomic_fetch_add(&o->passed, 1);
	if (atomic_load(&o->passed) % 2)
		gamp_yield();
}

static void do_it(void *arg)
{
	struct object *o = arg;

	MUST_EQ(o->guarded++, 0);
	if (gamp_self() && atomic_load(&o->lasts))
		gamp_exit();
}

static void member(void *arg)
{
	struct object *o = arg;

	MUST_EQ(gamp_defer(add_one, o), 0);
	gamp_yield();
	MUST_EQ(gamp_once_do(&o->once, do_it, o), 0);
	MUST_EQ(o->guarded, 1);
	if (atomic_load(&o->passed) % 3 == 0)
		gamp_exit();
}

static void group_part(struct victim *v)
{
	struct object *o = v->o;
	int r;

	if (v->no % 2 == 0 || !v->firm) {
		if (rnd_of(&v->rng, 2))
			dawdle(&v->rng);
		r = gamp_waitgroup_wait_until(&o->wg, some_deadline(&v->rng));
		MUST(r == 0 || gave_up(r), r);
	}
	(void)gamp_uncancellable(true);
	MUST_EQ(gamp_waitgroup_wait(&o->wg), 0);
	MUST_EQ(atomic_load(&o->passed), 3);
	MUST_EQ(gamp_once_do(&o->once, do_it, o), 0);
	leave(o);
}

static void start_members(struct lane *ln, struct object *o)
{
	atomic_store(&o->lasts, (int)rnd_of(&ln->rng, 2));
	for (int i = 0; i < 3; i++)
		MUST(gamp_waitgroup_go(&o->wg, member, o) > 0, i);
}

/* The barrier. */

static void barrier_part(struct victim *v)
{
	struct object *o = v->o;

	for (int i = 0; i < 3; i++) {
		int r = gamp_barrier_wait_until(&o->b, some_deadline(&v->rng));

		MUST(r == 0 || r == 1 || gave_up(r), r);
		if (r >= 0)
			(void)atomic_fetch_add(&o->passed, 1);
		if (r == 1)
			(void)atomic_fetch_add(&o->lasts, 1);
	}
	if (atomic_fetch_sub(&o->refs, 1) == 1) {
		MUST_EQ(atomic_load(&o->passed),
		    (int)o->b.size * atomic_load(&o->lasts));
		MUST_EQ(o->b.arrived, 0);
		free(o);
	}
}

static const struct {
	const char *name;
	void (*run)(struct victim *v);
	void (*start)(struct lane *ln, struct object *o);
	int weight; /* rounds per thousand */
} parts[] = {
	{ "mutex", mutex_part, NULL, 1000 },
	{ "rwmutex", rwmutex_part, NULL, 1000 },
	{ "cond", cond_part, NULL, 600 },
	{ "sem", sem_part, NULL, 1000 },
	{ "group", group_part, start_members, 500 },
	{ "barrier", barrier_part, NULL, 1000 },
};

static size_t current;

static void run_victim(void *arg)
{
	parts[current].run(arg);
}

static void *run_thread(void *arg)
{
	struct victim *v = arg;

	parts[current].run(v);
	MUST_EQ(gamp_waitgroup_done(&v->lane->victims), 0);
	return NULL;
}

static void launch(struct lane *ln, struct object *o, int i, bool is_thread)
{
	struct victim *v = &ln->v[i];

	*v = (struct victim){ .lane = ln,
		.o = o,
		.no = i,
		.rng = ln->rng + (uint64_t)i + 1,
		.is_thread = is_thread,
		.firm = is_thread || i == 1 };
	(void)rnd_of(&ln->rng, 2);
	if (!is_thread) {
		v->id = gamp_waitgroup_go(&ln->victims, run_victim, v);
		MUST(v->id > 0, v->id);
		return;
	}
	MUST_EQ(gamp_waitgroup_add(&ln->victims, 1), 0);
	MUST_EQ(pthread_create(&v->thread, NULL, run_thread, v), 0);
}

static void one_round(struct lane *ln)
{
	int n = 2 + (int)rnd_of(&ln->rng, VICTIMS - 1);
	struct object *o = calloc(1, sizeof(*o));

	MUST(o != NULL, 0);
	atomic_store(&o->refs, n);
	MUST_EQ(gamp_sem_init(&o->s, 3), 0);
	MUST_EQ(gamp_barrier_init(&o->b, 1 + (int)rnd_of(&ln->rng, 3)), 0);
	if (parts[current].start)
		parts[current].start(ln, o);
	ln->step = "launch";
	for (int i = 0; i < n; i++) {
		launch(ln, o, i,
		    threads_too && i > 1 && rnd_of(&ln->rng, 24) == 0);
		if (rnd_of(&ln->rng, 3) == 0)
			dawdle(&ln->rng);
	}
	for (uint32_t k = rnd_of(&ln->rng, 3); k > 0; k--) {
		struct victim *v = &ln->v[rnd_of(&ln->rng, (uint32_t)n)];

		dawdle(&ln->rng);
		if (!v->firm)
			(void)gamp_cancel(v->id);
	}
	ln->step = "wait";
	MUST_EQ(gamp_waitgroup_wait(&ln->victims), 0);
	ln->step = "join";
	for (int i = 0; i < n; i++)
		if (ln->v[i].is_thread)
			(void)pthread_join(ln->v[i].thread, NULL);
	ln->step = "";
	(void)atomic_fetch_add(&races, n);
}

static void run_lane(void *arg)
{
	struct lane *ln = arg;
	int64_t n = rounds * parts[current].weight / 1000 / LANES / 4 + 1;

	for (ln->round = 0; ln->round < n; ln->round++) {
		one_round(ln);
		(void)atomic_fetch_add(&progress, 1);
	}
	ln->step = "done";
}

static void run_part(void *arg)
{
	struct gamp_waitgroup wg = { 0 };

	(void)arg;
	for (int i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .no = i,
			.rng = seed * (uint64_t)(2 * i + 1) + current + 1 };
		MUST(gamp_waitgroup_go(&wg, run_lane, &lanes[i]) > 0, i);
	}
	MUST_EQ(gamp_waitgroup_wait(&wg), 0);
}

static void run(int procs)
{
	int64_t began = gamp_now();

	MUST_EQ(gamp_run(run_part, NULL,
		    &(struct gamp_options){ .maxprocs = procs }),
	    0);
	(void)printf("%-8s %9lld races %6.1f s, %d Ps%s\n", part,
	    (long long)atomic_exchange(&races, 0),
	    (double)(gamp_now() - began) / 1e9, procs,
	    threads_too ? ", threads" : "");
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *scale = getenv("STRESS_SCALE");

	take_seed(argc, argv);
	rounds = (int64_t)((scale ? atof(scale) : 4) * 1000);
	(void)printf(
	    "seed 0x%" PRIx64 " rounds %" PRId64 "\n", seed, rounds);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(HANG);
	for (int with = 0; with < 2; with++) {
		threads_too = with;
		for (current = 0; current < sizeof(parts) / sizeof(parts[0]);
		     current++) {
			part = parts[current].name;
			if (argc > 2 && strcmp(argv[2], part) != 0)
				continue;
			run(1);
			run(2 + (int)(seed >> 8) % 3);
		}
	}
	(void)alarm(0);
	return 0;
}
