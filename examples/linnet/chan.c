/* SPDX-License-Identifier: MIT */
/* chan.c - see chan.h for the word, C1 to C4 and W1 to W5. */

#include <errno.h>
#include <stdlib.h>

#include <gamp/embed.h>

#include "chan.h"

enum { SERVED = -1 }; /* of fiber.word */

/* What trying a case gives; negative: an error. */
enum { WAITS, DONE };

struct chan *chan_new(struct fiber *f, uint32_t cap)
{
	struct chan *ch = heap_alloc(
	    &f->m->heap, sizeof(*ch) + cap * sizeof(value), KIND_CHAN, cap);
	struct object head;

	if (!ch)
		return NULL;
	head = ch->head;
	*ch = (struct chan){ .head = head };
	for (uint32_t i = 0; i < cap; i++)
		ch->ring[i] = NIL;
	return ch;
}

/* C1; also W4.  *ticket: to be readied, or 0. */
static bool claim(struct fiber *f, gamp_ticket *ticket)
{
	int64_t w = __atomic_load_n(&f->word, __ATOMIC_ACQUIRE);

	while (w != SERVED)
		if (__atomic_compare_exchange_n(&f->word, &w, SERVED, false,
			__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			*ticket = w;
			return true;
		}
	return false;
}

static void ready(gamp_ticket ticket) /* C4 */
{
	if (ticket != 0)
		(void)gamp_ready(ticket);
}

static void enqueue(struct queue *q, struct waiter *w)
{
	w->queued = true;
	w->next = NULL;
	w->prev = q->last;
	if (q->last)
		q->last->next = w;
	else
		q->first = w;
	q->last = w;
}

static void dequeue(struct queue *q, struct waiter *w)
{
	w->queued = false;
	if (w->prev)
		w->prev->next = w->next;
	else
		q->first = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		q->last = w->prev;
}

/* The first that is still to be served, claimed; not one of f's own. */
static struct waiter *take(
    struct queue *q, const struct fiber *f, gamp_ticket *ticket)
{
	struct waiter *w, *next;

	for (w = q->first; w; w = next) {
		next = w->next;
		if (w->fiber == f)
			continue;
		dequeue(q, w);
		if (claim(w->fiber, ticket)) {
			w->served = true;
			return w;
		}
	}
	return NULL;
}

static bool holds_others(const struct queue *q, const struct fiber *f)
{
	const struct waiter *w = q->first;

	while (w && w->fiber == f)
		w = w->next;
	return w != NULL;
}

/* Might a try do it?  Under the lock. */
static bool promising(const struct waiter *w)
{
	const struct chan *ch = w->ch;

	if (ch->closed)
		return true;
	if (ch->head.flags & CHAN_TIMER)
		return ch->time != 0 && gamp_now() >= ch->time;
	if (w->sends)
		return ch->count < ch->head.n ||
		       holds_others(&ch->receivers, w->fiber);
	return ch->count > 0 || holds_others(&ch->senders, w->fiber);
}

static void put(struct chan *ch, value v)
{
	ch->ring[(ch->first + ch->count++) % ch->head.n] = v;
}

static int try_send(struct waiter *w, gamp_ticket *ticket)
{
	struct chan *ch = w->ch;
	struct waiter *to;

	if (ch->closed) {
		w->ok = false;
		return DONE;
	}
	if (ch->head.flags & CHAN_TIMER)
		return WAITS;
	w->ok = true;
	if ((to = take(&ch->receivers, w->fiber, ticket))) {
		to->v = w->v; /* C2 */
		to->ok = true;
		return DONE;
	}
	if (ch->count == ch->head.n)
		return WAITS;
	put(ch, w->v);
	return DONE;
}

static int try_timer(struct waiter *w)
{
	struct chan *ch = w->ch;
	int64_t now = gamp_now();

	if (ch->time == 0 || now < ch->time)
		return WAITS;
	w->v = from_int(ch->time / GAMP_MILLISECOND);
	if (ch->period == 0)
		ch->time = 0;
	else
		ch->time += ((now - ch->time) / ch->period + 1) * ch->period;
	return DONE;
}

static int try_recv(struct waiter *w, gamp_ticket *ticket)
{
	struct chan *ch = w->ch;
	struct waiter *from;

	w->ok = true;
	if (ch->head.flags & CHAN_TIMER && !ch->closed)
		return try_timer(w);
	if (ch->count > 0) {
		w->v = ch->ring[ch->first];
		ch->ring[ch->first] = NIL;
		ch->first = (ch->first + 1) % ch->head.n;
		ch->count--;
		if ((from = take(&ch->senders, w->fiber, ticket))) {
			from->ok = true;
			put(ch, from->v);
		}
		return DONE;
	}
	if ((from = take(&ch->senders, w->fiber, ticket))) {
		w->v = from->v;
		from->ok = true;
		return DONE;
	}
	if (!ch->closed)
		return WAITS;
	w->v = NIL;
	w->ok = false;
	return DONE;
}

static int try_case(struct waiter *w, gamp_ticket *ticket)
{
	return w->sends ? try_send(w, ticket) : try_recv(w, ticket);
}

static bool commit(gamp_ticket ticket, void *arg) /* W3 */
{
	struct fiber *f = arg;
	int64_t w = 0;

	return __atomic_compare_exchange_n(
	    &f->word, &w, ticket, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/*
 * W2.  Returns a case that is ready after all, and is done; n if all wait; or
 * -1: one was served already, or a promise was not kept: try again.
 */
static int queue_all(
    struct fiber *f, struct waiter *w, uint32_t n, int64_t *deadline)
{
	gamp_ticket ticket = 0, mine;

	for (uint32_t i = 0; i < n; i++) {
		struct chan *ch = w[i].ch;
		int got = WAITS;

		if (!ch)
			continue;
		spin_lock(&ch->lock);
		if (promising(&w[i])) {
			if (claim(f, &mine))
				got = try_case(&w[i], &ticket);
			spin_unlock(&ch->lock);
			ready(ticket);
			return got == DONE ? (int)i : -1;
		}
		if (!(ch->head.flags & CHAN_TIMER))
			enqueue(
			    w[i].sends ? &ch->senders : &ch->receivers, &w[i]);
		else if (ch->time != 0 && ch->time < *deadline)
			*deadline = ch->time;
		spin_unlock(&ch->lock);
	}
	return (int)n;
}

/* W5.  Returns the case that was served, or -1. */
static int leave_all(struct waiter *w, uint32_t n)
{
	int served = -1;

	for (uint32_t i = 0; i < n; i++) {
		struct chan *ch = w[i].ch;

		if (!ch)
			continue;
		spin_lock(&ch->lock);
		if (w[i].queued)
			dequeue(
			    w[i].sends ? &ch->senders : &ch->receivers, &w[i]);
		if (w[i].served)
			served = (int)i;
		spin_unlock(&ch->lock);
	}
	return served;
}

/* The case that is done; -1: try again; or KILLED. */
static int wait(struct fiber *f, struct waiter *w, uint32_t n)
{
	int64_t deadline = GAMP_FOREVER;
	gamp_ticket mine;
	int done, served, err = 0;

	for (uint32_t i = 0; i < n; i++)
		w[i].queued = w[i].served = false;
	__atomic_store_n(&f->word, 0, __ATOMIC_RELAXED); /* W1 */
	done = queue_all(f, w, n, &deadline);
	if (done == (int)n) {
		done = -1;
		err = gamp_park(commit, f, deadline, "channel");
		if (err < 0)
			(void)claim(f, &mine); /* W4 */
	}
	served = leave_all(w, n);
	if (served < 0 && done < 0 && err == -ECANCELED)
		return KILLED;
	return served >= 0 ? served : done;
}

/* One round over all cases, from a random one on: the case that is done, or
 * -1. */
static int try_all(struct fiber *f, struct waiter *w, uint32_t n)
{
	gamp_ticket ticket = 0;
	uint32_t at = 0;
	int got;

	if (n > 1) {
		f->seed = f->seed * 1664525 + 1013904223;
		at = (uint32_t)((uint64_t)f->seed * n >> 32);
	}
	for (uint32_t i = 0; i < n; i++, at = at + 1 == n ? 0 : at + 1) {
		if (!w[at].ch)
			continue;
		spin_lock(&w[at].ch->lock);
		got = try_case(&w[at], &ticket);
		spin_unlock(&w[at].ch->lock);
		ready(ticket);
		if (got == DONE)
			return (int)at;
	}
	return -1;
}

/* Returns the case; n: none, and there is another way. */
static int run(struct fiber *f, uint32_t n, bool other)
{
	int done;

	for (;;) {
		done = try_all(f, f->waiters, n);
		if (done >= 0)
			return done;
		if (other)
			return (int)n;
		done = wait(f, f->waiters, n);
		if (done >= 0 || done == KILLED)
			return done;
	}
}

static bool set_waiter(struct waiter *w, struct fiber *f, value ch)
{
	if (ch != NIL && !is_kind(ch, KIND_CHAN))
		return false;
	*w = (struct waiter){ .fiber = f,
		.ch = ch == NIL ? NULL : (struct chan *)object_of(ch) };
	return true;
}

static int bad(struct fiber *f, value ch)
{
	return throw_text(f, "want a channel, not %s", type_name(ch));
}

static int closed(struct fiber *f)
{
	return throw_text(f, "send on a closed channel");
}

int chan_send(struct fiber *f, value ch, value v)
{
	int err;

	if (!set_waiter(&f->one, f, ch))
		return bad(f, ch);
	f->one.sends = true;
	f->one.v = v;
	f->waiters = &f->one;
	f->nwaiters = 1;
	err = run(f, 1, false);
	f->nwaiters = 0;
	if (err < 0)
		return err;
	return f->one.ok ? 0 : closed(f);
}

int chan_recv(struct fiber *f, value ch, value *to, bool *ok)
{
	int err;

	if (!set_waiter(&f->one, f, ch))
		return bad(f, ch);
	f->one.v = NIL;
	f->waiters = &f->one;
	f->nwaiters = 1;
	err = run(f, 1, false);
	f->nwaiters = 0;
	if (err < 0)
		return err;
	*to = f->one.v;
	*ok = f->one.ok;
	return 0;
}

int chan_select(struct fiber *f, value *at, const struct ins *cases, uint32_t n,
    bool other, value *to)
{
	struct waiter *w = n > 1 ? calloc(n, sizeof(*w)) : &f->one;
	int done = 0;

	if (!w)
		return throw_memory(f);
	for (uint32_t i = 0; i < n && done == 0; i++) {
		if (!set_waiter(&w[i], f, at[2 * i])) {
			done = bad(f, at[2 * i]);
			break;
		}
		w[i].sends = cases[i].x;
		w[i].v = cases[i].x ? at[2 * i + 1] : NIL;
	}
	if (done == 0) {
		f->waiters = w;
		f->nwaiters = n;
		done = run(f, n, other);
		f->nwaiters = 0;
	}
	if (done >= 0 && done < (int)n) {
		if (w[done].sends && !w[done].ok)
			done = closed(f);
		else
			to[0] = w[done].v, to[1] = from_bool(w[done].ok);
	}
	if (w != &f->one)
		free(w);
	return done;
}

int chan_close(struct fiber *f, value v)
{
	struct chan *ch = (struct chan *)object_of(v);
	struct waiter *w;
	gamp_ticket ticket;

	spin_lock(&ch->lock);
	if (ch->closed) {
		spin_unlock(&ch->lock);
		return throw_text(f, "close of a closed channel");
	}
	ch->closed = 1;
	for (;;) {
		w = take(&ch->receivers, f, &ticket);
		if (!w)
			w = take(&ch->senders, f, &ticket);
		if (!w)
			break;
		w->ok = false;
		if (!w->sends)
			w->v = NIL;
		spin_unlock(&ch->lock);
		ready(ticket);
		spin_lock(&ch->lock);
	}
	spin_unlock(&ch->lock);
	return 0;
}
