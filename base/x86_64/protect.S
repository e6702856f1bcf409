/* SPDX-License-Identifier: MIT */
/*
 * protect.S - a call that can be left from anywhere below it, x86-64.
 *
 * int rt_protect(void (*fn)(void *), void *arg, void **frame): calls fn(arg)
 * and returns 0; or returns 1, when rt_unprotect(*frame) is called meanwhile.
 * *frame is set before fn is called.  An exception that unwinds to here is
 * protect_personality's, in sched/protect.c.
 */
	.text
	.globl	rt_protect
	.hidden	rt_protect
	.hidden	protect_personality
	.type	rt_protect, @function
	.p2align 4
rt_protect:
	.cfi_startproc
	.cfi_personality 0x1b, protect_personality
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset rbp, -16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	.cfi_offset rbx, -24
	pushq	%r12
	.cfi_def_cfa_offset 32
	.cfi_offset r12, -32
	pushq	%r13
	.cfi_def_cfa_offset 40
	.cfi_offset r13, -40
	pushq	%r14
	.cfi_def_cfa_offset 48
	.cfi_offset r14, -48
	pushq	%r15
	.cfi_def_cfa_offset 56
	.cfi_offset r15, -56
	subq	$8, %rsp
	.cfi_def_cfa_offset 64
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movq	%rsp, (%rdx)
	movq	%rdi, %rax
	movq	%rsi, %rdi
	call	*%rax
	xorl	%eax, %eax
.Lout:
	addq	$8, %rsp
	.cfi_def_cfa_offset 56
	popq	%r15
	.cfi_def_cfa_offset 48
	popq	%r14
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r12
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	ret
	.cfi_endproc
	.size	rt_protect, .-rt_protect

/* void rt_unprotect(void *frame) */
	.globl	rt_unprotect
	.hidden	rt_unprotect
	.type	rt_unprotect, @function
	.p2align 4
rt_unprotect:
	movq	%rdi, %rsp
	ldmxcsr	(%rsp)
	fnclex
	fldcw	4(%rsp)
	movl	$1, %eax
	jmp	.Lout
	.size	rt_unprotect, .-rt_unprotect
	.section .note.GNU-stack,"",@progbits
