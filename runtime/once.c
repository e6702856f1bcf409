/* SPDX-License-Identifier: MIT */
/*
 * once.c - something that is done once: a mutex and a flag.
 *
 * If fn leaves by gamp_exit, what was deferred before it was called marks it
 * as done all the same.
 */

#include "runtime/leave.h"
#include "runtime/sync.h"

struct once {
	rt_a32 done;
	struct gamp_mutex mutex;
};

SYNC_LAYOUT(once, gamp_once);

static void finish(void *arg)
{
	struct once *o = arg;

	san_release(o);
	rt_store_release(&o->done, 1);
	(void)gamp_mutex_unlock(&o->mutex);
}

int gamp_once_do(struct gamp_once *pub, gamp_fn *fn, void *arg)
{
	struct once *o = (struct once *)pub;
	int r, deferred;

	if (!fn)
		return -EINVAL;
	if (rt_load_acquire(&o->done)) {
		san_acquire(o);
		return 0;
	}
	r = gamp_mutex_lock(&o->mutex);
	if (r < 0)
		return r;
	if (rt_load_relaxed(&o->done))
		return gamp_mutex_unlock(&o->mutex);
	deferred = gamp_defer(finish, o);
	if (deferred == -ENOMEM) {
		(void)gamp_mutex_unlock(&o->mutex);
		return deferred;
	}
	fn(arg);
	if (deferred == 0)
		defer_drop(finish, o);
	finish(o);
	return 0;
}
