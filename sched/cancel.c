/* SPDX-License-Identifier: MIT */
/* cancel.c - see cancel.h; C3, C4, F2 are named there. */

#include <errno.h>

#include "sched/cancel.h"
#include "sched/checkpoint.h"

struct g *cancel_mark(int64_t id)
{
	struct g *gp = g_find(id);
	uint64_t tag = (uint64_t)id << 1;

	if (!gp || !rt_cas_seqcst(&gp->tag, &tag, tag | 1)) /* C3 */
		return NULL;
	checkpoint_ask(); /* if it computes */
	return gp;
}

void cancel_poke(struct g *gp)
{
	struct canceller *w =
	    (struct canceller *)rt_load_acquire(&gp->waits); /* C4 */

	if (w)
		w->fn(w, gp);
	wait_cancel(gp);
}

int cancel_id(int64_t id)
{
	struct g *gp = cancel_mark(id);

	if (!gp)
		return g_find(id) ? 0 : -ESRCH;
	membar_heavy(); /* F2, pairs with F1 */
	cancel_poke(gp);
	return 0;
}

static void mark_one(struct g *gp, int64_t id, void *arg)
{
	(void)gp;
	(void)arg;
	(void)cancel_mark(id);
}

/* One that was marked before is poked once more: that is harmless. */
static void poke_one(struct g *gp, int64_t id, void *arg)
{
	(void)id;
	(void)arg;
	if (rt_load_acquire(&gp->tag) & 1)
		cancel_poke(gp);
}

void cancel_all(void)
{
	g_each(mark_one, NULL);
	membar_heavy(); /* F2 */
	g_each(poke_one, NULL);
}
