/* SPDX-License-Identifier: MIT */
/* timer.c - see timer.h. */

#include <errno.h>

#include "base/fatal.h"
#include "base/vm.h"
#include "sched/timer.h"

#define TRIM_MIN   4096u /* entries, 64 KiB: not worth less */

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

static void publish(struct timers *h)
{
	int64_t next = h->n ? h->heap[0].when : NEVER;

	if (rt_load_relaxed(&h->next) != next)
		rt_store_release(&h->next, next);
}

static void remove_locked(struct timers *h, struct timer *t)
{
	uint32_t i = t->index;
	struct timer_entry last = h->heap[--h->n];

	rt_assert(h->heap[i].t == t || i == h->n);
	rt_store_release(&t->heap, 0);
	if (i == h->n)
		return;
	if (i > 0 && last.when < h->heap[(i - 1) / 4].when)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
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
	vm_free(h->heap, h->cap * sizeof(*h->heap));
	h->heap = NULL;
}

int timer_start(struct timers *h, struct timer *t, int64_t when)
{
	int r = 0;

	rt_lock(&h->lock);
	rt_assert(rt_load_relaxed(&t->heap) == 0);
	if (h->n == h->cap) {
		r = -ENOMEM;
	} else {
		t->when = when;
		rt_store_release(&t->heap, (uintptr_t)h);
		sift_up(h, h->n++, (struct timer_entry){ when, t });
		if (h->n > h->high)
			h->high = h->n;
		publish(h);
	}
	rt_unlock(&h->lock);
	return r;
}

/* The heap that t is armed in, locked; null if none. */
static struct timers *lock_heap(struct timer *t)
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
		remove_locked(h, t);
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

bool timer_stop_seq(struct timer *t, uint64_t seq)
{
	struct timers *h = lock_heap(t);

	return h && stop_and_unlock(h, t, t->seq == seq);
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
	t->when = when;
	if (when < h->heap[t->index].when) {
		sift_up(h, t->index, (struct timer_entry){ when, t });
		publish(h);
	}
	rt_unlock(&h->lock);
	return true;
}

struct due {
	timer_fn fn;
	void *arg;
	uint64_t seq;
};

/*
 * Takes the first timer that is due out of the heap; false if none is.  What
 * it says is copied first: once heap is 0 its owner may start it anew.
 */
static bool take_due(struct timers *h, int64_t now, struct due *due)
{
	while (h->n > 0 && h->heap[0].when <= now) {
		struct timer *t = h->heap[0].t;

		if (t->when <= now) {
			*due = (struct due){ t->fn, t->arg, t->seq };
			remove_locked(h, t);
			return true;
		}
		sift_down(h, 0, (struct timer_entry){ t->when, t });
	}
	return false;
}

int timers_run(struct timers *h, int64_t now)
{
	int n = 0;

	/* Periodic timers that restart themselves cannot hold us: now stays. */
	while (timers_next(h) <= now) {
		struct due due;
		bool any;

		rt_lock(&h->lock);
		any = take_due(h, now, &due);
		publish(h);
		rt_unlock(&h->lock);
		if (!any)
			break;
		due.fn(due.arg, due.seq);
		n++;
	}
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
