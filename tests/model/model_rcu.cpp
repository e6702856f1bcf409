/* SPDX-License-Identifier: MIT */
/*
 * model_rcu.cpp - readers and grace periods under every interleaving
 * (bounded): the real rcu.h and rcu.c.
 *
 *	reader	one section, or two, on its own reader
 *	mover	begins a section on its reader, leaves it, and begins another;
 *		the first goes on and ends on the heir's
 *	nomad	leaves its section and comes back to it
 *	counted	has no place on the list
 *	writer	publishes the other of two things, waits for a grace period,
 *		destroys the first; and perhaps once more, the other way round
 *
 * Property: nobody meets a thing that is destroyed.  The things are rl::var,
 * so Relacy reports any race of a reader with their end; a wake-up that is
 * lost is a deadlock.
 */
#include "tests/model/model_membar.h"

#include "sched/rcu.c"

enum how { READER, TWICE, NOMAD, COUNTED, MOVER, HEIR, NESTED };

static how HOW[3]; /* the scenario: of each thread but the writer, the last */
static int TIMES;
static bool QUIET, FENCES;

static struct world {
	rt_a32 head;
	rl::var<int> alive[2];
	struct rcu_reader r[3];
	struct rcu_section s[3];
	rt_a32 handed; /* the mover's section */
} *w;
static model_room<struct world> model_world;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(rcu);
		model_membar<THREADS>(FENCES);
		memset(w->s, 0, sizeof(w->s));
		w->alive[0]($) = w->alive[1]($) = 1;
		for (int i = 0; i < THREADS - 1; i++)
			if (HOW[i] != COUNTED)
				rcu_add(&w->r[i]);
	}
	~model()
	{
		model_world.destroy();
		model_destroy(rcu);
	}
	static void begin(int i)
	{
		if (HOW[i] == COUNTED)
			rcu_begin_counted(&w->r[i], &w->s[i]);
		else
			rcu_begin(&w->r[i]);
	}
	static void end(int i, struct rcu_section *s)
	{
		if (rcu_end(&w->r[i]))
			rcu_settle(&w->r[i], s);
	}
	static uint32_t get() { return rt_load_acquire(&w->head); }
	static void look(uint32_t t)
	{
		rl::ctx().sched(); /* a variable's access is no step */
		RL_ASSERT(w->alive[t]($) == 1);
	}
	static void section(int i)
	{
		uint32_t t;

		begin(i);
		t = get();
		if (HOW[i] == NESTED) {
			rcu_begin(&w->r[i]);
			look(get());
			end(i, &w->s[i]);
		}
		if (HOW[i] == NOMAD) {
			rcu_leave(&w->r[i], &w->s[i]);
			rcu_return(&w->r[i], &w->s[i]);
		}
		look(t);
		end(i, &w->s[i]);
	}
	static void move(int i)
	{
		uint32_t t;

		rcu_begin(&w->r[i]);
		t = get();
		rcu_leave(&w->r[i], &w->s[i]);
		rt_store_release(&w->handed, 1 + t);
		HOW[i] = READER;
		section(i);
		HOW[i] = MOVER;
	}
	static void inherit(int i)
	{
		uint32_t t;

		while (!(t = rt_load_acquire(&w->handed)))
			rl::yield(1, $);
		rcu_return(&w->r[i], &w->s[0]);
		look(t - 1);
		end(i, &w->s[0]);
	}
	static void write()
	{
		for (uint32_t t = 0; t < (uint32_t)TIMES; t++) {
			w->alive[!t]($) = 1;
			rt_store_release(&w->head, !t);
			if (QUIET)
				while (!rcu_quiet())
					rl::yield(1, $);
			else
				rcu_grace();
			w->alive[t]($) = 0;
		}
	}
	void thread(unsigned self)
	{
		model_begin();
		if (self == THREADS - 1)
			write();
		else if (HOW[self] == MOVER)
			move((int)self);
		else if (HOW[self] == HEIR)
			inherit((int)self);
		else
			for (int i = 0; i < 1 + (HOW[self] == TWICE); i++)
				section((int)self);
	}
	void after()
	{
		RL_ASSERT(rcu.awaited == 0 && !rcu.in_grace);
		RL_ASSERT(rcu.asleep[0] == 0 && rcu.asleep[1] == 0);
		for (int i = 0; i < THREADS - 1; i++)
			RL_ASSERT(!rcu_inside(&w->r[i]));
	}
};

template <int THREADS>
static void rcu_run(const char *what, how a, how b, int times, unsigned bound,
    unsigned thousands)
{
	HOW[0] = a;
	HOW[1] = b;
	TIMES = times;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	rcu_run<2>("rcu: one reader", READER, READER, 1, 4, 50);
	rcu_run<2>("rcu: one reader, two grace periods", TWICE, READER, 2, 3, 100);
	rcu_run<2>("rcu: nested", NESTED, READER, 2, 3, 50);
	rcu_run<2>("rcu: a nomad", NOMAD, READER, 2, 3, 100);
	rcu_run<2>("rcu: counted", COUNTED, READER, 2, 3, 50);
	rcu_run<3>("rcu: two readers", READER, TWICE, 2, 2, 50);
	rcu_run<3>("rcu: a section moves", MOVER, HEIR, 2, 2, 100);
	rcu_run<3>("rcu: a nomad and a reader", NOMAD, READER, 2, 2, 50);
	QUIET = true;
	rcu_run<2>("rcu: quiet", TWICE, READER, 2, 3, 50);
	rcu_run<2>("rcu: quiet, a nomad", NOMAD, READER, 1, 3, 50);
	rcu_run<2>("rcu: quiet, counted", COUNTED, READER, 1, 3, 50);
	QUIET = false;
	FENCES = true;
	rcu_run<2>("rcu: fences", TWICE, READER, 2, 3, 50);
	rcu_run<3>("rcu: fences, a section moves", MOVER, HEIR, 1, 2, 20);
	model_done();
}
