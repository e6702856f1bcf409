/* SPDX-License-Identifier: MIT */
/*
 * waitq.h - a queue of waiters, in order of arrival; under its object's guard.
 *
 * Doubly linked, so that a select leaves each of its queues in O(1).  Zero is
 * an empty queue.
 */
#ifndef RT_SCHED_WAITQ_H
#define RT_SCHED_WAITQ_H

#include "sched/m.h"
#include "sched/wait.h"

struct waitq {
	struct sudog *first, *last;
};

/* The caller's wait: of its G, or `own`. */
static inline struct wait *wait_self(struct m *mp, struct wait *own)
{
	struct g *gp = mp ? m_curg(mp) : NULL;

	if (rt_likely(gp != NULL))
		return &gp->wait;
	*own = (struct wait){ 0 };
	return own;
}

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

/* Waiters that were won, to be woken in this order when the guard was let go.
 * Their records are linked by next, which is ours until then. */
struct won {
	struct sudog *first, *last;
};

/* Takes s, which is first in q, out of it.  False: its wait could not be won,
 * it is leaving anyway. */
static inline bool waitq_win_first(
    struct waitq *q, struct sudog *s, bool solo, struct won *won)
{
	waitq_remove(q, s);
	if (!wait_win(s, solo))
		return false;
	s->next = NULL;
	if (won->last)
		won->last->next = s;
	else
		won->first = s;
	won->last = s;
	return true;
}

/* Everybody in q. */
static inline void waitq_win_all(struct waitq *q, bool solo, struct won *won)
{
	while (q->first)
		(void)waitq_win_first(q, q->first, solo, won);
}

/* Without the guard.  A record is its waiter's stack: not read afterwards. */
static inline void won_wake(struct won *won)
{
	struct sudog *s = won->first;

	while (s) {
		struct sudog *next = s->next;

		wait_wake(s->wait);
		s = next;
	}
}

#endif
