/* SPDX-License-Identifier: MIT */
/* checkpoint.c - see checkpoint.h. */

#include "sched/checkpoint.h"
#include "sched/sched.h"

/* A plain word to the program, gamp/go.h. */
GAMP_API rt_a32 word __asm__("gamp_checkpoint_word");

bool checkpoint_is_set(void)
{
	return rt_load_relaxed(&word);
}

void checkpoint_ask(void)
{
	rt_fence_seqcst();
	rt_store_relaxed(&word, 1); /* K2 */
}

/* Has the owner of pp anything to see? */
static bool asked_locked(struct p *pp)
{
	struct m *mp = (struct m *)rt_load_relaxed(&pp->m);
	struct g *gp = mp ? m_curg(mp) : NULL;

	return mp &&
	    ((rt_load_relaxed(&mp->flags) & M_PREEMPT) ||
		(gp && (rt_load_relaxed(&gp->tag) & 1)));
}

static bool anything(void)
{
	bool any;

	rt_lock(&sched.lock);
	any = sched.ndetached > 0 || rt_load_relaxed(&sched.stopped);
	for (uint32_t i = 0; i < procs() && !any; i++)
		any = !pidle_is(i) && asked_locked(&sched.ps[i]);
	rt_unlock(&sched.lock);
	return any;
}

void checkpoint_settle(void)
{
	bool any = anything();

	if (!any && rt_load_relaxed(&word) != 0) {
		rt_store_relaxed(&word, 0); /* K3 */
		rt_fence_seqcst();
		any = anything(); /* K4 */
	}
	if (any)
		rt_store_relaxed(&word, 1);
}
