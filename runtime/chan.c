/* SPDX-License-Identifier: MIT */
/* chan.c - the calls of gamp/chan.h on one channel; see chan.h. */


#include "base/alloc.h"
#include "base/clock.h"
#include "runtime/chan.h"
#include "sched/entry.h"
#include "sched/guest.h"

struct gamp_chan *gamp_chan_new(size_t elem_size, size_t capacity)
{
	struct gamp_chan *ch;
	size_t bytes;

	if (capacity > SIZE_MAX / 4 ||
	    __builtin_mul_overflow(elem_size, capacity, &bytes) ||
	    bytes > SIZE_MAX / 4)
		return NULL;
	ch = rt_alloc(sizeof(*ch) + bytes);
	if (!ch)
		return NULL;
	memset(ch, 0, sizeof(*ch));
	ch->size = elem_size;
	ch->cap = capacity;
	ch->buf = (char *)(ch + 1);
	chan_publish(ch, false);
	return ch;
}

#define ALWAYS_INLINE static inline __attribute__((always_inline))

int gamp_chan_free(struct gamp_chan *ch)
{
	bool busy;

	if (!ch)
		return 0;
	(void)enter_shared();
	guard_enter(&ch->guard);
	busy = ch->recvq.first || ch->sendq.first;
	guard_exit(&ch->guard);
	m_exit();
	if (busy)
		return -EBUSY;
	rt_release(ch);
	return 0;
}

/* Everyone who waits is told; receivers get zeros. */
static void win_everyone(struct gamp_chan *ch, struct won *won)
{
	bool solo = guard_is_solo(&ch->guard);

	waitq_win_all(&ch->recvq, solo, won);
	for (struct sudog *s = won->first; s; s = s->next)
		if (s->elem && ch->size)
			memset(s->elem, 0, ch->size);
	waitq_win_all(&ch->sendq, solo, won);
	for (struct sudog *s = won->first; s; s = s->next)
		s->err = -EPIPE;
}

int gamp_chan_close(struct gamp_chan *ch)
{
	struct won won = { 0 };
	int r = -EPIPE;

	if (!ch)
		return -EINVAL;
	(void)enter_shared();
	guard_enter(&ch->guard);
	if (!ch->closed) {
		ch->closed = true;
		win_everyone(ch, &won);
		r = 0;
	}
	chan_exit(ch);
	won_wake(&won);
	m_exit();
	return r;
}

size_t gamp_chan_len(const struct gamp_chan *ch)
{
	return ch ? rt_load_acquire(&((struct gamp_chan *)ch)->count) : 0;
}

size_t gamp_chan_cap(const struct gamp_chan *ch)
{
	return ch ? ch->cap : 0;
}

static void release(void *ch)
{
	chan_exit(ch);
}

/* Under the guard, which is gone afterwards. */
static __attribute__((noinline)) int wait_in(struct m *mp,
    struct gamp_chan *ch, struct waitq *q, void *elem, int64_t deadline)
{
	struct wait own, *w = wait_self(mp, &own);
	struct sudog s = { .wait = w, .elem = elem };
	struct parking how = { .release = release,
		.obj = ch,
		.deadline = deadline,
		.why = q == &ch->recvq ? WHY_RECV : WHY_SEND };
	int r;

	waitq_push(q, &s);
	r = wait_park(w, &how);
	if (r == 0)
		return s.err;
	guard_enter(&ch->guard);
	waitq_remove(q, &s);
	chan_exit(ch);
	return r;
}

/* Nobody begins to wait after the deadline, and nobody waits on g0. */
static int may_wait(struct m *mp, int64_t deadline)
{
	if (mp ? !m_curg(mp) : guest_must_not_wait())
		return -EDEADLK;
	if (deadline != NEVER && deadline <= clock_now())
		return -ETIMEDOUT;
	return 0;
}

/* Under the guard, which is gone afterwards: what met a waiter, a closed
 * channel, or nobody and no room (-EAGAIN). */
