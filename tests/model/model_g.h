/* SPDX-License-Identifier: MIT */
/*
 * model_g.h - goroutines and guards for models of what is above the
 * scheduler.  Include it before any file of the project.
 *
 * A goroutine is a thread of the model.  What its g0 does, its commits, is
 * another thread, so that it may have gone on before they end; or the same
 * one, where that does not matter (fewer schedules).
 *
 *	readied once, and only while it waits: checked here
 *
 * A timer is one word: heap says that it is armed.  What the real one does
 * under its lock is one step here (model_sleep.cpp has the real one).
 */
#ifndef RT_TESTS_MODEL_MODEL_G_H
#define RT_TESTS_MODEL_MODEL_G_H

#include "tests/model/model_membar.h"

static bool model_on_g0[8]; /* the threads that are a g0 */

/* sched/solo.h: off for good; model_solo.cpp has the real one. */
#define RT_SCHED_SOLO_H
static inline bool solo_begin(void) { return false; }
static inline void solo_end(void) {}
static inline void solo_break(void) {}

#ifndef MODEL_REAL_LOCK
/* sched/guard.h: each call is one step; model_lock.cpp has the real one. */
#define RT_SCHED_GUARD_H
enum { RANK_GUARD };
static inline void rt_rank_push(int) {}
static inline void rt_rank_pop(int) {}
struct guard {
	rt_a32 word;
};
static void guard_lock(struct guard *l)
{
	rl::ctx().sched();
	rl::preemption_disabler one(rl::ctx());

	while (rt_swap_acqrel(&l->word, 1) != 0)
		(void)l->word.v.wait(rl::ctx(), false, false, $);
}
static void guard_unlock(struct guard *l)
{
	rl::ctx().sched();
	{
		rl::preemption_disabler one(rl::ctx());

		RL_ASSERT(rt_swap_acqrel(&l->word, 0) == 1);
		(void)l->word.v.wake(rl::ctx(), 1, $);
	}
	if (model_on_g0[rl::thread_index()])
		rl::ctx().sched(); /* what does the commit read now? */
}
static inline bool guard_is_solo(struct guard *) { return false; }
static inline void guard_enter(struct guard *l) { guard_lock(l); }
static inline void guard_exit(struct guard *l) { guard_unlock(l); }
#endif

/* base/rand.h: all that is drawn is tried. */
#define RT_BASE_RAND_H
struct rng {
	uint64_t s;
};
static unsigned model_draws = 2; /* so many different numbers */
static inline uint32_t rng_next(struct rng *)
{
	uint64_t r = rl::ctx().rand(model_draws, rl::sched_type_user);

	return (uint32_t)(((2 * r + 1) << 31) / model_draws);
}
static inline void rng_seed(struct rng *, uint64_t) {}
static inline uint32_t rng_below(struct rng *, uint32_t n)
{
	return rl::ctx().rand(n, rl::sched_type_user);
}

#include "sched/m.h"
#include "sched/sleep.h"
/* Nobody takes a P away here: model_retake.cpp. */
#define m_enter()   model_self()
#define m_exit()    ((void)0)
#define m_leave(mp) ((void)0)

struct model_g {
	struct g g; /* first */
	struct m m;
	rt_a32 left, ready; /* what its g0, and it, sleep on */
	rt_commit_fn commit;
	void *arg;
	bool has_g0, waits, over;
	int parks, readies;
};

static struct {
	struct timer *t; /* the last one that was armed */
	rt_a32 word;	 /* what model_fire sleeps on */
	bool over;
} model_timer;

/* What each thread is; no goroutine's: a plain thread. */
static struct model_g *model_is[8];

static struct m *model_self(void)
{
	struct model_g *mg = model_is[rl::thread_index()];

	return mg ? &mg->m : NULL;
}
static void ctx_switch(struct ctx *, struct ctx *) {}
struct m *m_enter_slow(struct m *mp) { return mp; }

