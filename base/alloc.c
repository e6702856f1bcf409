/* SPDX-License-Identifier: MIT */
/* alloc.c - see alloc.h; A1 to C3 are named there. */

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/memory.h>

#include "base/alloc.h"
#include "base/atomic.h"

#define SWITCHING (UINT64_C(1) << 63)

static rt_a64 users; /* blocks, or about to be one */
static struct gamp_allocator table = { malloc, realloc, free };

static void begin(void)
{
	while (rt_add_seqcst(&users, 1) & SWITCHING) { /* A1 */
		(void)rt_sub_seqcst(&users, 1);
		(void)sched_yield();
	}
}

static void end(void)
{
	(void)rt_sub_seqcst(&users, 1); /* A3 */
}

void *rt_alloc(size_t size)
{
	void *p;

	begin();
	p = table.alloc(size);
	if (!p)
		end();
	return p;
}

void *rt_alloc_zero(size_t size)
{
	void *p = rt_alloc(size);

	return p ? memset(p, 0, size) : NULL;
}

void *rt_resize(void *p, size_t size)
{
	return p ? table.resize(p, size) : rt_alloc(size);
}

void rt_release(void *p)
{
	if (!p)
		return;
	table.release(p);
	end();
}

/* Of who is counted. */
static bool is_usual(void)
{
	return table.alloc == malloc;
}

static void *usual_line(size_t size)
{
	return aligned_alloc(
	    RT_LINE, (size + RT_LINE - 1) & ~(size_t)(RT_LINE - 1));
}

/* What was allocated is kept in front of what is aligned. */
static void *other_line(size_t size)
{
	uintptr_t at =
	    (uintptr_t)table.alloc(size + RT_LINE + sizeof(void *));
	void **line;

	if (!at)
		return NULL;
	line = (void **)((at + sizeof(void *) + RT_LINE - 1) &
	    ~(uintptr_t)(RT_LINE - 1));
	line[-1] = (void *)at;
	return line;
}

void *rt_alloc_line(size_t size)
{
	void *p;

	begin();
	p = is_usual() ? usual_line(size) : other_line(size);
	if (!p)
		end();
	return p;
}

void rt_release_line(void *p)
{
	if (p)
		rt_release(is_usual() ? p : ((void **)p)[-1]);
}

int rt_alloc_set(const struct gamp_allocator *a)
{
	static const struct gamp_allocator usual = { malloc, realloc, free };
	uint64_t none = 0;

	if (!rt_cas_seqcst(&users, &none, SWITCHING)) /* C1 */
		return -EBUSY;
	table = a ? *a : usual;
	(void)rt_sub_seqcst(&users, SWITCHING); /* C3 */
	return 0;
}
