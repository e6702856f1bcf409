/* SPDX-License-Identifier: MIT */
/* memory.h - whence the library has its memory. */
#ifndef GAMP_MEMORY_H
#define GAMP_MEMORY_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * As malloc, realloc (which is not given null) and free: aligned for any
 * object, null if there is no memory.  Called on any thread, also several at
 * once; they may not call gamp.
 */
struct gamp_allocator {
	void *(*alloc)(size_t size);
	void *(*resize)(void *p, size_t size);
	void (*release)(void *p);
};

/*
 * gamp_set_allocator - let others provide the memory that the library has
 * from malloc
 *
 * Channels, tickers, deferred calls, values of keys, records of threads and
 * the like.  Not what is mapped: stacks, timers, tables; not what libc has for
 * itself (threads, name lookups) or a library that is loaded (hwloc); and not
 * what the program is to free: the output of gamp_process_output is malloc's.
 *
 * a is copied.  Null: malloc again.  Best called before gamp_start, for the
 * runtime has records of its threads.
 *
 * Errors	-EBUSY		memory of the former one is still in use
 *		-EINVAL		one of the three is null
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_set_allocator(const struct gamp_allocator *a);

#ifdef __cplusplus
}
#endif

#endif
