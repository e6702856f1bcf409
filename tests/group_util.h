/* SPDX-License-Identifier: MIT */
/*
 * group_util.h - what the tests of groups share, beside net_util.h: children of
 * some kinds, which count what became of them.
 */
#ifndef TESTS_GROUP_UTIL_H
#define TESTS_GROUP_UTIL_H

#include <errno.h>
#include <string.h>

#include "base/san.h"
#include "tests/net_util.h"

#if defined(RT_TSAN)
enum { CROWD = 500 };
#else
enum { CROWD = 20000 };
#endif

#define LONG (3600 * GAMP_SECOND)

static atomic_int ran, cancelled;

/* In a group, with no deadline. */
static inline void begin(struct gamp_group *g)
{
	CHECK_EQ(gamp_group_init(g, 0), 0);
}

static inline void go(struct gamp_group *g, gamp_err_fn *fn, void *arg)
{
	CHECK_EQ(gamp_group_go(g, fn, arg), 0);
}

/* Fills the stack where a group was, so that who touches it later is seen. */
static inline void scribble(struct gamp_group *g)
{
	memset(g, 0xa5, sizeof(*g));
}

/* The memory is the caller's again. */
static inline int end(struct gamp_group *g)
{
	int r = gamp_group_wait(g);

	scribble(g);
	return r;
}

static inline void on_each(gamp_fn *fn)
{
	atomic_store(&ran, 0);
	atomic_store(&cancelled, 0);
	run_one(fn);
	atomic_store(&ran, 0);
	atomic_store(&cancelled, 0);
	run_with(fn, &(struct gamp_options){ .maxprocs = 2 });
	atomic_store(&ran, 0);
	atomic_store(&cancelled, 0);
	run(fn);
}

/* Children. */

static inline int quick(void *arg)
{
	atomic_fetch_add(&ran, 1);
	return (int)(intptr_t)arg;
}

static inline int yielding(void *arg)
{
	for (int i = 0; i < 10; i++)
		gamp_yield();
	return quick(arg);
}

static inline int sleeping(void *arg)
{
	CHECK_EQ(gamp_sleep(GAMP_MICROSECOND), 0);
	return quick(arg);
}

/* Until it is cancelled. */
static inline int patient(void *arg)
{
	int r = gamp_sleep(LONG);

	CHECK_EQ(r, -ECANCELED);
	CHECK(gamp_cancelled());
	atomic_fetch_add(&cancelled, 1);
	return arg ? r : 0;
}

static inline int exiting(void *arg)
{
	atomic_fetch_add(&ran, 1);
	if (arg)
		gamp_exit();
	gamp_exit();
}

static inline int begins_cancelled(void *arg)
{
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_sleep(LONG), -ECANCELED);
	return quick(arg);
}

static inline int cancels_own(void *arg)
{
	gamp_group_cancel(arg);
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_sleep(1), -ECANCELED);
	return quick(NULL);
}

#endif
