/* SPDX-License-Identifier: MIT */
/* g.c - making, finding and recycling goroutines; see g.h. */

#include <errno.h>
#include <string.h>

#include "sched/embed.h"
#include "sched/g.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/switch.h"

#define REFILL 16 /* slots fetched from the arena at once */

/* The first function on a goroutine's stack. */
SAN_NO_CALLS static void g_main(void)
{
	struct m *mp = m_self();
	struct g *gp = m_curg(mp);

	san_asan_arrive(G_SAN(gp));
	san_acquire(gp);
	switch_arrive();
	m_exit_g();
	gp->fn(gp->arg);
	if (gp->leaving)
		gp->leaving(gp);
	(void)m_enter();
	rt_goexit();
}

/* The same with hooks. */
SAN_NO_CALLS static void g_main_hooked(void)
{
	struct m *mp = m_self();
	struct g *gp = m_curg(mp);

	san_asan_arrive(G_SAN(gp));
	san_acquire(gp);
	switch_arrive();
	m_exit();
	embed_run(gp);
	if (gp->leaving)
		gp->leaving(gp);
	embed_exit(gp);
	(void)m_enter();
	rt_goexit();
}

/* A control block for a slot; its memory may be as new. */
static struct g *adopt(uint32_t ref)
{
	struct g *gp = arena_ctl(ref);

	/* Written before it is read: a page that is read first is the shared
	 * zero page, and is then copied, at twice the price. */
	gp->ref = ref;
	rt_barrier();
	if (gp->seq == 0) {
		gp->seq = arena_seq(ref);
		gp->wait.g = gp;
	}
	return gp;
}

/* Others only read it, for statistics. */
static inline void count_free(struct p *pp, int by)
{
	rt_store_relaxed(
	    &pp->gfree_n, rt_load_relaxed(&pp->gfree_n) + (uint32_t)by);
}

static struct g *from_arena(struct p *pp, int cls, int *err)
{
	uint32_t refs[REFILL];
	bool cache = pp && cls == sched.default_class && sched.gfree_max > 0;
	int n = arena_get(cls, refs, cache ? REFILL : 1);

	if (n < 0) {
		*err = n;
		return NULL;
	}
	for (int i = n - 1; i > 0; i--) {
		struct g *gp = adopt(refs[i]);

		gp->link = pp->gfree;
		pp->gfree = gp;
		count_free(pp, 1);
	}
	return adopt(refs[0]);
}

static struct g *take(struct p *pp, int cls, int *err)
{
	struct g *gp;

	if (!pp || cls != sched.default_class || !pp->gfree)
		return from_arena(pp, cls, err);
	gp = pp->gfree;
	pp->gfree = gp->link;
	count_free(pp, -1);
	return gp;
}

#if defined(RT_ASAN) || defined(RT_TSAN)
static void tell_sanitizer(struct g *gp)
{
	void *lo, *hi = g_stack(gp, &lo);

	gp->san.bottom = lo;
	gp->san.size = (size_t)((char *)hi - (char *)lo);
	gp->san.fake = NULL;
	san_fiber_new(&gp->san);
}

/* Fibers are few (8,128 with gcc), and outlive the runtime if we let them. */
void g_fini(void)
{
	for (uint32_t c = 0; c < ARENA_CLASSES; c++)
		for (uint32_t i = 0; i < arena_used((int)c); i++) {
			struct g *gp = arena_ctl(c << ARENA_INDEX_BITS | i);

			san_fiber_free(&gp->san);
		}
}
#else
static void tell_sanitizer(struct g *gp)
{
	(void)gp;
}

void g_fini(void)
{
}
#endif

void *g_stack(struct g *gp, void **lo)
{
	void *hi = arena_stack(gp->ref, lo);

	if (sched.embed && gp->own.lo) {
		*lo = gp->own.lo;
		hi = (char *)gp->own.lo + gp->own.size;
	}
	return hi;
}

/* With hooks.  0 or -errno, and then it is free again. */
static __attribute__((noinline)) int make_hooked(struct g *gp)
{
	void *lo;
	int r = embed_born(
	    gp, (int64_t)(gp->seq << ARENA_REF_BITS | gp->ref));

	if (r < 0) {
		arena_put(&gp->ref, 1);
		return r;
	}
	tell_sanitizer(gp);
	ctx_init(&gp->ctx, g_stack(gp, &lo), g_main_hooked);
	return 0;
}

struct g *g_new(struct p *pp, int cls, gamp_fn *fn, void *arg, int *err)
{
	struct g *gp;

	while ((gp = take(pp, cls, err)) && gp->seq >= G_SEQ_MAX)
		arena_retire(gp->ref);
	if (!gp)
		return NULL;
	gp->seq++;
	gp->fn = fn;
	gp->arg = arg;
	gp->name = NULL;
	gp->parent = 0;
	gp->site = NULL;
	gp->uncancellable = false;
	gp->leaving = NULL;
	gp->slots[0] = gp->slots[1] = NULL;
	gp->task.woken = gp->task.low = false;
	gp->task.special = 0;
	rt_store_relaxed(&gp->rare, 0);
	gp->task.home = pp ? pp->id : 0;
	rt_store_relaxed(&gp->why, WHY_NONE);
	rt_store_relaxed(&gp->waits, 0);
	rt_store_relaxed(&gp->timer.heap, 0);
	if (rt_likely(!sched.embed)) {
		tell_sanitizer(gp);
		ctx_init(&gp->ctx, gp, g_main);
	} else if ((*err = make_hooked(gp)) < 0) {
		return NULL;
	}
	g_status(gp, G_DEAD, G_RUNNABLE);
	rt_store_release(
	    &gp->tag, (gp->seq << ARENA_REF_BITS | gp->ref) << 1);
	return gp;
}

