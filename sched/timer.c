/* SPDX-License-Identifier: MIT */
/* timer.c - see timer.h; R1 to R4 are named there. */

#include <errno.h>

#include "base/fatal.h"
#include "base/san.h"
#include "base/vm.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define TRIM_MIN 4096u /* entries, 64 KiB: not worth less */
#define HELD	 UINT32_MAX

static void place(struct timers *h, uint32_t i, struct timer_entry e)
{
	h->heap[i] = e;
	e.t->index = i;
}

static void sift_up(struct timers *h, uint32_t i, struct timer_entry e)
{
	while (i > 0) {
		uint32_t up = (i - 1) / 4;

		if (h->heap[up].when <= e.when)
			break;
		place(h, i, h->heap[up]);
		i = up;
	}
	place(h, i, e);
}

static void sift_down(struct timers *h, uint32_t i, struct timer_entry e)
{
	for (;;) {
		uint32_t c = 4 * i + 1, end = c + 4, min = c;

		if (c >= h->n)
			break;
		if (end > h->n)
			end = h->n;
		while (++c < end)
			if (h->heap[c].when < h->heap[min].when)
				min = c;
		if (h->heap[min].when >= e.when)
			break;
		place(h, i, h->heap[min]);
		i = min;
	}
	place(h, i, e);
}

