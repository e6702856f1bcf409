/* SPDX-License-Identifier: MIT */
/* life.c - gamp_run, gamp_start, gamp_stop: the runtime's beginning and end.
 *
 *	DOWN --start--> UP --stop--> STOPPING --all exited--> DOWN
 *	                                \--deadline--> STOPPING, stop again
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <gamp/go.h>

#include "base/lock.h"
#include "base/note.h"
#include "runtime/go.h"
#include "runtime/leave.h"
#include "runtime/trace.h"
#include "sched/asleep.h"
#include "sched/dump.h"
#include "sched/entry.h"
#include "sched/guest.h"
#include "sched/lockm.h"
#include "sched/park.h"
#include "sched/poller.h"
#include "sched/quota.h"
#include "sched/rcu_work.h"
#include "sched/sched.h"
#include "sched/solo.h"
#include "sched/trace.h"
#include "sched/world.h"

#define STACK_DEFAULT	((size_t)64 << 10)
#define STOP_DEFAULT	(5 * NS_PER_SEC)
#define THREADS_DEFAULT 10000
#define MAIN_STACK	((size_t)8 << 20) /* what such libraries are used to */

static struct {
	struct rt_lock lock;
	enum { DOWN, UP, STOPPING, BUSY, FORKED } state;
	bool quiet; /* of who starts or stops: the state is BUSY */
} life = { .lock = RT_LOCK_INIT(RANK_LIFE) };

/* Of the gamp_run that is under way.  Not on its stack: when it gives up,
 * main may still be there. */
static struct run {
	struct m m; /* with main_thread: the calling thread's */
	gamp_fn *main;
	struct note done;
	rt_a64 here; /* main's id, if it runs on that; else 0 */
	rt_a32 deadlock;
} run;

