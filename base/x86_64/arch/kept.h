/* SPDX-License-Identifier: MIT */
/* kept.h - the registers that a call keeps for its caller, x86-64; by kept.S
 * and protect.S. */
#ifndef RT_BASE_KEPT_H
#define RT_BASE_KEPT_H

#include <stdint.h>

#define RT_KEPT	    6	/* rbp, rbx, r12 to r15 */
#define RT_RED_ZONE 128 /* bytes below sp that belong to a function */

struct kept {
	uintptr_t sp;
	uintptr_t regs[RT_KEPT];
};

#endif
