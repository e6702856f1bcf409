/* SPDX-License-Identifier: MIT */
/* net_util.c - what the test_net programs share. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

#define HANG 300 /* seconds a run may take */

static uint64_t seed;

void take_arguments(int argc, char **argv)
{
	seed = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 0)
			: (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	(void)printf("seed 0x%" PRIx64 "\n", seed);
	if (argc > 2) /* one test, by name */
		cmocka_set_test_filter(argv[2]);
}

uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

struct failed failed = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool check(
    bool ok, const char *what, const char *file, int line, int64_t a, int64_t b)
{
	const char *base;

	if (ok)
		return true;
	base = strrchr(file, '/');
	(void)pthread_mutex_lock(&failed.lock);
	if (failed.count++ == 0)
		(void)snprintf(failed.text, sizeof(failed.text),
		    "%s:%d: %s: %" PRId64 ", %" PRId64, base ? base + 1 : file,
		    line, what, a, b);
	(void)pthread_mutex_unlock(&failed.lock);
	return false;
}

bool check_eq(
    int64_t a, int64_t b, const char *what, const char *file, int line)
{
	return check(a == b, what, file, line, a, b);
}

static void hung(int sig)
{
	static const char text[] = "a test of net hung\n";

	(void)sig;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	abort();
}

static int count_fds(void)
{
	int n = 0;

	for (int i = 0; i < 1024; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

void run_with(gamp_fn *fn, const struct gamp_options *opt)
{
	struct gamp_options o = { 0 };
	int before = count_fds(), r;

	if (opt)
		o = *opt;
	if (o.stop_timeout == 0)
		o.stop_timeout = LIMIT;
	failed.count = 0;
	(void)signal(SIGALRM, hung);
	(void)alarm(HANG);
	r = gamp_run(fn, NULL, &o);
	(void)alarm(0);
	if (failed.count)
		fail_msg("%s", failed.text);
	assert_int_equal(r, 0);
	assert_int_equal(count_fds(), before);
}

void run(gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = 3 });
}

void run_one(gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = 1 });
}

void pause_a_little(void)
{
	if (gamp_self() && !gamp_cancelled())
		(void)gamp_sleep(50 * GAMP_MICROSECOND);
	else
		(void)sched_yield();
}

/* A look from outside. */
bool is_parked(int64_t id, int why)
{
	struct g *gp = g_find(id);

	return gp && rt_load_acquire(&gp->status) == G_WAITING &&
	       rt_load_relaxed(&gp->why) == why;
}

void await_parked(int64_t id, int why)
{
	AWAIT(is_parked(id, why));
}

static struct child tasks[256]; /* outlives whoever gives up waiting */
static size_t ntasks;

static int64_t perform(struct child *t)
{
	struct gamp_dial_options opt = { .deadline = t->deadline };

	switch (t->op) {
	case READ:
		return gamp_read(t->fd, t->buf, t->n);
	case WRITE:
		return gamp_write(t->fd, t->buf, t->n);
	case SOME:
		return gamp_write_some(t->fd, t->buf, t->n);
	case ACCEPT:
		return gamp_accept(t->fd);
	case DIAL:
		return gamp_dial_with(&opt, t->network, t->addr);
	case SLEEP:
		return gamp_sleep((int64_t)t->n);
	case WAIT_R:
		return gamp_wait_readable(t->fd);
	case WAIT_W:
		return gamp_wait_writable(t->fd);
	}
	return -ENOSYS;
}

static void run_task(void *arg)
{
	struct child *t = arg;

	if (t->protect)
		(void)gamp_uncancellable(true);
	t->began = gamp_now();
	t->result = perform(t);
	t->ended = gamp_now();
	atomic_store(&t->done, 1);
}

struct child *start(struct child init)
{
	struct child *t = &tasks[ntasks++ % LEN(tasks)];

	*t = init;
	t->id = gamp_go(run_task, t);
	CHECK(t->id > 0);
	return t;
}

int why_of(enum op op)
{
	switch (op) {
	case READ:
	case ACCEPT:
	case WAIT_R:
		return WHY_READ;
	case SLEEP:
		return WHY_SLEEP;
	default:
		return WHY_WRITE;
	}
}

struct child *start_parked(struct child init)
{
	struct child *t = start(init);

