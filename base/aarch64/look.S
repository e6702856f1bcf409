/* SPDX-License-Identifier: MIT */
/*
 * look.S - calls a function as if from where a context was left, aarch64.
 *
 * As on x86-64 (see there).  While fn runs x19 is ctx, and the CFI finds the
 * caller's sp, pc (as x30), x29 and x19 in it.
 */
	.text
	.globl	rt_ctx_look
	.hidden	rt_ctx_look
	.type	rt_ctx_look, @function
	.p2align 4
rt_ctx_look:
	.cfi_startproc
	stp	x29, x30, [sp, #-32]!
	.cfi_def_cfa_offset 32
	.cfi_offset x29, -32
	.cfi_offset x30, -24
	str	x19, [sp, #16]
	.cfi_offset x19, -16
	mov	x19, x0
	mov	x0, x2
	.cfi_remember_state
	.cfi_escape 0x0f, 3, 0x83, 0, 0x06	/* CFA: *(x19 + 0) */
	.cfi_escape 0x10, 30, 2, 0x83, 8	/* x30 at x19 + 8 */
	.cfi_escape 0x10, 29, 2, 0x83, 16	/* x29 at x19 + 16 */
	.cfi_escape 0x10, 19, 2, 0x83, 24	/* x19 at x19 + 24 */
	blr	x1
	nop
	.cfi_restore_state
	ldr	x19, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	.cfi_restore x19
	ret
	.cfi_endproc
	.size	rt_ctx_look, .-rt_ctx_look
	.section .note.GNU-stack,"",@progbits
