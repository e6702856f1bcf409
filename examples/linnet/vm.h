/* SPDX-License-Identifier: MIT */
/*
 * vm.h - between the files of the interpreter.
 *
 * The slow halves of instructions: vm_call.c has calls, panics, goroutines;
 * vm_data.c has arithmetic, elements, literals.  Each is called with the pc
 * saved in the frame, and returns 0, or THROWN or KILLED.
 */
#ifndef EXAMPLES_LINNET_VM_H
#define EXAMPLES_LINNET_VM_H

#include "native.h"

/* All frames have returned. */
#define FINISHED 1

static inline struct frame *vm_frame(struct fiber *f)
{
	return &f->frames[f->nframes - 1];
}

/* Runs the fiber's frames.  0, THROWN: a panic that nobody recovered; or
 * KILLED. */
int vm_run(struct fiber *f);

/* Something was allocated: collect if that is due.  0 or THROWN. */
int vm_collect(struct fiber *f);

/* ---- vm_call.c ---- */

/*
 * Calls the function in slot `at` with the n arguments that follow: a closure
 * gets a frame, a native runs.
 */
int vm_call(struct fiber *f, uint32_t at, uint32_t n, uint32_t want, int flags);
int vm_call_ins(struct fiber *f, const struct ins *i);
int vm_return(struct fiber *f, value *from, uint32_t n, bool nils);
int vm_defers(struct fiber *f);
int vm_pack(struct fiber *f, value *at);
int vm_unpack(struct fiber *f, const struct ins *i);
int vm_go(struct fiber *f, const struct ins *i);
int vm_defer(struct fiber *f, const struct ins *i);
/* After THROWN: to the frame that goes on; or THROWN, when there is none. */
int vm_unwind(struct fiber *f);
/* What recover() gives in the present frame. */
value vm_recover(struct fiber *f);

/* ---- vm_data.c ---- */

int vm_arith(struct fiber *f, const struct ins *i, value a, value b);
int vm_compare(struct fiber *f, enum op op, value a, value b, bool *yes);
int vm_index(struct fiber *f, value of, value at, value *to, bool two);
int vm_set_index(struct fiber *f, value of, value at, value v);
int vm_slice(struct fiber *f, value of, const value *bounds, value *to);
int vm_closure(struct fiber *f, const struct ins *i);
int vm_box(struct fiber *f, const struct ins *i);
int vm_range(struct fiber *f, value of, value *state);
/* 1: there is a next. */
int vm_next(struct fiber *f, value *state, value *kv);
int vm_not(struct fiber *f, value v, value *to);
int vm_bad_condition(struct fiber *f, value v);

#endif
