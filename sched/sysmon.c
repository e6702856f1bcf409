/* SPDX-License-Identifier: MIT */
/*
 * sysmon.c - the monitor: a thread without a P that sees what others cannot.
 *
 * While any P runs it looks every TICK, or more often (pace):
 *	- a P whose M does not come back: watch.h;
 *	- work waits behind a P that does not pick: wake another M;
 *	- nobody polls the network: do it, or ask a P to;
 *	- the M in the poller does not know of an earlier timer: tell it.
 * and every second whether we still have as many processors.
 * When all Ps are idle it gives memory back and then sleeps until a P leaves
 * the idle list (pidle_get_locked): an idle process has no wake-ups.  Before
 * that it sees whether anything can happen at all (asleep.h).
 */

#include <signal.h>
#include <sys/prctl.h>

#include "base/thread.h"
#include "sched/asleep.h"
#include "sched/checkpoint.h"
#include "sched/detach.h"
#include "sched/poller.h"
#include "sched/procs.h"
#include "sched/quota.h"
#include "sched/topology.h"
#include "sched/wake.h"
#include "sched/watch.h"
#include "sched/world.h"

#define SLICE_OWN   (NS_PER_MS / 10)  /* the least that the kernel has */
#define TICK_QUICK  (30 * NS_PER_US)
#define TICK_STUCK  (NS_PER_MS / 5)
#define HURRY	    16		      /* quick looks after a P was taken */
#define OVERDUE	    (NS_PER_MS / 4)   /* a timer that nobody has run */
#define IDLE_TICKS  10		      /* all idle for so long: rest */
#define REST	    (250 * NS_PER_MS) /* then memory goes back */
#define LOOKS	    5		      /* for a deadlock, in 8 s */
#define TRIM_EVERY  (500 * NS_PER_MS) /* while Ps run */
#define TRIM_BATCH  4096	      /* stacks */
#define BURST	    64		      /* stacks taken in a tick */
#define PREPARE	    256		      /* stacks, a MiB */
#define TABLES_MAX  8		      /* numbers of Ps that there were */
#define DISTANCES   64		      /* busy looks, then they matter */
#ifdef RT_HARD
#define QUOTA_EVERY (10 * NS_PER_MS)
#else
#define QUOTA_EVERY NS_PER_SEC
#endif
#define QUOTA_SHARE 1000 /* of the time goes into looking, at most */

/* What one look leaves to the next. */
struct pace {
	int64_t wait;	 /* until then */
	int64_t trimmed; /* memory was given back */
	int64_t quota_due;
	uint32_t stacks; /* in use */
	int hurry;	 /* quick looks left */
	int busy;	 /* looks at which some P ran, up to DISTANCES */
	int idle;	 /* looks at which all Ps were */
	bool burst, more;
};

static void poll_for_others(int64_t now)
{
	struct task_list ready = { 0 };

	rt_store_relaxed(&sched.polled, now);
	(void)sched_poller->poll(NULL, 0, &ready);
	if (ready.n > 0) {
		sched_put_global(&ready);
		wake_global();
	}
}

static bool someone_waits(rt_a32 *count)
{
	return rt_load_relaxed(count) > 0;
}

/* Of all Ps.  *soonest: a timer. */
static struct view look(int64_t real, bool hurry, int64_t *soonest)
{
	int64_t now = clock_now();
	struct view v = { .real = real, .hurry = hurry,
		.idle = someone_waits(&sched.npidle),
		.woken = someone_waits(&sched.nwoken),
		.global = someone_waits(&sched.nglobal) ||
		    someone_waits(&sched.nlow) };

	*soonest = NEVER;
	rt_store_relaxed(&sched.tick_time, now);
	for (uint32_t i = 0; i < procs(); i++) {
		int64_t t = timers_next(&sched.ps[i].timers);

		if (t < *soonest)
			*soonest = t;
		/* Its owner does not come round, or it has none. */
		if (t < now - OVERDUE && v.idle)
			wakep();
	}
	v.due = *soonest <= now;
	for (uint32_t i = 0; i < procs(); i++)
		if (!pidle_is(i))
			watch(&sched.ps[i], &v);
	if (rt_load_relaxed(&sched.polling))
		wake_poller(*soonest);
	else if (real - rt_load_relaxed(&sched.polled) >= TICK)
		poll_for_others(real);
	if (v.global)
		wake_global(); /* a thread could not be had before */
	return v;
}

/*
 * How long until the next look, while Ps run.  While calls block that nobody
 * announced, and others wait for their Ps, how fast sysmon looks decides how
 * long these wait; a quiet process need not pay for that.  When all Ps run,
 * none may look at the clock when a timer is due.
 */
static int64_t pace(struct pace *p, const struct view *v, int64_t soonest)
{
	int64_t wait = p->burst ? TICK / 8 : TICK, left;

	if (v->took)
		p->hurry = HURRY;
	else if (p->hurry > 0)
		p->hurry--;
	if (p->hurry > 0 && v->stuck)
		wait = TICK_QUICK;
	else if (p->hurry > 0 || v->stuck)
		wait = TICK_STUCK;
	left = soonest - clock_now();
	if (!v->idle && left < wait && !sched.fake_time)
		wait = left > TICK_QUICK ? left : TICK_QUICK;
	return wait;
}

