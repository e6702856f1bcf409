/* SPDX-License-Identifier: MIT */
/*
 * protect.h - calls that come back even if what they call fails.
 *
 *	gamp_protect --> rt_protect --> fn --> ... --> gamp_fail
 *	      ^              |  a frame with CFI and         |
 *	      |              |  a personality (protect.S)    |
 *	      +---- 1 -------+ <-----------------------------+
 *
 * gamp_fail unwinds by _Unwind_ForcedUnwind, as pthread_exit does: frames are
 * cleaned up one after the other until the one of the innermost rt_protect is
 * reached, or one that has no unwind tables; then it jumps there.  An exception
 * of any language that nobody catches below is caught by the personality.
 *
 * The guards of a goroutine are a list on its stack, from gp->guards on; it is
 * null between goroutines.
 */
#ifndef RT_SCHED_PROTECT_H
#define RT_SCHED_PROTECT_H

#include <unwind.h>

#include <gamp/embed.h>

#include "sched/g.h"

/* A failure under way.  Not on the stack that it unwinds: in the guard that it
 * goes to, or in the G. */
struct failing {
	struct _Unwind_Exception e; /* first: what cleaning-up code is given */
	struct protect_guard *to;
	struct gamp_failure how;
};

struct protect_guard {
	struct protect_guard *outer;
	void *frame; /* of rt_protect; see base/ARCH/protect.S */
	struct failing failing;
};

/* A goroutine, in the program's code.  False: fn failed, and
 * g->failing.how says how. */
bool protect_call(struct protect_guard *g, gamp_fn *fn, void *arg);

/* To the innermost guard, or, if there is none, out of the goroutine. */
_Noreturn void protect_fail(int64_t code, void *value);

#endif
