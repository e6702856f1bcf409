/* SPDX-License-Identifier: MIT */
/* asleep.c - see asleep.h. */

#include <dirent.h>
#include <stdlib.h>

#include "base/thread.h"
#include "sched/asleep.h"
#include "sched/herald.h"
#include "sched/poller.h"
#include "sched/rcu_work.h"
#include "sched/sched.h"

static struct {
	rt_a32 tid; /* of the thread in gamp_run; 0: there is none */
	void (*deadlocked)(void); /* set before tid */
} watch;

void asleep_watch(void (*deadlocked)(void))
{
	watch.deadlocked = deadlocked;
	rt_store_release(&watch.tid, (uint32_t)thread_self());
	(void)note_wake(&sched.sysmon_note); /* it may have looked already */
}

void asleep_unwatch(void)
{
	rt_store_release(&watch.tid, 0);
}

/* Everything idle and empty?  *ticks: a sum that changes if a P runs. */
static bool quiet(uint64_t *ticks)
{
	bool is = true;

	*ticks = 0;
	rt_lock(&sched.lock);
	if (rt_load_relaxed(&sched.npidle) != procs() ||
	    rt_load_relaxed(&sched.nglobal) > 0 ||
	    rt_load_relaxed(&sched.nlow) > 0 ||
	    rt_load_relaxed(&sched.stopped) ||
	    rt_load_relaxed(&sched.nspinning) > 0 ||
	    rt_load_relaxed(&sched.starved) || sched.unserved ||
	    rt_load_relaxed(&sched.stopping) || rt_load_relaxed(&sched.halt))
		is = false;
	for (uint32_t i = 0; is && i < procs(); i++) {
		struct p *pp = &sched.ps[i];

		*ticks += rt_load_relaxed(&pp->tick);
		is = p_empty(pp) && timers_next(&pp->timers) == NEVER;
	}
	rt_unlock(&sched.lock);
	return is;
}

/* Every goroutine is parked, and what is counted as one is one.  The state is
 * stored by Ps that have become idle since, under the lock. */
static bool all_wait(void)
{
	uint64_t found = 0;

	for (uint32_t c = 0; c < ARENA_CLASSES; c++) {
		uint32_t n = arena_used((int)c);

		for (uint32_t i = 0; i < n; i++) {
			struct g *gp = arena_ctl(c << ARENA_INDEX_BITS | i);

			if (!rt_load_acquire(&gp->tag))
				continue;
			if (rt_load_relaxed(&gp->status) != G_WAITING)
				return false;
			found++;
		}
	}
	return found > 0 && found == sched_live();
}

static bool ours(int tid)
{
	bool is = tid == herald_tid() || tid == rcu_work_asleep() ||
	    tid == (int)rt_load_relaxed(&watch.tid);

	rt_lock(&sched.lock);
	for (struct m *mp = sched.allm; mp && !is; mp = mp->all_link)
		is = mp->tid == tid;
	rt_unlock(&sched.lock);
	return is;
}

/* Every thread is ours, and sleeps.  If we may not look: no. */
static bool only_sleepers(void)
{
	DIR *d = opendir("/proc/self/task");
	bool all = d != NULL;
	struct dirent *e;

	while (all && (e = readdir(d))) {
		int tid = atoi(e->d_name);
		long call;

		all = tid == 0 || tid == thread_self() ||
		    (ours(tid) && thread_state(tid, &call) == THREAD_BLOCKED);
	}
	if (d)
		(void)closedir(d);
	return all;
}

/* In this order: see asleep.h. */
bool asleep_look(void)
{
	uint64_t before, after;

	if (!rt_load_acquire(&watch.tid) || !quiet(&before) ||
	    sched_poller->waits())
		return false;
	if (!only_sleepers())
		return true;
	if (!all_wait() || !quiet(&after) || before != after)
		return false;
	asleep_unwatch();
	herald_deadlock(watch.deadlocked);
	return false;
}
