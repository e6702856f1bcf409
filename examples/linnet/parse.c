/* SPDX-License-Identifier: MIT */
/*
 * parse.c - expressions, and functions.
 *
 * After the first error the lexer gives nothing but the end of the file, so
 * that every loop comes to its end.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ast.h"

void parse_fail(struct parser *p, struct at at, const char *fmt, ...)
{
	va_list ap;

	if (!p->failed) {
		va_start(ap, fmt);
		(void)vsnprintf(p->message, sizeof(p->message), fmt, ap);
		va_end(ap);
		p->where = at;
	}
	p->failed = true;
	p->lx.tok = T_EOF;
}

void parse_next(struct parser *p)
{
	if (p->failed)
		return;
	lex_next(&p->lx);
	if (p->lx.error)
		parse_fail(p, p->lx.at, "%s", p->lx.error);
}

bool parse_accept(struct parser *p, enum token t)
{
	if (p->lx.tok != t || p->failed)
		return false;
	parse_next(p);
	return true;
}

static void unexpected(struct parser *p, const char *wanted)
{
	const struct lex *lx = &p->lx;
	int len = (int)(lx->len < 40 ? lx->len : 40);

	if (lx->tok == T_IDENT)
		parse_fail(p, lx->at, "unexpected name %.*s, want %s", len,
		    lx->text, wanted);
	else if (lx->tok == T_SEMI && lx->text[0] == '\n')
		parse_fail(
		    p, lx->at, "unexpected end of line, want %s", wanted);
	else
		parse_fail(p, lx->at, "unexpected %s, want %s",
		    token_name(lx->tok), wanted);
}

void parse_expect(struct parser *p, enum token t)
{
	if (!parse_accept(p, t))
		unexpected(p, token_name(t));
}

bool parse_enter(struct parser *p)
{
	if (++p->nesting <= HEIGHT_MAX)
		return true;
	parse_fail(p, p->lx.at, "nested too deeply");
	return false;
}

void parse_leave(struct parser *p)
{
	p->nesting--;
}

struct node *parse_node(struct parser *p, enum node_kind kind, struct at at)
{
	struct node *n = arena_alloc(&p->arena, sizeof(*n));

	if (p->arena.failed)
		parse_fail(p, at, "out of memory");
	n->kind = (uint8_t)kind;
	n->at = at;
	return n;
}

struct node *parse_adopt(struct parser *p, struct node *n, struct node *child)
{
	if (child && child->height >= n->height)
		n->height = (uint16_t)(child->height + 1);
	if (n->height > HEIGHT_MAX)
		parse_fail(p, n->at, "nested too deeply");
	return child;
}

void parse_append(struct parser *p, struct node *n, struct node *child)
{
	(void)parse_adopt(p, n, child);
	if (n->last)
		n->last->next = child;
	else
		n->list = child;
	n->last = child;
	n->count++;
}

static char *copy(struct parser *p, const char *s, size_t n)
{
	char *to = arena_alloc(&p->arena, n + 1);

	if (p->arena.failed)
		parse_fail(p, p->lx.at, "out of memory");
	else if (n > 0)
		memcpy(to, s, n);
	return to;
}

static struct node *string(struct parser *p)
{
	struct node *n = parse_node(p, N_STR, p->lx.at);

	n->text = copy(p, p->lx.str, p->lx.str_len);
	n->len = p->lx.str_len;
	parse_next(p);
	return n;
}

/* Items up to `end`, which may follow a comma. */
static void items(struct parser *p, struct node *n, enum token end)
{
	while (p->lx.tok != end && !p->failed) {
		parse_append(p, n, parse_expr(p));
		if (n->kind == N_MAP) {
			parse_expect(p, T_COLON);
			parse_append(p, n, parse_expr(p));
		}
		if (n->kind == N_CALL && p->lx.tok == T_DOTS) {
			parse_next(p);
			n->op = 1;
			(void)parse_accept(p, T_COMMA);
			break;
		}
		if (!parse_accept(p, T_COMMA))
			break;
	}
	parse_expect(p, end);
}

static struct node *literal(struct parser *p, enum node_kind kind, int64_t num)
{
	struct node *n = parse_node(p, kind, p->lx.at);

	n->num = num;
	parse_next(p);
	return n;
}

static struct node *operand(struct parser *p)
{
	struct at at = p->lx.at;
	struct node *n;

	switch (p->lx.tok) {
	case T_NIL:
		return literal(p, N_NIL, 0);
	case T_TRUE:
	case T_FALSE:
		return literal(p, N_BOOL, p->lx.tok == T_TRUE);
	case T_INT:
		return literal(p, N_INT, p->lx.num);
	case T_STRING:
		return string(p);
	case T_IDENT:
		n = scope_use(p, p->lx.text, p->lx.len, at);
		parse_next(p);
		return n;
	case T_LPAREN:
		parse_next(p);
		n = parse_expr(p);
		parse_expect(p, T_RPAREN);
		return n;
	case T_LBRACK:
		n = literal(p, N_ARRAY, 0);
		items(p, n, T_RBRACK);
		return n;
	case T_MAP:
		n = literal(p, N_MAP, 0);
		parse_expect(p, T_LBRACE);
		items(p, n, T_RBRACE);
		return n;
	case T_FUNC:
		parse_next(p);
		return parse_function(p, "func", 4, at);
	default:
		unexpected(p, "an expression");
		return parse_node(p, N_NIL, at);
	}
}

