/* SPDX-License-Identifier: MIT */
/* lex.c - see lex.h. */

#include <stdlib.h>
#include <string.h>

#include "lex.h"
#include "value.h"

static const char *const names[] = {
#define X(name, text) text,
	TOKENS(X)
#undef X
};

const char *token_name(enum token t)
{
	return names[t];
}

void lex_init(struct lex *lx, const char *source, size_t n)
{
	memset(lx, 0, sizeof(*lx));
	lx->p = lx->line_start = source;
	lx->end = source + n;
	lx->line = 1;
}

void lex_fini(struct lex *lx)
{
	free(lx->str);
}

static int peek(const struct lex *lx, size_t i)
{
	return i < (size_t)(lx->end - lx->p) ? (unsigned char)lx->p[i] : -1;
}

static void fail(struct lex *lx, const char *why)
{
	if (!lx->error)
		lx->error = why;
	lx->tok = T_EOF;
}

static struct at here(const struct lex *lx)
{
	return (struct at){ lx->line, (uint32_t)(lx->p - lx->line_start) + 1 };
}

static void newline(struct lex *lx)
{
	lx->p++;
	lx->line++;
	lx->line_start = lx->p;
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       c >= 0x80;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool ends_statement(enum token t)
{
	switch (t) {
	case T_IDENT:
	case T_INT:
	case T_STRING:
	case T_BREAK:
	case T_CONTINUE:
	case T_RETURN:
	case T_TRUE:
	case T_FALSE:
	case T_NIL:
	case T_INC:
	case T_DEC:
	case T_RPAREN:
	case T_RBRACK:
	case T_RBRACE:
		return true;
	default:
		return false;
	}
}

static void name(struct lex *lx)
{
	lx->text = lx->p;
	while (is_letter(peek(lx, 0)) || is_digit(peek(lx, 0)))
		lx->p++;
	lx->len = (size_t)(lx->p - lx->text);
	lx->tok = T_IDENT;
	for (int t = T_BREAK; t < T_EOF; t++)
		if (strlen(names[t]) == lx->len &&
		    memcmp(names[t], lx->text, lx->len) == 0)
			lx->tok = (enum token)t;
}

static int digit(int c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

static void number(struct lex *lx)
{
	int base = 10, c;
	uint64_t n = 0;

	if (peek(lx, 0) == '0') {
		c = peek(lx, 1) | 0x20;
		base = c == 'x' ? 16 : c == 'b' ? 2 : c == 'o' ? 8 : 10;
	}
	if (base != 10) {
		lx->p += 2;
		if (digit(peek(lx, 0)) >= base) {
			fail(lx, "a number has no digits");
			return;
		}
	}
	for (; (c = peek(lx, 0)) == '_' || digit(c) < base; lx->p++) {
		if (c == '_')
			continue;
		n = n * (uint64_t)base + (uint64_t)digit(c);
		if (n > (uint64_t)INT_MAX63) {
			fail(lx, "a number is too large");
			return;
		}
	}
	if (is_letter(c) || is_digit(c)) {
		fail(lx, "a letter or digit that is not part of the number");
		return;
	}
	lx->num = (int64_t)n;
	lx->tok = T_INT;
}

static void put(struct lex *lx, int c)
{
	size_t cap = lx->str_cap ? lx->str_cap * 2 : 64;
	char *s;

	if (lx->str_len == lx->str_cap) {
		s = realloc(lx->str, cap);
		if (!s) {
			fail(lx, "out of memory");
			return;
		}
		lx->str = s;
		lx->str_cap = cap;
	}
	lx->str[lx->str_len++] = (char)c;
}

/* After a backslash; -1 if it is none. */
static int escape(struct lex *lx)
{
	static const char from[] = "nrt0\\\"'ab", to[] = "\n\r\t\0\\\"'\a\b";
	int c = peek(lx, 0), hi, lo;
	const char *at;

	if (c > 0 && (at = strchr(from, c))) {
		lx->p++;
		return (unsigned char)to[at - from];
	}
	if (c != 'x')
		return -1;
	hi = digit(peek(lx, 1));
	lo = digit(peek(lx, 2));
	if (hi > 15 || lo > 15)
		return -1;
	lx->p += 3;
	return hi * 16 + lo;
}

static void string(struct lex *lx)
{
	int c;

	lx->tok = T_STRING;
	lx->str_len = 0;
	lx->p++;
	while (!lx->error) {
		c = peek(lx, 0);
		if (c < 0 || c == '\n') {
			fail(lx, "a string does not end on its line");
			return;
		}
		lx->p++;
		if (c == '"')
			return;
		if (c == '\\' && (c = escape(lx)) < 0) {
			fail(lx, "a string has an unknown escape");
			return;
		}
		put(lx, c);
	}
}

static void raw_string(struct lex *lx)
{
	int c;

	lx->tok = T_STRING;
	lx->str_len = 0;
	lx->p++;
	while (!lx->error) {
		c = peek(lx, 0);
		if (c < 0) {
			fail(lx, "a raw string does not end");
			return;
		}
		if (c == '\n')
			newline(lx);
		else
			lx->p++;
		if (c == '`')
			return;
		if (c != '\r')
			put(lx, c);
	}
}

static void character(struct lex *lx)
{
	int c;

	lx->tok = T_INT;
	lx->p++;
	c = peek(lx, 0);
	if (c == '\n')
		c = -1;
	else
		lx->p++;
	if (c == '\\')
		c = escape(lx);
	if (c < 0 || peek(lx, 0) != '\'') {
		fail(lx, "not a character: want one byte between quotes");
		return;
	}
	lx->p++;
	lx->num = c;
}

static void symbol(struct lex *lx)
{
	size_t best = 0, n;

	for (int t = 0; t < T_IDENT; t++) {
		n = strlen(names[t]);
		if (t == T_OPASSIGN || n <= best ||
		    n > (size_t)(lx->end - lx->p) ||
		    memcmp(lx->p, names[t], n) != 0)
			continue;
		best = n;
		lx->tok = (enum token)t;
	}
	if (best == 0) {
		fail(lx, "a character that is not part of the language");
		return;
	}
	lx->p += best;
	if (lx->tok >= T_ADD && lx->tok <= BINARY_LAST && peek(lx, 0) == '=') {
		lx->op = lx->tok;
		lx->tok = T_OPASSIGN;
		lx->p++;
	}
}

/* True: it has ended a line. */
static bool comment(struct lex *lx)
{
	struct at begin = here(lx);
	bool line = false;
	int c;

	lx->p += 2;
	while ((c = peek(lx, 0)) >= 0) {
		if (c == '*' && peek(lx, 1) == '/') {
			lx->p += 2;
			return line && lx->ends;
		}
		if (c == '\n') {
			line = true;
			newline(lx);
		} else {
			lx->p++;
		}
	}
	lx->at = begin;
	fail(lx, "a comment does not end");
	return false;
}

/* Past blanks and comments.  True: a line has ended. */
static bool skip(struct lex *lx)
{
	int c;

	while ((c = peek(lx, 0)) >= 0) {
		if (c == '\n') {
			if (lx->ends)
				return true;
			newline(lx);
		} else if (c == ' ' || c == '\t' || c == '\r') {
			lx->p++;
		} else if (c == '/' && peek(lx, 1) == '/') {
			while ((c = peek(lx, 0)) >= 0 && c != '\n')
				lx->p++;
		} else if (c == '/' && peek(lx, 1) == '*') {
			if (comment(lx))
				return true;
		} else {
			return false;
		}
	}
	return lx->ends;
}

void lex_next(struct lex *lx)
{
	int c;

	if (lx->error)
		return;
	if (skip(lx)) {
		lx->at = here(lx);
		lx->tok = T_SEMI;
		lx->text = "\n";
		lx->ends = false;
		return;
	}
	if (lx->error)
		return;
	lx->at = here(lx);
	c = peek(lx, 0);
	if (c < 0) {
		lx->tok = T_EOF;
		return;
	}
	lx->text = ";";
	if (is_letter(c))
		name(lx);
	else if (is_digit(c))
		number(lx);
	else if (c == '"')
		string(lx);
	else if (c == '`')
		raw_string(lx);
	else if (c == '\'')
		character(lx);
	else
		symbol(lx);
	lx->ends = ends_statement(lx->tok);
}
