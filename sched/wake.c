/* SPDX-License-Identifier: MIT */
/* wake.c - see wake.h for the argument; W, F, R, S are named there. */

#include "sched/wake.h"
#include "sched/poller.h"

/*
 * Hands pp to an M that is asleep; null if there is none.  wake_m follows.
 * poller: or else to the one in the poller.
 */
static struct m *assign_locked(struct p *pp, bool spinning, bool poller)
{
	struct m *mp = sched.midle;

	if (mp) {
		sched.midle = mp->idle_link;
		sched.nmidle--;
		mp->idle = false;
	} else if (poller && sched.poller && !sched.poller->nextp) {
		mp = sched.poller;
	} else {
		return NULL;
	}
	mp->nextp = pp;
	mp->next_spinning = spinning;
	rt_store_release(&pp->m, (uintptr_t)mp); /* m.h I2 */
	return mp;
}

/* By its futex, or out of the poller; which one it sleeps on is stale the
 * moment the lock is gone, so a poller gets both. */
static void wake_m(struct m *mp, bool polls)
{
	if (polls)
		sched_poller->wake();
	else
		(void)note_wake(&mp->note);
}

/*
 * A thread cannot be had: any M that sleeps will do.  Else pp stays idle,
 * until an M comes that had given up its P and is on its way to sleep.
 */
static void start_failed(struct p *pp, bool spinning)
{
	struct m *mp;
	bool polls;

	rt_lock(&sched.lock);
	mp = assign_locked(pp, spinning, true);
	polls = mp && mp == sched.poller;
	if (!mp) {
		pidle_put_locked(pp);
		sched.unserved = true;
		if (spinning) /* under the lock: trap 44 */
			(void)rt_sub_seqcst(&sched.nspinning, 1);
	}
	rt_unlock(&sched.lock);
	if (mp)
		wake_m(mp, polls);
}

/* Runs pp, which nobody owns, on some M. */
void startm(struct p *pp, bool spinning)
{
	struct m *mp;
	bool polls;

	rt_lock(&sched.lock);
	/* A thread is better than to have nobody in the poller, if one can be
	 * had and is not for the last P: running Ps poll for themselves. */
	mp = assign_locked(pp, spinning,
	    rt_load_relaxed(&sched.npidle) == 0 ||
		sched.nm >= (uint32_t)sched.max_threads);
	polls = mp && mp == sched.poller;
	rt_unlock(&sched.lock);
	if (mp)
		wake_m(mp, polls);
	else if (m_start(pp, spinning) < 0)
		start_failed(pp, spinning);
}

void wakep(void)
{
	uint32_t none = 0;
	struct p *pp;

	if (rt_load_relaxed(&sched.nspinning) != 0 ||
	    !rt_cas_seqcst(&sched.nspinning, &none, 1))
		return;
	rt_lock(&sched.lock);
	pp = pidle_get_locked();
	if (!pp) /* under the lock: trap 44 */
		(void)rt_sub_seqcst(&sched.nspinning, 1);
	rt_unlock(&sched.lock);
	if (pp)
		startm(pp, true);
}

void wake_submitted(struct p *pp, bool lone)
{
	if (pp->alone)
		return; /* the caller has the only P */
	hard_point();
	rt_fence_seqcst(); /* F1, pairs with F2 in loop.c */
	if (rt_load_relaxed(&sched.nspinning) != 0 || /* R1 */
	    rt_load_relaxed(&sched.npidle) == 0)      /* R2 */
		return;
	if (lone && rt_load_relaxed(&pp->wake_credit) > 0)
		return; /* sysmon looks after it */
	wakep();
}

void wake_global(void)
{
	rt_fence_seqcst(); /* F1, pairs with F2 in loop.c */
	if (rt_load_relaxed(&sched.nspinning) == 0 &&
	    rt_load_relaxed(&sched.npidle) != 0)
		wakep();
}

void wake_found(struct m *mp)
{
	mp->spinning = false;
	(void)rt_sub_seqcst(&sched.nspinning, 1);
	/* Another may have counted on us: R1 and R2 on its behalf. */
	wake_global();
}

void wake_poller(int64_t when)
{
	rt_fence_seqcst(); /* pairs with the one in idle_poll, loop.c */
	if (when < rt_load_relaxed(&sched.poll_until))
		sched_poller->wake();
}
