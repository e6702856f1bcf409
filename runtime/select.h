/* SPDX-License-Identifier: MIT */
/*
 * select.h - what a select keeps in its cases, and the orders of them.
 */
#ifndef RT_RUNTIME_SELECT_H
#define RT_RUNTIME_SELECT_H

#include "runtime/chan.h"

struct pd;

/* In gamp_case.opaque. */
struct scase {
	struct sudog s;
	struct pd *pd;	/* READABLE, WRITABLE: its lock is held */
	uint32_t poll;	/* of the i-th to be tried: its index */
	uint32_t lock;	/* of the i-th by address: its index */
};

RT_STATIC_ASSERT(
    sizeof(struct scase) <= sizeof(((struct gamp_case *)0)->opaque),
    "gamp_case has no room");

static inline struct scase *scase_of(struct gamp_case *c)
{
	return (struct scase *)c->opaque;
}

static inline bool scase_is_chan(const struct gamp_case *c)
{
	return (c->op == GAMP_CASE_SEND || c->op == GAMP_CASE_RECV) && c->ch;
}

static inline bool scase_is_fd(const struct gamp_case *c)
{
	return c->op == GAMP_CASE_READABLE || c->op == GAMP_CASE_WRITABLE;
}

#endif
