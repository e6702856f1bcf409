/* SPDX-License-Identifier: MIT */
/*
 * test_sync_util.h - what the test_sync programs share, beside net_util.h.
 *
 * A process of which a thread once used a sync object runs without solo
 * sections (sched/solo.h) for ever after.  So each program runs its tests
 * twice: first by goroutines alone, then with threads among them.
 */
#ifndef TESTS_TEST_SYNC_UTIL_H
#define TESTS_TEST_SYNC_UTIL_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "runtime/sync.h"
#include "sched/sleep.h"
#include "tests/net_util.h"

#if defined(RT_TSAN)
enum { SCALE = 1 };
#elif defined(RT_ASAN) || defined(RT_HARD)
enum { SCALE = 3 };
#else
enum { SCALE = 5 };
#endif

#define US GAMP_MICROSECOND

/* Threads take part. */
static bool threads_too;

static inline void run_on(int procs, gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = procs });
}

/* With one P, two, and more than there are processors; where each takes long,
 * without that in the middle. */
static inline void run_each(gamp_fn *fn)
{
	run_on(1, fn);
	if (SCALE > 1)
		run_on(2, fn);
	run_on(4, fn);
}

/* Of the caller's own, as random64 has no lock. */
static inline uint32_t draw(uint64_t *x, uint32_t below)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (uint32_t)(*x >> 32) % below;
}

/* A little time, spent in one way or another. */
static inline void dawdle(uint64_t *x)
{
	switch (draw(x, 6)) {
	case 0:
		if (gamp_self())
			(void)gamp_sleep(draw(x, 30) * US);
		else
			(void)sched_yield();
		break;
	case 1:
	case 2:
		for (uint32_t i = draw(x, 3); i > 0; i--)
			gamp_yield();
		break;
	default:
		for (volatile uint32_t i = draw(x, 300); i > 0;)
			i = i - 1;
	}
}

static inline int64_t go(gamp_fn *fn, void *arg)
{
	int64_t id = gamp_go(fn, arg);

	CHECK(id > 0);
	return id;
}

/*
 * A crew: so many goroutines, and in the second round threads, that run one
 * function.  Each gets its number, by which it tells itself from the others.
 */
enum { CREW_MAX = 64 };

struct crew {
	void (*fn)(int self);
	atomic_int left;
	int n;
	struct hand {
		struct crew *crew;
		int self;
		bool is_thread;
		int64_t id;
		pthread_t thread;
	} hands[CREW_MAX];
};

static inline void crew_work(void *arg)
{
	struct hand *h = arg;

	h->crew->fn(h->self);
	atomic_fetch_sub(&h->crew->left, 1);
}

static inline void *crew_thread(void *arg)
{
	crew_work(arg);
	return NULL;
}

static inline void crew_start(
    struct crew *c, int goroutines, int threads, void (*fn)(int))
{
	if (!threads_too)
		threads = 0;
	*c = (struct crew){ .fn = fn, .n = goroutines + threads };
	atomic_store(&c->left, c->n);
	for (int i = 0; i < c->n; i++) {
		struct hand *h = &c->hands[i];

		h->crew = c;
		h->self = i;
		h->is_thread = i >= goroutines;
		if (!h->is_thread)
			h->id = go(crew_work, h);
		else
			CHECK(pthread_create(
				  &h->thread, NULL, crew_thread, h) == 0);
	}
}

static inline void crew_wait(struct crew *c)
{
	AWAIT(atomic_load(&c->left) == 0);
	if (atomic_load(&c->left) > 0)
		abort(); /* they use what is about to go */
	for (int i = 0; i < c->n; i++)
		if (c->hands[i].is_thread)
			(void)pthread_join(c->hands[i].thread, NULL);
}

static inline void crew_run(int goroutines, int threads, void (*fn)(int))
{
	static struct crew c;

	crew_start(&c, goroutines, threads, fn);
	crew_wait(&c);
}

/* How many wait in a queue, by their records. */
static inline int64_t queued_in(uint32_t *lock, struct gamp_waiters *waiters)
{
	struct guard *guard = (struct guard *)lock;
	struct waitq *q = (struct waitq *)waiters;
	int64_t n = 0;

	(void)enter_shared();
	guard_enter(guard);
	for (struct sudog *s = q->first; s; s = s->next)
		n++;
	guard_exit(guard);
	m_exit();
	return n;
}

#define QUEUED(obj) queued_in(&(obj)->lock, &(obj)->waiters)

/* Calls fn on a scheduler's stack, as the callback of a short timer. */
struct on_g0 {
	struct timer timer;
	void (*fn)(void);
	atomic_int over;
};

static inline void on_g0_call(void *arg, uint64_t seq)
{
	struct on_g0 *c = arg;

	(void)seq;
	c->fn();
	atomic_store(&c->over, 1);
}

static inline void call_on_g0(void (*fn)(void))
{
	static struct on_g0 c;

	c = (struct on_g0){ .fn = fn };
	c.timer.fn = on_g0_call;
	c.timer.arg = &c;
	(void)m_enter();
	CHECK_EQ(timer_arm(&c.timer, gamp_now()), 0);
	m_exit();
	AWAIT(atomic_load(&c.over));
}

static inline void *touch_mutex(void *m)
{
	(void)gamp_mutex_lock(m);
	(void)gamp_mutex_unlock(m);
	return NULL;
}

/* Both rounds. */
#define RUN_TWICE(tests)                                          \
	(cmocka_run_group_tests_name("goroutines", (tests), NULL, NULL) + \
	    (threads_too = true, 0) +                             \
	    cmocka_run_group_tests_name(                          \
		"goroutines and threads", (tests), NULL, NULL))

#endif
