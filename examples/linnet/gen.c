/* SPDX-License-Identifier: MIT */
/* gen.c - code of functions: instructions, constants, jumps, variables. */

#include <stdlib.h>
#include <string.h>

#include "gen.h"
#include "machine.h"

void gen_fail(struct gen *g, const char *why)
{
	parse_fail(g->p, g->at, "%s", why);
}

/* Room for one more; *p is of items of that size. */
static bool grow(struct gen *g, void *p, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t want = *cap ? *cap * 2 : 16;
	void *old, *to;

	if (n < *cap)
		return true;
	memcpy(&old, p, sizeof(old));
	to = realloc(old, want * size);
	if (!to) {
		gen_fail(g, "out of memory");
		return false;
	}
	memcpy(p, &to, sizeof(to));
	*cap = want;
	return true;
}

static int32_t add(struct gen *g, struct ins i)
{
	struct proto *pr = g->pr;
	uint32_t cap = g->code_cap;

	if (pr->ncode >= 1 << 24) {
		gen_fail(g, "a function is too long");
		return 0;
	}
	if (!grow(g, &pr->at, pr->ncode, &cap, sizeof(*pr->at)) ||
	    !grow(g, &pr->code, pr->ncode, &g->code_cap, sizeof(i)))
		return 0;
	pr->code[pr->ncode] = i;
	pr->at[pr->ncode] = g->at;
	return (int32_t)pr->ncode++;
}

int32_t gen_emit(struct gen *g, enum op op, int a, int b, int c)
{
	struct ins i = { .op = (uint8_t)op, .a = (uint16_t)a };

	i.b = (uint16_t)b;
	i.c = (uint16_t)c;
	return add(g, i);
}

int32_t gen_emit_d(struct gen *g, enum op op, int a, int32_t d)
{
	struct ins i = { .op = (uint8_t)op, .a = (uint16_t)a };

	i.d = d;
	return add(g, i);
}

void gen_set_x(struct gen *g, int32_t at, int x)
{
	if (g->pr->ncode > 0)
		g->pr->code[at].x = (uint8_t)x;
}

int gen_push(struct gen *g, int n)
{
	int reg = g->top;

	g->top += n;
	if (g->top > REGS_MAX) {
		gen_fail(g, "a function needs too many registers");
		g->top = reg;
	}
	if ((uint32_t)g->top > g->pr->nregs)
		g->pr->nregs = (uint32_t)g->top;
	return reg;
}

int gen_const(struct gen *g, value v)
{
	struct proto *pr = g->pr;

	if (!grow(g, &pr->consts, pr->nconsts, &g->const_cap, sizeof(v)))
		return 0;
	pr->consts[pr->nconsts] = v;
	return (int)pr->nconsts++;
}

int gen_string(struct gen *g, const char *s, size_t n)
{
	struct proto *pr = g->pr;
	struct string *str;

	for (uint32_t i = pr->nconsts; i > 0 && i + 64 > pr->nconsts; i--) {
		value v = pr->consts[i - 1];

		str = string_of(v);
		if (is_string(v) && str->head.n == n &&
		    memcmp(str->text, s, n) == 0)
			return (int)i - 1;
	}
	str = machine_immortal(g->p->m, s, n);
	if (!str) {
		gen_fail(g, "out of memory");
		return 0;
	}
	return gen_const(g, from_object(str));
}

int32_t gen_here(const struct gen *g)
{
	return (int32_t)g->pr->ncode;
}

jumps gen_jump(struct gen *g, enum op op, int a, jumps list)
{
	return gen_emit_d(g, op, a, list);
}

void gen_land(struct gen *g, jumps list)
{
	struct ins *i;
	jumps next;

	for (; list != NO_JUMPS && !g->p->failed; list = next) {
		i = &g->pr->code[list];
		next = i->d;
		i->d = gen_here(g) - list - 1;
	}
}

void gen_jump_back(struct gen *g, int32_t to)
{
	(void)gen_emit_d(g, OP_LOOP, 0, to - gen_here(g) - 1);
}

void gen_declare(struct gen *g, struct var *v, int reg)
{
	if (v->captured)
		(void)gen_emit(g, OP_BOX, v->reg, reg, 0);
	else if (v->reg != reg)
		(void)gen_emit(g, OP_MOVE, v->reg, reg, 0);
}

