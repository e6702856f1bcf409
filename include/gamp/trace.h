/* SPDX-License-Identifier: MIT */
/*
 * trace.h - what ran where, and when: a trace to look at.
 *
 * For example, the last seconds before something was slow:
 *
 *	gamp_trace_start(0);
 *	serve();
 *	fd = open("slow.json", O_WRONLY | O_CREAT | O_TRUNC, 0644);
 *	if (fd >= 0)
 *		gamp_trace_stop(fd);
 *
 * The file is in the JSON format of Chrome's tracing: ui.perfetto.dev and
 * chrome://tracing open it.  There is a track for each P with a slice for each
 * time that a goroutine ran, which says why it left (`left`), how long it had
 * waited for the P (`waited_ns`) and who had readied it (`by`), with an arrow
 * from there.  Polls, steals, timers, new goroutines and the program's marks
 * are points on these tracks.  Goroutines that go on without a P, in blocking
 * calls, have tracks of their own ("detached").
 *
 * Any program can be traced from start to stop: GAMP_DEBUG=trace=FILE in the
 * environment.  Several words are separated by commas.
 *
 * While no trace is on, this costs a branch; while one is, a switch of
 * goroutines costs some 80 ns more.
 */
#ifndef GAMP_TRACE_H
#define GAMP_TRACE_H

#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_trace_start - begin to keep what happens
 *
 * In at most `bytes` of memory (0: 16 MiB; less than some KiB for each P is
 * rounded up), of 32 bytes an event, an equal part for each P.  When a part is
 * full its oldest events are lost.  Memory is taken as it is used.
 *
 * Returns	0
 * Errors	-EALREADY	a trace is on
 *		-ESRCH		the runtime is not running
 *		-EINVAL		more than 1 TiB
 *		-ENOMEM		no memory
 * Parks	never.
 * Threads	any thread.
 * See		gamp_trace_stop
 */
GAMP_API int gamp_trace_start(size_t bytes);

/*
 * gamp_trace_stop - end the trace and write it
 *
 * To the descriptor fd of the system, or nowhere if it is -1; also after the
 * runtime has stopped.  The calling thread does it all, outside of its P, while
 * the others go on.  With an error, too, the trace has ended and is gone.
 *
 * Returns	0
 * Errors	-ESRCH		no trace is on, or another thread is writing it
 *		-ENOMEM		no memory to put it in order
 *		-EBADF, -ENOSPC, -EPIPE, ...	as write(2)
 * Parks	no: blocks the calling thread, as an announced call
 *		(gamp_enter_blocking) if it is a goroutine's.
 * Threads	any thread.
 */
GAMP_API int gamp_trace_stop(int fd);

/*
 * gamp_trace_mark - a point in the trace with a name
 *
 * On the track of the caller's P; of a thread, and inside of a blocking
 * section, on that of what has none.  The string is kept by reference: it must
 * stay until the trace has been written.  When no trace is on, this is a load
 * and a branch.
 *
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API void gamp_trace_mark(const char *name);

#ifdef __cplusplus
}
#endif

#endif
