/* SPDX-License-Identifier: MIT */
/*
 * task.h - what a run queue holds: a goroutine, or the start of one.
 *
 * A start is what gamp_go_when_readable leaves behind.  It gets its goroutine,
 * and with it a stack, when it is about to run: one that was left a moment ago,
 * still in the cache.  If each of a hundred events took a stack when it was
 * found, a hundred stacks would go through the cache (some 0.5 us for each).
 *
 * A queued start counts as a goroutine that lives.
 */
#ifndef RT_SCHED_TASK_H
#define RT_SCHED_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What must be looked at before a task can run. */
#define TASK_START  1 /* no goroutine yet: the poller begins it (poller.h) */
#define TASK_LOCKED 2 /* to a thread: lockm.h */

struct task {
	struct task *link; /* the list it is on; owner: that list */
	uint32_t home;	   /* the P it last ran on: its data are warm there */
	bool woken;	   /* readied since it last ran: sorts ahead */
	bool low;	   /* has used up a slice: p.h */
	uint8_t special;   /* TASK_START, TASK_LOCKED */
};

struct task_list {
	struct task *head, *tail;
	uint32_t n;
};

static inline void task_push(struct task_list *l, struct task *task)
{
	task->link = NULL;
	if (l->tail)
		l->tail->link = task;
	else
		l->head = task;
	l->tail = task;
	l->n++;
}

static inline struct task *task_pop(struct task_list *l)
{
	struct task *task = l->head;

	if (!task)
		return NULL;
	l->head = task->link;
	if (!l->head)
		l->tail = NULL;
	l->n--;
	return task;
}

#endif
