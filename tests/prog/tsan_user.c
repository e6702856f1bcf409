/* SPDX-License-Identifier: MIT */
/*
 * tsan_user.c - a user's program under ThreadSanitizer or AddressSanitizer.
 *
 * usage: tsan_user MODE PROCS
 *
 * Each mode either has a bug that the sanitizer must report, or hands data
 * over in a way that is ordered, which it must not.  test_tsan_user.py knows
 * which.  The runtime is the library as a user builds it; all that this file
 * shares with it is gamp/gamp.h.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define APART __attribute__((noinline))
#define SLOTS 40 /* more than a batch of stacks: slots differ */

static struct {
	int x; /* plain, on purpose */
	char pad[128];
	atomic_int done, turn;
	pthread_mutex_t mutex;
	gamp_fd in, out;
} s = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void check(int ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "tsan_user: %s\n", what);
	abort();
}

#define CHECK(c) check(c, #c)

/* Relaxed: it must not order what the test is about. */
static void finish(void)
{
	(void)atomic_fetch_add_explicit(&s.done, 1, memory_order_relaxed);
}

static void wait_done(int n)
{
	while (atomic_load_explicit(&s.done, memory_order_relaxed) < n)
		CHECK(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static void open_pipe(void)
{
	int p[2];

	CHECK(pipe(p) == 0);
	s.in = gamp_adopt(p[0]);
	s.out = gamp_adopt(p[1]);
	CHECK(s.in > 0 && s.out > 0);
}

/* Two goroutines, one variable, nothing between. */
static APART void touch(void *arg)
{
	(void)arg;
	s.x++;
	finish();
}

/* Both are there at once: else the second may get the first's stack, and be
 * the same to the sanitizer. */
static void stay(int n)
{
	while (atomic_load_explicit(&s.done, memory_order_relaxed) < n)
		gamp_yield();
}

static void touch_and_stay(void *arg)
{
	touch(arg);
	stay(2);
}

static void race(void)
{
	CHECK(gamp_go(touch_and_stay, NULL) > 0);
	CHECK(gamp_go(touch_and_stay, NULL) > 0);
	wait_done(2);
}

/* The same after parks, on whatever threads those end up. */
static APART void touch_late(void *arg)
{
	CHECK(gamp_sleep((int64_t)(intptr_t)arg * GAMP_MILLISECOND) == 0);
	s.x++;
	gamp_yield();
	finish();
	stay(2);
}

static void race_late(void)
{
	CHECK(gamp_go(touch_late, (void *)5) > 0);
	CHECK(gamp_go(touch_late, (void *)10) > 0);
	wait_done(2);
}

/* A goroutine against a thread of the program. */
static void *touch_thread(void *arg)
{
	touch(arg);
	return NULL;
}

static void race_thread(void)
{
	pthread_t t;

	CHECK(gamp_go(touch, NULL) > 0);
	CHECK(pthread_create(&t, NULL, touch_thread, NULL) == 0);
	wait_done(2);
	CHECK(pthread_join(t, NULL) == 0);
}

/* One slot after the other: the second has the first's stack. */
static void race_after_exit(void)
{
	CHECK(gamp_go(touch, NULL) > 0);
	wait_done(1);
	CHECK(gamp_go(touch, NULL) > 0);
	wait_done(2);
}

/* Argument passing: what was written before gamp_go is seen. */
static APART void pass_on(void *arg)
{
	int *left = arg;

	s.x++;
	if (--*left > 0)
		CHECK(gamp_go(pass_on, arg) > 0);
	else
		finish();
}

static void go(void)
{
	int left = 1000;

	s.x = 1;
	CHECK(gamp_go(pass_on, &left) > 0);
	wait_done(1);
}

/* A pipe and an atomic: the reader is parked, and readied by the poller. */
static void send_turns(void *arg)
{
	char c = 'x';

	(void)arg;
	for (int i = 0; i < 100; i++) {
		while (atomic_load(&s.turn) != 0)
			gamp_yield();
		s.x++;
		atomic_store(&s.turn, 1);
		CHECK(gamp_write(s.out, &c, 1) == 1);
	}
	finish();
}

static void take_turns(void *arg)
{
	char c;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		CHECK(gamp_read(s.in, &c, 1) == 1);
		CHECK(atomic_load(&s.turn) == 1);
		s.x++;
		atomic_store(&s.turn, 0);
	}
	finish();
}

static void pipe_atomic(void)
{
	open_pipe();
	CHECK(gamp_go(take_turns, NULL) > 0);
	CHECK(gamp_go(send_turns, NULL) > 0);
	wait_done(2);
}

/* A pipe alone: a write happens before the read that gets its bytes. */
static void send_once(void *arg)
{
	char c = 'x';

	(void)arg;
	s.x++;
	CHECK(gamp_write(s.out, &c, 1) == 1);
	finish();
}

static void take_once(void *arg)
{
	char c;

	(void)arg;
	CHECK(gamp_read(s.in, &c, 1) == 1);
	s.x++;
	finish();
}

static void pipe_alone(void)
{
	open_pipe();
	CHECK(gamp_go(take_once, NULL) > 0);
	CHECK(gamp_sleep(2 * GAMP_MILLISECOND) == 0); /* it is parked */
	CHECK(gamp_go(send_once, NULL) > 0);
	wait_done(2);
}

/* No goroutine until there is something: its argument is still seen. */
static void first_byte(void *arg)
{
	int *p = arg;
	char c;

	CHECK(*p == 7);
	free(p);
	CHECK(gamp_read(s.in, &c, 1) == 1);
	finish();
}

static void arm_it(void *arg)
{
	int *p = malloc(sizeof(*p));
	char c;

	(void)arg;
	CHECK(p != NULL);
	*p = 7;
	CHECK(gamp_read(s.in, &c, 1) == 1); /* drained now: so it is armed */
	CHECK(gamp_go_when_readable(s.in, first_byte, p) == 0);
	finish();
}

static void when_readable(void)
{
	char c[2] = "xy";

	open_pipe();
	CHECK(gamp_go(arm_it, NULL) > 0);
	CHECK(write(gamp_sysfd(s.out), c, 1) == 1);
	wait_done(1);
	CHECK(write(gamp_sysfd(s.out), c + 1, 1) == 1);
	wait_done(2);
}

static void locked(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		CHECK(pthread_mutex_lock(&s.mutex) == 0);
		s.x++;
		CHECK(pthread_mutex_unlock(&s.mutex) == 0);
		gamp_yield();
	}
	finish();
}

