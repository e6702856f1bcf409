/* SPDX-License-Identifier: MIT */
/* text.c - strings and slices, new; values as text. */

#include <stdlib.h>
#include <string.h>

#include <gamp/errno.h>

#include "native.h"

enum { DEPTH_MAX = 8 }; /* of what is printed, inside of each other */

struct string *string_new(struct fiber *f, size_t n)
{
	struct string *s;

	if (n >= UINT32_MAX / 2)
		return NULL;
	s = heap_alloc(
	    &f->m->heap, sizeof(*s) + n + 1, KIND_STRING, (uint32_t)n);
	if (s) {
		s->hash = 0;
		s->text[n] = '\0';
	}
	return s;
}

struct string *string_from(struct fiber *f, const char *s, size_t n)
{
	struct string *str = string_new(f, n);

	if (str && n > 0)
		memcpy(str->text, s, n);
	return str;
}

uint32_t string_hash(struct string *s)
{
	uint32_t h = __atomic_load_n(&s->hash, __ATOMIC_RELAXED);

	if (h != 0)
		return h;
	h = 2166136261u;
	for (uint32_t i = 0; i < s->head.n; i++)
		h = (h ^ (unsigned char)s->text[i]) * 16777619u;
	h |= 1;
	__atomic_store_n(&s->hash, h, __ATOMIC_RELAXED);
	return h;
}

struct slice *slice_new(struct fiber *f, uint32_t n, uint32_t cap)
{
	struct slice *s = heap_alloc(&f->m->heap, sizeof(*s), KIND_SLICE, n);
	struct body *b;

	if (!s)
		return NULL;
	b = heap_alloc(
	    &f->m->heap, sizeof(*b) + cap * sizeof(value), KIND_BODY, cap);
	if (!b)
		return NULL;
	for (uint32_t i = 0; i < cap; i++)
		b->at[i] = NIL;
	s->from = 0;
	s->cap = cap;
	s->body = b;
	return s;
}

const char *type_name(value v)
{
	static const char *const kinds[] = { [KIND_STRING] = "string",
		[KIND_SLICE] = "array",
		[KIND_MAP] = "map",
		[KIND_CLOSURE] = "function",
		[KIND_NATIVE] = "function",
		[KIND_CHAN] = "channel",
		[KIND_CONN] = "connection" };

	if (is_int(v))
		return "integer";
	if (v == NIL)
		return "nil";
	return is_object(v) ? kinds[object_of(v)->kind] : "boolean";
}

/* ---- growing ---------------------------------------------------------- */

void text_put(struct text *t, const char *s, size_t n)
{
	size_t cap = t->cap ? t->cap : 64;
	char *to;

	if (t->failed || (t->max && t->n + n > t->max)) {
		t->failed = true;
		return;
	}
	while (cap < t->n + n)
		cap *= 2;
	if (cap != t->cap) {
		to = realloc(t->s, cap);
		if (!to) {
			t->failed = true;
			return;
		}
		t->s = to;
		t->cap = cap;
	}
	if (n > 0)
		memcpy(t->s + t->n, s, n);
	t->n += n;
}

void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

/* Not printf: that takes more of a goroutine's stack than all else here. */
void text_int(struct text *t, int64_t n)
{
	char digits[24], *p = digits + sizeof(digits);
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

	do
		*--p = (char)('0' + u % 10);
	while ((u /= 10));
	if (n < 0)
		*--p = '-';
	text_put(t, p, (size_t)(digits + sizeof(digits) - p));
}

