/* SPDX-License-Identifier: MIT */
/*
 * api.h - conventions, true of every function of gamp unless its own comment
 * says otherwise.
 *
 *  Errors	A function that can fail returns a negative errno value, as
 *		liburing does; success is zero, a count or a handle.  errno is
 *		neither read nor written: it is per thread, and a goroutine
 *		moves between threads (see gamp/errno.h).
 *  Time	int64_t nanoseconds.  A deadline is absolute, on the clock of
 *		gamp_now(); 0 or GAMP_FOREVER never expires; a time that is
 *		past, or negative, expires at once.
 *  Handles	gamp_fd and goroutine ids are int64_t values that carry a
 *		sequence number.  Any value is safe to pass at any time: one
 *		that was closed, or has exited, or was never issued gives
 *		-EBADF or -ESRCH, and never touches its successor.
 *  Parks	"Parks" means that the calling goroutine may be suspended while
 *		its thread runs others.  It may go on on another thread: keep
 *		no pointer to thread-local storage, and no pthread mutex,
 *		across such a call.
 *  Threads	"Any thread" includes threads the runtime did not create.
 *		"Goroutine" means that elsewhere the call gives -EPERM.
 *  Cancel	Once a goroutine is cancelled every call that parks returns
 *		-ECANCELED, until it exits (gamp_uncancellable excepted).
 *  Memory	Strings are not retained.  Buffers are used until return.
 *  Zero	A null option pointer, or a zero option struct, is the default.
 */
#ifndef GAMP_API_H
#define GAMP_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GAMP_VERSION_MAJOR 0
#define GAMP_VERSION_MINOR 1

#if defined(__GNUC__)
#define GAMP_API __attribute__((visibility("default")))
#else
#define GAMP_API
#endif

#if defined(__cplusplus)
#define GAMP_NORETURN [[noreturn]]
#else
#define GAMP_NORETURN _Noreturn
#endif

#define GAMP_FOREVER INT64_MAX

#define GAMP_MICROSECOND INT64_C(1000)
#define GAMP_MILLISECOND INT64_C(1000000)
#define GAMP_SECOND      INT64_C(1000000000)

#endif
