/* SPDX-License-Identifier: MIT */
/* conn.c - see conn.h: listen, accept, dial, read, write, close. */

#include <stdlib.h>
#include <string.h>

#include <gamp/errno.h>

#include "chan.h"
#include "conn.h"

enum { PIECES_MAX = 16, ADDR_MAX = 256 };

static struct sock *sock_of(value v)
{
	return ((struct conn *)object_of(v))->sock;
}

static int bad(struct fiber *f, value v)
{
	return throw_text(f, "want a connection, not %s", type_name(v));
}

/* After an error of gamp: nil and the error, or KILLED. */
static int failed(struct fiber *f, value *args, value v, int64_t err)
{
	if (err == -ECANCELED && gamp_cancelled())
		return KILLED;
	return native_results(
	    args, v, error_value(f, err == -ECANCELED ? -EBADF : err));
}

/* A connection for fd, and no error. */
static int opened(struct fiber *f, value *args, gamp_fd fd)
{
	struct linnet *m = f->m;
	struct sock *s = calloc(1, sizeof(*s));
	struct conn *c =
	    s ? heap_alloc(&m->heap, sizeof(*c), KIND_CONN, 0) : NULL;

	if (!c) {
		free(s);
		gamp_close(fd);
		return throw_memory(f);
	}
	c->sock = s;
	s->owner = c;
	s->fd = fd;
	heap_outside(&m->heap, sizeof(*s));
	spin_lock(&m->lock);
	s->next = m->socks;
	m->socks = s;
	spin_unlock(&m->lock);
	return native_results(args, from_object(c), NIL);
}

/* The second argument is the network: by default tcp. */
static int address(
    struct fiber *f, const value *args, int n, char *addr, const char **network)
{
	*network = "tcp";
	if (!is_string(args[0]) || (n > 1 && !is_string(args[1])))
		return throw_text(f, "want an address");
	if (string_of(args[0])->head.n >= ADDR_MAX)
		return throw_text(f, "an address is too long");
	memcpy(addr, string_of(args[0])->text, string_of(args[0])->head.n + 1);
	if (n > 1)
		*network = string_of(args[1])->text;
	return 0;
}

static int listen_on(struct fiber *f, value *args, int n)
{
	char addr[ADDR_MAX];
	const char *network;
	gamp_fd fd;

	if (address(f, args, n, addr, &network) < 0)
		return THROWN;
	fd = gamp_listen(network, addr);
	return fd < 0 ? failed(f, args, NIL, fd) : opened(f, args, fd);
}

static int dial(struct fiber *f, value *args, int n)
{
	char addr[ADDR_MAX];
	const char *network;
	gamp_fd fd;

	if (address(f, args, n, addr, &network) < 0)
		return THROWN;
	fd = gamp_dial(network, addr);
	return fd < 0 ? failed(f, args, NIL, fd) : opened(f, args, fd);
}

static int accept_one(struct fiber *f, value *args, int n)
{
	gamp_fd fd;

	(void)n;
	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	fd = gamp_accept(sock_of(args[0])->fd);
	return fd < 0 ? failed(f, args, NIL, fd) : opened(f, args, fd);
}

/* ---- reading ---------------------------------------------------------- */

static bool enter(struct fiber *f, struct sock *s)
{
	if (__atomic_exchange_n(&s->busy, 1, __ATOMIC_ACQUIRE))
		return false;
	if (!s->buf && (s->buf = malloc(CONN_BUF)))
		heap_outside(&f->m->heap, CONN_BUF);
	return true;
}

static void leave(struct sock *s)
{
	__atomic_store_n(&s->busy, 0, __ATOMIC_RELEASE);
}

static int in_use(struct fiber *f)
{
	return throw_text(f, "another goroutine reads from this connection");
}

/* At the end of the stream, or after an error; what was read is v. */
static int stopped(struct fiber *f, value *args, value v, int64_t err)
{
	struct string *eof;

	if (err < 0)
		return failed(f, args, v, err);
	eof = string_from(f, "EOF", 3);
	return eof ? native_results(args, v, from_object(eof))
		   : throw_memory(f);
}

static int read_some(struct fiber *f, value *args, int n)
{
	uint32_t max = CONN_BUF, k;
	struct string *str;
	struct sock *s;
	ssize_t got;

	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	if (n > 1 && (!is_int(args[1]) || int_of(args[1]) < 1))
		return throw_text(f, "want a positive number of bytes");
	if (n > 1 && int_of(args[1]) < CONN_BUF)
		max = (uint32_t)int_of(args[1]);
	s = sock_of(args[0]);
	if (!enter(f, s))
		return in_use(f);
	if (s->from == s->to && s->buf) {
		got = gamp_read(s->fd, s->buf, CONN_BUF);
		if (got <= 0) {
			leave(s);
			str = string_from(f, "", 0);
			return str ? stopped(f, args, from_object(str), got)
				   : throw_memory(f);
		}
		s->from = 0;
		s->to = (uint32_t)got;
	}
	k = s->to - s->from < max ? s->to - s->from : max;
	str = s->buf ? string_from(f, s->buf + s->from, k) : NULL;
	s->from += k;
	leave(s);
	return str ? native_results(args, from_object(str), NIL)
		   : throw_memory(f);
}

/* Adds what there is of a line to t.  1: it is complete; 0: read on. */
static int take_line(struct sock *s, struct text *t)
{
	char *at = s->buf + s->from;
	size_t n = s->to - s->from;
	char *end = n > 0 ? memchr(at, '\n', n) : NULL;

	if (end)
		n = (size_t)(end - at) + 1;
	text_put(t, at, n);
	s->from += (uint32_t)n;
	return end != NULL;
}

