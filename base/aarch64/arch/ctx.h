/* SPDX-License-Identifier: MIT */
/*
 * ctx.h - the context switch, aarch64 AAPCS64.
 *
 * As on x86-64 (see there): inlined, a branch instead of a return.  x19 and
 * x29 are carried by hand, the rest are clobbers; of v8 to v15 only the low
 * halves are callee-saved, and the compiler saves what it must.  x18 is an
 * ordinary scratch register on Linux.
 */
#ifndef RT_BASE_CTX_H
#define RT_BASE_CTX_H

#include <stdint.h>

struct ctx {
	void *sp, *pc, *fp, *x19;
};

/* Leaves `from` and goes on in `to`; returns when somebody switches back. */
static inline __attribute__((always_inline)) void ctx_switch(
    struct ctx *from, struct ctx *to)
{
	register struct ctx *f __asm__("x0") = from;
	register struct ctx *t __asm__("x1") = to;

	__asm__ volatile("adr x2, 1f\n\t"
			 "mov x3, sp\n\t"
			 "stp x3, x2, [%0]\n\t"
			 "stp x29, x19, [%0, #16]\n\t"
			 "ldp x3, x2, [%1]\n\t"
			 "ldp x29, x19, [%1, #16]\n\t"
			 "mov sp, x3\n\t"
			 "br x2\n"
			 "1:"
			 : "+r"(f), "+r"(t)
			 :
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9",
			 "x10", "x11", "x12", "x13", "x14", "x15", "x16",
			 "x17", "x18", "x20", "x21", "x22", "x23", "x24",
			 "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2",
			 "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
			 "v11", "v12", "v13", "v14", "v15", "v16", "v17",
			 "v18", "v19", "v20", "v21", "v22", "v23", "v24",
			 "v25", "v26", "v27", "v28", "v29", "v30", "v31",
			 "memory", "cc");
}

/* Where every goroutine begins: entry.S. */
void rt_ctx_entry(void);

/* Prepares `c` to run entry() on the stack that ends below `top`. */
static inline void ctx_init(struct ctx *c, void *top, void (*entry)(void))
{
	c->sp = (void *)((uintptr_t)top & ~(uintptr_t)15);
	c->pc = (void *)rt_ctx_entry;
	c->fp = 0;
	c->x19 = (void *)entry;
}

#endif