static void take_out(struct timers *h, uint32_t i)
{
	struct timer_entry last = h->heap[--h->n];

	if (i == h->n)
		return;
	if (i > 0 && last.when < h->heap[(i - 1) / 4].when)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

static void drop_ghost(struct timers *h, struct timer *ghost)
{
	take_out(h, ghost->index);
	ghost->arg = NULL;
}

/* The ghost, if the earliest is one. */
static struct timer *top_ghost(struct timers *h)
{
	struct timer *t = h->n ? h->heap[0].t : NULL;

	return t >= h->ghost && t < h->ghost + TIMER_GHOSTS ? t : NULL;
}

/* A ghost keeps the place of t, which is idle from here on. */
static void leave_ghost(struct timers *h, struct timer *t)
{
	uint32_t k = h->hand++ % TIMER_GHOSTS;
	struct timer *ghost = &h->ghost[k];

	if (ghost->arg)
		drop_ghost(h, ghost); /* t may move */
	ghost->arg = t;
	ghost->index = t->index;
	h->heap[t->index].t = ghost;
	t->index = k; /* a hint, while it is idle */
}

/* True: t has the place back that it had. */
static bool oust_ghost(struct timers *h, struct timer *t)
{
	struct timer *ghost = &h->ghost[t->index % TIMER_GHOSTS];

	if (ghost->arg != t)
		return false;
	ghost->arg = NULL;
	t->index = ghost->index;
	h->heap[t->index].t = t;
	return true;
}

static void publish(struct timers *h)
{
	struct timer *ghost;
	int64_t next;

	while (rt_unlikely((ghost = top_ghost(h)) != NULL))
		drop_ghost(h, ghost);
	next = h->n ? h->heap[0].when : NEVER;
	if (rt_unlikely(h->held != NULL) && h->retry < next)
		next = h->retry;
	if (rt_load_relaxed(&h->next) != next)
		rt_store_release(&h->next, next);
}

static void insert(struct timers *h, struct timer *t)
{
	if (oust_ghost(h, t)) {
		if (t->when < h->heap[t->index].when)
			sift_up(h, t->index,
			    (struct timer_entry){ t->when, t });
		return;
	}
	sift_up(h, h->n++, (struct timer_entry){ t->when, t });
	if (h->n > h->high)
		h->high = h->n;
}

/* To the end of those that wait for what they need. */
static void hold(struct timers *h, struct alarm *a, int64_t now)
{
	take_out(h, a->t.index);
	a->t.index = HELD;
	a->next = NULL;
	a->prev = h->last_held;
	if (a->prev)
		a->prev->next = a;
	else
		h->held = a;
	h->last_held = a;
	if (h->nheld++ == 0)
		h->retry = clock_after(now, TIMER_RETRY);
}

static void let_go(struct timers *h, struct alarm *a)
{
	if (a->prev)
		a->prev->next = a->next;
	else
		h->held = a->next;
	if (a->next)
		a->next->prev = a->prev;
	else
		h->last_held = a->prev;
	h->nheld--;
}

/* Nothing of t is touched once it is idle.  ghost: it may well come back to
 * its place. */
static void remove_locked(struct timers *h, struct timer *t, bool ghost)
{
	if (rt_unlikely(t->index == HELD)) {
		let_go(h, (struct alarm *)t);
	} else {
		rt_assert(h->heap[t->index].t == t);
		if (ghost && t->index > 0)
			leave_ghost(h, t);
		else
			take_out(h, t->index);
	}
	rt_store_release(&t->heap, 0);
}

static bool move_up(struct timers *h, struct timer *t)
{
	int64_t was = rt_load_relaxed(&h->next);

	if (rt_unlikely(t->index == HELD)) {
		let_go(h, (struct alarm *)t);
		insert(h, t);
	} else {
		sift_up(h, t->index, (struct timer_entry){ t->when, t });
	}
	publish(h);
	return t->when < was;
}

/* True: it is the earliest now.  If it comes later, run finds it early, and
 * moves it then. */
static inline bool move_locked(
    struct timers *h, struct timer *t, int64_t when)
{
	t->when = when;
	if (rt_likely(t->index != HELD && when >= h->heap[t->index].when))
		return false;
	return move_up(h, t);
}

int timers_init(struct timers *h, uint32_t cap)
{
	void *p = NULL;
	int r;

	*h = (struct timers){ .cap = cap };
	h->lock.rank = RANK_TIMERS;
	rt_store_relaxed(&h->next, NEVER);
	while ((r = vm_alloc(h->cap * sizeof(*h->heap), &p)) < 0 &&
	    h->cap > TRIM_MIN)
		h->cap /= 2;
	h->heap = p;
	return r;
}

void timers_fini(struct timers *h)
{
	struct alarm *a, *next;

	for (uint32_t i = 0; i < h->n; i++)
		rt_store_release(&h->heap[i].t->heap, 0);
	for (a = h->held; a; a = next) {
		next = a->next;
		rt_store_release(&a->t.heap, 0);
	}
	vm_free(h->heap, h->cap * sizeof(*h->heap));
	h->heap = NULL;
}

static bool make_room(struct timers *h)
{
	for (uint32_t k = 0; k < TIMER_GHOSTS; k++)
		if (h->ghost[k].arg)
			drop_ghost(h, &h->ghost[k]);
	return h->n + h->nheld < h->cap;
}

int timer_start(struct timers *h, struct timer *t, int64_t when)
{
	int r = 0;

	rt_lock(&h->lock);
	rt_assert(rt_load_relaxed(&t->heap) == 0);
	if (rt_unlikely(h->n + h->nheld >= h->cap) && !make_room(h)) {
		r = -ENOMEM;
	} else {
		t->when = when;
		rt_store_release(&t->heap, (uintptr_t)h);
		insert(h, t);
		publish(h);
	}
	rt_unlock(&h->lock);
	return r;
}

/* Locks the heap that t is armed in; null if it is in none. */
static inline struct timers *lock_heap(struct timer *t)
{
	for (;;) {
		struct timers *h = (struct timers *)rt_load_acquire(&t->heap);

		if (!h)
			return NULL;
		rt_lock(&h->lock);
		if (rt_load_relaxed(&t->heap) == (uintptr_t)h)
			return h;
		rt_unlock(&h->lock); /* it fired, or moved */
	}
}

/* Takes t out of h, which is locked, if it is still the caller's. */
static bool stop_and_unlock(struct timers *h, struct timer *t, bool ours)
{
	if (ours) {
		remove_locked(h, t, true);
		publish(h);
	}
	rt_unlock(&h->lock);
	return ours;
}

bool timer_stop(struct timer *t)
{
	struct timers *h = lock_heap(t);

	return h && stop_and_unlock(h, t, true);
}

bool timer_stop_fn(struct timer *t, timer_fn fn)
{
	struct timers *h = lock_heap(t);

	return h && stop_and_unlock(h, t, t->fn == fn);
}

bool timer_reset(struct timer *t, int64_t when, uint64_t seq)
{
	struct timers *h = lock_heap(t);

	if (!h)
		return false;
	t->seq = seq;
	(void)move_locked(h, t, when);
	rt_unlock(&h->lock);
	return true;
}

struct timers *timer_shift(struct timer *t, int64_t when, bool *sooner)
{
	struct timers *h = lock_heap(t);

	if (!h)
		return NULL;
	*sooner = move_locked(h, t, when);
	rt_unlock(&h->lock);
	return h;
}

void timers_move(struct timers *to, struct timers *from)
{
	rt_lock(&to->lock);
	rt_lock_beside(&from->lock); /* nobody else holds two */
	(void)make_room(from);
	while (from->held) { /* it is due: at the top of the other */
		struct alarm *a = from->held;

		let_go(from, a);
		insert(from, &a->t);
	}
	while (from->n > 0 && (to->n + to->nheld < to->cap || make_room(to))) {
		struct timer *t = from->heap[from->n - 1].t;

		from->n--;
		rt_store_release(&t->heap, (uintptr_t)to);
		insert(to, t);
	}
	publish(from);
	publish(to);
	rt_unlock_beside(&from->lock);
	rt_unlock(&to->lock);
}

/* What one run has got for alarms that need it. */
struct hand {
	const struct alarm_kind *kind; /* of what is in it */
	void *got;
	bool refused; /* there is no more to be had */
};

enum take { NOTHING, TAKEN, NEEDS };

/* The first time of a's that is after now: those missed are left out. */
static int64_t next_time(const struct alarm *a, int64_t now)
{
	uint64_t late = (uint64_t)now - (uint64_t)a->t.when;

	if (late >= (uint64_t)a->period)
		late %= (uint64_t)a->period;
	return clock_after(now, a->period - (int64_t)late);
}

static void take_alarm(struct timers *h, struct alarm *a, int64_t now)
{
	san_acquire(a); /* what was before the start is before fn */
	if (a->kind->take)
		a->kind->take(a);
	if (a->period == 0) {
		remove_locked(h, &a->t, false);
		return;
	}
	a->t.when = next_time(a, now);
	if (rt_unlikely(a->t.index == HELD)) {
		let_go(h, a);
		insert(h, &a->t);
	} else {
		sift_down(h, a->t.index,
		    (struct timer_entry){ a->t.when, &a->t });
	}
}

/* What it says is copied first: once heap is 0 its owner may start it anew,
 * or free it. */
static void take(
    struct timers *h, struct timer *t, int64_t now, struct timer_due *due)
{
	struct alarm *a = (struct alarm *)t;

	due->fn = t->fn;
	due->arg = t->arg;
	due->seq = t->seq;
	due->when = t->when;
	if (t->fn) {
		remove_locked(h, t, false);
	} else {
		due->kind = a->kind;
		take_alarm(h, a, now);
	}
}

static enum take take_held(
    struct timers *h, int64_t now, struct hand *hand, struct timer_due *due)
{
	if (h->retry > now)
		return NOTHING;
	if (hand->got) {
		take(h, &h->held->t, now, due);
		return TAKEN;
	}
	due->kind = h->held->kind;
	if (!hand->refused)
		return NEEDS;
	h->retry = clock_after(now, TIMER_RETRY);
	return NOTHING;
}

/* t is due.  True: it needs something that is not there; or it must not have
 * it, for others wait for the same. */
static bool must_wait(struct timers *h, struct timer *t, struct hand *hand)
{
	return !t->fn && ((struct alarm *)t)->kind->get &&
	    (!hand->got || h->held);
}

/* TAKEN: *due is to fire.  NEEDS: due->kind says what (R1). */
static enum take take_due(
    struct timers *h, int64_t now, struct hand *hand, struct timer_due *due)
{
	enum take r = h->held ? take_held(h, now, hand, due) : NOTHING;

	if (r != NOTHING)
		return r;
	while (h->n > 0 && h->heap[0].when <= now) {
		struct timer *t = h->heap[0].t, *ghost = top_ghost(h);

		if (rt_unlikely(ghost != NULL)) {
			drop_ghost(h, ghost);
		} else if (t->when > now) {
			sift_down(h, 0, (struct timer_entry){ t->when, t });
		} else if (!must_wait(h, t, hand)) {
			take(h, t, now, due);
			return TAKEN;
		} else if (h->held || hand->refused) {
			hold(h, (struct alarm *)t, now);
		} else {
			due->kind = ((struct alarm *)t)->kind;
			return NEEDS;
		}
	}
	return NOTHING;
}

static void fire(struct timer_due *due, struct hand *hand)
{
	if (due->fn) {
		due->fn(due->arg, due->seq);
		return;
	}
	if (due->kind->get) {
		due->got = hand->got;
		hand->got = NULL;
	}
	due->kind->fire(due);
}

int timers_run(struct timers *h, int64_t now)
{
	struct hand hand = { 0 };
	int n = 0;

	/* Timers that restart themselves cannot hold us: now stays. */
	while (timers_next(h) <= now) {
		struct timer_due due;
		enum take r;

		rt_lock(&h->lock);
		r = take_due(h, now, &hand, &due);
		publish(h);
		rt_unlock(&h->lock);
		if (r == NOTHING)
			break;
		if (r == TAKEN) {
			fire(&due, &hand);
			n++;
		} else { /* R2 */
			hand.kind = due.kind;
			hand.got = due.kind->get();
			hand.refused = !hand.got;
		}
	}
	if (rt_unlikely(hand.got != NULL))
		hand.kind->put(hand.got); /* R4 */
	return n;
}

uint32_t timers_count(struct timers *h)
{
	uint32_t n;

	rt_lock(&h->lock);
	n = h->n + h->nheld;
	rt_unlock(&h->lock);
	return n;
}

void timers_trim(struct timers *h)
{
	size_t page = vm_page();

	rt_lock(&h->lock);
	if (h->high > TRIM_MIN && h->n < h->high / 4) {
		size_t from = h->n * sizeof(*h->heap) + page - 1;
		size_t to = h->high * sizeof(*h->heap) + page - 1;

		from -= from % page;
		to -= to % page;
		if (to > from)
			vm_discard((char *)h->heap + from, to - from);
		h->high = h->n;
	}
	rt_unlock(&h->lock);
}
