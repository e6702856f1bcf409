/* SPDX-License-Identifier: MIT */
/* life.c - gamp_run, gamp_start, gamp_stop: the runtime's beginning and end.
 *
 *	DOWN --start--> UP --stop--> STOPPING --all exited--> DOWN
 *	                                \--deadline--> STOPPING, stop again
 */

#include <errno.h>
#include <sched.h>

#include <gamp/go.h>

#include "base/lock.h"
#include "base/note.h"
#include "sched/entry.h"
#include "runtime/leave.h"
#include "sched/poller.h"
#include "sched/sched.h"
#include "sched/solo.h"

#define STACK_DEFAULT	((size_t)64 << 10)
#define STOP_DEFAULT	(5 * NS_PER_SEC)
#define THREADS_DEFAULT 10000

static struct {
	struct rt_lock lock;
	enum { DOWN, UP, STOPPING, BUSY, FORKED } state;
} life = { .lock = RT_LOCK_INIT(RANK_LIFE) };

static uint32_t default_procs(void)
{
	cpu_set_t set;
	int n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	return n < 1 ? 1 : n > PROCS_MAX ? PROCS_MAX : (uint32_t)n;
}

static int check_options(
    const struct gamp_options *opt, struct sched_options *out)
{
	if (opt->maxprocs < 0 || opt->maxprocs > PROCS_MAX ||
	    opt->stack_size > ARENA_STACK_MAX || opt->stop_timeout < 0 ||
	    opt->max_goroutines < 0 || (opt->seed && opt->maxprocs > 1) ||
	    opt->max_goroutines > ARENA_SLOTS_MAX || opt->max_threads < 0)
		return -EINVAL;
	out->nprocs =
	    opt->maxprocs ? (uint32_t)opt->maxprocs : default_procs();
	if (opt->seed)
		out->nprocs = 1;
	out->fake_time = opt->fake_time;
	out->seed = opt->seed;
	out->stack_size = opt->stack_size ? opt->stack_size : STACK_DEFAULT;
	out->max_goroutines = opt->max_goroutines ?
	    (uint32_t)opt->max_goroutines :
	    ARENA_SLOTS_MAX;
	out->max_threads =
	    opt->max_threads ? opt->max_threads : THREADS_DEFAULT;
	return 0;
}

/*
 * In the child of a fork there is one thread, and locks may be held by others
 * that are gone.  Every call gives its error for a runtime that is down, and
 * it cannot be started.  The poller is closed, for the child would take the
 * parent's events.  (To run a program, fork and exec at once.)
 */
static void forked(void)
{
	m_tls = NULL;
	solo_forked();
	rt_store_relaxed(&entry_open, 0);
	rt_store_relaxed(&entry_inside, 0);
	rt_store_relaxed(&sched.stopping, 0); /* nobody waits for an end */
	if (life.state != DOWN)
		sched_poller->forked();
	life.state = FORKED;
	rt_store_relaxed(&life.lock.word, 0);
}

static void watch_forks(void)
{
	(void)pthread_atfork(NULL, NULL, forked);
}

/* Moves from one of two states to BUSY, where everybody else keeps off. */
static int claim(int from, int or_from, int err)
{
	int r = 0;

	rt_lock(&life.lock);
	if ((int)life.state == from || (int)life.state == or_from)
		life.state = BUSY;
	else
		r = life.state == BUSY ? -EALREADY :
		    life.state == FORKED ? -EOPNOTSUPP : err;
	rt_unlock(&life.lock);
	return r;
}

static void settle(int state)
{
	rt_lock(&life.lock);
	life.state = (unsigned)state;
	rt_unlock(&life.lock);
}

int gamp_start(const struct gamp_options *opt)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static const struct gamp_options none;
	struct sched_options so;
	int r;

	if (m_self())
		return -EDEADLK;
	r = check_options(opt ? opt : &none, &so);
	if (r < 0)
		return r;
	r = claim(DOWN, DOWN, -EALREADY);
	if (r < 0)
		return r;
	(void)pthread_once(&once, watch_forks);
	r = sched_start(&so);
	if (r == 0)
		rt_store_release(&entry_open, 1);
	settle(r == 0 ? UP : DOWN);
	return r;
}

/* limit: on the real clock; 0: none. */
static int stop(int64_t limit)
{
	int r;

	if (m_self())
		return -EDEADLK;
	r = claim(UP, STOPPING, -ESRCH);
	if (r < 0)
		return r;
	r = sched_drain(limit);
	if (r == 0) {
		(void)rt_swap_seqcst(&entry_open, 0);
		while (rt_load_seqcst(&entry_inside) > 0)
			(void)sched_yield(); /* calls of a microsecond */
		/* One of these may have started a last goroutine. */
		r = sched_drain(limit);
	}
	if (r < 0) {
		rt_store_release(&entry_open, 1);
		settle(STOPPING);
		return r;
	}
	san_acquire(&sched.stop_note); /* what goroutines did */
	sched_stop();
	(void)rt_add_seqcst(&entry_runs, 1);
	settle(DOWN);
	return 0;
}

int gamp_stop(int64_t deadline)
{
	return stop(clock_real_at(clock_deadline(deadline)));
}

struct run {
	gamp_fn *main;
	void *arg;
	struct note done;
};

/* Main exits: after all that it deferred, and also by gamp_exit. */
static void main_left(struct g *gp)
{
	struct run *run = gp->arg;

	leave_run(gp);
	san_release(&run->done);
	(void)note_wake(&run->done);
}

static void run_main(void *arg)
{
	struct run *run = arg;

	m_self()->curg->leaving = main_left;
	run->main(run->arg);
}

int gamp_run(gamp_fn *main, void *arg, const struct gamp_options *opt)
{
	struct run run = { .main = main, .arg = arg };
	int64_t timeout =
	    opt && opt->stop_timeout ? opt->stop_timeout : STOP_DEFAULT;
	int64_t id;
	int r;

	if (!main)
		return -EINVAL;
	r = gamp_start(opt);
	if (r < 0)
		return r;
	id = gamp_go(run_main, &run);
	if (id > 0)
		(void)note_sleep(&run.done, 0);
	san_acquire(&run.done);
	r = stop(clock_after(clock_real(), timeout));
	return id < 0 ? (int)id : r;
}
