/* SPDX-License-Identifier: MIT */
/*
 * entry.S - the first frame of a goroutine, aarch64.
 *
 * x19 holds the function to call; it does not return.  The CFI says that
 * there is no caller, so that unwinding ends here.
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
	.section .note.GNU-stack,"",@progbits
