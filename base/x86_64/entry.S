/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the first frame of a goroutine, and of a child process, x86-64.
 *
 * rt_ctx_entry: rbx holds the function to call; it does not return.  The CFI
 * says that there is no caller, so that gdb, perf and C++ unwinding end here.
 */
	.text
	.globl	rt_ctx_entry
	.hidden	rt_ctx_entry
	.type	rt_ctx_entry, @function
	.p2align 4
rt_ctx_entry:
	.cfi_startproc
	.cfi_undefined rip
	xorl	%ebp, %ebp
	call	*%rbx
	ud2
	.cfi_endproc
	.size	rt_ctx_entry, .-rt_ctx_entry

/*
 * long cpu_clone(unsigned long flags, void *stack_top, int *pidfd,
 *     void (*fn)(void *), void *arg);
 * The child calls fn(arg) on its own stack; fn does not return.
 */
	.globl	cpu_clone
	.hidden	cpu_clone
	.type	cpu_clone, @function
	.p2align 4
cpu_clone:
	.cfi_startproc
	movq	%rcx, %r9	/* fn: the kernel spoils rcx */
	xorl	%r10d, %r10d
	movl	$56, %eax	/* clone; arg stays in r8, without SETTLS */
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	.cfi_undefined rip
	xorl	%ebp, %ebp
	movq	%r8, %rdi
	call	*%r9
	ud2
	.cfi_endproc
	.size	cpu_clone, .-cpu_clone
	.section .note.GNU-stack,"",@progbits
