/* SPDX-License-Identifier: MIT */
/*
 * model_wake.cpp - the wake-up protocol under many interleavings: the real
 * wake.c, loop.c, idle.c, poll.c, park.c, p.c, runq.c and sched.c, with every M a thread of
 * the model and goroutines that are functions.
 *
 * Property (wake.h): no goroutine is forgotten while a P is idle.  A goroutine
 * that waits for its children, without leaving its M, makes a forgotten one a
 * deadlock.  At the end no M spins and all Ps are idle.
 *
 *	local	M0 runs a parent, which queues a child in its ring and waits for
 *		it; M1 runs out of work meanwhile (W1 F1 R1 R2, S1 S2 F2 S3)
 *	pair	the same with two children that need each other's M
 *		(wake_found)
 *	foreign	threads that are no M queue globally; all Ms go idle
 *	spurious  beside a foreign thread another one wakes for nothing, as
 *		sysmon may (trap 44)
 *	start	M0 alone; the others must be started; with and without a
 *		thread to be had (start_failed)
 *	late	no thread is to be had, while M1, which has lost its P, is on
 *		its way to sleep (start_failed, unserved)
 *	timer	a goroutine arms a timer and ends; nobody has work: the M in the
 *		poller must be told
 *
 * At most one M sits in the poller, the others each in its futex.
 */
#define RT_HARD /* rings of 4 */
#include "tests/model/model_sched.h"
#include "tests/model/model_loop.h"

enum { NG = 5 };

static struct world : ms {
	struct p p[3];
	struct g g[NG];
	struct rt_a32 ran[NG]; /* futex: this goroutine has begun */
	int polling;
	void (*body)(int g);
} *w;
static model_room<struct world> model_world;

/* Nothing is taken, locked or stopped here. */
void lockm_bind(struct m *, struct g *) {}
void lockm_hand(struct m *, struct g *) {}
void lockm_end(struct m *) {}
struct g *lockm_wait(struct m *) { return NULL; }
void spoilt_put(struct m *, struct g *) {}
void spoilt_clear(void) {}

/* execute: the goroutine runs to its end on the same stack. */
static void ctx_switch(struct ctx *from, struct ctx *)
{
	struct m *mp = model_self();

	if (from != &mp->ctx)
		rl::ctx().fail_test("a goroutine switched",
		    rl::test_result_user_assert_failed, $);
	rt_store_release(&mp->in_runtime, 0);
	w->body((int)(m_curg(mp) - w->g));
	rt_store_relaxed(&mp->in_runtime, 1);
	mp->op = OP_EXIT;
}
static void begun(int g)
{
	RL_ASSERT(rt_swap_seqcst(&w->ran[g], 1) == 0); /* exactly once */
	futex_wake(&w->ran[g], NM);
}
static void wait_for(int g)
{
	while (rt_load_acquire(&w->ran[g]) == 0)
		(void)futex_wait(&w->ran[g], 0, 0);
}
void settled_locked(struct m *) {}
void g_free(struct p *, struct g *)
{
	(void)g_is_last();
}
struct m *m_enter_slow(struct m *mp) { return mp; }

static void queue(int from, int to);

/* One timer, which readies goroutine 1. */
int timers_run(struct timers *h, int64_t now)
{
	bool due;

	rt_lock(&h->lock);
	due = rt_load_relaxed(&h->next) <= now;
	if (due)
		rt_store_release(&h->next, NEVER);
	rt_unlock(&h->lock);
	if (due)
		queue(1, 1);
	return due;
}

/* A wait with a limit always ends at it, if nobody ends it before. */
static int poll_events(struct p *, int64_t delay, struct task_list *)
{
	if (delay == 0)
		return 0;
	RL_ASSERT(w->polling++ == 0);
	while (rt_swap_acqrel(&w->event, 0) == 0) {
		if (delay > 0) {
			model_now += delay;
			break;
		}
		(void)futex_wait(&w->event, 0, 0);
	}
	w->polling--;
	return 0;
}
/* Queues goroutines from..to, as a poll's result or a batch of wakes. */
static void queue(int from, int to)
{
	struct task_list l = { 0 };

	for (int i = from; i <= to; i++) {
		w->g[i].task.woken = true;
		task_push(&l, &w->g[i].task);
	}
	rt_queue_list(&l);
}

enum shape { LOCAL, PAIR, FOREIGN, NEXT, TIMER, SPURIOUS, LATE };

