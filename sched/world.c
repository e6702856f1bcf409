/* SPDX-License-Identifier: MIT */
/* world.c - see world.h. */

#include <pthread.h>

#include "base/thread.h"
#include "sched/checkpoint.h"
#include "sched/detach.h"
#include "sched/wake.h"
#include "sched/world.h"

#define RETRY (50 * NS_PER_US)
#define LOOKS 200 /* some 10 us */

static pthread_mutex_t stopper = PTHREAD_MUTEX_INITIALIZER;

static rt_a32 owner; /* tid of who has stopped it; 0: nobody */
static struct p *given; /* of the stopper, which gets it back */

struct kept world_kept;

bool world_is_mine(void)
{
	uint32_t tid = rt_load_relaxed(&owner);

	return rt_unlikely(tid != 0) && tid == (uint32_t)thread_self();
}

static bool all_idle_locked(void)
{
	return rt_load_relaxed(&sched.npidle) == procs();
}

static void begin_locked(void)
{
	rt_store_relaxed(&owner, (uint32_t)thread_self());
	rt_store_relaxed(&sched.stopped, 1);
}

static bool stopped(enum world_how how)
{
	bool done;

	rt_lock(&sched.lock);
	retake_all_locked(how == WORLD_ALL ? RETAKE_BLOCKING : RETAKE_ANY);
	done = all_idle_locked() &&
	    (how == WORLD_PS || sched.nmutators == 0);
	rt_unlock(&sched.lock);
	return done;
}

/* Who computes with checkpoints is there before a sleep would begin. */
static void look_for_a_moment(void)
{
	if (sched.ncpus == 1)
		return;
	for (int i = 0; i < LOOKS && !note_is_woken(&sched.world_note); i++)
		cpu_relax();
}

/* It has begun. */
static void finish(enum world_how how)
{
	checkpoint_ask();
	for (;;) {
		note_clear(&sched.world_note);
		if (stopped(how))
			break;
		look_for_a_moment();
		(void)note_sleep(&sched.world_note, clock_real() + RETRY);
	}
}

static void begin(void)
{
	rt_lock(&sched.lock);
	begin_locked();
	rt_unlock(&sched.lock);
}

/* A goroutine, entered.  Its own P is the first to be idle; nobody is woken
 * for it. */
static void begin_with_p(struct m *mp)
{
	rt_lock(&sched.lock);
	begin_locked();
	given = give_up_locked(mp);
	pidle_put_locked(given);
	rt_unlock(&sched.lock);
}

void world_stop_kept(const struct kept *kept, enum world_how how)
{
	struct m *mp = blocking_begin(kept);
	bool begun = mp && pthread_mutex_trylock(&stopper) == 0;

	if (begun)
		begin_with_p(mp);
	else if (mp)
		give_up(mp);
	m_exit();
	if (!begun) {
		(void)pthread_mutex_lock(&stopper);
		begin();
	}
	world_kept = *kept;
	finish(how);
}

bool world_stop_try(void)
{
	if (pthread_mutex_trylock(&stopper) != 0)
		return false;
	begin();
	finish(WORLD_PS);
	return true;
}

/* The idle Ps that have something in their rings, in a list; the others stay,
 * and *mine goes: null if it was not idle. */
static struct p *busy_locked(struct p **mine)
{
	struct p *pp, *busy = NULL, *rest = NULL, *found = NULL;

	while ((pp = pidle_get_locked())) {
		struct p **to = p_empty(pp) ? &rest : &busy;

		if (pp == *mine) {
			found = pp;
			continue;
		}
		pp->link = *to;
		*to = pp;
	}
	while ((pp = rest)) {
		rest = pp->link;
		pidle_put_locked(pp);
	}
	*mine = found;
	return busy;
}

void world_start(void)
{
	struct p *busy, *next, *mine = given;

	given = NULL;
	rt_store_relaxed(&owner, 0);
	rt_lock(&sched.lock);
	rt_store_relaxed(&sched.stopped, 0);
	busy = busy_locked(&mine);
	if (mine)
		attach_locked(m_self(), mine);
	rt_unlock(&sched.lock);
	for (; busy; busy = next) {
		next = busy->link;
		startm(busy, false);
	}
	wakep(); /* for the rest, and so that somebody is in the poller */
	(void)pthread_mutex_unlock(&stopper);
	blocking_leave(); /* nothing, for a thread that is not ours */
}

void world_hold(struct m *mp)
{
	if (mp->spinning) {
		mp->spinning = false;
		(void)rt_sub_seqcst(&sched.nspinning, 1);
	}
	rt_lock(&sched.lock);
	if (rt_load_relaxed(&sched.stopped)) {
		pidle_put_locked(releasep(mp));
		if (all_idle_locked())
			(void)note_wake(&sched.world_note);
	}
	rt_unlock(&sched.lock);
}
