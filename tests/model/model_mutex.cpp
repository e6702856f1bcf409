/* SPDX-License-Identifier: MIT */
/*
 * model_mutex.cpp - the mutex under every interleaving (bounded): the real
 * mutex.c, wait.c, cancel.c, guard.h, guard.c and lock.h, on the real unlocked
 * compare-exchange (model_membar.h).
 *
 *	I1	one at a time, and each sees what those before it did: the data
 *		is an rl::var, and Relacy reports any race on it
 *	I2	no lost wake-up, also when one that was woken leaves, or is
 *		overtaken: everybody comes through (else: deadlock)
 *	I3	lock_until returns 0 if, and only if, it holds the mutex
 *	I4	the last unlock is the last access
 *
 * Thread 0 is a goroutine, or several; the others are plain threads.
 */
#define MODEL_REAL_LOCK
#include "tests/model/model_g.h"

/* One look is as good as twenty. */
#undef cpu_relax
#define cpu_relax() ((void)(i = INT_MAX - 1))
#include "base/lock.c"
#include "sched/guard.c"

#include "sched/cancel.c"
#include "sched/wait.c"
#include "runtime/sync.h"
#undef SYNC_LAYOUT
#define SYNC_LAYOUT(inner, outer) struct inner
#include "runtime/mutex.c"

enum {
	G = 1,	    /* the first one is a goroutine; its g0 is a thread */
	TIME = 2,   /* the first one waits with a deadline, which passes */
	CANCEL = 4, /* and is cancelled */
	AGES = 8,   /* waiters may have waited for long */
	OTHER = 16, /* the second one unlocks for the first one */
	GONE = 32,  /* who comes last destroys it */
	COOLS = 64, /* it is hot for one more unlock */
};
static int WHAT, TIMES; /* the scenario */

static struct world {
	struct model_g mg;
	struct mutex mutex;
	rl::var<int> data;
	rt_a32 handed;
	int inside, sections, left, result;
} *w;
static model_room<struct world> model_world;

struct sched sched;
struct g *g_find(int64_t) { return &w->mg.g; }
void g_each(void (*)(struct g *, int64_t, void *), void *) {}
int64_t sched_now(void)
{
	if (WHAT & AGES)
		model_now += AGE * rl::ctx().rand(2, rl::sched_type_user);
	return model_now;
}

static struct gamp_mutex *mutex(void)
{
	return (struct gamp_mutex *)&w->mutex;
}
static void section(void)
{
	RL_ASSERT(w->inside++ == 0); /* I1 */
	rl::ctx().sched();
	w->data($) = w->data($) + 1;
	w->sections++;
	w->inside--;
}
static void unlock(void)
{
	bool last = --w->left == 0;

	RL_ASSERT(gamp_mutex_unlock(mutex()) == 0);
	if (last && (WHAT & GONE)) { /* I4 */
		w->mutex.word.gone();
		w->mutex.guard.word.gone();
	}
}
static void once(void)
{
	RL_ASSERT(gamp_mutex_lock(mutex()) == 0);
	section();
	unlock();
}

/* With a deadline, if there is one. */
static void first(void)
{
	for (int i = 0; i < TIMES; i++) {
		if (!(WHAT & (TIME | CANCEL))) {
			once();
			continue;
		}
		w->result = gamp_mutex_lock_until(
		    mutex(), model_now + (WHAT & AGES ? 1 : 100) * AGE);
		if (w->result == 0) {
			section();
			unlock();
		} else {
			w->left--;
			RL_ASSERT(w->result == -ETIMEDOUT ||
			    ((WHAT & CANCEL) && w->result == -ECANCELED));
		}
	}
}
/* Locks it, and lets another unlock it. */
static void hand(void)
{
	RL_ASSERT(gamp_mutex_lock(mutex()) == 0);
	section();
	model_set(&w->handed);
	once();
}
static void handed(void)
{
	model_await(&w->handed);
	unlock();
}

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_g_begin();
		model_make(sched);
		model_membar<THREADS>(false);
		model_timeouts = WHAT & TIME;
		w->data($) = 0;
		rt_store_relaxed(&w->mutex.word, WHAT & COOLS ? HEAT : 0);
		if (WHAT & G) {
			model_g_init(&w->mg, 2, true);
			model_is[0] = model_is[1] = &w->mg;
		}
		w->left = lockers() * TIMES + !!(WHAT & OTHER);
	}
	static int lockers()
	{
		return THREADS - !!(WHAT & G) - !!(WHAT & CANCEL) -
		    ((WHAT & (G | TIME)) == (G | TIME));
	}
	~model()
	{
		model_world.destroy();
		model_destroy(model_timer);
		model_destroy(sched);
	}
	void thread(unsigned self)
	{
		model_begin();
		if (self == 0) {
			if (WHAT & OTHER)
				hand();
			else
				first();
			model_fire_over();
			if (WHAT & G)
				model_g_over(&w->mg);
			return;
		}
		if ((WHAT & G) && self-- == 1)
			return model_g0(&w->mg);
		if ((WHAT & (G | TIME)) == (G | TIME) && self-- == 1)
			return model_fire();
		if ((WHAT & CANCEL) && self-- == 1) {
			RL_ASSERT(cancel_id(2) == 0);
			return;
		}
		if ((WHAT & OTHER) && self == 1)
			handed();
		for (int i = 0; i < TIMES; i++)
			once();
	}
	void after()
	{
		RL_ASSERT(w->left == 0 && w->data($) == w->sections);
		RL_ASSERT(!w->mutex.waiters.first);
		if (!(WHAT & GONE))
			RL_ASSERT(gamp_mutex_trylock(mutex()) == 0 &&
			    gamp_mutex_unlock(mutex()) == 0 &&
			    gamp_mutex_unlock(mutex()) == -EPERM);
	}
};

template <int THREADS>
static void run(int what, int times, const char *name, unsigned bound,
    unsigned thousands)
{
	WHAT = what;
	TIMES = times;
	model_run<model<THREADS> >(name, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<2>(0, 1, "two threads, cold", 4, 20);
	run<2>(COOLS, 2, "two threads, it cools down", 3, 50);
	run<3>(G, 1, "goroutine, thread", 2, 20);
	run<3>(G, 2, "goroutine, thread, twice", 2, 50);
	run<3>(0, 1, "three threads", 2, 50);
	run<2>(GONE | AGES, 1, "two threads, ages, the last one frees it", 3, 20);
	run<3>(GONE | AGES, 1, "three threads, ages, the last one frees it",
	    0, 50);
	run<4>(G | AGES, 1, "goroutine, two threads, ages", 0, 100);
	run<2>(TIME, 2, "deadline, thread", 2, 20);
	run<3>(TIME | AGES, 2, "deadline, two threads, ages", 0, 400);
	run<4>(G | TIME, 1, "goroutine, deadline, thread", 1, 20);
	run<5>(G | TIME, 1, "goroutine, deadline, two threads", 0, 100);
	run<4>(G | CANCEL, 1, "goroutine, cancel, thread", 1, 20);
	run<3>(G | OTHER, 1, "another unlocks", 2, 20);
	model_done();
}
