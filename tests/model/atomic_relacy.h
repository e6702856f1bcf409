/* SPDX-License-Identifier: MIT */
/*
 * atomic_relacy.h - base/atomic.h's operations, on the Relacy model checker.
 *
 * base/atomic.h includes this instead of <stdatomic.h> when RT_MODEL is
 * defined, so the project's own .c files run under the checker, compiled as
 * C++ (-fpermissive for the conversions from void * that C allows).
 *
 * What Relacy's memory model is, and is not:
 *	- A load may return a value that is one store old (full search) or two
 *	  (random search), unless something orders it.  A load never returns a
 *	  value that is stored later: load buffering is not modelled.
 *	- A read-modify-write, a failed CAS too, sees the newest value.
 *	- A seq_cst fence joins one global clock, so two of them always order
 *	  one another: a little stronger than C11, but exactly what a
 *	  store-load argument uses.  A seq_cst RMW or store is no fence.
 *	- rl::var would find data races on plain fields; the project's plain
 *	  fields are plain here, too, and sequentially consistent.
 */
#ifndef RT_TESTS_MODEL_ATOMIC_RELACY_H
#define RT_TESTS_MODEL_ATOMIC_RELACY_H

/* Before Relacy makes macros of new, free, errno and assert. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <relacy/relacy.hpp>

#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst

/* What C says and C++ spells otherwise. */
#define _Alignas(x)
#define _Static_assert static_assert
#define _Noreturn
#define _Thread_local thread_local

/*
 * Relacy's atomics live for one iteration, and the project has globals and
 * structs that are cleared by assignment.  So the word is made only inside of
 * an iteration: a model makes its globals anew in before() (model_make) and
 * destroys them at its end (model_destroy).
 */
template <class T> struct rt_model_atomic {
	union {
		rl::atomic<T> v;
	};
	void *volatile made; /* this; else there is no v */

	rt_model_atomic() { make(); }
	rt_model_atomic(int) { make(); } /* { 0 } */
	rt_model_atomic(const rt_model_atomic &) { make(); }
	rt_model_atomic &operator=(const rt_model_atomic &)
	{
		v.store(0, rl::mo_relaxed, $); /* only ever zero */
		return *this;
	}
	~rt_model_atomic() { gone(); }
	/* Its memory is the model's again: no access from here on. */
	void gone()
	{
		if (lives())
			v.~atomic();
		made = NULL;
	}
	bool lives() { return made == this; }
	void make()
	{
		made = rl::context::is_instance() ? this : NULL;
		if (!made)
			return;
		::new ((void *)&v) rl::atomic<T>();
		v.store(0, rl::mo_relaxed, $);
	}
};
template <class T> void model_make(T &x)
{
	::new ((void *)&x) T(); /* zero bytes, then the words */
}
template <class T> void model_destroy(T &x)
{
	x.~T();
}
/* Room for a T that a model makes and destroys in each iteration. */
template <class T> struct model_room {
	alignas(64) char bytes[sizeof(T)];

	T *make() { return ::new ((void *)bytes) T(); }
	void destroy() { ((T *)bytes)->~T(); }
};
struct rt_a8 : rt_model_atomic<uint8_t> {
};
struct rt_a32 : rt_model_atomic<uint32_t> {
};
struct rt_a64 : rt_model_atomic<uint64_t> {
};
/* A global that no thread writes while the model runs. */
struct rt_model_always {
	struct {
		uint32_t value = 1;
		template <class M> uint32_t load(M, const rl::debug_info &)
		{
			return value;
		}
	} v;
};
struct rt_atime : rt_model_atomic<int64_t> {
};
struct rt_aptr : rt_model_atomic<uintptr_t> {
};

#define rt_load_relaxed(p)     ((p)->v.load(rl::mo_relaxed, $))
#define rt_load_acquire(p)     ((p)->v.load(rl::mo_acquire, $))
#define rt_load_seqcst(p)      ((p)->v.load(rl::mo_seq_cst, $))
#define rt_store_relaxed(p, x) ((p)->v.store((x), rl::mo_relaxed, $))
#define rt_store_release(p, x) ((p)->v.store((x), rl::mo_release, $))
#define rt_swap_relaxed(p, x)  ((p)->v.exchange((x), rl::mo_relaxed, $))
#define rt_swap_acqrel(p, x)   ((p)->v.exchange((x), rl::mo_acq_rel, $))
#define rt_swap_seqcst(p, x)   ((p)->v.exchange((x), rl::mo_seq_cst, $))
#define rt_cas_acqrel(p, o, n)                                      \
	((p)->v.compare_exchange_strong(*(o), (n), rl::mo_acq_rel, $, \
	    rl::mo_acquire, $))
#define rt_cas_seqcst(p, o, n)                                      \
	((p)->v.compare_exchange_strong(*(o), (n), rl::mo_seq_cst, $, \
	    rl::mo_seq_cst, $))
/* Not in base/atomic.h: mutants.py weakens orders to it. */
#define rt_cas_relaxed(p, o, n)                                     \
	((p)->v.compare_exchange_strong(*(o), (n), rl::mo_relaxed, $, \
	    rl::mo_relaxed, $))
#define rt_add_relaxed(p, n) ((p)->v.fetch_add((n), rl::mo_relaxed, $))
#define rt_add_seqcst(p, n)  ((p)->v.fetch_add((n), rl::mo_seq_cst, $))
#define rt_sub_seqcst(p, n)  ((p)->v.fetch_sub((n), rl::mo_seq_cst, $))
#define rt_or_seqcst(p, n)   ((p)->v.fetch_or((n), rl::mo_seq_cst, $))
#define rt_and_seqcst(p, n)  ((p)->v.fetch_and((n), rl::mo_seq_cst, $))
#define rt_fence_seqcst()    rl::atomic_thread_fence(rl::mo_seq_cst, $)
/* The compiler only; model_retake.cpp gives it the membarrier's meaning. */
#ifndef RT_MODEL_BARRIER
#define rt_barrier() ((void)0)
#else
#define rt_barrier() RT_MODEL_BARRIER()
#endif

#define rt_prefetch(p)
#define rt_likely(x)   (x)
#define rt_unlikely(x) (x)
#define RT_LINE	       64

/* base/fatal.h: a failure stops the iteration and prints how it came. */
#define RT_BASE_FATAL_H
#define RT_STATIC_ASSERT(c, msg) static_assert(c, msg)
#define rt_fatal(msg) rl::ctx().fail_test(msg, \
	    rl::test_result_user_assert_failed, $)
#define rt_assert(c) RL_ASSERT(c)
#define rt_warn(msg) ((void)0)

#endif