static void quoted(struct text *t, const struct string *s)
{
	static const char hex[] = "0123456789abcdef";

	text_put(t, "\"", 1);
	for (uint32_t i = 0; i < s->head.n; i++) {
		unsigned char c = (unsigned char)s->text[i];
		char x[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

		if (c == '"' || c == '\\') {
			x[1] = (char)c;
			text_put(t, x, 2);
		} else if (c == '\n') {
			text_put(t, "\\n", 2);
		} else if (c < ' ' || c == 127) {
			text_put(t, x, 4);
		} else {
			text_put(t, (const char *)&s->text[i], 1);
		}
	}
	text_put(t, "\"", 1);
}

static void slice(struct text *t, const struct slice *s, int depth)
{
	text_put(t, "[", 1);
	for (uint32_t i = 0; i < s->head.n && !t->failed; i++) {
		if (i > 0)
			text_put(t, ", ", 2);
		text_value(
		    t, value_load(&s->body->at[s->from + i]), true, depth + 1);
	}
	text_put(t, "]", 1);
}

/* Integers before strings before the rest, each in order. */
static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int xs = is_int(x->key) ? 0 : is_string(x->key) ? 1 : 2;
	int ys = is_int(y->key) ? 0 : is_string(y->key) ? 1 : 2;
	uint32_t n, k;
	int c;

	if (xs != ys)
		return xs - ys;
	if (xs != 1)
		return ((int64_t)x->key > (int64_t)y->key) -
		       ((int64_t)x->key < (int64_t)y->key);
	n = string_of(x->key)->head.n;
	k = string_of(y->key)->head.n;
	c = memcmp(
	    string_of(x->key)->text, string_of(y->key)->text, n < k ? n : k);
	return c ? c : (n > k) - (n < k);
}

static void map(struct text *t, struct map *m, int depth)
{
	struct table *table;
	struct entry *e, one;
	uint32_t n = 0, i = 0;

	spin_lock(&m->lock);
	table = m->table;
	spin_unlock(&m->lock);
	e = table ? malloc(table->head.n * sizeof(*e)) : NULL;
	if (table && !e) {
		t->failed = true;
		return;
	}
	while (table && map_next(m, table, &i, &one))
		e[n++] = one;
	if (n > 1)
		qsort(e, n, sizeof(*e), by_key);
	text_puts(t, "map{");
	for (i = 0; i < n && !t->failed; i++) {
		if (i > 0)
			text_put(t, ", ", 2);
		text_value(t, e[i].key, true, depth + 1);
		text_put(t, ": ", 2);
		text_value(t, e[i].val, true, depth + 1);
	}
	text_put(t, "}", 1);
	free(e);
}

void text_value(struct text *t, value v, bool inner, int depth)
{
	if (is_int(v)) {
		text_int(t, int_of(v));
	} else if (v == TRUE || v == FALSE) {
		text_puts(t, v == TRUE ? "true" : "false");
	} else if (v == NIL) {
		text_puts(t, "nil");
	} else if (is_string(v)) {
		if (inner)
			quoted(t, string_of(v));
		else
			text_put(t, string_of(v)->text, string_of(v)->head.n);
	} else if (depth >= DEPTH_MAX) {
		text_puts(t, "...");
	} else if (is_kind(v, KIND_SLICE)) {
		slice(t, slice_of(v), depth);
	} else if (is_kind(v, KIND_MAP)) {
		map(t, map_of(v), depth);
	} else if (is_kind(v, KIND_CLOSURE)) {
		text_puts(t, "func ");
		text_puts(t, closure_of(v)->proto->name);
	} else if (is_kind(v, KIND_NATIVE)) {
		text_puts(t, "func ");
		text_puts(t, native_of(v)->name);
	} else {
		text_puts(t, type_name(v));
	}
}

void text_free(struct text *t)
{
	free(t->s);
	*t = (struct text){ 0 };
}

int text_result(struct fiber *f, value *args, struct text *t)
{
	struct string *s = NULL;

	if (!t->failed && (t->n < 4096 || native_reserve(f, t->n) == 0))
		s = string_from(f, t->s, t->n);
	text_free(t);
	return s ? native_result(args, from_object(s)) : throw_memory(f);
}

value error_value(struct fiber *f, int64_t err)
{
	const char *why;
	struct string *s;

	if (err >= 0)
		return NIL;
	switch (err) {
	case -ETIMEDOUT:
		why = "timeout";
		break;
	case -EBADF:
		why = "closed";
		break;
	default:
		why = strerrordesc_np((int)-err);
		break;
	}
	if (!why)
		why = "unknown error";
	s = string_from(f, why, strlen(why));
	return s ? from_object(s) : from_object(f->m->no_memory);
}
