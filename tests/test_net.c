/* SPDX-License-Identifier: MIT */
/*
 * test_net.c - every promise of gamp/net.h, through the public calls alone.
 *
 * Each test runs the runtime once.  Goroutines must not longjmp out of
 * themselves, as cmocka's assertions do: they note the first expectation that
 * failed (CHECK), and the main thread asserts after gamp_run.
 *
 * Nothing sleeps to let things happen: await waits for a state, with a limit.
 * Whether a goroutine is parked, and on what, is read out of the runtime
 * (await_parked), for no public call tells.
 *
 * Arguments	[seed]	replays the generated inputs of an earlier run
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "sched/g.h"
#include "tests/test.h"

#define MS    GAMP_MILLISECOND
#define LIMIT (8 * GAMP_SECOND) /* for any state to come */
#define SOON  (2 * GAMP_SECOND) /* "at once", on a slow machine */
#define HANG  100               /* seconds a test may take */

static uint64_t seed;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Expectations inside goroutines. */

static struct {
	pthread_mutex_t lock;
	int count;
	char text[256];
} failed = { .lock = PTHREAD_MUTEX_INITIALIZER };

static bool check(bool ok, const char *what, int line, int64_t a, int64_t b)
{
	if (ok)
		return true;
	(void)pthread_mutex_lock(&failed.lock);
	if (failed.count++ == 0)
		(void)snprintf(failed.text, sizeof(failed.text),
		    "line %d: %s: %" PRId64 ", %" PRId64, line, what, a, b);
	(void)pthread_mutex_unlock(&failed.lock);
	return false;
}

#define CHECK(x)       check((x), #x, __LINE__, 0, 0)
#define CHECK_EQ(a, b) check_eq((a), (b), #a " == " #b, __LINE__)

static bool check_eq(int64_t a, int64_t b, const char *what, int line)
{
	return check(a == b, what, line, a, b);
}

static void hung(int sig)
{
	static const char text[] = "test_net: hung\n";

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

static void run_with(gamp_fn *fn, const struct gamp_options *opt)
{
	int before = count_fds(), r;

	failed.count = 0;
	(void)signal(SIGALRM, hung);
	(void)alarm(HANG);
	r = gamp_run(fn, NULL, opt);
	(void)alarm(0);
	if (failed.count)
		fail_msg("%s", failed.text);
	assert_int_equal(r, 0);
	assert_int_equal(count_fds(), before);
}

/* Three Ps on two processors: threads get in each other's way. */
static void run(gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = 3 });
}

/* What happens in between is then known. */
static void run_one(gamp_fn *fn)
{
	run_with(fn, &(struct gamp_options){ .maxprocs = 1 });
}

#define AWAIT(cond)                                    \
	do {                                           \
		int64_t limit_ = gamp_now() + LIMIT;   \
		while (!(cond) && gamp_now() < limit_) \
			pause_a_little();              \
		CHECK(cond);                           \
	} while (0)

/* Not a point of cancellation, so it works in a test that ends badly. */
static void pause_a_little(void)
{
	if (gamp_self() && !gamp_cancelled())
		(void)gamp_sleep(50 * GAMP_MICROSECOND);
	else
		(void)usleep(50); /* AWAIT has a limit */
}

/* A look from outside, at a field that nobody shares. */
__attribute__((no_sanitize("thread"))) static bool is_parked(
    int64_t id, int why)
{
	struct g *gp = g_find(id);

	return gp && rt_load_acquire(&gp->status) == G_WAITING &&
	       *(volatile uint8_t *)&gp->why == why;
}

static void await_parked(int64_t id, int why)
{
	AWAIT(is_parked(id, why));
}

/* One call, made by a goroutine of its own. */

enum op {
	READ,
	WRITE,
	SOME,
	ACCEPT,
	DIAL,
	SLEEP,
	WAIT_R,
	WAIT_W,
};

struct child {
	enum op op;
	gamp_fd fd;
	void *buf;
	size_t n;
	const char *network, *addr;
	int64_t deadline; /* of a dial */
	bool protect;     /* uncancellable */
	int64_t id, result, began, ended;
	atomic_int done;
};

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

static struct child *start(struct child init)
{
	struct child *t = &tasks[ntasks++ % LEN(tasks)];

	*t = init;
	t->id = gamp_go(run_task, t);
	CHECK(t->id > 0);
	return t;
}

static int why_of(enum op op)
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

static struct child *start_parked(struct child init)
{
	struct child *t = start(init);

	await_parked(t->id, why_of(t->op));
	return t;
}

/* The result; -EDOM if it does not come. */
static int64_t finish(struct child *t)
{
	int64_t limit = gamp_now() + LIMIT;

	while (!atomic_load(&t->done) && gamp_now() < limit)
		pause_a_little();
	return atomic_load(&t->done) ? t->result : -EDOM;
}

/* Pairs of descriptors; the second end may be the system's. */

enum { BIG = 1 << 16 };

static char in_buf[BIG], out_buf[BIG];

static void port_text(char buf[32], const char *host, gamp_fd l)
{
	struct gamp_addr a;

	if (CHECK_EQ(gamp_local_addr(l, &a), 0))
		(void)snprintf(buf, 32, "%s:%d", host, gamp_addr_port(&a));
}

static void pair_tcp(gamp_fd *a, gamp_fd *b)
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

static void pair_socketpair(gamp_fd *a, gamp_fd *b)
{
	int sv[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	*a = gamp_adopt(sv[0]);
	*b = gamp_adopt(sv[1]);
	CHECK(*a > 0 && *b > 0);
}

static void pair_unix(gamp_fd *a, gamp_fd *b)
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

/* a is written, b is read. */
static void pair_pipe(gamp_fd *a, gamp_fd *b)
{
	int p[2];

	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	*b = gamp_adopt(p[0]);
	*a = gamp_adopt(p[1]);
	CHECK(*a > 0 && *b > 0);
}

static const struct {
	const char *name;
	void (*make)(gamp_fd *a, gamp_fd *b);
	bool both; /* ways */
} kinds[] = {
	{ "tcp", pair_tcp, true },
	{ "unix", pair_unix, true },
	{ "socketpair", pair_socketpair, true },
	{ "pipe", pair_pipe, false },
};

static void close_pair(gamp_fd a, gamp_fd b)
{
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(b), 0);
}

/* A connection whose other end is a blocking socket of the system. */
static gamp_fd tcp_to_raw(int *raw)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char to[32];
	gamp_fd fd;

	CHECK_EQ(bind(l, (struct sockaddr *)&in, len), 0);
	CHECK_EQ(listen(l, 5), 0);
	CHECK_EQ(getsockname(l, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(in.sin_port));
	fd = gamp_dial("tcp", to);
	CHECK(fd > 0);
	*raw = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	CHECK(*raw >= 0);
	(void)close(l);
	(void)setsockopt(
	    *raw, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return fd;
}

static void reset_raw(int raw)
{
	struct linger now = { .l_onoff = 1 };

	(void)setsockopt(raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)close(raw);
}

static int queued(int sysfd)
{
	int n = -1;

	return ioctl(sysfd, FIONREAD, &n) < 0 ? -errno : n;
}

static int tcp_state(int sysfd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	if (getsockopt(sysfd, IPPROTO_TCP, TCP_INFO, &ti, &len) < 0)
		return -errno;
	return ti.tcpi_state;
}

/* Afterwards the next read of fd waits without trying. */
static void drain(gamp_fd fd)
{
	char c[64];

	CHECK_EQ(gamp_set_read_deadline(fd, gamp_now() + MS / 2), 0);
	CHECK_EQ(gamp_read(fd, c, sizeof(c)), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(fd, 0), 0);
}

/* Bytes written until no more fit. */
static size_t fill(gamp_fd fd)
{
	size_t n = 0;
	ssize_t r;

	CHECK_EQ(gamp_set_write_deadline(fd, gamp_now() + 20 * MS), 0);
	while ((r = gamp_write_some(fd, out_buf, sizeof(out_buf))) > 0)
		n += (size_t)r;
	CHECK_EQ(r, -ETIMEDOUT);
	CHECK_EQ(gamp_set_write_deadline(fd, 0), 0);
	return n;
}

static ssize_t read_full(gamp_fd fd, void *buf, size_t n)
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

static void exchange(gamp_fd a, gamp_fd b)
{
	char c[8] = "";

	CHECK_EQ(gamp_write(a, "ping", 4), 4);
	CHECK_EQ(read_full(b, c, 4), 4);
	CHECK(memcmp(c, "ping", 4) == 0);
	CHECK_EQ(gamp_write(b, "pong", 4), 4);
	CHECK_EQ(read_full(a, c, 4), 4);
	CHECK(memcmp(c, "pong", 4) == 0);
}

/* By now the poller has handed out all that came before. */
static void pass_the_poller(void)
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

static bool has_ipv6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok =
	    fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

/*
 * Connecting.
 */

static const char *row_network, *row_listen, *row_dial;

static void connect_main(void *arg)
{
	gamp_fd l, a, b;
	struct child *t;
	char to[300];
	struct gamp_addr la;

	(void)arg;
	l = gamp_listen(row_network, row_listen);
	if (!CHECK(l > 0))
		return;
	CHECK_EQ(gamp_local_addr(l, &la), 0);
	(void)snprintf(to, sizeof(to), "%s:%d", row_dial, gamp_addr_port(&la));
	t = start((struct child){ .op = ACCEPT, .fd = l });
	a = gamp_dial(row_network, to);
	if (!CHECK(a > 0))
		return;
	b = finish(t);
	CHECK(b > 0);
	exchange(a, b);
	close_pair(a, b);
	CHECK_EQ(gamp_close(l), 0);
}

static void connect_row(const char *network, const char *on, const char *to)
{
	row_network = network;
	row_listen = on;
	row_dial = to;
	run(connect_main);
}

static void tcp_connects(void **state)
{
	(void)state;
	connect_row("tcp", "127.0.0.1:0", "127.0.0.1");
	connect_row("tcp4", "127.0.0.1:0", "127.0.0.1");
	connect_row("tcp", "127.0.0.2:0", "127.0.0.2");
}

static void tcp6_connects(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	connect_row("tcp", "[::1]:0", "[::1]");
	connect_row("tcp6", "[::1]:0", "[::1]");
	connect_row("tcp6", "localhost:0", "[::1]");
	connect_row("tcp6", ":0", "[::1]");
	connect_row("tcp6", "[::]:0", "localhost");
}

static void wildcards_accept_from_everywhere(void **state)
{
	(void)state;
	connect_row("tcp", ":0", "127.0.0.1");
	connect_row("tcp", ":0", "");
	connect_row("tcp4", ":0", "127.0.0.1");
	connect_row("tcp4", "0.0.0.0:0", "");
	if (has_ipv6())
		connect_row("tcp", ":0", "[::1]");
}

static void localhost_is_a_name_of_ours(void **state)
{
	(void)state;
	connect_row("tcp", "localhost:0", "localhost");
	connect_row("tcp4", "localhost:0", "127.0.0.1");
}

/* A name in /etc/hosts for 127.0.0.1 other than localhost. */
static bool name_from_hosts(char *name)
{
	FILE *f = fopen("/etc/hosts", "re");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "127.0.0.1 %255s", name) == 1 &&
			strcmp(name, "localhost") != 0;
	if (f)
		(void)fclose(f);
	return found;
}

