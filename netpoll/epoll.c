/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - the Linux backend.
 *
 * One instance for all; descriptors are added once, edge-triggered.  A
 * blocked poll is woken through an eventfd, whose cookie is 0 (no handle is).
 *
 *	waker				blocked poller
 *	woken 0 -> 1 (RMW), else done	reads the eventfd, then
 *	write the eventfd		woken = 0
 *
 * A poll that does not block leaves the eventfd alone (it is level-triggered),
 * so the wake is not stolen from the one it was meant for.
 *
 * A guest (sched/guest.h) never blocks here: its host waits for the instance
 * itself, which is readable while events or the eventfd are, and the guest
 * consumes the wake when it has nothing to do.  One that is yet to be written
 * stays: were `woken` 0 by then, nobody would read it, and a host that has
 * nothing to do would not sleep.
 */

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fatal.h"
#include "netpoll/backend.h"
#include "netpoll/pd.h"

#ifdef RT_HARD
#define BATCH 1 /* so that tests meet events one by one */
#else
#define BATCH 128
#endif

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* PRI: reads stop short at urgent data (pd.h). */
#define EVENTS_IN (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static struct {
	int fd, wakefd;
	rt_a32 woken;
	rt_a32 no_pwait2; /* an old kernel: milliseconds */
} ep = { .fd = -1, .wakefd = -1 };

static int add(int op, int sysfd, int64_t cookie, uint32_t events)
{
	struct epoll_event ev = { .events = events,
		.data = { .u64 = (uint64_t)cookie } };

	return epoll_ctl(ep.fd, op, sysfd, &ev) < 0 ? -errno : 0;
}

static void ep_fini(void)
{
	if (ep.wakefd >= 0)
		(void)close(ep.wakefd);
	if (ep.fd >= 0)
		(void)close(ep.fd);
	ep.fd = ep.wakefd = -1;
}

static int ep_init(void)
{
	int r;

	rt_store_relaxed(&ep.woken, 0);
	ep.fd = epoll_create1(EPOLL_CLOEXEC);
	if (ep.fd < 0)
		return -errno;
	ep.wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = ep.wakefd < 0 ? -errno : add(EPOLL_CTL_ADD, ep.wakefd, 0, EPOLLIN);
	if (r < 0)
		ep_fini();
	return r;
}

static int ep_open(int sysfd, int64_t cookie, bool out)
{
	return add(EPOLL_CTL_ADD, sysfd, cookie,
	    EVENTS_IN | (out ? (uint32_t)EPOLLOUT : 0));
}

/* The kernel looks at the state now, so nothing is missed. */
static int ep_more(int sysfd, int64_t cookie)
{
	return add(EPOLL_CTL_MOD, sysfd, cookie, EVENTS_IN | EPOLLOUT);
}

static void ep_close(int sysfd)
{
	(void)epoll_ctl(ep.fd, EPOLL_CTL_DEL, sysfd, NULL);
}

static void ep_wake(void)
{
	uint64_t one = 1;
	uint32_t was = 0;

	if (rt_cas_seqcst(&ep.woken, &was, 1))
		while (write(ep.wakefd, &one, sizeof(one)) < 0 &&
		    errno == EINTR)
			;
}

static int ep_pollable(void)
{
	return ep.fd;
}

static void consume_wake(void)
{
	uint64_t n;
	ssize_t r;

	do
		r = read(ep.wakefd, &n, sizeof(n));
	while (r < 0 && errno == EINTR);
	if (r > 0)
		(void)rt_swap_seqcst(&ep.woken, 0);
}

static void ep_consume(void)
{
	if (rt_load_seqcst(&ep.woken))
		consume_wake();
}

static int wait_ms(struct epoll_event *evs, int64_t delay)
{
	int64_t ms = delay < 0 ? -1 : (delay + NS_PER_MS - 1) / NS_PER_MS;

	if (ms > INT32_MAX)
		ms = INT32_MAX;
	return epoll_wait(ep.fd, evs, BATCH, (int)ms);
}

/* Number of events, or -errno. */
static int wait_events(struct epoll_event *evs, int64_t delay)
{
	struct timespec ts = { .tv_sec = delay / NS_PER_SEC,
		.tv_nsec = delay % NS_PER_SEC };
	int n;

	if (delay <= 0 || rt_load_relaxed(&ep.no_pwait2)) {
		n = wait_ms(evs, delay);
		return n < 0 ? -errno : n;
	}
	n = (int)syscall(
	    SYS_epoll_pwait2, ep.fd, evs, BATCH, &ts, NULL, _NSIG / 8);
	if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
		rt_store_relaxed(&ep.no_pwait2, 1);
		n = wait_ms(evs, delay);
	}
	return n < 0 ? -errno : n;
}

static int ep_poll(struct p *pp, int64_t delay, struct task_list *ready)
{
	struct epoll_event evs[BATCH];
	int n = wait_events(evs, delay);

	if (n < 0) {
		/* EINTR: the caller looks around and comes back.  Nothing
		 * else can be mended here; do not spin on it. */
		if (n != -EINTR && delay != 0)
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0,
			    &(struct timespec){ .tv_nsec = NS_PER_MS }, NULL);
		return 0;
	}
	for (int i = 0; i < n; i++) {
		uint32_t e = evs[i].events;

		if (evs[i].data.u64 == 0) {
			if (delay != 0)
				consume_wake();
			continue;
		}
		pd_event((gamp_fd)evs[i].data.u64,
		    e &
			(EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR),
		    e & (EPOLLOUT | EPOLLHUP | EPOLLERR),
		    e & (EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR), pp,
		    ready);
	}
	return n;
}

const struct backend backend_epoll = {
	.name = "epoll",
	.init = ep_init,
	.fini = ep_fini,
	.open = ep_open,
	.more = ep_more,
	.close = ep_close,
	.poll = ep_poll,
	.wake = ep_wake,
	.pollable = ep_pollable,
	.consume = ep_consume,
};
