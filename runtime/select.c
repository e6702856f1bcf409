/* SPDX-License-Identifier: MIT */
/*
 * select.c - wait for one of several things.
 *
 *	1  look at the descriptors (system calls: no guard is held)
 *	2  enter the guards of all channels, in the order of their addresses;
 *	   try the cases in random order: what they find is one moment's
 *	3  nothing: a record into each channel's queue; park.  The commit
 *	   tells the descriptors and lets go of the guards, in the same order
 *	4  all guards again; the records out of the queues, O(1) each
 *	5  whoever won the wait says which case went.  Who was only poked, by a
 *	   descriptor, begins anew
 *
 * From 3 to 4 the commit reads the cases, on a stack that may run already: in
 * 4 it cannot have got beyond the guard that the commit holds, so it changes
 * nothing before the commit is done.
 *
 * The records lie in the cases, which the caller owns; nothing is allocated.
 */

#include "base/clock.h"
#include "base/rand.h"
#include "netpoll/pd.h"
#include "runtime/select.h"
#include "sched/entry.h"
#include "sched/guest.h"
#include "sched/m.h"
#include "sched/sched.h"

#define CASES_MAX 65536
#define FEW	  5 /* 5! of 2^32: no chance is off by more than 3e-8 */

struct select {
	struct gamp_case *c;
	uint32_t n, chans, fds; /* of n cases */
	int other;		/* DEFAULT's index, or -1 */
	int late;		/* the earliest DEADLINE's, or -1 */
	int64_t deadline;
	bool solo, sorted;
	bool down; /* a thread, and the runtime does not run */
	struct wait *w;
};

static struct scase *at(const struct select *sel, uint32_t i)
{
	return scase_of(&sel->c[i]);
}

/* Of the i-th case by address. */
static struct gamp_chan *chan_at(const struct select *sel, uint32_t i)
{
	return sel->c[at(sel, i)->lock].ch;
}

static int mode_of(const struct gamp_case *c)
{
	return c->op == GAMP_CASE_READABLE ? MODE_READ : MODE_WRITE;
}

static struct waitq *queue_of(const struct gamp_case *c)
{
	return c->op == GAMP_CASE_SEND ? &c->ch->sendq : &c->ch->recvq;
}

static struct rng *my_rng(struct m *mp)
{
	static _Thread_local struct rng own; /* a plain thread's */

	if (mp)
		return sched_rng(mp);
	if (own.s == 0)
		rng_seed(&own, (uintptr_t)&own ^ (uint64_t)clock_now());
	return &own;
}

/* 0 <= result < below.  What a draw does not use up serves the next one, as
 * long as enough is left of it: 1/below of *bits is used. */
static uint32_t draw(struct rng *rng, uint32_t *bits, uint32_t below)
{
	uint64_t x;

	if (below == 1)
		return 0;
	if (below == 2 || below > FEW)
		*bits = rng_next(rng);
	x = (uint64_t)*bits * below;
	*bits = (uint32_t)x;
	return (uint32_t)(x >> 32);
}

static void consider_late(struct select *sel, int i)
{
	int64_t t = clock_deadline(sel->c[i].at);

	if (t != NEVER && (sel->late < 0 || t < sel->deadline)) {
		sel->late = i;
		sel->deadline = t;
	}
}

/* Sorts cases by kind, and draws the order in which they are tried. */
static int sort_out(struct select *sel, struct rng *rng)
{
	uint32_t tried = 0, bits = 0;

	for (uint32_t i = 0; i < sel->n; i++) {
		struct gamp_case *c = &sel->c[i];
		uint32_t j;

		if ((unsigned)c->op > GAMP_CASE_DEFAULT)
			return -EINVAL;
		if (c->op == GAMP_CASE_DEFAULT)
			sel->other = (int)i;
		else if (c->op == GAMP_CASE_DEADLINE)
			consider_late(sel, (int)i);
		if (c->op == GAMP_CASE_SEND && c->ch && c->ch->size > 0 &&
		    !c->elem)
			return -EINVAL;
		at(sel, i)->pd = NULL;
		at(sel, i)->s.queued = false;
		if (scase_is_chan(c))
			sel->chans++;
		else if (scase_is_fd(c))
			sel->fds++;
		else
			continue;
		j = draw(rng, &bits, tried + 1);
		at(sel, tried)->poll = at(sel, j)->poll;
		at(sel, j)->poll = i;
		tried++;
	}
	/* Cases of one channel are queued in random order, too. */
	for (uint32_t i = 0, k = 0; i < tried; i++)
		if (scase_is_chan(&sel->c[at(sel, i)->poll]))
			at(sel, k++)->lock = at(sel, i)->poll;
	return 0;
}

