/* SPDX-License-Identifier: MIT */
/*
 * idle_conns.c - what a connection costs that says nothing.
 *
 * Answers: how much memory does a server hold for each of 19,000 idle TCP
 * connections, and what do they take from the 64 that are busy, when each has
 *	wait	a goroutine, parked in gamp_wait_readable;
 *	when	none until there is work: gamp_go_when_readable?
 * B/conn is before any of them has said a word, B/conn-used after each has
 * had an answer once.  Then 64 connections play ping-pong (ns/op, and the
 * server's srv-cpu-ns/op, a request), and in the end all must answer again.
 * The server is a process of its own, and so is each client half: this one,
 * whose blocking sockets know nothing of gamp.
 * Bar: wait 5 KiB (5,120 B), when 600 B.  Go 1.24 net.Conn: 3.2 KiB (7,440
 * with its buffer); Tokio 4,560; epoll loop 48.  Busy beside 10,000 idle:
 * 6.4 us a request by a loop, Go 8.0.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "bench/bench.h"

#define ACTIVE     64
#define BATCH      256  /* unanswered requests at once, in a sweep */
#define PER_SOURCE 8000 /* connections from one address: ports run out */
#define PATIENCE   20   /* seconds until the client gives up */

/* Between server and client. */
struct shared {
	_Atomic int port;
	_Atomic int64_t ready; /* connections that wait for requests */
	_Atomic int64_t open;
};

static struct shared *shared;
static bool when; /* the server's mode */

/* ---- server ---- */

static gamp_fd handle(void *arg)
{
	return (gamp_fd)(intptr_t)arg;
}

/* False: the connection is over. */
static bool answer(gamp_fd fd)
{
	char buf[64];
	ssize_t n = gamp_read(fd, buf, sizeof(buf));

	return n > 0 && gamp_write(fd, buf, (size_t)n) == n;
}

static void end(gamp_fd fd)
{
	(void)gamp_close(fd);
	atomic_fetch_sub(&shared->open, 1);
}

static void serve_parked(void *arg)
{
	gamp_fd fd = handle(arg);

	atomic_fetch_add(&shared->ready, 1);
	while (gamp_wait_readable(fd) == 0 && answer(fd))
		;
	end(fd);
}

static void serve_once(void *arg)
{
	gamp_fd fd = handle(arg);

	if (!answer(fd) || gamp_go_when_readable(fd, serve_once, arg) < 0)
		end(fd);
}

static void accept_all(void *arg)
{
	gamp_fd listener = handle(arg), fd;

	while ((fd = gamp_accept(listener)) > 0) {
		void *p = (void *)(intptr_t)fd;

		atomic_fetch_add(&shared->open, 1);
		if (!when) {
			(void)bench_must("gamp_go", gamp_go(serve_parked, p));
			continue;
		}
		(void)bench_must("gamp_go_when_readable",
		    gamp_go_when_readable(fd, serve_once, p));
		atomic_fetch_add(&shared->ready, 1);
	}
}

static void server(void *arg)
{
	gamp_fd control = bench_must("adopt", gamp_adopt(*(int *)arg));
	gamp_fd listener = gamp_listen("tcp", "127.0.0.1:0");
	struct gamp_addr addr;
	char c;

	(void)bench_must("gamp_listen", listener);
	(void)bench_must("local_addr", gamp_local_addr(listener, &addr));
	(void)bench_must(
	    "gamp_go", gamp_go(accept_all, (void *)(intptr_t)listener));
	atomic_store(&shared->port, gamp_addr_port(&addr));
	(void)gamp_read(control, &c, 1); /* until the client closes it */
	(void)gamp_close(listener);
	(void)gamp_close(control);
}

/* ---- client ---- */

static void wait_for(const char *what, _Atomic int64_t *v, int64_t want)
{
	int64_t t0 = gamp_now();
	struct timespec ts = { .tv_nsec = 2000000 };

	while (atomic_load(v) != want) {
		if (gamp_now() - t0 > PATIENCE * GAMP_SECOND)
			bench_fail("%s: %lld, not %lld", what,
			    (long long)atomic_load(v), (long long)want);
		(void)nanosleep(&ts, NULL);
	}
}

