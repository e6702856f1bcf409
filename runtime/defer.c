/* SPDX-License-Identifier: MIT */
/*
 * defer.c - gamp_defer, and the order of leaving: see leave.h.
 *
 * What was deferred is a stack of records, in blocks that double: a goroutine
 * that defers once takes 64 bytes, one that does in a loop 16 for each.  An
 * empty block stays until the next look finds it so: one record that comes and
 * goes at its edge costs no memory each time.
 */

#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/leave.h"
#include "sched/m.h"

#define RECORDS_MIN 3
#define RECORDS_MAX 255 /* 4 KiB */

struct record {
	gamp_fn *fn;
	void *arg;
};

struct block {
	struct block *prev;
	uint32_t n, cap;
	struct record rec[];
};

/* One with room, or null: no memory. */
static struct block *grow(struct block *prev)
{
	uint32_t cap = prev ? prev->cap * 2 + 1 : RECORDS_MIN;
	struct block *b;

	if (cap > RECORDS_MAX)
		cap = RECORDS_MAX;
	b = rt_alloc(sizeof(*b) + cap * sizeof(b->rec[0]));
	if (b) {
		b->prev = prev;
		b->n = 0;
		b->cap = cap;
	}
	return b;
}

int gamp_defer(gamp_fn *fn, void *arg)
{
	struct m *mp = m_self();
	struct g *gp = mp ? m_curg(mp) : NULL;
	struct block *b;

	if (!fn)
		return -EINVAL;
	if (!gp)
		return -EPERM;
	b = gp->defers;
	if (!b || b->n == b->cap) {
		b = grow(b);
		if (!b)
			return -ENOMEM;
		gp->defers = b;
		leave_arm(gp);
	}
	b->rec[b->n++] = (struct record){ fn, arg };
	return 0;
}

void defer_drop(gamp_fn *fn, void *arg)
{
	for (struct block *b = m_curg(m_self())->defers; b; b = b->prev)
		for (uint32_t i = b->n; i-- > 0;)
			if (b->rec[i].fn == fn && b->rec[i].arg == arg) {
				memmove(&b->rec[i], &b->rec[i + 1],
				    (--b->n - i) * sizeof(b->rec[0]));
				return;
			}
}

static bool pop(struct g *gp, struct record *out)
{
	struct block *b;

	while ((b = gp->defers)) {
		if (b->n > 0) {
			*out = b->rec[--b->n];
			return true;
		}
		gp->defers = b->prev;
		rt_release(b);
	}
	return false;
}

/* What is not done yet is all in gp. */
static void run_all(struct g *gp)
{
	struct record r;

	do {
		while (pop(gp, &r))
			r.fn(r.arg);
	} while (local_destroy(gp));
}

void leave_run(struct g *gp)
{
	jmp_buf here;

	gp->frame = &here;
	(void)_setjmp(here); /* leave_again comes here */
	gp = m_curg(m_self());
	run_all(gp);
	gp->frame = NULL;
	if (gp->group)
		group_leave(gp);
	if (gp->waitgroup)
		waitgroup_leave(gp);
}

_Noreturn void leave_again(struct g *gp)
{
	_longjmp(*(jmp_buf *)gp->frame, 1);
}
