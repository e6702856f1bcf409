/* SPDX-License-Identifier: MIT */
/*
 * idle.h - an M that finds nothing: gives up its P, looks again (wake.h S1 to
 * S3), and sleeps: one M in the poller, the others each in its futex.
 *
 * Of the Ms that lie idle as many stay as there are Ps, and one.  The others
 * end after IDLE_M_MAX, so that a thousand blocking calls leave no thousand
 * threads behind, and an idle process has no wake-ups.
 */
#ifndef RT_SCHED_IDLE_H
#define RT_SCHED_IDLE_H

#include "sched/m.h"

/* g0, with a P or without.  A task, and mp has a P; or null, and it may have
 * one; or null and *ended: the thread has to end, without a P. */
struct task *idle_go(struct m *mp, bool *ended);

/* mp is not the one in the poller any more, if it was. */
void idle_leave_poller_locked(struct m *mp);

/* Before it sleeps on its note: waits a little, if its last few sleeps were
 * short (wake.h). */
void idle_spin(struct m *mp);

/* mp slept from `since` on, and has a P now. */
void idle_slept(struct m *mp, int64_t since, bool woken);

#endif
