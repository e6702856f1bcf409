/* SPDX-License-Identifier: MIT */
/*
 * http.c - an HTTP/1.1 server that says hello.
 *
 *	http [-a address] [-p procs] [-t seconds] [-x reads,loops]
 *
 *	-a	where to listen (127.0.0.1:8080); port 0 takes a free one
 *	-p	how many goroutines run at once (one for each processor)
 *	-t	how long to keep a connection without requests (60)
 *	-x	beside so many goroutines that block in read(2), and so many
 *		that compute for ever: to see that they stall nobody
 *
 * Says "listening on ADDRESS".  SIGTERM and SIGINT end it: what was begun is
 * answered, within five seconds.  Status 0, 1 for an error, 2 for usage.
 *
 * http_proto.c knows HTTP, http_conn.c the life of a connection.
 */

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "examples/http_conn.h"
#include "examples/http_proto.h"

#include <gamp/errno.h>

#define STOP_TIME (5 * GAMP_SECOND)

static volatile unsigned long computed;
static int silent[2]; /* a pipe that nobody writes */

struct server {
	const char *addr;
	int64_t idle;
	sigset_t signals; /* blocked: read from a descriptor */
	int status;
	int reads, loops; /* of -x */
};

static int complain(const char *what, int64_t err)
{
	fprintf(stderr, "http: %s: %s\n", what, strerror((int)-err));
	return 1;
}

/* As complain; what listening lacks is mostly the address. */
static int complain_address(const char *addr, int64_t err)
{
	if (err != -EINVAL && err != -ENOENT)
		return complain(addr, err);
	fprintf(stderr, "http: %s: %s\n", addr,
	    err == -EINVAL ? "malformed address, want host:port"
			   : "no such host");
	return 1;
}

static void block(void *arg)
{
	char c;

	(void)arg;
	while (read(silent[0], &c, 1) < 0 && errno == EINTR)
		;
}

static void compute(void *arg)
{
	(void)arg;
	for (;;)
		computed = computed + 1;
}

static int disturb(const struct server *s)
{
	int64_t err = pipe(silent) < 0 ? -errno : 0;

	for (int i = 0; err >= 0 && i < s->reads; i++)
		err = gamp_go(block, NULL);
	for (int i = 0; err >= 0 && i < s->loops; i++)
		err = gamp_go(compute, NULL);
	return err < 0 ? (int)err : 0;
}

/* Returns the signal's descriptor, or a negative errno. */
static gamp_fd open_signals(const sigset_t *set)
{
	int sysfd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	return sysfd < 0 ? -errno : gamp_adopt(sysfd);
}

static void accept_all(void *arg)
{
	gamp_fd fd, listener = (intptr_t)arg;

	while ((fd = gamp_accept(listener)) >= 0)
		http_conn_start(fd);
	http_conn_leave();
}

static int announce(gamp_fd listener)
{
	struct gamp_addr addr;
	char text[128];
	int err = gamp_local_addr(listener, &addr);

	if (err >= 0)
		err = gamp_addr_string(&addr, text, sizeof(text));
	if (err < 0)
		return err;
	printf("listening on %s\n", text);
	fflush(stdout);
	return 0;
}

static void serve(void *arg)
{
	struct server *s = arg;
	struct signalfd_siginfo info;
	gamp_fd signals, listener;
	int64_t err;

	s->status = 1;
	signals = open_signals(&s->signals);
	if (signals < 0) {
		complain("signals", signals);
		return;
	}
	err = http_conn_setup(s->idle);
	if (err < 0) {
		complain("set-up", err);
		return;
	}
	err = disturb(s);
	if (err < 0) {
		complain("disturbing", err);
		return;
	}
	listener = gamp_listen("tcp", s->addr);
	err = listener < 0 ? listener : announce(listener);
	if (err >= 0)
		err = gamp_go(accept_all, (void *)(intptr_t)listener);
	if (err < 0) {
		complain_address(s->addr, err);
		return;
	}
	if (gamp_read(signals, &info, sizeof(info)) > 0)
		s->status = 0;
	gamp_close(listener);
	http_conn_stop(STOP_TIME);
}

static _Noreturn void usage(void)
{
	fputs("usage: http [-a address] [-p procs] [-t seconds]"
	      " [-x reads,loops]\n",
	    stderr);
	exit(2);
}

static int number(const char *text, int max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 1 || n > max)
		usage();
	return (int)n;
}

/* As many connections as the system's administrator allows. */
static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

int main(int argc, char **argv)
{
	struct gamp_options opt = { 0 };
	struct server s = {
		.addr = "127.0.0.1:8080",
		.idle = 60 * GAMP_SECOND,
	};
	int c, err;

	while ((c = getopt(argc, argv, "a:p:t:x:")) != -1)
		switch (c) {
		case 'a':
			s.addr = optarg;
			break;
		case 'p':
			opt.maxprocs = number(optarg, 1024);
			break;
		case 't':
			s.idle = number(optarg, 86400) * GAMP_SECOND;
			break;
		case 'x':
			if (sscanf(optarg, "%d,%d", &s.reads, &s.loops) != 2)
				usage();
			/* These never end, and must not hold up the end. */
			opt.stop_timeout = GAMP_MILLISECOND;
			opt.quiet = true;
			break;
		default:
			usage();
		}
	if (optind < argc)
		usage();
	raise_limit();
	http_proto_setup();
	/* The threads of the runtime inherit this. */
	sigemptyset(&s.signals);
	sigaddset(&s.signals, SIGINT);
	sigaddset(&s.signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &s.signals, NULL);
	err = gamp_run(serve, &s, &opt);
	if (err == -ETIMEDOUT && opt.quiet)
		return s.status;
	return err < 0 ? complain("runtime", err) : s.status;
}
