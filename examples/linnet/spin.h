/* SPDX-License-Identifier: MIT */
/*
 * spin.h - a lock for some tens of instructions.
 *
 * Who holds one calls nothing of gamp: so none is held while the world is
 * stopped, and the holder's goroutine is not put aside.  Its thread may be, by
 * the system: after some turns a waiter lets others have the processor.
 */
#ifndef EXAMPLES_LINNET_SPIN_H
#define EXAMPLES_LINNET_SPIN_H

#include <sched.h>
#include <stdint.h>

struct spin {
	uint32_t word;
};

enum { SPIN_TURNS = 100 };

static inline void spin_wait(struct spin *s)
{
	int turns = 0;

	while (__atomic_load_n(&s->word, __ATOMIC_RELAXED))
		if (++turns % SPIN_TURNS == 0)
			sched_yield();
}

static inline void spin_lock(struct spin *s)
{
	while (__atomic_exchange_n(&s->word, 1, __ATOMIC_ACQUIRE))
		spin_wait(s);
}

static inline void spin_unlock(struct spin *s)
{
	__atomic_store_n(&s->word, 0, __ATOMIC_RELEASE);
}

#endif
