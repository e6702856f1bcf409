/* SPDX-License-Identifier: MIT */
/*
 * kept.S - calls that leave a record of the caller's registers, x86-64.
 *
 * What a function keeps for its caller is in registers that the compiler may
 * store anywhere, or nowhere, before C code could look: so these public calls
 * begin here.  Each makes a struct kept (arch/kept.h) on the stack, and calls
 * its other half with its address, and its own argument as the second.
 */
	.macro	keeping name, half, scope
	.globl	\name
	.ifc	\scope, hidden
	.hidden	\name
	.endif
	.hidden	\half
	.type	\name, @function
	.p2align 4
\name:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r13
	.cfi_def_cfa_offset 32
	pushq	%r12
	.cfi_def_cfa_offset 40
	pushq	%rbx
	.cfi_def_cfa_offset 48
	pushq	%rbp
	.cfi_def_cfa_offset 56
	leaq	56(%rsp), %rax	/* the caller's, when this has returned */
	pushq	%rax
	.cfi_def_cfa_offset 64
	movq	%rdi, %rsi
	movq	%rsp, %rdi
	call	\half
	addq	$56, %rsp	/* the registers are as they were */
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc
	.size	\name, .-\name
	.endm

	.text
	keeping	gamp_enter_blocking, blocking_enter, public
	keeping	gamp_stop_world, stop_world, public
	keeping	world_stop, world_stop_kept, hidden
	.section .note.GNU-stack,"",@progbits
