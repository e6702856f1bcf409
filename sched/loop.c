/* SPDX-License-Identifier: MIT */
/*
 * loop.c - what an M does on its own stack: find a G, run it, see it off.
 *
 * find_runnable tries its sources in order, one small function each:
 *
 *	attention   every CLOCK_TICK picks, or when sysmon asks: the clock;
 *		    then due timers, the network, the slice
 *	global      every GLOBAL_TICK picks, so that it is never starved
 *	local       runnext, woken ring, fresh ring
 *	global      a batch
 *	timers      our own that are due
 *	network     without waiting, if the last poll found several
 *	steal       rings of others; then their due timers and runnext
 *
 * and goes idle when all are empty: gives up the P, looks again (wake.h S1 to
 * S3), and sleeps: one M in the poller, the others each in its futex.
 */

#include "base/fatal.h"
#include "sched/m.h"
#include "sched/poller.h"
#include "sched/switch.h"
#include "sched/wake.h"

#define IDLE_M_MAX (5 * NS_PER_SEC) /* an M idle for so long ends */
#define STEAL_PASSES 2
#define QUICK	     (20 * NS_PER_US) /* a sleep not worth its price: wake.h */
#define QUICK_MIN    4
#ifdef RT_HARD
#define LINGER_LOOKS 2
#else
#define LINGER_LOOKS 64 /* some 10 us */
#endif
#define LINGER_PAUSE 8

static void end_slice(struct p *pp, int64_t now)
{
	uint32_t picks = rt_load_relaxed(&pp->ring_picks);

	if (picks != pp->slice_picks) {
		pp->slice_picks = picks;
		pp->slice_start = now;
	} else if (now - pp->slice_start >= SLICE) {
		pp->skip_next = true;
		pp->slice_start = now;
	}
}

/* True if task is now in the inbox of the P it last ran on, which runs. */
static bool send_home(struct p *pp, struct task *task)
{
	struct p *home = &sched.ps[task->home];

	if (home == pp || rt_load_relaxed(&sched.npidle) > 0)
		return false;
	p_send(home, task);
	rt_fence_seqcst(); /* pairs with F2: p.h, inbox */
	if (rt_unlikely(pidle_is(home->id))) {
		struct task_list back = p_take_inbox(home);

		while ((task = task_pop(&back)))
			p_put(pp, task);
	}
	return true;
}

/*
 * Queues what a poll found.  Goroutines go home if all Ps run.  Otherwise
 * those of others come first in our ring, where thieves take from.
 */
static void take_ready(struct p *pp, struct task_list *ready)
{
	struct task_list own = { 0 };
	struct task *task;

	if (ready->n == 0)
		return;
	while ((task = task_pop(ready))) {
		if (task->home == pp->id)
			task_push(&own, task);
		else if (!send_home(pp, task))
			p_put(pp, task);
	}
	while ((task = task_pop(&own)))
		p_put(pp, task);
	wake_submitted(pp, false);
}

static void poll_now(struct p *pp, int64_t now)
{
	struct task_list ready = { 0 };

	rt_store_relaxed(&sched.polled, now);
	pp->expect_events = sched_poller->poll(pp, 0, &ready) > 1;
	take_ready(pp, &ready);
}

/* The clock has been ignored for some picks. */
static struct task *attend(struct p *pp)
{
	int64_t now = clock_real();

	pp->now = rt_unlikely(sched.fake_time) ? clock_now() : now;
	pp->clock_tick = CLOCK_TICK;
	rt_store_relaxed(&pp->attention, 0);
	if (rt_likely(sched.seed == 0))
		end_slice(pp, now);
	if (timers_next(&pp->timers) <= pp->now)
		(void)timers_run(&pp->timers, pp->now);
	if (rt_load_relaxed(&pp->inbox) != 0)
		p_read_inbox(pp);
	/* An M that sits in the poller sees events at once. */
	if (now - rt_load_relaxed(&sched.polled) >= POLL_GAP ||
	    rt_unlikely(sched.seed != 0)) {
		if (!rt_load_relaxed(&sched.polling))
			poll_now(pp, now);
		if (rt_load_relaxed(&sched.nglobal) > 0)
			return sched_get_global(pp, 1);
	}
	return NULL;
}

