/* SPDX-License-Identifier: MIT */
/*
 * model_membar.h - membarrier(2) and the unlocked compare-exchange, as what
 * they are.  Include it before any other file of the models.
 *
 *	rt_cas_local	two steps, a read and a (release) store, and whatever
 *			others do may come between them.  If it fails, it
 *			stores what it has read.
 *	membar_heavy	on each thread, at one moment of the call, a full
 *			fence: between two of its instructions, so an unlocked
 *			one that is under way is over by then.
 *	membar_light	nothing.
 *
 * model_fences: the kernel refuses membarrier; both sides are fences.
 */
#ifndef RT_TESTS_MODEL_MODEL_MEMBAR_H
#define RT_TESTS_MODEL_MODEL_MEMBAR_H

#define RT_MODEL_HEAVY
#define RT_MODEL_LOCAL
#include "tests/model/model_sched.h"

static struct {
	rl::thread_info_base *thread;
	bool in_local; /* between the steps of its rt_cas_local */
} model_cpu[8];

static bool model_fences;
static void (*model_fence_on)(rl::thread_info_base *t);

template <int THREADS> static void model_fence(rl::thread_info_base *t)
{
	static_cast<rl::thread_info<THREADS> *>(t)
	    ->atomic_thread_fence_seq_cst(rl::ctx().seq_cst_fence_order_);
}

/* In before(). */
template <int THREADS> static void model_membar(bool fences)
{
	memset(model_cpu, 0, sizeof(model_cpu));
	model_fence_on = model_fence<THREADS>;
	model_fences = fences;
	membar_works.v.value = !fences;
}

/* A thread's first step.  It fences, for a membarrier before it began. */
static void model_begin(void)
{
	model_cpu[rl::thread_index()].thread = rl::ctx().threadx_;
	rt_fence_seqcst();
}

void membar_light(void)
{
	if (model_fences)
		rt_fence_seqcst();
}

void membar_heavy(void)
{
	rt_fence_seqcst();
	if (model_fences)
		return;
	for (auto &c : model_cpu) {
		if (!c.thread || c.thread == rl::ctx().threadx_)
			continue;
		rl::ctx().sched();
		while (c.in_local)
			rl::yield(1, $);
		model_fence_on(c.thread);
	}
	model_fence_on(rl::ctx().threadx_);
}

static bool rt_cas_local(rt_a32 *p, uint32_t old, uint32_t to)
{
	bool *in_local = &model_cpu[rl::thread_index()].in_local;
	uint32_t w = rt_load_relaxed(p);

	*in_local = true; /* no step since the read */
	rt_store_release(p, w == old ? to : w);
	*in_local = false;
	return w == old;
}

#endif
