/* SPDX-License-Identifier: MIT */
/* solo.c - the thread's side of solo.h. */

#include <sched.h>

#include "base/lock.h"
#include "sched/solo.h"

struct solo solo_state;

static struct rt_lock lock = RT_LOCK_INIT(RANK_LEAF);

static void switch_off(void)
{
	rt_store_relaxed(&solo_state.on, 0);
	membar_heavy(); /* pairs with solo_begin */
	while (rt_load_acquire(&solo_state.busy))
		(void)sched_yield();
}

void solo_break_slow(void)
{
	rt_lock(&lock);
	switch_off();
	rt_store_release(&solo_state.broken, 1);
	rt_unlock(&lock);
}

void solo_forked(void)
{
	rt_store_relaxed(&solo_state.on, 0);
	rt_store_relaxed(&solo_state.busy, 0);
	rt_store_relaxed(&solo_state.broken, 1);
	rt_store_relaxed(&lock.word, 0);
}

void solo_start(void)
{
	rt_lock(&lock);
	if (!rt_load_relaxed(&solo_state.broken) &&
	    rt_load_relaxed(&membar_works))
		rt_store_release(&solo_state.on, 1);
	rt_unlock(&lock);
}

void solo_stop(void)
{
	rt_lock(&lock);
	switch_off();
	rt_unlock(&lock);
}
