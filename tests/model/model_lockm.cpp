/* SPDX-License-Identifier: MIT */
/*
 * model_lockm.cpp - goroutines that are locked to their thread, under many
 * interleavings: the real lockm.c, detach.c, wake.c, loop.c, idle.c, poll.c,
 * park.c, p.c, runq.c and sched.c, with every M a thread of the model.
 *
 * A goroutine is a function that is called for each of its turns: what it
 * returns is how it leaves its M (enum m_op).  `parked` and `ready` are its
 * words: who readies it waits for the commit.
 *
 *	main	M1 serves a locked goroutine and has no P; M0 picks it, and
 *		hands over the only P
 *	ping	the same; it parks, and another one readies it, twice
 *	early	2 Ps: it parks on M1 while M0 readies it: the wake-up may come
 *		before M1 has given up its own P
 *	yield	it yields to others in the queue of its P
 *	woken	an M that was woken from its futex runs one that binds to it
 *	next	it leaves another one behind as it exits
 *	taken	a thread takes its P as it computes
 *	bind	the same as it locks itself
 *	others	it gives its P back as another P's owner has work left, and
 *		does not come back
 *
 *	I1	every goroutine takes all of its turns, a locked one on its M
 *		only (else: deadlock)
 *	I2	no P has two of: an M that owns it, one to which it was handed
 *		over, a place on the idle list; at the end all are idle
 *	I3	p->m is the new owner from the moment of hand-over on (m.h I2)
 *	I4	an M of a locked goroutine is not slowed down
 *	I5	all Ms end, those whose goroutine has exited at once
 */
#define RT_HARD /* rings of 4, and little patience */
#include "tests/model/model_membar.h"
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
#include "sched/sched.c"
#include "sched/detach.c"
#include "sched/lockm.c"

enum { NM = 4, NP = 2, NG = 3 };

static struct world {
	struct m m[NM];
	struct p p[NP];
	struct g g[NG];
	struct rt_a32 begin[NM]; /* futex of a thread that is no M yet */
	struct rt_a32 event;	 /* the poller's eventfd */
	struct rt_a32 parked[NG], ran[NG]; /* futexes */
	int turn[NG];
	bool spare[NM]; /* may become an M */
	int total, done, ms, ended;
	bool over, slow[NM];
	enum m_op (*body)(int g);
} *w;
static model_room<struct world> model_world;

static struct m *model_self(void)
{
	struct m *mp = &w->m[rl::thread_index()];

	return mp->thread ? mp : NULL; /* `thread` marks an M here */
}

static bool commit_parked(struct g *gp, void *)
{
	int g = (int)(gp - w->g);

	(void)rt_swap_acqrel(&w->parked[g], 1);
	futex_wake(&w->parked[g], NM);
	return true;
}

struct lost_p {
};

/* execute: one turn.  From a goroutine: it has lost its P, and its turn ends
 * for that (m_leave_detached). */
static void ctx_switch(struct ctx *from, struct ctx *)
{
	struct m *mp = model_self();
	struct g *gp = m_curg(mp);

	if (from != &mp->ctx) {
		RL_ASSERT(mp->op == OP_DETACHED);
		throw lost_p();
	}
	RL_ASSERT(m_p(mp) && m_locked(mp) == (g_is_locked(gp) ? gp : NULL));
	mp->commit = commit_parked;
	try {
		mp->op = w->body((int)(gp - w->g));
	} catch (lost_p) {
	}
}
/* In the program's code; it may lose its P, and then its turn is over. */
static void compute(void)
{
	m_exit();
	RL_ASSERT(m_enter() == model_self());
}

static void await(rt_a32 *word)
{
	while (rt_load_acquire(word) == 0)
		(void)futex_wait(word, 0, 0);
}
static void begun(int g)
{
	(void)rt_swap_acqrel(&w->ran[g], 1);
	futex_wake(&w->ran[g], NM);
}
/* Readies g as soon as its commit lets it be found. */
static void ready(int g)
{
	await(&w->parked[g]);
	(void)rt_swap_acqrel(&w->parked[g], 0);
	rt_ready(&w->g[g]);
}

