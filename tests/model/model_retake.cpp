/* SPDX-License-Identifier: MIT */
/*
 * model_retake.cpp - taking the P of a thread that is in the program's code,
 * under every interleaving (bounded): the real m.h, detach.c and the lists
 * of sched.c.
 *
 *	owner	m_enter, touches its P with plain stores, m_exit; twice
 *	taker	retake_locked; if it gets the P, touches it and makes it idle;
 *		or retake_all_locked, and takes the P from the idle ones
 *
 *	collector	stops the world for all (world.c), touches the heap;
 *		the owner touches that outside of the runtime, but for a
 *		blocking section; its P is taken, or it is asked to come
 *
 * Property: the two never touch the P at once, and each sees what the other
 * did; nor the heap.  The P's data is an rl::var, so Relacy reports any race on it; the
 * owner's E1 is nothing at all here, as in the machine's code.
 *
 * membarrier(2) is modelled as what it does: at one moment of the taker's
 * call, a full fence runs on each of the process's threads, wherever it is.
 * Fence mode (membarrier refused) is modelled beside it.
 */
#define RT_MODEL_HEAVY /* membar_heavy is below */
#include "tests/model/model_sched.h"

#define RT_SCHED_TOPOLOGY_H
static void topology_bind(struct m *) {}
void topology_init(void);
void topology_fini(void);

#include "sched/sched.c"
#include "sched/detach.c"

static struct world {
	struct m m;
	struct p p;
	struct p_stats stats;
	struct g g;
	rl::var<int> data, heap;
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
void m_end_locked(struct m *) {}
void wakep(void) {}
bool wake_work(void) { return false; }
bool world_is_mine(void) { return false; }
void startm(struct p *, bool) {} /* nothing hands over a P here */
void wake_poller(int64_t) {}
int thread_weigh(int, int, int64_t) { return 0; }
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
static void wait_for_p(struct m *mp)
{
	while (!m_p(mp)) {
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

void m_leave_detached(struct m *mp)
{
	rt_lock(&sched.lock); /* see_off_detached, in loop.c */
	settled_locked(mp);
	rt_unlock(&sched.lock);
	wait_for_p(mp);
}

/* Who was asked to let others run comes to g0: world_hold, in world.c. */
void rt_yield_far(void)
{
	struct m *mp = &w->m;

	rt_lock(&sched.lock);
	if (rt_load_relaxed(&sched.stopped))
		pidle_put_locked(releasep(mp));
	rt_unlock(&sched.lock);
	wait_for_p(mp);
}

static bool fence_mode, take_all, collect;
static enum retake_whom whom;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_membarrier = fence_all<THREADS>;
		sched.fence_mode = fence_mode;
		rt_store_relaxed(&sched.nprocs, 1);
		sched.ps = &w->p;
		w->p.stats = &w->stats;
		m_set_curg(&w->m, &w->g);
		w->data($) = w->heap($) = 0;
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
	void mutator()
	{
		struct kept kept = { 0 };

		w->heap($) = w->heap($) + 1;
		blocking_enter(&kept);
		blocking_leave();
		w->heap($) = w->heap($) + 1;
		RL_ASSERT(m_enter() == &w->m && m_p(&w->m) == &w->p);
		m_exit();
		w->heap($) = w->heap($) + 1;
		(void)m_enter();
		m_exit();
	}
	void collector() /* gives up, so that every schedule ends */
	{
		bool done = false;

		for (int i = 0; i < 2 && !done; i++) {
			rt_lock(&sched.lock);
			rt_store_relaxed(&sched.stopped, 1);
			retake_all_locked(whom);
			done = rt_load_relaxed(&sched.npidle) == 1 &&
			    sched.nmutators == 0;
			rt_unlock(&sched.lock);
		}
		if (done) {
			w->heap($) = w->heap($) + 1;
			w->taken++;
		}
		rt_lock(&sched.lock);
		rt_store_relaxed(&sched.stopped, 0);
		rt_unlock(&sched.lock);
	}
	void taker()
	{
		bool got;

		rt_lock(&sched.lock);
		got = retake_locked(&w->p, 0);
		rt_unlock(&sched.lock);
		if (!got)
			return;
		touch();
		w->taken++;
		rt_lock(&sched.lock);
		pidle_put_locked(&w->p);
		rt_unlock(&sched.lock);
	}
	/* As world.c does. */
	void taker_of_all()
	{
		struct p *pp;

		rt_lock(&sched.lock);
		retake_all_locked(RETAKE_ANY);
		pp = pidle_get_locked();
		rt_unlock(&sched.lock);
		if (!pp)
			return;
		touch();
		w->taken++;
		rt_lock(&sched.lock);
		pidle_put_locked(pp);
		rt_unlock(&sched.lock);
	}
	void thread(unsigned self)
	{
		w->thread[self] = rl::ctx().threadx_;
		rt_fence_seqcst(); /* for a membarrier before it began */
		if (collect && self == 0)
			mutator();
		else if (collect)
			collector();
		else if (self == 0)
			owner();
		else if (take_all)
			taker_of_all();
		else
			taker();
	}
	void after()
	{
		if (collect)
			RL_ASSERT(w->heap($) == 3 + w->taken &&
			    (!m_p(&w->m) || sched.nmutators == 0));
		else
			RL_ASSERT(w->data($) == 2 + w->taken &&
			    w->touched == w->data($));
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
	take_all = true;
	model_run<model<2> >("retake all", 4, 50);
	take_all = false;
	collect = true;
	whom = RETAKE_ANY; /* sysmon may take the P of who computes */
	model_run<model<2> >("collect", 2, 30);
	whom = RETAKE_BLOCKING;
	model_run<model<2> >("collect, asking", 2, 30);
	collect = false;
	fence_mode = true;
	model_run<model<2> >("retake, fence mode", 4, 50);
	model_done();
}
