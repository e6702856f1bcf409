/* SPDX-License-Identifier: MIT */
/*
 * model_sched.h - the floor under real scheduler files in a model: threads,
 * locks, futexes and the clock of Relacy instead of the system's.  Include it
 * before any file of the project.
 *
 * A thread of the model is a thread of the runtime; its M, if it has one, is
 * model_m[thread].
 */
#ifndef RT_TESTS_MODEL_MODEL_SCHED_H
#define RT_TESTS_MODEL_MODEL_SCHED_H

#include <sched.h>
#include "tests/model/model.h"

#define sched_yield() (rl::yield(1, $), 0)

/* sched/checkpoint.h: nobody computes. */
void checkpoint_ask(void) {}

#ifndef MODEL_REAL_GUEST
/* sched/guest.h: all Ms are threads of ours. */
#define RT_SCHED_GUEST_H
struct g;
struct m;
struct note;
static inline bool guest_on(void) { return false; }
static inline bool guest_must_not_wait(void) { return false; }
static inline void guest_start(void) {}
static inline void guest_stop(void) {}
static inline void guest_wake(void) {}
static inline bool guest_drive(struct note *, int64_t) { return false; }
static inline struct g *guest_next(struct m *) { return NULL; }
#endif

/* sched/except.h */
void except_swap(struct g *) {}

#ifndef MODEL_REAL_LOCK
/* base/lock.h: a mutex of Relacy, with a happens-before edge from unlock to
 * lock, and no more (the real one has a RMW on both sides, too). */
#define RT_BASE_LOCK_H
#include "base/hard.h"
enum rt_rank { RANK_NONE, RANK_LIFE, RANK_PDCACHE, RANK_PD, RANK_STARVED,
	RANK_TIMERS, RANK_SCHED, RANK_ARENA, RANK_LEAF };
struct rt_lock {
	union {
		rl::mutex mu;
	};
	bool made;
	uint8_t rank;

	rt_lock(int r = 0)
	{
		rank = (uint8_t)r;
		made = rl::context::is_instance();
		if (made)
			::new ((void *)&mu) rl::mutex();
	}
	rt_lock(const rt_lock &) : rt_lock(0) {}
	rt_lock &operator=(const rt_lock &) { return *this; }
	~rt_lock()
	{
		if (made)
			model_destroy(mu);
		made = false;
	}
};
#define RT_LOCK_INIT(r) { (r) }
static inline void rt_lock(struct rt_lock *l) { l->mu.lock($); }
static inline void rt_unlock(struct rt_lock *l) { l->mu.unlock($); }
static inline void rt_lock_beside(struct rt_lock *l) { l->mu.lock($); }
static inline void rt_unlock_beside(struct rt_lock *l) { l->mu.unlock($); }
static inline void rt_rank_push(uint8_t) {}
static inline void rt_rank_pop(uint8_t) {}
#endif

/* base/clock.h: time stands still unless the model moves it. */
#define RT_BASE_CLOCK_H
#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_US  INT64_C(1000)
#define NEVER	   INT64_MAX
static int64_t model_now;
static inline int64_t clock_now(void) { return model_now; }
static inline int64_t clock_real(void) { return model_now; }
static inline int64_t clock_rough(void) { return model_now; }
static inline void clock_set(int64_t t) { model_now = t; }
static inline int64_t clock_real_at(int64_t t)
{
	return t == NEVER ? 0 : t;
}
static inline int64_t clock_after(int64_t now, int64_t ns)
{
	return ns >= NEVER - now ? NEVER : now + ns;
}
static inline int64_t clock_deadline(int64_t t) { return t == 0 ? NEVER : t; }

/* arch/cpu.h: m_self() is the thread's. */
#define RT_BASE_CPU_H
struct m;
static struct m *model_self(void);
#define cpu_tls_load(type, sym) ((type)model_self())
static inline void cpu_relax(void) {}

/* arch/ctx.h: a goroutine is a function of the model. */
#define RT_BASE_CTX_H
struct ctx {
	void *sp;
};
static void ctx_switch(struct ctx *from, struct ctx *to);

/* base/futex.h.  model_timeouts: a sleep with a limit may time out. */
#include "base/futex.h"
static bool model_timeouts;
int futex_wait(rt_a32 *w, uint32_t val, int64_t until)
{
	rl::context &c = rl::ctx();

	c.sched(); /* from here to the sleep is one step: the kernel's lock */
	if (w->v.debug_value() != val) {
		rl::yield(1, $); /* the next load is fresh */
		return -EAGAIN;
	}
	return w->v.wait(c, until != 0 && model_timeouts, false, $) ==
		    rl::unpark_reason_timeout ?
	    -ETIMEDOUT :
	    0;
}
void futex_wake(rt_a32 *w, int n)
{
	rl::ctx().sched();
	if (w->lives()) /* else: an address is all that the kernel needs */
		(void)w->v.wake(rl::ctx(), n, $);
}

#endif
