/* SPDX-License-Identifier: MIT */
/* parse_stmt.c - statements. */

#include <string.h>

#include "ast.h"
#include "globals.h"

/* Puts the lexer back to where `was` was made; its buffer may have moved. */
static void rewind_to(struct parser *p, const struct lex *was)
{
	char *str = p->lx.str;
	size_t cap = p->lx.str_cap;

	p->lx = *was;
	p->lx.str = str;
	p->lx.str_cap = cap;
}

static enum token token_after(struct parser *p)
{
	struct lex was = p->lx;
	enum token t;

	lex_next(&p->lx);
	t = p->lx.tok;
	rewind_to(p, &was);
	return t;
}

/* Are names and a := next? */
static bool defines(struct parser *p)
{
	struct lex was = p->lx;
	bool yes = false;

	while (p->lx.tok == T_IDENT) {
		lex_next(&p->lx);
		yes = p->lx.tok == T_DEFINE;
		if (p->lx.tok != T_COMMA)
			break;
		lex_next(&p->lx);
	}
	rewind_to(p, &was);
	return yes;
}

static struct node *expressions(struct parser *p)
{
	struct node *n = parse_node(p, N_ARRAY, p->lx.at);

	do
		parse_append(p, n, parse_expr(p));
	while (parse_accept(p, T_COMMA));
	return n;
}

/* A name to be defined, not yet to be seen; *fresh: it is new here. */
static struct node *new_name(struct parser *p, bool *fresh)
{
	const char *name = p->lx.text;
	size_t len = p->lx.len;
	struct at at = p->lx.at;
	struct node *n;
	struct var *v;

	if (p->lx.tok != T_IDENT) {
		parse_expect(p, T_IDENT);
		return parse_node(p, N_NIL, at);
	}
	if (scope_is_top(p) && (len != 1 || name[0] != '_')) {
		*fresh |= !globals_pending(p->m, name, len);
		n = scope_define_global(p, name, len, at);
	} else {
		n = parse_node(p, N_LOCAL, at);
		v = scope_find_here(p, name, len);
		if (!v || v->fresh) {
			v = scope_declare(p, name, len, at);
			v->fresh = n->define = *fresh = true;
		}
		n->var = v;
	}
	parse_next(p);
	return n;
}

static void end_names(struct node *n)
{
	for (struct node *t = n->list; t; t = t->next)
		if (t->define)
			t->var->fresh = false;
}

/* Names, then := or, of `var`, perhaps =. */
static struct node *define(struct parser *p, bool var, bool for_header)
{
	struct node *n = parse_node(p, N_VAR, p->lx.at);
	struct at at;
	bool fresh = var;

	n->define = true;
	do
		parse_append(p, n, new_name(p, &fresh));
	while (parse_accept(p, T_COMMA));
	at = p->lx.at;
	if (parse_accept(p, var ? T_ASSIGN : T_DEFINE)) {
		if (for_header && parse_accept(p, T_RANGE)) {
			n->kind = N_RANGE;
			n->b = parse_adopt(p, n, parse_expr(p));
		} else {
			n->b = parse_adopt(p, n, expressions(p));
		}
	}
	if (!fresh)
		parse_fail(p, at, "no new variables on the left of :=");
	if (!p->failed)
		end_names(n);
	return n;
}

static bool is_target(const struct node *n)
{
	return n->kind == N_LOCAL || n->kind == N_UP || n->kind == N_GLOBAL ||
	       n->kind == N_INDEX;
}

static void check_targets(struct parser *p, const struct node *list)
{
	for (const struct node *n = list; n && !p->failed; n = n->next)
		if (!is_target(n))
			parse_fail(p, n->at, "cannot assign to this");
}

static struct node *assign(
    struct parser *p, struct node *left, struct at at, bool for_header)
{
	struct node *n = parse_node(p, N_VAR, at);

