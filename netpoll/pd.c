/* SPDX-License-Identifier: MIT */
/* pd.c - poll descriptors: opening, users, closing; see pd.h. */

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fatal.h"
#include "base/sys.h"
#include "netpoll/backend.h"
#include "netpoll/pd.h"
#include "netpoll/pd_internal.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/waitq.h"

struct slab pd_slab;

/* Handles of an earlier run of the runtime stay stale in the next. */
static uint64_t first_seq = 1;

int pd_init(void)
{
	return slab_init(
	    &pd_slab, RANK_PDCACHE, sizeof(struct pd), PD_SLOTS_MAX);
}

/* No thread runs any more. */
void pd_fini(void)
{
	uint32_t n = rt_load_relaxed(&pd_slab.used);

	for (uint32_t i = 0; i < n; i++) {
		struct pd *pd = slab_at(&pd_slab, i);
		uint64_t seq = rt_load_relaxed(&pd->seq);

		if (pd->sysfd >= 0)
			pd_release_sysfd(pd);
		if (seq >= first_seq)
			first_seq = seq + 1;
	}
	slab_fini(&pd_slab);
}

gamp_fd pd_handle(struct pd *pd)
{
	return (gamp_fd)(rt_load_relaxed(&pd->seq) << PD_SLOT_BITS |
	    rt_load_relaxed(&pd->slot));
}

/* A slot that was never used reads zero. */
static void first_use(struct pd *pd, uint32_t slot)
{
	rt_store_relaxed(&pd->slot, slot);
	pd->lock.rank = RANK_PD;
	pd_wait_init(pd);
	pd_deadline_init(pd);
	rt_store_relaxed(&pd->mu, 1); /* closed */
	rt_store_relaxed(&pd->seq, first_seq);
}

static void set_up(struct pd *pd, int sysfd, uint32_t kind, bool out)
{
	uint32_t tag = (uint32_t)rt_load_relaxed(&pd->seq) << PD_SEQ_SHIFT;

	pd->kind = kind;
	pd->drained = false;
	pd->polls_out = out;
	rt_store_relaxed(&pd->shared, kind & PD_SHARED);
	rt_lock(&pd->lock); /* a late timer may look */
	pd->sysfd = sysfd;
	for (int m = 0; m < 2; m++) {
		rt_store_relaxed(&pd->dir[m].sem, DIR_NIL);
		pd->deadline[m] = NEVER;
		pd->posts[m] = 0;
	}
	rt_store_relaxed(&pd->info, tag);
	rt_unlock(&pd->lock);
}

gamp_fd pd_open(int sysfd, uint32_t kind, bool out)
{
	int64_t slot = slab_new(&pd_slab);
	struct pd *pd;
	gamp_fd fd;
	int r;

	if (slot < 0)
		return slot;
	pd = slab_at(&pd_slab, (uint64_t)slot);
	if (rt_load_relaxed(&pd->seq) == 0)
		first_use(pd, (uint32_t)slot);
	set_up(pd, sysfd, kind, out);
	fd = pd_handle(pd);
	fdmu_open(&pd->mu);
	r = backend->open(sysfd, fd, out);
	if (r == 0)
		return fd;
	pd->sysfd = -1; /* it stays the caller's */
	(void)pd_close(fd);
	return r;
}

static void remove_path(int sysfd)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	if (getsockname(sysfd, (struct sockaddr *)&un, &len) == 0 &&
	    len > offsetof(struct sockaddr_un, sun_path) && un.sun_path[0])
		(void)unlink(un.sun_path);
}

void pd_release_sysfd(struct pd *pd)
{
	/* The kernel forgets a number that is closed, unless it was dup'ed:
	 * then late events would come for ever. */
	if (rt_load_relaxed(&pd->shared))
		backend->close(pd->sysfd);
	if (pd->kind & PD_UNLINK)
		remove_path(pd->sysfd);
	if (pd->kind & PD_SIGNALS)
		pd_signals_gone(pd_handle(pd));
	sys_close(pd->sysfd);
	pd->sysfd = -1;
}

/* The last user is out. */
static void destroy(struct pd *pd)
{
	uint32_t slot = rt_load_relaxed(&pd->slot);

	san_acquire(pd); /* what users of the number did */
	rt_assert(rt_load_relaxed(&pd->dir[MODE_READ].sem) <= DIR_READY);
	rt_assert(rt_load_relaxed(&pd->dir[MODE_WRITE].sem) <= DIR_READY);
	if (pd->sysfd >= 0)
		pd_release_sysfd(pd);
	rt_store_release(&pd->seq, rt_load_relaxed(&pd->seq) + 1);
	slab_free(&pd_slab, slot);
}

/* Lets a goroutine try again for the lock of a direction, now or when it
 * comes to wait. */
static void post(struct pd *pd, int mode)
{
	struct sudog *s;
	bool outside;

	rt_lock(&pd->lock);
	s = waitq_win(&pd->turns[mode], false);
	if (!s)
		pd->posts[mode]++;
	rt_unlock(&pd->lock);
	if (!s)
		return;
	outside = m_is_outside();
	if (outside)
		(void)m_enter();
	wait_wake(s->wait);
	if (outside)
		m_exit();
}

