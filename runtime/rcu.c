/* SPDX-License-Identifier: MIT */
/* rcu.c - gamp/rcu.h; what it does is in sched/rcu.h and rcu_work.h. */

#include <errno.h>

#include <gamp/rcu.h>

#include "sched/m.h"
#include "sched/rcu_work.h"

void gamp_rcu_read_lock(void)
{
	struct m *mp = m_self();

	if (rt_likely(mp != NULL))
		rcu_begin(&mp->rcu);
	else
		rcu_thread_begin();
}

/* Somebody waits for this section; or its end was waited for, to preempt. */
static __attribute__((noinline)) void end_special(struct m *mp)
{
	if (rcu_inside(&mp->rcu))
		return; /* not the outermost */
	if (rt_load_relaxed(&mp->rcu.special))
		rcu_settle(&mp->rcu, m_curg(mp) ? &m_curg(mp)->rcu : NULL);
	if (m_curg(mp) && (rt_load_relaxed(&mp->flags) & ~M_FENCE)) {
		(void)m_enter();
		m_exit();
	}
}

void gamp_rcu_read_unlock(void)
{
	struct m *mp = m_self();
	uint32_t special;

	if (rt_unlikely(!mp)) {
		rcu_thread_end();
		return;
	}
	special = rcu_end(&mp->rcu);
	if (rt_unlikely(special | rt_load_relaxed(&mp->flags)))
		end_special(mp);
}

int gamp_rcu_synchronize(void)
{
	int r;

	(void)m_enter();
	r = rcu_wait();
	m_exit();
	return r;
}

int gamp_rcu_defer(gamp_fn *fn, void *arg)
{
	return fn ? rcu_call(fn, arg) : -EINVAL;
}

int gamp_rcu_barrier(void)
{
	int r;

	(void)m_enter();
	r = rcu_barrier();
	m_exit();
	return r;
}
