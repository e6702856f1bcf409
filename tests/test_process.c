/* SPDX-License-Identifier: MIT */
/*
 * test_process.c - children: starting, waiting, killing, letting go.
 *
 * The programs are those that every system has.  A child that is to be alive
 * for as long as a test likes is a cat(1) whose input is a pipe of ours.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

enum { GOROUTINES = 100, CHILDREN = 10 };

static const struct gamp_spawn_options piped = {
	.in = { .kind = GAMP_STDIO_PIPE }, .out = { .kind = GAMP_STDIO_PIPE }
};

static struct gamp_process shared;
static char text[8192];

static int sh_with(struct gamp_process *p, const struct gamp_spawn_options *opt,
    const char *command)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command,
		NULL };

	return gamp_spawn(p, opt, "sh", argv);
}

/* The exit status; -errno; 1000 and the signal. */
static int finish_child(struct gamp_process *p)
{
	int status, r = gamp_process_wait(p, &status);

	CHECK_EQ(gamp_process_close(p), 0);
	if (r < 0)
		return r;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

static int sh(const char *command)
{
	struct gamp_process p;
	int r = sh_with(&p, NULL, command);

	return r < 0 ? r : finish_child(&p);
}

/* What it prints, in `text`. */
static void gather(struct gamp_spawn_options opt, const char *file,
    char *const argv[])
{
	struct gamp_process p;
	ssize_t n;

	opt.out.kind = GAMP_STDIO_PIPE;
	if (!CHECK_EQ(gamp_spawn(&p, &opt, file, argv), 0))
		return;
	n = read_full(p.out, text, sizeof(text) - 1);
	CHECK(n >= 0);
	text[n < 0 ? 0 : (size_t)n] = '\0';
	CHECK_EQ(finish_child(&p), 0);
}

static void gather_sh(struct gamp_spawn_options opt, const char *command)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command,
		NULL };

	gather(opt, "sh", argv);
}

static bool has_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void run_cleanly(gamp_fn *fn)
{
	run(fn);
	assert_false(has_children());
	run_one(fn);
	assert_false(has_children());
}

static void start_cat(struct gamp_process *p)
{
	CHECK_EQ(gamp_spawn(p, &piped, "cat", NULL), 0);
	CHECK(p->pid > 0 && p->fd > 0 && p->in > 0 && p->out > 0);
	CHECK_EQ(p->err, 0);
}

static void cat_a_word(struct gamp_process *p)
{
	char word[6];

	CHECK_EQ(gamp_write(p->in, "hello", 6), 6);
	CHECK_EQ(read_full(p->out, word, 6), 6);
	CHECK_EQ(strcmp(word, "hello"), 0);
}

static void end_cat(struct gamp_process *p)
{
	CHECK_EQ(gamp_close(p->in), 0);
	CHECK_EQ(finish_child(p), 0);
}

static void status_main(void *arg)
{
	struct gamp_process p;

	(void)arg;
	CHECK_EQ(sh("exit 0"), 0);
	CHECK_EQ(sh("exit 7"), 7);
	CHECK_EQ(sh("kill -9 $$"), 1009);
	CHECK_EQ(sh("kill -TERM $$"), 1000 + SIGTERM);
	CHECK_EQ(gamp_spawn(&p, NULL, "/bin/true", NULL), 0);
	CHECK_EQ(gamp_process_wait(&p, NULL), 0);
	CHECK_EQ(gamp_process_wait(&p, NULL), -ECHILD);
	CHECK_EQ(gamp_process_wait_until(&p, NULL, -1), -ECHILD);
	CHECK_EQ(gamp_process_kill(&p, SIGKILL), -ESRCH);
	CHECK_EQ(gamp_process_close(&p), 0);
	CHECK_EQ(gamp_process_close(&p), 0);
}

static void a_childs_status_comes_back_once(void **state)
{
	(void)state;
	run_cleanly(status_main);
}

