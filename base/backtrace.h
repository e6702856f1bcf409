/* SPDX-License-Identifier: MIT */
/*
 * backtrace.h - backtraces: of the caller, out of a signal, of a saved context.
 *
 * All by the unwinder that every compiler brings (libgcc), from the CFI of
 * the code; frame pointers are not needed.  It allocates nothing; with glibc
 * 2.35 and later it takes no lock either.
 *
 * A saved context is walked by a function in assembly (look.S) whose CFI says
 * that its caller's registers are those of the context.  The context must not
 * be resumed meanwhile.
 */
#ifndef RT_BASE_BACKTRACE_H
#define RT_BASE_BACKTRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/ctx.h"

#define TRACE_FIRST 32 /* frames kept of the inner end */
#define TRACE_LAST  16 /* and of the outer */

struct backtrace {
	uint32_t n; /* frames seen */
	bool exact; /* pc[0] is where it stopped, not a return address */
	uintptr_t pc[TRACE_FIRST + TRACE_LAST];
};

/* The calling function's callers, from the one that is at `from` on. */
void backtrace_here(struct backtrace *t, void *from);

/* In a signal handler: what the signal interrupted, at pc. */
void backtrace_signal(struct backtrace *t, uintptr_t pc);

void backtrace_ctx(struct backtrace *t, struct ctx *c);

/* Frame i of t->n: its address, or 0 if it was not kept. */
uintptr_t backtrace_at(const struct backtrace *t, uint32_t i);

/* What the unwinder does at its first use is done. */
void backtrace_init(void);

/* look.S: fn(arg), as if called from where c was left. */
void rt_ctx_look(struct ctx *c, void (*fn)(void *arg), void *arg);

#endif
