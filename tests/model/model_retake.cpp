/* SPDX-License-Identifier: MIT */
/*
 * model_retake.cpp - taking the P of a thread that is in the program's code,
 * under every interleaving (bounded): the real m.h, blocking.c and the lists
 * of sched.c.
 *
 *	owner	m_enter, touches its P with plain stores, m_exit; twice
 *	taker	retake_locked; if it gets the P, touches it and makes it idle
 *
 * Property: the two never touch the P at once, and each sees what the other
 * did.  The P's data is an rl::var, so Relacy reports any race on it; the
 * owner's E1 is nothing at all here, as in the machine's code.
 *
 * membarrier(2) is modelled as what it does: at one moment of the taker's
 * call, a full fence runs on each of the process's threads, wherever it is.
 * Fence mode (membarrier refused) is modelled beside it.
 */
#define RT_MODEL_HEAVY /* membar_heavy is below */
#include "tests/model/model_sched.h"

#include "sched/sched.c"
#include "sched/blocking.c"

static struct world {
	struct m m;
	struct p p;
	struct g g;
	rl::var<int> data;
	int touched, taken, inside;
	rl::thread_info_base *thread[3];
} *w;
static model_room<struct world> model_world;

static struct m *model_self(void)
{
	return rl::thread_index() == 0 ? &w->m : NULL;
}
static void ctx_switch(struct ctx *, struct ctx *) {}
void rt_yield(void) {}
void wakep(void) {}
bool p_empty(struct p *) { return true; }

template <int THREADS> static void fence_on(rl::thread_info_base *t)
{
	if (t)
		static_cast<rl::thread_info<THREADS> *>(t)
		    ->atomic_thread_fence_seq_cst(
			rl::ctx().seq_cst_fence_order_);
}
/* The caller, the others, the caller: one step of the model. */
template <int THREADS> static void fence_all(void)
{
	rl::ctx().sched();
	fence_on<THREADS>(rl::ctx().threadx_);
	for (int i = 0; i < THREADS; i++)
		fence_on<THREADS>(w->thread[i]);
	fence_on<THREADS>(rl::ctx().threadx_);
}
static void (*model_membarrier)(void);
void membar_heavy(void)
{
	if (sched.fence_mode)
		rt_fence_seqcst();
	else
		model_membarrier();
}

/* The goroutine waits for a P; this thread takes it with it. */
void m_leave_detached(struct m *mp)
{
	for (;;) {
		struct p *pp;

		rt_lock(&sched.lock);
		pp = pidle_get_locked();
		if (pp)
			acquirep(mp, pp);
		rt_unlock(&sched.lock);
		if (pp)
			return;
		rl::yield(1, $);
	}
}

static bool fence_mode;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_membarrier = fence_all<THREADS>;
		sched.fence_mode = fence_mode;
		sched.nprocs = 1;
		sched.ps = &w->p;
		w->m.curg = &w->g;
		w->data($) = 0;
		rt_store_relaxed(&w->m.flags, fence_mode ? M_FENCE : 0);
		acquirep(&w->m, &w->p);
	}
	~model()
	{
		model_world.destroy();
		model_destroy(sched);
	}
	void touch()
	{
		RL_ASSERT(w->inside++ == 0);
		w->data($) = w->data($) + 1;
		w->touched++;
		RL_ASSERT(--w->inside == 0);
	}
	void owner()
	{
		for (int i = 0; i < 2; i++) {
			struct m *mp = m_enter();

			RL_ASSERT(mp == &w->m && m_p(mp) == &w->p);
			touch();
			m_exit();
		}
	}
	void taker()
	{
		bool got;

		rt_lock(&sched.lock);
		got = retake_locked(&w->p);
		rt_unlock(&sched.lock);
		if (!got)
			return;
		touch();
		w->taken++;
		rt_lock(&sched.lock);
		pidle_put_locked(&w->p);
		rt_unlock(&sched.lock);
	}
	void thread(unsigned self)
	{
		w->thread[self] = rl::ctx().threadx_;
		rt_fence_seqcst(); /* for a membarrier before it began */
		if (self == 0)
			owner();
		else
			taker();
	}
	void after()
	{
		RL_ASSERT(w->data($) == 2 + w->taken && w->touched == w->data($));
		/* Either it is the M's still, or it is idle. */
		RL_ASSERT((m_p(&w->m) == &w->p) ==
		    (rt_load_relaxed(&sched.npidle) == 0));
	}
};

int main(int argc, char **argv)
{
	model_main(argc, argv);
	model_run<model<2> >("retake", 4, 50);
	model_run<model<3> >("retake twice", 2, 50);
	fence_mode = true;
	model_run<model<2> >("retake, fence mode", 4, 50);
	model_done();
}