static void expect_error(const struct gamp_spawn_options *opt,
    const char *file, char *const argv[], int err)
{
	static const struct gamp_process zero;
	struct gamp_process p;

	memset(&p, 0xa5, sizeof(p));
	CHECK_EQ(gamp_spawn(&p, opt, file, argv), err);
	CHECK_EQ(memcmp(&p, &zero, sizeof(p)), 0);
	CHECK_EQ(gamp_process_wait(&p, NULL), -ECHILD);
	CHECK_EQ(gamp_process_kill(&p, SIGKILL), -ESRCH);
	CHECK_EQ(gamp_process_close(&p), 0);
	CHECK(!has_children());
}

static void exec_errors_main(void *arg)
{
	struct gamp_spawn_options o = piped;
	char path[] = "/tmp/gamp-test-XXXXXX";
	int fd = mkstemp(path), bad = 1 << 20;

	(void)arg;
	CHECK_EQ(write(fd, "\1\2\3", 3), 3);
	(void)close(fd);
	o.err.kind = GAMP_STDIO_NULL;
	expect_error(&o, "gamp-no-such-program", NULL, -ENOENT);
	expect_error(&o, "/nowhere/true", NULL, -ENOENT);
	expect_error(&o, "", NULL, -ENOENT);
	expect_error(&o, "/bin/true/x", NULL, -ENOTDIR);
	expect_error(&o, path, NULL, -EACCES);
	expect_error(&o, "/tmp", NULL, -EACCES);
	CHECK_EQ(chmod(path, 0700), 0);
	expect_error(&o, path, NULL, -ENOEXEC);
	o.cwd = "/nowhere";
	expect_error(&o, "true", NULL, -ENOENT);
	o = piped;
	o.fds = &bad;
	o.nfds = 1;
	expect_error(&o, "true", NULL, -EBADF);
	o.nfds = 254;
	expect_error(&o, "true", NULL, -EINVAL);
	o = piped;
	o.err = (struct gamp_stdio){ GAMP_STDIO_SYSFD, -1 };
	expect_error(&o, "true", NULL, -EBADF);
	o.err.kind = (enum gamp_stdio_kind)99;
	expect_error(&o, "true", NULL, -EINVAL);
	o = piped;
	o.out.kind = GAMP_STDIO_STDOUT;
	expect_error(&o, "true", NULL, -EINVAL);
	o = piped;
	o.group = true;
	o.pgid = 1; /* of another session */
	expect_error(&o, "true", NULL, -EPERM);
	expect_error(NULL, NULL, NULL, -EINVAL);
	CHECK_EQ(gamp_spawn(NULL, NULL, "true", NULL), -EINVAL);
	CHECK_EQ(gamp_process_wait(NULL, NULL), -EINVAL);
	CHECK_EQ(gamp_process_kill(NULL, 0), -EINVAL);
	CHECK_EQ(gamp_process_close(NULL), -EINVAL);
	(void)unlink(path);
}

static void errors_of_exec_reach_the_caller_and_leave_nothing(void **state)
{
	(void)state;
	run_cleanly(exec_errors_main);
}

static int raise_children(void *arg)
{
	(void)arg;
	for (int i = 0; i < CHILDREN; i++) {
		char *argv[] = { (char *)"sh", (char *)"-c",
			(char *)"exit $0", (char *)"5", NULL };
		struct gamp_process p;

		/* Half of them end before they are waited for. */
		if (!CHECK_EQ(gamp_spawn(&p, NULL, "sh", argv), 0))
			break;
		if (i % 2)
			CHECK_EQ(gamp_wait_readable(p.fd), 0);
		CHECK_EQ(finish_child(&p), 5);
	}
	return 0;
}

static void many_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	CHECK_EQ(gamp_group_init(&g, 0), 0);
	for (int i = 0; i < GOROUTINES; i++)
		CHECK_EQ(gamp_group_go(&g, raise_children, NULL), 0);
	CHECK_EQ(gamp_group_wait(&g), 0);
}

