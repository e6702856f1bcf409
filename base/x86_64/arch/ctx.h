/* SPDX-License-Identifier: MIT */
/*
 * ctx.h - the context switch, x86-64 System V.
 *
 * A switch stores where to go on in memory of the one that leaves and jumps
 * to where the other one left.  It is inlined and uses jmp, so that calls and
 * returns stay matched for the processor's return stack; rbx and rbp are
 * carried by hand (compilers reserve them), all other registers are clobbers,
 * so only what is live is saved, by the compiler, in the frame.  Nothing is
 * pushed: the red zone of the one that leaves stays as it is.
 *
 * mxcsr and the x87 control word are not switched (1.8 ns for nearly nobody).
 */
#ifndef RT_BASE_CTX_H
#define RT_BASE_CTX_H

#include <stdint.h>

struct ctx {
	void *sp, *pc, *bp, *bx;
};

/* Leaves `from` and goes on in `to`; returns when somebody switches back. */
static inline __attribute__((always_inline)) void ctx_switch(
    struct ctx *from, struct ctx *to)
{
	__asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rsp, 0(%0)\n\t"
			 "movq %%rax, 8(%0)\n\t"
			 "movq %%rbp, 16(%0)\n\t"
			 "movq %%rbx, 24(%0)\n\t"
			 "movq 0(%1), %%rsp\n\t"
			 "movq 16(%1), %%rbp\n\t"
			 "movq 24(%1), %%rbx\n\t"
			 "jmpq *8(%1)\n"
			 "1:"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12",
			 "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3",
			 "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
			 "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
			 "memory", "cc");
}

/* Where every goroutine begins: entry.S. */
void rt_ctx_entry(void);

/* Prepares `c` to run entry() on the stack that ends below `top`. */
static inline void ctx_init(struct ctx *c, void *top, void (*entry)(void))
{
	c->sp = (void *)((uintptr_t)top & ~(uintptr_t)15);
	c->pc = (void *)rt_ctx_entry;
	c->bp = 0;
	c->bx = (void *)entry;
}

#endif
