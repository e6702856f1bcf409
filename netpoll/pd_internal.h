/* SPDX-License-Identifier: MIT */
/* pd_internal.h - what the files of the poll descriptor share. */
#ifndef RT_NETPOLL_PD_INTERNAL_H
#define RT_NETPOLL_PD_INTERNAL_H

#include "netpoll/pd.h"

extern struct slab pd_slab;

/* pd.c */
/* Sequences begin at 1: one of 0 would name a slot that is being set up. */
static inline struct pd *pd_at(gamp_fd fd)
{
	uint64_t slot = (uint64_t)fd & ((1u << PD_SLOT_BITS) - 1);

	return fd >> PD_SLOT_BITS > 0 ? slab_at(&pd_slab, slot) : NULL;
}

void pd_release_sysfd(struct pd *pd);

/* pd_wait.c: cancellers of waits; a start that was taken out of dir. */
void pd_wait_init(struct pd *pd);
/* Locks one direction of an open descriptor, or -EBUSY. */
int pd_lock_now(gamp_fd fd, int mode, struct pd **out);
void pd_start(struct pd *pd, struct p *pp, struct task_list *l);
/* Appends what notify or evict of a direction returned. */
void pd_collect(struct pd *pd, int mode, struct g *gp, struct p *pp,
    struct task_list *l);

/* pd_deadline.c: timers; closing and waking everybody. */
void pd_deadline_init(struct pd *pd);
void pd_evict_all(struct pd *pd, struct task_list *l);

#endif
