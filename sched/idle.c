/* SPDX-License-Identifier: MIT */
/* idle.c - see idle.h; S1 to S3, F2 are wake.h's. */

#include "base/fatal.h"
#include "sched/apart.h"
#include "sched/idle.h"
#include "sched/poll.h"
#include "sched/poller.h"
#include "sched/topology.h"
#include "sched/wake.h"

#define IDLE_M_MAX (2 * NS_PER_SEC) /* one too many ends after that */
#define QUICK	     (20 * NS_PER_US) /* a sleep not worth its price: wake.h */
#define QUICK_MIN    4
#ifdef RT_HARD
#define LINGER_LOOKS 2
#else
#define LINGER_LOOKS 64 /* some 10 us */
#endif
#define LINGER_PAUSE 8

static bool note_woken(struct m *mp)
{
	return note_is_woken(&mp->note);
}

static bool see_work(struct m *mp)
{
	(void)mp;
	return wake_work();
}

/* Looks for some 10 us, if it has been worth it.  False: in vain, and it must
 * be earned anew. */
static bool linger(struct m *mp, bool (*look)(struct m *mp))
{
	if (mp->quick < QUICK_MIN || sched.seed != 0 || sched.ncpus == 1)
		return false;
	for (int i = 0; i < LINGER_LOOKS; i++) {
		for (int k = 0; k < LINGER_PAUSE; k++)
			cpu_relax();
		if (look(mp))
			return true;
	}
	mp->quick = 0;
	return false;
}

void idle_spin(struct m *mp)
{
	(void)linger(mp, note_woken);
}

void idle_slept(struct m *mp, int64_t since, bool woken)
{
	struct p *pp = m_p(mp);

	mp->quick = woken && pp->now - since < QUICK ? mp->quick + 1 : 0;
}

/* Takes what a waker left, or else an idle P.  Under sched.lock. */
static struct p *claim_locked(struct m *mp, bool any)
{
	struct p *pp = mp->nextp;

	if (pp) {
		mp->nextp = NULL;
		mp->spinning = mp->next_spinning;
	} else if (any) {
		pp = pidle_get_locked();
	}
	return pp;
}

void idle_leave_poller_locked(struct m *mp)
{
	if (sched.poller == mp) {
		sched.poller = NULL;
		rt_store_relaxed(&sched.polling, 0);
	}
}

static struct task *idle_poll(struct m *mp)
{
	struct task_list ready = { 0 };
	struct task *task = NULL;
	int64_t since = clock_real();
	struct p *pp;
	bool woken;

	poll_wait(&ready);
	apart_woken(mp);
	rt_lock(&sched.lock);
	idle_leave_poller_locked(mp);
	woken = mp->nextp != NULL;
	pp = claim_locked(mp, true);
	rt_unlock(&sched.lock);
	if (!pp) { /* all run: they will see it within a millisecond */
		if (ready.n > 0) {
			sched_put_global(&ready);
			wake_global();
		}
		return NULL;
	}
	acquirep(mp, pp);
	topology_bind(mp);
	idle_slept(mp, since, woken);
	rt_store_relaxed(&sched.polled, clock_real_at(pp->now));
	pp->expect_events = ready.n > 1;
	if (ready.n > 1 || (mp->spinning && ready.n > 0)) {
		poll_take(pp, &ready);
		return p_get(pp);
	}
	task = task_pop(&ready);
	if (!task) /* a timer, probably: look everywhere */
		wake_search(mp);
	return task;
}

/* To the idle list, if there is no reason against it.  The reason may be a P
 * that a failed wake-up left to the next M that comes (wake.h). */
static bool lie_down(struct m *mp, struct p **pp, bool *surplus)
{
	bool halt;

	rt_lock(&sched.lock);
	halt = rt_load_relaxed(&sched.halt);
	*surplus = sched.nm > procs() + 1;
	*pp = sched.unserved && !halt ? pidle_get_locked() : NULL;
	sched.unserved = false;
	if (!*pp && !halt) {
		note_clear(&mp->note);
		mp->idle = true;
		mp->idle_link = sched.midle;
		sched.midle = mp;
		sched.nmidle++;
	}
	rt_unlock(&sched.lock);
	return !*pp && !halt;
}