static struct node *brackets(struct parser *p, struct node *of, struct at at)
{
	struct node *n = parse_node(p, N_INDEX, at);

	n->a = parse_adopt(p, n, of);
	if (p->lx.tok != T_COLON)
		n->b = parse_adopt(p, n, parse_expr(p));
	if (parse_accept(p, T_COLON)) {
		n->kind = N_SLICE;
		if (p->lx.tok != T_RBRACK)
			n->c = parse_adopt(p, n, parse_expr(p));
	}
	parse_expect(p, T_RBRACK);
	return n;
}

static struct node *field(struct parser *p, struct node *of, struct at at)
{
	struct node *n = parse_node(p, N_INDEX, at);
	struct node *name = parse_node(p, N_STR, p->lx.at);

	n->a = parse_adopt(p, n, of);
	n->b = name;
	if (p->lx.tok != T_IDENT) {
		unexpected(p, "a field's name");
		return n;
	}
	name->text = p->lx.text;
	name->len = p->lx.len;
	parse_next(p);
	return n;
}

static struct node *postfix(struct parser *p)
{
	struct node *n = operand(p), *call;
	struct at at;

	for (;;) {
		at = p->lx.at;
		if (parse_accept(p, T_LPAREN)) {
			call = parse_node(p, N_CALL, at);
			call->a = parse_adopt(p, call, n);
			items(p, call, T_RPAREN);
			n = call;
		} else if (parse_accept(p, T_LBRACK)) {
			n = brackets(p, n, at);
		} else if (parse_accept(p, T_DOT)) {
			n = field(p, n, at);
		} else {
			return n;
		}
	}
}

static struct node *unary(struct parser *p)
{
	enum token t = p->lx.tok;
	struct node *n;

	if (t != T_SUB && t != T_NOT && t != T_XOR && t != T_ADD &&
	    t != T_ARROW)
		return postfix(p);
	n = parse_node(p, t == T_ARROW ? N_RECV : N_UNARY, p->lx.at);
	n->op = (uint8_t)t;
	if (!parse_enter(p))
		return n;
	parse_next(p);
	n->a = parse_adopt(p, n, unary(p));
	parse_leave(p);
	if (t == T_SUB && n->a->kind == N_INT) {
		n->a->num = -n->a->num;
		n->a->at = n->at;
		return n->a;
	}
	return n;
}

static int precedence(enum token t)
{
	if (t > BINARY_LAST)
		return 0;
	if (t >= T_MUL)
		return 5;
	if (t >= T_ADD)
		return 4;
	if (t >= T_EQ)
		return 3;
	return t == T_ANDAND ? 2 : 1;
}

static struct node *binary(struct parser *p, int least)
{
	struct node *left = unary(p), *n;
	int prec;

	while ((prec = precedence(p->lx.tok)) >= least && !p->failed) {
		n = parse_node(p, N_BINARY, p->lx.at);
		n->op = (uint8_t)p->lx.tok;
		parse_next(p);
		n->a = parse_adopt(p, n, left);
		n->b = parse_adopt(p, n, binary(p, prec + 1));
		left = n;
	}
	return left;
}

struct node *parse_expr(struct parser *p)
{
	struct node *n;

	if (!parse_enter(p))
		return parse_node(p, N_NIL, p->lx.at);
	n = binary(p, 1);
	parse_leave(p);
	return n;
}

/* Names in parentheses, declared; null if there is none. */
static struct node *names(struct parser *p, uint32_t *count, bool *variadic)
{
	struct node *first = NULL, **at = &first, *n;

	*count = 0;
	while (p->lx.tok == T_IDENT) {
		n = parse_node(p, N_LOCAL, p->lx.at);
		n->var = scope_declare(p, p->lx.text, p->lx.len, p->lx.at);
		*at = n;
		at = &n->next;
		if (++*count > NAMES_MAX)
			parse_fail(p, p->lx.at, "too many names");
		parse_next(p);
		if (variadic && parse_accept(p, T_DOTS)) {
			*variadic = true;
			(void)parse_accept(p, T_COMMA);
			break;
		}
		if (!parse_accept(p, T_COMMA))
			break;
	}
	parse_expect(p, T_RPAREN);
	return first;
}

struct node *parse_function(
    struct parser *p, const char *name, size_t len, struct at at)
{
	struct node *n = parse_node(p, N_FUNC, at);
	struct func *outer = p->fn, *fn = scope_function(p, name, len);

	n->fn = fn;
	fn->at = at;
	if (!parse_enter(p)) {
		p->fn = outer;
		return n;
	}
	scope_open(p);
	parse_expect(p, T_LPAREN);
	fn->params = names(p, &fn->nparams, &fn->variadic);
	if (parse_accept(p, T_LPAREN))
		fn->results = names(p, &fn->nresults, NULL);
	fn->body = parse_adopt(p, n, parse_block(p));
	fn->end = p->lx.at;
	scope_close(p);
	p->fn = outer;
	parse_leave(p);
	return n;
}
