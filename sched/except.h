/* SPDX-License-Identifier: MIT */
/*
 * except.h - C++ exceptions of a goroutine that parks while it handles one.
 *
 * What is being caught, and how many exceptions are in flight, is in two words
 * of the thread (the C++ ABI's __cxa_eh_globals).  A goroutine that parks in a
 * catch block, or in a destructor that unwinding calls, would leave its own
 * there, for the next one to rethrow.  Goroutines that say so (G_EXCEPTIONS)
 * have theirs swapped with the thread's as they arrive and as they leave:
 *
 *	gp->except	while gp runs: what the thread had
 *			else: its own
 *
 * Others pay nothing: as they arrive it is one of the rare things that one
 * branch is about, as they leave likewise (m->rare).
 */
#ifndef RT_SCHED_EXCEPT_H
#define RT_SCHED_EXCEPT_H

#include "sched/g.h"

struct m;

/* gp, which has not begun. */
void except_later(struct g *gp);

/* gp, which runs on mp; returns what it was. */
bool except_set(struct m *mp, struct g *gp, bool on);

/* The calling goroutine's exception of this class was caught, not by C++. */
void except_caught(uint64_t cls);

/* On its thread, as it arrives or leaves. */
void except_swap(struct g *gp);

#endif
