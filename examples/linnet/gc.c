/* SPDX-License-Identifier: MIT */
/*
 * gc.c - the collector: marks with the world stopped; blocks are swept later,
 * as they are needed (heap.h).
 *
 * An object is white (its mark is not the epoch's), gray (it is, and scan is
 * set) or black.  Gray ones are on a stack; if there is no memory for that,
 * they are found again by a walk over the heap.
 *
 * Connections that nobody can reach are closed, when the world runs again.
 */

#include <stdlib.h>

#include <gamp/embed.h>

#include "chan.h"
#include "conn.h"

struct marker {
	struct linnet *m;
	uint8_t epoch;
	int64_t live;
};

static size_t size_of(const struct object *o)
{
	switch (o->kind) {
	case KIND_STRING:
		return sizeof(struct string) + o->n + 1;
	case KIND_SLICE:
		return sizeof(struct slice);
	case KIND_BODY:
		return sizeof(struct body) + o->n * sizeof(value);
	case KIND_MAP:
		return sizeof(struct map);
	case KIND_TABLE:
		return sizeof(struct table) + o->n * sizeof(struct entry);
	case KIND_BOX:
		return sizeof(struct box);
	case KIND_CLOSURE:
		return sizeof(struct closure) + o->n * sizeof(struct box *);
	case KIND_DEFER:
		return sizeof(struct defer) + o->n * sizeof(value);
	case KIND_CHAN:
		return sizeof(struct chan) + o->n * sizeof(value);
	case KIND_CONN:
		return sizeof(struct conn);
	default:
		return sizeof(struct native);
	}
}

static void push(struct linnet *m, struct object *o)
{
	size_t cap = m->gray_cap ? m->gray_cap * 2 : 1024;
	struct object **to;

	if (m->ngray == m->gray_cap) {
		to = realloc(m->gray, cap * sizeof(*to));
		if (!to) {
			m->overflow = true;
			return;
		}
		m->gray = to;
		m->gray_cap = cap;
	}
	m->gray[m->ngray++] = o;
}

static void mark(struct marker *k, void *object)
{
	struct object *o = object;

	if (!o || o->mark == k->epoch)
		return;
	o->mark = k->epoch;
	if (o->kind == KIND_NATIVE)
		return;
	k->live += (int64_t)heap_round(size_of(o));
	if (o->kind == KIND_STRING || o->kind == KIND_CONN)
		return;
	o->scan = 1;
	push(k->m, o);
}

static inline void mark_value(struct marker *k, value v)
{
	if (is_object(v))
		mark(k, object_of(v));
}

static void mark_values(struct marker *k, const value *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mark_value(k, v[i]);
}

static void scan(struct object *o, void *arg)
{
	struct marker *k = arg;
	struct defer *d = (struct defer *)o;
	struct table *t = (struct table *)o;

	o->scan = 0;
	switch (o->kind) {
	case KIND_SLICE:
		mark(k, ((struct slice *)o)->body);
		break;
	case KIND_BODY:
		mark_values(k, ((struct body *)o)->at, o->n);
		break;
	case KIND_MAP:
		mark(k, ((struct map *)o)->table);
		break;
	case KIND_TABLE:
		for (uint32_t i = 0; i < o->n; i++) {
			mark_value(k, t->at[i].key);
			mark_value(k, t->at[i].val);
		}
		break;
	case KIND_BOX:
		mark_value(k, ((struct box *)o)->v);
		break;
	case KIND_CLOSURE:
		for (uint32_t i = 0; i < o->n; i++)
			mark(k, ((struct closure *)o)->up[i]);
		break;
	case KIND_DEFER:
		mark(k, d->next);
		mark_value(k, d->fn);
		mark_values(k, d->args, o->n);
		break;
	case KIND_CHAN:
		/* Waiters are roots of their fibers. */
		mark_values(k, ((struct chan *)o)->ring, o->n);
		break;
	default:
		break;
	}
}

static void drain(struct marker *k)
{
	struct linnet *m = k->m;

	for (;;) {
		while (m->ngray > 0)
			scan(m->gray[--m->ngray], k);
		if (!m->overflow)
			return;
		m->overflow = false;
		heap_each_gray(&m->heap, scan, k);
	}
}

static void mark_fiber(struct marker *k, const struct fiber *f)
{
	mark_values(k, f->stack, f->top);
	mark_value(k, f->error);
	for (uint32_t i = 0; i < f->nframes; i++) {
		mark(k, f->frames[i].fn);
		mark(k, f->frames[i].defers);
		mark_value(k, f->frames[i].panic);
	}
	for (uint32_t i = 0; i < f->nwaiters; i++) {
		mark(k, f->waiters[i].ch);
		mark_value(k, f->waiters[i].v);
	}
}

static void collect(struct linnet *m)
{
	struct marker k = { .m = m };

	heap_new_epoch(&m->heap);
	k.epoch = m->heap.epoch;
	mark_values(&k, m->global,
	    __atomic_load_n(&m->globals.count, __ATOMIC_ACQUIRE));
	mark(&k, m->args);
	for (struct fiber *f = m->fibers; f; f = f->next) {
		mark_fiber(&k, f);
		drain(&k);
	}
	drain(&k);
	conn_find_dead(m);
	heap_end_epoch(&m->heap, k.live);
	m->collections++;
}

void gc_collect(struct fiber *f, bool force)
{
	struct linnet *m = f->m;
	int64_t begin;

	if (gamp_stop_world() < 0)
		return;
	begin = gamp_now();
	/* Somebody else may have done it while this one waited: at most one
	 * goroutine for each P does. */
	if (force || heap_due(&m->heap)) {
		collect(m);
		heap_set_due(&m->heap, false);
	}
	m->stop_time += gamp_now() - begin;
	gamp_start_world();
	conn_close_dead(m);
}
