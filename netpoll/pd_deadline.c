/* SPDX-License-Identifier: MIT */
/* pd_deadline.c - deadlines of a descriptor, and closing; see pd.h. */

#include <errno.h>

#include "base/fatal.h"
#include "netpoll/pd_internal.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/sleep.h"

/* Changes bits of info; a full fence on both sides: F2 of dir.h. */
static void publish(struct pd *pd, uint32_t clear, uint32_t set)
{
	uint32_t info = rt_load_relaxed(&pd->info);

	while (!rt_cas_seqcst(&pd->info, &info, (info & ~clear) | set))
		;
	rt_fence_seqcst();
}

static void arm_locked(struct pd *pd, int mode)
{
	struct timer *t = &pd->timer[mode];

	t->seq = pd->tseq[mode];
	/* No room for a timer: the deadline is then only seen by calls that
	 * begin after it.  Millions of timers are armed at that point. */
	if (timer_arm(t, pd->deadline[mode]) == 0)
		pd->armed[mode] = pd->deadline[mode];
}

static struct g *expire_locked(struct pd *pd, int mode)
{
	publish(pd, 0, PD_TIME(mode));
	return dir_evict(&pd->dir[mode]);
}

static void fire(struct pd *pd, int mode, uint64_t seq)
{
	struct task_list l = { 0 };
	struct g *gp = NULL;

	rt_lock(&pd->lock);
	if (seq == pd->tseq[mode]) {
		pd->armed[mode] = NEVER;
		if (pd->deadline[mode] <= clock_now())
			gp = expire_locked(pd, mode);
		else if (pd->deadline[mode] != NEVER)
			arm_locked(pd, mode); /* it was moved later */
	}
	rt_unlock(&pd->lock);
	pd_collect(pd, mode, gp, NULL, &l);
	rt_queue_list(&l);
}

static void fire_read(void *arg, uint64_t seq)
{
	fire(arg, MODE_READ, seq);
}

static void fire_write(void *arg, uint64_t seq)
{
	fire(arg, MODE_WRITE, seq);
}

void pd_deadline_init(struct pd *pd)
{
	pd->timer[MODE_READ].fn = fire_read;
	pd->timer[MODE_WRITE].fn = fire_write;
	for (int m = 0; m < 2; m++) {
		pd->timer[m].arg = pd;
		pd->armed[m] = NEVER;
	}
}

/* The timer must look by `deadline`: earlier than it was going to. */
static void arm_earlier_locked(struct pd *pd, int mode)
{
	int64_t t = pd->deadline[mode];
	uint64_t seq = ++pd->tseq[mode]; /* a firing under way is stale */

	if (pd->armed[mode] != NEVER &&
	    timer_move(&pd->timer[mode], t, seq))
		pd->armed[mode] = t;
	else
		arm_locked(pd, mode);
}

/* A goroutine to wake: its deadline is past. */
static struct g *set_locked(struct pd *pd, int mode, int64_t t, int64_t now)
{
	pd->deadline[mode] = t;
	if (t <= now)
		return expire_locked(pd, mode);
	if (rt_load_relaxed(&pd->info) & PD_TIME(mode))
		publish(pd, PD_TIME(mode), 0);
	if (t < pd->armed[mode])
		arm_earlier_locked(pd, mode);
	return NULL;
}

/* A time to judge t by: what is a second away needs no look at the clock. */
static int64_t now_for(int64_t t)
{
	int64_t now = sched_now();

	return t > now && t - now > NS_PER_SEC ? now : clock_now();
}

/* No reference is needed: what is open under the lock stays open under it. */
int pd_set_deadline(gamp_fd fd, bool read, bool write, int64_t t)
{
	struct pd *pd = pd_at(fd);
	int64_t deadline = clock_deadline(t);
	/* A timer may be overdue, so what is armed does not tell the time. */
	int64_t now = now_for(deadline);
	struct g *gp[2] = { NULL, NULL };
	struct task_list l = { 0 };
	int r = -EBADF;

	if (!pd || pd_handle(pd) != fd)
		return -EBADF;
	rt_lock(&pd->lock);
	if (!(rt_load_relaxed(&pd->info) & PD_CLOSING) &&
	    pd_handle(pd) == fd) {
		if (read)
			gp[0] = set_locked(pd, MODE_READ, deadline, now);
		if (write)
			gp[1] = set_locked(pd, MODE_WRITE, deadline, now);
		r = 0;
	}
	rt_unlock(&pd->lock);
	if (rt_unlikely(gp[0] || gp[1])) {
		pd_collect(pd, MODE_READ, gp[0], NULL, &l);
		pd_collect(pd, MODE_WRITE, gp[1], NULL, &l);
		rt_queue_list(&l);
	}
	return r;
}

/* Closing: nobody waits from here on, and no timer remains. */
void pd_evict_all(struct pd *pd, struct task_list *l)
{
	struct g *gp[2];

	rt_lock(&pd->lock);
	publish(pd, 0, PD_CLOSING);
	for (int m = 0; m < 2; m++) {
		gp[m] = dir_evict(&pd->dir[m]);
		pd->deadline[m] = NEVER;
		pd->tseq[m]++;
		if (pd->armed[m] != NEVER)
			(void)timer_stop(&pd->timer[m]);
		pd->armed[m] = NEVER;
	}
	rt_unlock(&pd->lock);
	for (int m = 0; m < 2; m++)
		pd_collect(pd, m, gp[m], NULL, l);
}