static void sift(struct select *sel, uint32_t i, uint32_t n)
{
	uint32_t lock = at(sel, i)->lock, kid;
	struct gamp_chan *ch = sel->c[lock].ch;

	while ((kid = 2 * i + 1) < n) {
		if (kid + 1 < n && chan_at(sel, kid) < chan_at(sel, kid + 1))
			kid++;
		if (chan_at(sel, kid) <= ch)
			break;
		at(sel, i)->lock = at(sel, kid)->lock;
		i = kid;
	}
	at(sel, i)->lock = lock;
}

/* A heap sort: no stack, no bad case. */
static void sort_locks(struct select *sel)
{
	for (uint32_t i = sel->chans / 2; i-- > 0;)
		sift(sel, i, sel->chans);
	for (uint32_t n = sel->chans; n-- > 1;) {
		uint32_t max = at(sel, 0)->lock;

		at(sel, 0)->lock = at(sel, n)->lock;
		at(sel, n)->lock = max;
		sift(sel, 0, n);
	}
}

static void enter_all(struct select *sel)
{
	struct gamp_chan *last = NULL;
	bool solo;

	if (sel->chans == 0)
		return;
	hard_point();
	rt_rank_push(RANK_GUARD);
	solo = solo_begin();
	/* A canceller may be so early that the commit of the wait that is over
	 * is still in exit_all, and reads it; then it was and stays false. */
	if (sel->solo != solo)
		sel->solo = solo;
	if (solo) {
		for (uint32_t i = 0; i < sel->chans; i++)
			san_acquire(&chan_at(sel, i)->guard);
		return;
	}
	if (!sel->sorted)
		sort_locks(sel);
	sel->sorted = true;
	for (uint32_t i = 0; i < sel->chans; i++) {
		struct gamp_chan *ch = chan_at(sel, i);

		if (ch != last)
			guard_lock(&ch->guard);
		last = ch;
	}
}

static void exit_solo(const struct select *sel)
{
	for (uint32_t i = 0; i < sel->chans; i++) {
		struct gamp_chan *ch = chan_at(sel, i);

		chan_publish(ch, true);
		san_release(&ch->guard);
	}
	solo_end();
}

/* Nothing of sel or the cases is read after the last guard was left. */
static void exit_all(void *arg)
{
	const struct select *sel = arg;
	uint32_t n = sel->chans;

	if (n == 0)
		return;
	rt_rank_pop(RANK_GUARD);
	if (sel->solo) {
		exit_solo(sel);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct gamp_chan *ch = chan_at(sel, i);

		if (i + 1 < n && chan_at(sel, i + 1) == ch)
			continue;
		chan_publish(ch, false);
		guard_unlock(&ch->guard);
	}
}

/* A case before the i-th is of the same direction, and has the descriptor. */
static bool is_twin(const struct select *sel, uint32_t i)
{
	const struct gamp_case *c = &sel->c[i];

	for (uint32_t k = 0; k < i; k++)
		if (sel->c[k].op == c->op && sel->c[k].at == c->at &&
		    at(sel, k)->pd)
			return true;
	return false;
}

static int look_at(struct select *sel, uint32_t i)
{
	const struct gamp_case *c = &sel->c[i];
	struct scase *sc = at(sel, i);
	int r = 0;

	if (sel->down)
		return -EBADF;
	if (!sc->pd)
		r = pd_select_begin(c->at, mode_of(c), &sc->pd);
	if (r == -EBUSY && is_twin(sel, i))
		return -EAGAIN; /* that one tells */
	if (r == 0)
		r = pd_select_look(sc->pd, mode_of(c));
	return r == -EAGAIN && !sel->w->g ? -EPERM : r;
}

/* The descriptors' answers go to s.err. */
static void look(struct select *sel)
{
	for (uint32_t i = 0; i < sel->n && sel->fds > 0; i++)
		if (scase_is_fd(&sel->c[i]))
			at(sel, i)->s.err = look_at(sel, i);
}

/* One case, if it can go.  -EAGAIN if not. */
static int try_one(struct gamp_case *c, bool solo, struct wait **peer)
{
	switch (c->op) {
	case GAMP_CASE_SEND:
		return chan_send_now(c->ch, c->elem, solo, peer);
	case GAMP_CASE_RECV:
		return chan_recv_now(c->ch, c->elem, solo, peer);
	default:
		return scase_of(c)->s.err;
	}
}

/* In the guards.  The index of the case that went, or -1. */
static int try_all(struct select *sel, struct wait **peer)
{
	for (uint32_t i = 0; i < sel->chans + sel->fds; i++) {
		uint32_t k = at(sel, i)->poll;
		int r = try_one(&sel->c[k], sel->solo, peer);

		if (r != -EAGAIN) {
			sel->c[k].err = r;
			return (int)k;
		}
	}
	return -1;
}

static void queue_all(struct select *sel, bool in)
{
	for (uint32_t i = 0; i < sel->chans; i++) {
		struct gamp_case *c = &sel->c[at(sel, i)->lock];
		struct sudog *s = &scase_of(c)->s;

		if (!in) {
			waitq_remove(queue_of(c), s);
			continue;
		}
		s->wait = sel->w;
		s->elem = c->elem;
		waitq_push(queue_of(c), s);
	}
}

