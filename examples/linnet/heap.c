/* SPDX-License-Identifier: MIT */
/* heap.c - see heap.h for blocks, caches, H1 to H3. */

#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "poison.h"

/* Collections begin when as much was allocated as was live, at least this. */
#define THRESHOLD_MIN (4 << 20)

#define X4(n)  n, n, n, n
#define X8(n)  X4(n), X4(n)
#define X16(n) X8(n), X8(n)

static const uint16_t sizes[CLASSES] = { 16, 24, 32, 40, 48, 64, 80, 96, 112,
	128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024 };

/* By (size + 7) / 8. */
static const uint8_t classes[SMALL_MAX / 8 + 1] = { 0, 0, 0, 1, 2, 3, 4, 5, 5,
	6, 6, 7, 7, 8, 8, 9, 9, X4(10), X4(11), X4(12), X4(13), X8(14), X8(15),
	X8(16), X8(17), X16(18), X16(19), X16(20), X16(20) };

/* The calling thread's cache, of the heap with that serial. */
static __thread struct {
	int64_t serial;
	struct cache *cache;
} mine;

static int64_t serials;

void heap_init(struct heap *h, int64_t limit, uint32_t stress)
{
	memset(h, 0, sizeof(*h));
	h->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
	h->epoch = 1;
	h->limit = limit;
	h->stress = stress;
	heap_end_epoch(h, 0);
}

static void free_blocks(struct block *b)
{
	struct block *next;

	for (; b; b = next) {
		next = b->next;
		unpoison(b, BLOCK_SIZE);
		free(b);
	}
}

void heap_fini(struct heap *h)
{
	struct large *l;
	struct cache *c;

	for (int i = 0; i < CLASSES; i++) {
		free_blocks(h->fresh[i]);
		free_blocks(h->done[i]);
	}
	free_blocks(h->empty);
	while ((l = h->large)) {
		h->large = l->next;
		free(l);
	}
	while ((c = h->caches)) {
		h->caches = c->next;
		free(c);
	}
}

size_t heap_round(size_t size)
{
	return size > SMALL_MAX ? size + sizeof(struct large)
				: sizes[classes[(size + 7) / 8]];
}

void heap_outside(struct heap *h, int64_t n)
{
	int64_t now = __atomic_add_fetch(&h->outside, n, __ATOMIC_RELAXED);

	if (n > 0 && now - h->outside_then > h->threshold)
		heap_set_due(h, true);
}

int64_t heap_size(const struct heap *h)
{
	return h->live + __atomic_load_n(&h->taken, __ATOMIC_RELAXED) +
	       __atomic_load_n(&h->outside, __ATOMIC_RELAXED);
}

/* Under the lock. */
static void count(struct heap *h, size_t n)
{
	int64_t taken = h->taken + (int64_t)n;

	__atomic_store_n(&h->taken, taken, __ATOMIC_RELAXED);
	if (taken > h->threshold)
		heap_set_due(h, true);
}

static void *large_alloc(struct heap *h, size_t size)
{
	struct large *l = malloc(sizeof(*l) + size);
	struct object *o;

	if (!l)
		return NULL;
	l->size = size;
	o = l->object;
	o->mark = h->epoch;
	spin_lock(&h->lock);
	l->next = h->large;
	h->large = l;
	count(h, size + sizeof(*l));
	spin_unlock(&h->lock);
	return o;
}

static struct cell *cell_at(struct block *b, uint32_t i)
{
	return (struct cell *)(void *)(b->cells + (size_t)i * b->cell);
}

/* The cells that are free, in order; *n: how many. */
static struct cell *sweep(struct heap *h, struct block *b, uint32_t *n)
{
	struct cell *list = NULL;

	*n = 0;
	for (uint32_t i = b->count; i-- > 0;) {
		struct cell *c = cell_at(b, i);

		unpoison(c, sizeof(*c));
		if (c->head.kind != KIND_FREE && c->head.mark == h->epoch)
			continue;
		c->head.kind = KIND_FREE;
		c->next = list;
		list = c;
		++*n;
		poison(c, b->cell);
	}
	return list;
}

static struct block *new_block(struct heap *h)
{
	struct block *b = h->empty;

	if (b)
		h->empty = b->next;
	else
		b = malloc(BLOCK_SIZE);
	return b;
}

static void cut(struct block *b, uint32_t size)
{
	b->cell = size;
	b->count = (uint32_t)(BLOCK_SIZE - sizeof(*b)) / size;
	for (uint32_t i = 0; i < b->count; i++) {
		unpoison(cell_at(b, i), size);
		cell_at(b, i)->head.kind = KIND_FREE;
	}
}

/* Under the lock: a block of this class with free cells. */
static struct cell *find_cells(struct heap *h, int class)
{
	struct cell *list;
	struct block *b;
	uint32_t n;

