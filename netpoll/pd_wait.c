/* SPDX-License-Identifier: MIT */
/* pd_wait.c - waiting for a descriptor, and being told; see pd.h, dir.h. */

#include <errno.h>

#include "base/fatal.h"
#include "base/sys.h"
#include "netpoll/backend.h"
#include "netpoll/pd_internal.h"
#include "sched/cancel.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/sleep.h"

/* Starts that found no memory; the lock is held for a list operation. */
static struct {
	struct rt_lock lock;
	rt_aptr head; /* struct task *, linked */
} starved = { .lock = RT_LOCK_INIT(RANK_STARVED) };

static void cancel_read(struct canceller *c, struct g *gp)
{
	struct pd *pd = (struct pd *)((char *)c - offsetof(struct pd, wait));

	if (dir_evict_g(&pd->dir[MODE_READ], gp))
		rt_ready(gp);
}

static void cancel_write(struct canceller *c, struct g *gp)
{
	struct pd *pd =
	    (struct pd *)((char *)(c - 1) - offsetof(struct pd, wait));

	if (dir_evict_g(&pd->dir[MODE_WRITE], gp))
		rt_ready(gp);
}

/* No goroutine is to be had now: pd_retry_starts comes back to it. */
static void starve(struct task *task)
{
	(void)rt_add_seqcst(&sched.starved, 1);
	rt_lock(&starved.lock);
	task->link = (struct task *)rt_load_relaxed(&starved.head);
	rt_store_relaxed(&starved.head, (uintptr_t)task);
	rt_unlock(&starved.lock);
	backend->wake(); /* it has to come back before long */
}

/* The lock that it was armed with is given back, so that fn can read. */
struct g *pd_begin_start(struct task *task, struct p *pp)
{
	struct pd *pd =
	    (struct pd *)((char *)task - offsetof(struct pd, start));
	int err = 0;
	struct g *gp =
	    g_new(pp, sched.default_class, pd->fn, pd->arg, &err);

	if (!gp) {
		starve(task);
		return NULL;
	}
	gp->site = pd->site;
	pd->drained = false;
	g_born(gp);
	san_acquire(pd);
	san_release(gp);
	pd_unlock(pd, MODE_READ);
	return gp;
}

void pd_wait_init(struct pd *pd)
{
	pd->wait[MODE_READ].fn = cancel_read;
	pd->wait[MODE_WRITE].fn = cancel_write;
	pd->start.special = TASK_START;
}

int pd_check(struct pd *pd, int mode)
{
	uint32_t info = rt_load_acquire(&pd->info);

	if (rt_likely(!(info & (PD_CLOSING | PD_TIME(mode)))))
		return 0;
	return info & PD_CLOSING ? -ECANCELED : -ETIMEDOUT;
}

/* A pause of accept is over: its wait ends as if something had come. */
static void nudge(void *arg, uint64_t seq)
{
	struct pd *pd = arg;
	struct task_list l = { 0 };

	(void)seq;
	/* Late, it may meet the next wait, or an armed start: a false alarm. */
	pd_collect(
	    pd, MODE_READ, dir_notify(&pd->dir[MODE_READ]), NULL, &l);
	rt_queue_list(&l);
}

static bool commit_wait(struct g *gp, void *arg)
{
	return dir_commit(arg, gp);
}

/* Announced; parks unless it was cancelled.  True: try the I/O. */
static bool park(struct g *gp, struct pd *pd, int mode)
{
	struct dir *d = &pd->dir[mode];

	/* C2 of cancel.h: after the announcement. */
	if (!g_cancelled(gp) && !hard_chance(16)) /* or a spurious wake-up */
		rt_park(commit_wait, d,
		    mode == MODE_READ ? WHY_READ : WHY_WRITE);
	return dir_finish(d);
}

static int wait_loop(struct g *gp, struct pd *pd, int mode)
{
	uint32_t stop = PD_CLOSING | PD_TIME(mode);
	int r;

	do {
		if (!cancel_begin(gp, &pd->wait[mode]))
			return -ECANCELED;
		r = dir_prepare(&pd->dir[mode], &pd->info, stop);
		if (r == -EAGAIN && park(gp, pd, mode))
			r = 0;
		cancel_end(gp);
		if (r == 0 && mode == MODE_READ)
			pd->drained = false; /* whoever comes to read it */
		if (g_cancelled(gp))
			return -ECANCELED;
		/* An evict without a reason that lasts: wait again. */
		if (r != 0 && pd_check(pd, mode) != 0)
			return pd_check(pd, mode);
	} while (r != 0);
	return 0;
}

int pd_wait(struct pd *pd, int mode, int64_t retry)
{
	struct m *mp = m_enter();
	struct g *gp = mp ? m_curg(mp) : NULL;
	int r = -EPERM;

	if (gp && retry == NEVER) {
		r = wait_loop(gp, pd, mode);
	} else if (gp) {
		gp->timer.fn = nudge;
		gp->timer.arg = pd;
		r = timer_arm(&gp->timer, retry);
		if (r == 0)
			r = wait_loop(gp, pd, mode);
		(void)timer_stop(&gp->timer);
	}
	m_exit();
	return r;
}

void pd_start(struct pd *pd, struct p *pp, struct task_list *l)
{
	g_count(pp);
	pd->start.woken = true;
	task_push(l, &pd->start);
}

