/* SPDX-License-Identifier: MIT */
/*
 * slab.h - objects of one kind that are never given back while it lives.
 *
 * Type-stable: the memory of a freed object stays an object of that kind, so
 * a reader with a stale pointer or index finds a sequence number that does
 * not match, not somebody else's data.  Objects start as zero bytes and keep
 * their content over free and new.
 *
 *	index 0 .. used-1	objects, live or on the free list
 *	used .. cap-1		reserved addresses, no memory yet
 *
 * Free objects are linked, last in first out, through an array of indices
 * beside them, so that the object's own bytes are the user's.
 *
 * Threads: new and free under the slab's lock; slab_at from anywhere.
 */
#ifndef RT_BASE_SLAB_H
#define RT_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"

struct slab {
	struct rt_lock lock;
	char *base;
	uint32_t *next; /* free list: index + 1, 0 ends it */
	size_t size;	/* bytes of an object */
	uint32_t cap;
	rt_a32 used;
	uint32_t free; /* index + 1 */
	uint32_t live;
};

/* Reserves room for cap objects, fewer if the system refuses.  0, -errno. */
int slab_init(struct slab *s, uint8_t rank, size_t size, uint32_t cap);
void slab_fini(struct slab *s);

/* An index, or -ENOMEM when all are in use. */
int64_t slab_new(struct slab *s);
void slab_free(struct slab *s, uint32_t i);

/* The object of any index; null if there never was one. */
static inline void *slab_at(const struct slab *s, uint64_t i)
{
	return i < rt_load_acquire(&s->used) ? s->base + i * s->size : NULL;
}

#endif
