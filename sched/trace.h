/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what happened when: a ring of records for each P.
 *
 *	              hooks (while trace_on)            trace_end
 *	P 0 --owner--> ring [ . . . . ]  \
 *	P 1 --owner--> ring [ . . . . ]   >  merged by time, written as JSON
 *	no P --lock--> ring [ . . . . ]  /   (runtime/trace_json.c)
 *
 * A record has 32 bytes.  When a ring is full its oldest are lost.  Who has no
 * P, or one that was not there when the trace began, writes to the last ring,
 * under a lock.
 *
 * While no trace is on, a hook is a load of a word that nobody writes and a
 * branch that is not taken.
 *
 * The end of a trace may come between any two instructions of a writer:
 *
 *	writer, the owner of a P	trace_end
 *	------------------------	---------
 *	T1 busy = 1			T4 trace_on = 0
 *	light fence			membar_heavy()
 *	T2 trace_on? write a record	T5 busy? wait until it is 0
 *	T3 busy = 0 (release)		read the rings, free them
 *
 * Either the writer sees that the trace is off, or its busy is seen and waited
 * for, which takes a few instructions unless the kernel stops the writer
 * there.  T2 is a load with acquire: who sees a trace on sees its rings.  What
 * earlier owners of the P wrote comes with the P, as all that is the P's.
 *
 * The P of who is in the program's code may be taken at any time (m.h), so
 * every hook is called between m_enter and m_exit, on g0, or by who has just
 * taken a P.
 *
 * Invariants
 *	I1  the records of a ring are in the order of their times: its owner
 *	    looks at the clock as it writes.
 *	I2  names of goroutines are copied, as they may be gone when the trace
 *	    is written; again in each half of a ring, for the oldest are lost.
 *	    Names of marks are pointers.
 */
#ifndef RT_SCHED_TRACE_H
#define RT_SCHED_TRACE_H

#include "sched/g.h"

enum trace_kind {
	TRACE_RUN,     /* b begins to run */
	TRACE_LEAVE,   /* a has left; why */
	TRACE_SWITCH,  /* a has left, why, and b begins */
	TRACE_READY,   /* a (0: none) has readied b */
	TRACE_SPAWN,   /* a has started b */
	TRACE_NAME,    /* of a goroutine: its id instead of the time, text */
	TRACE_P_START, /* n: the M that has the P now */
	TRACE_P_STOP,
	TRACE_POLL,    /* n: events */
	TRACE_STEAL,   /* n: tasks; b: from which P */
	TRACE_TIMERS,  /* n: that fired */
	TRACE_PREEMPT, /* a will be made to yield */
	TRACE_DETACH,  /* b goes on without the P; n: enum trace_why */
	TRACE_ATTACH,  /* b goes on, with this P */
	TRACE_MARK,    /* a's; b: a string */
};

/* Why a goroutine left: an enum rt_why, or: */
enum trace_why {
	TRACE_WHY_YIELD = WHY_COUNT,
	TRACE_WHY_EXIT,
	TRACE_WHY_QUEUED,    /* it came back, and there was no P */
	TRACE_WHY_BLOCKING,  /* its P was given up */
	TRACE_WHY_DETACHED,  /* its P was taken away */
	TRACE_WHY_PREEMPTED, /* these two only where it is written */
	TRACE_WHY_END,
	TRACE_WHY_COUNT
};

#define TRACE_NAME_MAX 22 /* bytes, with a zero */

struct trace_rec {
	int64_t at; /* the real clock */
	union {
		struct {
			uint8_t kind, why;
			uint32_t n;
			int64_t a, b;
		};
		struct {
			uint8_t name_kind, unused;
			char text[TRACE_NAME_MAX];
		};
	};
};
RT_STATIC_ASSERT(sizeof(struct trace_rec) == 32, "half a cache line");

struct trace_buf {
	_Alignas(RT_LINE) rt_a32 busy; /* T1 */
	uint64_t head;	       /* records ever written */
	struct trace_rec *ring; /* trace.mask + 1 */
};

struct trace {
	/* Written while trace_on is 0, and read while it is 1; or, when it is
	 * 0 again, by who has ended the trace. */
	uint32_t n; /* buffers: Ps, and one */
	uint32_t mask, gen;
	int64_t from, to;
	size_t bytes;
	void *memory;
	struct trace_buf *buf; /* stay, for late writers */
};

extern struct trace trace;
extern rt_a8 trace_on
    __attribute__((visibility("hidden"))); /* no look into the GOT */

/* 0; -EALREADY: there is one, -ENOMEM, -EINVAL.  bytes: of all rings. */
int trace_begin(size_t bytes);

/* No more records are written.  False: there is no trace.  Afterwards the
 * rings are the caller's, until trace_free. */
bool trace_end(void);
void trace_free(void);

/* In the child of a fork. */
void trace_forked(void);

/* The record i (of trace_buf.head) of a ring, and the oldest there is. */
static inline struct trace_rec *trace_at(struct trace_buf *b, uint64_t i)
{
	return &b->ring[i & trace.mask];
}
static inline uint64_t trace_first(struct trace_buf *b)
{
	return b->head > trace.mask ? b->head - trace.mask - 1 : 0;
}

/* A record.  pp: the caller is its owner; or null. */
void trace_put(struct p *pp, enum trace_kind kind, uint32_t n, int64_t a,
    int64_t b);

/* from leaves, and goes by op (enum m_op); to begins; one may be null. */
void trace_put_switch(struct p *pp, struct g *from, int op, struct g *to);

#ifdef RT_MODEL
#define trace_is_on() false
#else
#define trace_is_on() rt_unlikely(rt_load_relaxed(&trace_on))
#endif

static inline void trace_event(
    struct p *pp, enum trace_kind kind, uint32_t n, int64_t a, int64_t b)
{
	if (trace_is_on())
		trace_put(pp, kind, n, a, b);
}

/* gp goes on as a thread without pp.  By who gives it up or takes it. */
static inline void trace_detach(
    struct p *pp, struct g *gp, enum trace_why why)
{
	if (trace_is_on())
		trace_put(pp, TRACE_DETACH, (uint32_t)why, 0, g_id(gp));
}

/* It has a P again. */
static inline void trace_attach(struct p *pp, struct g *gp)
{
	if (trace_is_on())
		trace_put(pp, TRACE_ATTACH, 0, 0, g_id(gp));
}

#endif
