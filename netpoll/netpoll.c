/* SPDX-License-Identifier: MIT */
/* netpoll.c - fills in the scheduler's hook table (sched/poller.h). */

#include "netpoll/backend.h"
#include "netpoll/pd.h"
#include "sched/poller.h"
#include "sched/sched.h"
#include "sched/trace.h"

#define RETRY NS_PER_MS /* for starts that wait for a free goroutine */

const struct backend *const backend = &backend_epoll;

static int init(void)
{
	int r = pd_init();

	if (r < 0)
		return r;
	r = backend->init();
	if (r < 0)
		pd_fini();
	return r;
}

static void fini(void)
{
	pd_fini();
	backend->fini();
}

static int poll_events(struct p *pp, int64_t delay, struct task_list *ready)
{
	int n;

	pd_retry_starts(pp, ready);
	if (ready->n > 0)
		delay = 0;
	else if (rt_load_relaxed(&sched.starved) &&
	    (delay < 0 || delay > RETRY))
		delay = RETRY;
	n = backend->poll(pp, delay, ready);
	stat_of(pp, polls, 1);
	if (n > 0)
		stat_of(pp, events, (uint64_t)n);
	trace_event(pp, TRACE_POLL, n > 0 ? (uint32_t)n : 0, 0, 0);
	pd_retry_starts(pp, ready);
	return n;
}

static void wake(void)
{
	backend->wake();
}

static int fd(void)
{
	return backend->pollable();
}

static void consume(void)
{
	backend->consume();
}

static void forked(void)
{
	backend->fini();
}

static const struct poller netpoll = {
	.init = init,
	.fini = fini,
	.poll = poll_events,
	.begin = pd_begin_start,
	.wake = wake,
	.fd = fd,
	.consume = consume,
	.forked = forked,
	.stop = pd_stop_all,
	.waits = pd_waits,
};

const struct poller *const sched_poller = &netpoll;
