/* SPDX-License-Identifier: MIT */
/*
 * ops.h - one function for each instruction; the loop of vm.c inlines them.
 *
 * pc and the registers' address are in variables of the loop.  The pc is put
 * into the frame before anything that may panic, park, or push a frame.
 */
#ifndef EXAMPLES_LINNET_OPS_H
#define EXAMPLES_LINNET_OPS_H

#include "chan.h"
#include "vm.h"

struct regs {
	const struct ins *pc; /* the next instruction */
	value *R;
	struct fiber *f;
};

#define OP(name)                                                    \
	static inline __attribute__((always_inline)) int op_##name( \
	    struct regs *r, const struct ins *i)
#define UNUSED(x) (void)(x)
#define LIKELY(c) __builtin_expect(!!(c), 1)
#define ON_INTS(a, b, fast)            \
	if (LIKELY(both_ints(a, b))) { \
		fast;                  \
		return 0;              \
	}

static inline void save(struct regs *r)
{
	vm_frame(r->f)->pc = r->pc;
}

static inline void load(struct regs *r)
{
	struct frame *fr = vm_frame(r->f);

	r->pc = fr->pc;
	r->R = r->f->stack + fr->base;
}

static inline const struct proto *proto_of(struct regs *r)
{
	return vm_frame(r->f)->fn->proto;
}

/* Does gamp want something?  As gamp_checkpoint tests it. */
static inline bool asked(void)
{
	return __atomic_load_n(&gamp_checkpoint_word, __ATOMIC_RELAXED);
}

/* At the end of an instruction that may have allocated. */
static inline int settle(struct regs *r, int err)
{
	if (LIKELY(!heap_due(&r->f->m->heap)) || err)
		return err;
	return vm_collect(r->f);
}

OP(MOVE)
{
	r->R[i->a] = r->R[i->b];
	return 0;
}

OP(CONST)
{
	r->R[i->a] = proto_of(r)->consts[i->d];
	return 0;
}

OP(INT)
{
	r->R[i->a] = from_int(i->d);
	return 0;
}

OP(NIL)
{
	r->R[i->a] = NIL;
	return 0;
}

OP(BOOL)
{
	r->R[i->a] = from_bool(i->x);
	return 0;
}

OP(GETG)
{
	r->R[i->a] = value_load(&r->f->m->global[i->d]);
	return 0;
}

OP(SETG)
{
	value_store(&r->f->m->global[i->d], r->R[i->a]);
	return 0;
}

OP(BOX)
{
	save(r);
	return settle(r, vm_box(r->f, i));
}

OP(GETBOX)
{
	r->R[i->a] = value_load(&box_of(r->R[i->b])->v);
	return 0;
}

OP(SETBOX)
{
	value_store(&box_of(r->R[i->a])->v, r->R[i->b]);
	return 0;
}

OP(GETUP)
{
	r->R[i->a] = value_load(&vm_frame(r->f)->fn->up[i->d]->v);
	return 0;
}

OP(SETUP)
{
	value_store(&vm_frame(r->f)->fn->up[i->d]->v, r->R[i->a]);
	return 0;
}

OP(FUNC)
{
	save(r);
	return settle(r, vm_closure(r->f, i));
}

/* ---- arithmetic ------------------------------------------------------- */

static inline int arith(struct regs *r, const struct ins *i, value a, value b)
{
	save(r);
	return settle(r, vm_arith(r->f, i, a, b));
}

/* One integer is 2n + 1: what that does to sums is undone in place. */
OP(ADD)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = a + b - 1);
	return arith(r, i, a, b);
}

OP(SUB)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = a - b + 1);
	return arith(r, i, a, b);
}

OP(MUL)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = (a - 1) * (value)int_of(b) + 1);
	return arith(r, i, a, b);
}

/* The divisors 0 and -1 are for vm_arith. */
static inline bool plain_divisor(value b)
{
	return b + 1 > 2;
}

