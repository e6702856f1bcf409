/* SPDX-License-Identifier: MIT */
/*
 * test_linnet.c - machines, as a host uses them.
 *
 * cmocka's assertions jump, so goroutines note what they saw and the test looks
 * at it when gamp_run has returned.
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs some of the above */

#include <gamp/gamp.h>

#include "linnet.h"

enum { OUT_MAX = 4096 };

/* What a script has printed. */
struct out {
	atomic_size_t n;
	char text[OUT_MAX];
};

static struct out out, err;
static atomic_int failures;

#define EXPECT(c) ((c) ? (void)0 : (void)atomic_fetch_add(&failures, 1))

/* Scripts of these tests print from one goroutine at a time. */
static void keep(void *arg, int fd, const char *text, size_t n)
{
	struct out *o = fd == 1 ? &out : &err;
	size_t at = atomic_load(&o->n);

	(void)arg;
	if (at + n >= OUT_MAX)
		return;
	memcpy(o->text + at, text, n);
	o->text[at + n] = '\0';
	atomic_store(&o->n, at + n);
}

static int load(struct linnet *m, const char *source)
{
	return linnet_load(m, "test", source, strlen(source));
}

/* A machine, one script, its status. */
static int run_with(const struct linnet_options *opt, const char *source)
{
	struct linnet_options all = { 0 };
	struct linnet *m;
	int status;

	if (opt)
		all = *opt;
	if (!all.print)
		all.print = keep;
	m = linnet_open(&all);
	if (!m)
		return -ENOMEM;
	status = load(m, source);
	if (status == 0)
		status = linnet_run(m);
	linnet_close(m);
	return status;
}

static void in_runtime(gamp_fn *fn)
{
	struct gamp_options opt = { .maxprocs = 2 };

	atomic_store(&failures, 0);
	atomic_store(&out.n, 0);
	atomic_store(&err.n, 0);
	out.text[0] = err.text[0] = '\0';
	assert_int_equal(gamp_run(fn, NULL, &opt), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

/* ---- */

static void statuses(void *arg)
{
	(void)arg;
	EXPECT(run_with(NULL, "println(1)") == 0);
	EXPECT(run_with(NULL, "exit(5)") == 5);
	EXPECT(run_with(NULL, "func main() { exit(6) }") == 6);
	EXPECT(run_with(NULL, "go func() { exit(7) }()\nfor {\n}") == 7);
	EXPECT(run_with(NULL, "panic(1)") == 2);
	EXPECT(run_with(NULL, "1 +") == -EINVAL);
}

static void a_run_returns_the_scripts_status(void **state)
{
	(void)state;
	in_runtime(statuses);
	assert_string_equal(out.text, "1\n");
	assert_string_equal(err.text, "test:1:6: panic: 1\n"
				      "\tin script, test:1:6\n");
}

static void a_source_may_be_loaded_outside_of_goroutines(void **state)
{
	struct linnet *m = linnet_open(NULL);

	(void)state;
	assert_non_null(m);
	assert_int_equal(load(m, "x := (1"), -EINVAL);
	assert_string_equal(
	    linnet_error(m), "test:1:8: unexpected end of line, want )\n");
	assert_int_equal(load(m, "x := 1"), 0);
	assert_int_equal(linnet_run(m), -EPERM);
	linnet_close(m);
}

/* ---- */

static void evaluate(struct linnet *m, const char *source)
{
	bool over;

	if (load(m, source) < 0) {
		keep(NULL, 1, linnet_error(m), strlen(linnet_error(m)));
		return;
	}
	EXPECT(linnet_eval(m, &over) == 0);
	EXPECT(!over);
}

static void talk(void *arg)
{
	struct linnet_options opt = { .print = keep };
	struct linnet *m = linnet_open(&opt);
	bool over;

	(void)arg;
	linnet_talk(m);
	evaluate(m, "x := 20");
	evaluate(m, "x + 1");
	evaluate(m, "y + 1");
	evaluate(m, "func f(a) { return a, \"b\" }");
	evaluate(m, "f([x])");
	evaluate(m, "x := 1\nch := chan()\ngo func() { ch <- x + 1 }()");
	evaluate(m, "panic(\"no harm\")");
	evaluate(m, "<-ch");
	evaluate(m, "go func() { for {\n} }()");
	EXPECT(load(m, "exit(3)") == 0);
	EXPECT(linnet_eval(m, &over) == 3 && over);
	evaluate(m, "x");
	evaluate(m, "go func() { <-chan() }()");
	linnet_close(m);
}

static void a_conversation_keeps_its_globals_and_goroutines(void **state)
{
	(void)state;
	in_runtime(talk);
	assert_string_equal(out.text, "21\ntest:1:1: undefined: y\n"
				      "[20], \"b\"\n2\n1\n");
	assert_string_equal(err.text, "test:1:6: panic: no harm\n"
				      "\tin script, test:1:6\n");
}

/* ---- */

static void stop_when_it_prints(void *arg, int fd, const char *text, size_t n)
{
	(void)fd;
	(void)text;
	(void)n;
	linnet_stop(*(struct linnet **)arg);
}

static void stop_from_the_inside(void *arg)
{
	struct linnet *m;
	struct linnet_options opt = { .print = stop_when_it_prints, .arg = &m };

	(void)arg;
	m = linnet_open(&opt);
	EXPECT(load(m, "println(1)\nfor {\n}") == 0);
	EXPECT(linnet_run(m) == -ECANCELED);
	EXPECT(load(m, "x := 1") == 0);
	EXPECT(linnet_run(m) == 0);
	linnet_close(m);
}

static void a_stopped_script_ends_and_its_machine_can_go_on(void **state)
{
	(void)state;
	in_runtime(stop_from_the_inside);
}

static atomic_int running;

static void tell_running(void *arg, int fd, const char *text, size_t n)
{
	(void)arg;
	(void)fd;
	(void)text;
	(void)n;
	atomic_store(&running, 1);
}

static void endless(void *arg)
{
	struct linnet_options opt = { .print = tell_running };

	(void)arg;
	EXPECT(
	    run_with(&opt, "go func() { for {\n} }()\nprintln(1)\nfor {\n}") ==
	    -ECANCELED);
	atomic_store(&running, 2);
}

static void cancel_endless(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&running, 0);
	id = gamp_go(endless, NULL);
	while (atomic_load(&running) < 1)
		gamp_yield();
	gamp_cancel(id);
	while (atomic_load(&running) < 2)
		gamp_yield();
}

static void cancelling_who_runs_a_script_ends_the_script(void **state)
{
	(void)state;
	in_runtime(cancel_endless);
}

/* ---- */

static const char busy[] = "func work(ch) {\n"
			   "	for i := range 300 {\n"
			   "		ch <- [str(i), map{\"i\": i}]\n"
			   "	}\n"
			   "	close(ch)\n"
			   "}\n"
			   "func main() {\n"
			   "	n := 0\n"
			   "	for range 4 {\n"
			   "		ch := chan(2)\n"
			   "		go work(ch)\n"
			   "		for v := range ch {\n"
			   "			k, err := int(v[0])\n"
			   "			n += k + v[1].i\n"
			   "		}\n"
			   "	}\n"
			   "	if n != 4 * 299 * 300 { exit(1) }\n"
			   "}\n";

static atomic_int left;

static void run_busy(void *arg)
{
	struct linnet_options opt = { .print = keep, .stress = 5 };

	(void)arg;
	EXPECT(run_with(&opt, busy) == 0);
	atomic_fetch_sub(&left, 1);
}

static void several(void *arg)
{
	(void)arg;
	atomic_store(&left, 4);
	for (int i = 0; i < 4; i++)
		EXPECT(gamp_go(run_busy, NULL) > 0);
	while (atomic_load(&left) > 0)
		gamp_yield();
}

static void machines_collect_beside_each_other(void **state)
{
	(void)state;
	in_runtime(several);
	assert_string_equal(err.text, "");
}

/* ---- */

static int open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static const char leaves_much[] =
    "listener, err := listen(\"127.0.0.1:0\")\n"
    "go accept(listener)\n"
    "go func() { c, err := dial(addr(listener)); read(c) }()\n"
    "go sleep(1000000)\n"
    "go func() { <-chan() }()\n"
    "go func() { for {\n} }()\n"
    "a := []\n"
    "for i := range 100 { a = append(a, [str(i)]) }\n"
    "never := chan()\n"
    "go func() { select { case <-never: case <-after(99999): } }()\n"
    "func down(n) { defer func() {}(); if n > 0 { down(n - 1) } }\n"
    "down(100)\n";

static void cycles(void *arg)
{
	int n = *(int *)arg;

	while (n-- > 0)
		EXPECT(run_with(NULL, leaves_much) == 0);
}

static size_t used(void)
{
	return mallinfo2().uordblks;
}

static void a_thousand_scripts_leave_nothing(void **state)
{
	struct gamp_options opt = { .maxprocs = 2 };
	int n = 50, files;
	size_t before;

	(void)state;
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(cycles, &n, &opt), 0);
	files = open_files();
	before = used();
	n = 1000;
	assert_int_equal(gamp_run(cycles, &n, &opt), 0);
	assert_int_equal(atomic_load(&failures), 0);
	assert_int_equal(open_files(), files);
	/* glibc keeps some for threads. */
	assert_true(used() < before + (256 << 10));
}

