/* SPDX-License-Identifier: MIT */
/*
 * ast.h - a source as a tree, its names resolved.
 *
 * The parser finds out what each name means while it reads (scope.c); only
 * whether a variable is captured by a closure, and so lies in a box, is not
 * known before the end of its scope: hence a tree, and code afterwards (gen.c).
 * The tree is in an arena that goes when the code is made.
 *
 * Its height is bounded, so that the stack of who walks it is, too.
 */
#ifndef EXAMPLES_LINNET_AST_H
#define EXAMPLES_LINNET_AST_H

#include "lex.h"

enum {
	HEIGHT_MAX = 200, /* of the tree, and of nesting while it is read */
	NAMES_MAX = 200,  /* variables of one function at one time */
};

enum node_kind {
	/* expressions; a, b, c: operands; list: more of them */
	N_NIL,
	N_BOOL,   /* num */
	N_INT,    /* num */
	N_STR,    /* text, len */
	N_LOCAL,  /* var */
	N_UP,     /* num: which of the closure's boxes */
	N_GLOBAL, /* num */
	N_FUNC,   /* fn */
	N_CALL,   /* a(list); op: the last is spread */
	N_INDEX,  /* a[b] */
	N_SLICE,  /* a[b:c] */
	N_ARRAY,  /* list */
	N_MAP,    /* list: key, value, key, value */
	N_UNARY,  /* op a */
	N_BINARY, /* a op b */
	N_RECV,   /* <-a */
	/* statements */
	N_EXPR,     /* a */
	N_VAR,      /* list = b's list: defined, or assigned to if set */
	N_OPASSIGN, /* a op= b */
	N_SEND,     /* a <- b */
	N_BLOCK,    /* list */
	N_IF,       /* a; if b c else d */
	N_FOR,      /* for a; b; c d; var: first of its variables */
	N_RANGE,    /* for list = range b d */
	N_SWITCH,   /* a; switch b list of N_CASE */
	N_SELECT,   /* list of N_CASE */
	N_CASE,   /* of switch: b's list; of select: a (N_SEND, N_VAR, N_EXPR);
		   * then c; default: neither */
	N_GO,     /* a: N_CALL */
	N_DEFER,  /* a: N_CALL */
	N_RETURN, /* list */
	N_BREAK,
	N_CONTINUE,
};

struct node {
	uint8_t kind, op;
	bool define; /* N_VAR, N_RANGE: new variables are among list */
	uint16_t height;
	uint32_t count; /* length of list */
	struct at at;
	struct node *a, *b, *c, *d;
	struct node *list, *last; /* by next */
	struct node *next;
	struct var *var;
	struct func *fn;
	const char *text;
	size_t len;
	int64_t num;
};

struct var {
	const char *name;
	size_t len;
	struct func *owner;
	struct var *outer; /* the one declared before it in the function */
	uint32_t depth;    /* of blocks */
	bool captured;
	bool fresh; /* its declaration is not over */
	int reg;
};

struct func {
	struct func *parent; /* null: the source's own code */
	const char *name;
	size_t len;
	struct at at, end;
	struct var *scope; /* innermost, while it is read */
	uint32_t depth;
	struct node *params, *results; /* N_LOCAL, by next */
	uint32_t nparams, nresults;
	bool variadic;
	bool defers;
	struct node *body;
	struct var *ups[NAMES_MAX];
	uint32_t nups;
};

/* Memory that goes all at once. */
struct arena {
	struct chunk *chunks;
	uint64_t spare[400]; /* when there is no memory, for any one object */
	bool failed;
};

void *arena_alloc(struct arena *a, size_t size);
void arena_free(struct arena *a);

struct linnet;

struct parser {
	struct lex lx;
	struct arena arena;
	struct linnet *m;
	struct func *fn; /* that is being read */
	uint32_t nesting;
	bool failed;
	char message[160]; /* without the place */
	struct at where;
};

/* The tree of a source: a function without parameters; or null. */
struct func *parse(struct parser *p);

/* ---- between the parser's files ---- */

void parse_fail(struct parser *p, struct at at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void parse_next(struct parser *p);
bool parse_accept(struct parser *p, enum token t);
void parse_expect(struct parser *p, enum token t);
bool parse_enter(struct parser *p);
void parse_leave(struct parser *p);
struct node *parse_node(struct parser *p, enum node_kind kind, struct at at);
struct node *parse_adopt(struct parser *p, struct node *n, struct node *child);
void parse_append(struct parser *p, struct node *n, struct node *child);
struct node *parse_expr(struct parser *p);
struct node *parse_block(struct parser *p);
struct node *parse_statement(struct parser *p);
struct node *parse_function(
    struct parser *p, const char *name, size_t len, struct at at);
struct node *parse_simple(struct parser *p, bool for_header);

/* ---- scope.c ---- */

struct func *scope_function(struct parser *p, const char *name, size_t len);
void scope_open(struct parser *p);
void scope_close(struct parser *p);
bool scope_is_top(const struct parser *p);
struct var *scope_declare(
    struct parser *p, const char *name, size_t len, struct at at);
/* Declared in the innermost block already? */
struct var *scope_find_here(
    const struct parser *p, const char *name, size_t len);
/* N_LOCAL, N_UP or N_GLOBAL. */
struct node *scope_use(
    struct parser *p, const char *name, size_t len, struct at at);
/* N_GLOBAL, defined by this source. */
struct node *scope_define_global(
    struct parser *p, const char *name, size_t len, struct at at);

#endif
