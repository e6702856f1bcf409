/* SPDX-License-Identifier: MIT */
/*
 * stress_runq.c - one owner, THIEVES thieves, ITEMS goroutines, real threads.
 *
 * Property: each goroutine is taken exactly once.  Meant for TSan and for
 * RT_HARD (a ring of four).  No sleeps: it ends when all are taken.
 */
#include <pthread.h>
#include <stdlib.h>

#include "base/fatal.h"
#include "sched/runq.h"

enum { THIEVES = 3, ITEMS = 200000 };

static struct runq victim;
static rt_a32 taken[ITEMS + 1];
static rt_a32 total;

static void take(struct task *task)
{
	uintptr_t i = (uintptr_t)task;
	uint32_t zero = 0;

	if (i < 1 || i > ITEMS || !rt_cas_acqrel(&taken[i], &zero, 1))
		rt_fatal("runq: a goroutine was lost or taken twice");
	for (uint32_t n = rt_load_relaxed(&total);
	     !rt_cas_acqrel(&total, &n, n + 1);)
		;
}

static void *thief(void *arg)
{
	struct runq *mine = aligned_alloc(RT_LINE, sizeof(*mine));

	(void)arg;
	if (!mine)
		rt_fatal("runq: out of memory");
	*mine = (struct runq){ 0 };
	while (rt_load_acquire(&total) < ITEMS) {
		struct task *task = runq_steal(mine, &victim);

		for (; task; task = runq_get(mine, false))
			take(task);
	}
	free(mine);
	return NULL;
}

int main(void)
{
	pthread_t t[THIEVES];

	for (int i = 0; i < THIEVES; i++)
		if (pthread_create(&t[i], NULL, thief, NULL))
			rt_fatal("runq: pthread_create");
	for (uintptr_t i = 1; i <= ITEMS; i++) {
		struct task *task;

		while (!runq_put(&victim, (struct task *)i))
			if ((task = runq_get(&victim, false)))
				take(task);
		if (i % 8 == 0 && (task = runq_get(&victim, false)))
			take(task);
	}
	for (struct task *task; rt_load_acquire(&total) < ITEMS;)
		if ((task = runq_get(&victim, false)))
			take(task);
	for (int i = 0; i < THIEVES; i++)
		(void)pthread_join(t[i], NULL);
	return 0;
}
