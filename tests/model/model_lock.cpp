/* SPDX-License-Identifier: MIT */
/*
 * model_lock.cpp - the lock and the guard under every interleaving (bounded):
 * the real lock.h, lock.c, guard.h and guard.c, on the real unlocked
 * compare-exchange (model_membar.h).
 *
 *	I1	one at a time, and each sees what those before it did: the data
 *		is an rl::var, and Relacy reports any race on it
 *	I2	no lost wake-up: everybody comes through (else: deadlock)
 *	I3	unlocking is the last access: the last user destroys the word
 */
#define MODEL_REAL_LOCK
#include "tests/model/model_membar.h"

/* One look is as good as twenty. */
#define cpu_relax() ((void)(i = INT_MAX - 1))
#include "base/lock.c"
#include "sched/guard.c"
#undef cpu_relax

struct solo solo_state;

enum {
	GUARD = 1, /* guard.h's, or else lock.h's */
	GONE = 2,  /* who comes last destroys it */
	FENCES = 4,
};
static int WHAT, TIMES; /* the scenario */

static struct world {
	struct rt_lock lock;
	struct guard guard;
	rl::var<int> data;
	int inside, left;
} *w;
static model_room<struct world> model_world;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		w->inside = 0;
		w->left = THREADS * TIMES;
		w->data($) = 0;
		model_membar<THREADS>(WHAT & FENCES);
	}
	~model() { model_world.destroy(); }
	void once()
	{
		bool last;

		if (WHAT & GUARD)
			guard_lock(&w->guard);
		else
			rt_lock(&w->lock);
		RL_ASSERT(w->inside++ == 0); /* I1 */
		rl::ctx().sched();
		w->data($) = w->data($) + 1;
		last = --w->left == 0;
		RL_ASSERT(--w->inside == 0);
		if (WHAT & GUARD)
			guard_unlock(&w->guard);
		else
			rt_unlock(&w->lock);
		if (last && (WHAT & GONE)) {
			w->lock.word.gone();
			w->guard.word.gone();
		}
	}
	void thread(unsigned)
	{
		model_begin();
		for (int i = 0; i < TIMES; i++)
			once();
	}
	void after() { RL_ASSERT(w->data($) == THREADS * TIMES); }
};

template <int THREADS>
static void run(int flags, int times, const char *what, unsigned bound,
    unsigned thousands)
{
	WHAT = flags;
	TIMES = times;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<2>(0, 2, "lock: two", 6, 20);
	run<2>(GUARD, 2, "guard: two", 6, 20);
	run<3>(0, 1, "lock: three", 4, 20);
	run<3>(GUARD, 1, "guard: three", 4, 20);
	run<3>(0, 2, "lock: three, twice", 0, 50);
	run<3>(GUARD | GONE, 1, "guard: the last one frees it", 3, 20);
	run<2>(FENCES, 2, "lock: fence mode", 4, 20);
	model_done();
}
