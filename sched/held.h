/* SPDX-License-Identifier: MIT */
/*
 * held.h - debug builds: a goroutine that parks while it holds a pthread mutex
 * is reported, once for each place.
 *
 * Who counts the mutexes is tools/mutexwatch.c, a library to be preloaded;
 * without it, and in other builds, nothing is done.
 */
#ifndef RT_SCHED_HELD_H
#define RT_SCHED_HELD_H

struct g;

#ifdef RT_DEBUG
/* Finds the library; once, at start. */
void held_init(void);

/* gp is about to park. */
void held_check(struct g *gp);
#else
static inline void held_init(void)
{
}

static inline void held_check(struct g *gp)
{
	(void)gp;
}
#endif

#endif
