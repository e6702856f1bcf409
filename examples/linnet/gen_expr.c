/* SPDX-License-Identifier: MIT */
/* gen_expr.c - code of expressions. */

#include "gen.h"

/* A variable that lies in a register as it is. */
static bool is_plain(const struct node *n)
{
	return n->kind == N_LOCAL && n->var && !n->var->captured;
}

int gen_any(struct gen *g, struct node *n)
{
	if (is_plain(n))
		return n->var->reg;
	return gen_next(g, n);
}

int gen_next(struct gen *g, struct node *n)
{
	int reg = gen_push(g, 1);

	gen_to(g, n, reg);
	return reg;
}

static void number(struct gen *g, int64_t num, int reg)
{
	if (num == (int32_t)num)
		gen_emit_d(g, OP_INT, reg, (int32_t)num);
	else
		gen_emit_d(g, OP_CONST, reg, gen_const(g, from_int(num)));
}

/* Does it fit an instruction's 16 bits? */
static bool is_small(const struct node *n)
{
	return n->kind == N_INT && n->num >= -30000 && n->num <= 30000;
}

void gen_binary(struct gen *g, enum token op, int to, int a, int b)
{
	static const uint8_t ops[BINARY_LAST + 1] = {
		[T_ADD] = OP_ADD,
		[T_SUB] = OP_SUB,
		[T_MUL] = OP_MUL,
		[T_DIV] = OP_DIV,
		[T_MOD] = OP_MOD,
		[T_AND] = OP_AND,
		[T_OR] = OP_OR,
		[T_XOR] = OP_XOR,
		[T_SHL] = OP_SHL,
		[T_SHR] = OP_SHR,
		[T_ANDNOT] = OP_ANDNOT,
		[T_EQ] = OP_EQ,
		[T_NE] = OP_NE,
		[T_LT] = OP_LT,
		[T_LE] = OP_LE,
	};

	if (op == T_GT)
		gen_emit(g, OP_LT, to, b, a);
	else if (op == T_GE)
		gen_emit(g, OP_LE, to, b, a);
	else
		gen_emit(g, (enum op)ops[op], to, a, b);
}

/* && and ||: the variable that is assigned to may be an operand. */
static void logic(struct gen *g, struct node *n, int reg)
{
	bool is_and = n->op == T_ANDAND;
	int t = gen_next(g, n->a);
	jumps out;

	g->at = n->at;
	out = gen_jump(g, is_and ? OP_JF : OP_JT, t, NO_JUMPS);
	gen_to(g, n->b, t);
	g->at = n->at;
	/* The right side has to be a truth value, too. */
	gen_emit(g, OP_NOT, t, t, 0);
	gen_emit(g, OP_NOT, t, t, 0);
	gen_land(g, out);
	gen_emit(g, OP_MOVE, reg, t, 0);
}

static void binary(struct gen *g, struct node *n, int reg)
{
	int a, b;

	if (n->op == T_ANDAND || n->op == T_OROR) {
		logic(g, n, reg);
		return;
	}
	a = gen_any(g, n->a);
	if ((n->op == T_ADD || n->op == T_SUB) && is_small(n->b)) {
		g->at = n->at;
		gen_emit(g, OP_ADDI, reg, a,
		    (int)(n->op == T_ADD ? n->b->num : -n->b->num));
		return;
	}
	b = gen_any(g, n->b);
	g->at = n->at;
	gen_binary(g, (enum token)n->op, reg, a, b);
}

static void unary(struct gen *g, struct node *n, int reg)
{
	int a = gen_any(g, n->a);

	g->at = n->at;
	if (n->op == T_ADD)
		gen_emit(g, OP_ADDI, reg, a, 0);
	else
		gen_emit(g,
		    n->op == T_SUB   ? OP_NEG
		    : n->op == T_NOT ? OP_NOT
				     : OP_INV,
		    reg, a, 0);
}

static void element(struct gen *g, struct node *n, int reg)
{
	int a = gen_any(g, n->a), b;

	if (n->b->kind == N_STR &&
	    (b = gen_string(g, n->b->text, n->b->len)) < MANY) {
		g->at = n->at;
		gen_emit(g, OP_FIELD, reg, a, b);
		return;
	}
	b = gen_any(g, n->b);
	g->at = n->at;
	gen_emit(g, OP_INDEX, reg, a, b);
}

static void slice(struct gen *g, struct node *n, int reg)
{
	int a = gen_any(g, n->a), b = gen_push(g, 2);

	if (n->b)
		gen_to(g, n->b, b);
	else
		gen_emit(g, OP_NIL, b, 0, 0);
	if (n->c)
		gen_to(g, n->c, b + 1);
	else
		gen_emit(g, OP_NIL, b + 1, 0, 0);
	g->at = n->at;
	gen_emit(g, OP_SLICE, reg, a, b);
}

/* Some elements at a time, so that a long literal needs few registers. */
static void array(struct gen *g, struct node *n, int reg)
{
	enum { AT_ONCE = 32 };
	int to = gen_push(g, 1), first = g->top, count = 0;
	int32_t done = 0;

	gen_emit_d(g, OP_ARRAY, to, (int32_t)n->count);
	for (struct node *e = n->list; e; e = e->next) {
		gen_next(g, e);
		if (++count < AT_ONCE && e->next)
			continue;
		g->at = n->at;
		gen_emit(g, OP_FILL, to, first, count);
		gen_emit_d(g, OP_DATA, 0, done);
		done += count;
		count = 0;
		g->top = first;
	}
	gen_emit(g, OP_MOVE, reg, to, 0);
}

