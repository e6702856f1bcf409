/* SPDX-License-Identifier: MIT */
/*
 * overflow.c - a goroutine that needs more stack than it has.
 *
 * Each case is a child process that must die by SIGSEGV, at once: not run on,
 * and not write into the stacks below, whose owners hold a pattern and look
 * at it all the time.  Small frames walk into the guard page; a frame of 100
 * KiB would jump it, and is caught because -fstack-clash-protection touches
 * every page (the flag is exported to users).  Guards of both kinds.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define APART      __attribute__((noinline))
#define NEIGHBOURS 100
#define PATTERN    20000 /* bytes of each neighbour's stack */

#define CHECK(c)                                                          \
	do {                                                              \
		if (!(c)) {                                               \
			(void)fprintf(                                    \
			    stderr, "overflow.c:%d: " #c "\n", __LINE__); \
			_exit(1);                                         \
		}                                                         \
	} while (0)

/* Shared with the parent. */
static struct {
	atomic_int neighbours, begun, survived, damaged;
} * seen;

static volatile char sink;

/* Neighbours look at their patterns as long as they live. */
static void neighbour(void *arg)
{
	volatile char mine[PATTERN];
	char with = (char)(intptr_t)arg;

	for (size_t i = 0; i < sizeof(mine); i++)
		mine[i] = with;
	atomic_fetch_add(&seen->neighbours, 1);
	while (gamp_sleep(GAMP_MILLISECOND) == 0)
		for (size_t i = 0; i < sizeof(mine); i++)
			if (mine[i] != with)
				atomic_store(&seen->damaged, 1);
}

static APART int small_frames(int n)
{
	volatile char buf[200];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)n;
	return n > 100000000 ? 0 : small_frames(n + 1) + buf[n % 200];
}

/* Only its far end is touched, if nobody touches the pages between. */
static APART void large_frame(void)
{
	volatile char buf[100 << 10];

	__asm__ volatile("" ::"r"(buf) : "memory"); /* all of it is needed */
	buf[0] = 1;
	sink = buf[0];
}

static APART void variable_frame(size_t n)
{
	volatile char *buf = __builtin_alloca(n);

	buf[0] = 1;
	sink = buf[0];
}

static void by_small_frames(void *arg)
{
	(void)arg;
	atomic_store(&seen->begun, 1);
	sink = (char)small_frames(0);
	atomic_store(&seen->survived, 1);
}

static void by_large_frame(void *arg)
{
	(void)arg;
	atomic_store(&seen->begun, 1);
	large_frame();
	atomic_store(&seen->survived, 1);
}

static void by_variable_frame(void *arg)
{
	volatile size_t n = 200 << 10;

	(void)arg;
	atomic_store(&seen->begun, 1);
	variable_frame(n);
	atomic_store(&seen->survived, 1);
}

/* What fits is let be. */
static APART void deep_enough(void)
{
	volatile char buf[50 << 10];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = 7;
	gamp_yield();
	for (size_t i = 0; i < sizeof(buf); i++)
		if (buf[i] != 7)
			atomic_store(&seen->damaged, 1);
	sink = buf[9];
}

static void by_what_fits(void *arg)
{
	(void)arg;
	atomic_store(&seen->begun, 1);
	deep_enough();
	atomic_store(&seen->survived, 1);
}

static void crowd(void *arg)
{
	gamp_fn *fn;

	memcpy(&fn, arg, sizeof(fn));
	for (intptr_t i = 1; i <= NEIGHBOURS; i++) {
		CHECK(gamp_go(neighbour, (void *)i) > 0);
		if (i == NEIGHBOURS / 2)
			CHECK(gamp_go(fn, NULL) > 0);
		if (i < NEIGHBOURS / 2 || i == NEIGHBOURS)
			while (atomic_load(&seen->neighbours) < i)
				gamp_yield();
	}
	/* The one that overflows is in their midst. */
	for (int i = 0; i < 6000 && !atomic_load(&seen->survived); i++)
		CHECK(gamp_sleep(10 * GAMP_MILLISECOND) == 0);
}

static int child(gamp_fn *fn, const char *debug)
{
	struct rlimit none = { 0, 0 };
	int status;
	pid_t pid;

	memset(seen, 0, sizeof(*seen));
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)alarm(120);
		if (debug)
			(void)setenv("GAMP_DEBUG", debug, 1);
		/* Stopping takes as long as it takes. */
		(void)gamp_run(crowd, &fn, NULL);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(void)
{
	static const struct {
		const char *name;
		gamp_fn *fn;
		bool dies;
	} cases[] = {
		{ "what fits", by_what_fits, false },
		{ "small frames", by_small_frames, true },
		{ "a frame of 100 KiB", by_large_frame, true },
		{ "alloca of 200 KiB", by_variable_frame, true },
	};
	int bad = 0;

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seen != MAP_FAILED);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *debug = i % 2 ? "guard=mprotect" : NULL;
		int status = child(cases[i / 2].fn, debug);
		bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
		bool good = cases[i / 2].dies
				? died && !atomic_load(&seen->survived)
				: status == 0 && atomic_load(&seen->survived);

		good &= atomic_load(&seen->begun) == 1 &&
			!atomic_load(&seen->damaged);
		(void)printf("%s %s%s%s: status %d\n", good ? "ok  " : "FAIL",
		    cases[i / 2].name, debug ? ", " : "", debug ? debug : "",
		    status);
		bad += !good;
	}
	return bad != 0;
}