/* In before(); first, and for each. */
static void model_g_begin(void)
{
	memset(model_is, 0, sizeof(model_is));
	memset(model_on_g0, 0, sizeof(model_on_g0));
	model_make(model_timer);
	model_now = 1;
}
static void model_g_init(struct model_g *mg, int64_t id, bool has_g0)
{
	m_set_curg(&mg->m, &mg->g);
	mg->g.wait.g = &mg->g;
	mg->has_g0 = has_g0;
	rt_store_relaxed(&mg->g.tag, (uint64_t)id << 1);
}

static void model_set(rt_a32 *word)
{
	rl::preemption_disabler one(rl::ctx());

	rt_store_release(word, 1);
	(void)word->v.wake(rl::ctx(), 1, $);
}
static void model_await(rt_a32 *word)
{
	rl::preemption_disabler one(rl::ctx());

	while (rt_swap_acqrel(word, 0) == 0)
		(void)word->v.wait(rl::ctx(), false, false, $);
}

static bool model_commit(struct model_g *mg)
{
	if (mg->commit(&mg->g, mg->arg))
		return true;
	RL_ASSERT(mg->waits); /* nobody readied it */
	mg->waits = false;
	mg->parks--;
	return false;
}

void rt_park_now(rt_commit_fn commit, void *arg, enum rt_why)
{
	struct model_g *mg = model_is[rl::thread_index()];

	RL_ASSERT(!mg->waits);
	mg->waits = true;
	mg->parks++;
	mg->commit = commit;
	mg->arg = arg;
	if (mg->has_g0)
		model_set(&mg->left);
	else if (!model_commit(mg))
		return;
	model_await(&mg->ready);
}

/* The thread of a goroutine's g0. */
static void model_g0(struct model_g *mg)
{
	model_on_g0[rl::thread_index()] = true;
	for (;;) {
		model_await(&mg->left);
		if (mg->over)
			return;
		if (!model_commit(mg))
			model_set(&mg->ready);
	}
}

/* Its last step. */
static void model_g_over(struct model_g *mg)
{
	RL_ASSERT(mg->parks == mg->readies);
	mg->over = true;
	if (mg->has_g0)
		model_set(&mg->left);
}

void rt_ready(struct g *gp)
{
	struct model_g *mg = (struct model_g *)gp;

	rl::ctx().sched();
	RL_ASSERT(mg->waits);
	mg->waits = false;
	mg->readies++;
	model_set(&mg->ready);
}

void rt_ready_onto(struct task_list *l, struct g *gp)
{
	struct model_g *mg = (struct model_g *)gp;

	rl::ctx().sched();
	RL_ASSERT(mg->waits);
	mg->waits = false;
	mg->readies++;
	task_push(l, &gp->task);
}
void rt_queue_list(struct task_list *l)
{
	while (struct task *task = task_pop(l))
		model_set(&((struct model_g *)g_of(task))->ready);
}

int timer_arm(struct timer *t, int64_t when)
{
	rl::ctx().sched();
	rl::preemption_disabler one(rl::ctx());

	RL_ASSERT(rt_swap_acqrel(&t->heap, 1) == 0);
	t->when = when;
	model_timer.t = t;
	model_set(&model_timer.word);
	return 0;
}
bool timer_stop(struct timer *t)
{
	rl::ctx().sched();
	rl::preemption_disabler one(rl::ctx());

	return rt_swap_acqrel(&t->heap, 0) != 0;
}
/* A thread of its own: lets the time of what is armed come, and calls it. */
static void model_fire(void)
{
	for (;;) {
		struct timer due;

		model_await(&model_timer.word);
		if (model_timer.over)
			return;
		rl::ctx().sched();
		{
			rl::preemption_disabler one(rl::ctx());

			due.fn = NULL;
			if (rt_swap_acqrel(&model_timer.t->heap, 0)) {
				due.fn = model_timer.t->fn;
				due.arg = model_timer.t->arg;
				due.seq = model_timer.t->seq;
				model_now = model_timer.t->when;
			}
		}
		if (due.fn)
			due.fn(due.arg, due.seq);
	}
}
static void model_fire_over(void)
{
	model_timer.over = true;
	model_set(&model_timer.word);
}

#endif
