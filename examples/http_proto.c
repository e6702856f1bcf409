/* SPDX-License-Identifier: MIT */
/* http_proto.c - see http_proto.h for what is answered. */

#include <string.h>

#include "examples/http_proto.h"

enum answer {
	A_OK,
	A_BAD,
	A_NOT_FOUND,
	A_NOT_ALLOWED,
	A_BODY_TOO_LARGE,
	A_URL_TOO_LONG,
	A_HEAD_TOO_LARGE,
	A_VERSION,
};

/* What a response says about the connection. */
enum keep { KEEP_SILENT, KEEP_SAID, KEEP_NOT };

struct text {
	const char *s;
	size_t len;
};

/*
 * Every response, whole, so that answering is one copy.  A HEAD request gets
 * the same without the last `body` bytes.
 */
struct response {
	struct text with[3]; /* by enum keep */
	size_t body;
};

#define TEXT(s)                  \
	{                        \
		s, sizeof(s) - 1 \
	}
#define RESPONSE(head, body_)                                              \
	{                                                                  \
		.with = { TEXT(head "\r\n" body_),                         \
			TEXT(head "Connection: keep-alive\r\n\r\n" body_), \
			TEXT(head "Connection: close\r\n\r\n" body_) },    \
		.body = sizeof(body_) - 1                                  \
	}
#define STATUS(status, length)                                \
	"HTTP/1.1 " status "\r\nContent-Type: text/plain\r\n" \
	"Content-Length: " length "\r\n"

static const struct response responses[] = {
	[A_OK] = RESPONSE(STATUS("200 OK", "13"), "Hello, World!"),
	[A_BAD] = RESPONSE(STATUS("400 Bad Request", "12"), "Bad Request\n"),
	[A_NOT_FOUND] = RESPONSE(STATUS("404 Not Found", "10"), "Not Found\n"),
	[A_NOT_ALLOWED] = RESPONSE(
	    STATUS("405 Method Not Allowed", "19") "Allow: GET, HEAD\r\n",
	    "Method Not Allowed\n"),
	[A_BODY_TOO_LARGE] = RESPONSE(
	    STATUS("413 Content Too Large", "18"), "Content Too Large\n"),
	[A_URL_TOO_LONG] =
	    RESPONSE(STATUS("414 URI Too Long", "13"), "URI Too Long\n"),
	[A_HEAD_TOO_LARGE] =
	    RESPONSE(STATUS("431 Request Header Fields Too Large", "32"),
		"Request Header Fields Too Large\n"),
	[A_VERSION] = RESPONSE(STATUS("505 HTTP Version Not Supported", "27"),
	    "HTTP Version Not Supported\n"),
};

static const struct text go_on = TEXT("HTTP/1.1 100 Continue\r\n\r\n");

/* The parser is the first member (http_proto.h). */
static struct http_proto *proto(http_parser *p)
{
	return (struct http_proto *)p;
}

static void append(struct http_proto *h, const char *s, size_t len)
{
	struct http_out *out = h->parser.data;

	memcpy(out->buf + out->len, s, len);
	out->len += len;
}

static void answer(struct http_proto *h, enum answer a, enum keep keep)
{
	const struct response *r = &responses[a];
	const struct text *t = &r->with[keep];

	append(
	    h, t->s, h->parser.method == HTTP_HEAD ? t->len - r->body : t->len);
}

/* For callbacks: stops the parser; http_proto_feed then gives answer a. */
static int refuse(struct http_proto *h, enum answer a)
{
	h->refusal = (uint8_t)a;
	return -1;
}

/*
 * Text is recognised a byte at a time, as it may arrive so: *pos bytes of
 * `want` agree so far, or it is MISS.  Trailing spaces do not count.
 */
enum { MISS = UINT8_MAX };

static void match(uint8_t *pos, const char *want, const char *at, size_t n)
{
	for (; n > 0 && *pos != MISS; n--, at++)
		if (want[*pos] == '\0')
			*pos = *at == ' ' || *at == '\t' ? *pos : MISS;
		else if (want[*pos] == (*at | 0x20))
			++*pos;
		else
			*pos = MISS;
}

static bool matched(uint8_t pos, const char *want)
{
	return pos != MISS && want[pos] == '\0';
}

/*
 * The request target: is its path "/"?  Both the origin form ("/?query") and
 * the absolute form ("http://host", "http://host/") are to be understood.
 */
enum target {
	T_START,
	T_SCHEME, /* letters before a colon */
	T_COLON,  /* "http:" */
	T_SLASH,  /* "http:/" */
	T_HOST,   /* "http://..." */
	T_ROOT,   /* "/" */
	T_QUERY,  /* "/?..." */
	T_OTHER,
};

static enum target target_next(enum target t, char c)
{
	switch (t) {
	case T_START:
		return c == '/' ? T_ROOT : c == '*' ? T_OTHER : T_SCHEME;
	case T_SCHEME:
		return c == ':' ? T_COLON : T_SCHEME;
	case T_COLON:
		return c == '/' ? T_SLASH : T_OTHER;
	case T_SLASH:
		return c == '/' ? T_HOST : T_OTHER;
	case T_HOST:
		return c == '/' ? T_ROOT : c == '?' ? T_QUERY : T_HOST;
	case T_ROOT:
		return c == '?' || c == '#' ? T_QUERY : T_OTHER;
	case T_QUERY:
	case T_OTHER:
		break;
	}
	return t;
}

static bool target_is_root(const struct http_proto *h)
{
	return h->target == T_ROOT || h->target == T_QUERY ||
	       h->target == T_HOST;
}

