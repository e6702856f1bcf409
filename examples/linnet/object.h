/* SPDX-License-Identifier: MIT */
/*
 * object.h - what lies on the heap.
 *
 * Objects do not move.  Strings, slices, natives and closures do not change
 * once they are made, and the size of a body or a table is its own: whoever
 * reads one without order, beside who replaces it, stays within it.  Maps,
 * channels and connections have a lock (spin.h).
 *
 * A slice is Go's: a window on a body that others may share.
 */
#ifndef EXAMPLES_LINNET_OBJECT_H
#define EXAMPLES_LINNET_OBJECT_H

#include "spin.h"
#include "value.h"

enum kind {
	KIND_FREE, /* a cell of the heap that nobody uses */
	KIND_STRING,
	KIND_SLICE,
	KIND_BODY,
	KIND_MAP,
	KIND_TABLE,
	KIND_BOX,
	KIND_CLOSURE,
	KIND_NATIVE,
	KIND_DEFER,
	KIND_CHAN,
	KIND_CONN,
};

/* The first word of each. */
struct object {
	uint8_t kind;
	uint8_t mark;  /* the collection that reached it last: gc.c */
	uint8_t scan;  /* is it still to be looked into? */
	uint8_t flags; /* the kind's own */
	uint32_t n;    /* the kind's count */
};

struct string {
	struct object head; /* n: bytes */
	uint32_t hash;      /* 0: not yet known; any thread may set it */
	char text[];        /* and a final 0 */
};

struct body {
	struct object head; /* n: slots */
	value at[];
};

struct slice {
	struct object head; /* n: length */
	uint32_t from, cap; /* in the body */
	struct body *body;  /* null if cap is 0 */
};

struct entry {
	value key, val;
};

struct table {
	struct object head; /* n: slots, a power of two */
	uint32_t used;      /* that are not NONE */
	uint32_t pad;
	struct entry at[];
};

struct map {
	struct object head;
	struct spin lock;
	uint32_t count;
	struct table *table; /* null if nothing was ever put */
};

/* A variable that a closure shares with where it was made. */
struct box {
	struct object head;
	value v;
};

struct closure {
	struct object head; /* n: boxes */
	const struct proto *proto;
	struct box *up[];
};

struct fiber;

/* What natives get and return: native.h. */
typedef int native_fn(struct fiber *f, value *args, int n);

struct native {
	struct object head;
	native_fn *fn;
	const char *name;
	int8_t min, max; /* arguments; max < 0: any number */
};

/* A call that was put off: on the frame's list. */
struct defer {
	struct object head; /* n: arguments */
	struct defer *next;
	value fn;
	value args[];
};

static inline struct object *object_of(value v)
{
	return (struct object *)(uintptr_t)v;
}

static inline value from_object(const void *o)
{
	return (value)(uintptr_t)o;
}

static inline bool is_kind(value v, enum kind k)
{
	return is_object(v) && object_of(v)->kind == k;
}

static inline bool is_string(value v)
{
	return is_kind(v, KIND_STRING);
}

static inline struct string *string_of(value v)
{
	return (struct string *)(uintptr_t)v;
}

static inline struct slice *slice_of(value v)
{
	return (struct slice *)(uintptr_t)v;
}

static inline struct map *map_of(value v)
{
	return (struct map *)(uintptr_t)v;
}

static inline struct closure *closure_of(value v)
{
	return (struct closure *)(uintptr_t)v;
}

static inline struct native *native_of(value v)
{
	return (struct native *)(uintptr_t)v;
}

static inline struct box *box_of(value v)
{
	return (struct box *)(uintptr_t)v;
}

#endif
