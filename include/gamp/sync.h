/* SPDX-License-Identifier: MIT */
/*
 * sync.h - mutex, rwmutex, cond, semaphore, wait group, once, barrier.
 *
 * All of them are ready for use when their memory is zero, hold nothing that
 * must be freed, and may not be copied or moved while in use.  Goroutines and
 * plain threads may use the same one, also while the runtime does not run: a
 * goroutine parks, a thread sleeps on a futex.  None belongs to an owner:
 * whoever holds a mutex may have it unlocked by another.
 *
 * Common to all waiting calls:
 *	lock, rlock	wait as long as it takes, and are no points of
 *			cancellation: they always end with the lock held.
 *	others		-ECANCELED when the goroutine is cancelled; then
 *			nothing was taken.
 *	..._until	also -ETIMEDOUT at the deadline, and -ENOMEM if the
 *			table of timers is full.
 *	try...		-EAGAIN instead of waiting.
 * What can be had without waiting is taken, even if the goroutine is cancelled
 * or the deadline has passed.  In the callback of a short timer (gamp/timer.h),
 * which may not park, and to a guest's host (gamp/guest.h), calls that would
 * have to wait give -EDEADLK.
 *
 * Memory of one that nobody waits on, or ever will, may be freed at once,
 * by whoever came out of it last.
 */
#ifndef GAMP_SYNC_H
#define GAMP_SYNC_H

#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fields are the runtime's; sizes and layout may be relied on per version. */
struct gamp_waiters {
	void *opaque[2];
};

/* Zero: unlocked. */
struct gamp_mutex {
	uint32_t word, lock;
	struct gamp_waiters waiters;
};

/*
 * gamp_mutex_lock - lock, waiting for whoever holds it
 *
 * Who comes first is not always first: a running goroutine may take a mutex
 * that was just released before one that has to be woken.  But who has waited
 * for a millisecond gets it handed over.
 *
 * Returns	0
 * Parks	yes; not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API int gamp_mutex_lock(struct gamp_mutex *m);

/*
 * gamp_mutex_trylock - lock if it is free
 *
 * Errors	-EAGAIN		it is not
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_mutex_trylock(struct gamp_mutex *m);

/*
 * gamp_mutex_lock_until - lock, waiting no longer than until a deadline
 *
 * Errors	-ETIMEDOUT, -ECANCELED, -ENOMEM: see above; it is not held
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_mutex_lock_until(struct gamp_mutex *m, int64_t deadline);

/*
 * gamp_mutex_unlock - unlock
 *
 * Errors	-EPERM		it is not locked; nothing was done
 * Parks	never.
 * Threads	any thread, not only the one that locked it.
 */
GAMP_API int gamp_mutex_unlock(struct gamp_mutex *m);

/* Many readers, or one writer.  Zero: unlocked. */
struct gamp_rwmutex {
	uint32_t lock, word, turn, pad;
	struct gamp_waiters waiters[2];
};

/*
 * gamp_rwmutex_lock - lock for writing
 *
 * Writers and readers are served in the order of arrival, except that all
 * readers that wait when a writer unlocks go together: neither kind starves.
 * So a goroutine that reads may not ask to read once more: a writer in
 * between would wait for it, and it for the writer.
 *
 * Returns	0
 * Parks	yes; not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_lock(struct gamp_rwmutex *m);

/*
 * gamp_rwmutex_trylock - lock for writing if nobody has it
 *
 * Errors	-EAGAIN		somebody has it, or waits for it
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_trylock(struct gamp_rwmutex *m);

/*
 * gamp_rwmutex_lock_until - lock for writing, until a deadline
 *
 * Errors	-ETIMEDOUT, -ECANCELED, -ENOMEM: see above; it is not held
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_lock_until(struct gamp_rwmutex *m, int64_t deadline);

/*
 * gamp_rwmutex_unlock - unlock what was locked for writing
 *
 * Errors	-EPERM		it is not locked for writing; nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_unlock(struct gamp_rwmutex *m);

/*
 * gamp_rwmutex_rlock - lock for reading
 *
 * Returns	0
 * Parks	yes; not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_rlock(struct gamp_rwmutex *m);

/*
 * gamp_rwmutex_tryrlock - lock for reading if no writer has it or waits
 *
 * Errors	-EAGAIN		a writer has it, or waits for it
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_tryrlock(struct gamp_rwmutex *m);

/*
 * gamp_rwmutex_rlock_until - lock for reading, until a deadline
 *
 * Errors	-ETIMEDOUT, -ECANCELED, -ENOMEM: see above; it is not held
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_rlock_until(
    struct gamp_rwmutex *m, int64_t deadline);

/*
 * gamp_rwmutex_runlock - unlock what was locked for reading
 *
 * Errors	-EPERM		nobody reads; nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_rwmutex_runlock(struct gamp_rwmutex *m);

/* Waiting for something that a mutex guards.  Zero: nobody waits. */
struct gamp_cond {
	uint32_t lock, waiting;
	struct gamp_waiters waiters;
};

