/* SPDX-License-Identifier: MIT */
/*
 * dump.h - what goroutines do, as text for people.
 *
 *	goroutine 33554434 "worker" waiting (receive) for 12.345 s
 *	    runs worker+0x0 (prog+0x1139)
 *	    started by goroutine 33554433 at spawn+0x1c (prog+0x11a0)
 *	    rt_park_now+0x92 (prog+0x5f21)
 *	    ...
 *
 * A dump of all takes the facts of some goroutines while the world is
 * stopped, lets it go on, writes, and comes to the next: it needs no memory
 * for a million of them, nobody waits for the reader of the descriptor (who
 * may be a goroutine), and each goroutine's facts are of one moment.
 *
 * One that runs without a P (detached, or in a blocking call) is not stopped,
 * so it has no backtrace: the thread is named, and what system call it is in.
 */
#ifndef RT_SCHED_DUMP_H
#define RT_SCHED_DUMP_H

#include "base/symbol.h"
#include "base/backtrace.h"
#include "sched/g.h"

#define DUMP_NAME 48

/* The facts of one. */
struct shot {
	int64_t id, parent;
	int64_t waited; /* ns, if it waits */
	uint32_t status;
	int tid;	/* RUNNING: its thread; 0: the caller of the dump */
	long call;	/* the thread's system call; -1: none */
	size_t stack;	/* bytes */
	uintptr_t fn, site;
	uint8_t why;
	const char *text; /* the program's word for that, or null */
	bool named, cancelled, blocking;
	bool fresh; /* it has not run yet */
	char name[DUMP_NAME];
	struct backtrace trace;
};

/* All but status, thread and trace.  Allocates nothing, takes no lock. */
void shot_take(struct shot *s, struct g *gp, int64_t id);

/* Its lines; or only those about where it comes from; or the trace. */
void shot_say(const struct shot *s, struct symbols *y, struct say *to);
void shot_say_origin(const struct shot *s, struct symbols *y, struct say *to);
void shot_say_trace(const struct shot *s, struct symbols *y, struct say *to);

/*
 * All of them, under a heading.  site: where the caller, if it is a goroutine,
 * came into the runtime.  0 or -errno.  Not on g0, and not in m_enter.
 */
int dump_all(int fd, const char *heading, void *site);

#endif