/* Closing: all that wait leave; who comes to wait sees PD_CLOSING. */
static void post_all(struct pd *pd, struct task_list *l)
{
	struct sudog *s;

	rt_lock(&pd->lock);
	for (int m = 0; m < 2; m++)
		while ((s = waitq_win(&pd->turns[m], false)))
			rt_ready_onto(l, s->wait->g);
	rt_unlock(&pd->lock);
}

int pd_begin(gamp_fd fd, struct pd **out)
{
	struct pd *pd = pd_at(fd);

	if (!pd || pd_handle(pd) != fd)
		return -EBADF;
	switch (fdmu_incref(&pd->mu)) {
	case FDMU_OK:
		break;
	case FDMU_FULL:
		return -EMFILE;
	default:
		return -EBADF;
	}
	if (pd_handle(pd) != fd) { /* the slot's next owner */
		pd_end(pd);
		return -EBADF;
	}
	*out = pd;
	return 0;
}

void pd_end(struct pd *pd)
{
	san_release(pd);
	if (fdmu_decref(&pd->mu) == FDMU_LAST)
		destroy(pd);
}

int pd_poll_out(struct pd *pd)
{
	int r = 0;

	if (!pd->polls_out)
		r = backend->more(pd->sysfd, pd_handle(pd));
	if (r == 0)
		pd->polls_out = true;
	return r;
}

static void unlock_turns(void *lock)
{
	rt_unlock(lock);
}

/* Under the lock, which is gone afterwards.  Whoever is posted has the turn,
 * even if it was cancelled meanwhile: it passes it on as it unlocks. */
static int await_turn(struct m *mp, struct pd *pd, int mode)
{
	struct wait *w = wait_self(mp, NULL);
	struct sudog s = { .wait = w };
	struct parking how = { .release = unlock_turns,
		.obj = &pd->lock,
		.deadline = NEVER,
		.why = WHY_FD_LOCK };
	int r;

	waitq_push(&pd->turns[mode], &s);
	r = wait_park(w, &how);
	if (r < 0) {
		rt_lock(&pd->lock);
		waitq_remove(&pd->turns[mode], &s);
		rt_unlock(&pd->lock);
	}
	return r;
}

/*
 * Counted as a waiter: sleeps until a post, spare ones included.  The closer
 * takes the lock to say that it closes, and then again to wake all that wait:
 * who comes later must not wait, for a descriptor that is closed or even the
 * slot's next one.
 */
static int wait_turn(struct pd *pd, int mode, gamp_fd fd)
{
	struct m *mp = m_enter();
	int r = 0;

	if (!mp || !m_curg(mp))
		return -EPERM;
	rt_lock(&pd->lock);
	if (pd->posts[mode] > 0)
		pd->posts[mode]--;
	else if (!(rt_load_relaxed(&pd->info) & PD_CLOSING) &&
	    pd_handle(pd) == fd)
		r = 1;
	if (r > 0)
		r = await_turn(mp, pd, mode);
	else
		rt_unlock(&pd->lock);
	m_exit();
	return r;
}

int pd_lock(gamp_fd fd, int mode, struct pd **out)
{
	struct pd *pd = pd_at(fd);
	struct m *mp = m_self();
	bool goroutine = mp && m_curg(mp), waited = false;
	int r;

	if (!pd)
		return -EBADF;
	for (;;) {
		/* Not even for a moment on the next owner, if it can be helped:
		 * it would find it busy. */
		if (pd_handle(pd) != fd)
			return waited ? -ECANCELED : -EBADF;
		switch (fdmu_lock(&pd->mu, mode, goroutine)) {
		case FDMU_OK:
			if (rt_likely(pd_handle(pd) == fd)) {
				*out = pd;
				return 0;
			}
			pd_unlock(pd, mode);
			return waited ? -ECANCELED : -EBADF;
		case FDMU_BUSY:
			if (!goroutine)
				return -EPERM;
			if (pd_handle(pd) != fd)
				return -EBADF; /* leaves a spare post */
			r = wait_turn(pd, mode, fd);
			if (r < 0)
				return r;
			waited = true;
			break;
		case FDMU_FULL:
			return -EMFILE;
		default: /* closed under those who waited: as for a reader */
			return waited ? -ECANCELED : -EBADF;
		}
	}
}

void pd_unlock(struct pd *pd, int mode)
{
	enum fdmu r;

	san_release(pd);
	r = fdmu_unlock(&pd->mu, mode);
	if (r == FDMU_POST || r == FDMU_LAST_POST)
		post(pd, mode);
	if (r == FDMU_LAST || r == FDMU_LAST_POST)
		destroy(pd);
}

int pd_close(gamp_fd fd)
{
	struct task_list l = { 0 };
	struct pd *pd;
	int r = pd_begin(fd, &pd);

	if (r < 0)
		return r;
	r = fdmu_close(&pd->mu) == FDMU_OK ? 0 : -EBADF;
	if (r == 0) {
		pd_evict_all(pd, &l);
		post_all(pd, &l);
		rt_queue_list(&l);
		pd_end(pd); /* fdmu_close made us a user once more */
	}
	pd_end(pd);
	return r;
}