static void a_thousand_children_leave_no_zombie_and_no_descriptor(void **state)
{
	(void)state;
	run(many_main);
	assert_false(has_children());
}

static atomic_int waited;

static void wait_shared(void *arg)
{
	(void)arg;
	atomic_store(&waited, gamp_process_wait(&shared, NULL));
}

static int64_t start_waiter(void)
{
	int64_t id;

	atomic_store(&waited, 1);
	id = gamp_go(wait_shared, NULL);
	CHECK(id > 0);
	await_parked(id, WHY_SELECT);
	return id;
}

static void cancel_main(void *arg)
{
	int64_t id;

	(void)arg;
	start_cat(&shared);
	id = start_waiter();
	CHECK_EQ(gamp_process_wait(&shared, NULL), -EBUSY);
	CHECK_EQ(gamp_process_close(&(struct gamp_process){ .fd = shared.fd }),
	    -EBUSY);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&waited) == -ECANCELED);
	CHECK_EQ(gamp_process_kill(&shared, 0), 0);
	cat_a_word(&shared); /* it lives */
	(void)gamp_uncancellable(true);
	end_cat(&shared);
}


static void cancelling_a_wait_leaves_the_child_alone(void **state)
{
	(void)state;
	run_cleanly(cancel_main);
}

static void deadline_main(void *arg)
{
	int64_t t = gamp_now() + 2 * MS;

	(void)arg;
	start_cat(&shared);
	CHECK_EQ(gamp_process_wait_until(&shared, NULL, t), -ETIMEDOUT);
	CHECK(gamp_now() >= t);
	CHECK_EQ(gamp_process_wait_until(&shared, NULL, -1), -ETIMEDOUT);
	cat_a_word(&shared);
	CHECK_EQ(gamp_close(shared.in), 0);
	CHECK_EQ(gamp_wait_readable(shared.fd), 0);
	CHECK_EQ(gamp_process_wait_until(&shared, NULL, t), 0);
	CHECK_EQ(gamp_process_close(&shared), 0);
}

static void a_wait_ends_at_its_deadline_unless_the_child_has_ended(void **state)
{
	(void)state;
	run_cleanly(deadline_main);
}

static void kill_main(void *arg)
{
	struct gamp_process p;
	int status;

	(void)arg;
	start_cat(&p);
	CHECK_EQ(gamp_process_kill(&p, 999), -EINVAL);
	CHECK_EQ(gamp_process_kill_group(&p, SIGTERM), -EINVAL);
	CHECK_EQ(gamp_process_kill(&p, SIGTERM), 0);
	CHECK_EQ(gamp_wait_readable(p.fd), 0);
	CHECK_EQ(gamp_process_kill(&p, SIGKILL), 0); /* a zombie */
	CHECK_EQ(gamp_process_wait(&p, &status), 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK_EQ(gamp_process_kill(&p, SIGTERM), -ESRCH);
	CHECK_EQ(gamp_process_close(&p), 0);
}

static void signals_reach_a_child_until_it_is_waited_for(void **state)
{
	(void)state;
	run_cleanly(kill_main);
}

/* The grandchildren hold the pipe: it ends when they do. */
static void group_main(void *arg)
{
	struct gamp_spawn_options o = piped;
	struct gamp_process p;
	char c;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		o.group = i == 0;
		o.session = i == 1;
		CHECK_EQ(
		    sh_with(&p, &o, "sleep 99 & sleep 98 & echo; wait"), 0);
		CHECK_EQ(gamp_read(p.out, &c, 1), 1);
		CHECK_EQ(getpgid(p.pid), p.pid);
		CHECK_EQ(getsid(p.pid), i == 1 ? p.pid : getsid(0));
		CHECK_EQ(gamp_process_kill_group(&p, SIGKILL), 0);
		CHECK_EQ(gamp_read(p.out, &c, 1), 0);
		CHECK_EQ(gamp_process_wait(&p, NULL), 0);
		CHECK_EQ(gamp_process_kill_group(&p, SIGKILL), -ESRCH);
		CHECK_EQ(gamp_process_close(&p), 0);
	}
}