	check_targets(p, left->list);
	parse_next(p);
	n->list = left->list;
	n->count = left->count;
	(void)parse_adopt(p, n, left);
	if (for_header && parse_accept(p, T_RANGE)) {
		n->kind = N_RANGE;
		n->b = parse_adopt(p, n, parse_expr(p));
	} else {
		n->b = parse_adopt(p, n, expressions(p));
	}
	return n;
}

static struct node *op_assign(
    struct parser *p, struct node *left, enum token op, struct at at)
{
	struct node *n = parse_node(p, N_OPASSIGN, at);
	enum token t = p->lx.tok;

	check_targets(p, left);
	n->op = (uint8_t)op;
	n->a = parse_adopt(p, n, left);
	parse_next(p);
	if (t == T_OPASSIGN) {
		n->b = parse_adopt(p, n, parse_expr(p));
	} else {
		n->b = parse_node(p, N_INT, at);
		n->b->num = 1;
	}
	return n;
}

/* `_` as a target of an assignment: a name that is not resolved. */
static bool blank_first(struct parser *p)
{
	return p->lx.tok == T_IDENT && p->lx.len == 1 && p->lx.text[0] == '_';
}

static struct node *targets(struct parser *p)
{
	struct node *n = parse_node(p, N_ARRAY, p->lx.at), *blank;

	do {
		if (blank_first(p)) {
			blank = parse_node(p, N_LOCAL, p->lx.at);
			parse_append(p, n, blank);
			parse_next(p);
			if (p->lx.tok != T_COMMA && p->lx.tok != T_ASSIGN)
				parse_fail(p, blank->at, "_ has no value");
		} else {
			parse_append(p, n, parse_expr(p));
		}
	} while (parse_accept(p, T_COMMA));
	return n;
}

struct node *parse_simple(struct parser *p, bool for_header)
{
	struct node *left, *n;
	struct at at;

	if (defines(p))
		return define(p, false, for_header);
	left = targets(p);
	at = p->lx.at;
	if (p->lx.tok == T_ASSIGN)
		return assign(p, left, at, for_header);
	if (left->count > 1) {
		parse_expect(p, T_ASSIGN);
		return left;
	}
	switch (p->lx.tok) {
	case T_OPASSIGN:
		return op_assign(p, left->list, p->lx.op, at);
	case T_INC:
		return op_assign(p, left->list, T_ADD, at);
	case T_DEC:
		return op_assign(p, left->list, T_SUB, at);
	case T_ARROW:
		n = parse_node(p, N_SEND, at);
		parse_next(p);
		n->a = parse_adopt(p, n, left->list);
		n->b = parse_adopt(p, n, parse_expr(p));
		return n;
	default:
		n = parse_node(p, N_EXPR, left->at);
		n->a = parse_adopt(p, n, left->list);
		return n;
	}
}

static struct node *expression_of(struct parser *p, struct node *simple)
{
	if (simple->kind == N_EXPR)
		return simple->a;
	parse_fail(p, simple->at, "want an expression here");
	return simple;
}

static void statements(struct parser *p, struct node *n)
{
	while (p->lx.tok != T_RBRACE && p->lx.tok != T_CASE &&
	       p->lx.tok != T_DEFAULT && p->lx.tok != T_EOF) {
		if (parse_accept(p, T_SEMI))
			continue;
		parse_append(p, n, parse_statement(p));
		if (p->lx.tok != T_RBRACE && p->lx.tok != T_EOF)
			parse_expect(p, T_SEMI);
	}
}

struct node *parse_block(struct parser *p)
{
	struct node *n = parse_node(p, N_BLOCK, p->lx.at);

	parse_expect(p, T_LBRACE);
	scope_open(p);
	statements(p, n);
	scope_close(p);
	parse_expect(p, T_RBRACE);
	return n;
}

