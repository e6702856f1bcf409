/* SPDX-License-Identifier: MIT */
/*
 * model_checkpoint.cpp - the word of gamp_checkpoint, under every interleaving
 * (bounded): the real checkpoint.c.
 *
 *	asker	sets a flag of the M, under the lock, as sysmon and who stops
 *		the world do; or cancels the goroutine; then asks
 *	settler	sysmon: settles twice
 *	program	looks at the word once; it yields if it should
 *
 * Property: what was asked, and nobody has seen, is there to be seen: the word
 * is not 0.  And it does not stay 1 for ever.
 */
#define checkpoint_ask no_checkpoint_ask /* model_sched.h's, for others */
#include "tests/model/model_sched.h"
#undef checkpoint_ask

#include "sched/sched.c"
#include "sched/checkpoint.c"

static struct world {
	struct m m;
	struct p p;
	struct g g;
	bool seen;
} *w;
static model_room<struct world> model_world;

static bool flagged, cancelled;

static struct m *model_self(void) { return NULL; }
static void ctx_switch(struct ctx *, struct ctx *) {}
struct m *m_enter_slow(struct m *mp) { return mp; }

static bool pending(void)
{
	return (rt_load_relaxed(&w->m.flags) & M_PREEMPT) ||
	    (rt_load_relaxed(&w->g.tag) & 1);
}

static void flag(void)
{
	rt_lock(&sched.lock);
	rt_store_relaxed(&w->m.flags, M_PREEMPT);
	rt_unlock(&sched.lock);
	checkpoint_ask();
}

static void cancel(void)
{
	uint64_t tag = 2;

	(void)rt_cas_relaxed(&w->g.tag, &tag, 3);
	checkpoint_ask();
}

static void program(void)
{
	if (!checkpoint_is_set())
		return;
	rt_lock(&sched.lock);
	rt_store_relaxed(&w->m.flags, 0);
	rt_unlock(&sched.lock);
	w->seen = true;
}

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_make(word);
		rt_store_relaxed(&sched.nprocs, 1);
		sched.ps = &w->p;
		m_set_curg(&w->m, &w->g);
		rt_store_relaxed(&w->g.tag, 2);
		acquirep(&w->m, &w->p);
	}
	~model()
	{
		model_world.destroy();
		model_destroy(word);
		model_destroy(sched);
	}
	void thread(unsigned self)
	{
		if (self == 0)
			for (int i = 0; i < 2; i++)
				checkpoint_settle();
		else if (self == 1)
			program();
		else if (self == 2 && flagged)
			flag();
		else
			cancel();
	}
	void after()
	{
		RL_ASSERT(!pending() || checkpoint_is_set());
		rt_store_relaxed(&w->m.flags, 0);
		rt_store_relaxed(&w->g.tag, 2);
		checkpoint_settle();
		RL_ASSERT(!checkpoint_is_set());
	}
};

int main(int argc, char **argv)
{
	model_main(argc, argv);
	flagged = true;
	model_run<model<3> >("a flag", 3, 20);
	model_run<model<4> >("a flag, a cancel", 2, 20);
	flagged = false;
	model_run<model<3> >("a cancel", 3, 20);
	model_done();
}