/* On g0. */
static void watch_all(void *arg, struct g *gp, uint64_t word)
{
	const struct select *sel = arg;

	for (uint32_t i = 0; i < sel->n; i++)
		if (at(sel, i)->pd)
			pd_select_watch(at(sel, i)->pd,
			    mode_of(&sel->c[i]), gp, word);
}

static int index_of(const struct select *sel, struct sudog *s)
{
	struct scase *sc =
	    (struct scase *)((char *)s - offsetof(struct scase, s));
	uint64_t *opaque = (uint64_t *)sc;
	struct gamp_case *c = (struct gamp_case *)((char *)opaque -
	    offsetof(struct gamp_case, opaque));

	c->err = s->err;
	return (int)(c - sel->c);
}

static int settle(struct select *sel, int i, int err)
{
	sel->c[i].err = err;
	return i;
}

/* In the guards, and out of them afterwards.  -EINTR: begin anew. */
static int wait_for_one(struct select *sel)
{
	struct parking how = { .release = sel->chans ? exit_all : NULL,
		.obj = sel,
		.publish = sel->fds ? watch_all : NULL,
		.deadline = sel->deadline,
		.why = WHY_SELECT };
	int r;

	queue_all(sel, true);
	r = wait_park(sel->w, &how);
	enter_all(sel);
	queue_all(sel, false);
	exit_all(sel);
	for (uint32_t i = 0; i < sel->n && sel->fds > 0; i++)
		if (at(sel, i)->pd)
			pd_select_unwatch(
			    at(sel, i)->pd, mode_of(&sel->c[i]));
	if (r == 0)
		return index_of(sel, sel->w->fired);
	return r == -ETIMEDOUT ? settle(sel, sel->late, r) : r;
}

static int may_wait(const struct select *sel)
{
	if (!sel->w->g && (m_self() || guest_must_not_wait()))
		return -EDEADLK; /* the callback of a short timer; a host */
	if (!sel->w->g && sel->chans == 0 && sel->late < 0)
		return -EDEADLK;
	return 0;
}

static int one_round(struct select *sel)
{
	struct wait *peer = NULL;
	int k, r;

	if (sel->w->g && sel->other < 0 && g_cancelled(sel->w->g))
		return -ECANCELED;
	look(sel);
	enter_all(sel);
	k = try_all(sel, &peer);
	if (k < 0) {
		if (sel->late >= 0 && sel->deadline <= clock_now())
			k = settle(sel, sel->late, -ETIMEDOUT);
		else if (sel->other >= 0)
			k = settle(sel, sel->other, -EAGAIN);
	}
	r = k < 0 ? may_wait(sel) : k;
	if (k < 0 && r == 0)
		return wait_for_one(sel);
	exit_all(sel);
	if (peer)
		wait_wake(peer);
	return r;
}

/* One case that is tried and a default: what a try does.  -EDOM: it is
 * something else. */
static int try_or_not(struct gamp_case *c, int k)
{
	int r;

	if (c[!k].op != GAMP_CASE_DEFAULT || !c[k].ch)
		return -EDOM;
	if (c[k].op == GAMP_CASE_RECV)
		r = gamp_chan_tryrecv(c[k].ch, c[k].elem);
	else if (c[k].op == GAMP_CASE_SEND)
		r = gamp_chan_trysend(c[k].ch, c[k].elem);
	else
		return -EDOM;
	if (r == -EINVAL)
		return r;
	c[r == -EAGAIN ? !k : k].err = r;
	return r == -EAGAIN ? !k : k;
}

/* Sorted out and entered. */
static int run_rounds(struct select *sel)
{
	int r;

	do
		r = one_round(sel);
	while (r == -EINTR);
	for (uint32_t i = 0; i < sel->n && sel->fds > 0; i++)
		if (at(sel, i)->pd) {
			pd_select_end(at(sel, i)->pd, mode_of(&sel->c[i]));
			at(sel, i)->pd = NULL;
		}
	return r;
}

int gamp_select(struct gamp_case *cases, int n)
{
	struct select sel = { .c = cases,
		.n = (uint32_t)n,
		.other = -1,
		.late = -1,
		.deadline = NEVER };
	struct wait own;
	struct m *mp;
	int r;

	if (n < 0 || n > CASES_MAX || (!cases && n > 0))
		return -EINVAL;
	if (n == 2) {
		r = try_or_not(cases, cases[0].op == GAMP_CASE_DEFAULT);
		if (r != -EDOM)
			return r;
	}
	mp = enter_shared();
	sel.w = wait_self(mp, &own);
	r = sort_out(&sel, my_rng(mp));
	if (r == 0) {
		sel.down = sel.fds > 0 && !entry_begin();
		r = run_rounds(&sel);
		if (sel.fds > 0 && !sel.down)
			entry_end();
	}
	m_exit();
	return r;
}