/* Of if and switch: "init; value", both optional as the caller says. */
static void header(struct parser *p, struct node *n)
{
	struct node *s = NULL;

	if (p->lx.tok != T_SEMI)
		s = parse_simple(p, false);
	if (parse_accept(p, T_SEMI)) {
		n->a = parse_adopt(p, n, s);
		s = p->lx.tok == T_LBRACE ? NULL : parse_simple(p, false);
	}
	if (s)
		n->b = parse_adopt(p, n, expression_of(p, s));
}

static struct node *if_statement(struct parser *p)
{
	struct node *n = parse_node(p, N_IF, p->lx.at);

	parse_next(p);
	scope_open(p);
	header(p, n);
	if (!n->b)
		parse_fail(p, p->lx.at, "an if has no condition");
	n->c = parse_adopt(p, n, parse_block(p));
	if (parse_accept(p, T_ELSE)) {
		if (p->lx.tok == T_IF && parse_enter(p)) {
			n->d = parse_adopt(p, n, if_statement(p));
			parse_leave(p);
		} else {
			n->d = parse_adopt(p, n, parse_block(p));
		}
	}
	scope_close(p);
	return n;
}

static struct node *for_clauses(
    struct parser *p, struct node *n, struct node *init)
{
	n->a = parse_adopt(p, n, init);
	n->var = p->fn->scope;
	n->num = p->fn->depth;
	parse_expect(p, T_SEMI);
	if (p->lx.tok != T_SEMI)
		n->b =
		    parse_adopt(p, n, expression_of(p, parse_simple(p, false)));
	parse_expect(p, T_SEMI);
	if (p->lx.tok != T_LBRACE)
		n->c = parse_adopt(p, n, parse_simple(p, false));
	return n;
}

static struct node *for_statement(struct parser *p)
{
	struct node *n = parse_node(p, N_FOR, p->lx.at), *s = NULL;

	parse_next(p);
	scope_open(p);
	if (parse_accept(p, T_RANGE)) {
		n->kind = N_RANGE;
		n->b = parse_adopt(p, n, parse_expr(p));
	} else if (p->lx.tok != T_LBRACE) {
		if (p->lx.tok != T_SEMI)
			s = parse_simple(p, true);
		if (s && s->kind == N_RANGE) {
			n = s;
			if (n->count > 2)
				parse_fail(p, n->at, "range gives two values");
		} else if (p->lx.tok == T_SEMI) {
			n = for_clauses(p, n, s);
		} else if (s) {
			n->b = parse_adopt(p, n, expression_of(p, s));
		}
	}
	n->d = parse_adopt(p, n, parse_block(p));
	scope_close(p);
	return n;
}

static void case_body(struct parser *p, struct node *n)
{
	struct node *body = parse_node(p, N_BLOCK, p->lx.at);

	parse_expect(p, T_COLON);
	statements(p, body);
	n->c = parse_adopt(p, n, body);
	scope_close(p);
}

static void communication(struct parser *p, struct node *n)
{
	struct node *s = parse_simple(p, false), *from = NULL;

	n->a = parse_adopt(p, n, s);
	if (p->failed || s->kind == N_SEND)
		return;
	if (s->kind == N_EXPR)
		from = s->a;
	else if (s->kind == N_VAR && s->b && s->b->count == 1 && s->count < 3)
		from = s->b->list;
	if (!from || from->kind != N_RECV)
		parse_fail(p, s->at, "a case of select sends or receives");
}

static struct node *cases(struct parser *p, struct node *n)
{
	struct node *c;
	bool other = false;

	parse_expect(p, T_LBRACE);
	while (p->lx.tok != T_RBRACE && !p->failed) {
		if (parse_accept(p, T_SEMI))
			continue;
		c = parse_node(p, N_CASE, p->lx.at);
		scope_open(p);
		if (parse_accept(p, T_DEFAULT)) {
			if (other)
				parse_fail(p, c->at, "a second default");
			other = true;
		} else {
			parse_expect(p, T_CASE);
			if (n->kind == N_SELECT)
				communication(p, c);
			else
				c->b = parse_adopt(p, c, expressions(p));
		}
		case_body(p, c);
		parse_append(p, n, c);
	}
	parse_expect(p, T_RBRACE);
	return n;
}

