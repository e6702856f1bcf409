/* SPDX-License-Identifier: MIT */
/* gen_stmt.c - code of statements. */

#include "gen.h"
#include "machine.h"

/* An element's array and index, before the values are worked out. */
static void prepare(struct gen *g, struct node *t)
{
	if (t->kind != N_INDEX)
		return;
	t->num = gen_next(g, t->a);
	t->len = (size_t)gen_next(g, t->b);
}

void gen_store(struct gen *g, struct node *t, int reg)
{
	g->at = t->at;
	switch (t->kind) {
	case N_LOCAL:
		if (t->var && t->var->captured)
			gen_emit(g, OP_SETBOX, t->var->reg, reg, 0);
		else if (t->var)
			gen_emit(g, OP_MOVE, t->var->reg, reg, 0);
		break;
	case N_UP:
		gen_emit_d(g, OP_SETUP, reg, (int32_t)t->num);
		break;
	case N_GLOBAL:
		gen_emit_d(g, OP_SETG, reg, (int32_t)t->num);
		break;
	case N_INDEX:
		gen_emit(g, OP_SETINDEX, (int)t->num, (int)t->len, reg);
		break;
	default:
		break;
	}
}

/* Two values: an element, or what is received, and whether it was there. */
static void two_values(struct gen *g, struct node *n)
{
	int base = gen_push(g, 2), a = gen_any(g, n->a), b;

	if (n->kind == N_RECV) {
		g->at = n->at;
		gen_set_x(g, gen_emit(g, OP_RECV, base, a, 0), 1);
	} else {
		b = gen_any(g, n->b);
		g->at = n->at;
		gen_emit(g, OP_INDEXOK, base, a, b);
	}
	g->top = base + 2;
}

/* As many values as are wanted, from the top on. */
static int values(struct gen *g, struct node *list, uint32_t want)
{
	struct node *n = list->list;
	int base = g->top;

	if (list->count == want) {
		for (; n; n = n->next)
			gen_next(g, n);
	} else if (list->count == 1 && n->kind == N_CALL && want <= ARGS_MAX) {
		(void)gen_call(g, n, (int)want);
	} else if (list->count == 1 && want == 2 &&
		   (n->kind == N_INDEX || n->kind == N_RECV)) {
		two_values(g, n);
	} else {
		g->at = list->at;
		parse_fail(g->p, g->at, "%u value%s for %u variable%s",
		    list->count, list->count == 1 ? "" : "s", want,
		    want == 1 ? "" : "s");
	}
	return base;
}

static void define(struct gen *g, struct node *n)
{
	int base = g->top, i = 0;
	bool any = false;

	if (n->b) {
		(void)values(g, n->b, n->count);
	} else {
		for (uint32_t k = 0; k < n->count; k++)
			gen_emit(g, OP_NIL, gen_push(g, 1), 0, 0);
	}
	for (struct node *t = n->list; t; t = t->next, i++) {
		if (!t->define) {
			gen_store(g, t, base + i);
			continue;
		}
		any = true;
		t->var->reg = base + i;
		g->at = t->at;
		gen_declare(g, t->var, base + i);
	}
	if (!any)
		g->top = base;
}

/* A function that may call itself: its variable is there before it. */
static void define_function(struct gen *g, struct node *n)
{
	struct var *v = n->list->var;
	int reg = gen_push(g, 1), t;

	v->reg = reg;
	if (!v->captured) {
		gen_to(g, n->b->list, reg);
		return;
	}
	gen_emit(g, OP_NIL, reg, 0, 0);
	gen_declare(g, v, reg);
	t = gen_next(g, n->b->list);
	gen_emit(g, OP_SETBOX, reg, t, 0);
	g->top = reg + 1;
}

static void variables(struct gen *g, struct node *n)
{
	struct node *t = n->list;
	int top = g->top, base, i = 0;

	if (n->define) {
		if (t->define && n->b && n->count == 1 &&
		    n->b->list->kind == N_FUNC)
			define_function(g, n);
		else
			define(g, n);
		return;
	}
	if (n->count == 1 && n->b->count == 1) {
		if (t->kind == N_LOCAL && t->var && !t->var->captured) {
			gen_to(g, n->b->list, t->var->reg);
			return;
		}
		prepare(g, t);
		gen_store(g, t, gen_any(g, n->b->list));
		g->top = top;
		return;
	}
	for (; t; t = t->next)
		prepare(g, t);
	base = values(g, n->b, n->count);
	for (t = n->list; t; t = t->next)
		gen_store(g, t, base + i++);
	g->top = top;
}