static void run_local(int g)
{
	begun(g);
	if (g == 0) {
		queue(1, 1);
		wait_for(1);
	}
}
static void run_pair(int g)
{
	begun(g);
	if (g == 0)
		queue(1, 2);
	for (int i = 0; i < 3; i++) /* all three run at once */
		wait_for(i);
}
static void run_foreign(int g)
{
	begun(g);
}
/* The child is in runnext: another M takes it when the parent computes. */
static void run_next(int g)
{
	begun(g);
	if (g == 0) {
		rt_start(&w->g[1]);
		wait_for(1);
	}
}
/* Arms a timer on its P; nobody else knows of it. */
static void run_timer(int g)
{
	begun(g);
	if (g == 0)
		rt_store_release(&m_p(model_self())->timers.next, 50);
}

/*
 * PS Ps; MS Ms that begin with a P each; SPARES threads that m_start may have.
 * M0 has the parent, or, if foreign, an extra thread has two goroutines.
 */
static int SHAPE, PS, MS, SPARES; /* the scenario */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		ms = w;
		loop_make(w->p, PS);
		for (int i = PS; i-- > MS;)
			pidle_put_locked(&w->p[i]);
		for (int i = 0; i < MS; i++)
			m_init_model(&w->m[i], &w->p[i], false);
		for (int i = MS; i < MS + SPARES; i++)
			w->spare[i] = true;
		if (SHAPE == LATE)
			m_init_model(&w->m[MS], NULL, false);
		w->total = SHAPE == PAIR ? 3 : SHAPE == SPURIOUS ? 1 : 2;
		w->body = SHAPE == LOCAL || SHAPE == LATE ? run_local :
		    SHAPE == PAIR	 ? run_pair :
		    SHAPE == NEXT	 ? run_next :
		    SHAPE == TIMER	 ? run_timer :
					   run_foreign;
		if (SHAPE != FOREIGN && SHAPE != SPURIOUS)
			p_put(&w->p[0], &w->g[0].task);
	}
	~model()
	{
		model_world.destroy();
		loop_destroy();
	}
	void thread(unsigned self)
	{
		struct m *mp = &w->m[self];

		if (SHAPE == FOREIGN && self >= (unsigned)(MS + SPARES)) {
			int who = (int)self - MS - SPARES;

			queue(who, who);
			if (THREADS == MS + SPARES + 1)
				queue(1, 1);
			return;
		}
		if (SHAPE == SPURIOUS && self >= (unsigned)(MS + SPARES)) {
			if (self == (unsigned)(MS + SPARES))
				queue(0, 0);
			else
				wakep();
			return;
		}
		if (SHAPE == LATE && self == (unsigned)MS) {
			sched_loop(mp);
			return;
		}
		if (self >= (unsigned)MS && !await_m_start(self))
			return;
		acquirep(mp, mp->nextp);
		mp->nextp = NULL;
		sched_loop(mp);
	}
	void after()
	{
		check_ended();
		RL_ASSERT(!sched.poller && rt_load_relaxed(&sched.nglobal) == 0);
	}
};

template <int THREADS>
static void run(int shape, int ps, int ms, int spares, const char *what,
    unsigned bound, unsigned thousands)
{
	SHAPE = shape;
	PS = ps;
	MS = ms;
	SPARES = spares;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	model_args.depth = 20000;
	run<2>(LOCAL, 2, 2, 0, "local", 1, 30);
	run<2>(NEXT, 2, 2, 0, "runnext", 1, 10);
	run<3>(LOCAL, 3, 3, 0, "local, 3 Ms", 0, 20);
	run<3>(PAIR, 3, 3, 0, "pair", 0, 20);
	run<2>(FOREIGN, 1, 1, 0, "foreign, 1 M", 2, 20);
	run<3>(FOREIGN, 2, 2, 0, "foreign, 2 Ms", 1, 20);
	run<3>(FOREIGN, 1, 1, 0, "two foreign, 1 M", 1, 20);
	run<3>(SPURIOUS, 1, 1, 0, "spurious wake-up", 2, 20);
	run<2>(LOCAL, 2, 1, 1, "start", 1, 10);
	run<3>(PAIR, 3, 1, 2, "start a pair", 0, 10);
	run<2>(FOREIGN, 2, 1, 0, "start fails", 2, 20);
	run<2>(LATE, 2, 1, 0, "late", 2, 20);
	run<2>(TIMER, 2, 2, 0, "timer", 1, 20);
	model_done();
}
