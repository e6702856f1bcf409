/* SPDX-License-Identifier: MIT */
/*
 * sem.c - a counting semaphore: one word, and a queue under a guard; see
 * sync.h.
 *
 *	word		meaning			who takes it on, and how
 *	----		-------			------------------------
 *	n >= 0		count n, nobody waits	anybody, by one step
 *	~n < 0		count n, somebody waits	anybody, under the guard
 *
 * Invariants, when the guard is let go
 *	I1  The word is negative, or nobody is in the queue.
 *	I2  The first waiter wants more than the count, or is leaving.
 */

#include "runtime/sync.h"

struct sem {
	struct guard guard;
	uint32_t pad;
	rt_a64 word;
	struct waitq waiters;
};

SYNC_LAYOUT(sem, gamp_sem);

int gamp_sem_init(struct gamp_sem *s, int64_t n)
{
	if (n < 0)
		return -EINVAL;
	*s = (struct gamp_sem)GAMP_SEM_INIT(n);
	return 0;
}

static inline int64_t word_of(struct sem *s)
{
	return (int64_t)rt_load_relaxed(&s->word);
}

/* Under the guard: the word, when those that wait have got, in order, what the
 * count allows. */
static int64_t grant(struct sem *s, int64_t count, struct won *won)
{
	bool solo = guard_is_solo(&s->guard);
	struct sudog *sd;

	while ((sd = s->waiters.first) && sd->arg <= count) {
		int64_t n = sd->arg;

		if (waitq_win_first(&s->waiters, sd, solo, won))
			count -= n;
	}
	return s->waiters.first ? ~count : count;
}

/* True: n are ours; false, and there were not as many; or it has changed. */
static inline bool take(struct sem *s, int64_t n)
{
	int64_t w = word_of(s);

	return w >= n && sync_step64(&s->word, (uint64_t)w, (uint64_t)(w - n));
}

/* Under the guard.  False: the word is negative. */
static bool take_or_mark(struct sem *s, int64_t n)
{
	bool solo = guard_is_solo(&s->guard);

	for (;;) {
		int64_t w = word_of(s);

		if (w < 0)
			return false;
		if (sync_change64(&s->word, (uint64_t)w,
			(uint64_t)(w >= n ? w - n : ~w), solo))
			return w >= n;
	}
}

static __attribute__((noinline)) int acquire_slow(
    struct sem *s, int64_t n, const struct patience *how)
{
	struct sudog sd = { .arg = n };
	struct won won = { 0 };
	int64_t w;
	int r = sync_may_wait(m_self(), how);

	if (r < 0)
		return r;
	guard_enter(&s->guard);
	if (take_or_mark(s, n)) {
		guard_exit(&s->guard);
		return 0;
	}
	r = sync_wait(&s->guard, &s->waiters, &sd, how);
	if (r == 0)
		return 0;
	w = word_of(s);
	if (w < 0)
		rt_store_release(&s->word, (uint64_t)grant(s, ~w, &won));
	guard_exit(&s->guard);
	won_wake(&won);
	return r;
}

static inline int acquire(struct gamp_sem *pub, int64_t n, int64_t deadline)
{
	struct patience how = { deadline, false, WHY_SEM };
	struct sem *s = (struct sem *)pub;
	struct m *mp;
	int r = 0;

	if (n < 0)
		return -EINVAL;
	mp = enter_shared();
	if (rt_likely(take(s, n))) {
		san_acquire(s);
		m_leave(mp);
		return 0;
	}
	do {
		if (word_of(s) < n) {
			r = acquire_slow(s, n, &how);
			break;
		}
	} while (!take(s, n));
	if (r == 0)
		san_acquire(s);
	m_exit();
	return r;
}

int gamp_sem_acquire(struct gamp_sem *s)
{
	return acquire(s, 1, NEVER);
}

int gamp_sem_acquire_until(struct gamp_sem *s, int64_t deadline)
{
	return acquire(s, 1, clock_deadline(deadline));
}

int gamp_sem_acquire_n(struct gamp_sem *s, int64_t n, int64_t deadline)
{
	return acquire(s, n, clock_deadline(deadline));
}

int gamp_sem_tryacquire(struct gamp_sem *pub)
{
	struct sem *s = (struct sem *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	while (r == 0 && !take(s, 1))
		if (word_of(s) < 1)
			r = -EAGAIN;
	if (r == 0)
		san_acquire(s);
	m_leave(mp);
	return r;
}

/* The word was negative.  False: nobody waits any more, nothing was added. */
static __attribute__((noinline)) bool release_slow(
    struct sem *s, int64_t n, int *err)
{
	struct won won = { 0 };
	bool over = true;
	int64_t w;

	guard_enter(&s->guard);
	w = word_of(s);
	if (w >= 0) {
		over = false;
	} else if (!s->waiters.first) {
		rt_store_release(&s->word, (uint64_t)~w);
		over = false; /* sync.h, I1: n are added without the guard */
	} else if (n > INT64_MAX - ~w) {
		*err = -EOVERFLOW;
	} else {
		rt_store_release(&s->word, (uint64_t)grant(s, ~w + n, &won));
	}
	guard_exit(&s->guard);
	won_wake(&won);
	return over;
}

int gamp_sem_release_n(struct gamp_sem *pub, int64_t n)
{
	struct sem *s = (struct sem *)pub;
	struct m *mp;
	int r = 0;

	if (n < 0)
		return -EINVAL;
	mp = enter_shared();
	san_release(s);
	for (;;) {
		int64_t w = word_of(s);

		if (rt_unlikely(w < 0)) {
			if (release_slow(s, n, &r))
				break;
		} else if (n > INT64_MAX - w) {
			r = -EOVERFLOW;
			break;
		} else if (sync_step64(
			       &s->word, (uint64_t)w, (uint64_t)(w + n))) {
			break;
		}
	}
	m_leave(mp);
	return r;
}

int gamp_sem_release(struct gamp_sem *s)
{
	return gamp_sem_release_n(s, 1);
}
