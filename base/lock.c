/* SPDX-License-Identifier: MIT */
/* lock.c - the contended half of lock.h, and its rank check. */

#include <stddef.h>

#include "base/fatal.h"
#include "base/futex.h"
#include "base/lock.h"
#include "arch/cpu.h"

/* A critical section is some 50 ns, a PAUSE 16 ns or more. */
#define LOCK_SPINS 20

#ifdef RT_DEBUG

static _Thread_local uint8_t held[16];
static _Thread_local int nheld;

/* No park happens while a lock is held, so the thread stays the same. */
void rt_rank_push(uint8_t rank)
{
	if (rank == RANK_NONE)
		rt_fatal("a lock was not initialised");
	if (nheld > 0 && held[nheld - 1] >= rank)
		rt_fatal("lock order violated; see base/lock.h");
	if (nheld == (int)sizeof(held))
		rt_fatal("too many locks held");
	held[nheld++] = rank;
}

void rt_rank_pop(uint8_t rank)
{
	if (nheld == 0 || held[nheld - 1] != rank)
		rt_fatal("unlock out of order");
	nheld--;
}

#endif

void rt_lock_slow(struct rt_lock *l)
{
	for (int i = 0; i < LOCK_SPINS; i++) {
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

void rt_unlock_slow(struct rt_lock *l)
{
	(void)rt_swap_acqrel(&l->word, 0);
	futex_wake(&l->word, 1);
}
