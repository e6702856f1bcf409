/* SPDX-License-Identifier: MIT */
/* go.h - goroutines: start, sleep, yield, cancel, and the runtime itself. */
#ifndef GAMP_GO_H
#define GAMP_GO_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gamp_embed;

/* What a goroutine runs; it exits when the function returns. */
typedef void gamp_fn(void *arg);

/* Options of the runtime; zero means the default everywhere. */
struct gamp_options {
	/* Ps: how many goroutines run at once, 1 to 1024.  By default the
	 * number of processors that the calling thread may use, or, if the
	 * process is in a control group with a quota of processor time, that
	 * quota rounded up if it is less (1.5 processors: 2), but at least 2
	 * where two processors are allowed.  With a number given, nothing is
	 * read from /proc. */
	int maxprocs;
	/* Bytes of stack reserved for each goroutine, default 64 KiB.  Only
	 * what a goroutine touches takes memory. */
	size_t stack_size;
	/* How long gamp_run waits, after main has returned, for cancelled
	 * goroutines to exit: nanoseconds, default 5 s. */
	int64_t stop_timeout;
	/* Goroutines alive at once, default and maximum 4,194,304. */
	int64_t max_goroutines;
	/* Threads that run goroutines, including those that are inside
	 * blocking calls; default 10,000. */
	int max_threads;
	/* Time for tests: gamp_now() stands still while any goroutine can
	 * run, or is inside a blocking call, and jumps to the next timer when
	 * all are parked, be it on descriptors.  It begins at one second. */
	bool fake_time;
	/* Not 0: there is one P, and goroutines run in an order that follows
	 * from this number alone, as long as nothing from outside (another
	 * thread, a descriptor, the real clock: see fake_time) comes in. */
	uint64_t seed;
	/* Each thread that runs goroutines is bound to the processor of its
	 * P: P i has the i-th of those that the thread which starts the
	 * runtime may use, counted round them.  For machines of which the
	 * program has all; threads then do not evade other processes. */
	bool bind_threads;
	/* A signal that makes the runtime write a dump (gamp_dump) to standard
	 * error, SIGQUIT for one; default 0: none.  The program goes on.  Its
	 * own handler for it is back when the runtime has stopped. */
	int dump_signal;
	/* Leave all signals alone: stack overflows are not reported. */
	bool no_signals;
	/* gamp_run waits for ever when all goroutines wait for each other. */
	bool no_deadlock;
	/* No report of who is left when gamp_run or gamp_stop gives up. */
	bool quiet;
	/* No threads: goroutines run in gamp_poll, on the thread that calls
	 * gamp_start, or gamp_run: gamp/guest.h.  maxprocs is 1, or 0; not with
	 * fake_time.  Stack overflows are not reported, for SIGSEGV is the
	 * host's. */
	bool guest;
	/* gamp_run's main is a goroutine on the thread that called it, and on
	 * no other, as if by gamp_lock_thread: for libraries that insist on
	 * the main thread.  Its stack is 8 MiB at least.  Ignored by
	 * gamp_start, and by a guest, where all goroutines are there. */
	bool main_thread;
	/* Hooks for who embeds the runtime: gamp/embed.h.  Copied. */
	const struct gamp_embed *embed;
	int64_t reserved[3]; /* zero */
};

/* Options of one goroutine. */
struct gamp_go_options {
	size_t stack_size; /* bytes reserved, up to 64 MiB; 0: the runtime's */
	const char *name;  /* for reports; kept by reference, not copied */
	bool lock_thread;  /* as if it began with gamp_lock_thread */
	bool exceptions;   /* as if it began with gamp_exceptions(true) */
	int64_t reserved[3]; /* zero */
};

/*
 * gamp_run - start the runtime, run main(arg) as a goroutine, stop
 *
 * With the option main_thread, main runs on the calling thread; with guest,
 * all goroutines do.
 *
 * When main has exited, and with it what it deferred, all other goroutines are
 * cancelled and given stop_timeout to exit; then threads, descriptors and
 * memory of the runtime are released.  May be called again afterwards.
 *
 * Returns	0
 * Errors	-EINVAL		an option is out of range
 *		-EALREADY	the runtime is running
 *		-EDEADLK	called from a goroutine; or all goroutines
 *				waited for each other and nothing else could
 *				wake one: they were reported, then cancelled
 *				(gamp/debug.h; the option no_deadlock); one
 *				that cannot be cancelled makes it -ETIMEDOUT
 *		-EOPNOTSUPP	in a child of fork(2) of a process that used it
 *		-ETIMEDOUT	main has returned, but some goroutine did not
 *				exit; the runtime is still there (gamp_stop)
 *		-ENOMEM, -EAGAIN, -EMFILE, ...	what the system lacked; nothing
 *				was left behind
 * Parks	no: blocks the calling thread.
 * Threads	any thread that is not the runtime's.
 * See		gamp_start, gamp_stop
 */
