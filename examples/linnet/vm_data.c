/* SPDX-License-Identifier: MIT */
/* vm_data.c - arithmetic, comparisons, elements, closures, range. */

#include <string.h>

#include "chan.h"
#include "vm.h"

static value *reg(struct fiber *f, int i)
{
	return &f->stack[vm_frame(f)->base + (uint32_t)i];
}

bool value_equal(value a, value b)
{
	struct string *s, *t;

	if (a == b)
		return true;
	if (!is_string(a) || !is_string(b))
		return false;
	s = string_of(a);
	t = string_of(b);
	return s->head.n == t->head.n &&
	       memcmp(s->text, t->text, s->head.n) == 0;
}

static int concat(struct fiber *f, const struct ins *i, value a, value b)
{
	size_t n = string_of(a)->head.n, k = string_of(b)->head.n;
	struct string *s;

	if (n + k > 4096 && native_reserve(f, n + k) < 0)
		return THROWN;
	s = string_new(f, n + k);
	if (!s)
		return throw_memory(f);
	memcpy(s->text, string_of(a)->text, n);
	memcpy(s->text + n, string_of(b)->text, k);
	*reg(f, i->a) = from_object(s);
	return 0;
}

static int shift(struct fiber *f, const struct ins *i, int64_t a, int64_t by)
{
	int64_t v;

	if (by < 0)
		return throw_text(f, "shift by a negative number");
	if (i->op == OP_SHL)
		v = by > 62 ? 0 : (int64_t)((uint64_t)a << by);
	else
		v = a >> (by > 62 ? 62 : by);
	*reg(f, i->a) = from_int(v);
	return 0;
}

static int divide(struct fiber *f, const struct ins *i, int64_t a, int64_t b)
{
	int64_t v;

	if (b == 0)
		return throw_text(f, "division by zero");
	if (b == -1)
		v = i->op == OP_DIV ? (int64_t)(0 - (uint64_t)a) : 0;
	else
		v = i->op == OP_DIV ? a / b : a % b;
	*reg(f, i->a) = from_int(v);
	return 0;
}

static const char *verb(enum op op)
{
	switch (op) {
	case OP_ADD:
	case OP_ADDI:
		return "add";
	case OP_SUB:
		return "subtract";
	case OP_MUL:
		return "multiply";
	case OP_DIV:
	case OP_MOD:
		return "divide";
	case OP_SHL:
	case OP_SHR:
		return "shift";
	case OP_NEG:
		return "negate";
	default:
		return "combine the bits of";
	}
}

int vm_arith(struct fiber *f, const struct ins *i, value a, value b)
{
	bool adds = i->op == OP_ADD;

	if (adds && is_string(a) && is_string(b))
		return concat(f, i, a, b);
	if (both_ints(a, b)) {
		if (i->op == OP_SHL || i->op == OP_SHR)
			return shift(f, i, int_of(a), int_of(b));
		return divide(f, i, int_of(a), int_of(b));
	}
	if (i->op == OP_NEG || i->op == OP_INV)
		return throw_text(f, "cannot %s %s", verb(i->op), type_name(a));
	return throw_text(
	    f, "cannot %s %s and %s", verb(i->op), type_name(a), type_name(b));
}

int vm_compare(struct fiber *f, enum op op, value a, value b, bool *yes)
{
	uint32_t n, k;
	int c;

	if (!is_string(a) || !is_string(b))
		return throw_text(
		    f, "cannot order %s and %s", type_name(a), type_name(b));
	n = string_of(a)->head.n;
	k = string_of(b)->head.n;
	c = memcmp(string_of(a)->text, string_of(b)->text, n < k ? n : k);
	if (c == 0)
		c = n < k ? -1 : n > k;
	*yes = op == OP_LT ? c < 0 : c <= 0;
	return 0;
}

int vm_not(struct fiber *f, value v, value *to)
{
	if (v != TRUE && v != FALSE)
		return vm_bad_condition(f, v);
	*to = v == TRUE ? FALSE : TRUE;
	return 0;
}

int vm_bad_condition(struct fiber *f, value v)
{
	return throw_text(f, "want a boolean, not %s", type_name(v));
}

/* ---- elements --------------------------------------------------------- */

static int out_of_range(struct fiber *f, value at, uint32_t n)
{
	if (!is_int(at))
		return throw_text(
		    f, "want an integer as index, not %s", type_name(at));
	return throw_text(
	    f, "index %lld out of range, length %u", (long long)int_of(at), n);
}

int vm_index(struct fiber *f, value of, value at, value *to, bool two)
{
	bool found = true;
	struct string *s;
	uint32_t n;

	if (is_kind(of, KIND_MAP)) {
		*to = map_get(map_of(of), at, &found);
	} else if (is_string(of) && is_int(at)) {
		s = string_of(of);
		found = (uint64_t)int_of(at) < s->head.n;
		if (!found && !two)
			return out_of_range(f, at, s->head.n);
		*to =
		    found ? from_int((unsigned char)s->text[int_of(at)]) : NIL;
	} else if (is_kind(of, KIND_SLICE) || is_string(of)) {
		n = object_of(of)->n;
		found = is_int(at) && (uint64_t)int_of(at) < n;
		if (!is_int(at) || (!found && !two))
			return out_of_range(f, at, n);
		*to =
		    found
			? value_load(
			      &slice_of(of)
				   ->body->at[slice_of(of)->from + int_of(at)])
			: NIL;
	} else {
		return throw_text(f, "%s has no elements", type_name(of));
	}
	if (two)
		to[1] = from_bool(found);
	return 0;
}