static void op_assign(struct gen *g, struct node *n)
{
	struct node sum = {
		.kind = N_BINARY, .op = n->op, .at = n->at, .a = n->a, .b = n->b
	};
	int top = g->top, to, b;

	if (n->a->kind != N_INDEX) {
		if (n->a->kind == N_LOCAL && n->a->var && !n->a->var->captured)
			gen_to(g, &sum, n->a->var->reg);
		else
			gen_store(g, n->a, gen_next(g, &sum));
		g->top = top;
		return;
	}
	prepare(g, n->a);
	to = gen_push(g, 1);
	g->at = n->at;
	gen_emit(g, OP_INDEX, to, (int)n->a->num, (int)n->a->len);
	b = gen_any(g, n->b);
	g->at = n->at;
	gen_binary(g, (enum token)n->op, to, to, b);
	gen_store(g, n->a, to);
	g->top = top;
}

void gen_block(struct gen *g, struct node *n)
{
	int top = g->top;

	for (struct node *s = n->list; s; s = s->next)
		gen_statement(g, s);
	g->top = top;
}

static void if_statement(struct gen *g, struct node *n)
{
	jumps other, out;
	int top = g->top;

	if (n->a)
		gen_statement(g, n->a);
	other = gen_condition(g, n->b, false, NO_JUMPS);
	gen_block(g, n->c);
	if (n->d) {
		out = gen_jump(g, OP_JMP, 0, NO_JUMPS);
		gen_land(g, other);
		gen_statement(g, n->d);
		other = out;
	}
	gen_land(g, other);
	g->top = top;
}

static void enter(struct gen *g, struct target *t, bool loop)
{
	t->outer = g->target;
	t->loop = loop;
	t->breaks = t->continues = NO_JUMPS;
	g->target = t;
}

static void leave(struct gen *g, struct target *t)
{
	gen_land(g, t->breaks);
	g->target = t->outer;
}

/* Each turn has loop variables of its own, if a closure captures them. */
static void renew(struct gen *g, struct node *n)
{
	int t = gen_push(g, 1);

	for (struct var *v = n->var; v && v->depth == n->num; v = v->outer)
		if (v->captured) {
			gen_emit(g, OP_GETBOX, t, v->reg, 0);
			gen_emit(g, OP_BOX, v->reg, t, 0);
		}
	g->top = t;
}

static void for_statement(struct gen *g, struct node *n)
{
	struct target t;
	jumps out = NO_JUMPS;
	int top = g->top;
	int32_t again;

	if (n->a)
		gen_statement(g, n->a);
	enter(g, &t, true);
	again = gen_here(g);
	if (n->b)
		out = gen_condition(g, n->b, false, NO_JUMPS);
	gen_block(g, n->d);
	gen_land(g, t.continues);
	if (n->a)
		renew(g, n);
	if (n->c)
		gen_statement(g, n->c);
	g->at = n->at;
	gen_jump_back(g, again);
	gen_land(g, out);
	leave(g, &t);
	g->top = top;
}

static void range_statement(struct gen *g, struct node *n)
{
	struct node *key = n->list, *val = key ? key->next : NULL;
	int top = g->top, state = gen_push(g, 3), of, kv;
	struct target t;
	jumps out;
	int32_t again;

	of = gen_any(g, n->b);
	g->at = n->at;
	gen_emit(g, OP_RANGE, state, of, 0);
	g->top = state + 3;
	enter(g, &t, true);
	again = gen_here(g);
	kv = gen_push(g, 2);
	g->at = n->at;
	gen_set_x(g, gen_emit(g, OP_NEXT, state, kv, 0), (int)n->count);
	out = gen_jump(g, OP_JMP, 0, NO_JUMPS);
	for (int i = 0; key; key = i++ == 0 ? val : NULL) {
		if (key->define) {
			key->var->reg = kv + i;
			gen_declare(g, key->var, kv + i);
		} else {
			prepare(g, key);
			gen_store(g, key, kv + i);
			g->top = kv + 2;
		}
	}
	gen_block(g, n->d);
	gen_land(g, t.continues);
	g->at = n->at;
	gen_jump_back(g, again);
	gen_land(g, out);
	leave(g, &t);
	g->top = top;
}

