/* SPDX-License-Identifier: MIT */
/*
 * embed.h - for who builds a language, or a framework, on goroutines.
 *
 * Hooks at the turns of a goroutine's life; the world stopped, and a walk over
 * all stacks, for a collector; park and ready, to build one's own primitives;
 * a boundary for panics; stacks and memory of one's own; and a runtime that a
 * host's event loop drives.  docs/embedding.md goes through all of it.
 */
#ifndef GAMP_EMBED_H
#define GAMP_EMBED_H

#include <gamp/go.h>
#include <gamp/guest.h>
#include <gamp/local.h>
#include <gamp/memory.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a goroutine, or what gamp_protect called, has failed. */
struct gamp_failure {
	bool exception; /* one left it; else gamp_fail was called */
	int64_t code;	/* gamp_fail's, with value */
	void *value;	/* or the exception: a struct _Unwind_Exception, which
			 * is freed when the hook returns; gamp_protect's
			 * caller frees it by _Unwind_DeleteException */
};

/*
 * Hooks, by the option `embed` of gamp_start and gamp_run.  Those that are
 * null cost nothing.  id is the goroutine's, slots its gamp_slots.
 *
 *	hook	    when			where
 *	----	    ----			-----
 *	create	    gamp_go, before the	new	the caller of gamp_go, which
 *		    one can run			fails with what it returns,
 *						if that is negative
 *	start	    before its function		the goroutine; may park
 *	switch_in   it goes on, or begins	any stack; calls nothing of
 *	switch_out  it leaves its thread	gamp but gamp_now and
 *						gamp_self (which is not it)
 *	exit	    after all it deferred	the goroutine; may not park
 *	failed	    it failed, or an exception	the goroutine; may park; then
 *		    left its function		it exits, as by gamp_exit
 *
 * create that returned 0 is paired with exit: also for one that never begins (a
 * timer's that is not needed; then exit is called on any stack).
 * switch_in and switch_out alternate, on one thread each pair; the last
 * switch_out comes after exit.  A goroutine
 * whose P was taken while it computes, or that is in a blocking call, has not
 * switched: it is on its thread.
 */
struct gamp_embed {
	int (*create)(int64_t id, void **slots);
	void (*start)(int64_t id, void **slots);
	void (*switch_in)(int64_t id, void **slots);
	void (*switch_out)(int64_t id, void **slots);
	void (*exit)(int64_t id, void **slots);
	void (*failed)(
	    int64_t id, void **slots, const struct gamp_failure *how);
	/*
	 * Stacks of one's own, both or none.  stack_alloc returns the lowest
	 * address of `size` bytes (what was asked for, rounded up: 16, 64 or
	 * 256 KiB, 1, 8 or 64 MiB), aligned to 16; or null: gamp_go gives
	 * -ENOMEM.  An overflow is found only if the allocator puts a guard
	 * below.  Called on any thread; they may not park.
	 */
	void *(*stack_alloc)(size_t size);
	void (*stack_free)(void *stack, size_t size);
	int64_t reserved[4]; /* zero */
};

/* ---- the world -------------------------------------------------------- */

/*
 * gamp_stop_world - until gamp_start_world no goroutine but the caller runs
 *
 * Every other goroutine is parked, or waits to run, or is between
 * gamp_enter_blocking and gamp_leave_blocking, where it may go on: such code
 * touches nothing that the stopper looks at, and gets hold of nothing new.
 * None is in the middle of the program's code: each has come to a call of gamp
 * (gamp_checkpoint is one), so this takes as long as the longest way between
 * two of those.  A goroutine that blocks in a call that nobody announced is
 * waited for.
 *
 * The caller may use memory and locks that no stopped goroutine can hold, and
 * of gamp only: gamp_walk, gamp_start_world, gamp_now, gamp_self, gamp_slots;
 * a goroutine that calls another function is reported, and the process ends.
 * If two stop the world at once, one waits, as if it were stopped, and then
 * stops it again.
 *
 * Returns	0
 * Errors	-EDEADLK	the caller has stopped it, or holds an RCU
 *				section
 *		-ESRCH		the runtime is not running
 *		-EPERM		in a hook, a commit, or a short timer
 * Parks	no: blocks the thread.
 * Threads	any thread.
 */
GAMP_API int gamp_stop_world(void);

