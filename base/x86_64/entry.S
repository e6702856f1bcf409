/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the first frame of a goroutine, x86-64.
 *
 * rbx holds the function to call; it does not return.  The CFI says that
 * there is no caller, so that gdb, perf and C++ unwinding end here.
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
	.section .note.GNU-stack,"",@progbits
