/* SPDX-License-Identifier: MIT */
/* guard.c - the contended half of guard.h; L3 to L5 are named in lock.h. */

#include "arch/cpu.h"
#include "base/futex.h"
#include "sched/guard.h"

#define GUARD_SPINS 20 /* of 16 ns and more; a section is some 50 ns */

void guard_lock_slow(struct guard *l)
{
	for (int i = 0; i < GUARD_SPINS; i++) {
		uint32_t w = 0;

		cpu_relax();
		if (rt_load_relaxed(&l->word) == 0 &&
		    rt_cas_acqrel(&l->word, &w, 1))
			return;
	}
	while (rt_swap_acqrel(&l->word, 2) != 0) { /* L3 */
		membar_heavy();			   /* L4 */
		(void)futex_wait(&l->word, 2, 0);  /* L5 */
	}
}

void guard_unlock_slow(struct guard *l)
{
	(void)rt_swap_acqrel(&l->word, 0);
	futex_wake(&l->word, 1);
}