/*
 * gamp_start_world - let goroutines run again
 *
 * Errors	-EPERM		the calling thread has not stopped the world
 * Parks	no.
 * Threads	who stopped it.
 */
GAMP_API int gamp_start_world(void);

enum gamp_state_kind {
	GAMP_WAITS_TO_RUN = 1,
	GAMP_PARKED,
	GAMP_IN_BLOCKING_CALL,
	GAMP_STOPPER /* it is the caller */
};

/* A goroutine, as gamp_walk shows it. */
struct gamp_view {
	int64_t id;
	int state;	  /* enum gamp_state_kind */
	const char *name; /* or null */
	void **slots;
	gamp_fn *fn;	  /* what it runs */
	void *arg;	  /* and was given */
	/* What is in use of its stack; both the same before it has begun. */
	const void *stack_low, *stack_high;
	/* The values of registers that a function keeps for its caller. */
	const uintptr_t *regs;
	int nregs;
};

/*
 * gamp_walk - call fn for every goroutine
 *
 * The world is stopped, by the caller.  What fn is given is valid until it
 * returns.  Not 0 from fn ends the walk.
 *
 * Returns	what the last fn returned; 0 if there was none.
 * Errors	-EPERM		the caller has not stopped the world
 * Parks	never.
 * Threads	who stopped the world.
 */
GAMP_API int gamp_walk(
    int (*fn)(const struct gamp_view *view, void *arg), void *arg);

/* ---- park and ready --------------------------------------------------- */

/* One wait of one goroutine.  Zero is none; any value is safe to pass. */
typedef int64_t gamp_ticket;

/* Called when the goroutine has left its stack, on some other stack: whoever
 * finds the ticket from here on may wake it, even before this returns.
 * Unlocks what was locked for the wait.  May not park.  False: it does not
 * wait after all, and must not have let the ticket be found. */
typedef bool gamp_commit_fn(gamp_ticket ticket, void *arg);

/*
 * gamp_park - wait until somebody calls gamp_ready with this wait's ticket
 *
 * The commit is called once, whatever follows, but for -EPERM and -EINVAL.
 * After an error the ticket may still lie where the commit put it: take it
 * out.  A gamp_ready that comes late for it has no effect.
 *
 * why is a word for reports, kept by reference: "semaphore"; or null.
 *
 * Returns	0		readied
 * Errors	-EAGAIN		the commit returned false
 *		-ETIMEDOUT	the deadline has passed
 *		-ECANCELED	the goroutine was cancelled
 *		-ENOMEM		no room for the deadline's timer
 *		-EPERM		not called from a goroutine
 *		-EINVAL		commit is null
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_park(gamp_commit_fn *commit, void *arg, int64_t deadline,
    const char *why);

/*
 * gamp_ready - wake who waits with this ticket
 *
 * Returns	0: this call, and no other, has ended the wait.
 * Errors	-ESRCH		that wait is over, or never was
 * Parks	never.
 * Threads	any thread; a commit, too.
 */
GAMP_API int gamp_ready(gamp_ticket ticket);

/* ---- failures --------------------------------------------------------- */

/*
 * gamp_protect - call fn(arg); come back even if it fails
 *
 * Costs a call and some ten stores; nests.  Whatever lies between is unwound
 * as for gamp_fail.
 *
 * how		null, or filled in with -EFAULT.
 * Returns	0: fn returned.
 * Errors	-EFAULT		gamp_fail was called, or an exception left fn
 *		-EINVAL		fn is null
 *		-EPERM		not called from a goroutine; fn was not called
 * Parks	if fn does.
 * Threads	goroutine.
 */
GAMP_API int gamp_protect(
    gamp_fn *fn, void *arg, struct gamp_failure *how);

/*
 * gamp_fail - leave the innermost gamp_protect, or the goroutine
 *
 * Frames are unwound: destructors of C++, and variables of C with
 * __attribute__((cleanup)) in code built with -fexceptions, are seen to.
 * Frames without unwind tables are just left.  Where no gamp_protect is, the
 * hook `failed` is called and the goroutine exits, as by gamp_exit.
 *
 * Parks	does not return.
 * Threads	goroutine; aborts the process elsewhere.
 */
GAMP_NORETURN GAMP_API void gamp_fail(int64_t code, void *value);

#ifdef __cplusplus
}
#endif

#endif