static void names_go_to_the_resolver(void **state)
{
	char name[256], on[300];

	(void)state;
	if (!name_from_hosts(name))
		skip();
	connect_row("tcp", "127.0.0.1:0", name);
	(void)snprintf(on, sizeof(on), "%s:0", name);
	connect_row("tcp4", on, name);
}

static char unix_path[64];

static void unix_path_main(void *arg)
{
	gamp_fd l, a, b;
	struct stat st;
	struct gamp_addr sa;
	char text[140];

	(void)arg;
	l = gamp_listen("unix", unix_path);
	CHECK(l > 0);
	CHECK_EQ(stat(unix_path, &st), 0);
	CHECK_EQ(gamp_listen("unix", unix_path), -EADDRINUSE);
	CHECK_EQ(stat(unix_path, &st), 0);
	a = gamp_dial("unix", unix_path);
	CHECK(a > 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	exchange(a, b);
	CHECK_EQ(gamp_peer_addr(a, &sa), 0);
	CHECK_EQ(gamp_addr_string(&sa, text, sizeof(text)),
	    (ssize_t)strlen(unix_path));
	CHECK(strcmp(text, unix_path) == 0);
	CHECK_EQ(gamp_addr_port(&sa), -EAFNOSUPPORT);
	CHECK_EQ(gamp_close(l), 0);
	CHECK(stat(unix_path, &st) < 0);
	CHECK_EQ(gamp_dial("unix", unix_path), -ENOENT);
	exchange(a, b); /* what was accepted lives on */
	close_pair(a, b);
	CHECK(gamp_listen("unix", unix_path) > 0); /* left to gamp_stop */
}

static void unix_paths_are_removed_on_close(void **state)
{
	struct stat st;

	(void)state;
	(void)snprintf(unix_path, sizeof(unix_path), "/tmp/gamp-test-%d.sock",
	    (int)getpid());
	run(unix_path_main);
	assert_true(stat(unix_path, &st) < 0);
}

static void unix_abstract_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_unix(&a, &b);
	exchange(a, b);
	close_pair(a, b);
}

static void unix_abstract_names_connect(void **state)
{
	(void)state;
	run(unix_abstract_main);
}

static void refused_main(void *arg)
{
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	char to[32], path[80];
	int raw;

	(void)arg;
	port_text(to, "127.0.0.1", l);
	CHECK_EQ(gamp_close(l), 0);
	CHECK_EQ(gamp_dial("tcp", to), -ECONNREFUSED);
	CHECK_EQ(gamp_dial("unix", "@gamp-nobody-listens"), -ECONNREFUSED);
	CHECK_EQ(gamp_dial("unix", "/nonexistent/socket"), -ENOENT);
	/* A path that is left of a listener that died. */
	(void)snprintf(
	    path, sizeof(path), "/tmp/gamp-dead-%d.sock", (int)getpid());
	raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	(void)strcpy(un.sun_path, path);
	CHECK_EQ(bind(raw, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)close(raw);
	CHECK_EQ(gamp_dial("unix", path), -ECONNREFUSED);
	(void)unlink(path);
}

static void dial_is_refused_where_nobody_listens(void **state)
{
	(void)state;
	run(refused_main);
}

static void malformed_main(void *arg)
{
	static const char *const bad[] = { "", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:+1", "::1:80", "[::1]", "[::1]80", "[::1:80",
		"[127.0.0.1]:80", "1.2.3:80", "1.2.3.256:80", "a b:80",
		"127.0.0.1: 80", "127.0.0.1:80 ", "[::1%nosuchzone]:80" };

	(void)arg;
	for (size_t i = 0; i < LEN(bad); i++) {
		CHECK_EQ(gamp_dial("tcp", bad[i]), -EINVAL);
		CHECK_EQ(gamp_listen("tcp", bad[i]), -EINVAL);
	}
	CHECK_EQ(gamp_dial("tcp", NULL), -EINVAL);
	CHECK_EQ(gamp_listen("tcp", NULL), -EINVAL);
	CHECK_EQ(gamp_dial("udp", "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_listen("", "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_listen(NULL, "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_dial("unix", ""), -EINVAL);
	CHECK_EQ(gamp_dial("unix", "@"), -EINVAL);
	memset(in_buf, 'p', 200);
	in_buf[200] = 0;
	CHECK_EQ(gamp_listen("unix", in_buf), -EINVAL);
	CHECK_EQ(gamp_dial("tcp4", "[::1]:80"), -EINVAL);
	CHECK_EQ(gamp_dial("tcp6", "127.0.0.1:80"), -EINVAL);
}

static void malformed_addresses_are_refused(void **state)
{
	(void)state;
	run(malformed_main);
}

static void addresses_main(void *arg)
{
	struct gamp_addr al, ap, bl, bp, back;
	char text[64];
	gamp_fd a, b;
	int n;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_local_addr(a, &al), 0);
	CHECK_EQ(gamp_peer_addr(a, &ap), 0);
	CHECK_EQ(gamp_local_addr(b, &bl), 0);
	CHECK_EQ(gamp_peer_addr(b, &bp), 0);
	CHECK(al.len == bp.len && memcmp(&al.sa, &bp.sa, al.len) == 0);
	CHECK(ap.len == bl.len && memcmp(&ap.sa, &bl.sa, ap.len) == 0);
	n = gamp_addr_string(&ap, text, sizeof(text));
	CHECK(n > 0 && strncmp(text, "127.0.0.1:", 10) == 0);
	CHECK_EQ(atoi(text + 10), gamp_addr_port(&ap));
	CHECK_EQ(gamp_addr_parse("tcp", text, &back), 0);
	CHECK(back.len == ap.len && memcmp(&back.sa, &ap.sa, ap.len) == 0);
	CHECK_EQ(gamp_addr_string(&ap, text, (size_t)n), -ENOSPC);
	CHECK_EQ(gamp_addr_string(&ap, text, (size_t)n + 1), n);
	close_pair(a, b);
	a = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(gamp_peer_addr(a, &ap), -ENOTCONN);
	CHECK_EQ(gamp_close(a), 0);
	pair_pipe(&a, &b);
	CHECK_EQ(gamp_local_addr(a, &ap), -ENOTSOCK);
	CHECK_EQ(gamp_peer_addr(a, &ap), -ENOTSOCK);
	CHECK_EQ(gamp_shutdown(a, SHUT_RD), -ENOTSOCK);
	close_pair(a, b);
}

static void both_ends_agree_on_their_addresses(void **state)
{
	(void)state;
	run(addresses_main);
}

static void options_main(void *arg)
{
	struct gamp_listen_options share = { .reuse_port = true, .backlog = 3 };
	struct gamp_dial_options from = { .local = "127.0.0.3:0" };
	struct gamp_addr peer;
	gamp_fd l, l2, a, b;
	char to[32], text[64];
	int v;
	socklen_t len = sizeof(v);

	(void)arg;
	l = gamp_listen_with(&share, "tcp", "127.0.0.1:0");
	CHECK(l > 0);
	port_text(to, "127.0.0.1", l);
	CHECK_EQ(gamp_listen("tcp", to), -EADDRINUSE);
	l2 = gamp_listen_with(&share, "tcp", to);
	CHECK(l2 > 0);
	CHECK_EQ(gamp_close(l2), 0);
	a = gamp_dial_with(&from, "tcp", to);
	CHECK(a > 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	CHECK_EQ(gamp_peer_addr(b, &peer), 0);
	CHECK(gamp_addr_string(&peer, text, sizeof(text)) > 0);
	CHECK(strncmp(text, "127.0.0.3:", 10) == 0);
	CHECK_EQ(
	    getsockopt(gamp_sysfd(b), IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(
	    getsockopt(gamp_sysfd(a), SOL_SOCKET, SO_KEEPALIVE, &v, &len), 0);
	CHECK_EQ(v, 1);
	close_pair(a, b);
	from.local = "[::1]:0";
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -EINVAL);
	from = (struct gamp_dial_options){ .deadline = gamp_now() - 1 };
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -ETIMEDOUT);
	from.deadline = -5;
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -ETIMEDOUT);
	from.deadline = GAMP_FOREVER;
	a = gamp_dial_with(&from, "tcp", to);
	CHECK(a > 0);
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(l), 0);
}

static void options_of_listen_and_dial_hold(void **state)
{
	(void)state;
	run(options_main);
}

/*
 * Reading and writing.
 */

static void eof_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_read(b, in_buf, 100), 5);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_read(b, in_buf, 3), 3);
		CHECK_EQ(gamp_read(b, in_buf, 100), 2);
		CHECK_EQ(gamp_read(b, in_buf, 0), 0);
		CHECK_EQ(gamp_write(a, "bye", 3), 3);
		CHECK_EQ(gamp_close(a), 0);
		CHECK_EQ(gamp_read(b, in_buf, 100), 3);
		CHECK_EQ(gamp_read(b, in_buf, 100), 0);
		CHECK_EQ(gamp_read(b, in_buf, 100), 0);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void read_returns_what_arrived_then_zero(void **state)
{
	(void)state;
	run(eof_main);
	run_one(eof_main);
}

/* `polled`: whether the poller has told before the first read. */
static void data_and_fin(bool polled, bool parked)
{
	struct child *t = NULL;
	int raw;
	gamp_fd fd = tcp_to_raw(&raw);

	if (parked)
		t = start_parked((struct child){
		    .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(send(raw, "hello", 5, 0), 5);
	(void)close(raw);
	AWAIT(tcp_state(gamp_sysfd(fd)) == TCP_CLOSE_WAIT);
	if (polled)
		pass_the_poller();
	CHECK_EQ(t ? finish(t) : gamp_read(fd, in_buf, 100), 5);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 0);
	CHECK_EQ(gamp_close(fd), 0);
}

static void data_and_fin_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		data_and_fin(false, false);
		data_and_fin(true, false);
		data_and_fin(false, true);
	}
}

static void end_that_comes_with_data_is_seen(void **state)
{
	(void)state;
	run(data_and_fin_main);
	run_one(data_and_fin_main);
}

/* A pipe whose writer goes away with the data. */
static void pipe_data_and_end_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		gamp_fd a, b;
		struct child *t;

		pair_pipe(&a, &b);
		CHECK_EQ(gamp_write(a, "hello", 5), 5);
		CHECK_EQ(gamp_close(a), 0);
		if (i % 2)
			pass_the_poller();
		CHECK_EQ(gamp_read(b, in_buf, 100), 5);
		t = start((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 100 });
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void end_of_a_pipe_that_comes_with_data_is_seen(void **state)
{
	(void)state;
	run(pipe_data_and_end_main);
}

static void half_close_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;

		if (!kinds[i].both)
			continue;
		kinds[i].make(&a, &b);
		t = start_parked((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
		CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_write(a, "x", 1), -EPIPE);
		CHECK_EQ(gamp_read(b, in_buf, 9), 0);
		CHECK_EQ(gamp_write(b, "still", 5), 5);
		CHECK_EQ(read_full(a, in_buf, 5), 5);
		CHECK_EQ(gamp_write(b, "works", 5), 5);
		CHECK_EQ(read_full(a, in_buf, 5), 5);
		CHECK_EQ(gamp_shutdown(b, SHUT_WR), 0);
		CHECK_EQ(gamp_read(a, in_buf, 9), 0);
		close_pair(a, b);

		/* Our own end, while we are parked on it. */
		kinds[i].make(&a, &b);
		t = start_parked((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
		CHECK_EQ(gamp_shutdown(b, SHUT_RD), 0);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_shutdown(b, 77), -EINVAL);
		close_pair(a, b);
	}
}

