/* SPDX-License-Identifier: MIT */
/*
 * heap.h - memory of a machine's objects.
 *
 *	small	cells of one of CLASSES sizes, in blocks of BLOCK_SIZE
 *	large	each malloc's, in one list
 *
 * A thread that allocates owns, for each size, the rest of one block: its
 * cache.  It takes cells from it without a lock, and another block under the
 * lock.  The caches are given up in every collection.  They belong to threads,
 * not to goroutines, of which there may be a million; nothing between the
 * beginning and the end of an allocation lets a goroutine change its thread.
 *
 * Allocating never collects.  It sets `due`, and the goroutine collects when
 * its instruction is over (vm.c): so C code may hold objects that no root
 * leads to, as long as it calls nothing of gamp.
 *
 * Blocks are swept when their cells are wanted.  A cell is free if it says so,
 * or if the mark is not the present epoch's.
 *
 * Invariants
 *	H1  epoch, the blocks' lists and the caches change with the world
 *	    stopped, or as far as the lock says.
 *	H2  A block is in `fresh` (not swept since the last collection), or in
 *	    `done`, or in `empty`.
 *	H3  An object's mark is the epoch, or the object was not reached by the
 *	    last collection; or the world is stopped for one.
 */
#ifndef EXAMPLES_LINNET_HEAP_H
#define EXAMPLES_LINNET_HEAP_H

#include "object.h"

enum {
	BLOCK_SIZE = 8192,
	SMALL_MAX = 1024,
	CLASSES = 21,
	EPOCHS = 250, /* marks 1 to 250 */
};

struct block {
	struct block *next;
	uint32_t cell; /* bytes */
	uint32_t count;
	char cells[];
};

struct large {
	struct large *next;
	size_t size;
	struct object object[]; /* it, from here on */
};

/* A free cell. */
struct cell {
	struct object head;
	struct cell *next;
};

struct cache {
	struct cache *next;
	const void *thread;
	struct cell *free[CLASSES];
	uint32_t allocs; /* for stress */
};

struct heap {
	struct spin lock; /* what follows, up to the next */
	struct block *fresh[CLASSES], *done[CLASSES], *empty;
	struct large *large;
	struct cache *caches;
	int64_t taken; /* bytes since the last collection */
	/* set with the world stopped */
	uint8_t epoch;
	int64_t live;         /* bytes that the last collection has reached */
	int64_t threshold;    /* of what comes after it */
	int64_t outside_then; /* outside, at that time */
	/* never changes */
	int64_t serial; /* no other heap of the process has it */
	int64_t limit;
	uint32_t stress;
	/* atomic */
	int64_t outside; /* bytes of stacks and buffers */
	uint32_t due;    /* a collection is */
};

void heap_init(struct heap *h, int64_t limit, uint32_t stress);
void heap_fini(struct heap *h);

/* An object of so many bytes, whose kind and n are set; the rest is garbage.
 * Null: there is no memory. */
void *heap_alloc(struct heap *h, size_t size, enum kind kind, uint32_t n);

/* Counts bytes that are not objects; n may be negative. */
void heap_outside(struct heap *h, int64_t n);

/* All that counts against the limit. */
int64_t heap_size(const struct heap *h);

/* ---- for the collector, with the world stopped ---- */

void heap_new_epoch(struct heap *h);

/* Large objects that were not reached are freed.  live: what was. */
void heap_end_epoch(struct heap *h, int64_t live);

/* Calls fn for each object of this epoch whose scan is set. */
void heap_each_gray(
    struct heap *h, void (*fn)(struct object *o, void *arg), void *arg);

/* What an object of so many bytes takes. */
size_t heap_round(size_t size);

static inline bool heap_due(const struct heap *h)
{
	return __atomic_load_n(&h->due, __ATOMIC_RELAXED);
}

static inline void heap_set_due(struct heap *h, bool due)
{
	__atomic_store_n(&h->due, due, __ATOMIC_RELAXED);
}

#endif