static __attribute__((noinline)) int finish(struct m *mp,
    struct gamp_chan *ch, struct waitq *q, void *elem, int64_t deadline,
    int r, struct wait *peer)
{
	if (r == -EAGAIN) {
		r = may_wait(mp, deadline);
		if (r == 0)
			return wait_in(mp, ch, q, elem, deadline);
	}
	chan_exit(ch);
	if (peer)
		wait_wake(peer);
	return r;
}

/* What met nobody, in the middle of the buffer, is done in here. */
ALWAYS_INLINE int send_until(
    struct gamp_chan *ch, const void *elem, int64_t deadline)
{
	struct wait *peer;
	struct m *mp;
	struct g *gp;
	uint64_t n;
	int r;

	if (rt_unlikely(!ch || (!elem && ch->size > 0)))
		return -EINVAL;
	mp = enter_shared();
	gp = mp ? m_curg(mp) : NULL;
	if (gp && rt_unlikely(g_cancelled(gp))) {
		m_exit();
		return -ECANCELED;
	}
	guard_enter(&ch->guard);
	n = rt_load_relaxed(&ch->count);
	r = chan_send_now(ch, elem, guard_is_solo(&ch->guard), &peer);
	if (rt_likely(chan_is_between(ch, n))) {
		guard_exit(&ch->guard);
		m_leave_as(mp, gp);
		return r;
	}
	r = finish(mp, ch, &ch->sendq, (void *)elem, deadline, r, peer);
	m_exit();
	return r;
}

ALWAYS_INLINE int recv_until(
    struct gamp_chan *ch, void *elem, int64_t deadline)
{
	struct wait *peer;
	struct m *mp;
	struct g *gp;
	uint64_t n;
	int r;

	if (rt_unlikely(!ch))
		return -EINVAL;
	mp = enter_shared();
	gp = mp ? m_curg(mp) : NULL;
	if (gp && rt_unlikely(g_cancelled(gp))) {
		m_exit();
		return -ECANCELED;
	}
	guard_enter(&ch->guard);
	n = rt_load_relaxed(&ch->count);
	r = chan_recv_now(ch, elem, guard_is_solo(&ch->guard), &peer);
	if (rt_likely(chan_is_between(ch, n))) {
		guard_exit(&ch->guard);
		m_leave_as(mp, gp);
		return r;
	}
	r = finish(mp, ch, &ch->recvq, elem, deadline, r, peer);
	m_exit();
	return r;
}

int gamp_chan_send(struct gamp_chan *ch, const void *elem)
{
	return send_until(ch, elem, NEVER);
}

int gamp_chan_recv(struct gamp_chan *ch, void *elem)
{
	return recv_until(ch, elem, NEVER);
}

int gamp_chan_send_until(
    struct gamp_chan *ch, const void *elem, int64_t deadline)
{
	return send_until(ch, elem, clock_deadline(deadline));
}

int gamp_chan_recv_until(struct gamp_chan *ch, void *elem, int64_t deadline)
{
	return recv_until(ch, elem, clock_deadline(deadline));
}

int gamp_chan_trysend(struct gamp_chan *ch, const void *elem)
{
	struct wait *peer;
	int r;

	if (!ch || (!elem && ch->size > 0))
		return -EINVAL;
	if (!(rt_load_acquire(&ch->state) & CHAN_CAN_SEND))
		return -EAGAIN;
	(void)enter_shared();
	guard_enter(&ch->guard);
	r = chan_send_now(ch, elem, guard_is_solo(&ch->guard), &peer);
	chan_exit(ch);
	if (peer)
		wait_wake(peer);
	m_exit();
	return r;
}

int gamp_chan_tryrecv(struct gamp_chan *ch, void *elem)
{
	struct wait *peer;
	int r;

	if (!ch)
		return -EINVAL;
	if (!(rt_load_acquire(&ch->state) & CHAN_CAN_RECV))
		return -EAGAIN;
	(void)enter_shared();
	guard_enter(&ch->guard);
	r = chan_recv_now(ch, elem, guard_is_solo(&ch->guard), &peer);
	chan_exit(ch);
	if (peer)
		wait_wake(peer);
	m_exit();
	return r;
}