static int on_message_begin(http_parser *p)
{
	struct http_proto *h = proto(p);

	p->http_major = 0; /* 0 until the request line is complete */
	h->phase = HTTP_IN_HEAD;
	h->body = 0;
	h->url = 0;
	h->target = T_START;
	h->hosts = 0;
	h->in_value = true;
	h->expect = false;
	return 0;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct http_proto *h = proto(p);
	enum target t = h->target;

	if (n > HTTP_PROTO_URL_MAX - (size_t)h->url)
		return refuse(h, A_URL_TOO_LONG);
	h->url = (uint16_t)(h->url + n);
	for (; n > 0 && t < T_QUERY; n--)
		t = target_next(t, *at++);
	h->target = (uint8_t)t;
	return 0;
}

enum field { FIELD_OTHER, FIELD_HOST, FIELD_EXPECT };

static const char *const fields[] = {
	[FIELD_OTHER] = "\n", /* matches no name */
	[FIELD_HOST] = "host",
	[FIELD_EXPECT] = "expect",
};

static enum field field_guess(char c)
{
	switch (c | 0x20) {
	case 'h':
		return FIELD_HOST;
	case 'e':
		return FIELD_EXPECT;
	default:
		return FIELD_OTHER;
	}
}

static int on_header_field(http_parser *p, const char *at, size_t n)
{
	struct http_proto *h = proto(p);

	if (h->phase != HTTP_IN_HEAD)
		return 0; /* a trailer */
	if (h->in_value && n > 0) {
		h->in_value = false;
		h->matched = 0;
		h->field = (uint8_t)field_guess(*at);
	}
	if (h->field != FIELD_OTHER)
		match(&h->matched, fields[h->field], at, n);
	return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t n)
{
	static const char expected[] = "100-continue";
	struct http_proto *h = proto(p);

	if (h->phase != HTTP_IN_HEAD)
		return 0;
	if (!h->in_value) {
		h->in_value = true;
		if (!matched(h->matched, fields[h->field]))
			h->field = FIELD_OTHER;
		h->matched = 0;
		if (h->field == FIELD_HOST && h->hosts++ > 0)
			return refuse(h, A_BAD);
	}
	if (h->field == FIELD_EXPECT) {
		match(&h->matched, expected, at, n);
		h->expect = matched(h->matched, expected);
	}
	return 0;
}

static int on_headers_complete(http_parser *p)
{
	struct http_proto *h = proto(p);
	bool sized = p->flags & F_CONTENTLENGTH;

	p->upgrade =
	    0; /* we know no other protocol: the request is a plain one */
	if (p->http_major != 1)
		return refuse(h, A_VERSION);
	if (p->http_minor > 0 && h->hosts == 0)
		return refuse(h, A_BAD);
	if (sized && p->content_length > HTTP_PROTO_BODY_MAX)
		return refuse(h, A_BODY_TOO_LARGE);
	if (p->flags & F_CHUNKED || (sized && p->content_length > 0)) {
		h->phase = HTTP_IN_BODY;
		if (h->expect && p->http_minor > 0)
			append(h, go_on.s, go_on.len);
	}
	return 0;
}

static int on_chunk_header(http_parser *p)
{
	struct http_proto *h = proto(p);

	if (p->content_length > HTTP_PROTO_BODY_MAX - h->body)
		return refuse(h, A_BODY_TOO_LARGE);
	h->body += (uint32_t)p->content_length;
	return 0;
}

static enum answer choose(const struct http_proto *h)
{
	switch (h->parser.method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return target_is_root(h) ? A_OK : A_NOT_FOUND;
	case HTTP_CONNECT:
		return A_NOT_ALLOWED;
	default:
		return target_is_root(h) ? A_NOT_ALLOWED : A_NOT_FOUND;
	}
}

static int on_message_complete(http_parser *p)
{
	struct http_proto *h = proto(p);
	struct http_out *out = p->data;
	enum keep keep = p->http_minor > 0 ? KEEP_SILENT : KEEP_SAID;

	h->phase = HTTP_IDLE;
	h->requests++;
	if (h->last || !http_should_keep_alive(p)) {
		h->end = HTTP_CLOSE;
		keep = KEEP_NOT;
	}
	answer(h, choose(h), keep);
	if (h->end != HTTP_OPEN || out->size - out->len < HTTP_PROTO_OUT_MIN)
		http_parser_pause(p, 1);
	return 0;
}

static const http_parser_settings settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_url,
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
	.on_chunk_header = on_chunk_header,
	.on_message_complete = on_message_complete,
};

void http_proto_setup(void)
{
	http_parser_set_max_header_size(HTTP_PROTO_HEAD_MAX);
}

void http_proto_init(struct http_proto *h)
{
	*h = (struct http_proto){ .refusal = A_BAD };
	http_parser_init(&h->parser, HTTP_REQUEST);
}

/* The parser has stopped for good: says why. */
static void fail(struct http_proto *h)
{
	enum answer a = h->refusal;

	/* It stopped within the request line if there is no version yet. */
	if (HTTP_PARSER_ERRNO(&h->parser) == HPE_HEADER_OVERFLOW)
		a = h->phase == HTTP_IN_HEAD && h->parser.http_major == 0
			? A_URL_TOO_LONG
			: A_HEAD_TOO_LARGE;
	h->end = HTTP_REFUSED;
	answer(h, a, KEEP_NOT);
}

size_t http_proto_feed(
    struct http_proto *h, const char *in, size_t n, struct http_out *out)
{
	size_t used;

	h->parser.data = out;
	used = http_parser_execute(&h->parser, &settings, in, n);
	switch (HTTP_PARSER_ERRNO(&h->parser)) {
	case HPE_OK:
		break;
	case HPE_PAUSED:
		http_parser_pause(&h->parser, 0);
		break;
	default:
		fail(h);
	}
	return used;
}
