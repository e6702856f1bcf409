/* SPDX-License-Identifier: MIT */
/* kept.S - calls that leave a record of the caller's registers, aarch64: as on
 * x86-64 (see there). */
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
	mov	x9, sp
	stp	x29, x30, [sp, #-112]!
	.cfi_def_cfa_offset 112
	.cfi_offset x29, -112
	.cfi_offset x30, -104
	mov	x1, x0
	str	x9, [sp, #16]
	stp	x29, x19, [sp, #24]
	stp	x20, x21, [sp, #40]
	stp	x22, x23, [sp, #56]
	stp	x24, x25, [sp, #72]
	stp	x26, x27, [sp, #88]
	str	x28, [sp, #104]
	add	x0, sp, #16
	bl	\half
	ldp	x29, x30, [sp], #112
	.cfi_def_cfa_offset 0
	.cfi_restore x29
	.cfi_restore x30
	ret
	.cfi_endproc
	.size	\name, .-\name
	.endm

	.text
	keeping	gamp_enter_blocking, blocking_enter, public
	keeping	gamp_stop_world, stop_world, public
	keeping	world_stop, world_stop_kept, hidden
	.section .note.GNU-stack,"",@progbits
