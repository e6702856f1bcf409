/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - waiting until all have arrived; see sync.h.
 *
 * Who has arrived is in the queue.  The last one marks all records, then wakes
 * those it wins.  One whose deadline was faster finds the mark when it comes
 * to leave, and has arrived all the same: the round has gone without waiting
 * for it any more.  (Were it counted as gone, those that were won already
 * would have to be put back.)
 */

#include "runtime/sync.h"

struct barrier {
	struct guard guard;
	uint32_t size;
	uint32_t arrived; /* in the queue */
	uint32_t pad;
	struct waitq waiters;
};

SYNC_LAYOUT(barrier, gamp_barrier);

int gamp_barrier_init(struct gamp_barrier *b, int n)
{
	if (n <= 0)
		return -EINVAL;
	*b = (struct gamp_barrier){ .size = (uint32_t)n };
	return 0;
}

/* The round is over. */
static void let_go(struct barrier *b, struct won *won)
{
	struct sudog *s;

	for (s = b->waiters.first; s; s = s->next)
		s->arg = 1;
	waitq_win_all(&b->waiters, guard_is_solo(&b->guard), won);
	b->arrived = 0;
}

/* Under the guard, which is gone afterwards. */
static int wait_for(struct barrier *b, const struct patience *how)
{
	struct sudog s = { .arg = 0 };
	int r;

	b->arrived++;
	r = sync_wait(&b->guard, &b->waiters, &s, how);
	if (r == 0)
		return 0;
	if (s.arg)
		r = 0;
	else
		b->arrived--;
	guard_exit(&b->guard);
	return r;
}

static int wait_until(struct gamp_barrier *pub, int64_t deadline)
{
	struct patience how = { deadline, false, WHY_BARRIER };
	struct barrier *b = (struct barrier *)pub;
	struct m *mp = enter_shared();
	struct won won = { 0 };
	int r;

	guard_enter(&b->guard);
	if (b->arrived + 1 == b->size) {
		let_go(b, &won);
		r = 1;
	} else {
		r = b->size == 0 ? -EINVAL : sync_may_wait(mp, &how);
	}
	if (r != 0)
		guard_exit(&b->guard);
	else
		r = wait_for(b, &how);
	won_wake(&won);
	m_exit();
	return r;
}

int gamp_barrier_wait(struct gamp_barrier *b)
{
	return wait_until(b, NEVER);
}

int gamp_barrier_wait_until(struct gamp_barrier *b, int64_t deadline)
{
	return wait_until(b, clock_deadline(deadline));
}
