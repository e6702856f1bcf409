/* SPDX-License-Identifier: MIT */
/* go.c - the calls of gamp/go.h that goroutines make. */

#include <errno.h>
#include <stdlib.h>

#include <gamp/errno.h>
#include <gamp/go.h>

#include "base/fatal.h"
#include "sched/entry.h"
#include "runtime/leave.h"
#include "sched/cancel.h"
#include "sched/sched.h"
#include "sched/sleep.h"
#include "sched/solo.h"

static int64_t start(int cls, const char *name, gamp_fn *fn, void *arg)
{
	struct m *mp = m_enter();
	struct p *pp = mp ? m_p(mp) : NULL;
	int err = 0;
	struct g *gp = g_new(pp, cls, fn, arg, &err);
	int64_t id = err;

	if (gp) {
		id = g_id(gp);
		gp->name = name;
		gp->parent = mp && mp->curg ? g_id(mp->curg) : 0;
		g_count(pp);
		g_born(gp);
		rt_start(gp);
	}
	m_exit();
	return id;
}

int64_t gamp_go_with(const struct gamp_go_options *opt, gamp_fn *fn, void *arg)
{
	int64_t id;
	int cls;

	if (!fn)
		return -EINVAL;
	if (!entry_begin())
		return -ESRCH;
	cls = opt && opt->stack_size ? arena_class(opt->stack_size) :
				       sched.default_class;
	if (cls < 0)
		id = cls;
	else if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		id = -ECANCELED;
	else
		id = start(cls, opt ? opt->name : NULL, fn, arg);
	entry_end();
	return id;
}

int64_t gamp_go(gamp_fn *fn, void *arg)
{
	return gamp_go_with(NULL, fn, arg);
}

void gamp_yield(void)
{
	struct m *mp = m_enter();

	if (!mp || !mp->curg)
		return;
	rt_yield();
	m_exit();
}

_Noreturn void gamp_exit(void)
{
	struct m *mp = m_self();
	struct g *gp = mp ? mp->curg : NULL;

	if (!gp)
		rt_fatal("gamp_exit outside a goroutine");
	san_tear(G_SAN(gp));
	if (gp->frame)
		leave_again(gp);
	if (gp->leaving)
		gp->leaving(gp);
	(void)m_enter();
	san_release(gp); /* who gets the stack next */
	rt_goexit();
}

int64_t gamp_self(void)
{
	struct m *mp = m_self();

	return mp && mp->curg ? g_id(mp->curg) : 0;
}

int gamp_sleep(int64_t ns)
{
	struct m *mp;
	int r;

	mp = m_enter();
	if (!mp || !mp->curg)
		return -EPERM;
	if (g_cancelled(mp->curg))
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
	if (!m_enter())
		solo_break();
	r = cancel_id(id);
	m_exit();
	entry_end();
	return r;
}

bool gamp_cancelled(void)
{
	struct m *mp = m_self();

	return mp && mp->curg && (rt_load_relaxed(&mp->curg->tag) & 1);
}

bool gamp_uncancellable(bool on)
{
	struct m *mp = m_self();
	bool was;

	if (!mp || !mp->curg)
		return false;
	was = mp->curg->uncancellable;
	mp->curg->uncancellable = on;
	return was;
}

int gamp_maxprocs(int n)
{
	int have = 0;

	if (n < 0)
		return -EINVAL;
	if (entry_begin()) {
		have = (int)sched.nprocs;
		entry_end();
	}
	return n == 0 || n == have ? have : -ENOTSUP;
}

void gamp_enter_blocking(void)
{
	blocking_enter();
}

void gamp_leave_blocking(void)
{
	blocking_leave();
}

/* Not inlined, and not known to be constant, whatever LTO finds out. */
__attribute__((noinline)) int *gamp_errno_location(void)
{
	__asm__ volatile("" ::: "memory");
	return __errno_location();
}
