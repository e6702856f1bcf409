/* SPDX-License-Identifier: MIT */
/*
 * model_loop.h - the scheduler's loop in a model: the real wake.c, loop.c,
 * idle.c, poll.c, park.c, p.c, runq.c and sched.c, with every M a thread of
 * the model.  Include it behind the floor (model_sched.h, model_membar.h).
 *
 * A model's world begins with struct ms, and `ms` is where that lies.  Threads
 * are Ms from the start (m_init_model), or become Ms if somebody starts one
 * (await_m_start).  At most one M sits in the poller, where one event can be,
 * the others each in its futex.
 */
#ifndef RT_TESTS_MODEL_MODEL_LOOP_H
#define RT_TESTS_MODEL_MODEL_LOOP_H

/* sched/topology.h: a ring, from the next one on. */
#define RT_SCHED_TOPOLOGY_H
struct topology;
struct rng;
struct walk {
	uint32_t id, n, done;
};
static inline const struct topology *topology_get(uint32_t) { return NULL; }
static inline void walk_start(struct walk *w, const struct topology *,
    uint32_t id, uint32_t n, struct rng *)
{
	w->id = id;
	w->n = n;
	w->done = 1;
}
static inline int walk_next(struct walk *w)
{
	if (w->done == w->n)
		return -1;
	return (int)((w->id + w->done++) % w->n);
}
static void topology_bind(struct m *) {}
void topology_init(void);
void topology_fini(void);
/* sched/apart.h: processors do not matter. */
uint32_t apart_begin(struct m *) { return 0; }
void apart_end(struct m *, uint32_t) {}

#include "sched/runq.c"
#include "sched/p.c"
#include "sched/wake.c"
#include "sched/park.c"
#define publish loop_publish
#include "sched/idle.c"
#include "sched/loop.c"
#include "sched/poll.c"
#undef publish
#undef sleep
#include "sched/sched.c"

enum { NM = 4 };

static struct ms {
	struct m m[NM];
	struct rt_a32 begin[NM]; /* futex of a thread that is no M yet */
	struct rt_a32 event;	 /* the poller's eventfd */
	bool spare[NM];		 /* may become an M */
	int total, done;	 /* goroutines */
	int begun, ended;	 /* Ms */
} *ms;

/* Sections, hooks and a stopped world are for other models. */
void switch_into_section(struct m *, struct g *) {}
void switch_out_of_section(struct m *) {}
void embed_switch_in(struct g *) {}
void embed_switch_out(struct g *) {}
void world_hold(struct m *) {}
void g_flush(struct p *) {}

static struct m *model_self(void)
{
	struct m *mp = &ms->m[rl::thread_index()];

	return mp->thread ? mp : NULL; /* `thread` marks an M here */
}

/* In before(), of all Ps: none has an M, nor is idle. */
static void loop_make(struct p *p, int n)
{
	model_make(sched);
	model_make(entry_inside);
	model_now = 1;
	rt_store_relaxed(&sched.nprocs, (uint32_t)n);
	sched.ps = p;
	sched.max_threads = NM;
	for (int i = 0; i < n; i++) {
		p[i].id = (uint32_t)i;
		p[i].clock_tick = CLOCK_TICK;
		p[i].global_tick = GLOBAL_TICK;
		p[i].now = model_now;
		rt_store_relaxed(&p[i].timers.next, NEVER);
	}
}
static void loop_destroy(void)
{
	model_destroy(sched);
	model_destroy(entry_inside);
}

static void m_init_model(struct m *mp, struct p *pp, bool spinning)
{
	mp->thread = 1;
	mp->tid = 1 + (int)(mp - ms->m);
	mp->spinning = spinning;
	rng_seed(&mp->rng, 1);
	rt_store_relaxed(&mp->in_runtime, 1);
	sched.nm++;
	ms->begun++;
	if (pp)
		rt_store_release(&pp->m, (uintptr_t)mp);
	mp->nextp = pp;
}
static void begin_thread(int i)
{
	rt_store_release(&ms->begin[i], 1);
	futex_wake(&ms->begin[i], 1);
}
int m_start(struct p *pp, bool spinning)
{
	int i = 0;

	rt_lock(&sched.lock);
	while (i < NM && !ms->spare[i])
		i++;
	if (i == NM || rt_load_relaxed(&sched.halt)) {
		rt_unlock(&sched.lock);
		return -EAGAIN;
	}
	ms->spare[i] = false;
	m_init_model(&ms->m[i], pp, spinning);
	rt_unlock(&sched.lock);
	begin_thread(i);
	return 0;
}
/* False: it is all over, and the thread was not needed. */
static bool await_m_start(unsigned self)
{
	while (rt_load_acquire(&ms->begin[self]) == 0)
		(void)futex_wait(&ms->begin[self], 0, 0);
	return ms->m[self].thread;
}
void m_end_locked(struct m *mp)
{
	RL_ASSERT(!m_p(mp) && !m_locked(mp) && !mp->idle && !mp->nextp);
	sched.nm--;
	ms->ended++;
	mp->thread = 0;
}
/* True: that was the last one, and all Ms are told to end. */
static bool g_is_last(void)
{
	RL_ASSERT(ms->done < ms->total);
	if (++ms->done < ms->total)
		return false;
	halt_threads();
	for (int i = 0; i < NM; i++)
		if (ms->spare[i])
			begin_thread(i);
	return true;
}
/* In after(). */
static void check_ended(void)
{
	RL_ASSERT(ms->done == ms->total);
	RL_ASSERT(rt_load_relaxed(&sched.nspinning) == 0);
	RL_ASSERT(rt_load_relaxed(&sched.npidle) == procs());
	RL_ASSERT(sched.nm == 0 && ms->ended == ms->begun);
}

static void poll_wake(void)
{
	(void)rt_swap_seqcst(&ms->event, 1);
	futex_wake(&ms->event, 1);
}
static int poll_events(struct p *, int64_t delay, struct task_list *);
static const struct poller fake = { NULL, NULL, poll_events, NULL, poll_wake };
const struct poller *const sched_poller = &fake;

#endif
