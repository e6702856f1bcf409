/* SPDX-License-Identifier: MIT */
/*
 * pd_select.c - a descriptor as one case of a select.
 *
 * A select holds the direction's lock from begin to end, as a read does, and
 * leaves g | 1 in its word while it is parked (dir.h).  Whoever takes that out
 * pokes the goroutine's wait; the select then looks at all its descriptors.
 * An edge that comes while another case wins stays in the word, and unwatch
 * turns it into "not known to be drained": the next read or select tries.
 *
 * poke[mode] is which of the goroutine's waits is meant.  A poller may read it
 * late, when a later select of the same direction has begun: that one is then
 * poked for nothing, looks around and waits again.
 */

#include <errno.h>

#include "base/sys.h"
#include "netpoll/pd_internal.h"
#include "sched/m.h"

int pd_select_begin(gamp_fd fd, int mode, struct pd **out)
{
	int r = pd_lock_now(fd, mode, out);

	if (r == 0 && mode == MODE_WRITE) {
		r = pd_poll_out(*out);
		if (r < 0) {
			pd_unlock(*out, mode);
			*out = NULL;
		}
	}
	return r;
}

/* The word is reset before the system is asked: dir.h I5. */
int pd_select_look(struct pd *pd, int mode)
{
	int r = pd_check(pd, mode);

	if (r < 0)
		return r;
	if (dir_unwatch(&pd->dir[mode]) && mode == MODE_READ)
		pd->drained = false;
	if (mode == MODE_READ && pd->drained &&
	    !(rt_load_acquire(&pd->info) & PD_HUP))
		return -EAGAIN;
	if (sys_ready(pd->sysfd, mode == MODE_WRITE))
		return 0;
	if (mode == MODE_READ)
		pd->drained = true; /* from here on an edge tells */
	return -EAGAIN;
}

void pd_select_watch(struct pd *pd, int mode, struct g *gp, uint64_t word)
{
	struct g *who = (struct g *)((uintptr_t)gp | 1);

	rt_store_relaxed(&pd->poke[mode], word);
	if (!dir_watch(&pd->dir[mode], who, &pd->info,
		PD_CLOSING | PD_TIME(mode)))
		(void)wait_poke(gp, word);
}

void pd_select_unwatch(struct pd *pd, int mode)
{
	if (dir_unwatch(&pd->dir[mode]) && mode == MODE_READ)
		pd->drained = false;
}

void pd_select_end(struct pd *pd, int mode)
{
	pd_unlock(pd, mode);
}
