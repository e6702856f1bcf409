/* SPDX-License-Identifier: MIT */
/* backtrace.c - see backtrace.h. */

#include <stddef.h>
#include <unwind.h>

#include "base/backtrace.h"

#define WALK_MAX (1u << 22) /* a 64 MiB stack of the smallest frames */

struct walk {
	struct backtrace *t;
	uintptr_t from; /* not kept until this is met; 0: all are */
	uint32_t seen;
};

static void keep(struct backtrace *t, uintptr_t pc)
{
	uint32_t i = t->n++;

	if (i >= TRACE_FIRST)
		i = TRACE_FIRST + (i - TRACE_FIRST) % TRACE_LAST;
	t->pc[i] = pc;
}

static _Unwind_Reason_Code step(struct _Unwind_Context *c, void *arg)
{
	struct walk *w = arg;
	uintptr_t pc = (uintptr_t)_Unwind_GetIP(c);

	if (pc == w->from)
		w->from = 0;
	if (pc == 0 || ++w->seen > WALK_MAX)
		return _URC_END_OF_STACK;
	if (w->from == 0)
		keep(w->t, pc);
	return _URC_NO_REASON;
}

static void walk(void *arg)
{
	(void)_Unwind_Backtrace(step, arg);
}

/* What could not be walked has one frame, at least. */
static void finish(struct backtrace *t, uintptr_t pc)
{
	if (t->n == 0)
		keep(t, pc);
}

void backtrace_here(struct backtrace *t, void *from)
{
	struct walk w = { t, (uintptr_t)from, 0 };

	t->n = 0;
	t->exact = false;
	walk(&w);
	finish(t, (uintptr_t)from);
}

void backtrace_signal(struct backtrace *t, uintptr_t pc)
{
	struct walk w = { t, pc, 0 };

	t->n = 0;
	t->exact = true;
	walk(&w);
	finish(t, pc);
}

void backtrace_ctx(struct backtrace *t, struct ctx *c)
{
	struct walk w = { t, (uintptr_t)c->pc, 0 };

	t->n = 0;
	t->exact = false;
	rt_ctx_look(c, walk, &w);
	finish(t, (uintptr_t)c->pc);
}

uintptr_t backtrace_at(const struct backtrace *t, uint32_t i)
{
	if (i < TRACE_FIRST)
		return t->pc[i];
	if (i + TRACE_LAST < t->n)
		return 0;
	return t->pc[TRACE_FIRST + (i - TRACE_FIRST) % TRACE_LAST];
}

void backtrace_init(void)
{
	struct backtrace t;

	backtrace_here(&t, NULL);
}
