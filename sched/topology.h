/* SPDX-License-Identifier: MIT */
/*
 * topology.h - which Ps are near each other, and who runs on what processor.
 *
 * P i stands for the i-th processor that the runtime's starter was allowed to
 * use, counted round them if there are more Ps.  Unless threads are bound, an M
 * runs where the kernel puts it; the kernel tends to leave it where it is.
 *
 * The table has the Ps in an order in which those of a core, of a cache and
 * of a node each stand together, so what is near a P is an interval around
 * its position, and the whole takes 16 bytes a P:
 *
 *	order	 0 1 | 2 3 || 4 5 | 6 7 ||| 8 9 | ...
 *		       ^ P 2: core [2,4), cache [0,4), node [0,8), all
 *
 * A thief walks (struct walk) its core's Ps, the rest of its cache's, of its
 * node's, of all; inside a level it starts anywhere, and steps by a number
 * that is coprime to how many there are.
 *
 *	state	 meaning		who leaves it, and how
 *	NONE	 nobody asked		sysmon, when more than two Ps have
 *					been busy for a while -> LOADING
 *	LOADING	 a thread reads places	that thread -> KNOWN or ABSENT
 *	KNOWN	 tables can be made	stop -> NONE
 *	ABSENT	 flat for this run	stop -> NONE
 *
 * Reading takes milliseconds, on large machines tens of them, in which sysmon
 * would be missed: hence a thread of its own, which ends at once.
 *
 * Invariants
 *	I1  sysmon alone makes and publishes tables.  It writes one, then
 *	    stores its address (T1, release); who loads that (T2, acquire)
 *	    sees it whole, and it is never changed.
 *	I2  a table is for one number of Ps; who has another one walks a ring.
 *	I3  who reads a table has a P.  So old ones can be freed when no P runs:
 *	    by topology_reclaim in a stopped world, else at the end.
 *	I4  the places are written before the state says KNOWN (T3, release),
 *	    and read by who has seen that (T4, acquire).
 */
#ifndef RT_SCHED_TOPOLOGY_H
#define RT_SCHED_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/rand.h"
#include "sched/cpus.h"
#include "sched/places.h"

struct m;

enum { LEVEL_CORE, LEVEL_CACHE, LEVEL_NODE, LEVEL_ALL, LEVELS };

struct topology_p {
	uint16_t id; /* of the P at this position */
	uint16_t at; /* the position of the P with this id */
	/* The intervals of who is at this position. */
	uint16_t from[LEVEL_ALL], to[LEVEL_ALL];
};

struct topology {
	struct topology *older; /* sysmon's own */
	uint32_t n;		/* Ps */
	struct topology_p p[];
};

extern rt_aptr topology_table; /* struct topology *, or null: not known */

/* Start and end of the runtime: no thread of it runs. */
void topology_init(void);
void topology_fini(void);

/* What the starter could run on; null if the kernel did not say. */
const struct cpus *topology_cpus(void);

/* sysmon, while Ps run: sees to it that there is a table for n Ps soon.
 * Returns how many there are, for all numbers of Ps so far. */
uint32_t topology_tend(uint32_t n);

/* The world is stopped, sysmon, too: frees the tables of other numbers. */
void topology_reclaim(void);

/* A table, or null: no memory.  By rank; sorts the places. */
struct topology *topology_make(
    struct place *places, uint32_t nplaces, uint32_t n);
void topology_free(struct topology *t);

/* The calling thread is mp, and has got a P: if threads are bound, to that
 * P's processor, by a system call unless it is there.  No locks held. */
void topology_bind(struct m *mp);

/* The calling thread may run anywhere again; nothing if it is not bound. */
void topology_unbind(void);

/* Are all these processors at one node of memory?  root: "" but in tests. */
bool topology_one_node(const char *root, const struct cpus *allowed);

/* sysmon: may it be the first to touch a page that others will use? */
bool topology_may_touch(void);

/* With a P, of n. */
static inline const struct topology *topology_get(uint32_t n)
{
	const struct topology *t =
	    (const struct topology *)rt_load_acquire(&topology_table); /* T2 */

	return t && t->n == n ? t : NULL; /* I2 */
}

/* All Ps but one, from near to far. */
struct walk {
	const struct topology *t; /* null: all are as far */
	struct rng *rng;
	uint32_t id, n;
	uint32_t level; /* the next one */
	/* The present one: from, then `gap` later after the first `near`. */
	uint32_t from, near, gap, size, left, at, step;
};

static inline uint32_t walk_gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

static inline void walk_start(struct walk *w, const struct topology *t,
    uint32_t id, uint32_t n, struct rng *rng)
{
	w->t = t;
	w->rng = rng;
	w->id = id;
	w->n = n;
	w->level = t ? 0 : LEVEL_ALL;
	w->left = w->at = w->step = 0;
}

/* What the level adds to the one inside it. */
static inline void walk_level(struct walk *w, uint32_t level)
{
	uint32_t from = 0, to = w->n, in_from = w->id, in_to = w->id + 1;

	if (w->t) {
		uint32_t at = w->t->p[w->id].at;
		const struct topology_p *p = &w->t->p[at];

		in_from = level > 0 ? p->from[level - 1] : at;
		in_to = level > 0 ? p->to[level - 1] : at + 1;
		if (level < LEVEL_ALL) {
			from = p->from[level];
			to = p->to[level];
		}
	}
	w->from = from;
	w->near = in_from - from;
	w->gap = in_to - in_from;
	w->size = w->left = to - from - w->gap;
	if (w->size == 0)
		return;
	w->at = rng_below(w->rng, w->size);
	w->step = 1 + rng_below(w->rng, w->size);
	while (walk_gcd(w->step, w->size) != 1)
		w->step = w->step % w->size + 1;
}

/* The next P's id, or -1. */
static inline int walk_next(struct walk *w)
{
	uint32_t at;

	while (w->left == 0) {
		if (w->level == LEVELS)
			return -1;
		walk_level(w, w->level++);
	}
	w->left--;
	at = w->from + w->at + (w->at >= w->near ? w->gap : 0);
	w->at += w->step;
	if (w->at >= w->size)
		w->at -= w->size;
	return (int)(w->t ? w->t->p[at].id : at);
}

#endif
