/* SPDX-License-Identifier: MIT */
/*
 * tiny.c - a language with goroutines and a garbage collector, in one file.
 *
 *	tiny FILE [PROCS [HEAP]]
 *
 * It is the example of docs/embedding.md, which goes through it from top to
 * bottom.  Words are separated by spaces and work on a stack, as in Forth:
 *
 *	: square dup * ;		defines a word
 *	: main drop 7 square print ;	where it begins; prints 49
 *	if .. else .. then   begin .. while .. repeat
 *	box  makes one;   v box send;   box recv;   v go word;   ms sleep
 *
 * Values are integers of 63 bits (odd), cells (even), or nil (0).
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

typedef intptr_t value;

/* ---- 1. values, and the code they run ---------------------------------- */

struct fiber;

enum kind { PUSH, PRIM, CALL, JUMP, JUMP_IF_NIL, GO, RETURN };

struct op {
	enum kind kind;
	value v; /* the constant, or the address in code */
	void (*prim)(struct fiber *f);
};

enum { CODE = 4096, WORDS = 256, DEPTH = 256, CALLS = 64 };

static struct op code[CODE];
static int ncode;
static struct word {
	char name[16];
	int at;
} words[WORDS];
static int nwords;

/* One per goroutine, on its C stack: all that the collector has to see. */
struct fiber {
	value stack[DEPTH];
	int depth;
	int calls[CALLS], ncalls;
	value incoming; /* what recv was given while it was parked */
	gamp_ticket ticket;
	struct fiber *next_waiter;
};

static const char cancelled[] = "cancelled"; /* main has ended */

static _Noreturn void fail(const char *what)
{
	gamp_fail(1, (void *)(uintptr_t)what);
}

static void push(struct fiber *f, value v)
{
	if (f->depth == DEPTH)
		fail("the stack is full");
	f->stack[f->depth++] = v;
}

static value pop(struct fiber *f)
{
	if (f->depth == 0)
		fail("the stack is empty");
	return f->stack[--f->depth];
}

static value number(intptr_t n)
{
	return (value)((uintptr_t)n << 1 | 1);
}

static intptr_t pop_number(struct fiber *f)
{
	value v = pop(f);

	if (!(v & 1))
		fail("not a number");
	return v >> 1;
}

/* ---- 2. the heap, and its collector ------------------------------------ */

struct cell {
	struct cell *next; /* of all that were ever made */
	struct cell *gray; /* of those whose parts are to be marked */
	value a, b;	   /* a pair; or a box's first and last pair */
	bool marked, is_box;
	atomic_flag lock;      /* of a box, as what follows */
	struct fiber *waiters; /* who is parked in recv, the last one first */
};

static _Atomic(struct cell *) heap;
static atomic_long allocated; /* since the last collection */
static long heap_min = 10000, threshold = 10000; /* cells */
static long collections, live;

static void mark(struct cell **gray, value v)
{
	struct cell *c = (struct cell *)v;

	if (v == 0 || (v & 1) || c->marked)
		return;
	c->marked = true;
	c->gray = *gray;
	*gray = c;
}

struct start {
	int word;
	value v;
};

static void fiber_main(void *arg);

static int mark_goroutine(const struct gamp_view *view, void *gray)
{
	struct fiber *f = view->slots[0];

	if (f) {
		for (int i = 0; i < f->depth; i++)
			mark(gray, f->stack[i]);
		mark(gray, f->incoming);
	} else if (view->fn == fiber_main && /* it has not begun: */
	    view->stack_low == view->stack_high) {
		mark(gray, ((struct start *)view->arg)->v);
	}
	return 0;
}

static void sweep(void)
{
	struct cell *c = heap, *kept = NULL, *next;

	live = 0;
	for (; c; c = next) {
		next = c->next;
		if (!c->marked) {
			free(c);
			continue;
		}
		c->marked = false;
		c->next = kept;
		kept = c;
		live++;
	}
	heap = kept;
}

