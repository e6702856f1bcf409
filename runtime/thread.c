/* SPDX-License-Identifier: MIT */
/* thread.c - goroutines and threads: locking, checkpoints, callbacks. */

#include <errno.h>

#include <gamp/go.h>

#include "base/note.h"
#include "runtime/leave.h"
#include "sched/checkpoint.h"
#include "sched/detach.h"
#include "sched/guest.h"
#include "sched/lockm.h"

int gamp_lock_thread(void)
{
	struct m *mp = m_enter();
	struct g *gp;
	int r = 0;

	if (!mp || !m_curg(mp))
		return -EPERM;
	gp = m_curg(mp);
	if (!g_is_locked(gp)) {
		gp->lock_depth = 1;
		lockm_bind(mp, gp);
	} else if (gp->lock_depth == UINT16_MAX) {
		r = -EAGAIN;
	} else {
		gp->lock_depth++;
	}
	m_leave(mp);
	return r;
}

int gamp_unlock_thread(void)
{
	struct m *mp = m_enter();
	struct g *gp;
	int r = 0;

	if (!mp || !m_curg(mp))
		return -EPERM;
	gp = m_curg(mp);
	if (!g_is_locked(gp))
		r = -EINVAL;
	else if (--gp->lock_depth == 0)
		lockm_free(mp, gp);
	m_leave(mp);
	return r;
}

/* What gamp/go.h has inline, for who can only call.  Written out: clang takes
 * a call of that one for a call of this. */
GAMP_API int checkpoint(void) __asm__("gamp_checkpoint");

int checkpoint(void)
{
	return checkpoint_is_set() ? gamp_checkpoint_slow() : 0;
}

int gamp_checkpoint_slow(void)
{
	int r;

	if (guest_on())
		guest_checkpoint();
	r = m_checkpoint();
	return r == -EPERM ? 0 : r;
}

void gamp_leave_blocking(void)
{
	blocking_leave();
}

struct call {
	gamp_fn *fn;
	void *arg;
	struct note done;
};

/* However it exits, and after all that it deferred. */
static void call_left(struct g *gp)
{
	struct call *call = gp->arg;

	leave_run(gp);
	san_release(&call->done);
	(void)note_wake(&call->done);
}

static void call_main(void *arg)
{
	struct call *call = arg;

	m_curg(m_self())->leaving = call_left;
	call->fn(call->arg);
}

int gamp_call(gamp_fn *fn, void *arg)
{
	struct call call = { .fn = fn, .arg = arg };
	struct m *mp = m_self();
	int64_t id;

	if (!fn)
		return -EINVAL;
	if (mp && !m_curg(mp)) /* a short timer */
		return -EPERM;
	if (mp) {
		fn(arg);
		return 0;
	}
	if (guest_must_not_wait())
		return -EDEADLK;
	id = gamp_go(call_main, &call);
	if (id < 0)
		return (int)id;
	(void)note_sleep(&call.done, 0);
	san_acquire(&call.done);
	return 0;
}