static void mutex(void)
{
	for (int i = 0; i < 4; i++)
		CHECK(gamp_go(locked, NULL) > 0);
	wait_done(4);
}

/* A goroutine's own data, over parks and threads. */
static APART void own(void *arg)
{
	int mine[64], *heap = calloc(64, sizeof(int));

	(void)arg;
	CHECK(heap != NULL);
	memset(mine, 0, sizeof(mine));
	for (int i = 0; i < 64; i++) {
		mine[i] = heap[i] = i;
		if (i % 8 == 0)
			CHECK(gamp_sleep(100 * GAMP_MICROSECOND) == 0);
		else
			gamp_yield();
		CHECK(mine[i] == i && heap[i] == i);
	}
	free(heap);
	finish();
}

static void many_own(void)
{
	for (int i = 0; i < SLOTS; i++)
		CHECK(gamp_go(own, NULL) > 0);
	wait_done(SLOTS);
}

/* Frames that are never returned from: whoever keeps a stack of them beside
 * the real one has to forget them. */
static APART void deep_exit(int n)
{
	if (n == 0) {
		finish();
		gamp_exit();
	}
	if (n > 0)
		deep_exit(n - 1);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static void exit_deep(void *arg)
{
	deep_exit((int)(intptr_t)arg);
}

static void return_deep(void *arg)
{
	(void)arg;
	finish();
}

static void exits(gamp_fn *fn, int depth, int rounds)
{
	for (int i = 1; i <= rounds; i++) {
		CHECK(gamp_go(fn, (void *)(intptr_t)depth) > 0);
		while (atomic_load_explicit(&s.done, memory_order_relaxed) < i)
			gamp_yield();
	}
}

static void many_exits(void)
{
	exits(exit_deep, 30, 3000);
}

static void many_returns(void)
{
	exits(return_deep, 0, 100000);
}

/* Beyond the end of a block. */
static APART void write_at(volatile char *p, size_t i)
{
	p[i] = 1;
}

static void overflow_heap(void *arg)
{
	char *p = malloc(10);

	(void)arg;
	gamp_yield();
	write_at(p, 10);
	free(p);
	finish();
}

static void heap(void)
{
	CHECK(gamp_go(overflow_heap, NULL) > 0);
	wait_done(1);
}

static void overflow_frame(void *arg)
{
	char buf[32];

	(void)arg;
	memset(buf, 0, sizeof(buf));
	gamp_yield();
	write_at(buf, sizeof(buf) + 1);
	finish();
}

static void frame(void)
{
	CHECK(gamp_go(overflow_frame, NULL) > 0);
	wait_done(1);
}

static char *freed;

static void free_it(void *arg)
{
	(void)arg;
	free(freed);
	finish();
}

static void use_it(void *arg)
{
	(void)arg;
	while (atomic_load(&s.done) == 0)
		gamp_yield();
	write_at(freed, 0);
	finish();
}

static void after_free(void)
{
	freed = malloc(10);
	CHECK(gamp_go(use_it, NULL) > 0);
	CHECK(gamp_go(free_it, NULL) > 0);
	wait_done(2);
}

/* Much stack, used, left, and used by the next in the same slot. */
static APART size_t fill(int depth, char with)
{
	volatile char buf[2000];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = with;
	gamp_yield();
	return depth == 0 ? (size_t)buf[7]
			  : fill(depth - 1, with) + (size_t)buf[9];
}

static void use_stack(void *arg)
{
	(void)fill(8, (char)(intptr_t)arg);
	if ((intptr_t)arg % 2)
		finish();
	else
		deep_exit(3);
}

static void stacks(void)
{
	for (int i = 1; i <= 200; i++) {
		CHECK(gamp_go(use_stack, (void *)(intptr_t)i) > 0);
		if (i % 10 == 0)
			wait_done(i);
	}
	wait_done(200);
}

static const struct mode {
	const char *name;
	void (*fn)(void);
} modes[] = {
	{ "race", race },
	{ "race_late", race_late },
	{ "race_thread", race_thread },
	{ "race_after_exit", race_after_exit },
	{ "go", go },
	{ "pipe_atomic", pipe_atomic },
	{ "pipe_alone", pipe_alone },
	{ "when_readable", when_readable },
	{ "mutex", mutex },
	{ "own", many_own },
	{ "exits", many_exits },
	{ "returns", many_returns },
	{ "heap", heap },
	{ "frame", frame },
	{ "after_free", after_free },
	{ "stacks", stacks },
};

static int results[8]; /* plain */

static void main_go(void *arg)
{
	const struct mode *m = arg;

	/* What was before gamp_run is before main. */
	CHECK(results[0] == 1);
	results[1] = 2;
	m->fn();
	results[2] = 3;
}

int main(int argc, char **argv)
{
	struct gamp_options o = { .maxprocs = argc > 2 ? atoi(argv[2]) : 2 };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (argc < 2 || strcmp(argv[1], modes[i].name) != 0)
			continue;
		results[0] = 1;
		CHECK(gamp_run(main_go, (void *)(uintptr_t)&modes[i], &o) == 0);
		/* And main is before what follows gamp_run. */
		CHECK(results[1] == 2 && results[2] == 3);
		(void)puts("done");
		return 0;
	}
	(void)fprintf(stderr, "usage: tsan_user MODE PROCS\n");
	return 2;
}
