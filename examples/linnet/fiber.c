/* SPDX-License-Identifier: MIT */
/* fiber.c - goroutines of a script: their beginning, stacks and end. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm.h"

static bool grow_stack(struct fiber *f, uint32_t need)
{
	uint32_t cap = f->cap * 2 > need ? f->cap * 2 : need;
	value *to = malloc(cap * sizeof(*to));

	if (!to)
		return false;
	memcpy(to, f->stack, f->cap * sizeof(*to));
	heap_outside(
	    &f->m->heap, (int64_t)(cap - f->cap) * (int64_t)sizeof(*to));
	if (f->stack != f->first)
		free(f->stack);
	f->stack = to;
	f->cap = cap;
	return true;
}

int fiber_reserve(struct fiber *f, uint32_t at, uint32_t n)
{
	if (at + n <= f->cap)
		return 0;
	if (at + n > STACK_MAX)
		return throw_text(f, "stack overflow");
	if (native_reserve(f, f->cap * sizeof(value)) < 0)
		return THROWN;
	return grow_stack(f, at + n) ? 0 : throw_memory(f);
}

int fiber_reserve_frame(struct fiber *f)
{
	uint32_t cap = f->frames_cap * 2;
	struct frame *to;

	if (f->nframes >= f->m->opt.depth)
		return throw_text(f, "stack overflow: %u calls", f->nframes);
	if (f->nframes < f->frames_cap)
		return 0;
	if (cap > f->m->opt.depth)
		cap = f->m->opt.depth;
	to = malloc(cap * sizeof(*to));
	if (!to)
		return throw_memory(f);
	memcpy(to, f->frames, f->nframes * sizeof(*to));
	heap_outside(
	    &f->m->heap, (int64_t)(cap - f->frames_cap) * (int64_t)sizeof(*to));
	if (f->frames != f->first_frames)
		free(f->frames);
	f->frames = to;
	f->frames_cap = cap;
	return 0;
}

static int64_t outside_size(const struct fiber *f)
{
	size_t n = sizeof(*f);

	if (f->stack != f->first)
		n += (f->cap - STACK_FIRST) * sizeof(value);
	if (f->frames != f->first_frames)
		n += (f->frames_cap - FRAMES_FIRST) * sizeof(struct frame);
	return (int64_t)n;
}

static void unlink_fiber(struct fiber *f)
{
	struct linnet *m = f->m;

	spin_lock(&m->lock);
	if (f->prev)
		f->prev->next = f->next;
	else
		m->fibers = f->next;
	if (f->next)
		f->next->prev = f->prev;
	__atomic_store_n(&m->nfibers, m->nfibers - 1, __ATOMIC_RELAXED);
	spin_unlock(&m->lock);
}

static void free_fiber(struct fiber *f)
{
	heap_outside(&f->m->heap, -outside_size(f));
	if (f->stack != f->first)
		free(f->stack);
	if (f->frames != f->first_frames)
		free(f->frames);
	free(f->trace);
	free(f);
}

static struct fiber *new_fiber(struct linnet *m)
{
	struct fiber *f = malloc(sizeof(*f));

	if (!f)
		return NULL;
	memset(f, 0, offsetof(struct fiber, first));
	f->m = m;
	f->stack = f->first;
	f->cap = STACK_FIRST;
	f->frames = f->first_frames;
	f->frames_cap = FRAMES_FIRST;
	f->seed = (uint32_t)((uintptr_t)f >> 6);
	heap_outside(&m->heap, outside_size(f));
	return f;
}

/* What a goroutine is, in C. */
static int run(void *arg)
{
	struct fiber *f = arg;
	struct linnet *m = f->m;
	struct gamp_sem *done = f->done;
	int err;

	err = gamp_cancelled() ? KILLED : vm_call(f, 0, f->nres, 0, 0);
	if (err == 0 && f->nframes > 0)
		err = vm_run(f);
	else if (err == THROWN)
		err = vm_unwind(f);
	if (err == THROWN) {
		fiber_report(f);
		if (machine_show(m) < 0)
			machine_end(m, STATUS_PANIC);
	}
	unlink_fiber(f);
	free_fiber(f);
	if (done)
		(void)gamp_sem_release(done);
	return 0;
}

