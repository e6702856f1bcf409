/* SPDX-License-Identifier: MIT */
/*
 * switch.h - the three places that switch, and what each leaves to the other
 * side.
 *
 *	execute (loop.c)  g0 -> G	a G that find_runnable found
 *	leave (park.c)	  G -> g0	exits; parks and yields when something
 *					is due, or nothing else can run; g0
 *					sees it off (op, commit)
 *	hop (park.c)	  G -> G	parks, or yields to another one of the
 *					same P; whoever arrives sees it off
 *					(left, op, commit)
 *
 * Nobody may find a G before it has left its stack, so a G never queues
 * itself.  hop saves a switch and the way through find_runnable: it is for
 * when nothing but the next G is to be done.
 */
#ifndef RT_SCHED_SWITCH_H
#define RT_SCHED_SWITCH_H

#include "sched/m.h"
#include "sched/poller.h"

/* gp, which nobody else can take, is what mp runs from here on. */
static inline void switch_begin(struct m *mp, struct p *pp, struct g *gp)
{
	g_status(gp, G_RUNNABLE, G_RUNNING);
	gp->task.woken = false;
	gp->task.home = pp->id;
	mp->curg = gp;
	if (rt_unlikely(gp->blocking)) /* it was moved inside its section */
		rt_store_relaxed(&mp->blocking, 1);
}

/* The G that mp ran has left. */
static inline void switch_end(struct m *mp)
{
	mp->curg = NULL;
	if (rt_unlikely(rt_load_relaxed(&mp->blocking)))
		rt_store_relaxed(&mp->blocking, 0);
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
	g_status(left, G_RUNNING, G_RUNNABLE);
	pp = m_p(mp);
	p_put_on(pp, &pp->runq[RUNQ_FRESH], &left->task); /* it ran */
}

/* A start gets its goroutine, or fails to. */
static inline struct g *task_g(struct task *task, struct p *pp)
{
	return rt_likely(!task->is_start) ? g_of(task) :
					    sched_poller->begin(task, pp);
}

#endif