static void wake_spares(void)
{
	for (int i = 0; i < NM; i++)
		if (w->spare[i]) {
			rt_store_release(&w->begin[i], 1);
			futex_wake(&w->begin[i], 1);
		}
}
void switch_into_section(struct m *, struct g *) {}
void switch_out_of_section(struct m *) {}
void embed_switch_in(struct g *) {}
void embed_switch_out(struct g *) {}
void world_hold(struct m *) {}
bool world_is_mine(void) { return false; }
void g_flush(struct p *) {}
/* Who is slowed down cannot make itself fast again. */
int thread_weigh(int tid, int, int64_t)
{
	if (tid == 0)
		return w->slow[rl::thread_index()] ? -EPERM : 0;
	w->slow[tid - 1] = true;
	return 0;
}
void g_free(struct p *, struct g *)
{
	RL_ASSERT(w->done < w->total);
	if (++w->done == w->total) {
		w->over = true;
		halt_threads();
		wake_spares();
		(void)note_wake(&sched.sysmon_note);
	}
}
static void m_init_model(struct m *mp, struct p *pp, bool spinning)
{
	mp->thread = 1;
	mp->tid = 1 + (int)(mp - w->m);
	mp->spinning = spinning;
	rng_seed(&mp->rng, 1);
	rt_store_relaxed(&mp->in_runtime, 1);
	sched.nm++;
	w->ms++;
	if (pp)
		rt_store_release(&pp->m, (uintptr_t)mp);
	mp->nextp = pp;
}
int m_start(struct p *pp, bool spinning)
{
	int i = 0;

	rt_lock(&sched.lock);
	while (i < NM && !w->spare[i])
		i++;
	if (i == NM || rt_load_relaxed(&sched.halt)) {
		rt_unlock(&sched.lock);
		return -EAGAIN;
	}
	w->spare[i] = false;
	m_init_model(&w->m[i], pp, spinning);
	rt_unlock(&sched.lock);
	rt_store_release(&w->begin[i], 1);
	futex_wake(&w->begin[i], 1);
	return 0;
}
void m_end_locked(struct m *mp)
{
	RL_ASSERT(!m_p(mp) && !m_locked(mp) && !mp->idle && !mp->nextp);
	sched.nm--;
	w->ended++;
	mp->thread = 0;
}

int timers_run(struct timers *, int64_t) { return 0; }
static int poll_events(struct p *, int64_t delay, struct task_list *)
{
	if (delay == 0)
		return 0;
	while (rt_swap_acqrel(&w->event, 0) == 0)
		(void)futex_wait(&w->event, 0, 0);
	return 0;
}
static void poll_wake(void)
{
	(void)rt_swap_seqcst(&w->event, 1);
	futex_wake(&w->event, 1);
}
static const struct poller fake = { NULL, NULL, poll_events, NULL, poll_wake };
const struct poller *const sched_poller = &fake;

/* I2, I3. */
static void check_locked(void)
{
	for (uint32_t i = 0; i < procs(); i++) {
		struct p *pp = &w->p[i];
		int owners = pidle_is(i), listed = 0;

		for (struct p *at = sched.pidle; at && listed < 2;
		    at = at->link)
			listed += at == pp;
		RL_ASSERT(listed == owners);
		for (struct m &m : w->m) {
			if (m.nextp == pp)
				RL_ASSERT(rt_load_relaxed(&pp->m) ==
				    (uintptr_t)&m);
			owners += (m.nextp == pp) + (m_p(&m) == pp);
		}
		RL_ASSERT(owners <= 1);
	}
}

enum shape { MAIN, PING, EARLY, YIELD, NEXT, TAKEN, BIND, OTHERS, WOKEN };
static int SHAPE, PS; /* the scenario */

