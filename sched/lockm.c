/* SPDX-License-Identifier: MIT */
/* lockm.c - see lockm.h. */

#include "sched/detach.h"
#include "sched/idle.h"
#include "sched/lockm.h"
#include "sched/sched.h"
#include "sched/topology.h"

void lockm_bind(struct m *mp, struct g *gp)
{
	gp->lockm = mp;
	gp->task.special = TASK_LOCKED;
	g_set_rare(gp, 0, G_BINDS);
	if (mp->guest)
		return; /* there is no other M for the others */
	note_clear(&mp->note);
	m_set_locked(mp, gp);
	mp->odd = true;
	lockm_due(m_p(mp));
}

void lockm_free(struct m *mp, struct g *gp)
{
	m_set_locked(mp, NULL);
	mp->odd = mp->guest;
	gp->lockm = NULL;
	gp->task.special = 0;
}

void lockm_to(struct m *mp, struct g *gp)
{
	m_set_locked(mp, gp);
	mp->odd = true;
	gp->lock_depth = 1;
	gp->lockm = mp;
	gp->task.special = TASK_LOCKED;
}

void lockm_hand(struct m *mp, struct g *gp)
{
	struct m *to = gp->lockm;
	struct p *pp;

	rt_lock(&sched.lock);
	pp = releasep(mp);
	to->nextp = pp;
	to->next_spinning = false;
	rt_store_release(&pp->m, (uintptr_t)to); /* m.h I2 */
	rt_unlock(&sched.lock);
	(void)note_wake(&to->note);
}

static void hand_off(struct m *mp)
{
	struct p *pp;

	rt_lock(&sched.lock);
	pp = releasep(mp);
	rt_unlock(&sched.lock);
	handoffp(pp);
}

void lockm_end(struct m *mp)
{
	if (mp->guest)
		return;
	m_set_locked(mp, NULL);
	mp->ends = true;
	hand_off(mp);
}

struct g *lockm_wait(struct m *mp)
{
	int64_t since = clock_real();

	if (m_p(mp))
		hand_off(mp);
	idle_spin(mp);
	(void)note_sleep(&mp->note, 0);
	note_clear(&mp->note);
	rt_lock(&sched.lock);
	acquirep(mp, mp->nextp);
	mp->nextp = NULL;
	rt_unlock(&sched.lock);
	lockm_due(m_p(mp));
	topology_bind(mp);
	idle_slept(mp, since, true);
	return m_locked(mp);
}
