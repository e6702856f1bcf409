/* SPDX-License-Identifier: MIT */
/* protect.S - a call that can be left from anywhere below it, aarch64: as on
 * x86-64 (see there). */
	.text
	.globl	rt_protect
	.hidden	rt_protect
	.hidden	protect_personality
	.type	rt_protect, @function
	.p2align 4
rt_protect:
	.cfi_startproc
	.cfi_personality 0x1b, protect_personality
	stp	x29, x30, [sp, #-160]!
	.cfi_def_cfa_offset 160
	.cfi_offset x29, -160
	.cfi_offset x30, -152
	stp	x19, x20, [sp, #16]
	.cfi_offset x19, -144
	.cfi_offset x20, -136
	stp	x21, x22, [sp, #32]
	.cfi_offset x21, -128
	.cfi_offset x22, -120
	stp	x23, x24, [sp, #48]
	.cfi_offset x23, -112
	.cfi_offset x24, -104
	stp	x25, x26, [sp, #64]
	.cfi_offset x25, -96
	.cfi_offset x26, -88
	stp	x27, x28, [sp, #80]
	.cfi_offset x27, -80
	.cfi_offset x28, -72
	stp	d8, d9, [sp, #96]
	.cfi_offset 72, -64
	.cfi_offset 73, -56
	stp	d10, d11, [sp, #112]
	.cfi_offset 74, -48
	.cfi_offset 75, -40
	stp	d12, d13, [sp, #128]
	.cfi_offset 76, -32
	.cfi_offset 77, -24
	stp	d14, d15, [sp, #144]
	.cfi_offset 78, -16
	.cfi_offset 79, -8
	mov	x3, sp
	str	x3, [x2]
	mov	x2, x0
	mov	x0, x1
	blr	x2
	mov	w0, #0
.Lout:
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	d8, d9, [sp, #96]
	ldp	d10, d11, [sp, #112]
	ldp	d12, d13, [sp, #128]
	ldp	d14, d15, [sp, #144]
	ldp	x29, x30, [sp], #160
	.cfi_def_cfa_offset 0
	ret
	.cfi_endproc
	.size	rt_protect, .-rt_protect

/* void rt_unprotect(void *frame) */
	.globl	rt_unprotect
	.hidden	rt_unprotect
	.type	rt_unprotect, @function
	.p2align 4
rt_unprotect:
	mov	sp, x0
	mov	w0, #1
	b	.Lout
	.size	rt_unprotect, .-rt_unprotect
	.section .note.GNU-stack,"",@progbits
