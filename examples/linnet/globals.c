/* SPDX-License-Identifier: MIT */
/* globals.c - see globals.h. */

#include <stdlib.h>
#include <string.h>

#include "machine.h"

static uint32_t hash(const char *s, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

/* The place of a name in the hash, where it is or would be. */
static uint32_t *find(const struct globals *g, const char *name, size_t len)
{
	uint32_t mask = g->hash_size - 1, i = hash(name, len) & mask;

	for (;; i = (i + 1) & mask) {
		uint32_t k = g->hash[i];

		if (k == 0 || (g->at[k - 1].len == len &&
				  memcmp(g->at[k - 1].name, name, len) == 0))
			return &g->hash[i];
	}
}

static bool grow(struct globals *g)
{
	uint32_t cap = g->cap ? g->cap * 2 : 128, size = cap * 2;
	struct global *at = realloc(g->at, cap * sizeof(*at));
	uint32_t *table;

	if (!at)
		return false;
	g->at = at;
	table = calloc(size, sizeof(*table));
	if (!table)
		return false;
	free(g->hash);
	g->hash = table;
	g->hash_size = size;
	g->cap = cap;
	for (uint32_t i = 0; i < g->count; i++)
		*find(g, at[i].name, at[i].len) = i + 1;
	return true;
}

static struct global *get(struct linnet *m, const char *name, size_t len)
{
	struct globals *g = &m->globals;
	uint32_t *slot;
	char *copy;

	if (g->count == g->cap && !grow(g))
		return NULL;
	slot = find(g, name, len);
	if (*slot == 0) {
		if (g->count == GLOBALS_MAX)
			return NULL;
		copy = strndup(name, len);
		if (!copy)
			return NULL;
		g->at[g->count] = (struct global){ .name = copy, .len = len };
		/* The collector looks at as many as there are. */
		m->global[g->count] = NIL;
		__atomic_store_n(&g->count, g->count + 1, __ATOMIC_RELEASE);
		*slot = g->count;
	}
	return &g->at[*slot - 1];
}

int64_t globals_use(
    struct linnet *m, const char *name, size_t len, struct at at)
{
	struct global *gl = get(m, name, len);

	if (!gl)
		return -1;
	if (!gl->used) {
		gl->used = true;
		gl->at = at;
	}
	return gl - m->globals.at;
}

int64_t globals_define(struct linnet *m, const char *name, size_t len)
{
	struct global *gl = get(m, name, len);

	if (!gl)
		return -1;
	gl->pending = true;
	return gl - m->globals.at;
}

int64_t globals_find(const struct linnet *m, const char *name, size_t len)
{
	const struct globals *g = &m->globals;
	uint32_t k = g->hash_size ? *find(g, name, len) : 0;

	return k && g->at[k - 1].defined ? (int64_t)k - 1 : -1;
}

bool globals_pending(struct linnet *m, const char *name, size_t len)
{
	struct global *gl = get(m, name, len);

	return gl && gl->pending;
}

const struct global *globals_undefined(const struct linnet *m)
{
	const struct globals *g = &m->globals;
	const struct global *first = NULL;

	for (uint32_t i = 0; i < g->count; i++) {
		const struct global *gl = &g->at[i];

		if (!gl->used || gl->defined || gl->pending)
			continue;
		if (!first || gl->at.line < first->at.line ||
		    (gl->at.line == first->at.line &&
			gl->at.col < first->at.col))
			first = gl;
	}
	return first;
}

void globals_settle(struct linnet *m, bool loaded)
{
	struct globals *g = &m->globals;

	for (uint32_t i = 0; i < g->count; i++) {
		g->at[i].defined |= g->at[i].pending && loaded;
		g->at[i].pending = g->at[i].used = false;
	}
}

void globals_fini(struct globals *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		free(g->at[i].name);
	free(g->at);
	free(g->hash);
}