/* Goroutine 1 is the locked one; 0 begins on M0. */
static enum m_op run_main(int g)
{
	if (g == 0)
		rt_start(&w->g[1]);
	return OP_EXIT;
}
static enum m_op run_ping(int g)
{
	int turn = w->turn[g]++;

	if (g == 1)
		return turn < 2 ? OP_PARK : OP_EXIT;
	if (turn == 0)
		rt_start(&w->g[1]);
	else
		ready(1);
	return turn < 2 ? OP_YIELD : OP_EXIT;
}
/* Both run at first. */
static enum m_op run_early(int g)
{
	int turn = w->turn[g]++;

	if (g == 1)
		return turn < 2 ? OP_PARK : OP_EXIT;
	ready(1);
	return turn < 1 ? OP_YIELD : OP_EXIT;
}
static enum m_op run_yield(int g)
{
	int turn = w->turn[g]++;

	if (g == 1)
		return turn < 2 ? OP_YIELD : OP_EXIT;
	return OP_EXIT;
}
static enum m_op run_next(int g)
{
	if (g < 2)
		rt_start(&w->g[g + 1]);
	return OP_EXIT;
}
static enum m_op run_taken(int g)
{
	if (g == 1 && w->turn[1]++ == 0)
		compute();
	return OP_EXIT;
}
static enum m_op run_bind(int g)
{
	if (w->turn[g]++ == 0)
		compute();
	if (!g_is_locked(&w->g[g])) {
		w->g[g].lock_depth = 1;
		lockm_bind(model_self(), &w->g[g]);
		compute();
	}
	return OP_EXIT;
}
static enum m_op run_others(int g)
{
	begun(g);
	if (g == 0) {
		rt_start(&w->g[2]);
		await(&w->ran[2]);
		ready(1);
	}
	return g == 1 && w->turn[1]++ == 0 ? OP_PARK : OP_EXIT;
}
/* Goroutine 0 stays until another M runs 1. */
static enum m_op run_woken(int g)
{
	begun(g);
	if (g == 0) {
		rt_start(&w->g[1]);
		await(&w->ran[1]);
	}
	return g == 1 && w->turn[1]++ == 0 ? OP_YIELD : OP_EXIT;
}

static enum m_op (*const bodies[])(int g) = { run_main, run_ping, run_early,
	run_yield, run_next, run_taken, run_bind, run_others, run_woken };

/* As sysmon. */
static void take(void)
{
	(void)detach(
	    &w->p[0], SHAPE == BIND ? DETACH_COMPUTING : DETACH_BLOCKED);
	for (;;) {
		note_clear(&sched.sysmon_note);
		spoilt_clear();
		if (w->over)
			return;
		(void)note_sleep(&sched.sysmon_note, 0);
	}
}
static void check(void)
{
	for (int i = 0; i < 3; i++) {
		rt_lock(&sched.lock);
		check_locked();
		rt_unlock(&sched.lock);
	}
}

/* The Ms from 0 on that have a P, and one more; then those to be had; then
 * who takes, or looks. */