static void half_closed_connections_still_carry(void **state)
{
	(void)state;
	run(half_close_main);
}

static void reset_main(void *arg)
{
	struct child *t;
	int raw;
	gamp_fd fd;

	(void)arg;
	fd = tcp_to_raw(&raw);
	t = start_parked(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 9 });
	reset_raw(raw);
	CHECK_EQ(finish(t), -ECONNRESET);
	CHECK_EQ(gamp_close(fd), 0);

	fd = tcp_to_raw(&raw);
	reset_raw(raw);
	AWAIT(tcp_state(gamp_sysfd(fd)) == TCP_CLOSE);
	CHECK_EQ(gamp_read(fd, in_buf, 9), -ECONNRESET);
	CHECK_EQ(gamp_read(fd, in_buf, 9), 0); /* said once, as read(2) */
	CHECK_EQ(gamp_write(fd, "x", 1), -EPIPE);
	CHECK_EQ(gamp_close(fd), 0);

	fd = tcp_to_raw(&raw);
	(void)fill(fd);
	t = start_parked(
	    (struct child){ .op = WRITE, .fd = fd, .buf = out_buf, .n = BIG });
	reset_raw(raw);
	CHECK_EQ(finish(t), -ECONNRESET);
	CHECK_EQ(gamp_close(fd), 0);
}

static void reset_by_the_peer_is_econnreset(void **state)
{
	(void)state;
	run(reset_main);
}

static void bytewise_writer(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;

	for (int i = 0; i < 2000; i++) {
		char c = (char)(i * 7);

		if (!CHECK_EQ(gamp_write(fd, &c, 1), 1))
			break;
		if (i % 3 == 0)
			gamp_yield();
	}
	CHECK_EQ(gamp_close(fd), 0);
}

static void bytewise_main(void *arg)
{
	static gamp_fd a, b;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		int n = 0;
		ssize_t r;

		kinds[k].make(&a, &b);
		CHECK(gamp_go(bytewise_writer, &a) > 0);
		while ((r = gamp_read(b, in_buf, 1 + (size_t)n % 5)) > 0)
			for (ssize_t i = 0; i < r; i++, n++)
				CHECK_EQ(in_buf[i], (char)(n * 7));
		CHECK_EQ(r, 0);
		CHECK_EQ(n, 2000);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void one_byte_at_a_time_arrives(void **state)
{
	(void)state;
	run(bytewise_main);
}

/*
 * In-band bytes count up; urgent ones are 0xff and may or may not come along
 * (a second one pushes the first back into the stream).
 */
static void urgent_round(bool parked)
{
	static unsigned char sent[256];
	int raw, n = 0, got = 0, steps = 1 + (int)(random64() % 8);
	gamp_fd fd = tcp_to_raw(&raw);
	struct child *t = NULL;
	int64_t r;

	if (parked)
		t = start_parked((struct child){
		    .op = READ, .fd = fd, .buf = in_buf, .n = 200 });
	for (int i = 0; i < steps; i++) {
		int k = (int)(random64() % 6);

		if (random64() % 3 == 0)
			CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
		for (int j = 0; j < k; j++)
			sent[n + j] = (unsigned char)(n + j);
		if (k > 0)
			CHECK_EQ(send(raw, sent + n, (size_t)k, 0), k);
		n += k;
		if (random64() % 4 == 0)
			pass_the_poller();
	}
	if (random64() % 2)
		CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
	(void)shutdown(raw, SHUT_WR);
	for (;;) {
		if (!t)
			t = start((struct child){
			    .op = READ, .fd = fd, .buf = in_buf, .n = 200 });
		r = finish(t);
		t = NULL;
		if (r <= 0)
			break;
		for (int i = 0; i < r; i++)
			if (in_buf[i] != '\xff')
				CHECK_EQ((unsigned char)in_buf[i], got++);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(got, n);
	(void)close(raw);
	CHECK_EQ(gamp_close(fd), 0);
}

/* The mark between two halves, all there before the first read. */
static void urgent_mark_round(bool polled, bool more)
{
	struct child *t;
	int raw;
	gamp_fd fd = tcp_to_raw(&raw);

	CHECK_EQ(send(raw, "abc", 3, 0), 3);
	CHECK_EQ(send(raw, "\xff", 1, MSG_OOB), 1);
	CHECK_EQ(send(raw, "def", 3, 0), 3);
	AWAIT(queued(gamp_sysfd(fd)) >= 3);
	if (polled)
		pass_the_poller();
	CHECK_EQ(gamp_read(fd, in_buf, 100), 3);
	if (more)
		CHECK_EQ(gamp_wait_readable(fd), 0);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 3);
	CHECK(memcmp(in_buf, "def", 3) == 0);
	(void)close(raw);
	CHECK_EQ(gamp_close(fd), 0);
}

static void urgent_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		urgent_mark_round(i & 1, i & 2);
	for (int i = 0; i < 200; i++)
		urgent_round(i & 1);
}

static void urgent_data_hides_no_byte(void **state)
{
	(void)state;
	run(urgent_main);
}

enum { HUGE = 16 << 20 };

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 12));
}

static atomic_int huge_bad;

static void slow_reader(void *arg)
{
	gamp_fd fd = *(gamp_fd *)arg;
	size_t got = 0, step = 1;
	ssize_t r;

	while ((r = gamp_read(fd, in_buf, step)) > 0) {
		for (ssize_t i = 0; i < r; i++)
			if ((unsigned char)in_buf[i] != pattern(got++))
				atomic_fetch_add(&huge_bad, 1);
		step = step * 3 % BIG + 1;
		if (step % 5 == 0)
			(void)gamp_sleep(GAMP_MICROSECOND);
	}
	CHECK_EQ(r, 0);
	CHECK_EQ((int64_t)got, HUGE);
	CHECK_EQ(gamp_close(fd), 0);
	atomic_fetch_add(&huge_bad, 1 << 30);
}

static void huge_main(void *arg)
{
	static gamp_fd a, b;
	unsigned char *all = malloc(HUGE);

	(void)arg;
	if (!CHECK(all != NULL))
		return;
	for (size_t i = 0; i < HUGE; i++)
		all[i] = pattern(i);
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		atomic_store(&huge_bad, 0);
		CHECK(gamp_go(slow_reader, &b) > 0);
		CHECK_EQ(gamp_write(a, all, HUGE), HUGE);
		CHECK_EQ(gamp_close(a), 0);
		AWAIT(atomic_load(&huge_bad) >= 1 << 30);
		CHECK_EQ(atomic_load(&huge_bad), 1 << 30);
	}
	free(all);
}

static void write_writes_everything_to_a_slow_reader(void **state)
{
	(void)state;
	run(huge_main);
}

static void vectors_reader(void *arg)
{
	slow_reader(arg);
}

static void vectors_main(void *arg)
{
	static struct iovec iov[1025];
	static gamp_fd a, b;
	unsigned char *all = malloc(HUGE);
	size_t at = 0;

	(void)arg;
	if (!CHECK(all != NULL))
		return;
	for (size_t i = 0; i < HUGE; i++)
		all[i] = pattern(i);
	for (int i = 0; i < 1024; i++) {
		size_t n = i == 1023    ? HUGE - at
			   : i % 7 == 0 ? 0
					: (size_t)(random64() % 30000);

		iov[i] = (struct iovec){ all + at, n };
		at += n;
	}
	iov[1024] = (struct iovec){ all, 1 };
	pair_tcp(&a, &b);
	atomic_store(&huge_bad, 0);
	CHECK(gamp_go(vectors_reader, &b) > 0);
	CHECK_EQ(gamp_writev(a, iov, 1025), -EINVAL);
	CHECK_EQ(gamp_writev(a, iov, -1), -EINVAL);
	CHECK_EQ(gamp_readv(a, iov, 1025), -EINVAL);
	CHECK_EQ(gamp_readv(a, iov, -1), -EINVAL);
	CHECK_EQ(gamp_writev(a, iov, 0), 0);
	CHECK_EQ(gamp_writev(a, iov, 1), 0); /* an empty one */
	CHECK_EQ(gamp_writev(a, NULL, 0), 0);
	CHECK_EQ(gamp_readv(a, NULL, 0), 0);
	CHECK_EQ(gamp_readv(a, iov, 1), 0);
	CHECK_EQ(gamp_writev(a, iov, 1024), HUGE);
	CHECK_EQ(gamp_close(a), 0);
	AWAIT(atomic_load(&huge_bad) >= 1 << 30);
	CHECK_EQ(atomic_load(&huge_bad), 1 << 30);

	pair_tcp(&a, &b);
	CHECK_EQ(gamp_write(a, "abcdefgh", 8), 8);
	AWAIT(queued(gamp_sysfd(b)) == 8);
	for (int i = 0; i < 1024; i++)
		iov[i] = (struct iovec){ in_buf + i, (size_t)(i & 1) };
	CHECK_EQ(gamp_readv(b, iov, 1024), 8);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(in_buf[2 * i + 1], 'a' + i);
	iov[0] = (struct iovec){ in_buf, SSIZE_MAX };
	iov[1] = (struct iovec){ in_buf, 1 };
	CHECK_EQ(gamp_readv(b, iov, 2), -EINVAL);
	CHECK_EQ(gamp_writev(b, iov, 2), -EINVAL);
	close_pair(a, b);
	free(all);
}

static void vectors_are_one_write(void **state)
{
	(void)state;
	run(vectors_main);
}

static void broken_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		ssize_t r = 0;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_close(b), 0);
		for (int n = 0; n < 1000 && r >= 0; n++) {
			r = gamp_write(a, "x", 1);
			gamp_yield();
		}
		CHECK(r == -EPIPE || r == -ECONNRESET);
		CHECK_EQ(gamp_write_some(a, "x", 1), -EPIPE);
		CHECK_EQ(
		    gamp_writev(a, &(struct iovec){ out_buf, 1 }, 1), -EPIPE);
		CHECK_EQ(gamp_close(a), 0);
	}
	/* The reader of a full pipe goes away while the writer is parked. */
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;
		int64_t r;

		kinds[i].make(&a, &b);
		(void)fill(a);
		t = start_parked((struct child){
		    .op = WRITE, .fd = a, .buf = out_buf, .n = BIG });
		CHECK_EQ(gamp_close(b), 0);
		r = finish(t);
		CHECK(r == -EPIPE || r == -ECONNRESET);
		CHECK_EQ(gamp_close(a), 0);
	}
}

static void write_to_a_closed_peer_gives_an_error_and_no_signal(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_DFL);
	run(broken_main);
}

static void empty_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_read(a, NULL, 0), 0);
	CHECK_EQ(gamp_write(a, NULL, 0), 0);
	CHECK_EQ(gamp_write_some(a, NULL, 0), 0);
	(void)fill(a);
	CHECK_EQ(gamp_write(a, NULL, 0), 0);
	close_pair(a, b);
}

static void nothing_to_do_does_not_park(void **state)
{
	(void)state;
	run(empty_main);
}