static void a_group_is_killed_with_its_leader(void **state)
{
	(void)state;
	run_cleanly(group_main);
}

/* Whoever started us may ignore some more: a shell does, of what it runs in
 * the background. */
static uint64_t ignored_here(void)
{
	struct sigaction sa;
	uint64_t set = 0;

	for (int sig = 1; sig <= 64; sig++)
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			set |= UINT64_C(1) << (sig - 1);
	return set;
}

/* Lines of /proc/self/status, of a program that touches no signals. */
static void expect_masks(struct gamp_spawn_options o, uint64_t ignored)
{
	char *argv[] = { (char *)"cat", (char *)"/proc/self/status", NULL };
	char *at;

	gather(o, "cat", argv);
	at = strstr(text, "SigBlk:");
	if (CHECK(at != NULL))
		CHECK_EQ((int64_t)strtoull(at + 7, NULL, 16), 0);
	at = strstr(text, "SigIgn:");
	if (CHECK(at != NULL))
		CHECK_EQ((int64_t)strtoull(at + 7, NULL, 16),
		    (int64_t)ignored);
	at = strstr(text, "SigCgt:");
	if (CHECK(at != NULL))
		CHECK_EQ((int64_t)strtoull(at + 7, NULL, 16), 0);
}

static void masks_main(void *arg)
{
	const uint64_t two = UINT64_C(1) << (SIGPIPE - 1) |
	    UINT64_C(1) << (SIGHUP - 1);
	struct gamp_spawn_options o = { 0 };
	sigset_t set, now;

	(void)arg;
	CHECK((ignored_here() & two) == two);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGABRT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	expect_masks(o, 0);
	o.keep_ignored = true;
	expect_masks(o, ignored_here());
	CHECK_EQ(sh("kill -PIPE $$"), 1000 + SIGPIPE);
	/* And ours is as it was, on whatever thread we are. */
	(void)pthread_sigmask(SIG_BLOCK, NULL, &now);
	CHECK(sigismember(&now, SIGTERM) && sigismember(&now, SIGCHLD));
	CHECK(!sigismember(&now, SIGSEGV));
}

static void a_child_begins_with_default_signals_and_an_empty_mask(void **state)
{
	void (*pipe_was)(int) = signal(SIGPIPE, SIG_IGN);
	void (*hup_was)(int) = signal(SIGHUP, SIG_IGN);

	(void)state;
	run_cleanly(masks_main);
	(void)signal(SIGPIPE, pipe_was);
	(void)signal(SIGHUP, hup_was);
}

static int slack, cpus;

/* The thread is bound to one processor here, and has a slack of 1 ns. */
static void thread_main(void *arg)
{
	char *argv[] = { (char *)"cat", (char *)"/proc/self/timerslack_ns",
		NULL };
	cpu_set_t one, was;

	(void)arg;
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1);
	gather((struct gamp_spawn_options){ 0 }, "cat", argv);
	CHECK_EQ(atoi(text), slack);
	gamp_enter_blocking(); /* on this thread until both is done */
	(void)sched_getaffinity(0, sizeof(was), &was);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	CHECK_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
	CHECK_EQ(gamp_spawn(&shared, &piped, "nproc", NULL), 0);
	CHECK_EQ(sched_setaffinity(0, sizeof(was), &was), 0);
	gamp_leave_blocking();
	CHECK(gamp_read(shared.out, text, sizeof(text)) > 0);
	CHECK_EQ(atoi(text), cpus);
	CHECK_EQ(finish_child(&shared), 0);
}

static void a_child_begins_as_if_the_main_thread_had_started_it(void **state)
{
	cpu_set_t set;

	(void)state;
	(void)sched_getaffinity(0, sizeof(set), &set);
	cpus = CPU_COUNT(&set);
	slack = prctl(PR_GET_TIMERSLACK);
	run_cleanly(thread_main);
}