	await_parked(t->id, why_of(t->op));
	return t;
}

int64_t finish(struct child *t)
{
	int64_t limit = gamp_now() + LIMIT;

	while (!atomic_load(&t->done) && gamp_now() < limit)
		pause_a_little();
	return atomic_load(&t->done) ? t->result : -EDOM;
}

static gamp_fd arm_fd;

_Atomic int64_t arm_result;
atomic_int arm_starts, arm_cancelled;

void on_readable(void *arg)
{
	char c[9];
	gamp_fd fd = *(gamp_fd *)arg;

	atomic_store(&arm_cancelled, gamp_cancelled());
	atomic_store(&arm_result, gamp_read(fd, c, sizeof(c)));
	atomic_fetch_add(&arm_starts, 1);
}

void arm(gamp_fd fd)
{
	arm_fd = fd;
	atomic_store(&arm_starts, 0);
	CHECK_EQ(gamp_go_when_readable(fd, on_readable, &arm_fd), 0);
}

void armed_gives(int64_t result)
{
	AWAIT(atomic_load(&arm_starts) == 1);
	CHECK_EQ(atomic_load(&arm_result), result);
}

void never_run(void *arg)
{
	(void)arg;
	CHECK(false);
}

char in_buf[BIG], out_buf[BIG];

void port_text(char buf[32], const char *host, gamp_fd l)
{
	struct gamp_addr a;

	if (CHECK_EQ(gamp_local_addr(l, &a), 0))
		(void)snprintf(buf, 32, "%s:%d", host, gamp_addr_port(&a));
}

void pair_tcp(gamp_fd *a, gamp_fd *b)
{
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	char to[32];

	CHECK(l > 0);
	port_text(to, "127.0.0.1", l);
	*a = gamp_dial("tcp", to);
	CHECK(*a > 0);
	*b = gamp_accept(l);
	CHECK(*b > 0);
	CHECK_EQ(gamp_close(l), 0);
}

void pair_socketpair(gamp_fd *a, gamp_fd *b)
{
	int sv[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	*a = gamp_adopt(sv[0]);
	*b = gamp_adopt(sv[1]);
	CHECK(*a > 0 && *b > 0);
}

void pair_unix(gamp_fd *a, gamp_fd *b)
{
	char name[64];
	gamp_fd l;

	(void)snprintf(name, sizeof(name), "@gamp-test-%d-%" PRIx64,
	    (int)getpid(), random64());
	l = gamp_listen("unix", name);
	CHECK(l > 0);
	*a = gamp_dial("unix", name);
	CHECK(*a > 0);
	*b = gamp_accept(l);
	CHECK(*b > 0);
	CHECK_EQ(gamp_close(l), 0);
}

void pair_pipe(gamp_fd *a, gamp_fd *b)
{
	int p[2];

	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	*b = gamp_adopt(p[0]);
	*a = gamp_adopt(p[1]);
	CHECK(*a > 0 && *b > 0);
}

const struct kind kinds[] = {
	{ "tcp", pair_tcp, true },
	{ "unix", pair_unix, true },
	{ "socketpair", pair_socketpair, true },
	{ "pipe", pair_pipe, false },
};

void close_pair(gamp_fd a, gamp_fd b)
{
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(b), 0);
}

int queued(int sysfd)
{
	int n = -1;

	return ioctl(sysfd, FIONREAD, &n) < 0 ? -errno : n;
}

