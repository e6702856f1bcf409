/* SPDX-License-Identifier: MIT */
/* park.c - the goroutine's side of every switch; see park.h. */

#include "sched/park.h"
#include "sched/entry.h"
#include "sched/held.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/switch.h"
#include "sched/wake.h"

/* What a switch consists of is one piece of code: each call in it is a return
 * that the processor may not predict. */
#define ALWAYS __attribute__((always_inline)) inline

/* What g0 is to do is left in the M; when this returns, the M may be another
 * one. */
SAN_NO_CALLS static inline void leave(struct m *mp, struct g *gp, enum m_op op)
{
	mp->op = op;
	if (trace_is_on())
		trace_put_switch(m_p(mp), gp, (int)op, NULL);
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
	switch_over(mp);
	switch_begin(mp, pp, next);
	san_asan_leave(G_SAN(gp), G_SAN(next), op == OP_EXIT);
	san_tsan_switch(G_SAN(next));
	ctx_switch(&gp->ctx, &next->ctx);
	san_asan_arrive(G_SAN(gp));
	san_acquire(gp);
	switch_arrive();
}

void m_leave_detached(struct m *mp)
{
	struct g *gp = m_curg(mp);

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
 * may hold a lock, until its commit: a start, which takes locks, is g0's then
 * (no_start); and so is all that has to do with threads (lockm.h).
 */
static ALWAYS struct g *pick(struct p *pp, bool no_start, bool *any)
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
	if (rt_unlikely(task->special) &&
	    (no_start || (task->special & TASK_LOCKED))) {
		p_put_next(pp, task);
		return NULL;
	}
	pp->global_tick--;
	return task_g(task, pp);
}

void rt_park_now(rt_commit_fn commit, void *arg, enum rt_why why)
{
	struct m *mp = m_self();
	struct g *gp = m_curg(mp), *next;
	struct p *pp = m_p(mp);
	bool any;

	held_check(gp);
	mp->commit = commit;
	mp->commit_arg = arg;
	rt_store_relaxed(&gp->why, (uint8_t)why);
	gp->since = g_since(pp->now);
	san_release(gp);
	next = pick(pp, true, &any);
	if (next)
		hop(mp, pp, gp, next, OP_PARK);
	else
		leave(mp, gp, OP_PARK);
}

void rt_yield_far(void)
{
	struct m *mp = m_self();

	san_release(m_curg(mp));
	if (p_has_local(m_p(mp)) || rt_load_relaxed(&sched.nglobal) > 0 ||
	    rt_load_relaxed(&sched.nlow) > 0 ||
	    rt_load_relaxed(&m_p(mp)->attention))
		leave(mp, m_curg(mp), OP_YIELD);
}

void rt_yield(void)
{
	struct m *mp = m_self();
	struct g *gp = m_curg(mp), *next;
	struct p *pp = m_p(mp);
	bool any;

	san_release(gp);
	next = pick(pp, false, &any);
	if (next)
		hop(mp, pp, gp, next, OP_YIELD);
	else if (rt_unlikely(m_locked(mp) != NULL))
		rt_yield_far(); /* handing over is dear */
	else if (any || rt_load_relaxed(&sched.nglobal) > 0)
		leave(mp, gp, OP_YIELD);
}

/* A start that comes next gets another stack, which was left lately; if there
 * is none, this one, from g0. */
SAN_NO_CALLS _Noreturn void rt_goexit(void)
{
	struct m *mp = m_self();
	struct g *gp = m_curg(mp), *next;
	struct p *pp = m_p(mp);
	bool any;

	if (rt_unlikely(sched.fake_time) && g_is_blocking(gp))
		(void)rt_sub_seqcst(&sched.nblocking, 1);
	san_release(&sched.stop_note); /* before what follows gamp_stop */
	next = pick(pp, !pp->gfree, &any);
	if (next)
		hop(mp, pp, gp, next, OP_EXIT);
	else
		leave(mp, gp, OP_EXIT);
	rt_fatal("a goroutine ran after its exit");
}

/* A seeded order differs from the usual one in who runs next. */
static inline bool runs_next(bool next)
{
	if (rt_likely(sched.seed == 0))
		return next;
	return next && rng_next(&sched.rng) % 2 == 0;
}

/* Whom a record says it was: 0 on g0, or on a thread that is no M. */
static inline int64_t self_id(struct m *mp)
{
	return mp && m_curg(mp) ? g_id(m_curg(mp)) : 0;
}

#ifdef RT_MODEL
#define note_ready(mp, gp, kind) ((void)0)
#else
static __attribute__((noinline)) void ready_rare(
    struct m *mp, struct g *gp, enum trace_kind kind)
{
	if (!mp || mp->sample == 0)
		stats_sample(mp, gp);
	trace_event(mp ? m_p(mp) : NULL, kind, 0, self_id(mp), g_id(gp));
}

/* gp has been made ready, or was started, and nobody can have found it yet:
 * for statistics and traces, one branch for both. */
static inline void note_ready(
    struct m *mp, struct g *gp, enum trace_kind kind)
{
	if (rt_unlikely(!mp ||
		((--mp->sample == 0) | rt_load_relaxed(&trace_on))))
		ready_rare(mp, gp, kind);
}
#endif

static void enqueue(struct m *mp, struct task *task, bool next)
{
	struct p *pp = mp ? m_p(mp) : NULL;
	struct task_list one = { 0 };
	bool ring;

	m_check_inside(mp);
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
	if (!m_curg(mp) && !ring)
		pp->lone = false;
	else
		wake_submitted(pp, !ring);
}

void rt_ready_onto(struct task_list *l, struct g *gp)
{
	struct m *mp = m_self();

	san_release(gp);
	g_status(gp, G_WAITING, G_RUNNABLE);
	gp->task.woken = true;
	note_ready(mp, gp, TRACE_READY);
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
	struct m *mp = m_self();

	warm(gp);
	san_release(gp);
	g_status(gp, G_WAITING, G_RUNNABLE);
	gp->task.woken = true;
	note_ready(mp, gp, TRACE_READY);
	enqueue(mp, &gp->task, true);
}

void rt_start(struct g *gp)
{
	struct m *mp = m_self();

	san_release(gp);
	note_ready(mp, gp, TRACE_SPAWN);
	enqueue(mp, &gp->task, true);
}

void rt_queue_list(struct task_list *l)
{
	struct task *task;

	while ((task = task_pop(l)))
		enqueue(m_self(), task, false);
}
