/* SPDX-License-Identifier: MIT */
/* kept.h - the registers that a call keeps for its caller, aarch64; by kept.S
 * and protect.S. */
#ifndef RT_BASE_KEPT_H
#define RT_BASE_KEPT_H

#include <stdint.h>

#define RT_KEPT	    11 /* x29, x19 to x28 */
#define RT_RED_ZONE 0  /* bytes below sp that belong to a function */

struct kept {
	uintptr_t sp;
	uintptr_t regs[RT_KEPT];
};

#endif