static void map(struct gen *g, struct node *n, int reg)
{
	int to = gen_push(g, 1), top = g->top, key, val;

	gen_emit(g, OP_MAP, to, 0, 0);
	for (struct node *e = n->list; e && e->next; e = e->next->next) {
		key = gen_any(g, e);
		val = gen_any(g, e->next);
		g->at = e->at;
		gen_emit(g, OP_SETINDEX, to, key, val);
		g->top = top;
	}
	gen_emit(g, OP_MOVE, reg, to, 0);
}

int gen_callee(struct gen *g, struct node *n, int *args)
{
	int base = gen_next(g, n->a);

	*args = (int)n->count;
	if (n->count > ARGS_MAX)
		gen_fail(g, "too many arguments");
	if (n->count == 1 && n->list->kind == N_CALL && !n->op) {
		(void)gen_call(g, n->list, MANY);
		*args = MANY;
	} else {
		for (struct node *e = n->list; e; e = e->next)
			gen_next(g, e);
	}
	g->at = n->at;
	return base;
}

int gen_call(struct gen *g, struct node *n, int want)
{
	int args, base = gen_callee(g, n, &args);
	int32_t at = gen_emit(g, OP_CALL, base, args, want);

	gen_set_x(g, at, n->op);
	g->top = base;
	gen_push(g, want == MANY ? 1 : want);
	return base;
}

void gen_to(struct gen *g, struct node *n, int reg)
{
	int top = g->top, t;

	g->at = n->at;
	switch (n->kind) {
	case N_NIL:
		gen_emit(g, OP_NIL, reg, 0, 0);
		break;
	case N_BOOL:
		gen_set_x(g, gen_emit(g, OP_BOOL, reg, 0, 0), (int)n->num);
		break;
	case N_INT:
		number(g, n->num, reg);
		break;
	case N_STR:
		gen_emit_d(g, OP_CONST, reg, gen_string(g, n->text, n->len));
		break;
	case N_LOCAL:
		gen_emit(g, n->var->captured ? OP_GETBOX : OP_MOVE, reg,
		    n->var->reg, 0);
		break;
	case N_UP:
		gen_emit_d(g, OP_GETUP, reg, (int32_t)n->num);
		break;
	case N_GLOBAL:
		gen_emit_d(g, OP_GETG, reg, (int32_t)n->num);
		break;
	case N_FUNC:
		gen_function(g, n, reg);
		break;
	case N_CALL:
		t = gen_call(g, n, 1);
		gen_emit(g, OP_MOVE, reg, t, 0);
		break;
	case N_INDEX:
		element(g, n, reg);
		break;
	case N_SLICE:
		slice(g, n, reg);
		break;
	case N_ARRAY:
		array(g, n, reg);
		break;
	case N_MAP:
		map(g, n, reg);
		break;
	case N_UNARY:
		unary(g, n, reg);
		break;
	case N_RECV:
		t = gen_any(g, n->a);
		g->at = n->at;
		gen_emit(g, OP_RECV, reg, t, 0);
		break;
	default:
		binary(g, n, reg);
		break;
	}
	g->top = top;
}

/* A test and the jump that it guards: taken if the comparison is `sense`. */
static jumps test(
    struct gen *g, enum op op, int a, int b, bool sense, jumps list)
{
	gen_set_x(g, gen_emit(g, op, a, b, 0), sense);
	return gen_jump(g, OP_JMP, 0, list);
}

static jumps compare(struct gen *g, struct node *n, bool sense, jumps list)
{
	static const uint8_t small[] = { [T_EQ] = OP_TEQI,
		[T_NE] = OP_TEQI,
		[T_LT] = OP_TLTI,
		[T_LE] = OP_TLEI,
		[T_GT] = OP_TGTI,
		[T_GE] = OP_TGEI };
	int a = gen_any(g, n->a), b;

	if (n->op == T_NE)
		sense = !sense;
	if (is_small(n->b)) {
		g->at = n->at;
		return test(
		    g, (enum op)small[n->op], a, (int)n->b->num, sense, list);
	}
	b = gen_any(g, n->b);
	g->at = n->at;
	switch (n->op) {
	case T_LT:
		return test(g, OP_TLT, a, b, sense, list);
	case T_LE:
		return test(g, OP_TLE, a, b, sense, list);
	case T_GT:
		return test(g, OP_TLT, b, a, sense, list);
	case T_GE:
		return test(g, OP_TLE, b, a, sense, list);
	default:
		return test(g, OP_TEQ, a, b, sense, list);
	}
}

jumps gen_condition(struct gen *g, struct node *n, bool sense, jumps list)
{
	int top = g->top, reg;
	jumps past;

	if (n->kind == N_UNARY && n->op == T_NOT)
		return gen_condition(g, n->a, !sense, list);
	if (n->kind == N_BINARY && n->op >= T_EQ && n->op <= T_GE) {
		list = compare(g, n, sense, list);
	} else if (n->kind == N_BINARY && n->op <= T_ANDAND) {
		if ((n->op == T_OROR) == sense) {
			list = gen_condition(g, n->a, sense, list);
			list = gen_condition(g, n->b, sense, list);
		} else {
			past = gen_condition(g, n->a, !sense, NO_JUMPS);
			list = gen_condition(g, n->b, sense, list);
			gen_land(g, past);
		}
	} else {
		reg = gen_any(g, n);
		g->at = n->at;
		list = gen_jump(g, sense ? OP_JT : OP_JF, reg, list);
	}
	g->top = top;
	return list;
}
