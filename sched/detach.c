/* SPDX-License-Identifier: MIT */
/* detach.c - see detach.h, and m.h for the protocol. */

#include <sched.h>

#include "base/fatal.h"
#include "base/membar.h"
#include "base/thread.h"
#include "sched/checkpoint.h"
#include "sched/detach.h"
#include "sched/lockm.h"
#include "sched/sched.h"
#include "sched/topology.h"
#include "sched/trace.h"
#include "sched/wake.h"
#include "sched/world.h"

#define HOGS_FEW      4	 /* per processor */
#define HOG_NICE      5	 /* a third of the weight of others */
#define HOG_NICE_MANY 19 /* a seventieth */
#define HOG_SLICE     (4 * NS_PER_MS) /* others have 3 ms at most */

static void flag_locked(struct m *mp, uint32_t set, uint32_t clear) /* I1 */
{
	rt_store_relaxed(
	    &mp->flags, (rt_load_relaxed(&mp->flags) & ~clear) | set);
}

static void disown_locked(struct p *pp, struct m *mp)
{
	trace_detach(pp, m_curg(mp), m_is_blocking(mp) ?
		TRACE_WHY_BLOCKING : TRACE_WHY_DETACHED);
	sched.ndetached++;
	if (!m_is_blocking(mp)) {
		mp->mutates = true;
		sched.nmutators++;
	}
	checkpoint_ask();
	rt_store_relaxed(&mp->p, 0);
	rt_store_release(&pp->m, 0);
}

bool retake_locked(struct p *pp, uint32_t hog)
{
	struct m *mp = (struct m *)rt_load_relaxed(&pp->m);
	uint32_t flags;

	if (!mp || rt_load_acquire(&mp->in_runtime))
		return false; /* spares the barrier */
	flags = rt_load_relaxed(&mp->flags);
	rt_store_relaxed(&mp->flags, flags | M_DETACHED | hog); /* I1 */
	membar_heavy();					  /* pairs with E1 */
	if (rt_load_acquire(&mp->in_runtime)) {
		rt_store_relaxed(&mp->flags, flags);
		return false;
	}
	disown_locked(pp, mp);
	return true;
}

/* Asked: it is to be taken, and nothing was known against it. */
static bool ask_locked(struct p *pp, enum retake_whom whom)
{
	struct m *mp = (struct m *)rt_load_relaxed(&pp->m);

	pp->asked = mp && !rt_load_acquire(&mp->in_runtime) &&
	    (whom == RETAKE_ANY || m_is_blocking(mp));
	if (pp->asked) {
		flag_locked(mp, M_DETACHED, 0);
	} else if (mp) {
		rt_store_relaxed(&pp->attention, 1);
		if (whom != RETAKE_ANY && !mp->nextp)
			flag_locked(mp, M_PREEMPT, 0);
	}
	return pp->asked;
}

void retake_all_locked(enum retake_whom whom)
{
	bool any = false;

	for (uint32_t i = 0; i < procs(); i++)
		any |= ask_locked(&sched.ps[i], whom);
	if (!any)
		return;
	membar_heavy(); /* pairs with E1 */
	for (uint32_t i = 0; i < procs(); i++) {
		struct p *pp = &sched.ps[i];
		struct m *mp = (struct m *)rt_load_relaxed(&pp->m);

		if (!pp->asked)
			continue;
		pp->asked = false;
		if (rt_load_acquire(&mp->in_runtime)) {
			flag_locked(mp, 0, M_DETACHED);
			rt_store_relaxed(&pp->attention, 1);
		} else {
			disown_locked(pp, mp);
			pidle_put_locked(pp);
		}
	}
}

/* Can some M run a P that is taken? */
static bool have_m_locked(void)
{
	return sched.midle || sched.nm < (uint32_t)sched.max_threads ||
	    (sched.poller && !sched.poller->nextp);
}

static void weigh_hog(struct m *hog)
{
	(void)thread_weigh(hog->tid,
	    sched.hogs_many ? HOG_NICE_MANY : HOG_NICE, HOG_SLICE);
}

/* mp computes without a P.  All of them at once become nicer when they are
 * many.  System calls under the lock: mp may end as soon as it is free. */
static void slow_down_locked(struct m *mp)
{
	uint32_t few = HOGS_FEW * sched.ncpus;
	struct m *hog;

	mp->hog = true;
	mp->hog_link = sched.hogs;
	sched.hogs = mp;
	rt_store_relaxed(&sched.nhogs, rt_load_relaxed(&sched.nhogs) + 1);
	if (rt_load_relaxed(&sched.nhogs) <= few || sched.hogs_many) {
		weigh_hog(mp);
		return;
	}
	sched.hogs_many = true;
	for (hog = sched.hogs; hog; hog = hog->hog_link)
		weigh_hog(hog);
}

