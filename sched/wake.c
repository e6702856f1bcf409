/* SPDX-License-Identifier: MIT */
/* wake.c - see wake.h for the argument; W, F, R, S are named there. */

#include "sched/apart.h"
#include "sched/guest.h"
#include "sched/poller.h"
#include "sched/wake.h"

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
	stat_inc(&sched.m_stats.wakeups);
	mp->nextp = pp;
	mp->next_spinning = spinning;
	rt_store_release(&pp->m, (uintptr_t)mp); /* m.h I2 */
	return mp;
}

/* By its futex, or out of the poller; which one it sleeps on is stale the
 * moment the lock is gone, so a poller gets both. */
static void wake_m(struct m *mp, bool polls, bool apart)
{
	uint32_t from = apart ? apart_begin(mp) : 0;

	if (polls)
		sched_poller->wake();
	else
		(void)note_wake(&mp->note);
	apart_end(mp, from);
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
		wake_m(mp, polls, false);
}

/* apart: on another processor than the caller's. */
static void start(struct p *pp, bool spinning, bool apart)
{
	struct m *mp;
	bool polls;

	if (guest_on()) {
		rt_lock(&sched.lock);
		pidle_put_locked(pp);
		rt_unlock(&sched.lock);
		guest_wake();
		return;
	}
	rt_lock(&sched.lock);
	/* A thread is better than to have nobody in the poller, if one can be
	 * had and is not for the last P: running Ps poll for themselves. */
	mp = assign_locked(pp, spinning,
	    rt_load_relaxed(&sched.npidle) == 0 ||
		sched.nm >= (uint32_t)sched.max_threads);
	polls = mp && mp == sched.poller;
	rt_unlock(&sched.lock);
	if (mp)
		wake_m(mp, polls, apart);
	else if (m_start(pp, spinning) < 0)
		start_failed(pp, spinning);
}

void startm(struct p *pp, bool spinning)
{
	start(pp, spinning, false);
}

static void wake_one(bool apart)
{
	uint32_t none = 0;
	struct p *pp;

	if (guest_on()) {
		guest_wake();
		return;
	}
	if (rt_load_relaxed(&sched.nspinning) != 0 ||
	    !rt_cas_seqcst(&sched.nspinning, &none, 1))
		return;
	rt_lock(&sched.lock);
	pp = pidle_get_locked();
	if (!pp) /* under the lock: trap 44 */
		(void)rt_sub_seqcst(&sched.nspinning, 1);
	rt_unlock(&sched.lock);
	if (pp)
		start(pp, true, apart);
}

void wakep(void)
{
	wake_one(false);
}

bool wake_work(void)
{
	if (rt_load_relaxed(&sched.nglobal) > 0 ||
	    rt_load_relaxed(&sched.nlow) > 0)
		return true;
	for (uint32_t i = 0; i < procs(); i++)
		if (pidle_is(i) ? rt_load_relaxed(&sched.ps[i].inbox) != 0 :
				  !p_empty(&sched.ps[i]))
			return true;
	return false;
}

void wake_submitted(struct p *pp, bool lone)
{
	if (pp->alone)
		return; /* the caller has the only P */
	pp->lone = false; /* of the one before, which may be stolen */
	hard_point();
	rt_fence_seqcst(); /* F1, pairs with F2 in idle.c */
	if (rt_load_relaxed(&sched.nspinning) != 0 || /* R1 */
	    rt_load_relaxed(&sched.npidle) == 0)      /* R2 */
		return;
	pp->lone = lone;
	pp->lone_at = 0;
	if (lone && pp->lone_now != (uint32_t)pp->now) {
		pp->lone_now = (uint32_t)pp->now;
		pp->lone_at = clock_real();
	}
	if (lone && rt_load_relaxed(&pp->wake_credit) > 0)
		return; /* sysmon looks after it */
	wake_one(lone); /* the caller is one who computes, as it seems */
}

void wake_global(void)
{
	rt_fence_seqcst(); /* F1, pairs with F2 in idle.c */
	if (rt_load_relaxed(&sched.nspinning) == 0 &&
	    rt_load_relaxed(&sched.npidle) != 0)
		wakep();
}

void wake_search(struct m *mp)
{
	if (!mp->spinning) {
		mp->spinning = true;
		(void)rt_add_seqcst(&sched.nspinning, 1);
	}
}

void wake_found(struct m *mp)
{
	mp->spinning = false;
	(void)rt_sub_seqcst(&sched.nspinning, 1); /* S2 */
	rt_fence_seqcst(); /* F2, pairs with F1: another may count on us */
	if (rt_load_relaxed(&sched.nspinning) == 0 &&
	    rt_load_relaxed(&sched.npidle) != 0 && wake_work()) /* S3 */
		wakep();
}

void wake_poller(int64_t when)
{
	rt_fence_seqcst(); /* pairs with the one in poll_blocking, poll.c */
	if (when < rt_load_relaxed(&sched.poll_until))
		sched_poller->wake();
}
