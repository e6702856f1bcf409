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
#include "tests/model/model_loop.h"
#include "sched/detach.c"
#include "sched/lockm.c"

enum { NP = 2, NG = 3 };

static struct world : ms {
	struct p p[NP];
	struct g g[NG];
	struct rt_a32 parked[NG], ran[NG]; /* futexes */
	int turn[NG];
	bool over, slow[NM];
	enum m_op (*body)(int g);
} *w;
static model_room<struct world> model_world;

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

bool world_is_mine(void) { return false; }
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
	if (g_is_last()) {
		w->over = true;
		(void)note_wake(&sched.sysmon_note);
	}
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
		ms = w;
		loop_make(w->p, PS);
		model_membar<THREADS>(false);
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
		loop_destroy();
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
		if (self >= (unsigned)(MS + MORE) && !await_m_start(self))
			return;
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
		check_locked();
		check_ended(); /* I2, I5 */
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
