/* SPDX-License-Identifier: MIT */
/* guest.c - see guest.h; H1 to H3 are named there. */

#include <poll.h>

#include "base/clock.h"
#include "sched/checkpoint.h"
#include "sched/guest.h"
#include "sched/poll.h"
#include "sched/poller.h"
#include "sched/switch.h"
#include "sched/wake.h"
#include "sched/world.h"

#define RETRY	   NS_PER_MS /* for starts that wait for a goroutine */
#define LOOK_GAP   (NS_PER_MS / 4)
#define PACE_MAX   (1u << 14)
#define TRIM_EVERY (500 * NS_PER_MS)
#define TRIM_BATCH 64 /* stacks: some 100 us */

rt_aptr guest_host;

/* The host's own, but for m. */
static struct {
	struct m m;
	int64_t began; /* this poll */
	int64_t rough, looked; /* at the clock: look_is_due */
	int64_t trimmed;
	uint32_t left;	/* turns; 0: none, if `limited` */
	uint32_t saved; /* of the P's clock_tick, while turns are limited */
	uint32_t tick;	/* its global_tick as the turn began */
	uint32_t skip, pace;
	bool limited;
	bool more; /* could run */
} guest;

void guest_start(void)
{
	m_borrow(&guest.m);
	guest.m.guest = guest.m.odd = true;
	guest.trimmed = 0;
	guest.pace = guest.skip = 1;
	rt_store_relaxed(&sched.poll_until, NEVER);
	rt_store_release(&guest_host, (uintptr_t)pthread_self());
	checkpoint_ask(); /* for good */
}

void guest_stop(void)
{
	rt_store_release(&guest_host, 0);
	rt_lock(&sched.lock);
	m_end_locked(&guest.m);
	rt_unlock(&sched.lock);
	m_return(&guest.m);
	checkpoint_settle();
}

void guest_forked(void)
{
	rt_store_relaxed(&guest_host, 0);
}

void guest_wake(void)
{
	sched_poller->wake();
}

/* False: the world stands still. */
static bool get_p(struct m *mp)
{
	struct p *pp;

	rt_lock(&sched.lock);
	pp = pidle_get_locked();
	if (pp)
		acquirep(mp, pp);
	rt_unlock(&sched.lock);
	return pp;
}

static void put_p(struct m *mp)
{
	rt_lock(&sched.lock);
	pidle_put_locked(releasep(mp)); /* H2 */
	rt_unlock(&sched.lock);
}

/*
 * hop (park.c) switches from one goroutine to the next without g0, as often as
 * clock_tick says; each time it counts in global_tick.  Where turns are
 * limited it may not go on for longer.
 */
static void begin_turn(struct p *pp)
{
	guest.tick = pp->global_tick;
	guest.saved = 0;
	if (guest.limited && pp->clock_tick > guest.left) {
		guest.saved = pp->clock_tick - guest.left;
		pp->clock_tick = guest.left;
	}
}

static void end_turn(struct p *pp)
{
	uint32_t turns = 1 + guest.tick - pp->global_tick;

	pp->clock_tick += guest.saved;
	guest.saved = 0;
	if (guest.limited)
		guest.left -= turns < guest.left ? turns : guest.left;
}

/* A seeded order does not depend on the clock. */
static bool slice_is_over(void)
{
	return sched.seed == 0 && clock_real() - guest.began >= SLICE;
}

/* Goroutines may lose the P to who stops the world. */
static struct task *find(struct m *mp)
{
	struct p *pp = m_p(mp);
	struct task *task;

	if (rt_unlikely(rt_load_relaxed(&pp->attention)) && world_stops()) {
		world_hold(mp);
		if (!m_p(mp))
			return NULL;
	}
	task = sched_find(mp);
	/* Events come together with what the first of them led to. */
	if (!task && pp->expect_events) {
		poll_now(pp, clock_real());
		task = p_get(pp);
	}
	return task;
}

struct g *guest_next(struct m *mp)
{
	struct g *gp = NULL;
	struct task *task;

	if (guest.tick && m_p(mp))
		end_turn(m_p(mp));
	guest.tick = 0;
	guest.more = false;
	while (!gp && (m_p(mp) || get_p(mp))) {
		if ((guest.limited && guest.left == 0) || slice_is_over()) {
			guest.more = true;
			return NULL;
		}
		task = find(mp);
		if (!task && m_p(mp))
			return NULL;
		gp = task ? task_g(task, m_p(mp)) : NULL;
	}
	if (gp)
		begin_turn(m_p(mp));
	return gp;
}

/* Memory of a former spike goes back, a little at a time: an idle host has no
 * wake-ups, and we have no thread. */
