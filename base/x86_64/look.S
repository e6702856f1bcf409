/* SPDX-License-Identifier: MIT */
/*
 * look.S - calls a function as if from where a context was left, x86-64.
 *
 * rt_ctx_look(ctx, fn, arg).  While fn runs the CFI says, of this frame's
 * caller: sp is ctx->sp, pc, rbp and rbx are where ctx keeps them.  So who
 * unwinds in fn goes on in the frames of the context (trace.h).
 */
	.text
	.globl	rt_ctx_look
	.hidden	rt_ctx_look
	.type	rt_ctx_look, @function
	.p2align 4
rt_ctx_look:
	.cfi_startproc
	pushq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset rbx, -16
	movq	%rdi, %rbx
	movq	%rdx, %rdi
	.cfi_remember_state
	.cfi_escape 0x0f, 3, 0x73, 0, 0x06	/* CFA: *(rbx + 0) */
	.cfi_escape 0x10, 16, 2, 0x73, 8	/* rip at rbx + 8 */
	.cfi_escape 0x10, 6, 2, 0x73, 16	/* rbp at rbx + 16 */
	.cfi_escape 0x10, 3, 2, 0x73, 24	/* rbx at rbx + 24 */
	call	*%rsi
	nop
	.cfi_restore_state
	popq	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore rbx
	ret
	.cfi_endproc
	.size	rt_ctx_look, .-rt_ctx_look
	.section .note.GNU-stack,"",@progbits
