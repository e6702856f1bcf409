/* SPDX-License-Identifier: MIT */
/* embed.c - see embed.h. */

#include <errno.h>

#include "sched/embed.h"
#include "sched/protect.h"
#include "sched/sched.h"

static struct gamp_embed hooks; /* sched.embed, if that is not null */

void embed_init(const struct gamp_embed *given)
{
	sched.embed = given ? &hooks : NULL;
	if (given)
		hooks = *given;
}

/* The hooks `create` and `exit` are paired from here on. */
int embed_born(struct g *gp, int64_t id)
{
	int cls = (int)(gp->ref >> ARENA_INDEX_BITS), r = 0;

	gp->own.lo = NULL;
	if (hooks.stack_alloc) {
		gp->own.size = arena_class_size(cls);
		gp->own.lo = hooks.stack_alloc(gp->own.size);
		if (!gp->own.lo)
			return -ENOMEM;
	}
	if (hooks.create)
		r = hooks.create(id, gp->slots);
	if (r < 0) {
		embed_free(gp);
		return r;
	}
	if (hooks.switch_in || hooks.switch_out)
		g_set_rare(gp, G_HOOKED, 0);
	return 0;
}

void embed_failed(struct g *gp, const struct gamp_failure *how)
{
	if (sched.embed && hooks.failed)
		hooks.failed(g_id(gp), gp->slots, how);
}

static void call(void *arg)
{
	struct g *gp = arg;

	if (hooks.start)
		hooks.start(g_id(gp), gp->slots);
	gp->fn(gp->arg);
}

void embed_run(struct g *gp)
{
	struct protect_guard guard;

	if (!hooks.failed) {
		call(gp);
		return;
	}
	if (protect_call(&guard, call, gp))
		return;
	embed_failed(gp, &guard.failing.how);
	if (guard.failing.how.exception)
		_Unwind_DeleteException(guard.failing.how.value);
	gamp_exit();
}

void embed_exit(struct g *gp)
{
	if (hooks.exit)
		hooks.exit(g_id(gp), gp->slots);
}

void embed_free(struct g *gp)
{
	if (gp->own.lo)
		hooks.stack_free(gp->own.lo, gp->own.size);
	gp->own.lo = NULL;
}

void embed_switch_in(struct g *gp)
{
	if (hooks.switch_in)
		hooks.switch_in(g_id(gp), gp->slots);
}

void embed_switch_out(struct g *gp)
{
	if (hooks.switch_out)
		hooks.switch_out(g_id(gp), gp->slots);
}