OP(DIV)
{
	value a = r->R[i->b], b = r->R[i->c];

	if (LIKELY(both_ints(a, b) && plain_divisor(b))) {
		r->R[i->a] = from_int(int_of(a) / int_of(b));
		return 0;
	}
	return arith(r, i, a, b);
}

OP(MOD)
{
	value a = r->R[i->b], b = r->R[i->c];

	if (LIKELY(both_ints(a, b) && plain_divisor(b))) {
		r->R[i->a] = from_int(int_of(a) % int_of(b));
		return 0;
	}
	return arith(r, i, a, b);
}

OP(AND)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = a & b);
	return arith(r, i, a, b);
}

OP(OR)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = a | b);
	return arith(r, i, a, b);
}

OP(XOR)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = (a ^ b) | 1);
	return arith(r, i, a, b);
}

OP(SHL)
{
	return arith(r, i, r->R[i->b], r->R[i->c]);
}

OP(SHR)
{
	return arith(r, i, r->R[i->b], r->R[i->c]);
}

OP(ANDNOT)
{
	value a = r->R[i->b], b = r->R[i->c];

	ON_INTS(a, b, r->R[i->a] = (a & ~b) | 1);
	return arith(r, i, a, b);
}

OP(ADDI)
{
	value a = r->R[i->b];

	if (LIKELY(is_int(a))) {
		r->R[i->a] = a + ((value)(int64_t)(int16_t)i->c << 1);
		return 0;
	}
	return arith(r, i, a, from_int((int16_t)i->c));
}

OP(NEG)
{
	value a = r->R[i->b];

	ON_INTS(a, a, r->R[i->a] = 2 - a);
	return arith(r, i, a, a);
}

OP(INV)
{
	value a = r->R[i->b];

	ON_INTS(a, a, r->R[i->a] = ~a | 1);
	return arith(r, i, a, a);
}

OP(NOT)
{
	save(r);
	return vm_not(r->f, r->R[i->b], &r->R[i->a]);
}

/* ---- comparisons ------------------------------------------------------ */

OP(EQ)
{
	r->R[i->a] = from_bool(value_equal(r->R[i->b], r->R[i->c]));
	return 0;
}

OP(NE)
{
	r->R[i->a] = from_bool(!value_equal(r->R[i->b], r->R[i->c]));
	return 0;
}

static inline int compare(
    struct regs *r, enum op op, value a, value b, bool *yes)
{
	if (LIKELY(both_ints(a, b))) {
		*yes = op == OP_LT ? (int64_t)a < (int64_t)b
				   : (int64_t)a <= (int64_t)b;
		return 0;
	}
	save(r);
	return vm_compare(r->f, op, a, b, yes);
}

OP(LT)
{
	bool yes = false;
	int err = compare(r, OP_LT, r->R[i->b], r->R[i->c], &yes);

	r->R[i->a] = from_bool(yes);
	return err;
}

OP(LE)
{
	bool yes = false;
	int err = compare(r, OP_LE, r->R[i->b], r->R[i->c], &yes);

	r->R[i->a] = from_bool(yes);
	return err;
}

OP(JMP)
{
	r->pc += i->d;
	return 0;
}

/* To the JMP that follows, or past it. */
static inline int guard(struct regs *r, bool jump)
{
	r->pc += jump ? 1 + r->pc->d : 1;
	return 0;
}

OP(JT)
{
	value v = r->R[i->a];

	if (v == TRUE)
		r->pc += i->d;
	else if (v != FALSE) {
		save(r);
		return vm_bad_condition(r->f, v);
	}
	return 0;
}

OP(JF)
{
	value v = r->R[i->a];

	if (v == FALSE)
		r->pc += i->d;
	else if (v != TRUE) {
		save(r);
		return vm_bad_condition(r->f, v);
	}
	return 0;
}

OP(TEQ)
{
	value a = r->R[i->a], b = r->R[i->b];

	return guard(r, (a == b || value_equal(a, b)) == i->x);
}

