/* SPDX-License-Identifier: MIT */
/* trace.c - the calls of gamp/trace.h; see sched/trace.h for the protocol. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/trace.h>

#include "base/sys.h"
#include "runtime/trace.h"
#include "sched/debug.h"
#include "sched/entry.h"
#include "sched/detach.h"
#include "sched/sched.h"
#include "sched/trace.h"

static char env_path[PATH_MAX]; /* empty: not asked for, or written */

int gamp_trace_start(size_t bytes)
{
	int r;

	if (!entry_begin())
		return -ESRCH;
	r = trace_begin(bytes);
	entry_end();
	return r;
}

static int finish(int fd)
{
	int r = fd >= 0 ? trace_write_json(fd) : 0;

	trace_free();
	return r;
}

int gamp_trace_stop(int fd)
{
	int r;

	if (!trace_end())
		return -ESRCH;
	gamp_enter_blocking();
	r = finish(fd);
	gamp_leave_blocking();
	return r;
}

/*
 * As m_enter, but whoever has lost its P does not wait for another one: a mark
 * inside a blocking section neither parks nor ends it (E1, m.h).
 */
static void mark(struct m *mp, const char *name)
{
	uint32_t flags;
	struct p *pp;

	rt_store_relaxed(&mp->in_runtime, 1);
	rt_barrier(); /* E1 */
	flags = rt_load_relaxed(&mp->flags);
	if (rt_unlikely(flags & M_FENCE)) {
		rt_fence_seqcst();
		flags = rt_load_relaxed(&mp->flags);
	}
	pp = flags & M_DETACHED ? NULL : m_p(mp);
	trace_put(pp, TRACE_MARK, 0, m_curg(mp) ? g_id(m_curg(mp)) : 0,
	    (int64_t)(intptr_t)name);
	m_leave(mp);
}

void gamp_trace_mark(const char *name)
{
	struct m *mp;

	if (!trace_is_on() || !name)
		return;
	mp = m_self();
	if (mp)
		mark(mp, name);
	else
		trace_put(NULL, TRACE_MARK, 0, 0, (int64_t)(intptr_t)name);
}

void trace_env_end(void)
{
	int fd;

	if (!env_path[0] || !trace_end())
		return;
	fd = sys_create(env_path);
	if (finish(fd) < 0 || fd < 0)
		rt_warn("the trace could not be written");
	if (fd >= 0)
		sys_close(fd);
	env_path[0] = '\0';
}

/* A program that exits without a stop: its other threads still run. */
void trace_env_begin(void)
{
	static bool once;
	size_t len = 0;
	const char *path = debug_value("trace", &len);

	if (!path || len == 0 || len >= sizeof(env_path) ||
	    trace_begin(0) < 0)
		return;
	memcpy(env_path, path, len);
	env_path[len] = '\0';
	if (!once)
		once = atexit(trace_env_end) == 0;
}
