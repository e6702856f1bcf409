/* SPDX-License-Identifier: MIT */
/*
 * code.h - what the compiler makes of a source, and the machine runs.
 *
 * R[i] are the registers of the present call: its parameters, its variables,
 * and what lies between.  Instructions have 64 bits; jumps count from the next
 * one.  Only the compiler makes them, so that the machine need not check them.
 *
 *	MOVE		R[a] = R[b]
 *	CONST		R[a] = constant d
 *	INT, NIL, BOOL	R[a] = d; nil; x
 *	GETG, SETG	R[a] and the global d
 *	BOX		R[a] = a new box with R[b]
 *	GETBOX		R[a] = what is in the box R[b]
 *	SETBOX		R[b] into the box R[a]
 *	GETUP, SETUP	R[a] and the closure's box d
 *	FUNC		R[a] = a closure of function d
 *	ADD ... LE	R[a] = R[b] op R[c]
 *	ADDI		R[a] = R[b] + c
 *	NEG, NOT, INV	R[a] = op R[b]
 *	JMP, LOOP	by d; LOOP backwards, where others may run
 *	JT, JF		by d, if R[a] is true, false
 *	TEQ, TLT, TLE	go on with the JMP that follows if (R[a] op R[b]) is x,
 *			else past it
 *	TEQI ... TGEI	the same, of R[a] and the number b
 *	CALL		R[a](R[a+1] ...): b arguments, or MANY as the call
 *			before has left; c results from R[a] on, or MANY; x: the
 *			last argument is a slice of arguments
 *	RET		b values from R[a]; x: as many nils as are wanted
 *	DEFERS		runs what was deferred
 *	PACK, UNPACK	MANY values at R[a] into a slice there, and back
 *	GO, DEFER	as CALL
 *	INDEX		R[a] = R[b][R[c]]
 *	INDEXOK		and R[a+1]: is it there?
 *	SETINDEX	R[a][R[b]] = R[c]
 *	FIELD		R[a] = R[b][constant c]
 *	SETFIELD	R[a][constant b] = R[c]
 *	SLICE		R[a] = R[b][R[c] : R[c+1]]
 *	ARRAY		R[a] = a slice of d nils
 *	FILL		R[b] ... R[b+c-1] into the slice R[a], from the index d
 *			of the DATA that follows
 *	MAP		R[a] = an empty map
 *	SEND		R[a] <- R[b]
 *	RECV		R[a] = <-R[b]; x: R[a+1]: was there a value?
 *	SELECT		c cases, as the CASEs that follow say: the channel of
 *			the i-th is R[b+2i], its value R[b+2i+1]; received are
 *			R[a], R[a+1]; x: there is one CASE more, the default
 *	CASE		x: it sends; goes on at d
 *	RANGE		R[a] to R[a+2]: the state of a range over R[b]
 *	NEXT		R[b], R[b+1] = the next of range R[a], past the JMP that
 *			follows; or to that
 */
#ifndef EXAMPLES_LINNET_CODE_H
#define EXAMPLES_LINNET_CODE_H

#include "ast.h"
#include "object.h"

/* clang-format off */
#define OPCODES(X)                                                             \
	X(MOVE) X(CONST) X(INT) X(NIL) X(BOOL) X(GETG) X(SETG) X(BOX)          \
	X(GETBOX) X(SETBOX) X(GETUP) X(SETUP) X(FUNC)                          \
	X(ADD) X(SUB) X(MUL) X(DIV) X(MOD) X(AND) X(OR) X(XOR) X(SHL) X(SHR)   \
	X(ANDNOT) X(EQ) X(NE) X(LT) X(LE) X(ADDI) X(NEG) X(NOT) X(INV)         \
	X(JMP) X(LOOP) X(JT) X(JF) X(TEQ) X(TLT) X(TLE)                        \
	X(TEQI) X(TLTI) X(TLEI) X(TGTI) X(TGEI)                                \
	X(CALL) X(RET) X(DEFERS) X(PACK) X(UNPACK) X(GO) X(DEFER)              \
	X(INDEX) X(INDEXOK) X(SETINDEX) X(FIELD) X(SETFIELD) X(SLICE)          \
	X(ARRAY) X(FILL) X(DATA) X(MAP) X(SEND) X(RECV) X(SELECT) X(CASE)      \
	X(RANGE) X(NEXT)
/* clang-format on */

enum op {
#define X(name) OP_##name,
	OPCODES(X)
#undef X
};

enum {
	MANY = 0xffff, /* arguments or results: see there */
	REGS_MAX = 4000,
	ARGS_MAX = 250,
	RESULTS_MAX = 3, /* of natives */
};

struct ins {
	uint8_t op, x;
	uint16_t a;
	union {
		struct {
			uint16_t b, c;
		};
		int32_t d;
	};
};

/* Where a closure's box comes from, when it is made. */
struct up {
	bool from_up; /* the maker's own box; else its register */
	uint16_t index;
};

/* A function's code. */
struct proto {
	struct proto *next; /* of the machine's */
	char *name;         /* "file: name" is made for reports */
	char *file;         /* shared with others of the source: not freed */
	struct ins *code;
	struct at *at; /* of each instruction */
	value *consts; /* immortal */
	struct proto **funcs;
	struct up *ups;
	uint32_t ncode, nconsts, nfuncs, nups;
	uint32_t nparams, nregs;
	uint32_t recover; /* where to go on after a panic; 0: none */
	bool variadic;
};

/* The code of a tree; null: the parser's message says why.  What was made of
 * it is in the machine's list of protos. */
struct proto *gen(struct parser *p, struct func *fn, char *file);

void proto_free(struct proto *pr);

#endif