static int got_line(struct fiber *f, value *args, struct text *t, int64_t err)
{
	struct string *str;
	bool whole = t->n > 0 && t->s[t->n - 1] == '\n';
	size_t n = t->n;

	if (t->failed) {
		text_free(t);
		return throw_text(f, "a line is too long");
	}
	if (whole)
		n--;
	if (whole && n > 0 && t->s[n - 1] == '\r')
		n--;
	str = string_from(f, t->s, n);
	text_free(t);
	if (!str)
		return throw_memory(f);
	/* What comes before the end of the stream is a line, too. */
	if (whole || (err == 0 && n > 0))
		return native_results(args, from_object(str), NIL);
	return stopped(f, args, from_object(str), err);
}

static int read_line(struct fiber *f, value *args, int n)
{
	struct text t = { .max = 1 << 20 };
	struct sock *s;
	ssize_t got = 0;

	(void)n;
	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	s = sock_of(args[0]);
	if (!enter(f, s))
		return in_use(f);
	while (s->buf && !take_line(s, &t) && !t.failed) {
		got = gamp_read(s->fd, s->buf, CONN_BUF);
		if (got <= 0)
			break;
		s->from = 0;
		s->to = (uint32_t)got;
	}
	leave(s);
	return got_line(f, args, &t, got < 0 ? got : 0);
}

/* ---- the rest --------------------------------------------------------- */

static int write_all(struct fiber *f, value *args, int n)
{
	struct iovec iov[PIECES_MAX];
	ssize_t put;

	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	if (n - 1 > PIECES_MAX)
		return throw_text(f, "too many strings");
	for (int i = 1; i < n; i++) {
		if (!is_string(args[i]))
			return throw_text(
			    f, "want a string, not %s", type_name(args[i]));
		iov[i - 1].iov_base = string_of(args[i])->text;
		iov[i - 1].iov_len = string_of(args[i])->head.n;
	}
	if (n == 2)
		put = gamp_write(
		    sock_of(args[0])->fd, iov[0].iov_base, iov[0].iov_len);
	else
		put = gamp_writev(sock_of(args[0])->fd, iov, n - 1);
	if (put == -ECANCELED && gamp_cancelled())
		return KILLED;
	return native_result(
	    args, error_value(f, put == -ECANCELED ? -EBADF : put));
}

int conn_close(struct fiber *f, value *args, int n)
{
	(void)n;
	if (is_kind(args[0], KIND_CHAN))
		return chan_close(f, args[0]);
	if (!is_kind(args[0], KIND_CONN))
		return throw_text(f, "want a connection or a channel, not %s",
		    type_name(args[0]));
	(void)gamp_close(sock_of(args[0])->fd);
	return 0;
}

static int deadline(struct fiber *f, value *args, int n)
{
	int64_t ms, at = GAMP_FOREVER;

	(void)n;
	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	if (!is_int(args[1]))
		return throw_text(f, "want milliseconds");
	ms = int_of(args[1]);
	if (ms > 0 && ms < INT64_MAX / GAMP_SECOND)
		at = gamp_now() + ms * GAMP_MILLISECOND;
	(void)gamp_set_deadline(sock_of(args[0])->fd, at);
	return 0;
}

static int address_of(struct fiber *f, value *args, bool peer)
{
	struct gamp_addr addr;
	struct string *str;
	char text[160];
	int err;

	if (!is_kind(args[0], KIND_CONN))
		return bad(f, args[0]);
	err = peer ? gamp_peer_addr(sock_of(args[0])->fd, &addr)
		   : gamp_local_addr(sock_of(args[0])->fd, &addr);
	if (err >= 0)
		err = gamp_addr_string(&addr, text, sizeof(text));
	str = string_from(f, text, err >= 0 ? strlen(text) : 0);
	return str ? native_result(args, from_object(str)) : throw_memory(f);
}

static int local_address(struct fiber *f, value *args, int n)
{
	(void)n;
	return address_of(f, args, false);
}

static int peer_address(struct fiber *f, value *args, int n)
{
	(void)n;
	return address_of(f, args, true);
}

const struct definition natives_net[] = {
	{ "listen", listen_on, 1, 2 },
	{ "dial", dial, 1, 2 },
	{ "accept", accept_one, 1, 1 },
	{ "read", read_some, 1, 2 },
	{ "readline", read_line, 1, 1 },
	{ "write", write_all, 2, -1 },
	{ "deadline", deadline, 2, 2 },
	{ "addr", local_address, 1, 1 },
	{ "peer", peer_address, 1, 1 },
	{ NULL, NULL, 0, 0 },
};

/* ---- the end ---------------------------------------------------------- */

void conn_find_dead(struct linnet *m)
{
	struct sock **at = &m->socks, *s;

	while ((s = *at)) {
		if (s->owner->head.mark == m->heap.epoch) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		s->next = m->dead;
		m->dead = s;
	}
}

static void close_list(struct linnet *m, struct sock *s)
{
	struct sock *next;

	for (; s; s = next) {
		next = s->next;
		(void)gamp_close(s->fd);
		heap_outside(
		    &m->heap, -(int64_t)(sizeof(*s) + (s->buf ? CONN_BUF : 0)));
		free(s->buf);
		free(s);
	}
}

void conn_close_dead(struct linnet *m)
{
	struct sock *dead;

	spin_lock(&m->lock);
	dead = m->dead;
	m->dead = NULL;
	spin_unlock(&m->lock);
	close_list(m, dead);
}

void conn_close_all(struct linnet *m)
{
	struct sock *all = m->socks;

	m->socks = NULL;
	close_list(m, all);
	conn_close_dead(m);
}
