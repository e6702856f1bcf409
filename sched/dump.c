/* SPDX-License-Identifier: MIT */
/* dump.c - see dump.h. */

#include <errno.h>

#include "base/thread.h"
#include "base/vm.h"
#include "sched/dump.h"
#include "sched/entry.h"
#include "sched/detach.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/world.h"

#define BATCH 64 /* goroutines that the world is stopped for */

/* Of a dump; its pages are had from the system, so that any thread's stack
 * and any state of malloc will do. */
struct dump {
	struct say out;
	struct symbols symbols;
	void *site;
	uint32_t cls, index; /* the next slot */
	uint32_t n;
	uint64_t count;
	struct shot shots[BATCH];
};

void shot_take(struct shot *s, struct g *gp, int64_t id)
{
	const char *name = gp->name;
	void *lo;
	size_t n = 0;

	s->id = id;
	s->parent = gp->parent;
	s->site = (uintptr_t)gp->site;
	/* A group's goroutines begin in a function of the runtime. */
	s->fn = gp->leaving && gp->group && gp->member ?
	    (uintptr_t)gp->member : (uintptr_t)gp->fn;
	s->why = rt_load_relaxed(&gp->why);
	s->cancelled = rt_load_relaxed(&gp->tag) & 1;
	s->blocking = g_is_blocking(gp);
	s->waited = 0;
	s->stack = (size_t)((char *)g_stack(gp, &lo) - (char *)lo);
	s->named = name != NULL;
	for (; name && name[n] && n < sizeof(s->name) - 1; n++)
		s->name[n] = name[n];
	s->name[n] = 0;
	s->text = s->why == WHY_PARK ? gp->wait.text : NULL;
	s->trace.n = 0;
	s->tid = 0;
	s->call = -1;
}

void shot_say_origin(const struct shot *s, struct symbols *y, struct say *to)
{
	say(to, "    runs ");
	symbols_say(y, to, s->fn, false);
	say(to, "\n    started by ");
	if (s->parent)
		say(to, "goroutine %ld", (long)s->parent);
	else
		say(to, "%s", s->site ? "a thread" : "the runtime");
	if (s->site) {
		say(to, " at ");
		symbols_say(y, to, s->site, true);
	}
	say(to, "\n");
}

void shot_say_trace(const struct shot *s, struct symbols *y, struct say *to)
{
	const struct backtrace *t = &s->trace;

	for (uint32_t i = 0; i < t->n; i++) {
		uintptr_t pc = backtrace_at(t, i);

		if (pc == 0) {
			say(to, "    ... %lu frames ...\n",
			    (unsigned long)(t->n - TRACE_FIRST - TRACE_LAST));
			i = t->n - TRACE_LAST - 1;
			continue;
		}
		say(to, "    ");
		symbols_say(y, to, pc, !(i == 0 && t->exact));
		say(to, "\n");
	}
}

static void say_running(const struct shot *s, struct say *to)
{
	if (!s->tid) {
		say(to, " running, and calls this");
		return;
	}
	say(to, s->blocking ? " in a blocking call" : " running");
	say(to, ", thread %ld", (long)s->tid);
	if (s->call >= 0)
		say(to, " in system call %ld", s->call);
}

void shot_say(const struct shot *s, struct symbols *y, struct say *to)
{
	say(to, "goroutine %ld", (long)s->id);
	if (s->named)
		say(to, " \"%s\"", s->name);
	if (s->status == G_WAITING) {
		say(to, " waiting (%s) for ",
		    s->text ? s->text : g_why_name(s->why));
		say_span(to, s->waited);
		say(to, " s");
	} else if (s->status == G_RUNNABLE) {
		say(to, s->fresh ? " runnable, not yet run" : " runnable");
	} else {
		say_running(s, to);
	}
	say(to, s->cancelled ? ", cancelled\n" : "\n");
	shot_say_origin(s, y, to);
	shot_say_trace(s, y, to);
}

/* It has no P, but a thread; or it is the caller. */
static void take_running(struct dump *d, struct shot *s, struct g *gp)
{
	struct m *self = m_self();
	long call;

	if (self && m_curg(self) == gp) {
		backtrace_here(&s->trace, d->site);
		return;
	}
	rt_lock(&sched.lock);
	for (struct m *mp = sched.allm; mp; mp = mp->all_link)
		if (m_curg(mp) == gp)
			s->tid = mp->tid;
	rt_unlock(&sched.lock);
	if (s->tid && thread_state(s->tid, &call) == THREAD_BLOCKED)
		s->call = call;
}

static void take(struct dump *d, struct g *gp, int64_t id, int64_t now)
{
	struct shot *s = &d->shots[d->n++];

	shot_take(s, gp, id);
	s->status = rt_load_relaxed(&gp->status);
	s->fresh = gp->ctx.pc == (void *)rt_ctx_entry;
	if (s->status == G_RUNNING)
		take_running(d, s, gp);
	else if (!s->fresh)
		backtrace_ctx(&s->trace, &gp->ctx);
	if (s->status == G_WAITING)
		s->waited = g_waited(gp, now);
}

/* Some more, with the world stopped.  -ESRCH: the runtime is not running, or
 * not any more. */
static int gather(struct dump *d)
{
	int64_t now;

	d->n = 0;
	if (!entry_begin())
		return -ESRCH;
	world_stop(WORLD_PS);
	now = clock_now();
	for (; d->cls < ARENA_CLASSES; d->cls++, d->index = 0) {
		uint32_t used = arena_used((int)d->cls);

		for (; d->index < used && d->n < BATCH; d->index++) {
			struct g *gp = arena_ctl(
			    d->cls << ARENA_INDEX_BITS | d->index);
			uint64_t tag = rt_load_acquire(&gp->tag);

			if (tag)
				take(d, gp, (int64_t)(tag >> 1), now);
		}
		if (d->n == BATCH)
			break;
	}
	world_start();
	entry_end();
	return 0;
}

static void print(struct dump *d)
{
	bool goroutine = m_self() != NULL;

	if (goroutine) /* the descriptor may block */
		gamp_enter_blocking();
	for (uint32_t i = 0; i < d->n; i++)
		shot_say(&d->shots[i], &d->symbols, &d->out);
	d->count += d->n;
	(void)say_end(&d->out);
	if (goroutine)
		gamp_leave_blocking();
}

int dump_all(int fd, const char *heading, void *site)
{
	struct dump *d;
	void *p;
	int r;

	r = vm_alloc(sizeof(*d), &p);
	if (r < 0)
		return r;
	d = p;
	d->site = site;
	say_to(&d->out, fd);
	r = gather(d);
	if (r < 0)
		goto free_d;
	symbols_init(&d->symbols);
	say(&d->out, "gamp: %s\n", heading);
	do {
		print(d);
	} while (d->cls < ARENA_CLASSES && d->out.err == 0 && gather(d) == 0);
	say(&d->out, "gamp: %lu goroutines\n", (unsigned long)d->count);
	r = say_end(&d->out);
	symbols_fini(&d->symbols);
free_d:
	vm_free(d, sizeof(*d));
	return r;
}