static void tidy(void)
{
	int64_t now = clock_rough();

	if (now - guest.trimmed < TRIM_EVERY)
		return;
	guest.trimmed = now;
	(void)arena_trim(TRIM_BATCH, g_read_seq);
	arena_mark();
	timers_trim(&sched.ps[0].timers);
}

/* H3, but for timers: guest_deadline. */
static bool work_waits(void)
{
	return rt_load_relaxed(&sched.nglobal) > 0 ||
	    rt_load_relaxed(&sched.nlow) > 0 ||
	    rt_load_relaxed(&sched.ps[0].inbox) != 0;
}

/* As the host sleeps until then: poll.c, poll_blocking. */
int64_t guest_deadline(void)
{
	struct p *pp = &sched.ps[0];
	int64_t until;

	rt_store_relaxed(&sched.poll_until, NEVER);
	rt_fence_seqcst(); /* pairs with wake_poller */
	until = timers_next(&pp->timers);
	if (rt_load_relaxed(&sched.starved) && until > RETRY)
		until = clock_after(clock_now(), RETRY);
	rt_store_relaxed(&sched.poll_until, until);
	return until;
}

/* The host's thread is its own again. */
static int leave(struct m *mp)
{
	if (m_p(mp)) {
		if (!guest.more)
			sched_poller->consume(); /* H1 */
		put_p(mp);
		rt_fence_seqcst(); /* F2, pairs with F1 in wake.c */
		if (!guest.more)
			guest.more = work_waits(); /* H3 */
	}
	m_tls = NULL;
	(void)guest_deadline();
	if (guest.more)
		guest_wake();
	else
		tidy();
	return guest.more;
}

int guest_poll(int max)
{
	struct m *mp = &guest.m;

	guest.limited = max > 0;
	guest.left = (uint32_t)max;
	guest.began = guest.looked = clock_real();
	guest.more = false;
	guest.tick = 0;
	rt_store_relaxed(&sched.poll_until, 0);
	if (!get_p(mp)) {
		/* The world stands still: who lets it go on wakes us. */
		sched_poller->consume();
		if (!get_p(mp))
			return 0;
	}
	m_tls = mp;
	san_thread(&mp->san);
	poll_now(m_p(mp), guest.began);
	sched_loop(mp);
	return leave(mp);
}

/* Until the descriptor says so, or a timer, or it is limit. */
static void wait(int64_t limit)
{
	struct pollfd fd = { .fd = sched_poller->fd(), .events = POLLIN };
	int64_t until = clock_real_at(guest_deadline()), ns;
	struct timespec ts;

	if (until == 0 || (limit != 0 && limit < until))
		until = limit;
	ns = until == 0 ? 0 : until - clock_real();
	if (ns < 0)
		ns = 0;
	ts.tv_sec = ns / NS_PER_SEC;
	ts.tv_nsec = ns % NS_PER_SEC;
	(void)ppoll(&fd, 1, until == 0 ? NULL : &ts, NULL);
}

bool guest_drive(struct note *until, int64_t limit)
{
	while (!note_is_woken(until)) {
		bool more = guest_poll(0);

		if (note_is_woken(until))
			break;
		if (limit != 0 && clock_real() >= limit)
			return false;
		if (!more)
			wait(limit);
	}
	return true;
}

/* So many checkpoints until the next look at the clock, in LOOK_GAP or so; at
 * once when the kernel's has ticked, for the pace may change. */
static bool look_is_due(void)
{
	int64_t rough;

	if (guest.skip > 0 && --guest.skip == 0)
		return true;
	rough = clock_rough();
	if (rough == guest.rough)
		return false;
	guest.rough = rough;
	return true;
}

static int64_t look(void)
{
	int64_t now = clock_real();

	if (now - guest.looked < LOOK_GAP / 2 && guest.pace < PACE_MAX)
		guest.pace *= 2;
	else if (now - guest.looked > LOOK_GAP && guest.pace > 1)
		guest.pace /= 2;
	guest.looked = now;
	guest.skip = guest.pace;
	return now;
}

/* It has used up the slice; or the network wants to be looked at, or a timer
 * is due, and g0 sees to that, and to who is woken. */
void guest_checkpoint(void)
{
	struct m *mp = m_self();
	int64_t now;

	if (!mp || !m_curg(mp) || sched.seed || !look_is_due() ||
	    rcu_inside(&mp->rcu))
		return;
	now = look();
	if (now - guest.began < SLICE &&
	    now - rt_load_relaxed(&sched.polled) < POLL_GAP &&
	    timers_next(&sched.ps[0].timers) > now)
		return;
	mp = m_enter();
	rt_store_relaxed(&m_p(mp)->attention, 1); /* through g0 */
	stat_inc(&m_p(mp)->stats->preempted);
	rt_yield_far();
	m_exit();
}
