/* SPDX-License-Identifier: MIT */
/* cancel.c - see cancel.h; C3, C4, F2 are named there. */

#include <errno.h>

#include "sched/cancel.h"

int cancel_id(int64_t id)
{
	struct g *gp = g_find(id);
	uint64_t tag;
	struct canceller *w;

	if (!gp)
		return -ESRCH;
	tag = (uint64_t)id << 1;
	if (!rt_cas_seqcst(&gp->tag, &tag, tag | 1)) /* C3 */
		return tag >> 1 == (uint64_t)id ? 0 : -ESRCH;
	rt_fence_seqcst(); /* F2, pairs with cancel_begin */
	w = (struct canceller *)rt_load_acquire(&gp->waits); /* C4 */
	if (w)
		w->fn(w, gp);
	return 0;
}

static void cancel_one(struct g *gp, int64_t id, void *arg)
{
	(void)gp;
	(void)arg;
	(void)cancel_id(id);
}

void cancel_all(void)
{
	g_each(cancel_one, NULL);
}