static void wait_ready_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < LEN(kinds); i++) {
		gamp_fd a, b;
		struct child *t;
		size_t n;

		kinds[i].make(&a, &b);
		CHECK_EQ(gamp_wait_writable(a), 0);
		t = start_parked((struct child){ .op = WAIT_R, .fd = b });
		CHECK_EQ(gamp_write(a, "xy", 2), 2);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_wait_readable(b), 0); /* it is still there */
		CHECK_EQ(gamp_read(b, in_buf, 1), 1);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_read(b, in_buf, 1), 1);
		t = start_parked((struct child){ .op = WAIT_R, .fd = b });
		CHECK_EQ(gamp_write(a, "z", 1), 1);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
		n = fill(a);
		t = start_parked((struct child){ .op = WAIT_W, .fd = a });
		for (size_t got = 0; got < n;)
			got += (size_t)gamp_read(b, in_buf, BIG);
		CHECK_EQ(finish(t), 0);
		CHECK_EQ(gamp_write(a, "z", 1), 1);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
		CHECK_EQ(gamp_close(a), 0);
		CHECK_EQ(gamp_wait_readable(b), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void wait_readable_and_writable_wait(void **state)
{
	(void)state;
	run(wait_ready_main);
}

/*
 * Deadlines.
 */

static void deadline_basics_main(void *arg)
{
	gamp_fd a, b;
	int64_t began;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	AWAIT(queued(gamp_sysfd(b)) == 1);
	/* Past, in every form: at once, though there are data. */
	static const int64_t past[] = { 1, -1, INT64_MIN };
	for (size_t i = 0; i < LEN(past); i++) {
		CHECK_EQ(gamp_set_read_deadline(b, past[i]), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
		CHECK_EQ(gamp_wait_readable(b), -ETIMEDOUT);
		CHECK_EQ(gamp_write(b, "y", 1), 1);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
	}
	CHECK_EQ(gamp_set_deadline(b, gamp_now()), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_write(b, "y", 1), -ETIMEDOUT);
	CHECK_EQ(gamp_write_some(b, "y", 1), -ETIMEDOUT);
	CHECK_EQ(gamp_wait_writable(b), -ETIMEDOUT);
	CHECK_EQ(gamp_set_write_deadline(b, GAMP_FOREVER), 0);
	CHECK_EQ(gamp_write(b, "y", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_set_deadline(b, 0), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), 1);

	began = gamp_now();
	CHECK_EQ(gamp_set_read_deadline(b, began + 5 * MS), 0);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK(gamp_now() >= began + 5 * MS);
	CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
	CHECK_EQ(gamp_write(a, "z", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 9), 1); /* used again */
	close_pair(a, b);
}

static void deadlines_past_present_and_future(void **state)
{
	(void)state;
	run(deadline_basics_main);
	run_one(deadline_basics_main);
}

static void deadline_moves_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;
		struct child *t;
		int64_t set;
		struct child rd;

		kinds[k].make(&a, &b);
		rd =
		    (struct child){ .op = READ, .fd = b, .buf = in_buf, .n = 9 };

		/* None, then set while parked. */
		t = start_parked(rd);
		set = gamp_now() + 3 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set);

		/* Earlier. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		set = gamp_now() + 3 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set && t->ended < set + SOON);

		/* To the past. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		CHECK_EQ(gamp_set_read_deadline(b, 1), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);

		/* Later, again and again. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		for (int i = 1; i <= 20; i++) {
			set = gamp_now() + i * MS;
			CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		}
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set && t->ended < set + SOON);

		/* Later, when the timer was to fire in between. */
		set = gamp_now() + 20 * MS;
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + MS), 0);
		t = start(rd);
		CHECK_EQ(gamp_set_read_deadline(b, set), 0);
		if (finish(t) == -ETIMEDOUT)
			CHECK(t->ended < set + SOON);

		/* Removed: only data help. */
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + LIMIT), 0);
		t = start_parked(rd);
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + 10 * MS), 0);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		set = gamp_now() + 15 * MS;
		AWAIT(gamp_now() > set);
		CHECK_EQ(atomic_load(&t->done), 0);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		CHECK_EQ(finish(t), 1);
		close_pair(a, b);
	}
}

static void deadlines_move_while_parked(void **state)
{
	(void)state;
	run(deadline_moves_main);
	run_one(deadline_moves_main);
}

static void write_deadline_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;
		struct child *t;
		int64_t set;
		size_t n;

		kinds[k].make(&a, &b);
		n = fill(a);
		t = start_parked((struct child){
		    .op = WRITE, .fd = a, .buf = out_buf, .n = BIG });
		set = gamp_now() + 2 * MS;
		CHECK_EQ(gamp_set_write_deadline(a, set), 0);
		CHECK_EQ(finish(t), -ETIMEDOUT);
		CHECK(t->ended >= set && t->ended < set + SOON);
		CHECK_EQ(gamp_set_write_deadline(a, 0), 0);
		t = start((struct child){
		    .op = SOME, .fd = a, .buf = out_buf, .n = 1 });
		for (size_t got = 0; got < n;)
			got += (size_t)gamp_read(b, in_buf, BIG);
		CHECK_EQ(finish(t), 1);
		close_pair(a, b);
	}
}

static void write_deadline_ends_a_write_that_does_not_fit(void **state)
{
	(void)state;
	run(write_deadline_main);
}

static void accept_deadline_main(void *arg)
{
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0"), a, b;
	struct child *t;
	char to[32];

	(void)arg;
	port_text(to, "127.0.0.1", l);
	CHECK_EQ(gamp_set_read_deadline(l, gamp_now() + 2 * MS), 0);
	CHECK_EQ(gamp_accept(l), -ETIMEDOUT);
	a = gamp_dial("tcp", to);
	CHECK(a > 0);
	CHECK_EQ(gamp_accept(l), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(l, 0), 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	exchange(a, b);
	close_pair(a, b);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_set_deadline(l, 1), 0);
	CHECK_EQ(finish(t), -ETIMEDOUT);
	CHECK_EQ(gamp_close(l), 0);
}

static void accept_obeys_the_read_deadline(void **state)
{
	(void)state;
	run(accept_deadline_main);
}

static void deadline_race_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;

		kinds[k].make(&a, &b);
		for (int i = 0; i < 300; i++) {
			struct child *t;
			int64_t r;

			drain(b);
			CHECK_EQ(gamp_set_read_deadline(b,
				     gamp_now() +
					 (int64_t)(random64() % (100 * 1000))),
			    0);
			t = start((struct child){
			    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
			if (random64() % 2)
				gamp_yield();
			CHECK_EQ(gamp_write(a, "x", 1), 1);
			r = finish(t);
			if (r == 1)
				continue;
			CHECK_EQ(r, -ETIMEDOUT);
			CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
			t = start((struct child){
			    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
			if (!CHECK_EQ(finish(t), 1))
				return;
		}
		close_pair(a, b);
	}
}

static void deadline_beside_data_loses_no_data(void **state)
{
	(void)state;
	run(deadline_race_main);
	run_one(deadline_race_main);
}

/* The timer of an earlier deadline is due but has had no chance to run: the
 * only P is ours. */
static void overdue_main(void *arg)
{
	gamp_fd a, b;
	int64_t now;

	(void)arg;
	pair_socketpair(&a, &b);
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	now = gamp_now();
	CHECK_EQ(gamp_set_read_deadline(b, now + MS / 2), 0);
	while (gamp_now() < now + MS)
		;
	CHECK_EQ(gamp_set_read_deadline(b, now + MS), 0); /* past as well */
	if (CHECK_EQ(gamp_read(b, in_buf, 9), -ETIMEDOUT)) {
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		CHECK_EQ(gamp_read(b, in_buf, 9), 1);
	}
	close_pair(a, b);
}

static void past_deadline_holds_though_an_older_timer_is_overdue(void **state)
{
	(void)state;
	run_one(overdue_main);
}

/*
 * Closing.
 */

static void close_parked_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		static const enum op ops[] = { READ, WAIT_R, WRITE, SOME,
			WAIT_W };

		for (size_t i = 0; i < LEN(ops); i++) {
			bool reads = why_of(ops[i]) == WHY_READ;
			gamp_fd a, b, fd;
			struct child *t, *second = NULL;
			int64_t closed;

			kinds[k].make(&a, &b);
			fd = reads ? b : a;
			if (!reads)
				(void)fill(a);
			t = start_parked((struct child){
			    .op = ops[i], .fd = fd, .buf = out_buf, .n = BIG });
			second = start((struct child){
			    .op = ops[i], .fd = fd, .buf = out_buf, .n = BIG });
			await_parked(second->id, WHY_FD_LOCK);
			closed = gamp_now();
			CHECK_EQ(gamp_close(fd), 0);
			CHECK_EQ(finish(t), -ECANCELED);
			CHECK_EQ(finish(second), -ECANCELED);
			CHECK(t->ended < closed + SOON);
			CHECK_EQ(gamp_close(reads ? a : b), 0);
		}
	}
}

static void close_ends_parked_calls_at_once(void **state)
{
	(void)state;
	run(close_parked_main);
	run_one(close_parked_main);
}

static void close_listener_main(void *arg)
{
	struct child *t[3];
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	char to[32];

	(void)arg;
	port_text(to, "127.0.0.1", l);
	t[0] = start_parked((struct child){ .op = ACCEPT, .fd = l });
	for (int i = 1; i < 3; i++) {
		t[i] = start((struct child){ .op = ACCEPT, .fd = l });
		await_parked(t[i]->id, WHY_FD_LOCK);
	}
	CHECK_EQ(gamp_close(l), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(finish(t[i]), -ECANCELED);
	CHECK_EQ(gamp_accept(l), -EBADF);
	CHECK_EQ(gamp_dial("tcp", to), -ECONNREFUSED);
}

static void close_ends_every_accept(void **state)
{
	(void)state;
	run(close_listener_main);
}

static void never_run(void *arg)
{
	(void)arg;
	CHECK(false);
}

/* Every function that takes a descriptor. */
static void all_refuse(gamp_fd fd)
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

static void after_close_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		close_pair(a, b);
		all_refuse(a);
		all_refuse(b);
	}
}

static void every_call_after_close_gives_ebadf(void **state)
{
	(void)state;
	run(after_close_main);
}

enum { MANY = 100 };

static void stale_main(void *arg)
{
	static gamp_fd old[2 * MANY], new[2 * MANY];

	(void)arg;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			kinds[i % 3].make(&old[2 * i], &old[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			CHECK_EQ(gamp_close(old[i]), 0);
		for (int i = 0; i < MANY; i++)
			kinds[i % 3].make(&new[2 * i], &new[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			all_refuse(old[i]);
		for (int i = 0; i < MANY; i++)
			exchange(new[2 * i], new[2 * i + 1]);
		for (int i = 0; i < 2 * MANY; i++)
			CHECK_EQ(gamp_close(new[i]), 0);
		for (int i = 0; i < 2 * MANY; i++)
			all_refuse(new[i]);
	}
}

static void stale_handles_never_reach_the_next_owner(void **state)
{
	(void)state;
	run(stale_main);
	run_one(stale_main);
}

/* While the next owner's reader and writer are parked. */
static void stale_parked_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	struct child *rd, *wr, *rd2;
	size_t n;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	CHECK(((oa ^ a) & 0xffffff) == 0 || ((oa ^ b) & 0xffffff) == 0);
	n = fill(a);
	wr = start_parked(
	    (struct child){ .op = WRITE, .fd = a, .buf = out_buf, .n = 1 });
	rd = start_parked(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf, .n = 1 });
	rd2 = start(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf + 1, .n = 1 });
	await_parked(rd2->id, WHY_FD_LOCK);
	for (int i = 0; i < 1000; i++) {
		all_refuse(oa);
		all_refuse(ob);
	}
	CHECK(is_parked(rd->id, WHY_READ));
	CHECK(is_parked(wr->id, WHY_WRITE));
	CHECK(is_parked(rd2->id, WHY_FD_LOCK));
	CHECK_EQ(gamp_write(b, "1", 1), 1);
	CHECK_EQ(finish(rd), 1);
	CHECK_EQ(gamp_write(b, "2", 1), 1);
	CHECK_EQ(finish(rd2), 1);
	CHECK(in_buf[0] == '1' && in_buf[1] == '2');
	for (size_t got = 0; got < n;)
		got += (size_t)gamp_read(b, in_buf, BIG);
	CHECK_EQ(finish(wr), 1);
	close_pair(a, b);
}