GAMP_API int gamp_run(
    gamp_fn *main, void *arg, const struct gamp_options *opt);

/*
 * gamp_start - start the runtime and return
 *
 * Errors	as gamp_run
 * Parks	no.
 * Threads	any thread that is not the runtime's.
 */
GAMP_API int gamp_start(const struct gamp_options *opt);

/*
 * gamp_stop - cancel all goroutines, wait until they have exited, stop
 *
 * Descriptors that are still open are closed, and goroutines that wait for
 * one through gamp_go_when_readable are started, cancelled.  From here on
 * gamp_go gives -ECANCELED.
 *
 * Errors	-ETIMEDOUT	the deadline passed and goroutines were left;
 *				nothing was freed, call again to go on waiting
 *		-ESRCH		the runtime is not running
 *		-EDEADLK	called from a goroutine, or in a read section
 *				or a deferred call of gamp/rcu.h, or by who has
 *				stopped the world
 *		-EALREADY	another thread is stopping it
 *		-EPERM		it is a guest, and this is not the host's thread
 *		-EAGAIN		as -ETIMEDOUT: there was no thread to be had
 *				for what gamp_rcu_defer has deferred
 * Parks	no: blocks the calling thread.
 * Threads	any thread that is not the runtime's.
 */
GAMP_API int gamp_stop(int64_t deadline);

/*
 * gamp_go - start a goroutine
 *
 * Returns	its id, greater than 0
 * Errors	-ENOMEM		no memory for its stack
 *		-EAGAIN		max_goroutines are alive
 *		-ECANCELED	the runtime is stopping
 *		-ESRCH		the runtime is not running
 *		-EINVAL		fn is null
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_go(gamp_fn *fn, void *arg);

/*
 * gamp_go_with - start a goroutine with options
 *
 * Errors	as gamp_go; -EINVAL if the stack size is over 64 MiB
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_go_with(
    const struct gamp_go_options *opt, gamp_fn *fn, void *arg);

/*
 * gamp_yield - let other goroutines run
 *
 * The caller goes to the tail of its P's queue.  Returns at once if nothing
 * else can run.  Elsewhere than in a goroutine it does nothing.
 *
 * Parks	yes, but stays runnable; not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API void gamp_yield(void);

/*
 * gamp_exit - end the calling goroutine
 *
 * What gamp_defer was given runs; otherwise the goroutine's frames are
 * dropped without clean-up.  In a deferred call it ends that call only: those
 * that are left still run.
 *
 * Parks	does not return.
 * Threads	goroutine; aborts the process elsewhere.
 */
GAMP_NORETURN GAMP_API void gamp_exit(void);

/*
 * gamp_defer - call fn(arg) when the calling goroutine exits
 *
 * Whichever way it exits; the last one given is called first.  fn runs in the
 * goroutine, may park, and may defer more.  If the goroutine was cancelled,
 * blocking calls still give -ECANCELED (gamp_uncancellable).
 *
 * Errors	-ENOMEM		fn will not be called
 *		-EINVAL		fn is null
 *		-EPERM		not called from a goroutine
 * Parks	never.
 * Threads	goroutine.
 */
GAMP_API int gamp_defer(gamp_fn *fn, void *arg);

/*
 * gamp_self - the id of the calling goroutine
 *
 * Returns	an id greater than 0; 0 if the caller is not a goroutine.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_self(void);

/*
 * gamp_sleep - park for at least ns nanoseconds
 *
 * Zero or less returns at once.  Resolution is that of the kernel's timers,
 * some tens of microseconds in an idle process.
 *
 * Errors	-ECANCELED	the goroutine was cancelled
 *		-EPERM		not called from a goroutine
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_sleep(int64_t ns);

/*
 * gamp_now - the time on the monotonic clock, in nanoseconds
 *
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int64_t gamp_now(void);

/*
 * gamp_cancel - make a goroutine's blocking calls return -ECANCELED
 *
 * The call in which it is parked now, and all later ones until it exits.
 *
 * Errors	-ESRCH		no such goroutine, or it has exited
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_cancel(int64_t id);

/*
 * gamp_cancelled - is the calling goroutine cancelled?
 *
 * True even while it is uncancellable.
 *
 * Parks	never.
 * Threads	any thread; false outside goroutines.
 */
GAMP_API bool gamp_cancelled(void);

/*
 * gamp_uncancellable - let blocking calls of clean-up code go through
 *
 * While on, the caller's blocking calls ignore cancellation.
 *
 * Returns	the former value.
 * Parks	never.
 * Threads	goroutine; elsewhere false.
 */
GAMP_API bool gamp_uncancellable(bool on);

