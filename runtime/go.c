/* SPDX-License-Identifier: MIT */
/* go.c - the calls of gamp/go.h that goroutines make. */

#include <errno.h>
#include <stdlib.h>

#include <gamp/errno.h>
#include <gamp/go.h>

#include "base/fatal.h"
#include "runtime/go.h"
#include "runtime/leave.h"
#include "sched/cancel.h"
#include "sched/embed.h"
#include "sched/entry.h"
#include "sched/except.h"
#include "sched/lockm.h"
#include "sched/procs.h"
#include "sched/sleep.h"
#include "sched/solo.h"
#include "sched/world.h"

/* By mp, which has entered, or by a thread: null. */
static inline int64_t start(struct m *mp, int cls,
    const struct gamp_go_options *opt, gamp_fn *fn, void *arg, void *site)
{
	struct p *pp = mp ? m_p(mp) : NULL;
	struct g *self = mp ? m_curg(mp) : NULL, *gp;
	int err = 0;
	int64_t id;

	gp = g_new(pp, cls, fn, arg, &err);
	if (rt_unlikely(!gp))
		return err;
	id = g_id(gp);
	if (rt_unlikely(opt != NULL)) {
		gp->name = opt->name;
		if (opt->lock_thread)
			lockm_later(gp);
		if (opt->exceptions)
			except_later(gp);
	}
	if (rt_likely(self != NULL))
		gp->parent = g_id(self);
	gp->site = site;
	g_count(pp);
	g_born(gp);
	rt_start(gp);
	return id;
}

static int class_of(const struct gamp_go_options *opt)
{
	if (rt_unlikely(opt && opt->stack_size))
		return arena_class(opt->stack_size);
	return sched.default_class;
}

/* By a thread that is not the runtime's. */
static __attribute__((noinline)) int64_t go_outside(
    const struct gamp_go_options *opt, gamp_fn *fn, void *arg, void *site)
{
	int64_t id;
	int cls;

	if (!entry_begin())
		return -ESRCH;
	cls = class_of(opt);
	if (cls < 0)
		id = cls;
	else if (rt_load_relaxed(&sched.stopping))
		id = -ECANCELED;
	else
		id = start(NULL, cls, opt, fn, arg, site);
	entry_end();
	return id;
}

int64_t go_at(const struct gamp_go_options *opt, gamp_fn *fn, void *arg,
    void *site)
{
	struct m *mp = m_self();
	int64_t id;
	int cls;

	if (rt_unlikely(!fn))
		return -EINVAL;
	if (rt_unlikely(!mp))
		return go_outside(opt, fn, arg, site);
	cls = class_of(opt);
	if (rt_unlikely(cls < 0))
		return cls;
	if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		return -ECANCELED;
	mp = m_enter();
	id = start(mp, cls, opt, fn, arg, site);
	m_leave(mp);
	return id;
}

int64_t gamp_go_with(const struct gamp_go_options *opt, gamp_fn *fn, void *arg)
{
	return go_at(opt, fn, arg, __builtin_return_address(0));
}

int64_t gamp_go(gamp_fn *fn, void *arg)
{
	return go_at(NULL, fn, arg, __builtin_return_address(0));
}

void gamp_yield(void)
{
	struct m *mp = m_enter();

	if (!mp || !m_curg(mp))
		return;
	rt_yield();
	m_exit_g();
}

_Noreturn void gamp_exit(void)
{
	struct m *mp = m_self();
	struct g *gp = mp ? m_curg(mp) : NULL;

	if (!gp)
		rt_fatal("gamp_exit outside a goroutine");
	san_tear(G_SAN(gp));
	gp->guards = NULL;
	if (gp->frame)
		leave_again(gp);
	if (gp->leaving)
		gp->leaving(gp);
	if (rt_unlikely(sched.embed != NULL))
		embed_exit(gp);
	(void)m_enter();
	san_release(gp); /* who gets the stack next */
	rt_goexit();
}

int64_t gamp_self(void)
{
	struct m *mp = m_self();

	return mp && m_curg(mp) ? g_id(m_curg(mp)) : 0;
}

int gamp_sleep(int64_t ns)
{
	struct m *mp;
	int r;

	mp = m_enter();
	if (!mp || !m_curg(mp))
		return -EPERM;
	if (g_cancelled(m_curg(mp)))
		r = -ECANCELED;
	else if (ns <= 0)
		r = 0;
	else
		r = sleep_until(mp, clock_after(clock_now(), ns));
	m_exit();
	return r;
}

int64_t gamp_now(void)
{
	return clock_now();
}

int gamp_cancel(int64_t id)
{
	int r;

	if (!entry_begin())
		return -ESRCH;
	(void)enter_shared();
	r = cancel_id(id);
	m_exit();
	entry_end();
	return r;
}

bool gamp_cancelled(void)
{
	struct m *mp = m_self();

	return mp && m_curg(mp) && (rt_load_relaxed(&m_curg(mp)->tag) & 1);
}

bool gamp_uncancellable(bool on)
{
	struct m *mp = m_self();
	bool was;

	if (!mp || !m_curg(mp))
		return false;
	was = m_curg(mp)->uncancellable;
	m_curg(mp)->uncancellable = on;
	return was;
}

bool gamp_exceptions(bool on)
{
	struct m *mp = m_self();

	return mp && m_curg(mp) && except_set(mp, m_curg(mp), on);
}

int gamp_maxprocs(int n)
{
	int have, r = 0;

	if (n < 0 || n > PROCS_MAX)
		return -EINVAL;
	if (m_self() && !m_curg(m_self()))
		return -EPERM;
	if (world_is_mine())
		return -EDEADLK;
	if (!entry_begin())
		return 0;
	have = (int)procs();
	if (n > 1 && (sched.seed || sched.guest))
		r = -ENOTSUP;
	else if (n > 0)
		r = procs_set((uint32_t)n);
	entry_end();
	return r < 0 ? r : have;
}

/* Not inlined, and not known to be constant, whatever LTO finds out. */
__attribute__((noinline)) int *gamp_errno_location(void)
{
	__asm__ volatile("" ::: "memory");
	return __errno_location();
}