int backlog(int sysfd)
{
	struct tcp_info ti = { 0 };
	socklen_t len = sizeof(ti);

	return getsockopt(sysfd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0 ?
	    -errno :
	    (int)ti.tcpi_unacked;
}

void drain(gamp_fd fd)
{
	char c[64];

	CHECK_EQ(gamp_set_read_deadline(fd, gamp_now() + MS / 2), 0);
	CHECK_EQ(gamp_read(fd, c, sizeof(c)), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(fd, 0), 0);
}

/* TCP with room that is yet to come: something on its way, or a window that is
 * smaller than a segment, which the sender's timer uses up later. */
static bool room_may_come(int sysfd)
{
	struct tcp_info ti = { 0 };
	socklen_t len = sizeof(ti);

	return getsockopt(sysfd, IPPROTO_TCP, TCP_INFO, &ti, &len) == 0 &&
	       (ti.tcpi_unacked > 0 || ti.tcpi_notsent_bytes == 0 ||
		   ti.tcpi_snd_wnd > 0);
}

/* What fits, or -ECANCELED: nothing did, and the call was parked.  A deadline
 * would not tell, for it may pass before anything is tried. */
static int64_t write_what_fits(gamp_fd fd)
{
	struct child *t = start((struct child){
	    .op = SOME, .fd = fd, .buf = out_buf, .n = BIG });

	AWAIT(atomic_load(&t->done) || is_parked(t->id, WHY_WRITE));
	(void)gamp_cancel(t->id);
	return finish(t);
}

size_t fill(gamp_fd fd)
{
	int sysfd = gamp_sysfd(fd), size = BIG;
	int64_t limit = gamp_now() + LIMIT, r;
	bool final;
	size_t n = 0;

	/* Else TCP's buffer grows with each acknowledgement. */
	(void)setsockopt(sysfd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	do { /* once more when it is: it may have become so in between */
		final = !room_may_come(sysfd) || !CHECK(gamp_now() < limit);
		while ((r = write(sysfd, out_buf, BIG)) > 0)
			n += (size_t)r; /* most of it, quickly */
		while ((r = write_what_fits(fd)) > 0)
			n += (size_t)r;
		CHECK_EQ(r, -ECANCELED);
		if (!final)
			CHECK_EQ(gamp_sleep(5 * MS), 0);
	} while (!final);
	return n;
}

ssize_t read_full(gamp_fd fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = gamp_read(fd, (char *)buf + done, n - done);

		if (r <= 0)
			return r < 0 ? r : (ssize_t)done;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

void exchange(gamp_fd a, gamp_fd b)
{
	char c[8] = "";

	CHECK_EQ(gamp_write(a, "ping", 4), 4);
	CHECK_EQ(read_full(b, c, 4), 4);
	CHECK(memcmp(c, "ping", 4) == 0);
	CHECK_EQ(gamp_write(b, "pong", 4), 4);
	CHECK_EQ(read_full(a, c, 4), 4);
	CHECK(memcmp(c, "pong", 4) == 0);
}

void pass_the_poller(void)
{
	static char c;
	gamp_fd a, b;

	pair_socketpair(&a, &b);
	for (int i = 0; i < 3; i++) {
		struct child *t = start_parked(
		    (struct child){ .op = READ, .fd = b, .buf = &c, .n = 1 });

		CHECK_EQ(gamp_write(a, "x", 1), 1);
		CHECK_EQ(finish(t), 1);
	}
	close_pair(a, b);
}

void all_refuse(gamp_fd fd)
{
	struct iovec v = { in_buf, 1 };
	struct gamp_addr a;

	CHECK_EQ(gamp_read(fd, in_buf, 1), -EBADF);
	CHECK_EQ(gamp_read(fd, in_buf, 0), -EBADF);
	CHECK_EQ(gamp_readv(fd, &v, 1), -EBADF);
	CHECK_EQ(gamp_write(fd, in_buf, 1), -EBADF);
	CHECK_EQ(gamp_write(fd, in_buf, 0), -EBADF);
	CHECK_EQ(gamp_write_some(fd, in_buf, 1), -EBADF);
	CHECK_EQ(gamp_writev(fd, &v, 1), -EBADF);
	CHECK_EQ(gamp_accept(fd), -EBADF);
	CHECK_EQ(gamp_wait_readable(fd), -EBADF);
	CHECK_EQ(gamp_wait_writable(fd), -EBADF);
	CHECK_EQ(gamp_go_when_readable(fd, never_run, NULL), -EBADF);
	CHECK_EQ(gamp_set_deadline(fd, 1), -EBADF);
	CHECK_EQ(gamp_set_read_deadline(fd, 1), -EBADF);
	CHECK_EQ(gamp_set_write_deadline(fd, 1), -EBADF);
	CHECK_EQ(gamp_shutdown(fd, SHUT_RDWR), -EBADF);
	CHECK_EQ(gamp_sysfd(fd), -EBADF);
	CHECK_EQ(gamp_local_addr(fd, &a), -EBADF);
	CHECK_EQ(gamp_peer_addr(fd, &a), -EBADF);
	CHECK_EQ(gamp_close(fd), -EBADF);
}
