/* SPDX-License-Identifier: MIT */
/*
 * model_runq.cpp - sched/runq.c under every interleaving (bounded).
 *
 * Property: each goroutine put is got or stolen exactly once, through wrap,
 * overflow and stealing from a thief's ring.
 *
 *	fan	an owner, two thieves that steal from it
 *	chain	an owner, a thief, and a thief that steals from that thief
 *	reuse	an owner that refills slots while a thief reads them
 */
#define RT_HARD /* a ring of 4 */
#include "tests/model/model.h"

#include "sched/runq.c"

enum shape { FAN, CHAIN, REUSE };

static enum shape SHAPE; /* the scenario */
static uintptr_t N;	 /* goroutines */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	runq q[3];
	uint32_t seen[8];

	void before()
	{
		N = SHAPE == REUSE ? 7 : 5;
		for (uintptr_t i = 0; i <= N; i++)
			seen[i] = 0;
		if (SHAPE == REUSE) /* start at the end of the ring */
			for (int i = 0; i < 3; i++) {
				(void)runq_put(&q[0], (struct task *)1);
				(void)runq_get(&q[0], false);
			}
	}
	void take(struct task *task)
	{
		uintptr_t i = (uintptr_t)task;

		RL_ASSERT(i >= 1 && i <= N);
		RL_ASSERT(seen[i]++ == 0);
	}
	void put(uintptr_t i)
	{
		if (!runq_put(&q[0], (struct task *)i))
			take((struct task *)i); /* spilled */
	}
	void get(struct runq *from)
	{
		if (struct task *task = runq_get(from, false))
			take(task);
	}
	void owner()
	{
		for (uintptr_t i = 1; i <= N; i++) {
			put(i);
			if (SHAPE == REUSE && i >= 3)
				get(&q[0]);
		}
		get(&q[0]);
	}
	void thief(int self, int victim)
	{
		if (struct task *task = runq_steal(&q[self], &q[victim]))
			take(task);
		if (SHAPE == CHAIN && self == 1)
			get(&q[1]);
		else
			while (struct task *task = runq_get(&q[self], false))
				take(task);
	}
	void thread(unsigned self)
	{
		if (self == 0)
			owner();
		else
			thief((int)self, SHAPE == CHAIN ? (int)self - 1 : 0);
	}
	void after()
	{
		for (int i = 0; i < 3; i++) {
			RL_ASSERT(runq_len(&q[i]) <= RUNQ_SIZE);
			while (struct task *task = runq_get(&q[i], false))
				take(task);
		}
		for (uintptr_t i = 1; i <= N; i++)
			RL_ASSERT(seen[i] == 1);
	}
};

template <int THREADS>
static void run(enum shape shape, const char *what, unsigned bound,
    unsigned thousands)
{
	SHAPE = shape;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<3>(FAN, "fan", 2, 50);
	run<3>(CHAIN, "chain", 2, 50);
	run<2>(REUSE, "reuse", 3, 50);
	model_done();
}