static void stale_handles_do_not_disturb_parked_owners(void **state)
{
	(void)state;
	run(stale_parked_main);
}

/* More calls than the word of a descriptor can count waiters. */
static void stale_flood_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	struct child *rd, *rd2;
	int64_t other = 0;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	rd = start_parked(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf, .n = 1 });
	for (int i = 0; i < 1100 * 1000 && !other; i++) {
		ssize_t r = gamp_read(oa, out_buf, 1);

		if (r != -EBADF)
			other = r;
		r = gamp_read(ob, out_buf, 1);
		if (r != -EBADF)
			other = r;
	}
	CHECK_EQ(other, 0);
	rd2 = start(
	    (struct child){ .op = READ, .fd = a, .buf = in_buf + 1, .n = 1 });
	CHECK_EQ(gamp_write(b, "1", 1), 1);
	CHECK_EQ(finish(rd), 1);
	CHECK_EQ(gamp_write(b, "2", 1), 1);
	CHECK_EQ(finish(rd2), 1);
	close_pair(a, b);
}

static void a_million_calls_on_a_stale_handle_change_nothing(void **state)
{
	(void)state;
	run(stale_flood_main);
}

/* A stale handle's read must not pass for a reader of the next owner. */

static gamp_fd stale_fd;
static atomic_int stale_stop;

static void *stale_thread(void *arg)
{
	char c;

	(void)arg;
	while (!atomic_load(&stale_stop))
		if (gamp_read(stale_fd, &c, 1) != -EBADF)
			return (void *)1;
	return NULL;
}

static atomic_int started_count;

static void count_start(void *arg)
{
	(void)arg;
	atomic_fetch_add(&started_count, 1);
}

static void stale_busy_main(void *arg)
{
	gamp_fd oa, ob, a, b;
	pthread_t th;
	void *bad = NULL;
	int busy = 0, armed = 0;

	(void)arg;
	pair_socketpair(&oa, &ob);
	close_pair(oa, ob);
	pair_socketpair(&a, &b);
	stale_fd = ((oa ^ a) & 0xffffff) ? ob : oa;
	CHECK_EQ((stale_fd ^ a) & 0xffffff, 0);
	CHECK_EQ(gamp_write(b, "x", 1), 1); /* so each starts at once */
	atomic_store(&stale_stop, 0);
	atomic_store(&started_count, 0);
	CHECK_EQ(pthread_create(&th, NULL, stale_thread, NULL), 0);
	for (int i = 0; i < 100 * 1000 && busy == 0; i++) {
		int r = gamp_go_when_readable(a, count_start, NULL);

		busy += r == -EBUSY;
		armed += r == 0;
		if (i % 64 == 0)
			gamp_yield();
	}
	atomic_store(&stale_stop, 1);
	(void)pthread_join(th, &bad);
	CHECK(bad == NULL);
	CHECK_EQ(busy, 0);
	AWAIT(atomic_load(&started_count) == armed);
	close_pair(a, b);
}

static void stale_reads_do_not_make_the_next_owner_busy(void **state)
{
	(void)state;
	run(stale_busy_main);
}

/* The first reader takes the slot anew before the second, which was waiting
 * for its turn, comes to run. */

static gamp_fd reuse_a, reuse_b, reuse_fd;
static atomic_int reused;

static void reader_that_reopens(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_read(reuse_fd, in_buf, 1), -ECANCELED);
	pair_socketpair(&reuse_a, &reuse_b);
	atomic_store(&reused, 1);
}

static void turn_reuse_main(void *arg)
{
	gamp_fd other;
	struct child *t;
	int64_t id;

	(void)arg;
	pair_socketpair(&reuse_fd, &other);
	atomic_store(&reused, 0);
	id = gamp_go(reader_that_reopens, NULL);
	await_parked(id, WHY_READ);
	t = start((struct child){
	    .op = READ, .fd = reuse_fd, .buf = out_buf, .n = 1 });
	await_parked(t->id, WHY_FD_LOCK);
	CHECK_EQ(gamp_close(reuse_fd), 0);
	CHECK_EQ(finish(t), -ECANCELED); /* it was in progress */
	AWAIT(atomic_load(&reused));
	exchange(reuse_a, reuse_b);
	close_pair(reuse_a, reuse_b);
	CHECK_EQ(gamp_close(other), 0);
}

static void close_cancels_waiters_though_the_slot_is_taken_anew(void **state)
{
	(void)state;
	run_one(turn_reuse_main);
	run(turn_reuse_main);
}

/*
 * Cancelling.
 */

static void cancel_one_op(struct child init, int why)
{
	struct child *t = start(init);
	int64_t at;

	await_parked(t->id, why);
	at = gamp_now();
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK(t->ended < at + SOON);
}

/* An address where connections are neither taken nor refused: the queue of
 * its listener is full.  Returns how many descriptors that took. */
static int full_listener(char to[32], int *fds, int max)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int n = 0;

	fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(fds[n], (struct sockaddr *)&in, len), 0);
	CHECK_EQ(listen(fds[n], 0), 0);
	CHECK_EQ(getsockname(fds[n], (struct sockaddr *)&in, &len), 0);
	n++;
	while (n < max) {
		struct pollfd p = { .events = POLLOUT };

		fds[n] = socket(
		    AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(fds[n], (struct sockaddr *)&in, len);
		p.fd = fds[n++];
		if (poll(&p, 1, 100) == 0) /* not even answered */
			break;
	}
	(void)snprintf(to, 32, "127.0.0.1:%d", ntohs(in.sin_port));
	return n;
}

static void cancel_main(void *arg)
{
	gamp_fd a, b, l = gamp_listen("tcp", "127.0.0.1:0");
	int fds[16], n;
	char to[32];
	struct child *t, *second;

	(void)arg;
	pair_tcp(&a, &b);
	struct child rd = { .op = READ, .fd = b, .buf = in_buf, .n = 9 };
	cancel_one_op(rd, WHY_READ);
	cancel_one_op((struct child){ .op = WAIT_R, .fd = b }, WHY_READ);
	cancel_one_op((struct child){ .op = ACCEPT, .fd = l }, WHY_READ);
	cancel_one_op(
	    (struct child){ .op = SLEEP, .n = 3600 * GAMP_SECOND }, WHY_SLEEP);
	(void)fill(a);
	cancel_one_op(
	    (struct child){ .op = WRITE, .fd = a, .buf = out_buf, .n = 9 },
	    WHY_WRITE);
	cancel_one_op((struct child){ .op = WAIT_W, .fd = a }, WHY_WRITE);

	/* The second reader; the first is not disturbed. */
	pair_tcp(&reuse_a, &reuse_b);
	rd.fd = reuse_b;
	t = start_parked(rd);
	cancel_one_op(rd, WHY_FD_LOCK);
	second = start(rd);
	await_parked(second->id, WHY_FD_LOCK);
	/* The first; the second takes over. */
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(gamp_write(reuse_a, "x", 1), 1);
	CHECK_EQ(finish(second), 1);
	close_pair(reuse_a, reuse_b);

	n = full_listener(to, fds, LEN(fds));
	cancel_one_op((struct child){ .op = DIAL, .network = "tcp", .addr = to },
	    WHY_WRITE);
	t = start((struct child){ .op = DIAL,
	    .network = "tcp",
	    .addr = to,
	    .deadline = gamp_now() + 5 * MS });
	CHECK_EQ(finish(t), -ETIMEDOUT);
	while (n > 0)
		(void)close(fds[--n]);
	close_pair(a, b);
	CHECK_EQ(gamp_close(l), 0);
	CHECK_EQ(gamp_cancel(t->id), -ESRCH);
}

static void cancel_ends_every_kind_of_wait(void **state)
{
	(void)state;
	run(cancel_main);
	run_one(cancel_main);
}

static gamp_fd cancel_fds[3];
static atomic_int cancel_done;

static void cancelled_body(void *arg)
{
	gamp_fd a = cancel_fds[0], b = cancel_fds[1], l = cancel_fds[2];
	char c[9];

	(void)arg;
	CHECK_EQ(gamp_sleep(3600 * GAMP_SECOND), -ECANCELED);
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_read(b, c, 9), -ECANCELED); /* there are data */
	CHECK_EQ(gamp_write(a, c, 1), -ECANCELED);
	CHECK_EQ(gamp_write_some(a, c, 1), -ECANCELED);
	CHECK_EQ(gamp_accept(l), -ECANCELED);
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -ECANCELED);
	CHECK_EQ(gamp_wait_readable(b), -ECANCELED);
	CHECK_EQ(gamp_wait_writable(a), -ECANCELED);
	CHECK_EQ(gamp_sleep(1), -ECANCELED);
	CHECK_EQ(gamp_sleep(0), -ECANCELED);

	CHECK(!gamp_uncancellable(true));
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_read(b, c, 9), 1);
	CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + MS), 0);
	CHECK_EQ(gamp_read(b, c, 9), -ETIMEDOUT); /* it parks */
	CHECK_EQ(gamp_write(a, "z", 1), 1);
	CHECK_EQ(gamp_sleep(MS), 0);
	CHECK(gamp_uncancellable(false));
	CHECK_EQ(gamp_read(b, c, 9), -ECANCELED);
	/* Calls that never park go on working. */
	CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
	CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
	atomic_store(&cancel_done, 1);
}

static void cancelled_for_good_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&cancel_done, 0);
	pair_tcp(&cancel_fds[0], &cancel_fds[1]);
	cancel_fds[2] = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(gamp_write(cancel_fds[0], "x", 1), 1);
	id = gamp_go(cancelled_body, NULL);
	await_parked(id, WHY_SLEEP);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&cancel_done));
	close_pair(cancel_fds[0], cancel_fds[1]);
	CHECK_EQ(gamp_close(cancel_fds[2]), 0);
}

static void cancelled_goroutines_stay_cancelled_unless_protected(void **state)
{
	(void)state;
	run(cancelled_for_good_main);
}