static void fds_main(void *arg)
{
	char *argv[] = { (char *)"ls", (char *)"/proc/self/fd", NULL };
	int null = open("/dev/null", O_RDWR), fds[3], p[2];
	struct gamp_spawn_options o = { 0 };
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");

	(void)arg;
	CHECK(null > 2 && l > 0);
	gather(o, "ls", argv);
	CHECK_EQ(strcmp(text, "0\n1\n2\n3\n"), 0); /* 3: the directory */
	o.inherit_fds = true;
	gather(o, "ls", argv);
	CHECK(strcmp(text, "0\n1\n2\n3\n4\n") == 0 || null != 3);
	o.inherit_fds = false;

	/* In each other's way: 3 is p[1], and 5 is what was 3. */
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	CHECK_EQ(write(p[1], "abc", 3), 3);
	fds[0] = p[1];
	fds[1] = p[0];
	fds[2] = 3;
	o.fds = fds;
	o.nfds = 3;
	gather_sh(o, "head -c3 <&4; printf xyz >&3; ls /proc/self/fd");
	CHECK_EQ(strcmp(text, "abc0\n1\n2\n3\n4\n5\n6\n"), 0);
	CHECK_EQ(read(p[0], text, 9), 3);
	CHECK_EQ(memcmp(text, "xyz", 3), 0);
	(void)close(p[0]);
	(void)close(p[1]);
	(void)close(null);
	CHECK_EQ(gamp_close(l), 0);
}

static void a_child_has_the_descriptors_it_was_given_and_no_others(void **state)
{
	(void)state;
	run_cleanly(fds_main);
}

static void stdio_main(void *arg)
{
	struct gamp_spawn_options o = { .in = { .kind = GAMP_STDIO_NULL },
		.err = { .kind = GAMP_STDIO_STDOUT } };
	int p[2], zero;
	char c;

	(void)arg;
	gather_sh(o, "cat; echo one; echo two >&2");
	CHECK_EQ(strcmp(text, "one\ntwo\n"), 0);
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	o.err = (struct gamp_stdio){ GAMP_STDIO_SYSFD, p[1] };
	o.in.kind = GAMP_STDIO_INHERIT;
	gather_sh(o, "printf e >&2");
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(c, 'e');
	(void)close(p[0]);
	(void)close(p[1]);

	/* A parent without a standard input: our end of the pipe takes its
	 * number, and is not handed down. */
	zero = fcntl(0, F_DUPFD_CLOEXEC, 3);
	(void)close(0);
	o.err = (struct gamp_stdio){ 0 };
	gather_sh(o, "test -e /proc/self/fd/0 || echo none");
	CHECK_EQ(strcmp(text, "none\n"), 0);
	(void)dup2(zero, 0);
	(void)close(zero);
}

static void standard_descriptors_lead_where_they_should(void **state)
{
	(void)state;
	run_cleanly(stdio_main);
}

static void place_main(void *arg)
{
	char *env[] = { (char *)"WORD=x y", NULL };
	struct gamp_spawn_options o = { .cwd = "/usr", .env = env };
	char *argv[] = { (char *)"env", NULL };

	(void)arg;
	gather(o, "env", argv);
	CHECK_EQ(strcmp(text, "WORD=x y\n"), 0);
	gather_sh((struct gamp_spawn_options){ .cwd = "/usr" }, "pwd");
	CHECK_EQ(strcmp(text, "/usr\n"), 0);
	/* Relative to the child's directory; not in the PATH. */
	o.env = NULL;
	gather(o, "bin/env", argv);
	CHECK(strlen(text) > 0);
	gather((struct gamp_spawn_options){ 0 }, "env", argv);
	CHECK(strstr(text, "GAMP_TEST_HERE=1\n") != NULL);
}

static void a_child_gets_its_directory_and_its_environment(void **state)
{
	(void)state;
	(void)setenv("GAMP_TEST_HERE", "1", 1);
	run_cleanly(place_main);
}

