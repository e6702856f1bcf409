/* SPDX-License-Identifier: MIT */
/* park.c - the goroutine's side of every switch; see park.h. */

#include "sched/park.h"
#include "sched/entry.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/switch.h"
#include "sched/wake.h"

/* What g0 is to do is left in the M; when this returns, the M may be another
 * one. */
SAN_NO_CALLS static inline void leave(struct m *mp, struct g *gp, enum m_op op)
{
	mp->op = op;
	san_asan_leave(G_SAN(gp), &mp->san, op == OP_EXIT);
	san_tsan_switch(&mp->san);
	ctx_switch(&gp->ctx, &mp->ctx);
	san_asan_arrive(G_SAN(gp));
	san_acquire(gp);
	switch_arrive();
}

/* From gp to next, which is the caller's to run. */
SAN_NO_CALLS static inline void hop(struct m *mp, struct p *pp,
    struct g *gp, struct g *next, enum m_op op)
{
	mp->left = gp;
	mp->op = op;
	switch_end(mp);
	switch_begin(mp, pp, next);
	san_asan_leave(G_SAN(gp), G_SAN(next), 0);
	san_tsan_switch(G_SAN(next));
	ctx_switch(&gp->ctx, &next->ctx);
	san_asan_arrive(G_SAN(gp));
	san_acquire(gp);
	switch_arrive();
}

void m_leave_detached(struct m *mp)
{
	struct g *gp = mp->curg;

	san_release(gp);
	leave(mp, gp, OP_DETACHED);
}

void rt_park(rt_commit_fn commit, void *arg, enum rt_why why)
{
	if (hard_chance(8)) /* let what we wait for come first */
		rt_yield();
	rt_park_now(commit, arg, why);
}

/*
 * Whom to hop to: not if something is due.  *any: there was a task.  Who parks
 * may hold a lock, until its commit: a start, which takes locks, is g0's then.
 */
static inline struct g *pick(struct p *pp, bool parks, bool *any)
{
	struct task *task;

	*any = true;
	if (rt_unlikely(pp->clock_tick <= 1 || pp->global_tick <= 1 ||
		rt_load_relaxed(&pp->attention)))
		return NULL;
	pp->clock_tick--;
	task = p_get(pp);
	*any = task != NULL;
	if (!task)
		return NULL;
	if (rt_unlikely(task->is_start) && parks) {
		p_put_next(pp, task);
		return NULL;
	}
	pp->global_tick--;
	return task_g(task, pp);
}

void rt_park_now(rt_commit_fn commit, void *arg, enum rt_why why)
{
	struct m *mp = m_self();
	struct g *gp = mp->curg, *next;
	struct p *pp = m_p(mp);
	bool any;

	mp->commit = commit;
	mp->commit_arg = arg;
	gp->why = (uint8_t)why;
	san_release(gp);
	next = pick(pp, true, &any);
	if (next)
		hop(mp, pp, gp, next, OP_PARK);
	else
		leave(mp, gp, OP_PARK);
}

void rt_yield(void)
{
	struct m *mp = m_self();
	struct p *pp = m_p(mp);
	struct g *next;
	bool any;

	san_release(mp->curg);
	next = pick(pp, false, &any);
	if (next)
		hop(mp, pp, mp->curg, next, OP_YIELD);
	else if (any || rt_load_relaxed(&sched.nglobal) > 0)
		leave(mp, mp->curg, OP_YIELD);
}

SAN_NO_CALLS _Noreturn void rt_goexit(void)
{
	struct m *mp = m_self();

	if (rt_unlikely(sched.fake_time) && mp->curg->blocking)
		(void)rt_sub_seqcst(&sched.nblocking, 1);
	san_release(&sched.stop_note); /* before what follows gamp_stop */
	leave(mp, mp->curg, OP_EXIT);
	rt_fatal("a goroutine ran after its exit");
}

/* A seeded order differs from the usual one in who runs next. */
static inline bool runs_next(bool next)
{
	if (rt_likely(sched.seed == 0))
		return next;
	return next && rng_next(&sched.rng) % 2 == 0;
}

static void enqueue(struct m *mp, struct task *task, bool next)
{
	struct p *pp = mp ? m_p(mp) : NULL;
	struct task_list one = { 0 };
	bool ring;

	if (!pp) {
		if (!mp)
			entry_wake();
		task_push(&one, task);
		sched_put_global(&one);
		wake_global();
		if (!mp)
			entry_leave();
		return;
	}
	if (runs_next(next))
		p_put_next(pp, task);
	else
		p_put(pp, task);
	ring = p_has_ring(pp);
	/* On g0 the next thing is to pick it. */
	if (mp->curg || ring)
		wake_submitted(pp, !ring);
}

void rt_ready_onto(struct task_list *l, struct g *gp)
{
	san_release(gp);
	g_status(gp, G_WAITING, G_RUNNABLE);
	gp->task.woken = true;
	task_push(l, &gp->task);
}

/* It runs soon, and its frames may be cold. */
static inline void warm(struct g *gp)
{
	const char *sp = gp->ctx.sp;

	for (int i = 0; i < 6; i++)
		__builtin_prefetch(sp + i * RT_LINE);
}

void rt_ready(struct g *gp)
{
	warm(gp);
	san_release(gp);
	g_status(gp, G_WAITING, G_RUNNABLE);
	gp->task.woken = true;
	enqueue(m_self(), &gp->task, true);
}

void rt_start(struct g *gp)
{
	san_release(gp);
	enqueue(m_self(), &gp->task, true);
}

void rt_queue_list(struct task_list *l)
{
	struct task *task;

	while ((task = task_pop(l)))
		enqueue(m_self(), task, false);
}
