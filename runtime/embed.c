/* SPDX-License-Identifier: MIT */
/* embed.c - the calls of gamp/embed.h. */

#include <errno.h>

#include <gamp/embed.h>

#include "sched/entry.h"
#include "sched/protect.h"
#include "sched/sched.h"
#include "sched/world.h"

static bool on_scheduler(struct m *mp)
{
	return mp && !m_curg(mp);
}

/* gamp_stop_world, which begins in base/ARCH/kept.S. */
int stop_world(const struct kept *kept);
int stop_world(const struct kept *kept)
{
	struct m *mp = m_self();

	if (world_is_mine() || (mp && rcu_inside(&mp->rcu)))
		return -EDEADLK;
	if (on_scheduler(mp) || (mp && !m_is_outside()))
		return -EPERM;
	if (!entry_begin())
		return -ESRCH;
	world_stop_kept(kept, WORLD_ALL);
	return 0;
}

int gamp_start_world(void)
{
	if (!world_is_mine())
		return -EPERM;
	world_start();
	entry_end();
	return 0;
}

static void view_kept(
    struct gamp_view *v, const struct kept *kept)
{
	v->stack_low = (const char *)kept->sp;
	v->regs = kept->regs;
	v->nregs = RT_KEPT;
}

/* The world is stopped for all. */
static void view(struct gamp_view *v, struct g *gp, int64_t id)
{
	void *lo;

	*v = (struct gamp_view){ .id = id, .name = gp->name,
		.slots = gp->slots, .fn = gp->fn, .arg = gp->arg,
		.stack_high = g_stack(gp, &lo), .state = GAMP_WAITS_TO_RUN };
	if (rt_load_relaxed(&gp->status) == G_WAITING)
		v->state = GAMP_PARKED;
	if (m_self() && m_curg(m_self()) == gp) {
		v->state = GAMP_STOPPER;
		view_kept(v, &world_kept);
	} else if (g_is_blocking(gp)) {
		v->state = GAMP_IN_BLOCKING_CALL;
		view_kept(v, &gp->kept);
	} else if (gp->ctx.pc == (void *)rt_ctx_entry) {
		v->stack_low = v->stack_high;
	} else {
		v->stack_low = (const char *)gp->ctx.sp - RT_RED_ZONE;
		v->regs = (const uintptr_t *)&gp->ctx;
		v->nregs = sizeof(gp->ctx) / sizeof(uintptr_t);
	}
}

int gamp_walk(
    int (*fn)(const struct gamp_view *view, void *arg), void *arg)
{
	if (!fn)
		return -EINVAL;
	if (!world_is_mine())
		return -EPERM;
	for (uint32_t c = 0; c < ARENA_CLASSES; c++) {
		uint32_t n = arena_used((int)c);

		for (uint32_t i = 0; i < n; i++) {
			struct g *gp = arena_ctl(c << ARENA_INDEX_BITS | i);
			uint64_t tag = rt_load_acquire(&gp->tag);
			struct gamp_view v;
			int r;

			if (!tag)
				continue;
			view(&v, gp, (int64_t)(tag >> 1));
			r = fn(&v, arg);
			if (r != 0)
				return r;
		}
	}
	return 0;
}

int gamp_park(gamp_commit_fn *commit, void *arg, int64_t deadline,
    const char *why)
{
	struct m *mp;
	int r;

	if (!commit)
		return -EINVAL;
	mp = m_enter();
	if (!mp || !m_curg(mp))
		return -EPERM;
	r = wait_open(
	    m_curg(mp), commit, arg, clock_deadline(deadline), why);
	m_exit();
	return r;
}

/* In a commit the caller is inside already. */
int gamp_ready(gamp_ticket ticket)
{
	bool inside = m_self() && !m_is_outside();
	int r;

	if (inside)
		return wait_open_win(ticket);
	if (!entry_begin())
		return -ESRCH;
	(void)enter_shared();
	r = wait_open_win(ticket);
	m_exit();
	entry_end();
	return r;
}

int gamp_protect(gamp_fn *fn, void *arg, struct gamp_failure *how)
{
	struct m *mp = m_self();
	struct protect_guard guard;

	if (!fn)
		return -EINVAL;
	if (!mp || !m_curg(mp))
		return -EPERM;
	if (protect_call(&guard, fn, arg))
		return 0;
	if (how)
		*how = guard.failing.how;
	return -EFAULT;
}

_Noreturn void gamp_fail(int64_t code, void *value)
{
	struct m *mp = m_self();

	if (!mp || !m_curg(mp))
		rt_fatal("gamp_fail outside a goroutine");
	protect_fail(code, value);
}