/* The first that can be run, past those that cannot. */
static void path_main(void *arg)
{
	char *argv[] = { (char *)"env", (char *)"echo", (char *)"found", NULL };

	(void)arg;
	gather((struct gamp_spawn_options){ 0 }, "env", argv);
	CHECK_EQ(strcmp(text, "found\n"), 0);
	expect_error(NULL, "denied", NULL, -EACCES);
	expect_error(NULL, "nosuch", NULL, -ENOENT);
}

static void programs_are_looked_for_in_all_of_the_path(void **state)
{
	char dir[] = "/tmp/gamp-test-XXXXXX", file[64], path[256];
	char *was = strdup(getenv("PATH"));
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 2; i++) {
		(void)snprintf(
		    file, sizeof(file), "%s/%s", dir, i ? "env" : "denied");
		fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		(void)close(fd);
	}
	(void)snprintf(path, sizeof(path), "/nowhere:/etc/passwd:%s:%s:",
	    dir, "/usr/bin:/bin");
	(void)setenv("PATH", path, 1);
	run_cleanly(path_main);
	(void)setenv("PATH", was, 1);
	free(was);
	(void)unlink(file);
	(void)snprintf(file, sizeof(file), "%s/denied", dir);
	(void)unlink(file);
	(void)rmdir(dir);
}

static void ids_main(void *arg)
{
	gid_t groups[2] = { 7, 8 };
	struct gamp_ids ids = {
		.uid = 65534, .gid = 65533, .groups = groups, .ngroups = 2
	};
	struct gamp_spawn_options o = { .ids = &ids };

	(void)arg;
	gather_sh(o, "id -u; id -g; id -G");
	CHECK_EQ(strcmp(text, "65534\n65533\n65533 7 8\n"), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1); /* the parent's */
	CHECK_EQ(geteuid(), 0);
	expect_error(&o, "/nowhere/true", NULL, -ENOENT);
}

static void a_child_becomes_another_user_and_the_parent_stays(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	run_cleanly(ids_main);
}

/* Let go of while it lives, and just after its end. */
static void close_main(void *arg)
{
	struct gamp_process p;

	(void)arg;
	for (int i = 0; i < 10; i++) {
		start_cat(&p);
		CHECK_EQ(gamp_process_close(&p), 0); /* its input ends */
		AWAIT(!has_children());
		CHECK_EQ(gamp_process_kill(&p, SIGKILL), -ESRCH);
		start_cat(&p);
		CHECK_EQ(gamp_process_kill(&p, SIGKILL), 0);
		CHECK_EQ(gamp_wait_readable(p.fd), 0);
		CHECK_EQ(gamp_process_close(&p), 0);
		CHECK(!has_children());
	}
}

static void a_child_that_is_let_go_is_reaped_when_it_ends(void **state)
{
	(void)state;
	run_cleanly(close_main);
}

static struct gamp_process left[2];

static void leave_main(void *arg)
{
	(void)arg;
	start_cat(&left[0]);
	start_cat(&left[1]);
	CHECK_EQ(gamp_process_close(&(struct gamp_process){
		     .fd = left[1].fd, .pid = left[1].pid }), 0);
	shared = left[0];
	(void)start_waiter();
}

static void the_runtime_stops_while_children_run(void **state)
{
	struct gamp_spawn_options o = { 0 };
	int status;

	(void)state;
	for (int i = 0; i < 5; i++) {
		run(leave_main);
		assert_int_equal(atomic_load(&waited), -ECANCELED);
		for (int k = 0; k < 2; k++) {
			/* The pipes of the runtime are closed: cat ends. */
			assert_int_equal(waitpid(left[k].pid, &status, 0),
			    left[k].pid);
			assert_int_equal(status, 0);
			assert_int_equal(gamp_process_wait(&left[k], NULL),
			    -ECHILD);
			assert_int_equal(gamp_process_kill(&left[k], 9),
			    -ESRCH);
			assert_int_equal(gamp_process_close(&left[k]), 0);
		}
		assert_false(has_children());
	}
	assert_int_equal(gamp_spawn(&left[0], &o, "true", NULL), -ESRCH);
}