/* Any goroutine: from here on it is the only one that runs. */
static void collect(void)
{
	struct cell *gray = NULL, *c;

	if (gamp_stop_world() < 0)
		return;
	if (atomic_load(&allocated) >= threshold) { /* nobody was faster */
		(void)gamp_walk(mark_goroutine, &gray);
		while ((c = gray)) {
			gray = c->gray;
			mark(&gray, c->a);
			mark(&gray, c->b);
		}
		sweep();
		atomic_store(&allocated, 0);
		threshold = 2 * live > heap_min ? 2 * live : heap_min;
		collections++;
	}
	(void)gamp_start_world();
}

/* What it is made of has to be on f's stack: we may collect. */
static struct cell *make(void)
{
	struct cell *c;

	if (atomic_fetch_add(&allocated, 1) >= threshold)
		collect();
	c = calloc(1, sizeof(*c));
	if (!c)
		fail("out of memory");
	c->next = heap;
	while (!atomic_compare_exchange_weak(&heap, &c->next, c))
		;
	return c;
}

static struct cell *pop_cell(struct fiber *f, bool is_box)
{
	value v = pop(f);
	struct cell *c = (struct cell *)v;

	if (v == 0 || (v & 1) || c->is_box != is_box)
		fail(is_box ? "not a box" : "not a pair");
	return c;
}

/* ---- 3. boxes: a primitive of the language's own ----------------------- */

static void lock(struct cell *box)
{
	while (atomic_flag_test_and_set_explicit(
	    &box->lock, memory_order_acquire))
		;
}

static void unlock(struct cell *box)
{
	atomic_flag_clear_explicit(&box->lock, memory_order_release);
}

/* ( v box -- ) */
static void prim_send(struct fiber *f)
{
	struct cell *pair = make(), *box = pop_cell(f, true);
	struct fiber *to;

	pair->a = pop(f);
	lock(box);
	to = box->waiters;
	if (to) {
		box->waiters = to->next_waiter;
		to->incoming = pair->a;
	} else if (box->b) {
		((struct cell *)box->b)->b = (value)pair;
		box->b = (value)pair;
	} else {
		box->a = box->b = (value)pair;
	}
	unlock(box);
	if (to)
		(void)gamp_ready(to->ticket);
}

/* On another stack: f is parked, and whoever takes it out may wake it. */
static bool wait_in(gamp_ticket ticket, void *arg)
{
	struct fiber *f = arg;
	struct cell *box = (struct cell *)f->stack[f->depth - 1];

	f->ticket = ticket;
	f->next_waiter = box->waiters;
	box->waiters = f;
	unlock(box);
	return true;
}

static void forget(struct fiber *f, struct cell *box)
{
	struct fiber **at = &box->waiters;

	lock(box);
	while (*at && *at != f)
		at = &(*at)->next_waiter;
	if (*at)
		*at = f->next_waiter;
	unlock(box);
}

/* ( box -- v ); the box stays on the stack for as long as we wait. */
static void prim_recv(struct fiber *f)
{
	struct cell *box = pop_cell(f, true), *first;
	value v;

	push(f, (value)box);
	lock(box);
	first = (struct cell *)box->a;
	if (first) {
		v = first->a;
		box->a = first->b;
		if (!box->a)
			box->b = 0;
		unlock(box);
	} else {
		if (gamp_park(wait_in, f, GAMP_FOREVER, "box") < 0) {
			forget(f, box);
			fail(cancelled);
		}
		v = f->incoming;
		f->incoming = 0;
	}
	f->stack[f->depth - 1] = v;
}

static void prim_box(struct fiber *f)
{
	struct cell *c = make();

	c->is_box = true;
	push(f, (value)c);
}

/* ---- 4. the other words ------------------------------------------------ */

static void prim_add(struct fiber *f)
{
	intptr_t b = pop_number(f);

	push(f, number(pop_number(f) + b));
}

static void prim_sub(struct fiber *f)
{
	intptr_t b = pop_number(f);

	push(f, number(pop_number(f) - b));
}

static void prim_mul(struct fiber *f)
{
	intptr_t b = pop_number(f);

	push(f, number(pop_number(f) * b));
}

static void prim_less(struct fiber *f)
{
	intptr_t b = pop_number(f);

	push(f, pop_number(f) < b ? number(1) : 0);
}

static void prim_not(struct fiber *f)
{
	push(f, pop(f) ? 0 : number(1));
}

