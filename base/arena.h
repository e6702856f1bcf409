/* SPDX-License-Identifier: MIT */
/*
 * arena.h - stacks: reserved slots of a few sizes, and who uses them.
 *
 *	slot (64 KiB, say)
 *	+-------+----------------------------------+---------+--------+
 *	| guard |  . . . untouched  <--- stack     | control | colour |
 *	+-------+----------------------------------+---------+--------+
 *	low                                                       high
 *
 * A slot's owner keeps its control block at the top of its own stack, so an
 * idle goroutine touches one page.  The colour moves the tops of neighbours
 * apart by cache lines: page-aligned tops would all meet in the same few sets
 * of the cache (measured: three times slower switches at 1,000 goroutines).
 *
 * A slot is named by its ref: class << 22 | index.  Any value may be asked
 * for; control blocks stay mapped, so reading the control block of a free
 * slot is safe, and reads zero after a release.
 *
 * Free slots of a class are one array, used as a stack:
 *
 *	free[0 .. cold)		released to the system
 *	free[cold .. low)	not used since the last trim: released next
 *	free[low .. n)		warm, at least WARM of them
 *
 * Slots are taken from the top and put on the top, so memory of a spike sinks
 * to the bottom, where arena_trim finds it.  Taking reaches [0 .. cold) only
 * when nothing warm is left.
 *
 * Invariants
 *	I1  cold <= low <= n <= used <= cap; an index is in free at most once.
 *	I2  while busy > 0, free[0 .. busy) belongs to arena_trim.
 *	I3  seq[i] is the last number of slot i when it was released; a control
 *	    block that reads zero goes on from there, so no id comes twice.
 *
 * Threads: all under the arena's lock, except arena_ctl and arena_has.
 */
#ifndef RT_BASE_ARENA_H
#define RT_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

#define ARENA_INDEX_BITS 22
#define ARENA_REF_BITS	 (ARENA_INDEX_BITS + 3)
#define ARENA_SLOTS_MAX	 (1u << ARENA_INDEX_BITS)
#define ARENA_CLASSES	 6
#define ARENA_STACK_MAX	 ((size_t)64 << 20) /* bytes: the largest class */

enum arena_guard {
	ARENA_GUARD_AUTO,     /* madvise where it works, else mprotect */
	ARENA_GUARD_MPROTECT, /* by force, for tests */
};

struct arena_options {
	size_t ctl_size; /* bytes of a control block */
	uint32_t slots_max;
	enum arena_guard guard;
};

struct arena_stats {
	bool guard_madvise;
	uint64_t slots;	    /* ever used */
	uint64_t unguarded; /* of these, without a guard */
	uint64_t bytes;	    /* of these, addresses */
	uint64_t free;
	uint64_t released; /* of these, without memory */
};

/* 0 or -errno; one arena per process.  fini gives everything back. */
int arena_init(const struct arena_options *opt);
void arena_fini(void);

/* The class for a stack of `size` bytes, or -EINVAL. */
int arena_class(size_t size);

/* Bytes that a stack of this class has. */
size_t arena_class_size(int cls);

/*
 * Takes up to max slots of a class, warm ones if there are any; a new or
 * released one is only taken if there is none.  Returns how many, or -ENOMEM
 * (memory, mappings), -EAGAIN (slots_max).
 */
int arena_get(int cls, uint32_t *refs, int max);
void arena_put(const uint32_t *refs, int n);

/*
 * Gives new slots their guard and their first page, and frees them, until
 * `want` are warm: so that a burst of starts finds them, and need not take
 * one page fault after the other.  At most want at a time; returns how many.
 * Without `touch` the first page is left to who takes the slot: where memory
 * has several nodes, a page comes from the node of who touches it first.
 */
uint32_t arena_prepare(int cls, uint32_t want, bool touch);

/* Slots of a class that are not free. */
uint32_t arena_in_use(int cls);

/* The number slot `ref` had reached when it was released. */
uint64_t arena_seq(uint32_t ref);

/* Never hand out `ref` again; its numbers are used up. */
void arena_retire(uint32_t ref);

/* Has this slot ever been used?  Any value. */
bool arena_has(uint32_t ref);

/* Control block; ref must be one that arena_has. */
void *arena_ctl(uint32_t ref);

/* The usable stack below the control block: [*lo, result). */
void *arena_stack(uint32_t ref, void **lo);

/* Is it an address of the slots of ref's class? */
bool arena_inside(uint32_t ref, uintptr_t at);

/* Slots ever used of a class: indices below it satisfy arena_has. */
uint32_t arena_used(int cls);

/* An interval begins: what stays free until a trim is released by it. */
void arena_mark(void);

/*
 * Releases memory of slots that were free since arena_mark, at most max of a
 * class; one caller at a time.  read_seq gets a control block's number.
 * Returns true if there are more.
 */
bool arena_trim(uint32_t max, uint64_t (*read_seq)(void *ctl));

void arena_stats(struct arena_stats *out);

/* Where a debugger finds control blocks: tools/gamp-gdb.py does what arena_ctl
 * does. */
struct arena_map {
	const void *classes; /* count of them, size bytes each */
	uint64_t count, size;
	uint64_t base, slot, used; /* offsets in one */
	const void *ctl;	   /* where the rounded ctl_size is */
	uint64_t colours, line;
};
extern const struct arena_map arena_map;

#endif