int fiber_start(struct linnet *m, value fn, const value *args, uint32_t n,
    struct gamp_sem *done)
{
	struct fiber *f = new_fiber(m);
	int err;

	if (!f || (n >= STACK_FIRST && !grow_stack(f, n + 8))) {
		if (f)
			free_fiber(f);
		return -ENOMEM;
	}
	f->stack[0] = fn;
	if (n > 0)
		memcpy(f->stack + 1, args, n * sizeof(*args));
	f->top = n + 1;
	f->nres = n;
	f->done = done;
	spin_lock(&m->lock);
	if (m->nfibers >= m->opt.goroutines) {
		spin_unlock(&m->lock);
		free_fiber(f);
		return -EAGAIN;
	}
	__atomic_store_n(&m->nfibers, m->nfibers + 1, __ATOMIC_RELAXED);
	f->next = m->fibers;
	if (f->next)
		f->next->prev = f;
	m->fibers = f;
	spin_unlock(&m->lock);
	err = gamp_group_go(&m->group, run, f);
	if (err < 0) {
		unlink_fiber(f);
		free_fiber(f);
	}
	return err;
}

/* ---- panics ----------------------------------------------------------- */

static struct at place(const struct frame *fr)
{
	const struct proto *pr = fr->fn->proto;
	size_t i = (size_t)(fr->pc - pr->code);

	return pr->at[i > 0 ? i - 1 : 0];
}

/* The frames of a panic, as text, before they are unwound. */
static void take_trace(struct fiber *f)
{
	struct text t = { 0 };
	uint32_t shown = 0;

	free(f->trace);
	f->trace = NULL;
	f->file = NULL;
	for (uint32_t i = f->nframes; i-- > 0 && shown < TRACE_MAX; shown++) {
		struct frame *fr = &f->frames[i];
		struct at at = place(fr);

		if (!f->file) {
			f->file = fr->fn->proto->file;
			f->at = at;
		}
		text_puts(&t, "\tin ");
		text_puts(&t, fr->fn->proto->name);
		text_puts(&t, ", ");
		text_puts(&t, fr->fn->proto->file);
		text_puts(&t, ":");
		text_int(&t, at.line);
		text_puts(&t, ":");
		text_int(&t, at.col);
		text_puts(&t, "\n");
	}
	if (shown < f->nframes) {
		text_puts(&t, "\tand ");
		text_int(&t, f->nframes - shown);
		text_puts(&t, " more\n");
	}
	text_put(&t, "", 1);
	if (t.failed)
		text_free(&t);
	f->trace = t.s;
}

int throw_value(struct fiber *f, value v)
{
	f->error = v;
	take_trace(f);
	return THROWN;
}

int throw_text(struct fiber *f, const char *fmt, ...)
{
	struct string *s;
	char line[200];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	s = string_from(f, line, (size_t)n);
	if (!s)
		return throw_memory(f);
	return throw_value(f, from_object(s));
}

int throw_memory(struct fiber *f)
{
	/* Made beforehand: there is no memory. */
	return throw_value(f, from_object(f->m->no_memory));
}

void fiber_report(struct fiber *f)
{
	struct text t = { 0 };

	if (f->file) {
		text_puts(&t, f->file);
		text_puts(&t, ":");
		text_int(&t, f->at.line);
		text_puts(&t, ":");
		text_int(&t, f->at.col);
		text_puts(&t, ": ");
	}
	text_puts(&t, "panic: ");
	text_value(&t, f->error, false, 0);
	text_puts(&t, "\n");
	if (f->trace)
		text_puts(&t, f->trace);
	if (t.failed)
		machine_print(f->m, 2, "panic: out of memory\n", 21);
	else
		machine_print(f->m, 2, t.s, t.n);
	text_free(&t);
}