static inline int test(
    struct regs *r, enum op op, value a, value b, const struct ins *i)
{
	bool yes = false;
	int err = compare(r, op, a, b, &yes);

	return err ? err : guard(r, yes == i->x);
}

OP(TLT)
{
	return test(r, OP_LT, r->R[i->a], r->R[i->b], i);
}

OP(TLE)
{
	return test(r, OP_LE, r->R[i->a], r->R[i->b], i);
}

static inline value small(const struct ins *i)
{
	return from_int((int16_t)i->b);
}

OP(TEQI)
{
	return guard(r, (r->R[i->a] == small(i)) == i->x);
}

OP(TLTI)
{
	return test(r, OP_LT, r->R[i->a], small(i), i);
}

OP(TLEI)
{
	return test(r, OP_LE, r->R[i->a], small(i), i);
}

OP(TGTI)
{
	return test(r, OP_LT, small(i), r->R[i->a], i);
}

OP(TGEI)
{
	return test(r, OP_LE, small(i), r->R[i->a], i);
}

/* ---- calls ------------------------------------------------------------ */

OP(LOOP)
{
	r->pc += i->d;
	if (LIKELY(!asked()))
		return 0;
	save(r);
	return gamp_checkpoint_slow() < 0 ? KILLED : 0;
}

OP(CALL)
{
	struct fiber *f = r->f;
	value fn = r->R[i->a];
	const struct proto *pr;
	struct frame *fr;
	uint32_t base;
	int err;

	save(r);
	base = (uint32_t)(r->R - f->stack) + i->a + 1;
	if (LIKELY(is_kind(fn, KIND_CLOSURE) && !i->x)) {
		pr = closure_of(fn)->proto;
		if (LIKELY(i->b == pr->nparams && !pr->variadic &&
			   f->nframes < f->frames_cap &&
			   base + pr->nregs <= f->cap)) {
			fr = &f->frames[f->nframes++];
			*fr = (struct frame){ .fn = closure_of(fn),
				.pc = pr->code,
				.base = base,
				.want = i->c };
			f->top = base + pr->nregs;
			r->pc = pr->code;
			r->R = f->stack + base;
			for (uint32_t k = pr->nparams; k < pr->nregs; k++)
				r->R[k] = NIL;
			if (LIKELY(!asked()))
				return 0;
			return gamp_checkpoint_slow() < 0 ? KILLED : 0;
		}
	}
	err = vm_call_ins(f, i);
	if (err < 0)
		return err;
	load(r);
	return settle(r, 0);
}

OP(RET)
{
	struct fiber *f = r->f;
	uint32_t n = i->b == MANY ? f->nres : i->b;
	struct frame *fr = vm_frame(f);
	int err;

	if (LIKELY(!i->x && !fr->flags && f->nframes > 1 && n == 1 &&
		   fr->want == 1)) {
		r->R[-1] = r->R[i->a];
		f->nframes--;
		load(r);
		f->top = vm_frame(f)->base + vm_frame(f)->fn->proto->nregs;
		return 0;
	}
	save(r);
	err = vm_return(f, r->R + i->a, n, i->x);
	if (err == 0)
		load(r);
	return err;
}

OP(DEFERS)
{
	int err;

	UNUSED(i);
	if (LIKELY(!vm_frame(r->f)->defers))
		return 0;
	r->pc--; /* until there are none */
	save(r);
	err = vm_defers(r->f);
	if (err == 0)
		load(r);
	return settle(r, err);
}

OP(PACK)
{
	save(r);
	return settle(r, vm_pack(r->f, &r->R[i->a]));
}

OP(UNPACK)
{
	int err;

	save(r);
	err = vm_unpack(r->f, i);
	load(r);
	return err;
}

OP(GO)
{
	int err;

	save(r);
	err = vm_go(r->f, i);
	load(r);
	return settle(r, err);
}