/* How many from the global queue: more than one, or a few that yield for ever
 * keep a thousand waiting; not so many that these wait. */
static uint32_t room(struct p *pp)
{
	uint32_t n = runq_len(&pp->runq[RUNQ_FRESH]);

	return n < RUNQ_SIZE / 2 ? RUNQ_SIZE / 2 - n : 1;
}

static struct task *from_ticks(struct p *pp)
{
	if (rt_unlikely(--pp->clock_tick == 0 ||
		rt_load_relaxed(&pp->attention))) {
		struct task *task = attend(pp);

		if (task)
			return task;
	}
	if (rt_unlikely(--pp->global_tick == 0)) {
		pp->global_tick = GLOBAL_TICK;
		if (rt_load_relaxed(&sched.nglobal) > 0)
			return sched_get_global(pp, room(pp));
	}
	return NULL;
}

static struct task *from_timers(struct p *pp)
{
	int64_t next = timers_next(&pp->timers);

	if (next == NEVER)
		return NULL;
	pp->now = clock_now();
	if (next > pp->now || timers_run(&pp->timers, pp->now) == 0)
		return NULL;
	return p_get(pp);
}

static struct task *from_network(struct p *pp)
{
	if (!pp->expect_events || rt_load_relaxed(&sched.polling))
		return NULL;
	poll_now(pp, clock_real());
	return p_get(pp);
}

static struct task *steal_from(
    struct p *pp, struct p *victim, bool last, int64_t *now)
{
	int64_t next;
	struct task *task;

	if (victim == pp)
		return NULL;
	task = p_steal(pp, victim, last); /* an idle one may have an inbox */
	if (task || !last)
		return task;
	next = timers_next(&victim->timers); /* idle Ps have them, too */
	if (next == NEVER)
		return NULL;
	if (*now == 0)
		*now = clock_now();
	if (next > *now || timers_run(&victim->timers, *now) == 0)
		return NULL;
	return p_get(pp);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

static void spin(struct m *mp)
{
	if (!mp->spinning) {
		mp->spinning = true;
		(void)rt_add_seqcst(&sched.nspinning, 1);
	}
}

/* Everybody once, in an order that differs each time: start anywhere, step
 * by a number coprime to how many there are. */
static struct task *from_others(struct m *mp, struct p *pp)
{
	uint32_t n = sched.nprocs, at, step;
	int64_t now = 0;

	if (n == 1)
		return NULL;
	spin(mp);
	at = rng_below(&mp->rng, n);
	for (step = 1 + rng_below(&mp->rng, n); gcd(step, n) != 1;)
		step = step % n + 1;
	for (int pass = 1; pass <= STEAL_PASSES; pass++)
		for (uint32_t i = 0; i < n; i++, at = (at + step) % n) {
			struct task *task = steal_from(
			    pp, &sched.ps[at], pass == STEAL_PASSES, &now);

			if (task)
				return task;
		}
	return NULL;
}

static struct task *from_anywhere(struct m *mp, struct p *pp)
{
	struct task *task;