static void uncancellable_main(void *arg)
{
	gamp_fd a, b;
	struct child *t;

	(void)arg;
	pair_tcp(&a, &b);
	t = start_parked((struct child){
	    .op = READ, .fd = b, .buf = in_buf, .n = 9, .protect = true });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(gamp_cancel(t->id), 0);
	pass_the_poller();
	CHECK(is_parked(t->id, WHY_READ));
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	CHECK_EQ(finish(t), 1);
	t = start_parked((struct child){
	    .op = READ, .fd = b, .buf = in_buf, .n = 9, .protect = true });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(gamp_close(b), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(gamp_close(a), 0);
}

static void uncancellable_calls_go_through(void **state)
{
	(void)state;
	run(uncancellable_main);
}

/*
 * The reader is told that there are data, and cancelled before it runs: the
 * next reader must find them.  The only P is ours, and while we spin without
 * a call the monitor polls the network.
 */
static void cancelled_reader_main(void *arg)
{
	int64_t r = 0;

	(void)arg;
	for (int i = 0; i < 50 && r != -ECANCELED; i++) {
		gamp_fd a, b;
		struct child *t;
		struct child rd = { .op = READ, .buf = in_buf, .n = 9 };
		int64_t limit;
		struct g *gp;

		pair_socketpair(&a, &b);
		rd.fd = b;
		drain(b);
		t = start_parked(rd);
		gp = g_find(t->id);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		limit = gamp_now() + LIMIT;
		while (gp && rt_load_acquire(&gp->status) == G_WAITING &&
		       gamp_now() < limit)
			;
		(void)gamp_cancel(t->id); /* perhaps too late */
		r = finish(t);
		if (r == -ECANCELED)
			CHECK_EQ(finish(start(rd)), 1);
		close_pair(a, b);
	}
}

static void data_told_to_a_cancelled_reader_are_not_lost(void **state)
{
	(void)state;
	run_one(cancelled_reader_main);
}

/*
 * Several users.
 */

static void turns_main(void *arg)
{
	static char c[8];
	struct child *t[8];
	gamp_fd a, b;
	int sum = 0;

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		kinds[k].make(&a, &b);
		memset(c, 0, sizeof(c));
		sum = 0;
		for (int i = 0; i < 8; i++) {
			t[i] = start((struct child){
			    .op = READ, .fd = b, .buf = &c[i], .n = 1 });
			await_parked(t[i]->id, i == 0 ? WHY_READ : WHY_FD_LOCK);
		}
		CHECK_EQ(gamp_write(a, "\1\2\3\4\5\6\7\10", 8), 8);
		for (int i = 0; i < 8; i++) {
			CHECK_EQ(finish(t[i]), 1);
			sum += c[i];
		}
		CHECK_EQ(sum, 36);
		close_pair(a, b);
	}
}

static void readers_take_turns(void **state)
{
	(void)state;
	run(turns_main);
	run_one(turns_main);
}

enum { RECORD = 50000, RECORDS = 20, WRITERS = 4 };

static gamp_fd record_fd;

static void record_writer(void *arg)
{
	char *rec = malloc(RECORD);

	if (!CHECK(rec != NULL))
		return;
	memset(rec, (int)(intptr_t)arg, RECORD);
	for (int i = 0; i < RECORDS; i++) {
		struct iovec v[3] = { { rec, 7 }, { rec, RECORD / 2 },
			{ rec, RECORD - RECORD / 2 - 7 } };

		CHECK_EQ(i % 2 ? gamp_write(record_fd, rec, RECORD)
			       : gamp_writev(record_fd, v, 3),
		    RECORD);
	}
	free(rec);
}

static void records_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd b;

		kinds[k].make(&record_fd, &b);
		for (int i = 1; i <= WRITERS; i++)
			CHECK(gamp_go(record_writer, (void *)(intptr_t)i) > 0);
		for (int i = 0; i < WRITERS * RECORDS; i++) {
			if (!CHECK_EQ(read_full(b, in_buf, RECORD), RECORD))
				return;
			for (int j = 1; j < RECORD; j++)
				if (in_buf[j] != in_buf[0]) {
					CHECK(false);
					break;
				}
		}
		close_pair(record_fd, b);
	}
}

static void writes_never_interleave(void **state)
{
	(void)state;
	run(records_main);
}

/*
 * gamp_go_when_readable.
 */

static gamp_fd arm_fd;
static _Atomic int64_t arm_result;
static atomic_int arm_starts, arm_cancelled;

/* Reads once, and says what came. */
static void on_readable(void *arg)
{
	char c[9];
	gamp_fd fd = *(gamp_fd *)arg;

	atomic_store(&arm_cancelled, gamp_cancelled());
	atomic_store(&arm_result, gamp_read(fd, c, sizeof(c)));
	atomic_fetch_add(&arm_starts, 1);
}

static void arm(gamp_fd fd)
{
	arm_fd = fd;
	atomic_store(&arm_starts, 0);
	CHECK_EQ(gamp_go_when_readable(fd, on_readable, &arm_fd), 0);
}

static void armed_gives(int64_t result)
{
	AWAIT(atomic_load(&arm_starts) == 1);
	CHECK_EQ(atomic_load(&arm_result), result);
}

static void arm_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;
		struct child *t;

		/* Readable already, known or not. */
		kinds[k].make(&a, &b);
		CHECK_EQ(gamp_write(a, "xyz", 3), 3);
		arm(b);
		armed_gives(3);
		CHECK_EQ(gamp_write(a, "xyz", 3), 3);
		pass_the_poller();
		arm(b);
		armed_gives(3);

		/* Data that come later. */
		drain(b);
		arm(b);
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
		CHECK_EQ(gamp_go_when_readable(b, NULL, NULL), -EINVAL);
		CHECK_EQ(atomic_load(&arm_starts), 0);
		CHECK_EQ(gamp_write(a, "xy", 2), 2);
		armed_gives(2);

		/* A reader is there. */
		t = start_parked((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 9 });
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		CHECK_EQ(finish(t), 1);

		/* A reader waits for its turn behind the start. */
		drain(b);
		arm(b);
		t = start((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 1 });
		await_parked(t->id, WHY_FD_LOCK);
		CHECK_EQ(gamp_write(a, "xx", 2), 2);
		AWAIT(atomic_load(&arm_starts) == 1 || atomic_load(&t->done));
		CHECK_EQ(gamp_write(a, "yy", 2), 2);
		CHECK_EQ(finish(t), 1);
		AWAIT(atomic_load(&arm_starts) == 1);

		/* The deadline: to come, and past. */
		(void)gamp_set_read_deadline(b, gamp_now() + MS);
		while (gamp_read(b, in_buf, 9) > 0)
			;
		CHECK_EQ(gamp_set_read_deadline(b, gamp_now() + 2 * MS), 0);
		arm(b);
		armed_gives(-ETIMEDOUT);
		arm(b);
		armed_gives(-ETIMEDOUT);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);
		arm(b);
		CHECK_EQ(gamp_set_read_deadline(b, 1), 0);
		armed_gives(-ETIMEDOUT);
		CHECK_EQ(gamp_set_read_deadline(b, 0), 0);

		/* Closed by us. */
		drain(b);
		arm(b);
		CHECK_EQ(atomic_load(&arm_starts), 0);
		CHECK_EQ(gamp_close(b), 0);
		armed_gives(-EBADF);
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBADF);
		CHECK_EQ(gamp_close(a), 0);

		/* Closed by the peer. */
		kinds[k].make(&a, &b);
		drain(b);
		arm(b);
		CHECK_EQ(gamp_close(a), 0);
		armed_gives(0);
		arm(b);
		armed_gives(0);
		CHECK_EQ(gamp_close(b), 0);
	}
}

static void go_when_readable_starts_once_for_every_reason(void **state)
{
	(void)state;
	run(arm_main);
	run_one(arm_main);
}

/* Not drained as far as the runtime knows, yet there is nothing to read. */
static void idle_arm_main(void *arg)
{
	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		gamp_fd a, b;

		kinds[k].make(&a, &b);
		arm(b);
		pass_the_poller();
		CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
		CHECK_EQ(atomic_load(&arm_starts), 0);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		armed_gives(1);
		close_pair(a, b);
	}
}

static void go_when_readable_on_a_new_connection_starts_with_data(void **state)
{
	(void)state;
	run(idle_arm_main);
}

static gamp_fd chain_a, chain_b;
static atomic_int chain_n;

static void chain_link(void *arg)
{
	char c[4];
	ssize_t r = gamp_read(chain_b, c, sizeof(c));

	(void)arg;
	if (r <= 0) {
		atomic_store(&chain_n, r == 0 ? -1 : -2);
		return;
	}
	CHECK_EQ(gamp_write(chain_b, c, (size_t)r), r);
	atomic_fetch_add(&chain_n, 1);
	CHECK_EQ(gamp_go_when_readable(chain_b, chain_link, NULL), 0);
}

static void chain_main(void *arg)
{
	char c[4];

	(void)arg;
	for (size_t k = 0; k < LEN(kinds); k++) {
		if (!kinds[k].both)
			continue;
		kinds[k].make(&chain_a, &chain_b);
		atomic_store(&chain_n, 0);
		CHECK_EQ(gamp_go_when_readable(chain_b, chain_link, NULL), 0);
		for (int i = 0; i < 1000; i++) {
			CHECK_EQ(gamp_write(chain_a, "link", 4), 4);
			CHECK_EQ(read_full(chain_a, c, 4), 4);
		}
		AWAIT(atomic_load(&chain_n) == 1000);
		CHECK_EQ(gamp_close(chain_a), 0);
		AWAIT(atomic_load(&chain_n) == -1);
		CHECK_EQ(gamp_close(chain_b), 0);
	}
}

static void a_thousand_starts_follow_each_other(void **state)
{
	(void)state;
	run(chain_main);
	run_one(chain_main);
}

