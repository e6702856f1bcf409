/* SPDX-License-Identifier: MIT */
/* gen.h - between gen.c, gen_expr.c and gen_stmt.c: code of one function. */
#ifndef EXAMPLES_LINNET_GEN_H
#define EXAMPLES_LINNET_GEN_H

#include "code.h"

/* Jumps whose target is not known yet: their d leads to the one before. */
typedef int32_t jumps;

#define NO_JUMPS (-1)

struct target {
	struct target *outer;
	bool loop; /* continue means it, too */
	jumps breaks, continues;
};

struct gen {
	struct gen *outer;
	struct parser *p;
	struct func *fn;
	struct proto *pr;
	uint32_t code_cap, const_cap, func_cap;
	int top; /* the first register that is free */
	struct target *target;
	struct at at;
};

void gen_fail(struct gen *g, const char *why);
int32_t gen_emit(struct gen *g, enum op op, int a, int b, int c);
int32_t gen_emit_d(struct gen *g, enum op op, int a, int32_t d);
void gen_set_x(struct gen *g, int32_t at, int x);
int gen_push(struct gen *g, int n);
int gen_const(struct gen *g, value v);
int gen_string(struct gen *g, const char *s, size_t n);

jumps gen_jump(struct gen *g, enum op op, int a, jumps list);
void gen_land(struct gen *g, jumps list);
void gen_jump_back(struct gen *g, int32_t to);
int32_t gen_here(const struct gen *g);

/* The expression's value is in the register that is returned: a variable's, or
 * a new one. */
int gen_any(struct gen *g, struct node *n);
void gen_to(struct gen *g, struct node *n, int reg);
/* To the top; returns it. */
int gen_next(struct gen *g, struct node *n);
/* Returns the register of the first result. */
int gen_call(struct gen *g, struct node *n, int want);
/* A call's function and arguments from the top on; *args: how many, or MANY.
 * Returns the register of the function. */
int gen_callee(struct gen *g, struct node *n, int *args);
/* Jumps if the condition is `sense`. */
jumps gen_condition(struct gen *g, struct node *n, bool sense, jumps list);
void gen_binary(struct gen *g, enum token op, int to, int a, int b);

/* R[reg] into a variable, an element, ... */
void gen_store(struct gen *g, struct node *target, int reg);
void gen_function(struct gen *g, struct node *n, int reg);
void gen_block(struct gen *g, struct node *n);
void gen_statement(struct gen *g, struct node *n);
/* The variable begins with R[reg]. */
void gen_declare(struct gen *g, struct var *v, int reg);
void gen_return(struct gen *g, struct node *n);

#endif
