/* SPDX-License-Identifier: MIT */
/*
 * child.c - cost of a child process that does nothing.
 *
 * Answers: what do gamp_spawn and gamp_process_wait cost together, by one
 * goroutine and by 16 at once, beside posix_spawn(3) and waitpid(2), which hold
 * the thread until the child has ended?
 * Bar: posix_spawn and waitpid, by one goroutine.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"

static char program[] = "/bin/true";
static char *const args[] = { program, NULL };

static void by_gamp(uint64_t n)
{
	while (n-- > 0) {
		struct gamp_process p;

		(void)bench_must("gamp_spawn",
		    gamp_spawn(&p, NULL, program, args));
		(void)bench_must("wait", gamp_process_wait(&p, NULL));
	}
}

static void by_posix(uint64_t n)
{
	while (n-- > 0) {
		pid_t pid;

		(void)bench_must("posix_spawn", -posix_spawn(&pid, program,
		    NULL, NULL, args, environ));
		(void)bench_must("waitpid", waitpid(pid, NULL, 0));
	}
}

static struct gamp_waitgroup wg;

static void some(void *arg)
{
	by_gamp((uint64_t)(uintptr_t)arg);
}

static void children(struct bench *b)
{
	uint64_t each = (b->n + (uint64_t)b->arg - 1) / (uint64_t)b->arg;

	b->n = each * (uint64_t)b->arg;
	bench_start(b);
	for (int64_t i = 0; i < b->arg; i++)
		bench_go(&wg, some, (void *)(uintptr_t)each);
	bench_wait(&wg);
	bench_stop(b);
}

static void posix(struct bench *b)
{
	bench_start(b);
	by_posix(b->n);
	bench_stop(b);
}

static void rows(void *arg)
{
	(void)arg;
	bench_run("Child/g=1", children, 1);
	bench_run("Child/g=16", children, 16);
	bench_run("Child/posix", posix, 0);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	bench_runtime(2, rows, NULL);
	return 0;
}
