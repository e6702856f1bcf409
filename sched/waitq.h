/* SPDX-License-Identifier: MIT */
/*
 * waitq.h - a queue of waiters, in order of arrival; under its object's guard.
 *
 * Doubly linked, so that a select leaves each of its queues in O(1).  Zero is
 * an empty queue.
 */
#ifndef RT_SCHED_WAITQ_H
#define RT_SCHED_WAITQ_H

#include "sched/wait.h"

struct waitq {
	struct sudog *first, *last;
};

static inline void waitq_push(struct waitq *q, struct sudog *s)
{
	s->queued = true;
	s->next = NULL;
	s->prev = q->last;
	if (q->last)
		q->last->next = s;
	else
		q->first = s;
	q->last = s;
}

static inline void waitq_remove(struct waitq *q, struct sudog *s)
{
	if (!s->queued)
		return;
	s->queued = false;
	if (s->prev)
		s->prev->next = s->next;
	else
		q->first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		q->last = s->prev;
}

/* The first whose wait could be won; it and those before it, who are leaving
 * anyway, are in the queue no more.  wait_wake follows. */
static inline struct sudog *waitq_win(struct waitq *q, bool solo)
{
	struct sudog *s;

	while ((s = q->first)) {
		waitq_remove(q, s);
		if (wait_win(s, solo))
			return s;
	}
	return NULL;
}

#endif
