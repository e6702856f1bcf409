/* SPDX-License-Identifier: MIT */
/*
 * guest.h - goroutines in a program that has an event loop of its own.
 *
 * With the option `guest`, gamp_start starts no thread: goroutines run in
 * gamp_poll, on the thread that called gamp_start, the host's, and nowhere
 * else.  There is one P, nothing is detached, and a goroutine that blocks its
 * thread blocks the host.  A thread of ours appears only where one is asked
 * for: by gamp/rcu.h, the option dump_signal, or the lookup of a name.
 *
 *	gamp_start(&(struct gamp_options){ .guest = true });
 *	for (;;) {
 *		wait until gamp_poll_fd() is readable, until
 *		    gamp_poll_deadline(), or for what else the host waits for
 *		gamp_poll(0);
 *	}
 *
 * The host may call at any time whatever "any thread" may: gamp_go,
 * gamp_chan_trysend, gamp_cancel.  That makes the descriptor readable, too, so
 * there is nothing to remember.  But it may not wait for goroutines, which do
 * not run meanwhile: where a call would, it gives -EDEADLK.
 *
 * gamp_stop is the host's, and runs goroutines itself until all have exited.
 * gamp_run with this option is the host: it runs all goroutines on the calling
 * thread, and returns when main has; deadlocks are not reported.
 * docs/run-modes.md has more, and examples/guest_uv.c a host.
 */
#ifndef GAMP_GUEST_H
#define GAMP_GUEST_H

#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_poll - run what can run
 *
 * Looks at descriptors and timers, without waiting, and lets goroutines run:
 * until none can, or they have had max turns, or for some 10 ms.  After these
 * a goroutine that computes stops at its next gamp_checkpoint; one that calls
 * none keeps the host.
 *
 * max		turns; 0 or less: no limit.
 * Returns	1 if more could run: the descriptor is readable, so the host
 *		can look after its own first; 0 if not.
 * Errors	-ESRCH		the runtime is not running as a guest
 *		-EPERM		not the host's thread
 *		-EDEADLK	called from a goroutine, or the callback of a
 *				short timer
 * Parks	no.
 * Threads	the host's.
 */
GAMP_API int gamp_poll(int max);

/*
 * gamp_poll_fd - a descriptor of the system, readable when gamp_poll has
 * something to do
 *
 * Because of network events, other threads, or what the host has started.  For
 * poll(2), epoll or a library, level-triggered; not to be read or closed.
 * Valid until gamp_stop.
 *
 * Returns	the descriptor
 * Errors	-ESRCH		the runtime is not running as a guest
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_poll_fd(void);

/*
 * gamp_poll_deadline - when gamp_poll has something to do at the latest
 *
 * Ask again after each gamp_poll.  If an earlier timer is started after that,
 * the descriptor is readable.
 *
 * Returns	a time of gamp_now, perhaps past; GAMP_FOREVER: there is no
 *		timer.
 * Errors	-ESRCH		the runtime is not running as a guest
 *		-EPERM		not the host's thread
 *		-EDEADLK	called from a goroutine
 * Parks	never.
 * Threads	the host's.
 */
GAMP_API int64_t gamp_poll_deadline(void);

#ifdef __cplusplus
}
#endif

#endif