void pd_retry_starts(struct p *pp, struct task_list *l)
{
	struct task *task, *next;

	if (rt_likely(rt_load_relaxed(&starved.head) == 0))
		return;
	rt_lock(&starved.lock);
	task = (struct task *)rt_load_relaxed(&starved.head);
	rt_store_relaxed(&starved.head, 0);
	rt_unlock(&starved.lock);
	for (; task; task = next) {
		struct g *gp;

		next = task->link;
		gp = pd_begin_start(task, pp);
		(void)rt_sub_seqcst(&sched.starved, 1); /* after a new one */
		if (!gp)
			continue;
		gp->task.woken = true;
		task_push(l, &gp->task);
	}
}

void pd_collect(struct pd *pd, int mode, struct g *gp, struct p *pp,
    struct task_list *l)
{
	if (gp == DIR_START) {
		pd_start(pd, pp, l);
	} else if ((uintptr_t)gp & 1) {
		gp = (struct g *)((uintptr_t)gp - 1);
		if (wait_poke(gp, rt_load_relaxed(&pd->poke[mode])))
			rt_ready_onto(l, gp);
	} else if (gp) {
		rt_ready_onto(l, gp);
	}
}

/* Sets PD_HUP, unless the slot has changed hands. */
static void hang_up(struct pd *pd, uint64_t seq)
{
	uint32_t info = rt_load_relaxed(&pd->info);
	uint32_t tag = (uint32_t)seq & (UINT32_MAX >> PD_SEQ_SHIFT);

	do {
		if (info >> PD_SEQ_SHIFT != tag || (info & PD_HUP))
			return;
	} while (!rt_cas_acqrel(&pd->info, &info, info | PD_HUP));
}

void pd_event(gamp_fd cookie, bool r, bool w, bool hup, struct p *pp,
    struct task_list *l)
{
	struct pd *pd = pd_at(cookie);
	uint64_t seq = (uint64_t)cookie >> PD_SLOT_BITS;

	if (!pd || rt_load_acquire(&pd->seq) != seq)
		return; /* closed since */
	if (hup) /* before the waiter is told */
		hang_up(pd, seq);
	if (w)
		pd_collect(pd, MODE_WRITE, dir_notify(&pd->dir[MODE_WRITE]),
		    pp, l);
	if (r)
		pd_collect(
		    pd, MODE_READ, dir_notify(&pd->dir[MODE_READ]), pp, l);
}

/* Not armed, or not any more: start it from here. */
static int start_now(struct pd *pd)
{
	struct m *mp = m_enter();
	struct p *pp = mp ? m_p(mp) : NULL;
	int err = 0;
	struct g *gp =
	    g_new(pp, sched.default_class, pd->fn, pd->arg, &err);
	void *site = pd->site;

	pd->drained = false;
	pd_unlock(pd, MODE_READ);
	if (gp) {
		gp->site = site;
		g_count(pp);
		g_born(gp);
		rt_start(gp);
	}
	m_exit();
	return gp ? 0 : err;
}

int pd_lock_now(gamp_fd fd, int mode, struct pd **out)
{
	struct pd *pd = pd_at(fd);

	if (!pd || pd_handle(pd) != fd)
		return -EBADF;
	switch (fdmu_lock(&pd->mu, mode, false)) {
	case FDMU_OK:
		break;
	case FDMU_BUSY:
		return pd_handle(pd) == fd ? -EBUSY : -EBADF;
	case FDMU_FULL:
		return -EMFILE;
	default:
		return -EBADF;
	}
	if (pd_handle(pd) != fd) { /* the slot's next owner */
		pd_unlock(pd, mode);
		return -EBADF;
	}
	*out = pd;
	return 0;
}

/* The lock is held until the start. */
int pd_arm(gamp_fd fd, gamp_fn *fn, void *arg, void *site)
{
	struct pd *pd;
	int r = pd_lock_now(fd, MODE_READ, &pd);

	if (r < 0)
		return r;
	pd->fn = fn;
	pd->arg = arg;
	pd->site = site;
	pd->start.home = m_home();
	san_release(pd); /* before fn */
	/* Not known to be drained: what is there gives no edge again. */
	if (!pd->drained) {
		dir_reset(&pd->dir[MODE_READ]);
		pd->drained = !sys_ready(pd->sysfd, false);
	}
	if (!pd->drained || (rt_load_acquire(&pd->info) & PD_HUP) ||
	    dir_arm(&pd->dir[MODE_READ], &pd->info,
		PD_CLOSING | PD_RTIME | PD_HUP) == 0)
		return start_now(pd);
	/* pd_stop_all may have missed it.  If it has been started already,
	 * this takes out the next one's: it has to start as well. */
	if (rt_unlikely(rt_load_seqcst(&sched.stopping)) &&
	    dir_disarm(&pd->dir[MODE_READ]))
		return start_now(pd);
	return 0;
}

void pd_stop_all(void)
{
	uint32_t n = rt_load_acquire(&pd_slab.used);
	struct task_list l = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		struct pd *pd = slab_at(&pd_slab, i);

		if (dir_disarm(&pd->dir[MODE_READ]))
			pd_start(pd, NULL, &l);
	}
	rt_queue_list(&l);
}

bool pd_waits(void)
{
	uint32_t n = rt_load_acquire(&pd_slab.used);

	for (uint32_t i = 0; i < n; i++) {
		struct pd *pd = slab_at(&pd_slab, i);

		for (int mode = MODE_READ; mode <= MODE_WRITE; mode++)
			if (rt_load_acquire(&pd->dir[mode].sem) > DIR_READY)
				return true;
	}
	return false;
}
