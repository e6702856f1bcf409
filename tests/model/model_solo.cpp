/* SPDX-License-Identifier: MIT */
/*
 * model_solo.cpp - sections that are alone with one P, and the thread that
 * ends that, under every interleaving (bounded): the real solo.h, solo.c,
 * guard.h, guard.c and lock.h.
 *
 *	owner	has the only P; once or twice in the guard
 *	heir	the same, when the P has come to its thread
 *	thread	without a P: solo_break, then in the guard
 *
 * Property: one at a time, and each sees what those before it did.  The data
 * is an rl::var, so Relacy reports any race on it.
 */
#define MODEL_REAL_LOCK
#include "tests/model/model_membar.h"

/* One look is as good as twenty. */
#define cpu_relax() ((void)(i = INT_MAX - 1))
#include "base/lock.c"
#include "sched/guard.c"
#undef cpu_relax

#include <sched.h>
#define sched_yield() (rl::yield(1, $), 0)
#include "sched/solo.c"

static bool HEIR; /* the scenario */
static int TIMES = 2;

static struct world {
	struct guard guard;
	rl::mutex p; /* the P */
	rl::var<int> data;
	int inside;
} *w;
static model_room<struct world> model_world;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(solo_state);
		model_make(lock);
		w->inside = 0;
		w->data($) = 0;
		model_membar<THREADS>(false);
		solo_start();
	}
	~model()
	{
		model_world.destroy();
		model_destroy(solo_state);
		model_destroy(lock);
	}
	void touch()
	{
		guard_enter(&w->guard);
		RL_ASSERT(w->inside++ == 0);
		rl::ctx().sched();
		w->data($) = w->data($) + 1;
		RL_ASSERT(--w->inside == 0);
		guard_exit(&w->guard);
	}
	void owner()
	{
		for (int i = 0; i < TIMES; i++) {
			w->p.lock($);
			touch();
			w->p.unlock($);
		}
	}
	void thread(unsigned self)
	{
		model_begin();
		if (self == 0 || (self == 1 && HEIR))
			return owner();
		solo_break();
		touch();
	}
	void after()
	{
		RL_ASSERT(w->data($) == TIMES * (1 + HEIR) + THREADS - 1 - HEIR);
	}
};

int main(int argc, char **argv)
{
	model_main(argc, argv);
	model_run<model<2> >("solo: one thread", 4, 50);
	HEIR = true;
	model_run<model<3> >("solo: the P moves", 2, 20);
	HEIR = false;
	TIMES = 1;
	model_run<model<3> >("solo: two threads", 3, 20);
	model_done();
}