static void leave_armed_main(void *arg)
{
	static gamp_fd fds[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	atomic_store(&arm_cancelled, 0);
	for (int i = 0; i < MANY; i++) {
		gamp_fd a;

		pair_socketpair(&a, &fds[i]);
		drain(fds[i]);
		CHECK_EQ(
		    gamp_go_when_readable(fds[i], on_readable, &fds[i]), 0);
	}
	CHECK_EQ(atomic_load(&arm_starts), 0);
}

static void stopping_starts_what_is_armed(void **state)
{
	(void)state;
	run(leave_armed_main);
	assert_int_equal(atomic_load(&arm_starts), MANY);
	assert_int_equal(atomic_load(&arm_cancelled), 1);
	assert_int_equal(atomic_load(&arm_result), -ECANCELED);
}

/* Room for two goroutines only, so most starts must wait for one to exit. */
static void starved_main(void *arg)
{
	static gamp_fd a[MANY], b[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	for (int i = 0; i < MANY; i++) {
		pair_socketpair(&a[i], &b[i]);
		drain(b[i]);
		CHECK_EQ(gamp_go_when_readable(b[i], on_readable, &b[i]), 0);
	}
	for (int i = 0; i < MANY; i++)
		CHECK_EQ(gamp_write(a[i], "x", 1), 1);
	AWAIT(atomic_load(&arm_starts) == MANY);
	for (int i = 0; i < MANY; i++)
		close_pair(a[i], b[i]);
}

static void starts_wait_for_room(void **state)
{
	(void)state;
	run_with(starved_main,
	    &(struct gamp_options){ .maxprocs = 2, .max_goroutines = 2 });
	run_with(starved_main,
	    &(struct gamp_options){ .maxprocs = 1, .max_goroutines = 2 });
}

static void starved_stop_main(void *arg)
{
	static gamp_fd b[MANY];

	(void)arg;
	atomic_store(&arm_starts, 0);
	for (int i = 0; i < MANY; i++) {
		gamp_fd a;

		pair_socketpair(&a, &b[i]);
		drain(b[i]);
		CHECK_EQ(gamp_go_when_readable(b[i], on_readable, &b[i]), 0);
	}
}

static void starts_wait_for_room_while_stopping(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		run_with(starved_stop_main,
		    &(struct gamp_options){
			.maxprocs = 1 + i % 2, .max_goroutines = 2 });
		assert_int_equal(atomic_load(&arm_starts), MANY);
	}
	run(arm_main); /* and the next run is not disturbed */
}

/*
 * Descriptors of the system.
 */

static void adopt_kinds_main(void *arg)
{
	struct itimerspec in_2ms = { .it_value.tv_nsec = 2000000 };
	struct signalfd_siginfo si;
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint64_t v = 0;
	struct child *t;
	sigset_t set;
	gamp_fd fd, a;
	char to[32];
	int raw;

	(void)arg;
	raw = eventfd(0, EFD_CLOEXEC);
	fd = gamp_adopt(raw);
	CHECK(fd > 0);
	CHECK_EQ(gamp_sysfd(fd), raw);
	t = start_parked(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 8 });
	v = 7;
	CHECK_EQ(gamp_write(fd, &v, 8), 8);
	CHECK_EQ(finish(t), 8);
	memcpy(&v, in_buf, 8);
	CHECK_EQ((int64_t)v, 7);
	for (int i = 0; i < 3; i++) { /* eight bytes of eight: no short read */
		v = 1;
		CHECK_EQ(gamp_write(fd, &v, 8), 8);
		CHECK_EQ(gamp_read(fd, in_buf, 8), 8);
	}
	v = UINT64_MAX - 1; /* full: a writer parks */
	CHECK_EQ(gamp_write(fd, &v, 8), 8);
	v = 1;
	t = start_parked(
	    (struct child){ .op = WRITE, .fd = fd, .buf = &v, .n = 8 });
	CHECK_EQ(gamp_read(fd, in_buf, 64), 8);
	CHECK_EQ(finish(t), 8);
	CHECK_EQ(gamp_read(fd, in_buf, 64), 8);
	CHECK_EQ(gamp_close(fd), 0);

	fd = gamp_adopt(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	CHECK(fd > 0);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(timerfd_settime(gamp_sysfd(fd), 0, &in_2ms, NULL), 0);
		CHECK_EQ(gamp_read(fd, &v, 8), 8);
		CHECK_EQ((int64_t)v, 1);
	}
	CHECK_EQ(gamp_close(fd), 0);

	/* Sent to this thread and blocked in it: gone with the goroutine's
	 * next park, so it goes to the process, where main has it blocked. */
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	fd = gamp_adopt(signalfd(-1, &set, SFD_CLOEXEC));
	CHECK(fd > 0);
	t = start_parked(
	    (struct child){ .op = READ, .fd = fd, .buf = &si, .n = sizeof(si) });
	CHECK_EQ(kill(getpid(), SIGUSR2), 0);
	CHECK_EQ(finish(t), (int64_t)sizeof(si));
	CHECK_EQ(si.ssi_signo, SIGUSR2);
	CHECK_EQ(gamp_close(fd), 0);

	/* Somebody else's listener. */
	raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(raw, (struct sockaddr *)&in, sizeof(in)), 0);
	CHECK_EQ(listen(raw, 5), 0);
	fd = gamp_adopt(raw);
	CHECK(fd > 0);
	port_text(to, "127.0.0.1", fd);
	t = start_parked((struct child){ .op = ACCEPT, .fd = fd });
	a = gamp_dial("tcp", to);
	CHECK(a > 0);
	CHECK(finish(t) > 0);
	exchange(a, t->result);
	CHECK_EQ(gamp_accept(a), -EINVAL);
	close_pair(a, t->result);
	CHECK_EQ(gamp_close(fd), 0);
}

static void adopted_descriptors_of_every_kind_work(void **state)
{
	sigset_t set, old;

	(void)state;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR2);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	run(adopt_kinds_main);
	run_one(adopt_kinds_main);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void adopt_errors_main(void *arg)
{
	char path[] = "/tmp/gamp-test-XXXXXX", c;
	int raw = mkstemp(path), flags, p[2];
	struct stat st;
	gamp_fd fd;

	(void)arg;
	(void)unlink(path);
	flags = fcntl(raw, F_GETFL);
	CHECK_EQ(gamp_adopt(raw), -EPERM);
	CHECK_EQ(fcntl(raw, F_GETFL), flags);
	CHECK_EQ(write(raw, "x", 1), 1);
	CHECK_EQ(pread(raw, &c, 1, 0), 1);
	(void)close(raw);
	CHECK_EQ(gamp_adopt(-1), -EBADF);
	CHECK_EQ(gamp_adopt(INT_MIN), -EBADF);
	CHECK_EQ(gamp_adopt(INT_MAX), -EBADF);
	CHECK_EQ(gamp_adopt(raw), -EBADF);

	/* Twice: the second fails, and leaves the first alone. */
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	fd = gamp_adopt(p[0]);
	CHECK(fd > 0);
	CHECK_EQ(gamp_adopt(p[0]), -EEXIST);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(gamp_read(fd, &c, 1), 1);
	CHECK_EQ(gamp_close(fd), 0);
	CHECK(fstat(p[0], &st) < 0); /* close has closed it */
	(void)close(p[1]);

	/* What is no listener. */
	CHECK_EQ(pipe2(p, O_CLOEXEC), 0);
	fd = gamp_adopt(p[0]);
	CHECK_EQ(gamp_accept(fd), -EINVAL);
	CHECK_EQ(gamp_close(fd), 0);
	(void)close(p[1]);
}

static void what_cannot_be_adopted_stays_as_it_was(void **state)
{
	(void)state;
	run(adopt_errors_main);
}

/* A pipe in packet mode: each read stops at the end of a packet. */
static void packets_main(void *arg)
{
	struct child *t;
	gamp_fd fd;
	int p[2];

	(void)arg;
	CHECK_EQ(pipe2(p, O_CLOEXEC | O_DIRECT), 0);
	fd = gamp_adopt(p[0]);
	CHECK_EQ(write(p[1], "one", 3), 3);
	CHECK_EQ(write(p[1], "three", 5), 5);
	pass_the_poller();
	CHECK_EQ(gamp_read(fd, in_buf, 100), 3);
	t = start(
	    (struct child){ .op = READ, .fd = fd, .buf = in_buf, .n = 100 });
	CHECK_EQ(finish(t), 5);
	CHECK_EQ(gamp_close(fd), 0);
	(void)close(p[1]);
}

static void packets_of_a_pipe_all_arrive(void **state)
{
	(void)state;
	run(packets_main);
}

/* Datagrams: a read per message, of whatever length; an empty one is 0. */
static void datagrams_main(void *arg)
{
	struct child *t;
	gamp_fd a, b;
	int sv[2];

	(void)arg;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	a = gamp_adopt(sv[0]);
	b = gamp_adopt(sv[1]);
	for (int i = 1; i < 10; i++)
		CHECK_EQ(gamp_write(a, "123456789", (size_t)i), i);
	for (int i = 1; i < 10; i++) {
		t = start((struct child){
		    .op = READ, .fd = b, .buf = in_buf, .n = 100 });
		CHECK_EQ(finish(t), i);
	}
	close_pair(a, b);
}

static void datagrams_all_arrive(void **state)
{
	(void)state;
	run(datagrams_main);
}

/* A copy of the number lives on after close: no events for the dead. */
static void dup_main(void *arg)
{
	gamp_fd a, b, c, d;
	int copy;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		pair_socketpair(&a, &b);
		copy = fcntl(gamp_sysfd(b), F_DUPFD_CLOEXEC, 0);
		CHECK(copy >= 0);
		CHECK_EQ(gamp_close(b), 0);
		pair_socketpair(&c, &d);
		drain(c);
		drain(d);
		CHECK_EQ(gamp_write(a, "x", 1), 1);
		CHECK_EQ(read(copy, in_buf, 9), 1);
		exchange(c, d);
		(void)close(copy);
		CHECK_EQ(gamp_close(a), 0);
		close_pair(c, d);
	}
}

static void copies_of_a_descriptor_outlive_close_quietly(void **state)
{
	(void)state;
	run(dup_main);
}

/*
 * Out of descriptors.
 */

enum { CLIENTS = 40, SPARE = 10 };

static gamp_fd emfile_listener, emfile_got[CLIENTS];
static atomic_int emfile_n;

static void emfile_accepter(void *arg)
{
	(void)arg;
	for (int i = 0; i < CLIENTS; i++) {
		gamp_fd fd = gamp_accept(emfile_listener);

		if (!CHECK(fd > 0))
			return;
		emfile_got[i] = fd;
		atomic_fetch_add(&emfile_n, 1);
	}
}

static int64_t cpu_time(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * GAMP_SECOND + ts.tv_nsec;
}

