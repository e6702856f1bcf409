/* SPDX-License-Identifier: MIT */
/* test_output.c - gamp_process_output: both ways at once, limits, deadlines. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

enum { MANY = 8 << 20 }; /* bytes, many times what a pipe holds */

static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int sh(struct gamp_output *io, const struct gamp_spawn_options *opt,
    const char *command)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command,
		NULL };

	return gamp_process_output(io, opt, "sh", argv);
}

static void expect(const struct gamp_output *io, const char *out,
    const char *err)
{
	if (CHECK(io->out != NULL)) {
		CHECK_EQ(strcmp(io->out, out), 0);
		CHECK(io->out_size == strlen(out));
	}
	if (CHECK(io->err != NULL)) {
		CHECK_EQ(strcmp(io->err, err), 0);
		CHECK(io->err_size == strlen(err));
	}
}

static void drop(struct gamp_output *io)
{
	free(io->out);
	free(io->err);
	*io = (struct gamp_output){ 0 };
	AWAIT(!has_children()); /* what is killed may take a while to die */
}

/* Nobody waits for longer than a second for what was killed to die: if it
 * took that long, the status is unknown. */
static bool was_killed(const struct gamp_output *io, int64_t began)
{
	if (io->status == -1)
		return gamp_now() - began >= GAMP_SECOND;
	return WIFSIGNALED(io->status) && WTERMSIG(io->status) == SIGKILL;
}

static void run_cleanly(gamp_fn *fn)
{
	run(fn);
	assert_false(has_children());
	run_one(fn);
	assert_false(has_children());
}

static void both_main(void *arg)
{
	struct gamp_output io = { 0 };

	(void)arg;
	CHECK_EQ(sh(&io, NULL, "cat; echo out; echo err >&2; exit 3"), 0);
	CHECK_EQ(WEXITSTATUS(io.status), 3);
	expect(&io, "out\n", "err\n");
	drop(&io);
	io.input = "fed";
	io.input_size = 3;
	CHECK_EQ(sh(&io, NULL, "cat >&2"), 0);
	expect(&io, "", "fed");
	drop(&io);
	CHECK_EQ(gamp_process_output(&io, NULL, "nosuch-program", NULL),
	    -ENOENT);
	CHECK(!io.out && !io.err && io.status == -1);
	drop(&io);
	CHECK_EQ(gamp_process_output(NULL, NULL, "true", NULL), -EINVAL);
}

static void what_a_program_writes_is_gathered(void **state)
{
	(void)state;
	run_cleanly(both_main);
}

/* It says all that it reads on both pipes: whoever fed it first and read
 * later, or one pipe before the other, would wait for ever. */
static void big_main(void *arg)
{
	char *in = malloc(MANY);
	struct gamp_output io = { .input = in, .input_size = MANY };

	(void)arg;
	for (size_t i = 0; in && i < MANY; i++)
		in[i] = (char)(i >> 12 ^ i);
	CHECK_EQ(sh(&io, NULL, "tee /dev/stderr"), 0);
	CHECK_EQ(io.status, 0);
	CHECK(io.out_size == MANY && io.err_size == MANY);
	if (CHECK(io.out && io.err)) {
		CHECK_EQ(memcmp(io.out, in, MANY), 0);
		CHECK_EQ(memcmp(io.err, in, MANY), 0);
		CHECK_EQ(io.out[MANY], 0);
	}
	drop(&io);

	/* It does not read at all. */
	io.input = in;
	io.input_size = MANY;
	CHECK_EQ(sh(&io, NULL, "exit 0"), 0);
	CHECK_EQ(io.status, 0);
	expect(&io, "", "");
	drop(&io);
	free(in);
}

static void megabytes_go_both_ways_at_once(void **state)
{
	(void)state;
	run_cleanly(big_main);
}

static void limit_main(void *arg)
{
	struct gamp_output io = { .limit = 5 };
	int64_t t;

	(void)arg;
	CHECK_EQ(sh(&io, NULL, "printf 12345"), 0);
	expect(&io, "12345", "");
	drop(&io);
	io.limit = 5;
	t = gamp_now();
	CHECK_EQ(sh(&io, NULL, "exec yes"), -EMSGSIZE);
	CHECK(was_killed(&io, t));
	expect(&io, "y\ny\ny", "");
	drop(&io);
	io.limit = 5000; /* one more than a chunk */
	CHECK_EQ(sh(&io, NULL, "yes >&2"), -EMSGSIZE);
	CHECK(io.err_size == 5000);
	drop(&io);
}

static void more_than_the_limit_ends_the_program(void **state)
{
	(void)state;
	run_cleanly(limit_main);
}

static void late_main(void *arg)
{
	struct gamp_spawn_options o = { .group = true };
	struct gamp_output io = { .deadline = gamp_now() + 300 * MS };
	int64_t t = io.deadline;

	(void)arg;
	CHECK_EQ(sh(&io, NULL, "echo early; exec sleep 99"), -ETIMEDOUT);
	CHECK(was_killed(&io, t));
	CHECK(io.out_size == 0 || strcmp(io.out, "early\n") == 0);
	drop(&io);
	/* What holds the pipe is in the background: killed with its group. */
	io.deadline = gamp_now() + 300 * MS;
	CHECK_EQ(sh(&io, &o, "sleep 99 & exit 5"), -ETIMEDOUT);
	drop(&io);
	io.deadline = -1;
	CHECK_EQ(sh(&io, NULL, "exec sleep 99"), -ETIMEDOUT);
	drop(&io);
}

static void a_deadline_ends_the_program(void **state)
{
	(void)state;
	run_cleanly(late_main);
}

static atomic_int result;

static void sleep_long(void *arg)
{
	struct gamp_output *io = arg;

	atomic_store(&result, sh(io, NULL, "exec sleep 99"));
}

static void cancel_main(void *arg)
{
	struct gamp_output io = { 0 };
	int64_t id, t;

	(void)arg;
	atomic_store(&result, 1);
	id = gamp_go(sleep_long, &io);
	await_parked(id, WHY_GROUP);
	t = gamp_now();
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&result) == -ECANCELED);
	CHECK(was_killed(&io, t));
	drop(&io);
}

static void cancelling_ends_the_program(void **state)
{
	(void)state;
	run_cleanly(cancel_main);
}

static void options_main(void *arg)
{
	struct gamp_spawn_options o = {
		.in = { .kind = GAMP_STDIO_NULL },
		.err = { .kind = GAMP_STDIO_STDOUT },
	};
	struct gamp_output io = { .input = "x", .input_size = 1 };

	(void)arg;
	/* in is as the option says: nothing is fed. */
	CHECK_EQ(sh(&io, &o, "cat; echo out; echo err >&2"), 0);
	CHECK(!io.err);
	if (CHECK(io.out != NULL))
		CHECK_EQ(strcmp(io.out, "out\nerr\n"), 0);
	drop(&io);
}

static void options_say_where_descriptors_lead(void **state)
{
	(void)state;
	run_cleanly(options_main);
}

static void plain_threads_are_refused(void **state)
{
	struct gamp_output io = { 0 };

	(void)state;
	assert_int_equal(
	    gamp_process_output(&io, NULL, "true", NULL), -EPERM);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_a_program_writes_is_gathered),
		TEST(megabytes_go_both_ways_at_once),
		TEST(more_than_the_limit_ends_the_program),
		TEST(a_deadline_ends_the_program),
		TEST(cancelling_ends_the_program),
		TEST(options_say_where_descriptors_lead),
		TEST(plain_threads_are_refused),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