/* Jumps to a case's body. */
static void switch_tests(struct gen *g, struct node *n, struct node *c, int tag)
{
	int top = g->top, reg;

	for (struct node *e = c->b->list; e; e = e->next) {
		if (n->b) {
			reg = gen_any(g, e);
			g->at = e->at;
			gen_set_x(g, gen_emit(g, OP_TEQ, tag, reg, 0), 1);
			c->num = gen_jump(g, OP_JMP, 0, (jumps)c->num);
		} else {
			c->num = gen_condition(g, e, true, (jumps)c->num);
		}
		g->top = top;
	}
}

static void switch_statement(struct gen *g, struct node *n)
{
	struct node *other = NULL;
	struct target t;
	int top = g->top, tag = 0;
	jumps out;

	if (n->a)
		gen_statement(g, n->a);
	if (n->b)
		tag = gen_next(g, n->b);
	enter(g, &t, false);
	for (struct node *c = n->list; c; c = c->next) {
		c->num = NO_JUMPS;
		if (c->b)
			switch_tests(g, n, c, tag);
		else
			other = c;
	}
	out = gen_jump(g, OP_JMP, 0, NO_JUMPS);
	if (other)
		other->num = out;
	else
		t.breaks = out;
	for (struct node *c = n->list; c; c = c->next) {
		gen_land(g, (jumps)c->num);
		gen_block(g, c->c);
		if (c->next)
			t.breaks = gen_jump(g, OP_JMP, 0, t.breaks);
	}
	leave(g, &t);
	g->top = top;
}

/* The channel of a case, and what it sends. */
static void communication(struct gen *g, struct node *c)
{
	struct node *s = c->a;

	if (s->kind == N_SEND) {
		gen_next(g, s->a);
		gen_next(g, s->b);
		return;
	}
	gen_next(g, s->kind == N_EXPR ? s->a->a : s->b->list->a);
	gen_push(g, 1);
}

/* What a case has received, into its variables. */
static void received(struct gen *g, struct node *s, int base)
{
	int i = 0;

	if (s->kind != N_VAR)
		return;
	for (struct node *t = s->list; t; t = t->next, i++) {
		if (t->define) {
			t->var->reg = gen_push(g, 1);
			gen_declare(g, t->var, base + i);
		} else {
			int top = g->top;

			prepare(g, t);
			gen_store(g, t, base + i);
			g->top = top;
		}
	}
}

static void select_statement(struct gen *g, struct node *n)
{
	int top = g->top, base = gen_push(g, 2), count = 0;
	struct node *other = NULL;
	struct target t;
	int32_t at;

	for (struct node *c = n->list; c; c = c->next) {
		if (!c->a) {
			other = c;
			continue;
		}
		communication(g, c);
		count++;
	}
	g->at = n->at;
	at = gen_emit(g, OP_SELECT, base, base + 2, count);
	gen_set_x(g, at, other != NULL);
	enter(g, &t, false);
	for (struct node *c = n->list; c; c = c->next) {
		if (!c->a)
			continue;
		c->num = gen_jump(g, OP_CASE, 0, NO_JUMPS);
		gen_set_x(g, (int32_t)c->num, c->a->kind == N_SEND);
	}
	if (other)
		other->num = gen_jump(g, OP_CASE, 0, NO_JUMPS);
	for (struct node *c = n->list; c; c = c->next) {
		g->top = base + 2;
		gen_land(g, (jumps)c->num);
		if (c->a)
			received(g, c->a, base);
		gen_block(g, c->c);
		t.breaks = gen_jump(g, OP_JMP, 0, t.breaks);
	}
	leave(g, &t);
	g->top = top;
}

static void jump_out(struct gen *g, struct node *n)
{
	struct target *t = g->target;

	g->at = n->at;
	while (t && n->kind == N_CONTINUE && !t->loop)
		t = t->outer;
	if (!t) {
		gen_fail(g, n->kind == N_BREAK ? "break outside of a loop"
					       : "continue outside of a loop");
		return;
	}
	if (n->kind == N_BREAK)
		t->breaks = gen_jump(g, OP_JMP, 0, t->breaks);
	else
		t->continues = gen_jump(g, OP_JMP, 0, t->continues);
}