static void prim_nil(struct fiber *f)
{
	push(f, 0);
}

static void prim_dup(struct fiber *f)
{
	value v = pop(f);

	push(f, v);
	push(f, v);
}

/* ( ... n -- ... v ): what lies n below the top. */
static void prim_pick(struct fiber *f)
{
	intptr_t n = pop_number(f);

	if (n < 0 || n >= f->depth)
		fail("the stack is not as deep");
	push(f, f->stack[f->depth - 1 - n]);
}

static void prim_drop(struct fiber *f)
{
	(void)pop(f);
}

static void prim_swap(struct fiber *f)
{
	value b = pop(f), a = pop(f);

	push(f, b);
	push(f, a);
}

/* ( a b -- pair ) */
static void prim_cons(struct fiber *f)
{
	struct cell *c = make();

	c->b = pop(f);
	c->a = pop(f);
	push(f, (value)c);
}

static void prim_car(struct fiber *f)
{
	push(f, pop_cell(f, false)->a);
}

static void prim_cdr(struct fiber *f)
{
	push(f, pop_cell(f, false)->b);
}

static void prim_print(struct fiber *f)
{
	printf("%ld\n", (long)pop_number(f));
}

static void prim_sleep(struct fiber *f)
{
	if (gamp_sleep(pop_number(f) * GAMP_MILLISECOND) < 0)
		fail(cancelled);
}

static void prim_fail(struct fiber *f)
{
	(void)f;
	fail("the program says so");
}

static const struct {
	const char *name;
	void (*prim)(struct fiber *f);
} prims[] = { { "+", prim_add }, { "-", prim_sub }, { "*", prim_mul },
	{ "<", prim_less }, { "not", prim_not }, { "nil", prim_nil },
	{ "dup", prim_dup }, { "pick", prim_pick }, { "drop", prim_drop },
	{ "swap", prim_swap }, { "cons", prim_cons }, { "car", prim_car },
	{ "cdr", prim_cdr }, { "box", prim_box }, { "send", prim_send },
	{ "recv", prim_recv }, { "print", prim_print },
	{ "sleep", prim_sleep }, { "fail", prim_fail } };

/* ---- 5. the interpreter, in a goroutine each --------------------------- */

static void go(struct fiber *f, int word)
{
	struct start *s = malloc(sizeof(*s));

	if (!s)
		fail("out of memory");
	if (f->depth == 0) {
		free(s);
		fail("the stack is empty");
	}
	*s = (struct start){ word, f->stack[f->depth - 1] };
	if (gamp_go(fiber_main, s) < 0) {
		free(s);
		fail("no more goroutines");
	}
	f->depth--; /* only now: it had to be somewhere */
}

static void interpret(struct fiber *f, int pc)
{
	for (;;) {
		const struct op *op = &code[pc++];

		switch (op->kind) {
		case PUSH:
			push(f, op->v);
			break;
		case PRIM:
			op->prim(f);
			break;
		case CALL:
			if (f->ncalls == CALLS)
				fail("too many calls");
			f->calls[f->ncalls++] = pc;
			pc = (int)op->v;
			break;
		case JUMP_IF_NIL:
			if (!pop(f))
				pc = (int)op->v;
			break;
		case JUMP: /* loops, so others get their turn here */
			if (gamp_checkpoint() < 0)
				fail(cancelled);
			pc = (int)op->v;
			break;
		case GO:
			go(f, (int)op->v);
			break;
		case RETURN:
			if (f->ncalls == 0)
				return;
			pc = f->calls[--f->ncalls];
			break;
		}
	}
}

static void fiber_main(void *arg)
{
	struct start s = *(struct start *)arg;
	struct fiber f = { .depth = 0 };

	gamp_slots()[0] = &f; /* from here on the collector sees it */
	free(arg);
	push(&f, s.v);
	interpret(&f, s.word);
	gamp_slots()[0] = NULL;
}

/* However deep it was, f is gone: nothing of it is touched any more. */
static void report(int64_t id, void **slots, const struct gamp_failure *how)
{
	slots[0] = NULL;
	if (how->value != cancelled)
		fprintf(stderr, "goroutine %lld: %s\n", (long long)id,
		    (const char *)how->value);
}

