/* SPDX-License-Identifier: MIT */
/*
 * debug.h - the words of the environment's GAMP_DEBUG.
 *
 * name=value, separated by commas.  Not looked at by programs that run with
 * more rights than their user's (secure_getenv).
 *
 *	guard=mprotect	guard stacks by mprotect
 *	schedtrace=MS	a line on standard error every so often (stats.h)
 *	trace=FILE	trace every run into this file (runtime/trace.c)
 */
#ifndef RT_SCHED_DEBUG_H
#define RT_SCHED_DEBUG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a word, of *len bytes, in the environment; or null. */
const char *debug_value(const char *name, size_t *len);

/* Is the value of `name` this? */
bool debug_is(const char *name, const char *value);

/* The value as a number greater than 0; or 0. */
int64_t debug_number(const char *name);

#endif
