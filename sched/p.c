/* SPDX-License-Identifier: MIT */
/* p.c - a P's queues; see p.h and runq.h. */

#include "sched/p.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/wake.h"

/* The ring is full: half of it and gp go to the global queue in one batch. */
void p_spill(struct p *pp, struct runq *q, struct g *gp)
{
	struct g_list batch = { 0 };

	for (uint32_t i = 0; i < RUNQ_SIZE / 2; i++) {
		struct g *old = runq_get(q, pp->alone);

		if (!old)
			break;
		g_push(&batch, old);
	}
	g_push(&batch, gp);
	sched_put_global(&batch);
}

void p_put_next(struct p *pp, struct g *gp)
{
	/* Only the owner fills runnext, so a null stays null. */
	if (rt_load_relaxed(&pp->runnext) == 0) {
		rt_store_release(&pp->runnext, (uintptr_t)gp);
		return;
	}
	gp = (struct g *)rt_swap_acqrel(&pp->runnext, (uintptr_t)gp);
	if (gp)
		p_put(pp, gp);
}

void p_send(struct p *pp, struct g *gp)
{
	uintptr_t top = rt_load_relaxed(&pp->inbox);

	do {
		gp->link = (struct g *)top;
	} while (!rt_cas_acqrel(&pp->inbox, &top, (uintptr_t)gp));
}

struct g_list p_take_inbox(struct p *pp)
{
	struct g_list l = { 0 };
	struct g *gp = NULL;

	if (rt_load_relaxed(&pp->inbox) != 0)
		gp = (struct g *)rt_swap_acqrel(&pp->inbox, 0);
	l.tail = gp;
	while (gp) {
		struct g *next = gp->link;

		gp->link = l.head;
		l.head = gp;
		l.n++;
		gp = next;
	}
	return l;
}

void p_read_inbox(struct p *pp)
{
	struct g_list l = p_take_inbox(pp);
	bool several = l.n > 1;
	struct g *gp;

	while ((gp = g_pop(&l)))
		p_put(pp, gp);
	/* While we held them, who looked around did not see them. */
	if (several)
		wake_submitted(pp, false);
}

struct g *p_get_rest(struct p *pp)
{
	struct g *gp;

	p_read_inbox(pp);
	gp = runq_get(&pp->runq[RUNQ_WOKEN], pp->alone);
	return gp ? gp : runq_get(&pp->runq[RUNQ_FRESH], pp->alone);
}

/*
 * runnext may move to a ring between our looks at the two, so the tails are
 * read again: if they did not move, all was seen at one moment.
 */
bool p_empty(struct p *pp)
{
	struct runq *a = &pp->runq[0], *b = &pp->runq[1];

	for (;;) {
		uint32_t ha = rt_load_acquire(&a->head);
		uint32_t hb = rt_load_acquire(&b->head);
		uint32_t ta = rt_load_acquire(&a->tail);
		uint32_t tb = rt_load_acquire(&b->tail);
		uintptr_t next = rt_load_acquire(&pp->runnext);
		uintptr_t in = rt_load_acquire(&pp->inbox);

		if (ta == rt_load_acquire(&a->tail) &&
		    tb == rt_load_acquire(&b->tail))
			return ha == ta && hb == tb && next == 0 &&
			    in == 0;
	}
}

struct g *p_steal(struct p *pp, struct p *victim, bool take_next)
{
	uintptr_t next;

	for (int i = 0; i < RUNQ_COUNT; i++) {
		struct g *gp = runq_steal(&pp->runq[i], &victim->runq[i]);

		if (gp)
			return gp;
	}
	if (!take_next)
		return NULL;
	if (rt_load_relaxed(&victim->inbox) != 0) {
		struct g_list l = p_take_inbox(victim);
		struct g *gp = g_pop(&l), *more;

		while ((more = g_pop(&l)))
			p_put(pp, more);
		if (gp)
			return gp;
	}
	if (rt_load_relaxed(&victim->picking))
		return NULL;
	next = rt_load_acquire(&victim->runnext);
	if (!next || !rt_cas_acqrel(&victim->runnext, &next, 0))
		return NULL;
	rt_store_relaxed(&victim->wake_credit, 0); /* it did need us */
	return (struct g *)next;
}
