/* SPDX-License-Identifier: MIT */
/* scope.c - what a name means; and the memory of trees. */

#include <stdlib.h>
#include <string.h>

#include "ast.h"
#include "globals.h"

enum { CHUNK = 16 << 10 };

struct chunk {
	struct chunk *next;
	size_t used;
	uint64_t memory[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->chunks;
	void *at;

	size = (size + 7) & ~(size_t)7;
	if (!c || c->used + size > CHUNK) {
		c = calloc(1, sizeof(*c) + (size > CHUNK ? size : CHUNK));
		if (!c) {
			a->failed = true;
			memset(a->spare, 0, sizeof(a->spare));
			return a->spare;
		}
		c->next = a->chunks;
		a->chunks = c;
	}
	at = (char *)c->memory + c->used;
	c->used += size;
	return at;
}

void arena_free(struct arena *a)
{
	struct chunk *c;

	while ((c = a->chunks)) {
		a->chunks = c->next;
		free(c);
	}
}

struct func *scope_function(struct parser *p, const char *name, size_t len)
{
	struct func *fn = arena_alloc(&p->arena, sizeof(*fn));

	fn->parent = p->fn;
	fn->name = name;
	fn->len = len;
	p->fn = fn;
	return fn;
}

void scope_open(struct parser *p)
{
	p->fn->depth++;
}

void scope_close(struct parser *p)
{
	struct func *fn = p->fn;

	while (fn->scope && fn->scope->depth == fn->depth)
		fn->scope = fn->scope->outer;
	fn->depth--;
}

bool scope_is_top(const struct parser *p)
{
	return !p->fn->parent && p->fn->depth == 0;
}

static bool same(const struct var *v, const char *name, size_t len)
{
	return v->len == len && memcmp(v->name, name, len) == 0;
}

static bool is_blank(const char *name, size_t len)
{
	return len == 1 && name[0] == '_';
}

struct var *scope_find_here(
    const struct parser *p, const char *name, size_t len)
{
	struct var *v = p->fn->scope;

	for (; v && v->depth == p->fn->depth; v = v->outer)
		if (same(v, name, len) && !is_blank(name, len))
			return v;
	return NULL;
}

struct var *scope_declare(
    struct parser *p, const char *name, size_t len, struct at at)
{
	struct var *v = arena_alloc(&p->arena, sizeof(*v));

	if (scope_find_here(p, name, len))
		parse_fail(p, at, "%.*s is declared twice in this block",
		    (int)(len < 40 ? len : 40), name);
	v->name = name;
	v->len = len;
	v->owner = p->fn;
	v->depth = p->fn->depth;
	v->outer = p->fn->scope;
	v->reg = -1;
	p->fn->scope = v;
	return v;
}

static struct var *find(const struct func *fn, const char *name, size_t len)
{
	for (struct var *v = fn->scope; v; v = v->outer)
		if (!v->fresh && same(v, name, len))
			return v;
	return NULL;
}

/* Which of fn's boxes is that of v, a variable of a function around it. */
static int64_t up_index(
    struct parser *p, struct func *fn, struct var *v, struct at at)
{
	if (fn->parent && fn->parent != v->owner)
		(void)up_index(p, fn->parent, v, at);
	for (uint32_t i = 0; i < fn->nups; i++)
		if (fn->ups[i] == v)
			return i;
	if (fn->nups == NAMES_MAX) {
		parse_fail(p, at, "a function captures too many variables");
		return 0;
	}
	fn->ups[fn->nups] = v;
	return fn->nups++;
}

struct node *scope_use(
    struct parser *p, const char *name, size_t len, struct at at)
{
	struct node *n = parse_node(p, N_LOCAL, at);
	struct var *v;

	if (is_blank(name, len))
		parse_fail(p, at, "_ has no value");
	for (struct func *fn = p->fn; fn; fn = fn->parent) {
		v = find(fn, name, len);
		if (!v)
			continue;
		n->var = v;
		if (fn == p->fn)
			return n;
		v->captured = true;
		n->kind = N_UP;
		n->num = up_index(p, p->fn, v, at);
		return n;
	}
	n->kind = N_GLOBAL;
	n->num = globals_use(p->m, name, len, at);
	if (n->num < 0)
		parse_fail(p, at, "too many globals");
	return n;
}

struct node *scope_define_global(
    struct parser *p, const char *name, size_t len, struct at at)
{
	struct node *n = parse_node(p, N_GLOBAL, at);

	n->num = globals_define(p->m, name, len);
	if (n->num < 0)
		parse_fail(p, at, "too many globals");
	return n;
}
