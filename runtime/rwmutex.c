/* SPDX-License-Identifier: MIT */
/*
 * rwmutex.c - many readers or one writer: one word, and queues under a guard;
 * see sync.h.
 *
 *	word			meaning		who takes it on, and how
 *	----			-------		------------------------
 *	0			free		a writer -> WRITING
 *						a reader -> 1 reader
 *	n readers		read		a reader -> n + 1, n - 1
 *	WRITING			written		the writer -> 0
 *	the same, WAITERS	somebody waits	under the guard: anybody
 *
 * Without WAITERS everybody changes the word by one locked instruction, or in
 * a solo section.  WAITERS is set by the first who has to wait, and as long as
 * it is there all is done under the guard, the word too, by plain stores.
 *
 * Readers and writers have a queue each, so that none has to be searched; the
 * turn that each draws as it arrives tells who of the two firsts came first.
 * When a writer unlocks, all readers that wait go together; readers that come
 * later wait for the writers that wait now, so those wait for one such group
 * each.
 *
 * Invariants
 *	I1  When the guard is let go: WAITERS, or nobody is in the queues.
 *	I2  Who unlocks lets go of the guard before it unlocks, if nobody is in
 *	    the queues.  If somebody is, it is the waiters who have yet to come
 *	    out: they need the guard, or to be woken (sync.h, I1).
 */

#include "runtime/sync.h"

enum { READERS, WRITERS };                     /* queues */
enum { WRITING = 1, WAITERS = 2, READER = 4 }; /* of the word */

struct rwmutex {
	struct guard guard;
	rt_a32 word;
	uint32_t turn; /* of who comes next */
	uint32_t pad;
	struct waitq queue[2];
};

SYNC_LAYOUT(rwmutex, gamp_rwmutex);

/* May one of this kind come in?  Not past those who wait. */
static inline bool is_open(uint32_t w, int kind)
{
	return kind == WRITERS ? w == 0 : !(w & (WRITING | WAITERS));
}

static inline bool is_held(uint32_t w, int kind)
{
	return kind == WRITERS ? (w & WRITING) : w >= READER;
}

static inline uint32_t share_of(int kind)
{
	return kind == WRITERS ? WRITING : READER;
}

static bool came_before(const struct sudog *a, const struct sudog *b)
{
	return (int32_t)((uint32_t)a->arg - (uint32_t)b->arg) < 0;
}

/* The word with those in it who may come in, and without WAITERS if nobody is
 * left.  all: even readers that came after a writer. */
static uint32_t grant(struct rwmutex *m, uint32_t w, bool all, struct won *won)
{
	struct waitq *rq = &m->queue[READERS], *wq = &m->queue[WRITERS];
	bool solo = guard_is_solo(&m->guard);

	while (!(w & WRITING)) {
		struct sudog *r = rq->first, *s = wq->first;

		if (r && (all || !s || came_before(r, s)))
			w += waitq_win_first(rq, r, solo, won) ? READER : 0;
		else if (s && w < READER)
			w |= waitq_win_first(wq, s, solo, won) ? WRITING : 0;
		else
			break;
	}
	return rq->first || wq->first ? w : w & ~(uint32_t)WAITERS;
}

/* True: it is ours; false, and it is not open; or it has just changed. */
static inline bool take(struct rwmutex *m, int kind)
{
	uint32_t w = rt_load_relaxed(&m->word);

	return is_open(w, kind) && sync_step(&m->word, w, w + share_of(kind));
}

/* Under the guard.  False: it has WAITERS now. */
static bool take_or_mark(struct rwmutex *m, int kind)
{
	bool solo = guard_is_solo(&m->guard);

	for (;;) {
		uint32_t w = rt_load_relaxed(&m->word);
		bool may = is_open(w, kind);

		if (!may && (w & WAITERS))
			return false;
		if (sync_change(&m->word, w,
			may ? w + share_of(kind) : w | WAITERS, solo))
			return may;
	}
}

static __attribute__((noinline)) int lock_slow(
    struct rwmutex *m, int kind, const struct patience *how)
{
	struct won won = { 0 };
	struct sudog s = { 0 };
	uint32_t w;
	int r = sync_may_wait(m_self(), how);

	if (r < 0)
		return r;
	guard_enter(&m->guard);
	if (take_or_mark(m, kind)) {
		guard_exit(&m->guard);
		return 0;
	}
	s.arg = m->turn++;
	r = sync_wait(&m->guard, &m->queue[kind], &s, how);
	if (r == 0)
		return 0;
	w = rt_load_relaxed(&m->word);
	if (w & WAITERS)
		rt_store_release(&m->word, grant(m, w, false, &won));
	guard_exit(&m->guard);
	won_wake(&won);
	return r;
}

static inline int lock_until(
    struct gamp_rwmutex *pub, int kind, int64_t deadline, bool firm)
{
	struct patience how = { deadline, firm, WHY_RWMUTEX };
	struct rwmutex *m = (struct rwmutex *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	if (rt_likely(take(m, kind))) {
		san_acquire(m);
		m_leave(mp);
		return 0;
	}
	do {
		if (!is_open(rt_load_relaxed(&m->word), kind)) {
			r = lock_slow(m, kind, &how);
			break;
		}
	} while (!take(m, kind));
	if (r == 0)
		san_acquire(m);
	m_exit();
	return r;
}

static int try_lock(struct gamp_rwmutex *pub, int kind)
{
	struct rwmutex *m = (struct rwmutex *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	while (r == 0 && !take(m, kind))
		if (!is_open(rt_load_relaxed(&m->word), kind))
			r = -EAGAIN;
	if (r == 0)
		san_acquire(m);
	m_leave(mp);
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
	return try_lock(m, WRITERS);
}

int gamp_rwmutex_tryrlock(struct gamp_rwmutex *m)
{
	return try_lock(m, READERS);
}

/* With WAITERS.  False: look anew; it has none any more, or is not locked. */
static __attribute__((noinline)) bool unlock_waiters(
    struct rwmutex *m, int kind)
{
	struct won won = { 0 };
	bool over = false;
	uint32_t w;

	guard_enter(&m->guard);
	w = rt_load_relaxed(&m->word);
	if (!(w & WAITERS) || !is_held(w, kind)) {
		guard_exit(&m->guard);
		return false;
	}
	if (m->queue[READERS].first || m->queue[WRITERS].first) {
		w = grant(m, w - share_of(kind), kind == WRITERS, &won);
		over = true;
	} else {
		w &= ~(uint32_t)WAITERS; /* I2 */
	}
	rt_store_release(&m->word, w);
	guard_exit(&m->guard);
	won_wake(&won);
	return over;
}

static inline int unlock(struct gamp_rwmutex *pub, int kind)
{
	struct rwmutex *m = (struct rwmutex *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	san_release(m);
	for (;;) {
		uint32_t w = rt_load_relaxed(&m->word);

		if (rt_unlikely(!is_held(w, kind))) {
			r = -EPERM;
			break;
		}
		if (rt_unlikely(w & WAITERS)) {
			if (unlock_waiters(m, kind))
				break;
		} else if (sync_step(&m->word, w, w - share_of(kind))) {
			break;
		}
	}
	m_leave(mp);
	return r;
}

int gamp_rwmutex_unlock(struct gamp_rwmutex *m)
{
	return unlock(m, WRITERS);
}

int gamp_rwmutex_runlock(struct gamp_rwmutex *m)
{
	return unlock(m, READERS);
}
