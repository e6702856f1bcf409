/* SPDX-License-Identifier: MIT */
/*
 * atomic.h - the only door to shared memory.
 *
 * A word that two threads may touch is declared rt_a8, rt_a32, rt_a64
 * or rt_aptr.
 * The value sits in a struct, so a plain read or write does not compile:
 * whoever touches it must name a memory order.  Read-modify-write operations
 * come as acq_rel (publishing, claiming) and as seqcst (one half of a
 * store-load argument); a full fence is rt_fence_seqcst(), and every use of
 * it names its partner.
 *
 * rt_barrier() orders the compiler only.  Its partner is always a
 * membarrier(2) on the other side (sched/m.h).
 *
 * No other file may include <stdatomic.h>: tests/model/ swaps this header for
 * one that runs the same code under the Relacy checker.
 */
#ifndef RT_BASE_ATOMIC_H
#define RT_BASE_ATOMIC_H

#ifdef RT_MODEL
#include "tests/model/atomic_relacy.h"
#else

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	_Atomic uint8_t v;
} rt_a8;
typedef struct {
	_Atomic uint32_t v;
} rt_a32;
typedef struct {
	_Atomic uint64_t v;
} rt_a64;
typedef struct {
	_Atomic int64_t v;
} rt_atime;
typedef struct {
	_Atomic uintptr_t v;
} rt_aptr;

#define rt_load_relaxed(p) atomic_load_explicit(&(p)->v, memory_order_relaxed)
#define rt_load_acquire(p) atomic_load_explicit(&(p)->v, memory_order_acquire)
#define rt_load_seqcst(p)  atomic_load_explicit(&(p)->v, memory_order_seq_cst)
#define rt_store_relaxed(p, x) \
	atomic_store_explicit(&(p)->v, (x), memory_order_relaxed)
#define rt_store_release(p, x) \
	atomic_store_explicit(&(p)->v, (x), memory_order_release)
#define rt_swap_acqrel(p, x) \
	atomic_exchange_explicit(&(p)->v, (x), memory_order_acq_rel)
#define rt_swap_seqcst(p, x) \
	atomic_exchange_explicit(&(p)->v, (x), memory_order_seq_cst)
/* On failure *old receives the value seen, read with acquire. */
#define rt_cas_acqrel(p, old, new)               \
	atomic_compare_exchange_strong_explicit( \
	    &(p)->v, (old), (new), memory_order_acq_rel, memory_order_acquire)
#define rt_cas_seqcst(p, old, new)               \
	atomic_compare_exchange_strong_explicit( \
	    &(p)->v, (old), (new), memory_order_seq_cst, memory_order_seq_cst)
/* These return the former value. */
#define rt_add_relaxed(p, n) \
	atomic_fetch_add_explicit(&(p)->v, (n), memory_order_relaxed)
#define rt_add_seqcst(p, n) \
	atomic_fetch_add_explicit(&(p)->v, (n), memory_order_seq_cst)
#define rt_sub_seqcst(p, n) \
	atomic_fetch_sub_explicit(&(p)->v, (n), memory_order_seq_cst)
#define rt_or_seqcst(p, n) \
	atomic_fetch_or_explicit(&(p)->v, (n), memory_order_seq_cst)
#define rt_and_seqcst(p, n) \
	atomic_fetch_and_explicit(&(p)->v, (n), memory_order_seq_cst)
#define rt_fence_seqcst() atomic_thread_fence(memory_order_seq_cst)
#define rt_barrier()	  atomic_signal_fence(memory_order_seq_cst)

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) /* clang has no __SANITIZE_THREAD__ */
#define RT_NO_LOCAL
#endif
#endif

/*
 * Compare and exchange that is atomic for this processor only: release, true
 * if it stored.  Who else writes the word must know what it does: lock.h.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && \
    !defined(RT_NO_LOCAL)
static inline bool rt_cas_local(rt_a32 *p, uint32_t old, uint32_t to)
{
	bool stored;

	__asm__ volatile("cmpxchgl %3, %1"
			 : "=@ccz"(stored), "+m"(p->v), "+a"(old)
			 : "r"(to)
			 : "memory");
	return stored;
}
#else
static inline bool rt_cas_local(rt_a32 *p, uint32_t old, uint32_t to)
{
	return rt_cas_acqrel(p, &old, to);
}
#endif

/* Any address will do: it is never read. */
#define rt_prefetch(p) __builtin_prefetch(p)

#define rt_likely(x)   __builtin_expect(!!(x), 1)
#define rt_unlikely(x) __builtin_expect(!!(x), 0)
#define RT_LINE	       64 /* bytes: a cache line */

#endif /* RT_MODEL */
#endif
