/* SPDX-License-Identifier: MIT */
/*
 * http_proto.h - HTTP/1.1 requests in, responses out, and no I/O.
 *
 * Fed with what was read, in pieces of any size, it appends the responses to
 * a buffer.  The parser is Debian's libhttp-parser: it keeps no byte of the
 * input, so that between two reads a connection is a struct http_proto, and
 * between two requests (HTTP_IDLE) it is nothing that http_proto_init does
 * not restore.
 *
 *	http_proto_init(&h);
 *	while ((n = read(fd, in, sizeof(in))) > 0 && !h.end)
 *		for (used = 0; used < n && !h.end; out.len = 0) {
 *			used += http_proto_feed(&h, in + used, n - used, &out);
 *			write(fd, out.buf, out.len);
 *		}
 *
 * It is used by examples/http_conn.c on goroutines and by bench/epoll_http.c
 * in an event loop: the two differ in nothing but their I/O.
 *
 * What it answers:
 *	200	GET and HEAD of "/", whatever the query
 *	404	other paths
 *	405	other methods on "/", and CONNECT
 *	400	malformed; HTTP/1.1 without exactly one Host; then end
 *	413, 414, 431	over one of the limits below; then end
 *	505	not HTTP/1.x; then end
 *	100	Expect: 100-continue, before a body that is not refused
 */
#ifndef EXAMPLES_HTTP_PROTO_H
#define EXAMPLES_HTTP_PROTO_H

#include <http_parser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_PROTO_HEAD_MAX = 8192,    /* request line and headers: 431 */
	HTTP_PROTO_URL_MAX = 4096,     /* 414 */
	HTTP_PROTO_BODY_MAX = 1 << 20, /* 413; bodies are read and dropped */
	/* Room for all that one feed may append before it can pause: a 100,
	 * a response and an error, each under 170 bytes. */
	HTTP_PROTO_OUT_MIN = 512,
};

/* Where the input stands; only IDLE needs no memory. */
enum http_phase { HTTP_IDLE, HTTP_IN_HEAD, HTTP_IN_BODY };

/* What remains to be done with the connection once the output is written. */
enum http_end {
	HTTP_OPEN,    /* go on reading */
	HTTP_CLOSE,   /* all was understood and answered: close */
	HTTP_REFUSED, /* input was left unread: let the peer see the answer
		       * before a close with unread data resets it */
};

struct http_out {
	char *buf;
	size_t len, size;
};

struct http_proto {
	http_parser parser; /* first: the callbacks get its address */
	uint32_t body;      /* bytes announced by chunk headers so far */
	uint32_t requests;  /* complete so far; wraps */
	uint16_t url;       /* bytes of the request target so far */
	uint8_t phase;      /* enum http_phase */
	uint8_t end;        /* enum http_end */
	uint8_t refusal;    /* the answer to an input that a callback refused */
	uint8_t target;     /* how much of the target is recognised */
	uint8_t field;      /* which header this may be */
	uint8_t matched;    /* how many bytes of its name or value agree */
	uint8_t hosts;      /* Host headers */
	bool in_value;      /* the last header callback was for a value */
	bool expect;        /* Expect: 100-continue */
	bool last;          /* the server's wish: answer one more and close */
};

/* Sets the parser's limit, which is global; call once, before any other. */
void http_proto_setup(void);

void http_proto_init(struct http_proto *h);

/*
 * Takes input and appends output; out needs HTTP_PROTO_OUT_MIN of room.
 * Returns how much was taken: less than n when out is nearly full (write it,
 * feed the rest) or h->end is set (write it, close).
 */
size_t http_proto_feed(
    struct http_proto *h, const char *in, size_t n, struct http_out *out);

#endif