/* What the named results hold is returned, after what was deferred. */
static void return_named(struct gen *g, struct node *n)
{
	int top = g->top, base, i = 0;

	if (n->count > 0) {
		base = values(g, n, g->fn->nresults);
		for (struct node *r = g->fn->results; r; r = r->next)
			gen_store(g, r, base + i++);
		g->top = top;
	}
	g->at = n->at;
	if (g->fn->defers)
		gen_emit(g, OP_DEFERS, 0, 0, 0);
	for (struct node *r = g->fn->results; r; r = r->next)
		gen_next(g, r);
	gen_emit(g, OP_RET, top, (int)g->fn->nresults, 0);
	g->top = top;
}

void gen_return(struct gen *g, struct node *n)
{
	int base = g->top, count = (int)n->count;

	if (g->fn->results) {
		return_named(g, n);
		return;
	}
	if (n->count == 1 && n->list->kind == N_CALL) {
		(void)gen_call(g, n->list, MANY);
		count = MANY;
	} else {
		for (struct node *e = n->list; e; e = e->next)
			gen_next(g, e);
	}
	g->at = n->at;
	if (n->count > ARGS_MAX)
		gen_fail(g, "too many results");
	if (g->fn->defers) {
		if (count == MANY)
			gen_emit(g, OP_PACK, base, 0, 0);
		gen_emit(g, OP_DEFERS, 0, 0, 0);
		if (count == MANY)
			gen_emit(g, OP_UNPACK, base, 0, 0);
	}
	gen_emit(g, OP_RET, base, count, 0);
	g->top = base;
}

static void call_later(struct gen *g, struct node *n, enum op op)
{
	int args, base = gen_callee(g, n->a, &args);

	g->at = n->at;
	gen_set_x(g, gen_emit(g, op, base, args, 0), n->a->op);
	g->top = base;
}

/* In a conversation, what a line is worth is printed. */
static void show(struct gen *g, struct node *n)
{
	int base = gen_push(g, 1), args = 1;

	gen_emit_d(g, OP_GETG, base, machine_show(g->p->m));
	if (n->kind == N_CALL) {
		(void)gen_call(g, n, MANY);
		args = MANY;
	} else {
		gen_next(g, n);
	}
	gen_emit(g, OP_CALL, base, args, 0);
}

static void plain(struct gen *g, struct node *n)
{
	int top = g->top, a;

	if (n->kind == N_SEND) {
		a = gen_any(g, n->a);
		top = gen_any(g, n->b);
		g->at = n->at;
		gen_emit(g, OP_SEND, a, top, 0);
	} else if (!g->fn->parent && machine_show(g->p->m) >= 0) {
		show(g, n->a);
	} else if (n->a->kind == N_CALL) {
		(void)gen_call(g, n->a, 0);
	} else if (n->a->kind == N_RECV) {
		gen_next(g, n->a);
	} else if (n->a->kind == N_LOCAL && !n->a->var) {
		gen_fail(g, "_ has no value");
	} else {
		gen_fail(g, "a value that is not used");
	}
}

void gen_statement(struct gen *g, struct node *n)
{
	int top = g->top;

	g->at = n->at;
	switch (n->kind) {
	case N_VAR:
		variables(g, n);
		return; /* the registers of what it defined stay */
	case N_OPASSIGN:
		op_assign(g, n);
		break;
	case N_BLOCK:
		gen_block(g, n);
		break;
	case N_IF:
		if_statement(g, n);
		break;
	case N_FOR:
		for_statement(g, n);
		break;
	case N_RANGE:
		range_statement(g, n);
		break;
	case N_SWITCH:
		switch_statement(g, n);
		break;
	case N_SELECT:
		select_statement(g, n);
		break;
	case N_GO:
		call_later(g, n, OP_GO);
		break;
	case N_DEFER:
		call_later(g, n, OP_DEFER);
		break;
	case N_RETURN:
		gen_return(g, n);
		break;
	case N_BREAK:
	case N_CONTINUE:
		jump_out(g, n);
		break;
	default:
		plain(g, n);
		break;
	}
	g->top = top;
}
