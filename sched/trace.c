/* SPDX-License-Identifier: MIT */
/* trace.c - see trace.h; T1..T5 are named there. */

#include <sched.h>
#include <string.h>

#include "base/membar.h"
#include "base/vm.h"
#include "sched/sched.h"
#include "sched/trace.h"

#define BYTES_DEFAULT ((size_t)16 << 20)
#define BYTES_MAX     ((size_t)1 << 40)
#define RECORDS_MIN   128u /* of a ring: two halves, see I2 */

struct trace trace;
_Alignas(RT_LINE) rt_a8 trace_on; /* alone: nobody writes beside it */

static struct {
	_Alignas(RT_LINE) struct rt_lock lock; /* of the ring of all others */
	enum { OFF, BUSY, ON } state;
} all = { .lock = RT_LOCK_INIT(RANK_LEAF) };

static struct trace_buf bufs[PROCS_MAX + 1];

/* From one state to BUSY. */
static bool claim(int from)
{
	bool mine;

	rt_lock(&all.lock);
	mine = (int)all.state == from;
	if (mine)
		all.state = BUSY;
	rt_unlock(&all.lock);
	return mine;
}

static void settle(int state)
{
	rt_lock(&all.lock);
	all.state = (unsigned)state;
	rt_unlock(&all.lock);
}

/* How many records a ring has: a power of two. */
static uint32_t records(size_t bytes, uint32_t rings)
{
	uint64_t want = bytes / sizeof(struct trace_rec) / rings;
	uint64_t n = RECORDS_MIN;

	while (2 * n <= want && n <= UINT32_MAX / 4)
		n *= 2;
	return (uint32_t)n;
}

int trace_begin(size_t bytes)
{
	uint32_t n = procs() + 1, each;
	int r;

	if (bytes > BYTES_MAX)
		return -EINVAL;
	if (!claim(OFF))
		return -EALREADY;
	each = records(bytes ? bytes : BYTES_DEFAULT, n);
	trace.bytes = (size_t)each * n * sizeof(struct trace_rec);
	r = vm_alloc(trace.bytes, &trace.memory);
	if (r < 0) {
		settle(OFF);
		return r;
	}
	trace.buf = bufs;
	trace.n = n;
	trace.mask = each - 1;
	trace.gen++;
	for (uint32_t i = 0; i < n; i++) {
		bufs[i].head = 0;
		bufs[i].ring =
		    (struct trace_rec *)trace.memory + (size_t)each * i;
	}
	trace.from = clock_real();
	rt_store_release(&trace_on, 1); /* T2 */
	settle(ON);
	return 0;
}

bool trace_end(void)
{
	if (!claim(ON))
		return false;
	rt_lock(&all.lock); /* who has no P is out, or will see it */
	rt_store_relaxed(&trace_on, 0); /* T4 */
	rt_unlock(&all.lock);
	membar_heavy(); /* pairs with T1 */
	for (uint32_t i = 0; i + 1 < trace.n; i++)
		while (rt_load_acquire(&bufs[i].busy)) /* T5 */
			(void)sched_yield();
	trace.to = clock_real();
	return true;
}

void trace_free(void)
{
	vm_free(trace.memory, trace.bytes);
	trace.memory = NULL;
	settle(OFF);
}

/* Whoever held the lock, or was busy, is gone. */
void trace_forked(void)
{
	rt_store_relaxed(&trace_on, 0);
	rt_store_relaxed(&all.lock.word, 0);
	all.state = OFF;
	for (uint32_t i = 0; i <= PROCS_MAX; i++)
		rt_store_relaxed(&bufs[i].busy, 0);
}

/* I1: the clock is read by who may write. */
static inline void append(struct trace_buf *b, const struct trace_rec *r)
{
	struct trace_rec *to = trace_at(b, b->head++);

	*to = *r;
	if (r->kind != TRACE_NAME)
		to->at = clock_real();
}

static void put_shared(const struct trace_rec *r)
{
	rt_lock(&all.lock);
	if (rt_load_acquire(&trace_on)) /* T2 */
		append(&bufs[trace.n - 1], r);
	rt_unlock(&all.lock);
}

/* The ring of pp, to write to; end_put follows.  Null: not there. */
static inline struct trace_buf *begin_put(struct p *pp)
{
	struct trace_buf *b = &bufs[pp->id];

	rt_store_relaxed(&b->busy, 1); /* T1 */
	membar_light();
	hard_point();
	if (rt_load_acquire(&trace_on) && pp->id + 1 < trace.n) /* T2 */
		return b;
	rt_store_release(&b->busy, 0);
	return NULL;
}

static inline void end_put(struct trace_buf *b)
{
	rt_store_release(&b->busy, 0); /* T3 */
}

void trace_put(
    struct p *pp, enum trace_kind kind, uint32_t n, int64_t a, int64_t b)
{
	struct trace_buf *buf = pp ? begin_put(pp) : NULL;
	struct trace_rec r = {
		.kind = (uint8_t)kind, .n = n, .a = a, .b = b };

	if (!buf) {
		put_shared(&r);
		return;
	}
	append(buf, &r);
	end_put(buf);
}

/* I2: unless it was, in this half of this ring. */
static void put_name(struct trace_buf *b, uint32_t id, struct g *gp)
{
	uint32_t half = (uint32_t)(b->head / ((trace.mask + 1) / 2));
	uint32_t where = (trace.gen * PROCS_MAX + id) * 0x9E3779B1u + half +
	    (uint32_t)gp->seq * 0x85EBCA6Bu; /* it is not cleared */
	struct trace_rec r = { .kind = TRACE_NAME, .at = g_id(gp) };

	if (!gp->name || gp->named == where)
		return;
	gp->named = where;
	(void)strncpy(r.text, gp->name, TRACE_NAME_MAX - 1);
	append(b, &r);
}

static enum trace_why why_of(struct g *from, int op)
{
	switch (op) {
	case OP_YIELD:
		return TRACE_WHY_YIELD;
	case OP_EXIT:
		return TRACE_WHY_EXIT;
	case OP_DETACHED:
		return TRACE_WHY_QUEUED;
	default:
		return (enum trace_why)rt_load_relaxed(&from->why);
	}
}

void trace_put_switch(struct p *pp, struct g *from, int op, struct g *to)
{
	struct trace_buf *b = pp ? begin_put(pp) : NULL;
	struct trace_rec r = { .why = from ? (uint8_t)why_of(from, op) : 0,
		.a = from ? g_id(from) : 0,
		.b = to ? g_id(to) : 0,
		.kind = from && to ? TRACE_SWITCH :
		    to ? TRACE_RUN : TRACE_LEAVE };

	if (!b) {
		put_shared(&r);
		return;
	}
	append(b, &r);
	if (to)
		put_name(b, pp->id, to);
	end_put(b);
}
