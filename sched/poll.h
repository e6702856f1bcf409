/* SPDX-License-Identifier: MIT */
/* poll.h - polling the network from the scheduler: who may, and what becomes
 * of what it finds. */
#ifndef RT_SCHED_POLL_H
#define RT_SCHED_POLL_H

#include "sched/sched.h"

/* The owner of pp: without waiting. */
void poll_now(struct p *pp, int64_t now);

/* The one M in the poller, without a P: until there are events, or a timer is
 * due, or somebody wakes it. */
void poll_wait(struct task_list *ready);

/* The owner of pp queues what a poll found. */
void poll_take(struct p *pp, struct task_list *ready);

#endif
