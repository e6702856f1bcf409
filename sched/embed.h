/* SPDX-License-Identifier: MIT */
/*
 * embed.h - the hooks of gamp/embed.h.
 *
 * sched.embed is null unless there are any, and constant while the runtime
 * runs.  What a switch has to do for them hangs on bits that are looked at
 * anyway (G_HOOKED, M_HOOKED: switch.h), and the rest on a first function of
 * its own, so that others pay one load as a goroutine is made and freed.
 */
#ifndef RT_SCHED_EMBED_H
#define RT_SCHED_EMBED_H

#include <gamp/embed.h>

#include "sched/g.h"

/* Before the first goroutine; null: none. */
void embed_init(const struct gamp_embed *hooks);

/* gp, which has an id, gets its stack.  0 or -errno. */
int embed_born(struct g *gp, int64_t id);

/* What the goroutine runs, in the program's code, from begin to end. */
void embed_run(struct g *gp);

/* Its last act; or it never began, and is told of on any stack. */
void embed_exit(struct g *gp);

/* It has left its stack for good. */
void embed_free(struct g *gp);

/* Nothing of its own catches how it failed: tells the hook. */
void embed_failed(struct g *gp, const struct gamp_failure *how);

/* It goes on on this thread, or leaves it. */
void embed_switch_in(struct g *gp);
void embed_switch_out(struct g *gp);

#endif
