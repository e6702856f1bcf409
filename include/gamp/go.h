/* SPDX-License-Identifier: MIT */
/* go.h - goroutines: start, sleep, yield, cancel, and the runtime itself. */
#ifndef GAMP_GO_H
#define GAMP_GO_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a goroutine runs; it exits when the function returns. */
typedef void gamp_fn(void *arg);

/* Options of the runtime; zero means the default everywhere. */
struct gamp_options {
	/* Ps: how many goroutines run at once, 1 to 1024; by default the
	 * number of processors that this process may use. */
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
	int64_t reserved[6]; /* zero */
};

/* Options of one goroutine. */
struct gamp_go_options {
	size_t stack_size; /* bytes reserved, up to 64 MiB; 0: the runtime's */
	const char *name;  /* for reports; kept by reference, not copied */
	int64_t reserved[4]; /* zero */
};

/*
 * gamp_run - start the runtime, run main(arg) as a goroutine, stop
 *
 * When main has exited, and with it what it deferred, all other goroutines are
 * cancelled and given stop_timeout to exit; then threads, descriptors and
 * memory of the runtime are released.  May be called again afterwards.
 *
 * Returns	0
 * Errors	-EINVAL		an option is out of range
 *		-EALREADY	the runtime is running
 *		-EDEADLK	called from a goroutine
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
 *		-EDEADLK	called from a goroutine
 *		-EALREADY	another thread is stopping it
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
 * gamp_maxprocs - how many goroutines may run at once
 *
 * Returns	the number of Ps; 0 when the runtime is not running.
 * Errors	-EINVAL		n is negative
 *		-ENOTSUP	n is neither 0 nor the present number
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_maxprocs(int n);

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