OP(DEFER)
{
	int err;

	save(r);
	err = vm_defer(r->f, i);
	load(r);
	return settle(r, err);
}

/* ---- data ------------------------------------------------------------- */

OP(INDEX)
{
	value of = r->R[i->b], at = r->R[i->c];
	struct slice *s;

	if (LIKELY(is_kind(of, KIND_SLICE) && is_int(at))) {
		s = slice_of(of);
		if (LIKELY((uint64_t)int_of(at) < s->head.n)) {
			r->R[i->a] =
			    value_load(&s->body->at[s->from + int_of(at)]);
			return 0;
		}
	}
	save(r);
	return vm_index(r->f, of, at, &r->R[i->a], false);
}

OP(INDEXOK)
{
	save(r);
	return vm_index(r->f, r->R[i->b], r->R[i->c], &r->R[i->a], true);
}

OP(SETINDEX)
{
	value of = r->R[i->a], at = r->R[i->b];
	struct slice *s;

	if (LIKELY(is_kind(of, KIND_SLICE) && is_int(at))) {
		s = slice_of(of);
		if (LIKELY((uint64_t)int_of(at) < s->head.n)) {
			value_store(
			    &s->body->at[s->from + int_of(at)], r->R[i->c]);
			return 0;
		}
	}
	save(r);
	return settle(r, vm_set_index(r->f, of, at, r->R[i->c]));
}

OP(FIELD)
{
	save(r);
	return vm_index(
	    r->f, r->R[i->b], proto_of(r)->consts[i->c], &r->R[i->a], false);
}

OP(SETFIELD)
{
	save(r);
	return settle(r, vm_set_index(r->f, r->R[i->a],
			     proto_of(r)->consts[i->b], r->R[i->c]));
}

OP(SLICE)
{
	save(r);
	return settle(r, vm_slice(r->f, r->R[i->b], &r->R[i->c], &r->R[i->a]));
}

OP(ARRAY)
{
	struct slice *s;

	save(r);
	s = slice_new(r->f, (uint32_t)i->d, (uint32_t)i->d);
	if (!s)
		return throw_memory(r->f);
	r->R[i->a] = from_object(s);
	return settle(r, 0);
}

OP(FILL)
{
	struct slice *s = slice_of(r->R[i->a]);
	int32_t from = r->pc++->d; /* of DATA */

	for (int k = 0; k < i->c; k++)
		s->body->at[from + k] = r->R[i->b + k];
	return 0;
}

OP(DATA)
{
	UNUSED(r);
	UNUSED(i);
	return 0;
}

OP(MAP)
{
	struct map *m;

	save(r);
	m = map_new(r->f);
	if (!m)
		return throw_memory(r->f);
	r->R[i->a] = from_object(m);
	return settle(r, 0);
}

OP(SEND)
{
	save(r);
	return chan_send(r->f, r->R[i->a], r->R[i->b]);
}

OP(RECV)
{
	bool ok;
	int err;

	save(r);
	err = chan_recv(r->f, r->R[i->b], &r->R[i->a], &ok);
	if (err == 0 && i->x)
		r->R[i->a + 1] = from_bool(ok);
	return err;
}

OP(SELECT)
{
	int n;

	save(r);
	n = chan_select(r->f, &r->R[i->b], r->pc, i->c, i->x, &r->R[i->a]);
	if (n < 0)
		return n;
	r->pc += n + 1 + r->pc[n].d;
	return 0;
}

OP(CASE)
{
	UNUSED(r);
	UNUSED(i);
	return 0;
}

OP(RANGE)
{
	save(r);
	return settle(r, vm_range(r->f, r->R[i->b], &r->R[i->a]));
}

OP(NEXT)
{
	int n;

	save(r);
	n = vm_next(r->f, &r->R[i->a], &r->R[i->b]);
	if (n < 0)
		return n;
	return settle(r, guard(r, n == 0));
}

#endif
