/* SPDX-License-Identifier: MIT */
/* runq.c - see runq.h for the protocol; P1, P2 and I1..I3 are named there. */

#include "sched/runq.h"
#include "base/fatal.h"

/*
 * Copies half of victim behind dst's tail without publishing it, then claims
 * the copies with one CAS.  Returns how many were claimed.
 */
static uint32_t grab(struct runq *dst, struct runq *victim, uint32_t at)
{
	uint32_t h = rt_load_acquire(&victim->head);

	for (;;) {
		uint32_t n = rt_load_acquire(&victim->tail) - h; /* P1 */

		/*
		 * head moved between the two loads.  The CAS would fail
		 * anyway; this only bounds the copy.
		 */
		if (n > RUNQ_SIZE) {
			h = rt_load_acquire(&victim->head);
			continue;
		}
		n -= n / 2;
		if (n == 0)
			return 0;
		for (uint32_t i = 0; i < n; i++)
			rt_store_relaxed(SLOT(dst, at + i),
			    rt_load_relaxed(SLOT(victim, h + i)));
		if (rt_cas_acqrel(&victim->head, &h, h + n)) /* P2, I3 */
			return n;
	}
}

struct task *runq_steal(struct runq *dst, struct runq *victim)
{
	uint32_t t = rt_load_relaxed(&dst->tail);
	uint32_t n = grab(dst, victim, t);

	if (n == 0)
		return NULL;
	if (n > 1)
		rt_store_release(&dst->tail, t + n - 1); /* P1 */
	return (struct task *)rt_load_relaxed(SLOT(dst, t + n - 1));
}