void g_count(struct p *pp)
{
	if (pp)
		rt_store_relaxed(
		    &pp->spawned, rt_load_relaxed(&pp->spawned) + 1);
	else
		(void)rt_add_seqcst(&sched.foreign_spawned, 1);
}

void g_born(struct g *gp)
{
	uint64_t tag = rt_load_relaxed(&gp->tag);

	/* Its tag is set: cancel_all finds it, or we find `stopping`. */
	rt_barrier(); /* pairs with the membarrier in sched_drain */
	if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		(void)rt_cas_seqcst(&gp->tag, &tag, tag | 1);
}

static void give_back(struct p *pp, uint32_t n)
{
	uint32_t refs[REFILL];

	while (n > 0) {
		uint32_t k = 0;

		for (; k < REFILL && k < n && pp->gfree; k++) {
			refs[k] = pp->gfree->ref;
			pp->gfree = pp->gfree->link;
			count_free(pp, -1);
		}
		if (k == 0)
			return;
		arena_put(refs, (int)k);
		n -= k;
	}
}

void g_free(struct p *pp, struct g *gp)
{
	rt_store_release(&gp->tag, 0); /* I1: from here nobody finds it */
	san_stack_reset(G_SAN(gp));
	if (rt_unlikely(sched.embed != NULL))
		embed_free(gp);
	g_status(gp, G_RUNNING, G_DEAD);
	rt_store_release(&pp->exited, rt_load_relaxed(&pp->exited) + 1);
	if (gp->ref >> ARENA_INDEX_BITS != (uint32_t)sched.default_class ||
	    sched.gfree_max == 0 || rt_load_relaxed(&sched.starved)) {
		arena_put(&gp->ref, 1);
	} else {
		gp->link = pp->gfree;
		pp->gfree = gp;
		count_free(pp, 1);
		if (rt_load_relaxed(&pp->gfree_n) > sched.gfree_max)
			give_back(pp, sched.gfree_max / 2);
	}
	if (rt_unlikely(rt_load_relaxed(&sched.stopping)))
		sched_exited();
}

void g_drop(struct p *pp, struct g *gp)
{
	if (rt_unlikely(sched.embed != NULL))
		embed_exit(gp);
	g_status(gp, G_RUNNABLE, G_RUNNING);
	g_free(pp, gp);
}

void g_flush(struct p *pp)
{
	give_back(pp, rt_load_relaxed(&pp->gfree_n));
}

struct g *g_find(int64_t id)
{
	uint32_t ref = (uint32_t)id & ((1u << ARENA_REF_BITS) - 1);
	struct g *gp;

	if (id <= 0 || !rt_load_acquire(&sched.running) || !arena_has(ref))
		return NULL;
	gp = arena_ctl(ref);
	return rt_load_acquire(&gp->tag) >> 1 == (uint64_t)id ? gp : NULL;
}

void g_each(void (*fn)(struct g *gp, int64_t id, void *arg), void *arg)
{
	for (uint32_t c = 0; c < ARENA_CLASSES; c++) {
		uint32_t n = arena_used((int)c);

		for (uint32_t i = 0; i < n; i++) {
			struct g *gp = arena_ctl(c << ARENA_INDEX_BITS | i);
			uint64_t tag = rt_load_acquire(&gp->tag);

			if (tag)
				fn(gp, (int64_t)(tag >> 1), arg);
		}
	}
}

/* Its memory is about to read zero: the fiber would be lost. */
uint64_t g_read_seq(void *ctl)
{
	struct g *gp = ctl;

	if (G_SAN(gp))
		san_fiber_free(G_SAN(gp));
	return gp->seq;
}

/* For gdb as well: sched/layout.c. */
const char g_whys[WHY_COUNT][G_WHY_LEN] = {
	[WHY_NONE] = "none",
	[WHY_SLEEP] = "sleep",
	[WHY_READ] = "read",
	[WHY_WRITE] = "write",
	[WHY_FD_LOCK] = "fd lock",
	[WHY_SEND] = "send",
	[WHY_RECV] = "receive",
	[WHY_SELECT] = "select",
	[WHY_MUTEX] = "mutex",
	[WHY_RWMUTEX] = "rwmutex",
	[WHY_COND] = "cond",
	[WHY_SEM] = "semaphore",
	[WHY_WAITGROUP] = "wait group",
	[WHY_BARRIER] = "barrier",
	[WHY_GROUP] = "group",
	[WHY_RCU] = "rcu",
	[WHY_PARK] = "park",
};

const char *g_why_name(int why)
{
	return why >= 0 && why < WHY_COUNT ? g_whys[why] : NULL;
}
