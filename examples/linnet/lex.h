/* SPDX-License-Identifier: MIT */
/*
 * lex.h - a source as tokens.
 *
 * As in Go, the end of a line is a semicolon after a token that can end a
 * statement.
 */
#ifndef EXAMPLES_LINNET_LEX_H
#define EXAMPLES_LINNET_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those up to BINARY_LAST are binary operators; precedence: parse.c. */
/* clang-format off */
#define TOKENS(X)                                                              \
	X(OROR, "||") X(ANDAND, "&&")                                          \
	X(EQ, "==") X(NE, "!=") X(LT, "<") X(LE, "<=") X(GT, ">") X(GE, ">=")  \
	X(ADD, "+") X(SUB, "-") X(OR, "|") X(XOR, "^")                         \
	X(MUL, "*") X(DIV, "/") X(MOD, "%") X(SHL, "<<") X(SHR, ">>")          \
	X(AND, "&") X(ANDNOT, "&^")                                            \
	X(NOT, "!") X(ASSIGN, "=") X(DEFINE, ":=") X(OPASSIGN, "op=")          \
	X(INC, "++") X(DEC, "--") X(ARROW, "<-")                               \
	X(LPAREN, "(") X(RPAREN, ")") X(LBRACK, "[") X(RBRACK, "]")            \
	X(LBRACE, "{") X(RBRACE, "}") X(COMMA, ",") X(SEMI, ";")               \
	X(COLON, ":") X(DOT, ".") X(DOTS, "...")                               \
	X(IDENT, "name") X(INT, "number") X(STRING, "string")                  \
	X(BREAK, "break") X(CASE, "case") X(CONTINUE, "continue")              \
	X(DEFAULT, "default") X(DEFER, "defer") X(ELSE, "else")                \
	X(FALSE, "false") X(FOR, "for") X(FUNC, "func") X(GO, "go")            \
	X(IF, "if") X(MAP, "map") X(NIL, "nil") X(RANGE, "range")              \
	X(RETURN, "return") X(SELECT, "select") X(SWITCH, "switch")            \
	X(TRUE, "true") X(VAR, "var") X(EOF, "end of file")
/* clang-format on */

enum token {
#define X(name, text) T_##name,
	TOKENS(X)
#undef X
	    TOKEN_COUNT
};

#define BINARY_LAST T_ANDNOT

struct at {
	uint32_t line, col;
};

struct lex {
	const char *p, *end;
	const char *line_start;
	uint32_t line;
	/* the token */
	enum token tok;
	enum token op;    /* of OPASSIGN */
	struct at at;     /* where it begins */
	const char *text; /* of a name; a semicolon's: "\n" or ";" */
	size_t len;
	int64_t num;
	char *str; /* a string's bytes, in a buffer that the next one reuses */
	size_t str_len, str_cap;
	/* what is wrong, or null; the token is then EOF */
	const char *error;
	bool ends; /* the token can end a statement */
};

void lex_init(struct lex *lx, const char *source, size_t n);
void lex_fini(struct lex *lx);
void lex_next(struct lex *lx);

/* As messages name it. */
const char *token_name(enum token t);

#endif
