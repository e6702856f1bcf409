/* SPDX-License-Identifier: MIT */
/* blocking.c - taking and giving a P around the program's own code; the
 * protocol is in m.h. */

#include <gamp/go.h>

#include "base/fatal.h"
#include "base/membar.h"
#include "sched/sched.h"
#include "sched/wake.h"

bool retake_locked(struct p *pp)
{
	struct m *mp = (struct m *)rt_load_relaxed(&pp->m);
	uint32_t flags;

	if (!mp || rt_load_acquire(&mp->in_runtime))
		return false; /* spares the barrier */
	flags = rt_load_relaxed(&mp->flags);
	rt_store_relaxed(&mp->flags, flags | M_DETACHED); /* I1 */
	membar_heavy();					  /* pairs with E1 */
	if (rt_load_acquire(&mp->in_runtime)) {
		rt_store_relaxed(&mp->flags, flags);
		return false;
	}
	rt_store_relaxed(&mp->p, 0);
	rt_store_release(&pp->m, 0);
	return true;
}

void handoffp(struct p *pp)
{
	int64_t next = timers_next(&pp->timers);
	struct p *idle = pp;

	rt_lock(&sched.lock);
	/* It may only lie idle if an M in the poller sees what turns up. */
	if (p_empty(pp) && rt_load_relaxed(&sched.nglobal) == 0 &&
	    sched.poller) {
		pidle_put_locked(pp);
		pp = NULL;
	}
	rt_unlock(&sched.lock);
	if (pp) {
		startm(pp, false);
		return;
	}
	wake_poller(next); /* its timers are nobody's now */
	rt_fence_seqcst(); /* F2, and S3 for the queues we may miss */
	if (rt_load_relaxed(&sched.nglobal) > 0 ||
	    rt_load_relaxed(&idle->inbox) != 0)
		wakep();
}

/* The goroutine lost its P while it was in the program's code. */
static struct m *reattach(struct m *mp)
{
	struct p *pp = NULL;
	uint32_t flags;

	rt_lock(&sched.lock);
	flags = rt_load_relaxed(&mp->flags);
	if (!(flags & M_DETACHED)) { /* the request was taken back */
		rt_unlock(&sched.lock);
		return mp;
	}
	rt_store_relaxed(&mp->flags, flags & ~M_DETACHED);
	pp = pidle_get_locked();
	if (pp)
		acquirep(mp, pp);
	rt_unlock(&sched.lock);
	if (!pp) {
		m_leave_detached(mp); /* goes on when a P picks it */
		mp = m_self();
	}
	return mp;
}

struct m *m_enter_slow(struct m *mp)
{
	while (mp->curg) {
		uint32_t flags;

		if (sched.fence_mode)
			rt_fence_seqcst(); /* instead of the membarrier */
		flags = rt_load_relaxed(&mp->flags);
		if (flags & M_DETACHED) {
			mp = reattach(mp);
		} else if (flags & M_PREEMPT) {
			rt_lock(&sched.lock); /* I1 */
			flags = rt_load_relaxed(&mp->flags);
			rt_store_relaxed(&mp->flags, flags & ~M_PREEMPT);
			rt_unlock(&sched.lock);
			if (!(flags & M_DETACHED)) {
				rt_yield();
				mp = m_self();
			}
		} else {
			break;
		}
	}
	return mp; /* g0 has a P for as long as it calls out */
}

static void give_up(struct m *mp)
{
	struct p *pp;

	rt_lock(&sched.lock);
	rt_store_relaxed(
	    &mp->flags, rt_load_relaxed(&mp->flags) | M_DETACHED);
	pp = releasep(mp);
	rt_unlock(&sched.lock);
	handoffp(pp);
}

void blocking_enter(void)
{
	struct m *mp = m_enter();
	struct g *gp;

	if (!mp || !mp->curg)
		return;
	gp = mp->curg;
	if (gp->blocking < UINT8_MAX)
		gp->blocking++;
	if (gp->blocking == 1) {
		rt_store_relaxed(&mp->blocking, 1);
		if (rt_unlikely(sched.fake_time))
			(void)rt_add_seqcst(&sched.nblocking, 1);
		if (sched.seed != 0 || !p_empty(m_p(mp)) ||
		    rt_load_relaxed(&sched.nglobal) > 0)
			give_up(mp);
	}
	m_exit();
}

void blocking_leave(void)
{
	struct m *mp = m_enter();

	if (!mp || !mp->curg)
		return;
	if (mp->curg->blocking > 0 && --mp->curg->blocking == 0) {
		rt_store_relaxed(&mp->blocking, 0);
		if (rt_unlikely(sched.fake_time))
			(void)rt_sub_seqcst(&sched.nblocking, 1);
	}
	m_exit();
}