	if ((task = from_ticks(pp)) || (task = p_get(pp)) ||
	    (task = sched_get_global(pp, RUNQ_SIZE / 2)) ||
	    (task = from_timers(pp)) || (task = from_network(pp)))
		return task;
	return from_others(mp, pp);
}

/* S3: is there anything, on any P that runs? */
static bool work_somewhere(void)
{
	if (rt_load_relaxed(&sched.nglobal) > 0)
		return true;
	for (uint32_t i = 0; i < sched.nprocs; i++)
		if (pidle_is(i) ? rt_load_relaxed(&sched.ps[i].inbox) != 0 :
				  !p_empty(&sched.ps[i]))
			return true;
	return false;
}

/* True: there is work again, and it was not worth going to sleep (wake.h). */
static bool linger(struct m *mp)
{
	if (mp->quick < QUICK_MIN || !mp->spinning || sched.seed != 0)
		return false;
	for (int i = 0; i < LINGER_LOOKS; i++) {
		for (int k = 0; k < LINGER_PAUSE; k++)
			cpu_relax();
		if (work_somewhere())
			return true;
	}
	mp->quick = 0;
	return false;
}

/* mp slept from `since` on, and has pp now. */
static void slept(struct m *mp, struct p *pp, int64_t since, bool woken)
{
	mp->quick = woken && pp->now - since < QUICK ? mp->quick + 1 : 0;
}

static int64_t earliest_timer(void)
{
	int64_t min = NEVER;

	for (uint32_t i = 0; i < sched.nprocs; i++) {
		int64_t t = timers_next(&sched.ps[i].timers);

		if (t < min)
			min = t;
	}
	return min;
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

static void leave_poller_locked(struct m *mp)
{
	if (sched.poller == mp) {
		sched.poller = NULL;
		rt_store_relaxed(&sched.polling, 0);
	}
}

/*
 * Sleeps in the poller until events, a timer, or a waker.  An arming of an
 * earlier timer is not missed: poll_until is NEVER, so that any arming wakes
 * us, before the timers are read (fence pairs with wake_poller).
 */
static void poll_blocking(struct task_list *ready)
{
	int64_t until, delay = -1;

	rt_store_relaxed(&sched.poll_until, NEVER);
	rt_fence_seqcst();
	until = earliest_timer();
	rt_store_relaxed(&sched.poll_until, until);
	if (until != NEVER) {
		delay = until - clock_now();
		if (delay < 0)
			delay = 0;
	}
	(void)sched_poller->poll(NULL, delay, ready);
	rt_store_relaxed(&sched.poll_until, 0);
}

/*
 * Fake time: when nothing can run, it is as late as the earliest timer says.
 * True: that one is due.  Ps are handed out under the lock, and without a P
 * nobody arms a timer or begins or ends a blocking call.
 */
static bool move_clock(void)
{
	int64_t until;
	bool parked;

	rt_lock(&sched.lock);
	until = earliest_timer();
	parked = rt_load_relaxed(&sched.npidle) == sched.nprocs &&
	    rt_load_relaxed(&sched.nglobal) == 0 &&
	    rt_load_relaxed(&sched.nblocking) == 0;
	if (parked && until != NEVER && until > clock_now())
		clock_set(until);
	rt_unlock(&sched.lock);
	return until <= clock_now();
}

/*
 * What happened outside comes first.  Whoever may come while an M looks for
 * work, or is in a blocking call, can run, too: whichever M goes idle next
 * wakes us, to look again (go_idle).
 */
static void poll_fake(struct task_list *ready)
{
	rt_store_relaxed(&sched.poll_until, NEVER);
	rt_fence_seqcst(); /* pairs with wake_poller, as in poll_blocking */
	/* A poll that blocks, if only for a moment, consumes a wake. */
	if (sched_poller->poll(NULL, 1, ready) == 0 && ready->n == 0 &&
	    !move_clock())
		(void)sched_poller->poll(NULL, -1, ready);
	rt_store_relaxed(&sched.poll_until, 0);
}

static struct task *idle_poll(struct m *mp)
{
	struct task_list ready = { 0 };
	struct task *task = NULL;
	int64_t since = clock_real();
	struct p *pp;
	bool woken;

	if (rt_unlikely(sched.fake_time))
		poll_fake(&ready);
	else
		poll_blocking(&ready);
	rt_lock(&sched.lock);
	leave_poller_locked(mp);
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
	slept(mp, pp, since, woken);
	rt_store_relaxed(&sched.polled, clock_real_at(pp->now));
	pp->expect_events = ready.n > 1;
	if (ready.n > 1 || (mp->spinning && ready.n > 0)) {
		take_ready(pp, &ready);
		return p_get(pp);
	}
	task = task_pop(&ready);
	if (!task) /* a timer, probably: look everywhere */
		spin(mp);
	return task;
}

/* To the idle list, if there is no reason against it.  The reason may be a P
 * that a failed wake-up left to the next M that comes (wake.h). */
static bool lie_down(struct m *mp, struct p **pp)
{
	bool halt;

	rt_lock(&sched.lock);
	halt = rt_load_relaxed(&sched.halt);
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
	bool woken, halt;
	struct p *pp;

	if (!lie_down(mp, &pp)) {
		if (!pp)
			return false;
		acquirep(mp, pp);
		spin(mp);
		return true;
	}
	woken = note_sleep(&mp->note, since + IDLE_M_MAX);
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
	rt_lock(&sched.lock);
	halt = !mp->nextp; /* woken for no P: the runtime stops */
	mp->idle = false;
	if (!halt) {
		pp = claim_locked(mp, false);
		acquirep(mp, pp);
		slept(mp, pp, since, true);
	}
	rt_unlock(&sched.lock);
	return !halt;
}

/* S1: without a P, or with a G from the global queue after all. */
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
	if (!task) {
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
	if (!work_somewhere())
		return false;
	rt_lock(&sched.lock);
	pp = rt_load_relaxed(&sched.halt) ? NULL : claim_locked(mp, true);
	if (pp)
		leave_poller_locked(mp);
	rt_unlock(&sched.lock);
	if (!pp)
		return false;
	acquirep(mp, pp);
	spin(mp);
	return true;
}

/* Everything is empty.  A G; or null, and mp has a P again; or null and
 * *ended: the thread has to end, without a P. */
static struct task *go_idle(struct m *mp, bool *ended)
{
	bool polls = false;
	struct task *task = NULL;

	if (m_p(mp)) {
		struct p *pp = m_p(mp);
		bool again;

		if (linger(mp))
			return NULL;
		task = give_up_p(mp, &polls);
		if (task)
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

static struct g *find_runnable(struct m *mp)
{
	struct g *gp = NULL;
	bool ended = false;

	while (!gp && !ended) {
		struct p *pp = m_p(mp);
		struct task *task = pp ? from_anywhere(mp, pp) : NULL;

		if (!task)
			task = go_idle(mp, &ended);
		if (!task)
			continue;
		if (mp->spinning)
			wake_found(mp);
		gp = task_g(task, m_p(mp));
	}
	return gp;
}

/* Returns whoever comes back: gp may have hopped to others. */
static inline struct g *execute(struct m *mp, struct g *gp)
{
	struct p *pp = m_p(mp);

	switch_begin(mp, pp, gp);
	rt_store_relaxed(&pp->picking, 0);
	san_asan_leave(&mp->san, G_SAN(gp), 0);
	san_tsan_switch(G_SAN(gp));
	ctx_switch(&mp->ctx, &gp->ctx);
	san_asan_arrive(&mp->san);
	gp = mp->curg;
	switch_end(mp);
	pp = m_p(mp);
	if (rt_likely(pp != NULL))
		rt_store_relaxed(&pp->picking, 1);
	return gp;
}

/* To the tail; what waits in the global queue goes before who is alone here
 * and only yields. */
static inline struct g *yield_to(struct p *pp, struct g *gp)
{
	struct task *next = NULL;

	if (rt_unlikely(rt_load_relaxed(&sched.nglobal) > 0) && p_empty(pp))
		next = sched_get_global(pp, RUNQ_SIZE / 2);
	p_put(pp, &gp->task);
	return next ? task_g(next, pp) : NULL;
}

/* The G that has just left its stack.  It goes on at once if the commit
 * says so. */
static inline struct g *see_off(struct m *mp, struct g *gp)
{
	switch (mp->op) {
	case OP_PARK:
		return switch_parked(mp, gp) ? NULL : gp;
	case OP_YIELD:
		g_status(gp, G_RUNNING, G_RUNNABLE);
		return yield_to(m_p(mp), gp);
	case OP_EXIT:
		g_free(m_p(mp), gp);
		return NULL;
	case OP_DETACHED: {
		struct task_list one = { 0 };

		g_status(gp, G_RUNNING, G_RUNNABLE);
		gp->task.woken = true;
		task_push(&one, &gp->task);
		sched_put_global(&one);
		wake_global();
		return NULL;
	}
	}
	rt_fatal("a goroutine left its stack for no reason");
}

void sched_loop(struct m *mp)
{
	struct g *gp = NULL;

	for (;;) {
		if (!gp)
			gp = find_runnable(mp);
		if (!gp)
			break;
		gp = execute(mp, gp);
		gp = see_off(mp, gp);
	}
	rt_lock(&sched.lock);
	leave_poller_locked(mp);
	m_end_locked(mp);
	rt_unlock(&sched.lock);
}