static void prologue(struct gen *g)
{
	struct func *fn = g->fn;

	for (struct node *n = fn->params; n; n = n->next) {
		n->var->reg = gen_push(g, 1);
		gen_declare(g, n->var, n->var->reg);
	}
	for (struct node *n = fn->results; n; n = n->next) {
		n->var->reg = gen_push(g, 1);
		gen_emit(g, OP_NIL, n->var->reg, 0, 0);
		gen_declare(g, n->var, n->var->reg);
	}
}

static void epilogue(struct gen *g)
{
	struct node back = { .kind = N_RETURN };
	int32_t at;

	g->at = g->fn->end;
	back.at = g->at;
	gen_return(g, &back);
	if (!g->fn->defers)
		return;
	g->pr->recover = (uint32_t)gen_here(g);
	if (g->fn->results) {
		gen_return(g, &back);
		return;
	}
	gen_emit(g, OP_DEFERS, 0, 0, 0);
	at = gen_emit(g, OP_RET, 0, 0, 0);
	gen_set_x(g, at, 1);
}

/* Code of the main part: functions first, that may call each other. */
static void hoist(struct gen *g, struct node *body)
{
	for (struct node *n = body->list; n; n = n->next)
		if (n->kind == N_VAR && n->op)
			gen_statement(g, n);
	for (struct node *n = body->list; n; n = n->next)
		if (n->kind != N_VAR || !n->op)
			gen_statement(g, n);
}

static char *copy_name(const struct func *fn)
{
	return strndup(fn->name, fn->len);
}

static struct proto *function(
    struct gen *outer, struct parser *p, struct func *fn, char *file)
{
	struct gen g = { .outer = outer, .p = p, .fn = fn };

	g.pr = calloc(1, sizeof(*g.pr));
	if (!g.pr) {
		parse_fail(p, fn->at, "out of memory");
		return NULL;
	}
	g.at = fn->at;
	g.pr->name = copy_name(fn);
	g.pr->file = file;
	g.pr->nparams = fn->nparams;
	g.pr->variadic = fn->variadic;
	g.pr->nups = fn->nups;
	machine_add_proto(p->m, g.pr);
	g.pr->ups = calloc(fn->nups + 1, sizeof(*g.pr->ups));
	if (!g.pr->ups || !g.pr->name) {
		gen_fail(&g, "out of memory");
		return NULL;
	}
	prologue(&g);
	if (fn->parent)
		gen_block(&g, fn->body);
	else
		hoist(&g, fn->body);
	epilogue(&g);
	/* A native's results may be as many, wherever it is called. */
	g.pr->nregs += RESULTS_MAX + 1;
	return g.pr;
}

/* The places of a new closure's boxes, in the function that makes it. */
static void find_ups(struct gen *g, struct func *fn, struct proto *pr)
{
	for (uint32_t i = 0; i < fn->nups; i++) {
		struct var *v = fn->ups[i];
		struct up *up = &pr->ups[i];

		if (v->owner == g->fn) {
			up->index = (uint16_t)v->reg;
			continue;
		}
		up->from_up = true;
		for (uint32_t j = 0; j < g->fn->nups; j++)
			if (g->fn->ups[j] == v)
				up->index = (uint16_t)j;
	}
}

void gen_function(struct gen *g, struct node *n, int reg)
{
	struct proto *outer = g->pr;
	struct proto *pr = function(g, g->p, n->fn, outer->file);

	if (!pr || g->p->failed ||
	    !grow(g, &outer->funcs, outer->nfuncs, &g->func_cap, sizeof(pr)))
		return;
	find_ups(g, n->fn, pr);
	outer->funcs[outer->nfuncs] = pr;
	(void)gen_emit_d(g, OP_FUNC, reg, (int32_t)outer->nfuncs++);
}

struct proto *gen(struct parser *p, struct func *fn, char *file)
{
	struct proto *pr = function(NULL, p, fn, file);

	return p->failed ? NULL : pr;
}

void proto_free(struct proto *pr)
{
	free(pr->name);
	free(pr->code);
	free(pr->at);
	free(pr->consts);
	free(pr->funcs);
	free(pr->ups);
	free(pr);
}
