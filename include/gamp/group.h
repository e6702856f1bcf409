/* SPDX-License-Identifier: MIT */
/*
 * group.h - structured concurrency: goroutines that end before their group.
 *
 *	struct gamp_group g;
 *	gamp_group_init(&g, gamp_now() + 5 * GAMP_SECOND);
 *	gamp_group_go(&g, fetch, &a);
 *	gamp_group_go(&g, fetch, &b);
 *	err = gamp_group_wait(&g);
 *
 * The first one that returns an error cancels the others, and so does the
 * deadline, and so does cancelling whoever waits: a group within a goroutine
 * of another group ends with it.  The group's memory, most often a variable of
 * who waits, may go when gamp_group_wait has returned, and not before.
 */
#ifndef GAMP_GROUP_H
#define GAMP_GROUP_H

#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 0, or an error: a negative errno, or whatever the program takes for one. */
typedef int gamp_err_fn(void *arg);

/* Opaque. */
struct gamp_group {
	uint64_t opaque[24];
};

/*
 * gamp_group_init - make a group
 *
 * After the deadline its goroutines are cancelled and it has the error
 * -ETIMEDOUT.
 *
 * Errors	-EINVAL		g is null
 *		-ENOMEM		the table of timers is full
 *		-ESRCH		the runtime is not running
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_group_init(struct gamp_group *g, int64_t deadline);

/*
 * gamp_group_go - start a goroutine in a group
 *
 * In a group that is cancelled already it begins cancelled.  fn that leaves by
 * gamp_exit has returned 0.  The goroutine is in the group until what it
 * deferred has run; whoever returns an error is not cancelled for that.
 *
 * Returns	0
 * Errors	as gamp_go; -EINVAL if g is null; the group goes on without it
 * Parks	never.
 * Threads	any thread; after gamp_group_wait has begun only goroutines
 *		of the group.
 */
GAMP_API int gamp_group_go(
    struct gamp_group *g, gamp_err_fn *fn, void *arg);

/*
 * gamp_group_cancel - cancel all goroutines of a group, also future ones
 *
 * The group's error becomes -ECANCELED if it has none.  When it returns, all
 * of them are cancelled, even if another call did it.  Whoever calls sees to it
 * that the group's memory is there until it returns; in a group that is over it
 * does nothing.
 *
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API void gamp_group_cancel(struct gamp_group *g);

/*
 * gamp_group_wait - wait until all goroutines of a group have exited
 *
 * If the caller is cancelled, it cancels the group and goes on waiting: a
 * group is never left with goroutines running.  One waits, and once: the group
 * must be made anew before it is used again.
 *
 * Returns	0, or the first error
 * Errors	-EDEADLK	called from a goroutine of this group, or in
 *				the callback of a short timer; or it would
 *				have to wait, and is a guest's host
 *		-EINVAL		g is null
 *		After these the group goes on.
 * Parks	yes; not a point of cancellation, except as said.
 * Threads	any thread.
 */
GAMP_API int gamp_group_wait(struct gamp_group *g);

#ifdef __cplusplus
}
#endif

#endif
