/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - does a goroutine's stack end where it begins?
 *
 * usage: unwind [DEPTH]
 *
 * Walks the stack of a goroutine with the unwinder of C++ and backtrace(3),
 * in the first run and after it has parked and moved.  Both must see DEPTH
 * frames of dive(), the body, the runtime's first function, the entry, and
 * then an end: not an error, and not a frame of a thread.  test_unwind.py
 * runs this, and runs it again in gdb, which stops in stop_here().
 */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unwind.h>

#include <gamp/gamp.h>

#define APART      __attribute__((noinline))
#define FRAMES_MAX 256

static int depth = 10;
static int failures;
static volatile int sink;

#define EXPECT(c)                 \
	((c) ? (void)0            \
	     : (void)(failures++, \
		   (void)fprintf(stderr, "unwind.c:%d: " #c "\n", __LINE__)))

struct walk {
	void *pc[FRAMES_MAX];
	int n;
};

static _Unwind_Reason_Code see(struct _Unwind_Context *c, void *arg)
{
	struct walk *w = arg;

	if (w->n == FRAMES_MAX)
		return _URC_END_OF_STACK;
	w->pc[w->n++] = (void *)_Unwind_GetIP(c);
	return _URC_NO_REASON;
}

/* What gdb waits for. */
APART void stop_here(int n);
APART void stop_here(int n)
{
	sink = n;
}

static APART void look(const char *when)
{
	static struct walk w;
	void *pc[FRAMES_MAX];
	_Unwind_Reason_Code r;
	int n;

	w.n = 0;
	r = _Unwind_Backtrace(see, &w);
	n = backtrace(pc, FRAMES_MAX);
	(void)printf("%s: unwinder %d frames, backtrace %d, end %d\n", when,
	    w.n, n, (int)r);
	EXPECT(r == _URC_END_OF_STACK);
	/* look, dive..., body, start, run_main, g_main, rt_ctx_entry; a
	 * compiler may inline a few.  glibc may give a last null. */
	EXPECT(w.n >= depth + 3 && w.n <= depth + 8);
	EXPECT(n >= depth + 3 && n <= depth + 8);
	stop_here(n);
	if (n > 0 && n < FRAMES_MAX) {
		char **name = backtrace_symbols(pc, n);

		for (int i = 0; name && i < n; i++)
			(void)printf("  %p %s\n", pc[i], name[i]);
		free(name);
	}
}

static APART void dive(int left, const char *when)
{
	if (left > 1)
		dive(left - 1, when);
	else
		look(when);
	sink = left; /* no tail call */
}

static void body(void *arg)
{
	(void)arg;
	dive(depth, "first");
	(void)gamp_sleep(GAMP_MILLISECOND);
	for (int i = 0; i < 100; i++)
		gamp_yield();
	dive(depth, "after parks");
	sink = 0;
}

static void other(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		(void)gamp_sleep(100 * GAMP_MICROSECOND);
}

static void start(void *arg)
{
	void *pc[4];

	(void)backtrace(pc, 4); /* loads libgcc, which takes stack */
	for (int i = 0; i < 10; i++)
		(void)gamp_go(other, NULL);
	body(arg);
	sink = 1;
}

int main(int argc, char **argv)
{
	struct gamp_options o = { .maxprocs = 2, .stack_size = 256 << 10 };

	if (argc > 1)
		depth = atoi(argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	EXPECT(gamp_run(start, NULL, &o) == 0);
	(void)puts(failures ? "failed" : "done");
	return failures != 0;
}
