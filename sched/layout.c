/* SPDX-License-Identifier: MIT */
/*
 * layout.c - where a debugger finds goroutines: read by tools/gamp-gdb.py, so
 * that it needs no debug information of ours.
 *
 * The one symbol of the library that is data, and is not for programs.  Words
 * may be added at the end; anything else makes another magic.
 */

#include "base/arena.h"
#include "sched/m.h"
#include "sched/sched.h"

struct layout {
	char magic[8];
	uint64_t size;
	const struct arena_map *arena;
	uint64_t g_size, tag, status, ref, why, blocking, ctx, fn, member;
	uint64_t group, leaving, name, parent, site, since;
	const void *allm;
	uint64_t m_curg, m_tid, m_link;
	const void *tick_time;
	void (*entry)(void);
	const void *why_names;
	uint64_t why_count, why_len;
};

extern const struct layout gamp_debug_layout;

__attribute__((used, visibility("default")))
const struct layout gamp_debug_layout = {
	.magic = { 'g', 'a', 'm', 'p', 'd', 'b', 'g', '1' },
	.size = sizeof(struct layout),
	.arena = &arena_map,
	.g_size = sizeof(struct g),
	.tag = offsetof(struct g, tag),
	.status = offsetof(struct g, status),
	.ref = offsetof(struct g, ref),
	.why = offsetof(struct g, why),
	.blocking = offsetof(struct g, rare),
	.ctx = offsetof(struct g, ctx),
	.fn = offsetof(struct g, fn),
	.member = offsetof(struct g, member),
	.group = offsetof(struct g, group),
	.leaving = offsetof(struct g, leaving),
	.name = offsetof(struct g, name),
	.parent = offsetof(struct g, parent),
	.site = offsetof(struct g, site),
	.since = offsetof(struct g, since),
	.allm = &sched.allm,
	.m_curg = offsetof(struct m, curg),
	.m_tid = offsetof(struct m, tid),
	.m_link = offsetof(struct m, all_link),
	.tick_time = &sched.tick_time,
	.entry = rt_ctx_entry,
	.why_names = g_whys,
	.why_count = WHY_COUNT,
	.why_len = G_WHY_LEN,
};