static void ignored_main(void *arg)
{
	struct gamp_process p;
	char c;

	(void)arg;
	start_cat(&p);
	CHECK_EQ(gamp_process_wait_until(&p, NULL, -1), -ETIMEDOUT);
	cat_a_word(&p);
	CHECK_EQ(gamp_close(p.in), 0);
	CHECK_EQ(gamp_process_wait(&p, NULL), -ECHILD);
	CHECK_EQ(gamp_read(p.out, &c, 1), 0); /* it had ended */
	CHECK_EQ(gamp_process_close(&p), 0);
	expect_error(NULL, "/nowhere/true", NULL, -ENOENT);
}

static void a_program_that_ignores_sigchld_still_learns_of_the_end(void **state)
{
	void (*was)(int) = signal(SIGCHLD, SIG_IGN);

	(void)state;
	run_cleanly(ignored_main);
	(void)signal(SIGCHLD, was);
}

/* Calls of a plain thread, while the runtime runs. */
static void threads_need_not_be_the_runtimes(void **state)
{
	struct gamp_process p;
	int status = -1;

	(void)state;
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(gamp_spawn(&p, &piped, "cat", NULL), 0);
	assert_int_equal(gamp_process_wait(&p, NULL), -EPERM);
	assert_int_equal(gamp_process_kill(&p, SIGTERM), 0);
	while (gamp_process_wait(&p, &status) == -EPERM)
		(void)sched_yield();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(gamp_process_close(&p), 0);
	assert_int_equal(gamp_stop(0), 0);
	assert_false(has_children());
}

/* What programs do of their own, from a goroutine. */
static void own_main(void *arg)
{
	char *argv[] = { (char *)"true", NULL }, line[16] = "";
	int status = -1;
	pid_t pid;
	FILE *f;

	(void)arg;
	gamp_enter_blocking();
	status = system("exit 3");
	gamp_leave_blocking();
	CHECK_EQ(WEXITSTATUS(status), 3);
	f = popen("echo word", "r");
	CHECK(f && fgets(line, sizeof(line), f));
	CHECK_EQ(strcmp(line, "word\n"), 0);
	CHECK_EQ(f ? pclose(f) : -1, 0);
	CHECK_EQ(posix_spawnp(&pid, "true", NULL, NULL, argv, environ), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	pid = fork();
	if (pid == 0) {
		(void)execlp("true", "true", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void a_goroutine_may_start_programs_in_the_old_ways(void **state)
{
	(void)state;
	run_cleanly(own_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_childs_status_comes_back_once),
		TEST(errors_of_exec_reach_the_caller_and_leave_nothing),
		TEST(a_thousand_children_leave_no_zombie_and_no_descriptor),
		TEST(cancelling_a_wait_leaves_the_child_alone),
		TEST(a_wait_ends_at_its_deadline_unless_the_child_has_ended),
		TEST(signals_reach_a_child_until_it_is_waited_for),
		TEST(a_group_is_killed_with_its_leader),
		TEST(a_child_begins_with_default_signals_and_an_empty_mask),
		TEST(a_child_begins_as_if_the_main_thread_had_started_it),
		TEST(a_child_has_the_descriptors_it_was_given_and_no_others),
		TEST(standard_descriptors_lead_where_they_should),
		TEST(a_child_gets_its_directory_and_its_environment),
		TEST(programs_are_looked_for_in_all_of_the_path),
		TEST(a_child_becomes_another_user_and_the_parent_stays),
		TEST(a_child_that_is_let_go_is_reaped_when_it_ends),
		TEST(the_runtime_stops_while_children_run),
		TEST(a_program_that_ignores_sigchld_still_learns_of_the_end),
		TEST(threads_need_not_be_the_runtimes),
		TEST(a_goroutine_may_start_programs_in_the_old_ways),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