/* Asleep until a waker hands over a P.  False: nobody did for so long that
 * the thread should end, or the runtime stops. */
static bool idle_sleep(struct m *mp)
{
	int64_t since = clock_real();
	bool woken, halt, surplus;
	struct p *pp;

	if (!lie_down(mp, &pp, &surplus)) {
		if (!pp)
			return false;
		acquirep(mp, pp);
		topology_bind(mp);
		wake_search(mp);
		return true;
	}
	idle_spin(mp);
	woken = note_sleep(&mp->note, surplus ? since + IDLE_M_MAX : 0);
	rt_lock(&sched.lock);
	if (!woken && mp->idle) { /* else a waker is on its way */
		struct m **at = &sched.midle;

		while (*at != mp)
			at = &(*at)->idle_link;
		*at = mp->idle_link;
		sched.nmidle--;
		mp->idle = false;
		rt_unlock(&sched.lock);
		return false;
	}
	rt_unlock(&sched.lock);
	if (!woken)
		(void)note_sleep(&mp->note, 0);
	apart_woken(mp);
	rt_lock(&sched.lock);
	halt = !mp->nextp; /* woken for no P: the runtime stops */
	mp->idle = false;
	if (!halt) {
		pp = claim_locked(mp, false);
		acquirep(mp, pp);
		idle_slept(mp, since, true);
	}
	rt_unlock(&sched.lock);
	if (!halt)
		topology_bind(mp);
	return !halt;
}

/* S1: without a P; or with a G from the global queue after all; or with a P
 * that it keeps, for there is one with work that no M was to be had for. */
static struct task *give_up_p(struct m *mp, bool *polls)
{
	struct task *task = NULL;
	struct p *pp = m_p(mp);

	if (rt_unlikely(rt_load_relaxed(&sched.starved)))
		g_flush(pp);
	rt_lock(&sched.lock);
	if (rt_load_relaxed(&sched.nglobal) > 0 &&
	    !rt_load_relaxed(&sched.halt))
		task = sched_get_global_locked(pp, RUNQ_SIZE / 2);
	if (!task && sched.unserved) {
		sched.unserved = false;
	} else if (!task) {
		pidle_put_locked(releasep(mp));
		*polls = !sched.poller && !rt_load_relaxed(&sched.halt);
		if (*polls) {
			sched.poller = mp;
			rt_store_relaxed(&sched.polling, 1);
		}
	}
	rt_unlock(&sched.lock);
	return task;
}

/* S2 and S3.  True: mp has a P again, and spins. */
static bool look_again(struct m *mp)
{
	struct p *pp;

	if (mp->spinning) {
		mp->spinning = false;
		(void)rt_sub_seqcst(&sched.nspinning, 1); /* S2 */
	}
	hard_point();
	rt_fence_seqcst(); /* F2, pairs with F1 in wake.c */
	if (!wake_work())
		return false;
	rt_lock(&sched.lock);
	pp = rt_load_relaxed(&sched.halt) ? NULL : claim_locked(mp, true);
	if (pp)
		idle_leave_poller_locked(mp);
	rt_unlock(&sched.lock);
	if (!pp)
		return false;
	acquirep(mp, pp);
	topology_bind(mp);
	wake_search(mp);
	return true;
}

/* Everything is empty.  A G; or null, and mp has a P again; or null and
 * *ended: the thread has to end, without a P. */
struct task *idle_go(struct m *mp, bool *ended)
{
	bool polls = false;
	struct task *task = NULL;

	if (m_p(mp)) {
		struct p *pp = m_p(mp);
		bool again;

		/* There is work again: it was not worth going to sleep. */
		if (mp->spinning && linger(mp, see_work))
			return NULL;
		task = give_up_p(mp, &polls);
		if (m_p(mp))
			return task;
		again = look_again(mp); /* perhaps with another P */
		if (!polls && m_p(mp) != pp) /* its timers are nobody's now */
			wake_poller(rt_unlikely(sched.fake_time) ?
				0 : timers_next(&pp->timers));
		if (again)
			return NULL;
	}
	if (polls) {
		task = idle_poll(mp);
		if (m_p(mp))
			return task;
		rt_assert(!task);
	}
	*ended = !idle_sleep(mp);
	return NULL;
}

