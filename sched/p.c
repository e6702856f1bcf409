/* SPDX-License-Identifier: MIT */
/* p.c - a P's queues; see p.h and runq.h. */

#include "arch/cpu.h"
#include "sched/p.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/trace.h"
#include "sched/wake.h"

#define LONE_MAX (20 * NS_PER_US) /* somebody else would have been sooner */
#ifdef RT_HARD
#define PATIENCE_MIN 1
#define PATIENCE_MAX 4
#else
#define PATIENCE_MIN 64	  /* pauses, some 1 us */
#define PATIENCE_MAX 1024 /* some 20 us */
#endif

/* The ring is full: half of it and task go to the global queue in one batch. */
void p_spill(struct p *pp, struct runq *q, struct task *task)
{
	struct task_list batch = { 0 };

	for (uint32_t i = 0; i < RUNQ_SIZE / 2; i++) {
		struct task *old = runq_get(q, pp->alone);

		if (!old)
			break;
		task_push(&batch, old);
	}
	task_push(&batch, task);
	stat_inc(&pp->stats->spills);
	sched_put_global(&batch);
}

void p_put_low(struct task *task)
{
	struct task_list one = { 0 };

	task_push(&one, task);
	sched_put_global(&one);
}

void p_put_next(struct p *pp, struct task *task)
{
	uintptr_t old = rt_load_relaxed(&pp->runnext);

	/* Only the owner fills runnext, so a null stays null. */
	if (old == 0 || pp->alone)
		rt_store_release(&pp->runnext, (uintptr_t)task);
	else
		old = rt_swap_acqrel(&pp->runnext, (uintptr_t)task);
	if (old)
		p_put(pp, (struct task *)old);
}

void p_lone_picked(struct p *pp)
{
	uint32_t credit = rt_load_relaxed(&pp->wake_credit);

	pp->lone = false;
	if (credit < WAKE_CREDIT_MAX)
		rt_store_relaxed(&pp->wake_credit, credit + 1);
	if (rt_likely(pp->lone_at == 0))
		return;
	if (clock_real() - pp->lone_at > LONE_MAX)
		rt_store_relaxed(&pp->wake_credit, 0);
	pp->lone_at = 0;
}

void p_send(struct p *pp, struct task *task)
{
	uintptr_t top = rt_load_relaxed(&pp->inbox);

	do {
		task->link = (struct task *)top;
	} while (!rt_cas_acqrel(&pp->inbox, &top, (uintptr_t)task));
}

struct task_list p_take_inbox(struct p *pp)
{
	struct task_list l = { 0 };
	struct task *task = NULL;

	if (rt_load_relaxed(&pp->inbox) != 0)
		task = (struct task *)rt_swap_acqrel(&pp->inbox, 0);
	l.tail = task;
	while (task) {
		struct task *next = task->link;

		task->link = l.head;
		l.head = task;
		l.n++;
		task = next;
	}
	return l;
}

void p_read_inbox(struct p *pp)
{
	struct task_list l = p_take_inbox(pp);
	bool several = l.n > 1;
	struct task *task;

	while ((task = task_pop(&l)))
		p_put(pp, task);
	/* While we held them, who looked around did not see them. */
	if (several)
		wake_submitted(pp, false);
}

struct task *p_get_rest(struct p *pp)
{
	struct task *task;

	p_read_inbox(pp);
	task = runq_get(&pp->runq[RUNQ_WOKEN], pp->alone);
	return task ? task : runq_get(&pp->runq[RUNQ_FRESH], pp->alone);
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

/*
 * Its owner takes runnext by itself, if it is given a little time: a goroutine
 * that readies another and soon parks is most of what channels do, and with
 * the two on different processors each message costs a hundred ns more.  Where
 * the time was given in vain, less is given the next time.
 */
static bool will_pick(struct p *victim, uintptr_t next)
{
	uint32_t tick = rt_load_relaxed(&victim->tick);
	uint32_t shift = rt_load_relaxed(&victim->impatience);

	for (int i = 0; i < PATIENCE_MAX >> shift; i++) {
		if (rt_load_relaxed(&victim->picking) ||
		    rt_load_relaxed(&victim->runnext) != next ||
		    rt_load_relaxed(&victim->tick) != tick) {
			rt_store_relaxed(&victim->impatience, 0);
			return true;
		}
		cpu_relax();
	}
	if (PATIENCE_MAX >> shift > PATIENCE_MIN)
		rt_store_relaxed(&victim->impatience, shift + 1);
	return false;
}

static void count_steal(struct p *pp, struct p *victim, uint32_t tasks)
{
	stat_inc(&pp->stats->steals);
	stat_add(&pp->stats->stolen, tasks);
	trace_event(pp, TRACE_STEAL, tasks, 0, victim->id);
}

struct task *p_steal(struct p *pp, struct p *victim, bool take_next)
{
	uintptr_t next;

	for (int i = 0; i < RUNQ_COUNT; i++) {
		struct task *task = runq_steal(&pp->runq[i], &victim->runq[i]);

		if (task) {
			count_steal(pp, victim, 1 + runq_len(&pp->runq[i]));
			return task;
		}
	}
	if (!take_next)
		return NULL;
	if (rt_load_relaxed(&victim->inbox) != 0) {
		struct task_list l = p_take_inbox(victim);
		uint32_t n = l.n;
		struct task *task = task_pop(&l), *more;

		while ((more = task_pop(&l)))
			p_put(pp, more);
		if (task) {
			count_steal(pp, victim, n);
			return task;
		}
	}
	next = rt_load_acquire(&victim->runnext);
	if (!next || will_pick(victim, next) ||
	    !rt_cas_acqrel(&victim->runnext, &next, 0))
		return NULL;
	rt_store_relaxed(&victim->wake_credit, 0); /* it did need us */
	count_steal(pp, victim, 1);
	return (struct task *)next;
}
