/* SPDX-License-Identifier: MIT */
/*
 * sem.c - a counting semaphore; see sync.h.
 *
 * Invariant	Under the guard, when it is let go: the first waiter wants more
 *		than the count, or is about to leave.
 */

#include "runtime/sync.h"

struct sem {
	struct guard guard;
	uint32_t pad;
	int64_t count;
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

static bool try_acquire(struct sem *s, int64_t n)
{
	if (s->count < n || s->waiters.first)
		return false;
	s->count -= n;
	return true;
}

/* To those that wait, in order, as far as the count goes. */
static void grant(struct sem *s, struct won *won)
{
	bool solo = guard_is_solo(&s->guard);
	struct sudog *sd;

	while ((sd = s->waiters.first) && sd->arg <= s->count) {
		int64_t n = sd->arg;

		if (sync_win(&s->waiters, sd, solo, won))
			s->count -= n;
	}
}

/* Under the guard, which is gone afterwards. */
static int wait_for(struct sem *s, int64_t n, const struct patience *how)
{
	struct sudog sd = { .arg = n };
	struct won won = { 0 };
	int r = sync_wait(&s->guard, &s->waiters, &sd, how);

	if (r < 0) {
		grant(s, &won);
		guard_exit(&s->guard);
		sync_wake(&won);
	}
	return r;
}

static int acquire(struct gamp_sem *pub, int64_t n, int64_t deadline)
{
	struct patience how = { deadline, false, WHY_SEM };
	struct sem *s = (struct sem *)pub;
	struct m *mp;
	int r = 0;

	if (n < 0)
		return -EINVAL;
	mp = sync_enter();
	guard_enter(&s->guard);
	if (rt_likely(try_acquire(s, n)) || (r = sync_may_wait(mp, &how)) < 0)
		guard_exit(&s->guard);
	else
		r = wait_for(s, n, &how);
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
	int r;

	(void)sync_enter();
	guard_enter(&s->guard);
	r = try_acquire(s, 1) ? 0 : -EAGAIN;
	guard_exit(&s->guard);
	m_exit();
	return r;
}

int gamp_sem_release_n(struct gamp_sem *pub, int64_t n)
{
	struct sem *s = (struct sem *)pub;
	struct won won = { 0 };
	int r = -EOVERFLOW;

	if (n < 0)
		return -EINVAL;
	(void)sync_enter();
	guard_enter(&s->guard);
	if (n <= INT64_MAX - s->count) {
		s->count += n;
		grant(s, &won);
		r = 0;
	}
	guard_exit(&s->guard);
	sync_wake(&won);
	m_exit();
	return r;
}

int gamp_sem_release(struct gamp_sem *s)
{
	return gamp_sem_release_n(s, 1);
}
