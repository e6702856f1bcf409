/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - malloc and free, or whatever the program put in their place.
 *
 * Blocks in use are counted, so that the allocator changes only while there
 * are none:
 *
 *	who allocates			who changes it
 *	-------------			--------------
 *	A1 users++; SWITCHING?		C1 users: 0 -> SWITCHING, else EBUSY
 *	   users--, again		C2 write the table
 *	A2 read the table		C3 users -= SWITCHING
 *	...
 *	A3 users--, at the release
 *
 * Model: tests/model/model_alloc.cpp.
 *
 * What the program is given to free comes from malloc itself, elsewhere.
 */
#ifndef RT_BASE_ALLOC_H
#define RT_BASE_ALLOC_H

#include <stddef.h>

struct gamp_allocator;

/* Null if there is none. */
void *rt_alloc(size_t size);
void *rt_alloc_zero(size_t size);
void *rt_alloc_line(size_t size); /* aligned to RT_LINE: rt_release_line */

/* Null, or p moved; p may be null. */
void *rt_resize(void *p, size_t size);

/* Null is nothing. */
void rt_release(void *p);
void rt_release_line(void *p);

/* Null: malloc.  0; -EBUSY: there are blocks in use. */
int rt_alloc_set(const struct gamp_allocator *a);

#endif
