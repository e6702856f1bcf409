/* SPDX-License-Identifier: MIT */
/*
 * vm_call.c - calls, returns, deferred calls, panics, goroutines.
 *
 * A panic unwinds frame by frame.  A frame that has put calls off gets them,
 * the last one first, each in a frame of its own above it that remembers the
 * panic; when that returns, the panic goes on, or, if recover() was called
 * there, the frame below returns to its caller.  A panic in a deferred call
 * takes the place of the one before.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm.h"

static void set_top(struct fiber *f)
{
	struct frame *fr = vm_frame(f);

	f->top = fr->base + fr->fn->proto->nregs;
}

static int bad_count(struct fiber *f, const char *name, const char *verb,
    uint32_t have, uint32_t want, const char *what)
{
	return throw_text(f, "%s %s %u %s%s, not %u", name, verb, have, what,
	    have == 1 ? "" : "s", want);
}

/* The arguments after the last parameter but one become a slice. */
static int gather(struct fiber *f, uint32_t at, uint32_t n, uint32_t nparams)
{
	struct slice *s;
	uint32_t rest;

	if (n + 1 < nparams)
		return throw_text(f, "too few arguments");
	rest = n + 1 - nparams;
	if (native_reserve(f, rest * sizeof(value) + 64) < 0 ||
	    fiber_reserve(f, at, nparams + 2) < 0)
		return THROWN;
	s = slice_new(f, rest, rest);
	if (!s)
		return throw_memory(f);
	for (uint32_t i = 0; i < rest; i++)
		s->body->at[i] = f->stack[at + nparams + i];
	f->stack[at + nparams] = from_object(s);
	return 0;
}

static int call_closure(
    struct fiber *f, uint32_t at, uint32_t n, uint32_t want, int flags)
{
	struct closure *fn = closure_of(f->stack[at]);
	const struct proto *pr = fn->proto;

	if (pr->variadic) {
		if (gather(f, at, n, pr->nparams) < 0)
			return THROWN;
	} else if (n != pr->nparams) {
		return bad_count(
		    f, pr->name, "takes", pr->nparams, n, "argument");
	}
	if (fiber_reserve(f, at + 1, pr->nregs) < 0 ||
	    fiber_reserve_frame(f) < 0)
		return THROWN;
	f->frames[f->nframes++] = (struct frame){
		.fn = fn,
		.pc = pr->code,
		.base = at + 1,
		.want = (uint16_t)want,
		.flags = (uint16_t)flags,
	};
	f->top = at + 1 + pr->nregs;
	for (uint32_t k = pr->nparams; k < pr->nregs; k++)
		f->stack[at + 1 + k] = NIL;
	return gamp_checkpoint() < 0 ? KILLED : 0;
}

static int call_native(struct fiber *f, uint32_t at, uint32_t n, uint32_t want)
{
	struct native *fn = native_of(f->stack[at]);
	uint32_t top = f->top;
	int got;

	if (n < (uint32_t)fn->min)
		return bad_count(f, fn->name, "takes", (uint32_t)fn->min, n,
		    fn->max == fn->min ? "argument" : "or more argument");
	if (fn->max >= 0 && n > (uint32_t)fn->max)
		return bad_count(
		    f, fn->name, "takes", (uint32_t)fn->max, n, "argument");
	if (fiber_reserve(f, at + 1, n + RESULTS_MAX) < 0)
		return THROWN;
	if (at + 1 + n > f->top)
		f->top = at + 1 + n; /* MANY arguments: roots, too */
	got = fn->fn(f, f->stack + at + 1, (int)n);
	f->top = top;
	if (got < 0)
		return got;
	f->nres = (uint32_t)got;
	if (want != MANY && want != 0 && (uint32_t)got != want)
		return bad_count(
		    f, fn->name, "returns", (uint32_t)got, want, "value");
	return 0;
}

int vm_call(struct fiber *f, uint32_t at, uint32_t n, uint32_t want, int flags)
{
	value fn = f->stack[at];

	if (is_kind(fn, KIND_CLOSURE))
		return call_closure(f, at, n, want, flags);
	if (is_kind(fn, KIND_NATIVE))
		return call_native(f, at, n, want);
	return throw_text(f, "cannot call %s", type_name(fn));
}

/* The last argument is a slice: its elements take its place. */
static int spread(struct fiber *f, uint32_t at, uint32_t *n)
{
	value last = f->stack[at + *n];
	struct slice *s;
	uint32_t len;

	if (last == NIL) {
		--*n;
		return 0;
	}
	if (!is_kind(last, KIND_SLICE))
		return throw_text(f, "cannot spread %s", type_name(last));
	s = slice_of(last);
	len = s->head.n;
	if (len > UINT16_MAX)
		return throw_text(f, "too many arguments");
	if (fiber_reserve(f, at, *n + len + 1) < 0)
		return THROWN;
	for (uint32_t i = 0; i < len; i++)
		f->stack[at + *n + i] = value_load(&s->body->at[s->from + i]);
	*n = *n - 1 + len;
	return 0;
}

/* Where the function of an instruction is, and how many arguments follow. */
static int arguments(
    struct fiber *f, const struct ins *i, uint32_t *at, uint32_t *n)
{
	*at = vm_frame(f)->base + i->a;
	*n = i->b == MANY ? f->nres : i->b;
	if (i->x && spread(f, *at, n) < 0)
		return THROWN;
	if (*at + 1 + *n > f->top)
		f->top = *at + 1 + *n;
	return 0;
}

int vm_call_ins(struct fiber *f, const struct ins *i)
{
	uint32_t depth = f->nframes, at, n;
	int err = arguments(f, i, &at, &n);

	if (err == 0)
		err = vm_call(f, at, n, i->c, 0);
	if (err < 0 || f->nframes == depth)
		set_top(f);
	return err;
}