int vm_set_index(struct fiber *f, value of, value at, value v)
{
	if (is_kind(of, KIND_MAP))
		return map_set(f, map_of(of), at, v);
	if (is_kind(of, KIND_SLICE))
		return out_of_range(f, at, slice_of(of)->head.n);
	return throw_text(
	    f, "cannot assign to an element of %s", type_name(of));
}

int vm_slice(struct fiber *f, value of, const value *bounds, value *to)
{
	bool text = is_string(of);
	uint32_t n, most;
	int64_t lo, hi;
	struct slice *s, *old;
	struct string *str;

	if (!text && !is_kind(of, KIND_SLICE))
		return throw_text(f, "cannot slice %s", type_name(of));
	n = object_of(of)->n;
	most = text ? n : slice_of(of)->cap;
	for (int i = 0; i < 2; i++)
		if (bounds[i] != NIL && !is_int(bounds[i]))
			return out_of_range(f, bounds[i], n);
	lo = bounds[0] == NIL ? 0 : int_of(bounds[0]);
	hi = bounds[1] == NIL ? n : int_of(bounds[1]);
	if (lo < 0 || hi < lo || hi > most)
		return throw_text(f, "slice [%lld:%lld] out of range, %s %u",
		    (long long)lo, (long long)hi, text ? "length" : "capacity",
		    most);
	if (text) {
		str =
		    string_from(f, string_of(of)->text + lo, (size_t)(hi - lo));
		if (!str)
			return throw_memory(f);
		*to = from_object(str);
		return 0;
	}
	s = heap_alloc(
	    &f->m->heap, sizeof(*s), KIND_SLICE, (uint32_t)(hi - lo));
	if (!s)
		return throw_memory(f);
	old = slice_of(of);
	s->body = old->body;
	s->from = old->from + (uint32_t)lo;
	s->cap = old->cap - (uint32_t)lo;
	*to = from_object(s);
	return 0;
}

/* ---- closures --------------------------------------------------------- */

int vm_box(struct fiber *f, const struct ins *i)
{
	struct box *b = heap_alloc(&f->m->heap, sizeof(*b), KIND_BOX, 0);

	if (!b)
		return throw_memory(f);
	b->v = *reg(f, i->b);
	*reg(f, i->a) = from_object(b);
	return 0;
}

int vm_closure(struct fiber *f, const struct ins *i)
{
	struct closure *in = vm_frame(f)->fn, *fn;
	const struct proto *pr = in->proto->funcs[i->d];

	fn = heap_alloc(&f->m->heap, sizeof(*fn) + pr->nups * sizeof(*fn->up),
	    KIND_CLOSURE, pr->nups);
	if (!fn)
		return throw_memory(f);
	fn->proto = pr;
	for (uint32_t k = 0; k < pr->nups; k++)
		fn->up[k] = pr->ups[k].from_up
				? in->up[pr->ups[k].index]
				: box_of(*reg(f, pr->ups[k].index));
	*reg(f, i->a) = from_object(fn);
	return 0;
}

/* ---- range ------------------------------------------------------------ */

/* What it goes over; the next index; of a map: its table. */
int vm_range(struct fiber *f, value of, value *state)
{
	struct table *t = NULL;

	if (is_kind(of, KIND_MAP)) {
		spin_lock(&map_of(of)->lock);
		t = map_of(of)->table;
		spin_unlock(&map_of(of)->lock);
	} else if (of != NIL && !is_int(of) && !is_string(of) &&
		   !is_kind(of, KIND_SLICE) && !is_kind(of, KIND_CHAN)) {
		return throw_text(f, "cannot range over %s", type_name(of));
	}
	state[0] = of;
	state[1] = from_int(0);
	state[2] = from_object(t);
	return 0;
}

static int next_of_map(value *state, value *kv)
{
	struct table *t = (struct table *)object_of(state[2]);
	uint32_t i = (uint32_t)int_of(state[1]);
	struct entry e;

	if (!t || !map_next(map_of(state[0]), t, &i, &e))
		return 0;
	state[1] = from_int(i);
	kv[0] = e.key;
	kv[1] = e.val;
	return 1;
}

int vm_next(struct fiber *f, value *state, value *kv)
{
	int64_t i = int_of(state[1]);
	value of = state[0];
	struct slice *s;
	bool ok = false;
	int err;

	if (is_int(of)) {
		if (i >= int_of(of))
			return 0;
		kv[1] = NIL;
	} else if (is_kind(of, KIND_SLICE)) {
		s = slice_of(of);
		if (i >= s->head.n)
			return 0;
		kv[1] = value_load(&s->body->at[s->from + i]);
	} else if (is_string(of)) {
		if (i >= string_of(of)->head.n)
			return 0;
		kv[1] = from_int((unsigned char)string_of(of)->text[i]);
	} else if (is_kind(of, KIND_MAP)) {
		return next_of_map(state, kv);
	} else if (is_kind(of, KIND_CHAN)) {
		err = chan_recv(f, of, &kv[0], &ok);
		return err < 0 ? err : ok;
	} else {
		return 0;
	}
	kv[0] = from_int(i);
	state[1] = from_int(i + 1);
	return 1;
}
