/* SPDX-License-Identifier: MIT */
/*
 * model_sleep.cpp - a sleep, its timer and a canceller under every
 * interleaving (bounded): the real sleep.c, timer.c and cancel.c.
 *
 *	I1	the sleeper is readied exactly once, and only while it waits
 *	I2	no lost cancel, no lost timer: it comes back (else: deadlock)
 *	I3	a second, uncancellable sleep lasts as long as it should
 */
#include "tests/model/model_sched.h"

#include "sched/cancel.c"
void wait_cancel(struct g *) {} /* nobody waits by wait.h */
#include "sched/timer.c"
#include "sched/sleep.c"

enum who {
	FIRE = 1, /* another M runs the timers that are due */
	CANCEL = 2,
	TWICE = 4, /* then sleeps once more, uncancellable */
	PAUSE = 8, /* then uses its timer for a pause, as pd_wait does */
};

static struct world {
	struct g g;
	struct m m;
	struct p p;
	struct rt_a32 ready;
	int status, parks, readies, result, again;
	bool over;
} *w;

struct sched sched;

static struct m *model_self(void)
{
	return rl::thread_index() == 0 ? &w->m : NULL;
}
static void ctx_switch(struct ctx *, struct ctx *) {}
struct m *m_enter_slow(struct m *mp) { return mp; }
struct g *g_find(int64_t) { return &w->g; }
void g_each(void (*)(struct g *, int64_t, void *), void *) {}
void wake_poller(int64_t) {}
size_t vm_page(void) { return 4096; }
void vm_discard(void *, size_t) {}
void vm_free(void *, size_t) {}
int vm_alloc(size_t, void **p)
{
	static struct timer_entry heap[4];

	*p = heap;
	return 0;
}

/* The goroutine parks as its thread. */
void rt_park(rt_commit_fn commit, void *arg, enum rt_why)
{
	w->status = 1;
	if (!commit(&w->g, arg)) {
		RL_ASSERT(w->status == 1); /* I1 */
		w->status = 0;
		return;
	}
	w->parks++;
	while (rt_swap_acqrel(&w->ready, 0) == 0)
		(void)futex_wait(&w->ready, 0, 0);
}
void rt_ready(struct g *gp)
{
	RL_ASSERT(gp == &w->g && w->status == 1); /* I1 */
	w->status = 0;
	w->readies++;
	(void)rt_swap_acqrel(&w->ready, 1);
	futex_wake(&w->ready, 1);
}

static model_room<struct world> model_world;

static int WHO; /* the scenario */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_now = 1;
		rt_store_relaxed(&sched.nprocs, 1);
		sched.ps = &w->p;
		m_set_curg(&w->m, &w->g);
		rt_store_relaxed(&w->m.p, (uintptr_t)&w->p);
		rt_store_relaxed(&w->g.tag, 2 << 1);
		RL_ASSERT(timers_init(&w->p.timers, 4) == 0);
		w->result = w->again = 1;
	}
	static void nudge(void *, uint64_t) {}
	~model()
	{
		model_world.destroy();
		model_destroy(sched);
	}
	void sleeper()
	{
		w->result = sleep_until(&w->m, 1);
		if (WHO & TWICE) {
			w->g.uncancellable = true;
			w->again = sleep_until(&w->m, 10);
			RL_ASSERT(w->again == 0 && model_now >= 10); /* I3 */
		}
		if (WHO & PAUSE) {
			w->g.timer.fn = nudge;
			RL_ASSERT(timer_arm(&w->g.timer, 100) == 0);
			/* I1: nobody readies us here */
			RL_ASSERT(timer_stop(&w->g.timer));
		}
		w->over = true;
	}
	/* Looks until the sleeper is through. */
	void fire()
	{
		while (!w->over) {
			if (timers_run(&w->p.timers, model_now) == 0) {
				if (w->p.timers.n > 0)
					model_now = 10; /* the second one */
				rl::yield(1, $);
			}
		}
	}
	void thread(unsigned self)
	{
		if (self == 0)
			sleeper();
		else if ((WHO & FIRE) && self == 1)
			fire();
		else
			RL_ASSERT(cancel_id(2) == 0);
	}
	void after()
	{
		RL_ASSERT(w->parks == w->readies); /* I1 */
		RL_ASSERT(w->p.timers.n == 0 && w->status == 0);
		if (!(WHO & CANCEL))
			RL_ASSERT(w->result == 0);
		if (!(WHO & FIRE))
			RL_ASSERT(w->result == -ECANCELED);
	}
};

template <int THREADS>
static void run(int who, const char *what, unsigned bound, unsigned thousands)
{
	WHO = who;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<2>(FIRE, "sleep, timer", 3, 20);
	run<2>(CANCEL, "sleep, cancel", 4, 20);
	run<3>(FIRE | CANCEL, "sleep, timer, cancel", 2, 20);
	run<3>(FIRE | CANCEL | TWICE, "sleep, timer, cancel, sleep again", 2, 20);
	run<2>(CANCEL | PAUSE, "sleep, cancel, pause", MODEL_KNOWN, 0);
	run<3>(FIRE | CANCEL | PAUSE, "sleep, timer, cancel, pause", MODEL_KNOWN, 0);
	model_done();
}
