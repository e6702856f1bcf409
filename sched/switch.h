/* SPDX-License-Identifier: MIT */
/*
 * switch.h - the three places that switch, and what each leaves to the other
 * side.
 *
 *	execute (loop.c)  g0 -> G	a G that find_runnable found
 *	leave (park.c)	  G -> g0	parks, yields, exits when something is
 *					due, or nothing else can run; g0 sees
 *					it off (op, commit)
 *	hop (park.c)	  G -> G	parks, yields, exits, and another one of
 *					the same P runs; whoever arrives sees
 *					it off (left, op, commit)
 *
 * Nobody may find a G before it has left its stack, so a G never queues
 * itself.  hop saves a switch and the way through find_runnable: it is for
 * when nothing but the next G is to be done.
 */
#ifndef RT_SCHED_SWITCH_H
#define RT_SCHED_SWITCH_H

#include "sched/lockm.h"
#include "sched/m.h"
#include "sched/poller.h"
#include "sched/trace.h"

/* rcu_thread.c: gp has arrived on mp, or leaves it, inside an RCU section. */
void switch_into_section(struct m *mp, struct g *gp);
void switch_out_of_section(struct m *mp);

/* It was moved inside its blocking section; it is locked to its thread; it
 * is in an RCU section; its wait is measured; it has hooks; its exceptions are
 * its own; or a trace is on: who hops here is mp->left, and goes by mp->op. */
void switch_rare(struct m *mp, struct p *pp, struct g *gp);

/* The same as it leaves: the rare half of switch_over. */
void switch_out_rare(struct m *mp);

#ifdef RT_MODEL
#define switch_is_rare(gp) rt_load_relaxed(&(gp)->rare)
#else
/* One branch for all. */
#define switch_is_rare(gp) \
	(rt_load_relaxed(&(gp)->rare) | rt_load_relaxed(&trace_on))
#endif

/* gp, which nobody else can take, is what mp runs from here on. */
static inline void switch_begin(struct m *mp, struct p *pp, struct g *gp)
{
	g_status(gp, G_RUNNABLE, G_RUNNING);
	gp->task.woken = false;
	gp->task.home = pp->id;
	m_set_curg(mp, gp);
	if (rt_unlikely(switch_is_rare(gp)))
		switch_rare(mp, pp, gp);
}

/* The G that mp ran leaves; another one comes. */
static inline void switch_over(struct m *mp)
{
	if (rt_unlikely(rt_load_relaxed(&mp->rare) |
		(rt_load_relaxed(&mp->rcu.word) & RCU_DEPTH)))
		switch_out_rare(mp);
}

/* The G that mp ran has left. */
static inline void switch_end(struct m *mp)
{
	switch_over(mp);
	m_set_curg(mp, NULL);
}

/* A G has left its stack for good or for a while.  False: it goes on, for its
 * commit says so. */
static inline bool switch_parked(struct m *mp, struct g *gp)
{
	g_status(gp, G_RUNNING, G_WAITING);
	if (rt_likely(mp->commit(gp, mp->commit_arg)))
		return true;
	g_status(gp, G_WAITING, G_RUNNABLE);
	return false;
}

/* A G has arrived on its stack: sees off the one that hopped here. */
static inline void switch_arrive(void)
{
	struct m *mp = m_self();
	struct g *left = mp->left;
	struct p *pp;

	if (!left)
		return;
	mp->left = NULL;
	if (mp->op == OP_PARK) {
		if (rt_unlikely(!switch_parked(mp, left)))
			p_put_next(m_p(mp), &left->task);
		return;
	}
	if (mp->op == OP_EXIT) {
		g_free(m_p(mp), left);
		return;
	}
	g_status(left, G_RUNNING, G_RUNNABLE);
	pp = m_p(mp);
	p_put_on(pp, &pp->runq[RUNQ_FRESH], &left->task); /* it ran */
}

/* A start gets its goroutine, or fails to. */
static inline struct g *task_g(struct task *task, struct p *pp)
{
	return rt_likely(!(task->special & TASK_START)) ? g_of(task) :
					    sched_poller->begin(task, pp);
}

#endif