/* ---- */

static void limits(void *arg)
{
	struct linnet_options opt = { .memory = 1 << 20,
		.goroutines = 10,
		.depth = 100,
		.closed = true };

	(void)arg;
	EXPECT(run_with(&opt, "a := []\nfor { a = append(a, str(1)) }") == 2);
	EXPECT(run_with(&opt, "func f() { f() }\nf()") == 2);
	EXPECT(run_with(&opt, "for { go func() { <-chan() }() }") == 2);
	EXPECT(run_with(&opt, "x := listen(\":0\")") == -EINVAL);
	EXPECT(run_with(&opt, "a := array(1 << 40)") == 2);
	EXPECT(run_with(&opt, "for i := 0; i < 50000; i++ { x := str(i) }\n") ==
	       0);
}

static void what_a_host_does_not_grant_is_an_error_of_the_script(void **state)
{
	(void)state;
	in_runtime(limits);
	assert_non_null(strstr(err.text, "panic: out of memory\n"));
	assert_non_null(strstr(err.text, "panic: stack overflow: 100 calls\n"));
	assert_non_null(strstr(err.text, "panic: too many goroutines\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_returns_the_scripts_status),
		cmocka_unit_test(a_source_may_be_loaded_outside_of_goroutines),
		cmocka_unit_test(
		    a_conversation_keeps_its_globals_and_goroutines),
		cmocka_unit_test(
		    a_stopped_script_ends_and_its_machine_can_go_on),
		cmocka_unit_test(cancelling_who_runs_a_script_ends_the_script),
		cmocka_unit_test(machines_collect_beside_each_other),
		cmocka_unit_test(
		    what_a_host_does_not_grant_is_an_error_of_the_script),
		cmocka_unit_test(a_thousand_scripts_leave_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