static int MS, MORE, SPARES;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void goroutines()
	{
		int ng = SHAPE == NEXT || SHAPE == OTHERS ? 3 :
		    SHAPE == TAKEN || SHAPE == BIND	  ? 1 :
							    2;

		w->total = ng;
		w->body = bodies[SHAPE];
		if (SHAPE == TAKEN || SHAPE == YIELD || SHAPE == EARLY ||
		    SHAPE == OTHERS || SHAPE == WOKEN)
			lockm_later(&w->g[1]);
		else if (SHAPE != BIND)
			lockm_to(&w->m[1], &w->g[1]);
		if (SHAPE == TAKEN || SHAPE == BIND || SHAPE == YIELD)
			p_put(&w->p[0], &w->g[1].task);
		if (SHAPE != TAKEN && SHAPE != BIND)
			p_put(&w->p[0], &w->g[0].task);
		if (SHAPE == EARLY || SHAPE == OTHERS)
			p_put(&w->p[1], &w->g[1].task);
	}
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_make(entry_inside);
		model_membar<THREADS>(false);
		model_now = 1;
		rt_store_relaxed(&sched.nprocs, (uint32_t)PS);
		sched.ps = w->p;
		sched.max_threads = NM;
		for (int i = 0; i < PS; i++) {
			w->p[i].id = (uint32_t)i;
			w->p[i].clock_tick = CLOCK_TICK;
			w->p[i].global_tick = GLOBAL_TICK;
			w->p[i].now = model_now;
			rt_store_relaxed(&w->p[i].timers.next, NEVER);
		}
		for (int i = 0; i < MS + MORE; i++)
			m_init_model(&w->m[i], i < MS ? &w->p[i] : NULL, false);
		for (int i = MS + MORE; i < MS + MORE + SPARES; i++)
			w->spare[i] = true;
		for (int i = MS; i < PS; i++)
			pidle_put_locked(&w->p[i]);
		if (SHAPE == OTHERS) {
			sched.poller = &w->m[2];
			rt_store_relaxed(&sched.polling, 1);
		}
		goroutines();
	}
	~model()
	{
		model_world.destroy();
		model_destroy(sched);
		model_destroy(entry_inside);
	}
	void thread(unsigned self)
	{
		struct m *mp = &w->m[self];

		model_begin();
		if (self >= (unsigned)(MS + MORE + SPARES)) {
			if (SHAPE == TAKEN || SHAPE == BIND)
				take();
			else
				check();
			return;
		}
		if (self >= (unsigned)(MS + MORE)) { /* until m_start */
			while (rt_load_acquire(&w->begin[self]) == 0)
				(void)futex_wait(&w->begin[self], 0, 0);
			if (!mp->thread)
				return; /* it is all over */
		}
		if (mp->nextp && !m_locked(mp)) {
			rt_lock(&sched.lock); /* for check_locked */
			acquirep(mp, mp->nextp);
			mp->nextp = NULL;
			rt_unlock(&sched.lock);
		}
		if (sched.poller == mp)
			RL_ASSERT(!idle_poll(mp));
		sched_loop(mp);
	}
	void after()
	{
		RL_ASSERT(w->done == w->total);
		check_locked();
		RL_ASSERT(rt_load_relaxed(&sched.nspinning) == 0);
		RL_ASSERT(rt_load_relaxed(&sched.npidle) == procs()); /* I2 */
		RL_ASSERT(sched.nm == 0 && w->ended == w->ms); /* I5 */
		RL_ASSERT(sched.ndetached == 0 && !sched.hogs);
	}
};

template <int THREADS>
static void run(int shape, int ps, int ms, int more, int spares,
    const char *what, unsigned bound, unsigned thousands)
{
	SHAPE = shape;
	PS = ps;
	MS = ms;
	MORE = more;
	SPARES = spares;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	model_args.depth = 20000;
	run<2>(MAIN, 1, 1, 1, 0, "main", 2, 20);
	run<3>(MAIN, 1, 1, 1, 0, "main, who looks", 1, 20);
	run<2>(PING, 1, 1, 1, 0, "ping", 2, 20);
	run<3>(PING, 1, 1, 1, 0, "ping, who looks", 1, 20);
	run<2>(EARLY, 2, 2, 0, 0, "early, no thread", 1, 20);
	run<3>(EARLY, 2, 2, 0, 1, "early", 0, 30);
	run<2>(YIELD, 1, 1, 0, 1, "yield", 2, 20);
	run<2>(NEXT, 1, 1, 1, 0, "next", 2, 20);
	run<2>(WOKEN, 2, 1, 1, 0, "woken", 0, 30);
	run<3>(TAKEN, 1, 1, 0, 1, "taken", 1, 20);
	run<3>(BIND, 1, 1, 0, 1, "bind", 1, 20);
	run<3>(OTHERS, 2, 2, 1, 0, "others", 0, 30);
	model_done();
}
