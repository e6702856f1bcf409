/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - read-copy-update: readers that never wait, for what is read often
 * and changed seldom.
 *
 *	reader				writer (one at a time)
 *	------				------
 *	gamp_rcu_read_lock();		new = a changed copy of old;
 *	p = gamp_rcu_dereference(head);	gamp_rcu_assign(head, new);
 *	... what p points to ...	gamp_rcu_synchronize();
 *	gamp_rcu_read_unlock();		free(old);
 *				   or:	gamp_rcu_defer(free, old);
 *
 * A read section costs two calls of a few instructions, none of them locked,
 * and touches no memory that anybody else writes.  What was reachable when a
 * section began stays valid until it ends.  Goroutines and threads read, write
 * and wait alike, also before gamp_start and after gamp_stop.
 *
 * In a section a goroutine may not park, yield or exit, and a thread may not
 * end: debug builds (GAMP_DEBUG) stop the process.  Other builds go on: the
 * section follows the goroutine, and holds up grace periods until it is over.
 * A goroutine that blocks its thread in a section (gamp_enter_blocking, a
 * system call, a long computation) holds up grace periods, too, and nobody
 * else: its P is taken as always.  Preemption is put off until the section's
 * end.  A section that begins in a timer's callback ends in it.
 *
 * A grace period in which nobody is found reading takes some microseconds.
 * In the child of a fork(2) only the caller reads, and what was deferred
 * before the fork is not called.
 */
#ifndef GAMP_RCU_H
#define GAMP_RCU_H

#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_rcu_read_lock - begin a read section
 *
 * Sections nest, up to 65,535 deep.
 *
 * Parks	never.
 * Threads	any thread; not in a signal handler.
 */
GAMP_API void gamp_rcu_read_lock(void);

/*
 * gamp_rcu_read_unlock - end a read section
 *
 * One too many does nothing; debug builds stop the process.
 *
 * Parks	no; at the end of the outermost section a goroutine that is to
 *		be preempted lets others run.
 * Threads	who began it.
 */
GAMP_API void gamp_rcu_read_unlock(void);

/*
 * gamp_rcu_synchronize - wait until all present readers have left
 *
 * When it returns, every read section that had begun before the call is over.
 * Any number may wait at once and share grace periods.  Not a point of
 * cancellation.
 *
 * Errors	-EDEADLK	the caller is in a read section, or in a timer's
 *				callback; it did not wait
 * Parks	yes, a goroutine; a thread blocks.  Not if nobody reads.
 * Threads	any thread.
 */
GAMP_API int gamp_rcu_synchronize(void);

/*
 * gamp_rcu_defer - call fn(arg) when all present readers have left
 *
 * Calls are made one after the other, in the order in which they were
 * deferred, by a thread of their own ("gamp-rcu"), about a millisecond later,
 * or sooner if many wait.  fn may do what any thread may, and defer more; it
 * should be short, for others wait behind it.  It may not call gamp_rcu_barrier
 * or gamp_stop, nor end its thread.  gamp_stop makes all calls that are left,
 * before it returns; so may not the end of the process.
 *
 * With more than 65,536 calls waiting (a MiB), a caller that is not in a
 * section waits for up to a millisecond, for as long as that is so.
 *
 * Errors	-ENOMEM		fn will not be called
 *		-EAGAIN		the same; no thread could be started
 *		-EINVAL		fn is null
 * Parks	only as above; a thread blocks.
 * Threads	any thread; also in a read section.
 */
GAMP_API int gamp_rcu_defer(gamp_fn *fn, void *arg);

/*
 * gamp_rcu_barrier - wait until all that was deferred so far has been called
 *
 * Before code or data that deferred calls use go away.  Not a point of
 * cancellation.
 *
 * Errors	-EDEADLK	the caller is in a read section, in a deferred
 *				call, or in a timer's callback
 *		-EAGAIN		no thread could be started to make the calls
 * Parks	yes, a goroutine; a thread blocks.  Not if nothing is left.
 * Threads	any thread.
 */
GAMP_API int gamp_rcu_barrier(void);

/*
 * The value of the pointer p, which a writer may change, and with it what the
 * writer wrote before gamp_rcu_assign.  In a section; of a writer, anywhere.
 */
#define gamp_rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

/* Makes p point to v, which is complete: readers find it from now on. */
#define gamp_rcu_assign(p, v)                                     \
	__extension__({                                           \
		__typeof__(p) gamp_rcu_v_ = (v);                  \
		__atomic_store_n(&(p), gamp_rcu_v_, __ATOMIC_RELEASE); \
	})

#ifdef __cplusplus
}
#endif

#endif
