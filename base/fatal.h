/* SPDX-License-Identifier: MIT */
/*
 * fatal.h - what to do when the program, not the world, is wrong.
 *
 * rt_fatal	the runtime is corrupt; print and abort.  Always on.
 * rt_assert	a fact the author relies on; on in debug and in hard mode.
 * RT_STATIC_ASSERT  a fact the compiler can check.
 *
 * Operating errors (EMFILE, ECONNRESET, ENOMEM) never come here: they are
 * returned as -errno.
 */
#ifndef RT_BASE_FATAL_H
#define RT_BASE_FATAL_H

#define RT_STATIC_ASSERT(c, msg) _Static_assert(c, msg)

#ifdef RT_MODEL
#include <stdio.h>
#include <stdlib.h>
static inline void rt_fatal(const char *msg)
{
	(void)fputs(msg, stderr);
	abort();
}
#else
_Noreturn void rt_fatal(const char *msg);
#endif

/* One line on standard error; formats nothing, allocates nothing. */
void rt_warn(const char *msg);

#ifdef RT_DEBUG
#define rt_assert(c) ((c) ? (void)0 : rt_fatal("assertion failed: " #c))
#else
#define rt_assert(c) ((void)sizeof(!(c)))
#endif

#endif