static void unlist_hog_locked(struct m *mp)
{
	struct m **at = &sched.hogs;

	while (*at != mp)
		at = &(*at)->hog_link;
	*at = mp->hog_link;
	mp->hog = false;
	rt_store_relaxed(&sched.nhogs, rt_load_relaxed(&sched.nhogs) - 1);
	if (rt_load_relaxed(&sched.nhogs) == 0)
		sched.hogs_many = false;
}

bool detach(struct p *pp, enum detach_kind why)
{
	struct m *mp;
	bool got, hog;

	rt_lock(&sched.lock);
	mp = (struct m *)rt_load_relaxed(&pp->m);
	hog = why == DETACH_COMPUTING && mp && !m_locked(mp);
	got = mp && have_m_locked() &&
	    (why != DETACH_ANNOUNCED || m_is_blocking(mp)) &&
	    retake_locked(pp, hog ? M_HOG : 0);
	if (got)
		stat_inc(&sched.m_stats.detached[why]);
	if (got && hog && m_locked(mp)) { /* between our two looks at it */
		flag_locked(mp, 0, M_HOG);
		hog = false;
	}
	if (got && hog)
		slow_down_locked(mp);
	rt_unlock(&sched.lock);
	if (got)
		handoffp(pp);
	return got;
}

void handoffp(struct p *pp)
{
	int64_t next = timers_next(&pp->timers);

	rt_lock(&sched.lock);
	/* It may only lie idle if an M in the poller sees what turns up. */
	if (p_empty(pp) && rt_load_relaxed(&sched.nglobal) == 0 &&
	    rt_load_relaxed(&sched.nlow) == 0 && sched.poller) {
		pidle_put_locked(pp);
		pp = NULL;
	}
	rt_unlock(&sched.lock);
	if (pp) {
		startm(pp, false);
		return;
	}
	wake_poller(next); /* its timers are nobody's now */
	rt_fence_seqcst(); /* F2, pairs with F1 in wake.c */
	if (wake_work())   /* S3 */
		wakep();
}

/* The thread is as others again.  False: the process may not do that. */
static bool speed_up(void)
{
	return thread_weigh(0, sched.nice, 0) == 0;
}

void settled_locked(struct m *mp)
{
	if (!mp->mutates)
		return;
	mp->mutates = false;
	if (--sched.nmutators == 0 && rt_load_relaxed(&sched.stopped))
		(void)note_wake(&sched.world_note);
}

void attach_locked(struct m *mp, struct p *pp)
{
	flag_locked(mp, 0, M_DETACHED | M_HOG | M_PREEMPT | M_SLICE);
	sched.ndetached--;
	acquirep(mp, pp);
	settled_locked(mp);
	if (m_locked(mp))
		lockm_due(pp);
	trace_attach(pp, m_curg(mp));
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
	if (rt_unlikely(world_is_mine()))
		rt_fatal("a goroutine that has stopped the world called "
			 "what needs it to go on");
	pp = pidle_get_locked();
	if (pp) {
		attach_locked(mp, pp);
	} else {
		flag_locked(mp, 0, M_DETACHED | M_HOG | M_PREEMPT | M_SLICE);
		sched.ndetached--;
	}
	rt_unlock(&sched.lock);
	if (pp) {
		topology_bind(mp);
	} else {
		m_curg(mp)->task.low = flags & M_HOG;
		m_leave_detached(mp); /* goes on when a P picks it */
		mp = m_self();
	}
	return mp;
}

/* As it computed.  Its thread is fit for others as soon as it is fast again;
 * twice, for whoever took the P may still have been slowing it down. */
static struct m *hog_back(struct m *mp)
{
	mp->spoilt = !speed_up();
	if (!mp->spoilt) {
		rt_lock(&sched.lock);
		if (mp->hog)
			unlist_hog_locked(mp);
		rt_unlock(&sched.lock);
		mp->spoilt = !speed_up();
	}
	if (!mp->spoilt)
		return reattach(mp);
	m_leave_detached(mp);
	return m_self();
}

void spoilt_put(struct m *mp, struct g *gp)
{
	uintptr_t top = rt_load_relaxed(&sched.spoilt);

	m_set_curg(mp, gp);
	do {
		mp->idle_link = (struct m *)top;
	} while (!rt_cas_acqrel(&sched.spoilt, &top, (uintptr_t)mp));
	(void)note_wake(&sched.sysmon_note);
}

