/* SPDX-License-Identifier: MIT */
/*
 * chan.h - what a channel is; shared by chan.c and select.c.
 *
 * Everything is under the guard, but for `state`: what could be done without
 * waiting, in one word, so that who only tries need not enter to be told no.
 * It is stored by every exit from the guard that changed it.  A "no" was true
 * at one moment (a value or a close that came before that moment is seen),
 * which is all that a try may promise.
 *
 * Invariants
 *	I1  recvq has waiters that can be won only if the buffer is empty,
 *	    sendq only if it is full.
 *	I2  A value is copied under the guard, by whoever won the waiter; the
 *	    waiter reads it after it was woken.
 */
#ifndef RT_RUNTIME_CHAN_H
#define RT_RUNTIME_CHAN_H

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <gamp/chan.h>

#include "sched/guard.h"
#include "sched/waitq.h"

#define CHAN_INLINE static inline __attribute__((always_inline))

enum { CHAN_CAN_RECV = 1, CHAN_CAN_SEND = 2, CHAN_ASK = 3 };

struct gamp_chan {
	_Alignas(max_align_t) struct guard guard; /* so are values, behind */
	rt_a32 state;
	rt_a64 count; /* values in the buffer */
	size_t size, cap;
	size_t head; /* the oldest one's place */
	bool closed;
	struct waitq recvq, sendq;
	char *buf;
};

static inline void chan_copy(void *to, const void *from, size_t n)
{
	if (rt_likely(n == 8))
		memcpy(to, from, 8);
	else if (n > 0)
		memcpy(to, from, n);
}

static inline char *chan_slot(struct gamp_chan *ch, size_t i)
{
	return ch->buf + (i < ch->cap ? i : i - ch->cap) * ch->size;
}

/* Before the guard is let go.  In a solo section to enter is cheap, so the
 * state only says "enter". */
static inline void chan_publish(struct gamp_chan *ch, bool solo)
{
	uint64_t n = rt_load_relaxed(&ch->count);
	uint32_t state = 0;

	if (solo) {
		if (rt_load_relaxed(&ch->state) != CHAN_ASK)
			rt_store_release(&ch->state, CHAN_ASK);
		return;
	}
	if (n > 0 || ch->sendq.first || ch->closed)
		state |= CHAN_CAN_RECV;
	if (n < ch->cap || ch->recvq.first || ch->closed)
		state |= CHAN_CAN_SEND;
	if (rt_load_relaxed(&ch->state) != state)
		rt_store_release(&ch->state, state);
}

static inline void chan_exit(struct gamp_chan *ch)
{
	chan_publish(ch, guard_is_solo(&ch->guard));
	guard_exit(&ch->guard);
}

/* After a send or receive that met nobody: between empty and full nothing
 * changed.  before: the count it found. */
static inline bool chan_is_between(struct gamp_chan *ch, uint64_t before)
{
	uint64_t n = rt_load_relaxed(&ch->count);

	return n != before && before > 0 && n > 0 && before < ch->cap &&
	    n < ch->cap;
}

/*
 * Under the guard.  0; -EPIPE: closed; -EAGAIN: would have to wait.  *peer is
 * to be woken after the guard was let go, or null.
 */
CHAN_INLINE int chan_send_now(struct gamp_chan *ch, const void *elem,
    bool solo, struct wait **peer)
{
	uint64_t n = rt_load_relaxed(&ch->count);
	struct sudog *s;

	*peer = NULL;
	if (rt_unlikely(ch->closed))
		return -EPIPE;
	s = ch->recvq.first ? waitq_win(&ch->recvq, solo) : NULL;
	if (s) {
		if (s->elem)
			chan_copy(s->elem, elem, ch->size);
		s->err = 0;
		*peer = s->wait;
		return 0;
	}
	if (n == ch->cap)
		return -EAGAIN;
	chan_copy(chan_slot(ch, ch->head + n), elem, ch->size);
	rt_store_relaxed(&ch->count, n + 1);
	return 0;
}

CHAN_INLINE int chan_recv_now(
    struct gamp_chan *ch, void *elem, bool solo, struct wait **peer)
{
	uint64_t n = rt_load_relaxed(&ch->count);
	struct sudog *s = NULL;

	*peer = NULL;
	if (n == 0 && rt_unlikely(ch->closed)) {
		if (elem && ch->size)
			memset(elem, 0, ch->size);
		return -EPIPE;
	}
	if (ch->sendq.first)
		s = waitq_win(&ch->sendq, solo);
	if (n > 0) {
		if (elem)
			chan_copy(elem, chan_slot(ch, ch->head), ch->size);
		if (++ch->head == ch->cap)
			ch->head = 0;
		if (s)
			chan_copy(chan_slot(ch, ch->head + n - 1), s->elem,
			    ch->size);
		else
			rt_store_relaxed(&ch->count, n - 1);
	} else if (!s) {
		return -EAGAIN;
	} else if (elem) {
		chan_copy(elem, s->elem, ch->size);
	}
	if (s) {
		s->err = 0;
		*peer = s->wait;
	}
	return 0;
}

#endif
