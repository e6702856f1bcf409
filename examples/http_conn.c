/* SPDX-License-Identifier: MIT */
/* http_conn.c - see http_conn.h for the states, P1 and P2. */

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "examples/http_conn.h"
#include "examples/http_proto.h"

#include <gamp/errno.h>

/* A request's head has to arrive within this time, its body within that. */
#define HEAD_TIME (10 * GAMP_SECOND)
#define BODY_TIME (60 * GAMP_SECOND)
/*
 * A peer that was refused has this long to read why, and may go on sending
 * this much meanwhile.
 */
#define LINGER_TIME (1 * GAMP_SECOND)
#define LINGER_MAX  (4 << 20)
/* At the end an idle connection is kept this long for what is on its way. */
#define GRACE_TIME (20 * GAMP_MILLISECOND)

/* As many as gamp has goroutines; 32 MiB of address space, touched by need. */
#define TABLE_MAX (1 << 22)

/* Three pages of the stack, reused by the next goroutine at once. */
enum { IN_SIZE = 8192, OUT_SIZE = 4096 };

static struct {
	int64_t idle;            /* set once */
	int64_t head;            /* set once: the smaller of idle, HEAD_TIME */
	size_t size;             /* of the table; set once */
	_Atomic gamp_fd *table;  /* by system descriptor; P2 */
	gamp_fd quiet;           /* closed by whoever makes live 0 */
	_Atomic int64_t live;    /* connections, and the acceptor */
	_Atomic int64_t stop_at; /* when all have to be gone, or 0; P1 */
} conns;

int http_conn_setup(int64_t idle)
{
	struct rlimit lim;
	void *table;
	int quiet;

	conns.idle = idle;
	conns.head = idle < HEAD_TIME ? idle : HEAD_TIME;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	conns.size = lim.rlim_cur < TABLE_MAX ? lim.rlim_cur : TABLE_MAX;
	table = mmap(NULL, conns.size * sizeof(*conns.table),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	    -1, 0);
	if (table == MAP_FAILED)
		return -errno;
	conns.table = table;
	quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (quiet < 0)
		return -errno;
	conns.quiet = gamp_adopt(quiet);
	if (conns.quiet < 0)
		return (int)conns.quiet;
	conns.live = 1;
	return 0;
}

void http_conn_leave(void)
{
	if (--conns.live == 0)
		gamp_close(conns.quiet);
}

static void end(gamp_fd fd)
{
	gamp_close(fd);
	http_conn_leave();
}

/* When the process is to end, a deadline is not later than this. */
static int64_t latest(bool idle)
{
	int64_t stop_at = conns.stop_at; /* P1 */

	if (stop_at == 0)
		return GAMP_FOREVER;
	return idle ? gamp_now() + GRACE_TIME : stop_at;
}

/* Bounds reads and writes: a peer may also fail to take our answers. */
static void set_deadline(gamp_fd fd, int64_t t, bool idle)
{
	int64_t most;

	gamp_set_deadline(fd, t);
	most = latest(idle); /* P1 */
	if (most < t)
		gamp_set_read_deadline(fd, most);
}

/*
 * Waits until the peer has closed.  To close with bytes unread, or yet to
 * arrive, resets the connection, and the peer may never see the answer.
 */
static void linger(gamp_fd fd, char *in)
{
	int64_t left = LINGER_MAX;
	ssize_t n;

	if (gamp_shutdown(fd, SHUT_WR) < 0)
		return;
	set_deadline(fd, gamp_now() + LINGER_TIME, false);
	while (left > 0 && (n = gamp_read(fd, in, IN_SIZE)) > 0)
		left -= n;
}

/* Parses and writes the answers; false if the connection is broken. */
static bool answer(gamp_fd fd, struct http_proto *h, const char *in, size_t n)
{
	char buf[OUT_SIZE];
	struct http_out out = { .buf = buf, .size = sizeof(buf) };
	size_t used = 0;

	h->last = conns.stop_at != 0;
	do {
		out.len = 0;
		used += http_proto_feed(h, in + used, n - used, &out);
		if (out.len > 0 && gamp_write(fd, buf, out.len) < 0)
			return false;
	} while (used < n && h->end == HTTP_OPEN);
	return true;
}

/* Reads and answers until no request is incomplete; false: close. */
static bool converse(gamp_fd fd, struct http_proto *h)
{
	char in[IN_SIZE];
	int64_t now, until = 0; /* the deadline of an incomplete request */
	uint32_t requests = 0;
	uint8_t phase = HTTP_IDLE;
	ssize_t n;

	for (;;) {
		n = gamp_read(fd, in, sizeof(in));
		if (n == -ETIMEDOUT && until > 0) {
			/* http_conn_stop cannot tell us from an idle one. */
			now = gamp_now();
			if (now >= until || now >= latest(false))
				return false;
			set_deadline(fd, until, false);
			continue;
		}
		if (n <= 0 || !answer(fd, h, in, (size_t)n))
			return false;
		if (h->end == HTTP_REFUSED)
			linger(fd, in);
		if (h->end != HTTP_OPEN)
			return false;
		if (h->phase == HTTP_IDLE)
			return true;
		if (h->phase == phase && h->requests == requests)
			continue;
		/* One deadline for a head, however many reads it takes. */
		phase = h->phase;
		requests = h->requests;
		until = gamp_now() +
			(phase == HTTP_IN_HEAD ? conns.head : BODY_TIME);
		set_deadline(fd, until, false);
	}
}

static void serve(void *arg);

/* Gives up the goroutine until there is input; false: close. */
static bool go_idle(gamp_fd fd)
{
	set_deadline(fd, gamp_now() + conns.idle, true);
	return gamp_go_when_readable(fd, serve, (void *)(intptr_t)fd) == 0;
}

static void serve(void *arg)
{
	gamp_fd fd = (intptr_t)arg;
	struct http_proto h;

	http_proto_init(&h);
	if (!converse(fd, &h) || !go_idle(fd))
		end(fd);
}

void http_conn_start(gamp_fd fd)
{
	int sysfd = gamp_sysfd(fd);

	conns.live++;
	if (sysfd < 0 || (size_t)sysfd >= conns.size) {
		end(fd);
		return;
	}
	conns.table[sysfd] = fd; /* P2 */
	if (!go_idle(fd))
		end(fd);
}

void http_conn_stop(int64_t limit)
{
	int64_t now = gamp_now();
	uint64_t unused;
	gamp_fd fd;

	conns.stop_at = now + limit; /* P1, P2 */
	for (size_t i = 0; i < conns.size; i++) {
		fd = conns.table[i];
		if (fd != 0)
			gamp_set_read_deadline(fd, now + GRACE_TIME);
	}
	gamp_set_read_deadline(conns.quiet, now + limit);
	(void)gamp_read(conns.quiet, &unused, sizeof(unused));
}
