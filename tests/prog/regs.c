/* SPDX-License-Identifier: MIT */
/*
 * regs.c - what a goroutine holds in registers survives its switches.
 *
 * Goroutines keep more integers, doubles, floats and long doubles alive than
 * there are registers, all different, over yields, sleeps and blocking
 * sections; a register that a switch loses or takes from another goroutine
 * shows at the next look.  The rounding mode of the program must be the one
 * it started with.
 *
 * And what belongs to the thread is read anew: errno of gamp/errno.h is that
 * of the thread the goroutine is on now (glibc's own may be stale, which is
 * why the header exists), and gamp_self stays.
 *
 * To be compiled in many ways: -O0 to -O3, gcc and clang, -flto, -fPIC.
 */
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include <gamp/errno.h> /* last */

#define APART      __attribute__((noinline))
#define GOROUTINES 40
#ifndef ROUNDS
#define ROUNDS 200
#endif

static atomic_int done, failures, moves;

static void fail(const char *what, int line)
{
	if (atomic_fetch_add(&failures, 1) < 10)
		(void)fprintf(stderr, "regs.c:%d: %s\n", line, what);
}

#define EXPECT(c) ((c) ? (void)0 : fail(#c, __LINE__))

static uint64_t scramble(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 29;
	return x;
}

/* A number that the compiler cannot compute again instead of keeping it. */
static APART uint64_t opaque(uint64_t x)
{
	__asm__ volatile("" : "+r"(x));
	return scramble(x);
}

static void wander(uint64_t n)
{
	if (n % 16 == 0) {
		EXPECT(gamp_sleep(20 * GAMP_MICROSECOND) == 0);
	} else if (n % 64 == 9) {
		gamp_enter_blocking();
		gamp_leave_blocking();
	} else {
		gamp_yield();
	}
}

#define TIMES(X)                                                              \
	X(0)                                                                  \
	X(1)                                                                  \
	X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) \
	    X(15) X(16) X(17) X(18) X(19)
#define SMALL(n, k) ((double)((opaque((n) + (k)) >> 40) + 1))

/* In one function, so that all are alive over each switch.  Everything is
 * derived from `n` again, by the same steps, to look at it. */
static APART void integers(uint64_t seed)
{
	for (uint64_t n = seed, i = 0; i < ROUNDS; i++, n += 1000) {
#define X(k) uint64_t v##k = opaque(n + k);
		TIMES(X)
#undef X
		wander(opaque(n));
#define X(k) EXPECT(v##k == opaque(n + k));
		TIMES(X)
#undef X
		wander(opaque(n) >> 8);
#define X(k) v##k ^= opaque(n + k);
		TIMES(X)
#undef X
#define X(k) EXPECT(v##k == 0);
		TIMES(X)
#undef X
	}
}

static APART void doubles(uint64_t seed)
{
	for (uint64_t n = seed, i = 0; i < ROUNDS; i++, n += 1000) {
#define X(k) double v##k = SMALL(n, k) / 3;
		TIMES(X)
#undef X
		wander(opaque(n));
#define X(k) EXPECT(v##k == SMALL(n, k) / 3);
		TIMES(X)
#undef X
	}
}

/* Two switches with nothing but multiplications between them. */
static APART void floats(uint64_t seed)
{
	for (uint64_t n = seed, i = 0; i < ROUNDS; i++, n += 1000) {
#define X(k)                                 \
	float v##k = (float)SMALL(n, k) / 7; \
	long double w##k = (long double)SMALL(n, k) / 11;
		TIMES(X)
#undef X
		wander(opaque(n));
#define X(k)       \
	v##k *= 3; \
	w##k *= 3;
		TIMES(X)
#undef X
		wander(opaque(n) >> 8);
#define X(k)                                        \
	EXPECT(v##k == (float)SMALL(n, k) / 7 * 3); \
	EXPECT(w##k == (long double)SMALL(n, k) / 11 * 3);
		TIMES(X)
#undef X
	}
}

/* A whole vector, and the lanes that are not callee-saved anywhere. */
typedef uint64_t vec __attribute__((vector_size(16)));

static APART void vectors(uint64_t seed)
{
	for (uint64_t n = seed, i = 0; i < ROUNDS; i++, n += 1000) {
#define X(k) vec v##k = { opaque(n + k), opaque(n - k) };
		TIMES(X)
#undef X
		wander(opaque(n));
#define X(k)                              \
	EXPECT(v##k[0] == opaque(n + k)); \
	EXPECT(v##k[1] == opaque(n - k));
		TIMES(X)
#undef X
	}
}

/* Through a volatile pointer nothing is known about the function. */
static int *(*volatile location_now)(void) = __errno_location;
static pthread_t (*volatile thread_now)(void) = pthread_self;

/* Long enough for others to be taken elsewhere. */
static void spin(void)
{
	for (volatile int i = 0; i < 3000; i++)
		;
}

static APART void threads(uint64_t seed)
{
	int64_t self = gamp_self();

	for (uint64_t i = 0; i < ROUNDS; i++) {
		pthread_t before = thread_now();

		/* Left on this thread for whoever trusts a stale address. */
		errno = 10000 + (int)seed;
		wander(opaque(seed + i));
		EXPECT(&errno == location_now());
		EXPECT(close(-1) == -1);
		EXPECT(errno == EBADF);
		errno = 0;
		EXPECT(*location_now() == 0);
		wander(opaque(seed + i) >> 8);
		EXPECT(&errno == location_now());
		EXPECT(gamp_self() == self);
		spin();
		if (!pthread_equal(before, thread_now()))
			atomic_fetch_add(&moves, 1);
	}
}

static void one(void *arg)
{
	static void (*const kinds[])(
	    uint64_t) = { integers, doubles, floats, vectors, threads };
	uint64_t n = (uint64_t)(uintptr_t)arg;

	kinds[n % 5](n << 32);
	EXPECT(fegetround() == FE_TONEAREST);
	kinds[(n + 1) % 5](n << 16);
	atomic_fetch_add(&done, 1);
}

static void run_all(void *arg)
{
	(void)arg;
	for (uintptr_t i = 1; i <= GOROUTINES; i++)
		EXPECT(gamp_go(one, (void *)i) > 0);
	while (atomic_load(&done) < GOROUTINES)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

int main(void)
{
	static const int procs[] = { 1, 2, 4 };

	for (size_t i = 0; i < sizeof(procs) / sizeof(procs[0]); i++) {
		struct gamp_options o = { .maxprocs = procs[i],
			.max_goroutines = 1000 }; /* qemu pays by the page */

		atomic_store(&done, 0);
		EXPECT(gamp_run(run_all, NULL, &o) == 0);
	}
	EXPECT(atomic_load(&moves) > 0);
	(void)printf("%d moves, %d failures\n", atomic_load(&moves),
	    atomic_load(&failures));
	return atomic_load(&failures) != 0;
}