static int check_options(
    const struct gamp_options *opt, struct sched_options *out)
{
	if (opt->maxprocs < 0 || opt->maxprocs > PROCS_MAX ||
	    opt->stack_size > ARENA_STACK_MAX || opt->stop_timeout < 0 ||
	    opt->max_goroutines < 0 || (opt->seed && opt->maxprocs > 1) ||
	    opt->max_goroutines > ARENA_SLOTS_MAX || opt->max_threads < 0 ||
	    opt->dump_signal < 0 || opt->dump_signal > SIGRTMAX ||
	    opt->dump_signal == SIGSEGV || opt->dump_signal == SIGBUS ||
	    (opt->guest && (opt->maxprocs > 1 || opt->fake_time)) ||
	    (opt->embed && !opt->embed->stack_alloc != !opt->embed->stack_free))
		return -EINVAL;
	out->guest = opt->guest;
	out->follow_quota = !opt->maxprocs && !opt->seed && !opt->guest;
	out->nprocs = opt->seed || opt->guest ? 1 :
	    opt->maxprocs       ? (uint32_t)opt->maxprocs :
				  (uint32_t)quota_procs();
	out->bind_threads = opt->bind_threads;
	out->fake_time = opt->fake_time;
	out->seed = opt->seed;
	out->dump_signal = opt->dump_signal;
	out->no_signals = opt->no_signals || opt->guest;
	out->embed = opt->embed;
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
	guest_forked();
	solo_forked();
	local_forked();
	signal_forked();
	trace_forked();
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

/* Who is left, once in a run of the runtime, unless a deadlock's report has
 * just said so. */
static void report_rest(void)
{
	static rt_a32 said; /* in which run, + 1 */
	uint32_t now = rt_load_relaxed(&entry_runs) + 1;

	if (life.quiet || rt_load_acquire(&run.deadlock) ||
	    rt_swap_acqrel(&said, now) == now)
		return;
	(void)dump_all(STDERR_FILENO,
	    "the runtime cannot stop: some goroutines do not exit", NULL);
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
	life.quiet = opt && opt->quiet;
	rt_store_relaxed(&run.deadlock, 0);
	r = sched_start(&so);
	if (r == 0) {
		rcu_start();
		trace_env_begin();
		rt_store_release(&entry_open, 1);
	}
	settle(r == 0 ? UP : DOWN);
	return r;
}

/* limit: on the real clock; 0: none. */
static int stop(int64_t limit)
{
	int r;

	if (m_self() || rcu_may_not_wait() || world_is_mine())
		return -EDEADLK;
	if (guest_on() && !guest_must_not_wait())
		return -EPERM;
	r = claim(UP, STOPPING, -ESRCH);
	if (r < 0)
		return r;
	r = sched_drain(limit);
	if (r == 0)
		r = rcu_flush(limit); /* they may use what goes next */
	if (r == 0) {
		(void)rt_swap_seqcst(&entry_open, 0);
		while (rt_load_seqcst(&entry_inside) > 0)
			(void)sched_yield(); /* calls of a microsecond */
		/* One of these may have started a last goroutine. */
		r = sched_drain(limit);
	}
	if (r < 0) {
		rt_store_release(&entry_open, 1);
		report_rest();
		settle(STOPPING);
		return r;
	}
	san_acquire(&sched.stop_note); /* what goroutines did */
	rcu_stop();
	sched_stop();
	trace_env_end();
	(void)rt_add_seqcst(&entry_runs, 1);
	settle(DOWN);
	return 0;
}

int gamp_stop(int64_t deadline)
{
	return stop(clock_real_at(clock_deadline(deadline)));
}

/* Main exits: after all that it deferred, and also by gamp_exit. */
static void main_left(struct g *gp)
{
	leave_run(gp);
	asleep_unwatch(); /* from here on gamp_run is a thread that acts */
	san_release(&run.done);
	(void)note_wake(&run.done);
}

/* The thread in gamp_run stops the runtime; but it may be serving main. */
static void deadlocked(void)
{
	int64_t here = (int64_t)rt_load_acquire(&run.here);

	rt_store_release(&run.deadlock, 1);
	if (here)
		(void)gamp_cancel(here);
	else
		(void)note_wake(&run.done);
}

static void run_main(void *arg)
{
	m_curg(m_self())->leaving = main_left;
	run.main(arg);
}

/* Main, for the calling thread and no other.  Its id, or -errno. */
static int64_t start_here(void *arg, size_t stack, void *site)
{
	int err, cls = arena_class(stack > MAIN_STACK ? stack : MAIN_STACK);
	int64_t id = cls;
	struct g *gp;

	if (cls < 0)
		return id;
	if (!entry_begin())
		return -ESRCH;
	gp = g_new(NULL, cls, run_main, arg, &err);
	id = gp ? g_id(gp) : err;
	if (gp) {
		m_borrow(&run.m);
		gp->name = "main";
		gp->site = site;
		lockm_to(&run.m, gp);
		rt_store_release(&run.here, (uint64_t)id);
		g_count(NULL);
		g_born(gp);
		rt_start(gp);
	}
	entry_end();
	return id;
}

/* Until main has exited, or everybody waits for each other. */
static void await_main(const struct gamp_options *opt)
{
	if (guest_on()) {
		(void)guest_drive(&run.done, 0);
		return;
	}
	if (!opt || !opt->no_deadlock)
		asleep_watch(deadlocked);
	if (rt_load_relaxed(&run.here))
		m_serve(&run.m);
	else
		(void)note_sleep(&run.done, 0);
	asleep_unwatch();
}

int gamp_run(gamp_fn *main, void *arg, const struct gamp_options *opt)
{
	static const struct gamp_go_options named = { .name = "main" };
	void *site = __builtin_return_address(0);
	int64_t timeout =
	    opt && opt->stop_timeout ? opt->stop_timeout : STOP_DEFAULT;
	int64_t id;
	int r;

	if (!main)
		return -EINVAL;
	r = gamp_start(opt);
	if (r < 0)
		return r;
	run.main = main;
	note_clear(&run.done);
	rt_store_relaxed(&run.here, 0);
	if (opt && opt->main_thread && !opt->guest)
		id = start_here(arg, opt->stack_size, site);
	else
		id = go_at(&named, run_main, arg, site);
	if (id > 0)
		await_main(opt);
	san_acquire(&run.done);
	r = stop(clock_after(clock_real(), timeout));
	if (r == 0 && rt_load_acquire(&run.deadlock))
		r = -EDEADLK;
	return id < 0 ? (int)id : r;
}
