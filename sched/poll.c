/* SPDX-License-Identifier: MIT */
/* poll.c - see poll.h. */

#include "sched/poll.h"
#include "sched/poller.h"
#include "sched/wake.h"

/* True if task is now in the inbox of the P it last ran on, which runs. */
static bool send_home(struct p *pp, struct task *task)
{
	struct p *home = &sched.ps[task->home];

	if (home == pp || rt_load_relaxed(&sched.npidle) > 0 ||
	    task->home >= procs())
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
void poll_take(struct p *pp, struct task_list *ready)
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

void poll_now(struct p *pp, int64_t now)
{
	struct task_list ready = { 0 };

	rt_store_relaxed(&sched.polled, now);
	pp->expect_events = sched_poller->poll(pp, 0, &ready) > 1;
	poll_take(pp, &ready);
}

static int64_t earliest_timer(void)
{
	int64_t min = NEVER;

	for (uint32_t i = 0; i < procs(); i++) {
		int64_t t = timers_next(&sched.ps[i].timers);

		if (t < min)
			min = t;
	}
	return min;
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
	parked = rt_load_relaxed(&sched.npidle) == procs() &&
	    rt_load_relaxed(&sched.nglobal) == 0 &&
	    !rt_load_relaxed(&sched.stopped) &&
	    rt_load_relaxed(&sched.nblocking) == 0 && sched.nmutators == 0;
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

void poll_wait(struct task_list *ready)
{
	if (rt_unlikely(sched.fake_time))
		poll_fake(ready);
	else
		poll_blocking(ready);
}
