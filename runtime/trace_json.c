/* SPDX-License-Identifier: MIT */
/*
 * trace_json.c - a trace in the JSON format of Chrome's tracing.
 *
 * The rings are merged by time; each is in order by itself.  A slice is
 * written when its goroutine leaves, with what is known by then; an arrow when
 * the one that was readied begins to run.  What a goroutine was called, and
 * who has readied it, is kept in a table of those that the rings speak of.
 *
 * Track 0 is of those without a P, track i + 1 of P i.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sys.h"
#include "runtime/trace.h"
#include "sched/sched.h"
#include "sched/trace.h"

#define BUFFER	  ((size_t)64 << 10)
#define EVENT_MAX 1024 /* bytes of one event, at the most */
#define NODES_MIN 256u /* a power of two */

/* What is known of a goroutine. */
struct node {
	int64_t id; /* 0: the place is free */
	int64_t ready_at, by;
	int64_t detached_at;
	uint32_t ready_track;
	bool ready, in_slice, detached;
	uint8_t why; /* of detached */
	char name[TRACE_NAME_MAX];
};

struct track {
	uint64_t at; /* the next record */
	int64_t g, since; /* who runs; 0: nobody */
	int64_t waited, by; /* -1: not known */
	bool seen, preempted;
};

struct json {
	int fd, err;
	size_t n;
	char *buf;
	bool first; /* no event yet */
	uint64_t arrows;
	struct node *node;
	uint32_t nodes, used; /* a power of two; at most half */
	struct track *track;
};

static const char *why_name(uint32_t why)
{
	static const char *const own[] = { "yield", "exit", "queued",
		"blocking", "detached", "preempted", "end of trace" };

	RT_STATIC_ASSERT(sizeof(own) / sizeof(own[0]) ==
		TRACE_WHY_COUNT - WHY_COUNT,
	    "a name for each");
	return why < WHY_COUNT ? g_why_name((int)why) :
	    why < TRACE_WHY_COUNT ? own[why - WHY_COUNT] : "unknown";
}

static void flush(struct json *j)
{
	if (j->err == 0 && j->n > 0)
		j->err = sys_write_all(j->fd, j->buf, j->n);
	j->n = 0;
}