static void emfile_main(void *arg)
{
	struct rlimit was, low;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int raw[CLIENTS], n, top;
	int64_t cpu, until, id;

	(void)arg;
	emfile_listener = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(getsockname(
		     gamp_sysfd(emfile_listener), (struct sockaddr *)&ss, &len),
	    0);
	for (int i = 0; i < CLIENTS; i++) {
		raw[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		CHECK_EQ(connect(raw[i], (struct sockaddr *)&ss, len), 0);
		CHECK_EQ(send(raw[i], &i, sizeof(i), 0), sizeof(i));
	}
	top = raw[CLIENTS - 1] + 1 + SPARE;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = (rlim_t)top;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	atomic_store(&emfile_n, 0);
	id = gamp_go(emfile_accepter, NULL);
	CHECK(id > 0);
	AWAIT(atomic_load(&emfile_n) >= SPARE);
	await_parked(id, WHY_READ);

	/* Paused: hardly any processor time goes by. */
	cpu = cpu_time();
	until = gamp_now() + 300 * MS;
	while (gamp_now() < until)
		(void)gamp_sleep(100 * MS);
	CHECK(cpu_time() - cpu < 100 * MS);
	n = atomic_load(&emfile_n);
	CHECK(n >= SPARE && n < CLIENTS);

	/* Closing some lets as many in; then all. */
	for (int i = 0; i < n; i++) {
		int who = -1;

		CHECK_EQ(
		    gamp_read(emfile_got[i], &who, sizeof(who)), sizeof(who));
		CHECK_EQ(who, i); /* in order, none lost */
		CHECK_EQ(gamp_close(emfile_got[i]), 0);
	}
	AWAIT(atomic_load(&emfile_n) >= n + 1);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
	AWAIT(atomic_load(&emfile_n) == CLIENTS);
	for (int i = n; i < CLIENTS; i++) {
		int who = -1;

		CHECK_EQ(
		    gamp_read(emfile_got[i], &who, sizeof(who)), sizeof(who));
		CHECK_EQ(who, i);
		CHECK_EQ(gamp_close(emfile_got[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		(void)close(raw[i]);
	CHECK_EQ(gamp_close(emfile_listener), 0);
}

static void accept_pauses_while_descriptors_are_short(void **state)
{
	(void)state;
	run(emfile_main);
	run_one(emfile_main);
}

/* Closed, cancelled, timed out while it pauses. */
static void emfile_ends_main(void *arg)
{
	struct rlimit was, low;
	struct child *t;
	gamp_fd l = gamp_listen("tcp", "127.0.0.1:0");
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int raw;

	(void)arg;
	CHECK_EQ(getsockname(gamp_sysfd(l), (struct sockaddr *)&ss, &len), 0);
	raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(raw, (struct sockaddr *)&ss, len), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
	low = was;
	low.rlim_cur = 3;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_cancel(t->id), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_set_read_deadline(l, gamp_now() + 2 * MS), 0);
	CHECK_EQ(finish(t), -ETIMEDOUT);
	CHECK_EQ(gamp_set_read_deadline(l, 0), 0);
	t = start_parked((struct child){ .op = ACCEPT, .fd = l });
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -EMFILE);
	CHECK_EQ(gamp_listen("tcp", "127.0.0.1:0"), -EMFILE);
	CHECK_EQ(gamp_close(l), 0);
	CHECK_EQ(finish(t), -ECANCELED);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
	(void)close(raw);
}

static void a_pausing_accept_can_be_ended(void **state)
{
	(void)state;
	run(emfile_ends_main);
}

/*
 * Any value is a safe handle.
 */

static void random_handles_main(void *arg)
{
	static const int64_t odd[] = { 0, 1, 2, 3, 5, 100, -1, -2, -9,
		INT64_MIN, INT64_MIN + 1, INT64_MAX, INT64_MAX - 1, INT32_MAX,
		INT32_MIN, (int64_t)1 << 22, (int64_t)1 << 24,
		((int64_t)1 << 24) - 1, (int64_t)1 << 39, (int64_t)1 << 62 };
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	for (size_t i = 0; i < LEN(odd); i++)
		all_refuse(odd[i]);
	for (int i = 0; i < 64; i++) { /* neighbours of a live one */
		gamp_fd fd = a ^ (gamp_fd)(UINT64_C(1) << i);

		if (fd != b)
			all_refuse(fd);
	}
	for (int i = 0; i < 20000; i++) {
		gamp_fd fd = (gamp_fd)(random64() >> random64() % 64);

		if (i % 2)
			fd = (fd & ~(gamp_fd)0xffffff) | (a & 0xffffff);
		if (fd != a && fd != b)
			all_refuse(fd);
	}
	exchange(a, b);
	close_pair(a, b);
}

static void any_value_is_a_safe_handle(void **state)
{
	(void)state;
	run(random_handles_main);
}

/*
 * Other threads, and no runtime.
 */

static gamp_fd foreign_fds[2];

static void *foreign(void *arg)
{
	struct iovec v = { in_buf, 1 };
	struct gamp_addr sa;
	gamp_fd l, fd, a = foreign_fds[0], b = foreign_fds[1];
	int raw = eventfd(0, EFD_CLOEXEC);

	(void)arg;
	CHECK_EQ(gamp_self(), 0);
	/* Would park. */
	CHECK_EQ(gamp_read(b, in_buf, 9), -EPERM);
	CHECK_EQ(gamp_readv(b, &v, 1), -EPERM);
	CHECK_EQ(gamp_wait_readable(b), -EPERM);
	CHECK_EQ(gamp_dial("tcp", "127.0.0.1:1"), -EPERM);
	CHECK_EQ(gamp_sleep(1), -EPERM);
	/* May be called. */
	l = gamp_listen("tcp", "127.0.0.1:0");
	CHECK(l > 0);
	CHECK_EQ(gamp_accept(l), -EPERM);
	CHECK_EQ(gamp_set_read_deadline(l, 1), 0);
	CHECK_EQ(gamp_local_addr(l, &sa), 0);
	CHECK_EQ(gamp_close(l), 0);
	all_refuse(l);
	fd = gamp_adopt(raw);
	CHECK(fd > 0);
	CHECK_EQ(gamp_sysfd(fd), raw);
	CHECK_EQ(gamp_read(fd, in_buf, 8), -EPERM);
	CHECK_EQ(gamp_close(fd), 0);
	CHECK_EQ(gamp_set_deadline(b, gamp_now() + LIMIT), 0);
	CHECK_EQ(gamp_set_deadline(b, 0), 0);
	arm(b);
	CHECK_EQ(atomic_load(&arm_starts), 0);
	CHECK_EQ(gamp_go_when_readable(b, never_run, NULL), -EBUSY);
	CHECK_EQ(write(gamp_sysfd(a), "xy", 2), 2);
	armed_gives(2);
	CHECK_EQ(gamp_shutdown(a, SHUT_WR), 0);
	arm(b);
	armed_gives(0);
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(a), -EBADF);
	return (void *)1;
}

static void await_thread(void *(*fn)(void *))
{
	pthread_t th;
	void *r = NULL;

	CHECK_EQ(pthread_create(&th, NULL, fn, NULL), 0);
	gamp_enter_blocking();
	(void)pthread_join(th, &r);
	gamp_leave_blocking();
	CHECK(r != NULL);
}

static void foreign_main(void *arg)
{
	(void)arg;
	pair_socketpair(&foreign_fds[0], &foreign_fds[1]);
	drain(foreign_fds[1]);
	await_thread(foreign);
	CHECK_EQ(gamp_close(foreign_fds[1]), 0);
}

static void other_threads_may_call_what_does_not_park(void **state)
{
	(void)state;
	run(foreign_main);
	run_one(foreign_main);
}

/* net.h: "Threads goroutine"; api.h: "elsewhere the call gives -EPERM". */
static void *foreign_strict(void *arg)
{
	gamp_fd a = foreign_fds[0], b = foreign_fds[1];

	(void)arg;
	CHECK_EQ(gamp_write(a, "x", 1), -EPERM);
	CHECK_EQ(gamp_write_some(a, "x", 1), -EPERM);
	CHECK_EQ(gamp_wait_writable(a), -EPERM);
	CHECK_EQ(write(gamp_sysfd(a), "x", 1), 1);
	CHECK_EQ(gamp_read(b, in_buf, 1), -EPERM);
	CHECK_EQ(gamp_wait_readable(b), -EPERM);
	return (void *)1;
}

static void foreign_strict_main(void *arg)
{
	(void)arg;
	pair_socketpair(&foreign_fds[0], &foreign_fds[1]);
	await_thread(foreign_strict);
	close_pair(foreign_fds[0], foreign_fds[1]);
}

static void calls_for_goroutines_are_refused_to_other_threads(void **state)
{
	(void)state;
	run(foreign_strict_main);
}

static atomic_int sigpipes;

static void on_sigpipe(int sig)
{
	(void)sig;
	atomic_fetch_add(&sigpipes, 1);
}

static void *foreign_pipe(void *arg)
{
	ssize_t r = gamp_write(foreign_fds[0], "x", 1);

	(void)arg;
	CHECK(r == -EPIPE || r == -EPERM);
	return (void *)1;
}

static void foreign_pipe_main(void *arg)
{
	(void)arg;
	pair_pipe(&foreign_fds[0], &foreign_fds[1]);
	CHECK_EQ(gamp_close(foreign_fds[1]), 0);
	await_thread(foreign_pipe);
	CHECK_EQ(gamp_close(foreign_fds[0]), 0);
}

static void writes_of_other_threads_raise_no_sigpipe(void **state)
{
	(void)state;
	atomic_store(&sigpipes, 0);
	(void)signal(SIGPIPE, on_sigpipe);
	run(foreign_pipe_main);
	(void)signal(SIGPIPE, SIG_DFL);
	assert_int_equal(atomic_load(&sigpipes), 0);
}

static gamp_fd left_open[2];

static void leave_open_main(void *arg)
{
	(void)arg;
	pair_tcp(&left_open[0], &left_open[1]);
}

static void calls_without_a_runtime_fail_cleanly(void **state)
{
	struct gamp_addr sa;
	int raw = eventfd(0, EFD_CLOEXEC), flags = fcntl(raw, F_GETFL);

	(void)state;
	run(leave_open_main);
	all_refuse(left_open[0]);
	all_refuse(1);
	assert_int_equal(failed.count, 0);
	assert_int_equal(gamp_listen("tcp", "127.0.0.1:0"), -ESRCH);
	assert_int_equal(gamp_adopt(raw), -ESRCH);
	assert_int_equal(fcntl(raw, F_GETFL), flags);
	assert_int_equal(close(raw), 0);
	assert_int_equal(gamp_dial("tcp", "127.0.0.1:1"), -EPERM);
	assert_int_equal(gamp_addr_parse("tcp", "127.0.0.1:1", &sa), 0);
	assert_int_equal(gamp_addr_port(&sa), 1);
}

static void stale_run_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_tcp(&a, &b);
	all_refuse(left_open[0]);
	all_refuse(left_open[1]);
	exchange(a, b);
	close_pair(a, b);
}

static void handles_of_an_earlier_run_stay_stale(void **state)
{
	(void)state;
	run(leave_open_main);
	run(stale_run_main);
	assert_int_equal(failed.count, 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(tcp_connects),
		TEST(tcp6_connects),
		TEST(wildcards_accept_from_everywhere),
		TEST(localhost_is_a_name_of_ours),
		TEST(names_go_to_the_resolver),
		TEST(unix_paths_are_removed_on_close),
		TEST(unix_abstract_names_connect),
		TEST(dial_is_refused_where_nobody_listens),
		TEST(malformed_addresses_are_refused),
		TEST(both_ends_agree_on_their_addresses),
		TEST(options_of_listen_and_dial_hold),
		TEST(read_returns_what_arrived_then_zero),
		TEST(end_that_comes_with_data_is_seen),
		TEST(end_of_a_pipe_that_comes_with_data_is_seen),
		TEST(half_closed_connections_still_carry),
		TEST(reset_by_the_peer_is_econnreset),
		TEST(one_byte_at_a_time_arrives),
		TEST(urgent_data_hides_no_byte),
		TEST(write_writes_everything_to_a_slow_reader),
		TEST(vectors_are_one_write),
		TEST(write_to_a_closed_peer_gives_an_error_and_no_signal),
		TEST(nothing_to_do_does_not_park),
		TEST(wait_readable_and_writable_wait),
		TEST(deadlines_past_present_and_future),
		TEST(deadlines_move_while_parked),
		TEST(write_deadline_ends_a_write_that_does_not_fit),
		TEST(accept_obeys_the_read_deadline),
		TEST(deadline_beside_data_loses_no_data),
		TEST(past_deadline_holds_though_an_older_timer_is_overdue),
		TEST(close_ends_parked_calls_at_once),
		TEST(close_ends_every_accept),
		TEST(every_call_after_close_gives_ebadf),
		TEST(stale_handles_never_reach_the_next_owner),
		TEST(stale_handles_do_not_disturb_parked_owners),
		TEST(a_million_calls_on_a_stale_handle_change_nothing),
		TEST(stale_reads_do_not_make_the_next_owner_busy),
		TEST(close_cancels_waiters_though_the_slot_is_taken_anew),
		TEST(cancel_ends_every_kind_of_wait),
		TEST(cancelled_goroutines_stay_cancelled_unless_protected),
		TEST(uncancellable_calls_go_through),
		TEST(data_told_to_a_cancelled_reader_are_not_lost),
		TEST(readers_take_turns),
		TEST(writes_never_interleave),
		TEST(go_when_readable_starts_once_for_every_reason),
		TEST(go_when_readable_on_a_new_connection_starts_with_data),
		TEST(a_thousand_starts_follow_each_other),
		TEST(stopping_starts_what_is_armed),
		TEST(starts_wait_for_room),
		TEST(starts_wait_for_room_while_stopping),
		TEST(adopted_descriptors_of_every_kind_work),
		TEST(what_cannot_be_adopted_stays_as_it_was),
		TEST(packets_of_a_pipe_all_arrive),
		TEST(datagrams_all_arrive),
		TEST(copies_of_a_descriptor_outlive_close_quietly),
		TEST(accept_pauses_while_descriptors_are_short),
		TEST(a_pausing_accept_can_be_ended),
		TEST(any_value_is_a_safe_handle),
		TEST(other_threads_may_call_what_does_not_park),
		TEST(calls_for_goroutines_are_refused_to_other_threads),
		TEST(writes_of_other_threads_raise_no_sigpipe),
		TEST(calls_without_a_runtime_fail_cleanly),
		TEST(handles_of_an_earlier_run_stay_stale),
	};

	seed = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 0)
			: (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	(void)printf("seed 0x%" PRIx64 "\n", seed);
	if (argc > 2) /* one test, by name */
		cmocka_set_test_filter(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
