/* SPDX-License-Identifier: MIT */
/*
 * say.h - text to a descriptor by write(2) alone: for reports, and for signal
 * handlers.
 *
 * Allocates nothing, takes no lock, and leaves errno alone.  What is said is
 * kept in the caller's struct say and written when that is full, or at
 * say_end; the first error ends the writing and is what say_end returns.
 */
#ifndef RT_BASE_SAY_H
#define RT_BASE_SAY_H

#include <stddef.h>
#include <stdint.h>

struct say {
	int fd;
	int err;
	uint32_t n;
	char buf[1000];
};

/* Begins. */
void say_to(struct say *s, int fd);

/* %s a string, %ld and %lu and %lx a long, %%; nothing else, no widths. */
void say(struct say *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A time span, as seconds: 12.345. */
void say_span(struct say *s, int64_t ns);

/* Writes what is left.  0 or -errno. */
int say_end(struct say *s);

#endif
