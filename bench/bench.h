/* SPDX-License-Identifier: MIT */
/*
 * bench.h - a benchmark is a function that does b->n operations.
 *
 * The harness grows n until one run lasts BENCH_NS, then prints, for each of
 * BENCH_COUNT runs, one line in Go's benchmark format, so that benchstat
 * compares us with Go directly:
 *
 *	BenchmarkName/what=1/procs=2  <n>  <ns> ns/op  [<value> <unit>]...
 *
 * Set-up belongs before bench_start(); nothing is printed in between.
 * cpu-ns/op is the processor time of the whole process, all its threads: the
 * steady figure where something else runs on the machine.
 *
 * A word on the command line runs only the rows whose name contains it.  A
 * benchmark that could not run exits with status 1.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

struct bench {
	uint64_t n;     /* operations to do; the function may round it */
	int64_t arg;    /* of the row */
	int64_t t0, t1; /* set by bench_start, bench_stop; nanoseconds */
	int64_t c0, c1; /* likewise, of processor time */
};

/* Processor time of a process; CLOCK_PROCESS_CPUTIME_ID is this one. */
static inline int64_t bench_cpu(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * GAMP_SECOND + ts.tv_nsec;
}

static inline void bench_start(struct bench *b)
{
	b->c0 = bench_cpu(CLOCK_PROCESS_CPUTIME_ID);
	b->t0 = gamp_now();
}

static inline void bench_stop(struct bench *b)
{
	b->t1 = gamp_now();
	b->c1 = bench_cpu(CLOCK_PROCESS_CPUTIME_ID);
}

static inline int64_t bench_env(const char *name, int64_t dflt)
{
	const char *s = getenv(name);

	return s ? strtoll(s, NULL, 10) : dflt;
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void bench_fail(
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputc('\n', stderr);
	_exit(1);
}

/* r if it is no error; else the end. */
static inline int64_t bench_must(const char *what, int64_t r)
{
	if (r < 0)
		bench_fail("%s: %s", what, strerror((int)-r));
	return r;
}

/* The word on the command line. */
static inline const char **bench_only(void)
{
	static const char *word;

	return &word;
}

static inline void bench_init(int argc, char **argv)
{
	*bench_only() = argc > 1 ? argv[1] : "";
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
}

static inline bool bench_wanted(const char *name)
{
	return strstr(name, *bench_only()) != NULL;
}

/* One line: begin, values, end. */
static inline void bench_begin(const char *name, uint64_t n)
{
	(void)printf("Benchmark%s\t%" PRIu64, name, n);
}

static inline void bench_value(double v, const char *unit)
{
	(void)printf("\t%.2f %s", v, unit);
}

static inline void bench_end(void)
{
	(void)putchar('\n');
}

static inline void bench_print(const char *name, const struct bench *b)
{
	bench_begin(name, b->n);
	bench_value((double)(b->t1 - b->t0) / (double)b->n, "ns/op");
	bench_value((double)(b->c1 - b->c0) / (double)b->n, "cpu-ns/op");
	bench_end();
}

static inline void bench_run(
    const char *name, void (*fn)(struct bench *), int64_t arg)
{
	int64_t want = bench_env("BENCH_NS", 500 * GAMP_MILLISECOND);
	int64_t count = bench_env("BENCH_COUNT", 5);
	struct bench b = { .n = 1, .arg = arg };

	if (!bench_wanted(name))
		return;
	for (fn(&b); b.t1 - b.t0 < want; fn(&b))
		b.n += b.n + b.n / 2 + 1;
	for (; count > 0; count--) {
		fn(&b);
		bench_print(name, &b);
	}
}

/* Runs fn(arg) as the main goroutine of a runtime with so many Ps; 0: as
 * many as processors. */
static inline void bench_runtime(int procs, gamp_fn *fn, void *arg)
{
	struct gamp_options opt = { .maxprocs = procs };

	(void)bench_must("gamp_run", gamp_run(fn, arg, &opt));
}

/* Channels of numbers. */
static inline struct gamp_chan *bench_chan(size_t capacity)
{
	struct gamp_chan *ch = gamp_chan_new(sizeof(uint64_t), capacity);

	if (!ch)
		bench_fail("gamp_chan_new: no memory");
	return ch;
}

static inline void bench_chan_free(struct gamp_chan *ch)
{
	(void)bench_must("gamp_chan_free", gamp_chan_free(ch));
}

static inline void bench_send(struct gamp_chan *ch, uint64_t v)
{
	(void)bench_must("gamp_chan_send", gamp_chan_send(ch, &v));
}

static inline uint64_t bench_recv(struct gamp_chan *ch)
{
	uint64_t v = 0;

	(void)bench_must("gamp_chan_recv", gamp_chan_recv(ch, &v));
	return v;
}

/* Goroutines that somebody waits for. */
static inline void bench_go(struct gamp_waitgroup *wg, gamp_fn *fn, void *arg)
{
	(void)bench_must("gamp_waitgroup_go", gamp_waitgroup_go(wg, fn, arg));
}

static inline void bench_wait(struct gamp_waitgroup *wg)
{
	(void)bench_must("gamp_waitgroup_wait", gamp_waitgroup_wait(wg));
}

/* The end of a run that gave another result than it must. */
static inline void bench_check(const char *what, uint64_t is, uint64_t want)
{
	if (is != want)
		bench_fail(
		    "%s: %" PRIu64 " instead of %" PRIu64, what, is, want);
}

/* Latencies. */
static inline int bench_by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Median, 99th percentile and maximum, with a prefix to their units. */
static inline void bench_latency(const char *prefix, int64_t *v, size_t n)
{
	static const struct {
		size_t percent;
		const char *name;
	} at[] = { { 50, "p50" }, { 99, "p99" }, { 100, "max" } };

	qsort(v, n, sizeof(*v), bench_by_size);
	for (size_t i = 0; n > 0 && i < sizeof(at) / sizeof(at[0]); i++) {
		size_t k = n * at[i].percent / 100;
		char unit[32];

		(void)snprintf(
		    unit, sizeof(unit), "%s%s-ns", prefix, at[i].name);
		bench_value((double)v[k < n ? k : n - 1], unit);
	}
}

/* Resident memory of a process in bytes; pid 0: our own. */
static inline int64_t bench_rss(pid_t pid)
{
	char path[64] = "/proc/self/statm";
	long pages = -1;
	FILE *f;

	if (pid)
		(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %ld", &pages) != 1)
		bench_fail("%s: cannot read", path);
	(void)fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

#endif
