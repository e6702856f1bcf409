/* SPDX-License-Identifier: MIT */
/*
 * poller.h - what the scheduler needs of a network poller.
 *
 * netpoll fills in the table at start; tests put a fake there.  The scheduler
 * sees to it that at most one M is in a poll that blocks.
 */
#ifndef RT_SCHED_POLLER_H
#define RT_SCHED_POLLER_H

#include <stdbool.h>
#include <stdint.h>

struct g;
struct p;
struct task;
struct task_list;

struct poller {
	/* Start and stop, with the scheduler.  0 or -errno. */
	int (*init)(void);
	void (*fini)(void);

	/*
	 * Appends to ready the tasks that became runnable.  delay < 0
	 * blocks, 0 polls, > 0 blocks for that many ns.  pp is the caller's P,
	 * or null when it blocks.  Returns how many events there were.
	 */
	int (*poll)(struct p *pp, int64_t delay, struct task_list *ready);

	/*
	 * Tasks that are no goroutines yet (task.h): the owner of pp is about
	 * to run one.  Its goroutine, in no queue; or null: none is to be had,
	 * and the task will be queued again.
	 */
	struct g *(*begin)(struct task *task, struct p *pp);

	/* Makes the blocked poll return soon.  Any thread. */
	void (*wake)(void);

	/* Readable while a poll would find something, or wake was called; of
	 * the system.  Null where nobody is a guest. */
	int (*fd)(void);

	/* A wake that came counts no more: for who polls without blocking and
	 * is about to look at all queues. */
	void (*consume)(void);

	/* In the child of a fork: let go of what is shared with the parent. */
	void (*forked)(void);

	/* The runtime is stopping: goroutines that have not begun must. */
	void (*stop)(void);

	/* Could a descriptor make anything happen?  When all Ps are idle. */
	bool (*waits)(void);
};

/* Defined by netpoll, or by a test. */
extern const struct poller *const sched_poller;

#endif