void spoilt_clear(void)
{
	struct task_list low = { 0 };
	struct m *mp, *next;

	if (rt_likely(rt_load_relaxed(&sched.spoilt) == 0))
		return;
	mp = (struct m *)rt_swap_acqrel(&sched.spoilt, 0);
	rt_lock(&sched.lock);
	for (; mp; mp = next) {
		next = mp->idle_link;
		if (mp->hog)
			unlist_hog_locked(mp);
		settled_locked(mp);
		sched.ndetached--;
		m_curg(mp)->task.low = true;
		task_push(&low, &m_curg(mp)->task);
		m_end_locked(mp);
	}
	rt_unlock(&sched.lock);
	sched_put_global(&low);
	wake_global();
}

/* Asked to let others run.  Who has used up its slice waits behind them. */
static struct m *preempted(struct m *mp)
{
	uint32_t flags;

	rt_lock(&sched.lock); /* I1 */
	flags = rt_load_relaxed(&mp->flags);
	if (!(flags & M_DETACHED))
		flag_locked(mp, 0, M_PREEMPT | M_SLICE);
	rt_unlock(&sched.lock);
	if (flags & M_DETACHED)
		return mp;
	stat_inc(&m_p(mp)->stats->preempted);
	trace_event(m_p(mp), TRACE_PREEMPT, 0, g_id(m_curg(mp)), 0);
	m_curg(mp)->task.low = flags & M_SLICE;
	rt_yield_far();
	mp = m_self();
	m_curg(mp)->task.low = false; /* nobody else could run */
	return mp;
}

struct m *m_enter_slow(struct m *mp)
{
	while (m_curg(mp)) {
		uint32_t flags;

		if (sched.fence_mode)
			rt_fence_seqcst(); /* instead of the membarrier */
		flags = rt_load_relaxed(&mp->flags);
		if ((flags & M_DETACHED) && (flags & M_HOG))
			mp = hog_back(mp);
		else if (flags & M_DETACHED)
			mp = reattach(mp);
		else if ((flags & M_PREEMPT) && !rcu_inside(&mp->rcu))
			mp = preempted(mp);
		else
			break;
	}
	return mp; /* g0 has a P for as long as it calls out */
}

struct p *give_up_locked(struct m *mp)
{
	struct p *pp = m_p(mp);

	flag_locked(mp, M_DETACHED, 0);
	disown_locked(pp, mp);
	stat_inc(&sched.m_stats.detached[DETACH_ANNOUNCED]);
	return pp;
}

void give_up(struct m *mp)
{
	struct p *pp;

	rt_lock(&sched.lock);
	pp = give_up_locked(mp);
	rt_unlock(&sched.lock);
	handoffp(pp);
}

/* What its goroutine refers to is on its stack from kept->sp on, and in
 * kept->regs, until it comes back. */
static void begin_blocking(struct m *mp, const struct kept *kept)
{
	struct g *gp = m_curg(mp);

	gp->blocking = 1;
	gp->kept = *kept;
	g_set_rare(gp, G_BLOCKING, 0);
	m_set_rare(mp, G_BLOCKING, 0);
	if (rt_unlikely(sched.fake_time))
		(void)rt_add_seqcst(&sched.nblocking, 1);
}

struct m *blocking_begin(const struct kept *kept)
{
	struct m *mp = m_enter();

	if (!mp || !m_curg(mp))
		return NULL;
	if (!g_is_blocking(m_curg(mp)))
		begin_blocking(mp, kept);
	else if (m_curg(mp)->blocking < UINT8_MAX)
		m_curg(mp)->blocking++;
	return mp;
}

void blocking_enter(const struct kept *kept)
{
	struct m *mp = blocking_begin(kept);

	if (!mp)
		return;
	if (!mp->guest && (sched.seed != 0 || !p_empty(m_p(mp)) ||
		rt_load_relaxed(&sched.nglobal) > 0))
		give_up(mp);
	m_exit();
}

void blocking_leave(void)
{
	struct m *mp = m_enter();

	if (!mp || !m_curg(mp))
		return;
	if (g_is_blocking(m_curg(mp)) && --m_curg(mp)->blocking == 0) {
		g_set_rare(m_curg(mp), 0, G_BLOCKING);
		m_set_rare(mp, 0, G_BLOCKING);
		if (rt_unlikely(sched.fake_time))
			(void)rt_sub_seqcst(&sched.nblocking, 1);
	}
	m_exit();
}
