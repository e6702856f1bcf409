/* SPDX-License-Identifier: MIT */
/*
 * debug.h - the runtime explains itself.
 *
 * Without being asked it reports, on standard error:
 *
 *  overflow	a goroutine has met the guard of its stack; then the process
 *		dies by SIGSEGV, as before, or the program's handler is called
 *		(option no_signals: nothing is done)
 *  deadlock	all goroutines wait for each other and nothing outside can
 *		wake one; then gamp_run returns -EDEADLK (no_deadlock)
 *  no end	gamp_run or gamp_stop gives up, and somebody is left (quiet)
 *
 * The option dump_signal makes a signal write a dump.  In debug builds with
 * libgamp-mutexwatch.so preloaded it also reports who parks while it holds a
 * pthread mutex.
 *
 * Functions are named from the symbol tables of the program's files, static
 * ones too; where they were stripped there is the file and the offset in it,
 * for addr2line(1).  In gdb, on a process or a core, there are `info
 * goroutines` and `goroutine ID bt`: source share/gamp/gdb/gamp-gdb.py.
 */
#ifndef GAMP_DEBUG_H
#define GAMP_DEBUG_H

#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_dump - write to fd what every goroutine is doing
 *
 * Its id, its name, its state, what it waits for and since when (seconds),
 * what it runs, where and by whom it was started, and a backtrace.  One that
 * is in a blocking call, or was detached from its P, has no backtrace: its
 * thread is named, and the number of the system call that it is in.
 * Goroutines are held for a few milliseconds at a time; not while it writes.
 * fd is a system's descriptor, and is waited for.
 *
 * Errors	-ESRCH		the runtime is not running
 *		-EDEADLK	called from a timer's callback on the scheduler,
 *				or by who has stopped the world
 *		-ENOMEM		no memory for the facts (100 KiB)
 *		-EBADF, -EPIPE, -EIO, ...	as write(2)
 * Parks	yes; not a point of cancellation.
 * Threads	any thread; not in a signal handler.
 */
GAMP_API int gamp_dump(int fd);

#ifdef __cplusplus
}
#endif

#endif