	while ((b = h->fresh[class])) {
		h->fresh[class] = b->next;
		list = sweep(h, b, &n);
		if (n == b->count && h->fresh[class]) {
			b->next = h->empty; /* for any class */
			h->empty = b;
			continue;
		}
		b->next = h->done[class];
		h->done[class] = b;
		if (n > 0) {
			count(h, (size_t)n * b->cell);
			return list;
		}
	}
	b = new_block(h);
	if (!b)
		return NULL;
	cut(b, sizes[class]);
	b->next = h->done[class];
	h->done[class] = b;
	list = sweep(h, b, &n);
	count(h, (size_t)n * b->cell);
	return list;
}

static struct cell *refill(struct heap *h, struct cache *c, int class)
{
	struct cell *list;

	spin_lock(&h->lock);
	list = find_cells(h, class);
	spin_unlock(&h->lock);
	c->free[class] = list;
	return list;
}

static struct cache *find_cache(struct heap *h)
{
	struct cache *c;

	spin_lock(&h->lock);
	for (c = h->caches; c && c->thread != &mine; c = c->next)
		;
	if (!c && (c = calloc(1, sizeof(*c)))) {
		c->thread = &mine;
		c->next = h->caches;
		h->caches = c;
	}
	spin_unlock(&h->lock);
	mine.serial = c ? h->serial : 0;
	mine.cache = c;
	return c;
}

/* Not to be inlined: where &mine is kept, the goroutine must not park. */
__attribute__((noinline)) void *heap_alloc(
    struct heap *h, size_t size, enum kind kind, uint32_t n)
{
	struct cache *c = mine.cache;
	struct object *o;
	struct cell *cell;
	int class;

	if (mine.serial != h->serial && !(c = find_cache(h)))
		return NULL;
	if (h->stress && ++c->allocs % h->stress == 0)
		heap_set_due(h, true);
	if (size > SMALL_MAX) {
		o = large_alloc(h, size);
		if (!o)
			return NULL;
	} else {
		class = classes[(size + 7) / 8];
		cell = c->free[class];
		if (!cell && !(cell = refill(h, c, class)))
			return NULL;
		unpoison(cell, sizes[class]);
		c->free[class] = cell->next;
		o = &cell->head;
		o->mark = h->epoch;
	}
	o->kind = (uint8_t)kind;
	o->scan = 0;
	o->flags = 0;
	o->n = n;
	return o;
}

static void move_blocks(struct block **from, struct block **to)
{
	struct block *b;

	while ((b = *from)) {
		*from = b->next;
		b->next = *to;
		*to = b;
	}
}

void heap_new_epoch(struct heap *h)
{
	uint32_t n;

	/* A mark that has stayed in a block for so long must not be taken for
	 * one of this collection. */
	if (h->epoch == EPOCHS)
		for (int i = 0; i < CLASSES; i++)
			for (struct block *b = h->fresh[i]; b; b = b->next)
				sweep(h, b, &n);
	for (struct cache *c = h->caches; c; c = c->next)
		memset(c->free, 0, sizeof(c->free));
	for (int i = 0; i < CLASSES; i++)
		move_blocks(&h->done[i], &h->fresh[i]);
	h->epoch = h->epoch == EPOCHS ? 1 : (uint8_t)(h->epoch + 1);
}

void heap_end_epoch(struct heap *h, int64_t live)
{
	struct large **at = &h->large, *l;
	int64_t t;

	while ((l = *at)) {
		if (l->object->mark == h->epoch) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
	h->live = live;
	__atomic_store_n(&h->taken, 0, __ATOMIC_RELAXED);
	h->outside_then = __atomic_load_n(&h->outside, __ATOMIC_RELAXED);
	t = live + h->outside_then;
	if (t > h->limit - t)
		t = h->limit - t;
	if (t > THRESHOLD_MIN || t < 0)
		h->threshold = t < h->limit / 16 ? h->limit / 16 : t;
	else
		h->threshold =
		    THRESHOLD_MIN < h->limit / 4 ? THRESHOLD_MIN : h->limit / 4;
}

static void each_in(struct block *b, uint8_t epoch,
    void (*fn)(struct object *o, void *arg), void *arg)
{
	for (; b; b = b->next)
		for (uint32_t i = 0; i < b->count; i++) {
			struct object *o = &cell_at(b, i)->head;

			unpoison(o, sizeof(*o));
			if (o->kind != KIND_FREE && o->mark == epoch && o->scan)
				fn(o, arg);
		}
}

void heap_each_gray(
    struct heap *h, void (*fn)(struct object *o, void *arg), void *arg)
{
	struct object *o;

	for (int i = 0; i < CLASSES; i++) {
		each_in(h->fresh[i], h->epoch, fn, arg);
		each_in(h->done[i], h->epoch, fn, arg);
	}
	for (struct large *l = h->large; l; l = l->next) {
		o = l->object;
		if (o->mark == h->epoch && o->scan)
			fn(o, arg);
	}
}