/* ---- 6. the compiler --------------------------------------------------- */

static struct op *emit(enum kind kind, value v)
{
	if (ncode == CODE) {
		fprintf(stderr, "tiny: the program is too long\n");
		exit(1);
	}
	code[ncode] = (struct op){ .kind = kind, .v = v };
	return &code[ncode++];
}

static int find(const char *name)
{
	for (int i = nwords - 1; i >= 0; i--)
		if (strcmp(words[i].name, name) == 0)
			return i;
	return -1;
}

static bool next(FILE *in, char *token)
{
	return fscanf(in, "%15s", token) == 1;
}

static void compile_name(const char *name)
{
	char *end;
	long n = strtol(name, &end, 0);
	int w = find(name);

	if (*end == 0) {
		emit(PUSH, number(n));
		return;
	}
	if (w >= 0) {
		emit(CALL, words[w].at);
		return;
	}
	for (size_t i = 0; i < sizeof(prims) / sizeof(prims[0]); i++)
		if (strcmp(prims[i].name, name) == 0) {
			emit(PRIM, 0)->prim = prims[i].prim;
			return;
		}
	fprintf(stderr, "tiny: what is \"%s\"?\n", name);
	exit(1);
}

/* To the end of the definition, or of the file.  Forward jumps are a stack,
 * kept by recursion: what ended the block is in `token`. */
static void compile(FILE *in, char *token)
{
	while (next(in, token)) {
		int from = ncode;

		if (strcmp(token, "if") == 0) {
			emit(JUMP_IF_NIL, 0);
			compile(in, token);
			if (strcmp(token, "else") == 0) {
				emit(JUMP, 0);
				code[from].v = ncode;
				from = ncode - 1;
				compile(in, token);
			}
			code[from].v = ncode;
		} else if (strcmp(token, "begin") == 0) {
			int out;

			compile(in, token); /* to "while" */
			out = ncode;
			emit(JUMP_IF_NIL, 0);
			compile(in, token); /* to "repeat" */
			emit(JUMP, from);
			code[out].v = ncode;
		} else if (strcmp(token, "go") == 0 && next(in, token) &&
		    find(token) >= 0) {
			emit(GO, words[find(token)].at);
		} else if (strcmp(token, "else") == 0 ||
		    strcmp(token, "then") == 0 ||
		    strcmp(token, "while") == 0 ||
		    strcmp(token, "repeat") == 0 || strcmp(token, ";") == 0) {
			return;
		} else {
			compile_name(token);
		}
	}
	token[0] = 0;
}

/* Definitions, then a word that is run: ": main ... ;". */
static void compile_file(FILE *in)
{
	char token[16];

	while (next(in, token)) {
		struct word *w = &words[nwords];

		if (strcmp(token, ":") != 0 || nwords == WORDS ||
		    !next(in, w->name)) {
			fprintf(stderr, "tiny: a definition begins with :\n");
			exit(1);
		}
		w->at = ncode;
		nwords++; /* it may call itself */
		compile(in, token);
		emit(RETURN, 0);
	}
}

int main(int argc, char **argv)
{
	struct gamp_embed hooks = { .failed = report };
	struct gamp_options options = { .embed = &hooks };
	FILE *in = argc > 1 ? fopen(argv[1], "r") : NULL;
	struct start *s;
	int r;

	if (!in) {
		fprintf(stderr, "usage: tiny FILE [PROCS [HEAP]]\n");
		return 1;
	}
	compile_file(in);
	(void)fclose(in);
	s = malloc(sizeof(*s));
	if (!s || find("main") < 0) {
		fprintf(stderr, "tiny: there is no main\n");
		return 1;
	}
	if (argc > 2)
		options.maxprocs = atoi(argv[2]);
	if (argc > 3)
		heap_min = threshold = atol(argv[3]);
	*s = (struct start){ words[find("main")].at, 0 };
	r = gamp_run(fiber_main, s, &options);
	sweep(); /* nothing is marked: all of it goes */
	if (r < 0)
		fprintf(stderr, "tiny: %s\n", strerror(-r));
	if (argc > 3)
		fprintf(stderr, "%ld collections\n", collections);
	return r < 0;
}