static int connect_one(int i)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, from = to;
	struct linger drop = { .l_onoff = 1 }; /* leaves no TIME_WAIT */
	struct timeval patience = { .tv_sec = PATIENCE };
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (s < 0)
		bench_fail("socket: %s", strerror(errno));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons((uint16_t)atomic_load(&shared->port));
	from.sin_addr.s_addr =
	    htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i / PER_SOURCE));
	(void)setsockopt(
	    s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(s, SOL_SOCKET, SO_LINGER, &drop, sizeof(drop));
	(void)setsockopt(
	    s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (bind(s, (struct sockaddr *)&from, sizeof(from)) < 0 ||
	    connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		bench_fail("connect: %s", strerror(errno));
	return s;
}

/* Each of n connections sends a word and gets it back. */
static void ask(const int *conn, int n)
{
	char buf[8];

	for (int i = 0; i < n; i++)
		if (write(conn[i], "ping", 4) != 4)
			bench_fail("write: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		if (read(conn[i], buf, sizeof(buf)) != 4 ||
		    memcmp(buf, "ping", 4) != 0)
			bench_fail("connection %d does not answer", i);
}

static void ask_all(const int *conn, int n)
{
	for (int i = 0; i < n; i += BATCH)
		ask(conn + i, n - i < BATCH ? n - i : BATCH);
}

static void client(const char *name, pid_t pid, int idle)
{
	int n = idle + ACTIVE;
	int *conn = malloc((size_t)n * sizeof(*conn));
	int64_t want = bench_env("BENCH_NS", 500 * GAMP_MILLISECOND);
	struct bench b = { 0 };
	int64_t rss, fresh, used;
	clockid_t clock;

	if (!conn || clock_getcpuclockid(pid, &clock) != 0)
		bench_fail("no memory, or no clock");
	rss = bench_rss(pid);
	for (int i = 0; i < n; i++)
		conn[i] = connect_one(i);
	wait_for("connections", &shared->ready, n);
	usleep(100000); /* the last one parks */
	fresh = bench_rss(pid) - rss;
	ask_all(conn, n);
	usleep(1000000); /* memory of the sweep goes back */
	used = bench_rss(pid) - rss;

	b.c0 = bench_cpu(clock);
	for (b.t0 = gamp_now(); gamp_now() - b.t0 < want; b.n += ACTIVE)
		ask(conn + idle, ACTIVE);
	b.t1 = gamp_now();
	b.c1 = bench_cpu(clock);
	ask_all(conn, n);
	for (int i = 0; i < n; i++)
		(void)close(conn[i]);
	free(conn);
	wait_for("connections left open", &shared->open, 0);

	bench_begin(name, b.n);
	bench_value((double)(b.t1 - b.t0) / (double)b.n, "ns/op");
	bench_value((double)(b.c1 - b.c0) / (double)b.n, "srv-cpu-ns/op");
	bench_value((double)fresh / n, "B/conn");
	bench_value((double)used / n, "B/conn-used");
	bench_end();
}

static void row(const char *name, int idle)
{
	int control[2], status;
	int64_t t0 = gamp_now();
	pid_t pid;

	if (!bench_wanted(name))
		return;
	memset(shared, 0, sizeof(*shared));
	if (pipe(control) < 0 || (pid = fork()) < 0)
		bench_fail("pipe or fork: %s", strerror(errno));
	if (pid == 0) {
		(void)close(control[1]);
		bench_runtime(0, server, &control[0]);
		_exit(0);
	}
	(void)close(control[0]);
	while (atomic_load(&shared->port) == 0 &&
	       gamp_now() - t0 < PATIENCE * GAMP_SECOND)
		usleep(1000);
	client(name, pid, idle);
	(void)close(control[1]);
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		bench_fail("%s: the server failed", name);
}

int main(int argc, char **argv)
{
	int idle = (int)bench_env("BENCH_CONNS", 19000);
	int64_t count = bench_env("BENCH_COUNT", 1);
	struct rlimit files;

	bench_init(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		bench_fail("getrlimit: %s", strerror(errno));
	files.rlim_cur = files.rlim_max;
	if (files.rlim_cur < (rlim_t)idle + ACTIVE + 32)
		bench_fail("too few descriptors: see ulimit -n");
	(void)setrlimit(RLIMIT_NOFILE, &files);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	for (; count > 0; count--) {
		when = false;
		row("IdleConns/wait", idle);
		when = true;
		row("IdleConns/when", idle);
	}
	return 0;
}
