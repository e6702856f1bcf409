/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the first frame of a goroutine, and of a child process, aarch64.
 *
 * rt_ctx_entry: x19 holds the function to call; it does not return.  The CFI
 * says that there is no caller, so that unwinding ends here.
 */
	.text
	.globl	rt_ctx_entry
	.hidden	rt_ctx_entry
	.type	rt_ctx_entry, @function
	.p2align 4
rt_ctx_entry:
	.cfi_startproc
	.cfi_undefined x30
	mov	x29, #0
	mov	x30, #0
	blr	x19
	brk	#1
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
	mov	x5, x3
	mov	x6, x4
	mov	x3, #0
	mov	x4, #0
	mov	x8, #220	/* clone */
	svc	#0
	cbz	x0, 1f
	ret
1:	.cfi_undefined x30
	mov	x29, #0
	mov	x30, #0
	mov	x0, x6
	blr	x5
	brk	#1
	.cfi_endproc
	.size	cpu_clone, .-cpu_clone
	.section .note.GNU-stack,"",@progbits