static void trim_timers(void)
{
	for (uint32_t i = 0; i < procs(); i++)
		timers_trim(&sched.ps[i].timers);
}

/* True when woken, false at `until` (0: no limit).  An idle process has no
 * wake-ups, unless it is asked for lines. */
static bool doze(int64_t until)
{
	while (schedtrace_next() < (until ? until : NEVER)) {
		if (note_sleep(&sched.sysmon_note, schedtrace_next()))
			return true;
		schedtrace(clock_real());
	}
	return note_sleep(&sched.sysmon_note, until);
}

/* Sleeps until a P runs.  Before that, memory that was not used for a REST
 * goes back. */
static void rest(void)
{
	bool asleep, more = true;

	arena_mark();
	note_clear(&sched.sysmon_note);
	for (int looks = 0;; looks++) {
		rt_lock(&sched.lock);
		asleep = rt_load_relaxed(&sched.npidle) == procs() &&
		    !rt_load_relaxed(&sched.halt) &&
		    rt_load_relaxed(&sched.spoilt) == 0;
		if (asleep)
			rt_store_relaxed(&sched.sysmon_asleep, 1);
		rt_unlock(&sched.lock);
		if (!asleep || doze(more ? clock_real() + (REST << looks) : 0))
			return;
		rt_store_relaxed(&sched.sysmon_asleep, 0);
		note_clear(&sched.sysmon_note); /* before we look */
		while (rt_load_relaxed(&sched.npidle) == procs() &&
		    arena_trim(TRIM_BATCH, g_read_seq))
			;
		trim_timers();
		m_reap();
		more = asleep_look() && looks + 1 < LOOKS;
	}
}

/* Goroutines are started in a burst: stacks are made ready meanwhile, for most
 * of a start's time would be its page fault. */
static void prepare_stacks(struct pace *p, int64_t since)
{
	uint32_t now = arena_in_use(sched.default_class), was = p->stacks;

	p->burst = now > was && (now - was) * TICK >= BURST * since;
	if (p->burst)
		(void)arena_prepare(
		    sched.default_class, PREPARE, topology_may_touch());
	p->stacks = now;
}

/* The answer may change while we run.  Where there are many mounts it takes
 * long, and is then asked less often. */
static void reread_quota(struct pace *p, int64_t now)
{
	int64_t wait;

	if (now < p->quota_due || !rt_load_relaxed(&sched.follow_quota))
		return;
	procs_follow((uint32_t)quota_procs());
	wait = (clock_real() - now) * QUOTA_SHARE;
	p->quota_due = now + (wait > QUOTA_EVERY ? wait : QUOTA_EVERY);
}

/* Old tables are freed when nobody can be reading one. */
static void tend_distances(void)
{
	if (topology_tend(procs()) > TABLES_MAX && world_stop_try()) {
		topology_reclaim();
		world_start();
	}
}

static void look_after(struct pace *p, int64_t now)
{
	int64_t soonest;
	struct view v;

	if (rt_load_relaxed(&sched.npidle) < procs()) {
		p->idle = 0;
		v = look(now, p->hurry > 0, &soonest);
		p->wait = pace(p, &v, soonest);
		reread_quota(p, now);
		if (p->busy < DISTANCES)
			p->busy++;
		else
			tend_distances();
	} else {
		p->wait = TICK;
		if (++p->idle >= IDLE_TICKS) {
			rest();
			p->idle = 0;
		}
	}
}

static void give_memory_back(struct pace *p, int64_t now)
{
	bool time = now - p->trimmed >= TRIM_EVERY;

	if (p->more || time)
		p->more = arena_trim(TRIM_BATCH, g_read_seq);
	if (!p->more && time) {
		arena_mark();
		trim_timers();
		p->trimmed = now;
	}
}

static void *sysmon_main(void *arg)
{
	int64_t now = clock_real(), last;
	struct pace p = { .wait = TICK,
		.trimmed = now,
		.quota_due = now + QUOTA_EVERY };

	(void)arg;
	(void)prctl(PR_SET_TIMERSLACK, 1);
	(void)thread_weigh(0, sched.nice, SLICE_OWN);
	(void)prctl(PR_SET_NAME, "gamp-sysmon");
	while (!rt_load_acquire(&sched.halt)) {
		if (note_sleep(&sched.sysmon_note, clock_real() + p.wait))
			note_clear(&sched.sysmon_note);
		last = now;
		now = clock_real();
		schedtrace(now);
		spoilt_clear();
		checkpoint_settle();
		prepare_stacks(&p, now - last);
		look_after(&p, now);
		give_memory_back(&p, now);
	}
	return NULL;
}

int sysmon_start(void)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&sched.sysmon_thread, NULL, sysmon_main, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

void sysmon_stop(void)
{
	rt_store_release(&sched.halt, 1);
	(void)note_wake(&sched.sysmon_note);
	(void)pthread_join(sched.sysmon_thread, NULL);
}
