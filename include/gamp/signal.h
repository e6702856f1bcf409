/* SPDX-License-Identifier: MIT */
/*
 * signal.h - signals of the process, received by goroutines.
 *
 *	int wanted[] = { SIGINT, SIGTERM };
 *	gamp_fd s = gamp_signal_open(wanted, 2);
 *	int sig = gamp_signal_next(s);
 *
 * The runtime's threads block all signals but those that report a fault of
 * the thread itself, so the process's signals go to the program's threads: with
 * gamp_run, to the one that called it.  A program that blocks a signal in all
 * of its own threads receives it nowhere.
 *
 * Handlers run on the program's threads, and may call gamp_now, gamp_self and
 * gamp_cancelled, nothing else of gamp.
 */
#ifndef GAMP_SIGNAL_H
#define GAMP_SIGNAL_H

#include <gamp/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_signal_open - subscribe to signals
 *
 * While the descriptor is open these signals have a handler of gamp's instead
 * of their disposition before; with the last descriptor for a signal, or when
 * the runtime stops, that comes back (unless the program has changed it
 * meanwhile).  Any number of descriptors for one signal: each receives it.
 *
 * A signal that comes again before it was taken is one, as with signals
 * pending in the system.  None is lost, and nothing piles up.
 *
 * The descriptor is for gamp_signal_next, gamp_select (GAMP_READABLE),
 * gamp_go_when_readable, deadlines and gamp_close; not for gamp_read.
 *
 * In a child of fork(2) the former dispositions hold.
 *
 * Returns	a descriptor
 * Errors	-EINVAL		n is not 1 to 64; a signal that does not exist,
 *				cannot be caught, or reports a fault (SIGSEGV,
 *				SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT,
 *				SIGSYS)
 *		-EMFILE		64 such descriptors are open, or no more
 *				descriptors are to be had
 *		-ENOMEM, -ENFILE	what the system lacked
 *		-ESRCH		the runtime is not running
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API gamp_fd gamp_signal_open(const int *signals, int n);

/*
 * gamp_signal_next - take the next signal
 *
 * Returns	its number
 * Errors	as gamp_read; -EINVAL if it is no descriptor for signals
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_signal_next(gamp_fd fd);

#ifdef __cplusplus
}
#endif

#endif