/*
 * gamp_exceptions - let the calling goroutine park while it handles C++
 * exceptions
 *
 * In C++, which exception is being caught is known per thread.  A goroutine
 * that parks in a catch block, or in a destructor during unwinding, needs its
 * own: with this on, it may, and may go on on another thread; each of its
 * switches takes some 10 ns more.  To throw and catch between parks needs
 * nothing.  Changed outside of catch blocks.
 *
 * Returns	the former value.
 * Parks	never.
 * Threads	goroutine; elsewhere false.
 */
GAMP_API bool gamp_exceptions(bool on);

/*
 * gamp_maxprocs - how many goroutines may run at once
 *
 * n from 1 to 1024 changes it, at any time: all goroutines are stopped for
 * that, for some tens of microseconds.  0 only asks.
 *
 * Returns	the former number; 0 when the runtime is not running.
 * Errors	-EINVAL		n is out of range
 *		-ENOMEM		nothing has changed
 *		-ENOTSUP	n is more than 1, with a seed or in a guest
 *		-EPERM		in the callback of a short timer
 *		-EDEADLK	the caller has stopped the world
 * Parks	if n is not 0.  Not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API int gamp_maxprocs(int n);

/* Not 0: gamp_checkpoint has something to do.  An interpreter may test it in
 * its own code; the address is the same for as long as the process lives. */
extern GAMP_API uint32_t gamp_checkpoint_word;

/*
 * gamp_checkpoint_slow - what gamp_checkpoint does if the word is not 0
 *
 * Errors	-ECANCELED	the goroutine is cancelled
 * Parks	as gamp_checkpoint.
 * Threads	any thread; outside goroutines it does nothing.
 */
GAMP_API int gamp_checkpoint_slow(void);

/*
 * gamp_checkpoint - a place in a long computation where others may run
 *
 * One load and one branch as long as nobody wants anything.  Else the caller
 * yields if its time slice (some 10 ms) is over and others wait, or a timer is
 * due, or the runtime has to stop all goroutines for a moment.  Without it a
 * computing goroutine stalls nobody either, but goes on as a thread.  That the
 * goroutine is cancelled is seen within milliseconds.
 *
 * Returns	0
 * Errors	-ECANCELED	the goroutine is cancelled
 * Parks	perhaps, but stays runnable.
 * Threads	any thread; outside goroutines it does nothing.
 */
static inline int gamp_checkpoint(void)
{
	if (__builtin_expect(
		__atomic_load_n(&gamp_checkpoint_word, __ATOMIC_RELAXED), 0))
		return gamp_checkpoint_slow();
	return 0;
}

/*
 * gamp_lock_thread - keep the calling goroutine on its thread
 *
 * It runs on this thread and on no other, and no other goroutine runs here,
 * until gamp_unlock_thread: for libraries that keep state per thread, or for
 * calls that change the thread (namespaces, credentials, scheduling).  Calls
 * nest.  If the goroutine exits while locked, the thread ends with it.  In a
 * guest it shares the host's thread with the others, and that does not end.
 *
 * Errors	-EAGAIN		65,535 calls are open
 *		-EPERM		not called from a goroutine
 * Parks	never.
 * Threads	goroutine.
 */
GAMP_API int gamp_lock_thread(void);

/*
 * gamp_unlock_thread - undo one gamp_lock_thread
 *
 * Errors	-EINVAL		it is not locked
 *		-EPERM		not called from a goroutine
 * Parks	never.
 * Threads	goroutine.
 */
GAMP_API int gamp_unlock_thread(void);

/*
 * gamp_call - run fn(arg) in a goroutine and wait until that has exited
 *
 * For callbacks that come from other threads into code that needs to be a
 * goroutine.  In a goroutine it just calls fn.
 *
 * Errors	-ESRCH		the runtime is not running
 *		-ENOMEM, -EAGAIN, -ECANCELED	as gamp_go: fn was not called
 *		-EINVAL		fn is null
 *		-EDEADLK	the caller is a guest's host: fn was not called
 * Parks	if fn does; blocks a plain thread.
 * Threads	any thread.
 */
GAMP_API int gamp_call(gamp_fn *fn, void *arg);

/*
 * gamp_enter_blocking - announce a call that blocks the thread
 *
 * Until gamp_leave_blocking the goroutine is an ordinary thread: its P runs
 * other goroutines.  The P is handed over at once if work waits, otherwise
 * by the monitor thread within about a millisecond.  Pairs nest.
 *
 * Parks	no.
 * Threads	any thread; outside goroutines it does nothing.
 */
GAMP_API void gamp_enter_blocking(void);

/*
 * gamp_leave_blocking - the end of a call that blocked the thread
 *
 * Parks	until a P is free.  Not a point of cancellation.
 * Threads	the goroutine that entered.
 */
GAMP_API void gamp_leave_blocking(void);

#ifdef __cplusplus
}
#endif

#endif
