/* SPDX-License-Identifier: MIT */
/* guest.c - the calls of gamp/guest.h. */

#include <errno.h>

#include <gamp/guest.h>

#include "sched/entry.h"
#include "sched/guest.h"
#include "sched/poller.h"

/* The host stops the runtime itself: it cannot go away meanwhile. */
static int may_poll(void)
{
	uintptr_t host = rt_load_acquire(&guest_host);

	if (host == 0)
		return -ESRCH;
	if (host != (uintptr_t)pthread_self())
		return -EPERM;
	return m_self() ? -EDEADLK : 0;
}

int gamp_poll(int max)
{
	int r = may_poll();

	return r < 0 ? r : guest_poll(max);
}

int gamp_poll_fd(void)
{
	int r = -ESRCH;

	if (!entry_begin())
		return r;
	if (guest_on())
		r = sched_poller->fd();
	entry_end();
	return r;
}

int64_t gamp_poll_deadline(void)
{
	int r = may_poll();

	return r < 0 ? r : guest_deadline();
}