/*
 * gamp_cond_wait - unlock m, wait to be signalled, lock m again
 *
 * m is held whenever the call returns, also with an error.  There are no
 * spurious wake-ups, but what was waited for may be gone again when m is
 * locked: look at it in a loop.  Who is cancelled already, or late, does not
 * wait, but lets others have m.
 *
 * Errors	-ECANCELED	the goroutine was cancelled
 *		-EPERM		m is not locked; nothing was done
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_cond_wait(struct gamp_cond *c, struct gamp_mutex *m);

/*
 * gamp_cond_wait_until - as gamp_cond_wait, until a deadline
 *
 * Errors	as gamp_cond_wait; -ETIMEDOUT, -ENOMEM: see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_cond_wait_until(
    struct gamp_cond *c, struct gamp_mutex *m, int64_t deadline);

/*
 * gamp_cond_signal - wake the one that has waited longest
 *
 * Who begins to wait later does not take its place.  m may be held or not.
 *
 * Returns	0
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_cond_signal(struct gamp_cond *c);

/*
 * gamp_cond_broadcast - wake everybody who waits now
 *
 * Returns	0
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_cond_broadcast(struct gamp_cond *c);

/* A counting semaphore.  Zero: a count of 0; GAMP_SEM_INIT(n): n. */
struct gamp_sem {
	uint32_t lock, pad;
	int64_t count;
	struct gamp_waiters waiters;
};
#define GAMP_SEM_INIT(n) { 0, 0, (n), { { 0, 0 } } }

/*
 * gamp_sem_init - set the count of a semaphore that nobody uses
 *
 * Errors	-EINVAL		n is negative
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_init(struct gamp_sem *s, int64_t n);

/*
 * gamp_sem_acquire - take one off the count, waiting until there is one
 *
 * In the order of arrival: who wants little does not overtake who wants much.
 *
 * Errors	-ECANCELED	see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_acquire(struct gamp_sem *s);

/*
 * gamp_sem_tryacquire - take one off the count if there is one
 *
 * Errors	-EAGAIN		there is none, or others wait
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_tryacquire(struct gamp_sem *s);

/*
 * gamp_sem_acquire_until - as gamp_sem_acquire, until a deadline
 *
 * Errors	-ECANCELED, -ETIMEDOUT, -ENOMEM: see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_acquire_until(struct gamp_sem *s, int64_t deadline);

/*
 * gamp_sem_acquire_n - take n off the count at once, until a deadline
 *
 * Errors	as gamp_sem_acquire_until; -EINVAL: n is negative
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_acquire_n(
    struct gamp_sem *s, int64_t n, int64_t deadline);

/*
 * gamp_sem_release - add one to the count, or let go who waits for it
 *
 * Errors	-EOVERFLOW	the count would not fit; nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_release(struct gamp_sem *s);

/*
 * gamp_sem_release_n - add n to the count, and let go who waits for it
 *
 * Errors	-EINVAL		n is negative
 *		-EOVERFLOW	the count would not fit; nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_sem_release_n(struct gamp_sem *s, int64_t n);

/* Waiting until as many as were added are done.  Zero: none. */
struct gamp_waitgroup {
	uint32_t lock, pad;
	int64_t count;
	struct gamp_waiters waiters;
};

/*
 * gamp_waitgroup_add - add n, which may be negative, to the count
 *
 * At zero all who wait go.  Adds that begin a new round must come after the
 * waits of the last one have returned.
 *
 * Errors	-EINVAL		the count would be negative; nothing was done
 *		-EOVERFLOW	it would not fit; nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_waitgroup_add(struct gamp_waitgroup *wg, int64_t n);

/*
 * gamp_waitgroup_done - take one off the count
 *
 * Errors	-EINVAL		the count is zero
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_waitgroup_done(struct gamp_waitgroup *wg);

/*
 * gamp_waitgroup_go - add one, start fn(arg), and take one off as it exits
 *
 * Returns	the goroutine's id
 * Errors	as gamp_go; -EOVERFLOW
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_waitgroup_go(
    struct gamp_waitgroup *wg, gamp_fn *fn, void *arg);

/*
 * gamp_waitgroup_wait - wait until the count is zero
 *
 * Errors	-ECANCELED	see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_waitgroup_wait(struct gamp_waitgroup *wg);

/*
 * gamp_waitgroup_wait_until - as gamp_waitgroup_wait, until a deadline
 *
 * Errors	-ECANCELED, -ETIMEDOUT, -ENOMEM: see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_waitgroup_wait_until(
    struct gamp_waitgroup *wg, int64_t deadline);

/* Something that is done once.  Zero: not yet. */
struct gamp_once {
	uint32_t done;
	struct gamp_mutex mutex;
};

/*
 * gamp_once_do - call fn(arg) if no call was made for this once before
 *
 * Returns when that call has returned, whoever made it.  If it left by
 * gamp_exit, that counts as returned.
 *
 * Returns	0
 * Errors	-EINVAL		fn is null
 *		-ENOMEM		no memory to see to it that gamp_exit counts;
 *				fn was not called
 * Parks	yes; not a point of cancellation.  fn that calls it for the
 *		same once waits for itself.
 * Threads	any thread.
 */
GAMP_API int gamp_once_do(struct gamp_once *o, gamp_fn *fn, void *arg);

/* Waiting until n have arrived.  Zero is no barrier: gamp_barrier_init. */
struct gamp_barrier {
	uint32_t lock, size, arrived, pad;
	struct gamp_waiters waiters;
};

/*
 * gamp_barrier_init - set how many must arrive; nobody may be waiting
 *
 * Errors	-EINVAL		n is zero or negative
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_barrier_init(struct gamp_barrier *b, int n);

/*
 * gamp_barrier_wait - arrive, and wait for the others
 *
 * The last one does not wait, and the barrier is ready for the next round.
 * Who leaves with an error has not arrived: the others go on waiting.
 *
 * Returns	1 to the last one, 0 to the others
 * Errors	-ECANCELED	see above
 *		-EINVAL		the barrier was not initialised
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_barrier_wait(struct gamp_barrier *b);

/*
 * gamp_barrier_wait_until - as gamp_barrier_wait, until a deadline
 *
 * Errors	as gamp_barrier_wait; -ETIMEDOUT, -ENOMEM: see above
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_barrier_wait_until(
    struct gamp_barrier *b, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