__attribute__((format(printf, 2, 3))) static void put(
    struct json *j, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (BUFFER - j->n < EVENT_MAX)
		flush(j);
	va_start(ap, fmt);
	n = vsnprintf(j->buf + j->n, BUFFER - j->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		j->n += (size_t)n;
}

/* Bytes of the character at s if it is valid in UTF-8, else 0. */
static int utf8_len(const char *s)
{
	unsigned char c = (unsigned char)s[0], d = (unsigned char)s[1];
	int n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 :
	    c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;

	for (int i = 1; i < n; i++)
		if (((unsigned char)s[i] & 0xC0) != 0x80)
			return 0;
	if ((c == 0xE0 && d < 0xA0) || (c == 0xED && d > 0x9F) ||
	    (c == 0xF0 && d < 0x90) || (c == 0xF4 && d > 0x8F))
		return 0; /* too long; a surrogate; too great */
	return n;
}

/* s as the inside of a JSON string, some hundred bytes of it. */
static const char *escape(const char *s, char out[static EVENT_MAX / 4])
{
	size_t n = 0;

	while (*s && n < EVENT_MAX / 4 - 8) {
		unsigned char c = (unsigned char)*s;
		int len = utf8_len(s);

		if (c < 0x20 || c == 0x7F || len == 0) {
			n += (size_t)sprintf(out + n, "\\u%04x",
			    len == 0 ? 0xFFFDu : c);
			s++;
			continue;
		}
		if (c == '"' || c == '\\')
			out[n++] = '\\';
		for (; len > 0; len--)
			out[n++] = *s++;
	}
	out[n] = '\0';
	return out;
}

/* The goroutine's node; null: there is none, and no memory for one. */
static struct node *node_in(struct node *node, uint32_t nodes, int64_t id)
{
	uint32_t i = (uint32_t)(((uint64_t)id * 0x9E3779B97F4A7C15u) >> 32);

	while (node[i & (nodes - 1)].id != 0 && node[i & (nodes - 1)].id != id)
		i++;
	return &node[i & (nodes - 1)];
}

static bool grow(struct json *j)
{
	uint32_t nodes = j->nodes ? 2 * j->nodes : NODES_MIN;
	struct node *node = rt_alloc_zero(nodes * sizeof(*node));

	if (!node)
		return false;
	for (uint32_t i = 0; i < j->nodes; i++)
		if (j->node[i].id)
			*node_in(node, nodes, j->node[i].id) = j->node[i];
	rt_release(j->node);
	j->node = node;
	j->nodes = nodes;
	return true;
}

static struct node *node_of(struct json *j, int64_t id)
{
	struct node *node;

	if (j->used >= j->nodes / 2 && !grow(j)) {
		j->err = -ENOMEM;
		return NULL;
	}
	node = node_in(j->node, j->nodes, id);
	if (!node->id) {
		node->id = id;
		j->used++;
	}
	return node;
}

/* Begins an event; `}` is the caller's. */
static void event(struct json *j, const char *name, const char *ph,
    int64_t at, uint32_t track)
{
	int64_t ns = at - trace.from;

	put(j,
	    "%s\n{\"name\":\"%s\",\"ph\":\"%s\",\"ts\":%lld.%03d,"
	    "\"pid\":1,\"tid\":%u",
	    j->first ? "" : ",", name, ph, (long long)(ns / 1000),
	    (int)(ns % 1000), track);
	j->first = false;
}

/* What a goroutine is called. */
static const char *label(
    struct json *j, int64_t id, char out[static EVENT_MAX / 4])
{
	struct node *node = node_of(j, id);

	if (node && node->name[0])
		return escape(node->name, out);
	(void)sprintf(out, "g%lld", (long long)id);
	return out;
}

static void point(struct json *j, const char *name, int64_t at,
    uint32_t track, const char *key, long long value)
{
	event(j, name, "i", at, track);
	put(j, ",\"s\":\"t\",\"args\":{\"%s\":%lld}}", key, value);
}

/* The slice of who runs on track i ends. */
static void slice(struct json *j, uint32_t i, int64_t at, uint32_t why)
{
	struct track *t = &j->track[i];
	char name[EVENT_MAX / 4];
	int64_t ns = at - t->since;

	if (t->preempted && why == TRACE_WHY_YIELD)
		why = TRACE_WHY_PREEMPTED;
	event(j, label(j, t->g, name), "X", t->since, i);
	put(j, ",\"dur\":%lld.%03d,\"args\":{\"g\":%lld,\"left\":\"%s\"",
	    (long long)(ns / 1000), (int)(ns % 1000), (long long)t->g,
	    why_name(why));
	if (t->waited >= 0)
		put(j, ",\"waited_ns\":%lld", (long long)t->waited);
	if (t->by > 0)
		put(j, ",\"by\":%lld", (long long)t->by);
	put(j, "}}");
	t->g = 0;
	t->preempted = false;
}

static void arrow(struct json *j, struct node *node, int64_t at, uint32_t to)
{
	uint64_t id = ++j->arrows;

	event(j, "ready", "s", node->ready_at, node->ready_track);
	put(j, ",\"cat\":\"ready\",\"id\":%llu}", (unsigned long long)id);
	event(j, "ready", "f", at, to);
	put(j, ",\"cat\":\"ready\",\"bp\":\"e\",\"id\":%llu}",
	    (unsigned long long)id);
}

/* g begins to run on track i. */
static void begin(struct json *j, uint32_t i, int64_t at, int64_t g)
{
	struct track *t = &j->track[i];
	struct node *node = node_of(j, g);

	if (t->g) /* cannot be; the trace must open none the less */
		slice(j, i, at, TRACE_WHY_COUNT);
	t->seen = true;
	t->g = g;
	t->since = at;
	t->waited = t->by = -1;
	if (!node || !node->ready)
		return;
	node->ready = false;
	t->waited = at - node->ready_at;
	t->by = node->by;
	if (node->in_slice)
		arrow(j, node, at, i);
}

/* g has left track i.  Who ran there before the first record that is left is
 * only known now. */
static void leave(
    struct json *j, uint32_t i, int64_t at, int64_t g, uint32_t why)
{
	struct track *t = &j->track[i];
	struct trace_buf *b = &trace.buf[i - 1];

	if (!t->seen) {
		uint64_t first = trace_first(b);

		t->g = g;
		t->since = trace.from;
		while (first > 0 && trace_at(b, first)->kind == TRACE_NAME)
			first++;
		if (first > 0)
			t->since = trace_at(b, first)->at;
		t->waited = t->by = -1;
	}
	t->seen = true;
	if (t->g == g)
		slice(j, i, at, why);
}

/* A track of its own, from here to there. */
static void detached(struct json *j, struct node *node, int64_t until)
{
	char name[EVENT_MAX / 4];

	node->detached = false;
	event(j, label(j, node->id, name), "b", node->detached_at, 0);
	put(j, ",\"cat\":\"detached\",\"id\":%lld,\"args\":{\"g\":%lld,"
	       "\"why\":\"%s\"}}",
	    (long long)node->id, (long long)node->id, why_name(node->why));
	event(j, name, "e", until, 0);
	put(j, ",\"cat\":\"detached\",\"id\":%lld}", (long long)node->id);
}

static void readied(
    struct json *j, uint32_t i, const struct trace_rec *r, struct node *node)
{
	if (r->kind == TRACE_SPAWN)
		point(j, "go", r->at, i, "g", r->b);
	node->ready = true;
	node->in_slice = j->track[i].g != 0 && r->a == j->track[i].g;
	node->ready_at = r->at;
	node->ready_track = i;
	node->by = r->a;
}

static void mark(struct json *j, uint32_t i, const struct trace_rec *r)
{
	char name[EVENT_MAX / 4];

	(void)escape((const char *)(intptr_t)r->b, name);
	point(j, name, r->at, i, "g", r->a);
}

/* What happens to a goroutine, r->b. */
static void one_of_g(struct json *j, uint32_t i, const struct trace_rec *r)
{
	struct node *node = node_of(j, r->b);

	if (!node)
		return;
	switch (r->kind) {
	case TRACE_RUN:
		begin(j, i, r->at, r->b);
		break;
	case TRACE_READY:
	case TRACE_SPAWN:
		readied(j, i, r, node);
		break;
	case TRACE_DETACH:
		leave(j, i, r->at, r->b, r->n);
		node->detached = true;
		node->detached_at = r->at;
		node->why = (uint8_t)r->n;
		break;
	case TRACE_ATTACH:
		if (node->detached)
			detached(j, node, r->at);
		begin(j, i, r->at, r->b);
		break;
	}
}

static void left(struct json *j, uint32_t i, const struct trace_rec *r)
{
	struct node *node = i > 0 ? NULL : node_of(j, r->a);

	if (i > 0)
		leave(j, i, r->at, r->a, r->why);
	else if (node && node->detached) /* it had no P, and waits for one */
		detached(j, node, r->at);
}

static void one(struct json *j, uint32_t i, const struct trace_rec *r)
{
	switch (r->kind) {
	case TRACE_LEAVE:
		left(j, i, r);
		break;
	case TRACE_SWITCH:
		leave(j, i, r->at, r->a, r->why);
		begin(j, i, r->at, r->b);
		break;
	case TRACE_P_START:
		point(j, "P start", r->at, i, "thread", r->n);
		break;
	case TRACE_P_STOP:
		point(j, "P stop", r->at, i, "thread", r->n);
		break;
	case TRACE_POLL:
		point(j, "poll", r->at, i, "events", r->n);
		break;
	case TRACE_STEAL:
		point(j, "steal", r->at, i, "from", r->b);
		break;
	case TRACE_TIMERS:
		point(j, "timers", r->at, i, "fired", r->n);
		break;
	case TRACE_PREEMPT:
		j->track[i].preempted = true;
		break;
	case TRACE_MARK:
		mark(j, i, r);
		break;
	default:
		one_of_g(j, i, r);
	}
}

static bool is_ready(const struct trace_rec *r)
{
	return r->kind == TRACE_READY || r->kind == TRACE_SPAWN;
}

/* Of two at the same time, who readies comes before who runs. */
static bool before(const struct trace_rec *a, const struct trace_rec *b)
{
	return a->at < b->at || (a->at == b->at && is_ready(a) && !is_ready(b));
}

/* The next record of a ring that has a time; null: no more. */
static struct trace_rec *peek(struct json *j, uint32_t ring)
{
	struct trace_buf *b = &trace.buf[ring];
	struct track *t = &j->track[(ring + 1) % trace.n];

	while (t->at < b->head && trace_at(b, t->at)->kind == TRACE_NAME)
		t->at++;
	return t->at < b->head ? trace_at(b, t->at) : NULL;
}

static void names(struct json *j)
{
	for (uint32_t k = 0; k < trace.n; k++) {
		struct trace_buf *b = &trace.buf[k];

		for (uint64_t i = trace_first(b); i < b->head; i++) {
			struct trace_rec *r = trace_at(b, i);
			struct node *node = r->kind == TRACE_NAME ?
			    node_of(j, r->at) : NULL;

			if (node)
				memcpy(node->name, r->text, TRACE_NAME_MAX);
		}
	}
}

static void merge(struct json *j)
{
	while (j->err == 0) {
		struct trace_rec *next = NULL;
		uint32_t ring = 0;

		for (uint32_t k = 0; k < trace.n; k++) {
			struct trace_rec *r = peek(j, k);

			if (r && (!next || before(r, next))) {
				next = r;
				ring = k;
			}
		}
		if (!next)
			break;
		ring = (ring + 1) % trace.n;
		one(j, ring, next);
		j->track[ring].at++;
	}
	for (uint32_t i = 1; i < trace.n; i++)
		if (j->track[i].g)
			slice(j, i, trace.to, TRACE_WHY_END);
	for (uint32_t i = 0; i < j->nodes; i++)
		if (j->node[i].detached)
			detached(j, &j->node[i], trace.to);
}

/* Opens the object, and says how tracks are called. */
static void heading(struct json *j)
{
	uint64_t lost = 0;

	for (uint32_t k = 0; k < trace.n; k++)
		lost += trace_first(&trace.buf[k]);
	put(j,
	    "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"lost\":%llu},"
	    "\"traceEvents\":[",
	    (unsigned long long)lost);
	event(j, "process_name", "M", trace.from, 0);
	put(j, ",\"args\":{\"name\":\"gamp\"}}");
	for (uint32_t i = 0; i < trace.n; i++) {
		event(j, "thread_name", "M", trace.from, i);
		if (i == 0)
			put(j, ",\"args\":{\"name\":\"no P\"}}");
		else
			put(j, ",\"args\":{\"name\":\"P %u\"}}", i - 1);
		event(j, "thread_sort_index", "M", trace.from, i);
		put(j, ",\"args\":{\"sort_index\":%u}}", i ? i : trace.n);
	}
}

int trace_write_json(int fd)
{
	struct json j = { .fd = fd, .first = true };

	j.buf = rt_alloc(BUFFER);
	j.track = rt_alloc_zero(trace.n * sizeof(*j.track));
	if (j.buf && j.track && grow(&j)) {
		for (uint32_t k = 0; k < trace.n; k++)
			j.track[(k + 1) % trace.n].at =
			    trace_first(&trace.buf[k]);
		names(&j);
		heading(&j);
		merge(&j);
		put(&j, "\n]}\n");
		flush(&j);
	} else {
		j.err = -ENOMEM;
	}
	rt_release(j.node);
	rt_release(j.track);
	rt_release(j.buf);
	return j.err;
}