static struct node *switch_statement(struct parser *p)
{
	struct node *n = parse_node(p, N_SWITCH, p->lx.at);

	parse_next(p);
	scope_open(p);
	if (p->lx.tok != T_LBRACE)
		header(p, n);
	(void)cases(p, n);
	scope_close(p);
	return n;
}

static struct node *call_statement(struct parser *p, enum node_kind kind)
{
	struct node *n = parse_node(p, kind, p->lx.at);

	if (kind == N_DEFER)
		p->fn->defers = true;
	parse_next(p);
	n->a = parse_adopt(p, n, parse_expr(p));
	if (n->a->kind != N_CALL)
		parse_fail(
		    p, n->at, "%s wants a call", kind == N_GO ? "go" : "defer");
	return n;
}

static struct node *function_statement(struct parser *p)
{
	struct node *n = parse_node(p, N_VAR, p->lx.at);
	struct node *values = parse_node(p, N_ARRAY, p->lx.at);
	const char *name;
	size_t len;
	bool fresh = true;

	parse_next(p);
	name = p->lx.text;
	len = p->lx.len;
	n->op = scope_is_top(p); /* hoisted */
	n->define = true;
	parse_append(p, n, new_name(p, &fresh));
	end_names(n);
	parse_append(p, values, parse_function(p, name, len, n->at));
	n->b = parse_adopt(p, n, values);
	return n;
}

static struct node *return_statement(struct parser *p)
{
	struct node *n = parse_node(p, N_RETURN, p->lx.at), *list;

	parse_next(p);
	if (p->lx.tok == T_SEMI || p->lx.tok == T_RBRACE || p->lx.tok == T_EOF)
		return n;
	list = expressions(p);
	list->kind = N_RETURN;
	list->at = n->at;
	return list;
}

static struct node *word(struct parser *p, enum node_kind kind)
{
	struct node *n = parse_node(p, kind, p->lx.at);

	parse_next(p);
	return n;
}

static struct node *statement(struct parser *p)
{
	switch (p->lx.tok) {
	case T_VAR:
		parse_next(p);
		return define(p, true, false);
	case T_FUNC:
		if (token_after(p) == T_IDENT)
			return function_statement(p);
		return parse_simple(p, false);
	case T_LBRACE:
		return parse_block(p);
	case T_IF:
		return if_statement(p);
	case T_FOR:
		return for_statement(p);
	case T_SWITCH:
		return switch_statement(p);
	case T_SELECT:
		return cases(p, word(p, N_SELECT));
	case T_GO:
		return call_statement(p, N_GO);
	case T_DEFER:
		return call_statement(p, N_DEFER);
	case T_RETURN:
		return return_statement(p);
	case T_BREAK:
		return word(p, N_BREAK);
	case T_CONTINUE:
		return word(p, N_CONTINUE);
	default:
		return parse_simple(p, false);
	}
}

struct node *parse_statement(struct parser *p)
{
	struct node *n;

	if (!parse_enter(p))
		return parse_node(p, N_NIL, p->lx.at);
	n = statement(p);
	parse_leave(p);
	return n;
}

struct func *parse(struct parser *p)
{
	struct func *fn = scope_function(p, "script", 6);

	fn->at = (struct at){ 1, 1 };
	parse_next(p);
	fn->body = parse_node(p, N_BLOCK, fn->at);
	while (p->lx.tok != T_EOF) {
		if (parse_accept(p, T_SEMI))
			continue;
		parse_append(p, fn->body, parse_statement(p));
		if (p->lx.tok != T_EOF)
			parse_expect(p, T_SEMI);
	}
	fn->end = p->lx.at;
	return p->failed ? NULL : fn;
}
