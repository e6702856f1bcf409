/* SPDX-License-Identifier: MIT */
/*
 * native.h - what functions written in C use.
 *
 *	static int length(struct fiber *f, value *args, int n)
 *	{
 *		...
 *		return native_result(args, from_int(k));
 *	}
 *
 * A native returns how many results it has put from args[-1] on, up to
 * RESULTS_MAX; or THROWN, or KILLED.  args are in the fiber, as long as nothing
 * makes its stack grow: natives do not.  What a native makes is not yet in the
 * fiber: it makes nothing that it still needs before a call of gamp, or before
 * native_reserve.
 */
#ifndef EXAMPLES_LINNET_NATIVE_H
#define EXAMPLES_LINNET_NATIVE_H

#include "machine.h"

struct definition {
	const char *name;
	native_fn *fn;
	int8_t min, max; /* arguments; max < 0: any number */
};

extern const struct definition natives_core[], natives_text[], natives_net[];

static inline int native_result(value *args, value v)
{
	args[-1] = v;
	return 1;
}

static inline int native_results(value *args, value a, value b)
{
	args[-1] = a;
	args[0] = b;
	return 2;
}

/* A panic with a message. */
int throw_text(struct fiber *f, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int throw_value(struct fiber *f, value v);
int throw_memory(struct fiber *f);

/* Sees to it that so many more bytes are within the limit: may collect.
 * 0, or THROWN. */
int native_reserve(struct fiber *f, size_t bytes);

/* "integer", "string", ... */
const char *type_name(value v);

/* Equal, as == says. */
bool value_equal(value a, value b);

/* ---- new objects; null: there is no memory ---- */

struct string *string_new(struct fiber *f, size_t n); /* text is to be set */
struct string *string_from(struct fiber *f, const char *s, size_t n);
uint32_t string_hash(struct string *s);
struct slice *slice_new(struct fiber *f, uint32_t n, uint32_t cap); /* nils */
struct map *map_new(struct fiber *f);

/* ---- map.c ---- */

value map_get(struct map *m, value key, bool *found);
int map_set(struct fiber *f, struct map *m, value key, value v);
void map_delete(struct map *m, value key);
/* The next entry of a table from *i on that m still has; false: no more. */
bool map_next(struct map *m, struct table *t, uint32_t *i, struct entry *e);

/* ---- text.c: a growing text, in malloc's memory ---- */

struct text {
	char *s;
	size_t n, cap;
	size_t max; /* not longer than this; 0: any length */
	bool failed;
};

void text_put(struct text *t, const char *s, size_t n);
void text_puts(struct text *t, const char *s);
void text_int(struct text *t, int64_t n);
/* As println shows it; strings in quotes if inner. */
void text_value(struct text *t, value v, bool inner, int depth);
void text_free(struct text *t);
/* The text as a string, or THROWN; frees it. */
int text_result(struct fiber *f, value *args, struct text *t);

/* "name: system's message" as a string; or nil for 0. */
value error_value(struct fiber *f, int64_t err);

#endif
