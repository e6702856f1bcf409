/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c - many readers or one writer; see sync.h.
 *
 * Everything is under the guard.  Readers and writers have a queue each, so
 * that none has to be searched; the turn that each draws as it arrives tells
 * who of the two firsts has waited longer.
 *
 *	readers	writing	  who is let in
 *	-------	-------	  -------------
 *	0	0	  anybody; nobody waits that could be won
 *	n	0	  readers, as long as no writer waits
 *	0	1	  nobody
 *
 * When a writer unlocks, all readers that wait go together; readers that come
 * later wait for the writers that wait now, so those wait for one such group
 * each.
 */

#include "runtime/sync.h"

enum { READERS, WRITERS };

struct rwmutex {
	struct guard guard;
	uint32_t readers;
	uint32_t writing;
	uint32_t turn; /* of who comes next */
	struct waitq queue[2];
};

SYNC_LAYOUT(rwmutex, gamp_rwmutex);

static bool came_before(const struct sudog *a, const struct sudog *b)
{
	return (int32_t)((uint32_t)a->arg - (uint32_t)b->arg) < 0;
}

/* Lets in whoever may.  all: even readers that came after a writer. */
static void grant(struct rwmutex *m, bool all, struct won *won)
{
	struct waitq *rq = &m->queue[READERS], *wq = &m->queue[WRITERS];
	bool solo = guard_is_solo(&m->guard);

	while (!m->writing) {
		struct sudog *r = rq->first, *w = wq->first;

		if (r && (all || !w || came_before(r, w)))
			m->readers += sync_win(rq, r, solo, won);
		else if (w && m->readers == 0)
			m->writing = sync_win(wq, w, solo, won);
		else
			break;
	}
}

static bool try_lock(struct rwmutex *m, int kind)
{
	if (m->writing || m->queue[WRITERS].first)
		return false;
	if (kind == READERS)
		m->readers++;
	else if (m->readers > 0 || m->queue[READERS].first)
		return false;
	else
		m->writing = 1;
	return true;
}

/* Under the guard, which is gone afterwards. */
static int wait_in(struct rwmutex *m, int kind, const struct patience *how)
{
	struct sudog s = { .arg = m->turn++ };
	struct won won = { 0 };
	int r = sync_wait(&m->guard, &m->queue[kind], &s, how);

	if (r < 0) {
		grant(m, false, &won);
		guard_exit(&m->guard);
		sync_wake(&won);
	}
	return r;
}

static int lock_until(
    struct gamp_rwmutex *pub, int kind, int64_t deadline, bool firm)
{
	struct patience how = { deadline, firm, WHY_RWMUTEX };
	struct rwmutex *m = (struct rwmutex *)pub;
	struct m *mp = sync_enter();
	int r = 0;

	guard_enter(&m->guard);
	if (rt_likely(try_lock(m, kind)) ||
	    (r = sync_may_wait(mp, &how)) < 0)
		guard_exit(&m->guard);
	else
		r = wait_in(m, kind, &how);
	m_exit();
	return r;
}

static int try(struct gamp_rwmutex *pub, int kind)
{
	struct rwmutex *m = (struct rwmutex *)pub;
	int r;

	(void)sync_enter();
	guard_enter(&m->guard);
	r = try_lock(m, kind) ? 0 : -EAGAIN;
	guard_exit(&m->guard);
	m_exit();
	return r;
}

int gamp_rwmutex_lock(struct gamp_rwmutex *m)
{
	return lock_until(m, WRITERS, NEVER, true);
}

int gamp_rwmutex_rlock(struct gamp_rwmutex *m)
{
	return lock_until(m, READERS, NEVER, true);
}

int gamp_rwmutex_lock_until(struct gamp_rwmutex *m, int64_t deadline)
{
	return lock_until(m, WRITERS, clock_deadline(deadline), false);
}

int gamp_rwmutex_rlock_until(struct gamp_rwmutex *m, int64_t deadline)
{
	return lock_until(m, READERS, clock_deadline(deadline), false);
}

int gamp_rwmutex_trylock(struct gamp_rwmutex *m)
{
	return try(m, WRITERS);
}

int gamp_rwmutex_tryrlock(struct gamp_rwmutex *m)
{
	return try(m, READERS);
}

static int unlock(struct rwmutex *m, int kind)
{
	uint32_t *held = kind == WRITERS ? &m->writing : &m->readers;
	struct won won = { 0 };
	int r = -EPERM;

	(void)sync_enter();
	guard_enter(&m->guard);
	if (*held > 0) {
		--*held;
		grant(m, kind == WRITERS, &won);
		r = 0;
	}
	guard_exit(&m->guard);
	sync_wake(&won);
	m_exit();
	return r;
}

int gamp_rwmutex_unlock(struct gamp_rwmutex *m)
{
	return unlock((struct rwmutex *)m, WRITERS);
}

int gamp_rwmutex_runlock(struct gamp_rwmutex *m)
{
	return unlock((struct rwmutex *)m, READERS);
}