/* A deferred call has come back. */
static int end_deferred(struct fiber *f)
{
	struct frame *fr = vm_frame(f);
	int flags = fr->flags;

	f->error = fr->panic;
	f->nframes--;
	set_top(f);
	if (!(flags & FRAME_PANIC))
		return 0;
	if (!(flags & FRAME_RECOVERED))
		return THROWN;
	f->error = NIL;
	fr = vm_frame(f);
	fr->pc = fr->fn->proto->code + fr->fn->proto->recover;
	return 0;
}

int vm_return(struct fiber *f, value *from, uint32_t n, bool nils)
{
	struct frame *fr = vm_frame(f);
	const char *name = fr->fn->proto->name;
	value *to = f->stack + fr->base - 1;
	uint32_t want = fr->want;

	if (fr->flags & FRAME_DEFERRED)
		return end_deferred(f);
	if (nils) {
		n = want == MANY ? 0 : want;
		for (uint32_t i = 0; i < n; i++)
			to[i] = NIL;
	} else if (want != 0) {
		for (uint32_t i = 0; i < n && i < want; i++)
			to[i] = from[i];
	}
	f->nres = n;
	if (--f->nframes == 0)
		return FINISHED;
	set_top(f);
	if (n != want && want != MANY && want != 0)
		return bad_count(f, name, "returns", n, want, "value");
	return 0;
}

/* Pushes the last call that the frame has put off, above its registers. */
static int call_deferred(struct fiber *f, int flags, value panic)
{
	struct defer *d = vm_frame(f)->defers;
	uint32_t at, depth = f->nframes;
	int err;

	set_top(f);
	at = f->top;
	if (fiber_reserve(f, at, d->head.n + 1) < 0) {
		vm_frame(f)->defers = d->next;
		return THROWN;
	}
	f->stack[at] = d->fn;
	memcpy(f->stack + at + 1, d->args, d->head.n * sizeof(value));
	f->top = at + 1 + d->head.n;
	vm_frame(f)->defers = d->next; /* no root any more */
	err = vm_call(f, at, d->head.n, 0, flags);
	if (err == 0 && f->nframes > depth)
		vm_frame(f)->panic = panic;
	else
		set_top(f);
	return err;
}

int vm_defers(struct fiber *f)
{
	return call_deferred(f, FRAME_DEFERRED, NIL);
}

int vm_unwind(struct fiber *f)
{
	value panic;
	uint32_t depth;
	int err;

	while (f->nframes > 0) {
		depth = f->nframes;
		if (!vm_frame(f)->defers) {
			f->nframes--;
			continue;
		}
		panic = f->error;
		err = call_deferred(f, FRAME_DEFERRED | FRAME_PANIC, panic);
		if (err == KILLED)
			return KILLED;
		if (err == 0 && f->nframes > depth)
			return 0;
		/* A native: the panic goes on, or a new one. */
		if (err == 0)
			f->error = panic;
	}
	f->top = 0;
	return THROWN;
}

value vm_recover(struct fiber *f)
{
	struct frame *fr = vm_frame(f);

	if ((fr->flags & (FRAME_PANIC | FRAME_RECOVERED)) != FRAME_PANIC)
		return NIL;
	fr->flags |= FRAME_RECOVERED;
	return fr->panic;
}

int vm_pack(struct fiber *f, value *at)
{
	struct slice *s = slice_new(f, f->nres, f->nres);

	if (!s)
		return throw_memory(f);
	for (uint32_t i = 0; i < f->nres; i++)
		s->body->at[i] = at[i];
	*at = from_object(s);
	return 0;
}

int vm_unpack(struct fiber *f, const struct ins *i)
{
	uint32_t at = vm_frame(f)->base + i->a;
	struct slice *s = slice_of(f->stack[at]);

	if (fiber_reserve(f, at, s->head.n + 1) < 0)
		return THROWN;
	f->nres = s->head.n;
	for (uint32_t k = 0; k < f->nres; k++)
		f->stack[at + k] = s->body->at[k];
	return 0;
}

static bool is_function(value v)
{
	return is_kind(v, KIND_CLOSURE) || is_kind(v, KIND_NATIVE);
}

int vm_go(struct fiber *f, const struct ins *i)
{
	uint32_t at, n;
	int err = arguments(f, i, &at, &n);

	if (err == 0 && !is_function(f->stack[at]))
		err = throw_text(f, "cannot call %s", type_name(f->stack[at]));
	if (err == 0)
		err =
		    fiber_start(f->m, f->stack[at], f->stack + at + 1, n, NULL);
	set_top(f);
	switch (err) {
	case 0:
	case THROWN:
		return err;
	case -EAGAIN:
		return throw_text(f, "too many goroutines");
	case -ECANCELED:
		return KILLED;
	default:
		return throw_memory(f);
	}
}

int vm_defer(struct fiber *f, const struct ins *i)
{
	struct defer *d;
	uint32_t at, n;
	int err = arguments(f, i, &at, &n);

	if (err == 0 && !is_function(f->stack[at]))
		err = throw_text(f, "cannot call %s", type_name(f->stack[at]));
	if (err < 0) {
		set_top(f);
		return err;
	}
	d = heap_alloc(
	    &f->m->heap, sizeof(*d) + n * sizeof(value), KIND_DEFER, n);
	if (!d) {
		set_top(f);
		return throw_memory(f);
	}
	d->fn = f->stack[at];
	memcpy(d->args, f->stack + at + 1, n * sizeof(value));
	d->next = vm_frame(f)->defers;
	vm_frame(f)->defers = d;
	set_top(f);
	return 0;
}
