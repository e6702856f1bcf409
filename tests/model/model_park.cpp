/* SPDX-License-Identifier: MIT */
/*
 * model_park.cpp - gamp_park and gamp_ready, under every interleaving
 * (bounded): the open waits of wait.c, and cancel.c.
 *
 *	I1	a ticket is won once at most, and its wait then returns 0; a
 *		wait that returns 0 was won
 *	I2	the commit may use the waiter's stack to its end, whatever
 *		ends the wait meanwhile, also the commit itself
 *	I3	a ticket that comes late leaves the next wait alone
 *	I4	no lost wake-up, deadline or cancel (else: deadlock)
 *	I5	what who has the ticket wrote before, the waiter sees
 */
#include "tests/model/model_g.h"

#include "sched/cancel.c"
#include "sched/wait.c"

enum {
	ONE = 1,     /* a partner with the ticket of each wait */
	TWO = 2,     /* another one, with that of the first */
	TIME = 4,    /* the first wait has a deadline, which passes */
	CANCEL = 8,
	INSIDE = 16, /* the commit readies it by itself */
	REFUSE = 32, /* the first commit wants no wait */
	AGAIN = 64,  /* a second wait, which only a partner can end */
	G0 = 128,    /* commits are a thread of their own */
};
static int WHAT; /* the scenario */

static struct world {
	struct model_g mg;
	rt_a32 mail[2][2]; /* by partner and wait: there is a ticket */
	rl::var<uint64_t> ticket[2];
	rl::var<int> frame, gift[2];
	int wins[2], result[2];
} *w;
static model_room<struct world> model_world;

struct g *g_find(int64_t id)
{
	struct g *gp = &w->mg.g;

	return rt_load_acquire(&gp->tag) >> 1 == (uint64_t)id ? gp : NULL;
}
void g_each(void (*)(struct g *, int64_t, void *), void *) {}
bool arena_has(uint32_t) { return true; }
void *arena_ctl(uint32_t) { return &w->mg.g; }

static void win(int i, gamp_ticket ticket)
{
	int r = wait_open_win(ticket);

	RL_ASSERT(r == 0 || r == -ESRCH);
	w->wins[i] += r == 0;
}

static bool commit_fn(gamp_ticket ticket, void *arg)
{
	int i = (int)(intptr_t)arg;

	w->ticket[i]($) = (uint64_t)ticket;
	model_set(&w->mail[0][i]);
	model_set(&w->mail[1][i]);
	if (WHAT & INSIDE)
		win(i, ticket);
	rl::ctx().sched();
	w->frame($) = i; /* I2 */
	return i > 0 || !(WHAT & REFUSE);
}

static void wait_once(int i, int64_t deadline)
{
	struct g *gp = &w->mg.g;

	w->result[i] =
	    wait_open(gp, commit_fn, (void *)(intptr_t)i, deadline, "model");
	w->frame($) = 7;
	if (w->result[i] == 0 && !(WHAT & (TWO | INSIDE)))
		RL_ASSERT(w->gift[i]($) == i + 1); /* I5 */
}

static void waiter(void)
{
	wait_once(0, WHAT & TIME ? 10 : NEVER);
	if (WHAT & AGAIN) {
		w->mg.g.uncancellable = true;
		wait_once(1, NEVER);
	}
	model_fire_over();
	model_g_over(&w->mg);
}

static void partner(int who)
{
	for (int i = 0; i < (WHAT & AGAIN && who == 0 ? 2 : 1); i++) {
		model_await(&w->mail[who][i]);
		if (who == 0)
			w->gift[i]($) = i + 1;
		win(i, (gamp_ticket)w->ticket[i]($));
	}
}

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_g_begin();
		model_membar<THREADS>(false);
		w->result[0] = w->result[1] = 77;
		w->frame($) = 0;
		w->gift[0]($) = w->gift[1]($) = 0;
		w->mg.g.ref = 5;
		model_g_init(&w->mg, 2, WHAT & G0);
		model_is[0] = &w->mg;
		if (WHAT & G0)
			model_is[1] = &w->mg;
	}
	~model()
	{
		model_world.destroy();
		model_destroy(model_timer);
	}
	void thread(unsigned self)
	{
		static const int actors[] = { G0, ONE, TWO, TIME, CANCEL };

		model_begin();
		if (self == 0)
			return waiter();
		for (int who : actors)
			if (WHAT & who && --self == 0)
				switch (who) {
				case G0:
					return model_g0(&w->mg);
				case ONE:
					return partner(0);
				case TWO:
					return partner(1);
				case TIME:
					return model_fire();
				case CANCEL:
					RL_ASSERT(cancel_id(2) == 0);
				}
	}
	void after()
	{
		int r = w->result[0];

		RL_ASSERT(rt_load_relaxed(&w->mg.g.timer.heap) == 0);
		for (int i = 0; i < (WHAT & AGAIN ? 2 : 1); i++)
			RL_ASSERT(w->wins[i] == (w->result[i] == 0)); /* I1 */
		if (WHAT & AGAIN)
			RL_ASSERT(w->result[1] == 0); /* I3 */
		RL_ASSERT(r == 0 || (r == -EAGAIN && (WHAT & REFUSE)) ||
		    (r == -ETIMEDOUT && (WHAT & TIME)) ||
		    (r == -ECANCELED && (WHAT & CANCEL)));
		if (WHAT & INSIDE)
			RL_ASSERT(r == 0 || (WHAT & (TIME | CANCEL)));
	}
};

template <int THREADS>
static void run(int what, const char *name, unsigned bound, unsigned thousands)
{
	WHAT = what;
	model_run<model<THREADS> >(name, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<2>(ONE, "ready", 5, 20);
	run<3>(ONE | G0, "ready, g0", 4, 20);
	run<3>(ONE | TWO, "ready twice", 3, 20);
	run<4>(ONE | TWO | G0 | AGAIN, "ready twice, g0, park again", 2, 20);
	run<2>(CANCEL, "cancel alone", 5, 20);
	run<2>(TIME, "deadline alone", 5, 20);
	run<3>(ONE | CANCEL, "ready, cancel", 3, 20);
	run<4>(ONE | CANCEL | G0 | AGAIN, "ready, cancel, g0, park again", 2, 20);
	run<3>(ONE | TIME | AGAIN, "ready, deadline, park again", 3, 20);
	run<4>(ONE | TIME | G0 | AGAIN, "ready, deadline, g0, park again", 2, 20);
	run<4>(ONE | TIME | CANCEL, "ready, deadline, cancel", 2, 20);
	run<2>(ONE | INSIDE, "ready in the commit", 4, 20);
	run<4>(ONE | INSIDE | CANCEL | G0, "ready in the commit, cancel, g0", 2, 20);
	run<2>(ONE | REFUSE, "refuse", 4, 20);
	run<4>(ONE | REFUSE | CANCEL | G0, "refuse, cancel, g0", 2, 20);
	run<4>(ONE | REFUSE | TIME | AGAIN, "refuse, deadline, park again", 2, 20);
	model_done();
}
