/* SPDX-License-Identifier: MIT */
/*
 * globals.h - a machine's global names.
 *
 * A name has an index for as long as the machine lives; its value is the
 * machine's `global` of that index.  A source may use a name before it, or
 * the next function, defines it: when all is read, globals_undefined says
 * whether one was forgotten.
 */
#ifndef EXAMPLES_LINNET_GLOBALS_H
#define EXAMPLES_LINNET_GLOBALS_H

#include "ast.h"
#include "value.h"

enum { GLOBALS_MAX = 16384 };

struct global {
	char *name;
	size_t len;
	bool defined; /* by a source that was loaded, or by the machine */
	bool pending; /* by the one that is being read */
	bool used;    /* by the one that is being read, first at: */
	struct at at;
};

struct globals {
	struct global *at;
	uint32_t count, cap;
	uint32_t *hash; /* index + 1, or 0; size: hash_size, a power of two */
	uint32_t hash_size;
};

/* The index; -1: no memory, or too many. */
int64_t globals_use(
    struct linnet *m, const char *name, size_t len, struct at at);
int64_t globals_define(struct linnet *m, const char *name, size_t len);

/* Is it defined by the source that is being read? */
bool globals_pending(struct linnet *m, const char *name, size_t len);

/* The first that was used and that nobody has defined, or null. */
const struct global *globals_undefined(const struct linnet *m);

/* The source was loaded, or was not. */
void globals_settle(struct linnet *m, bool loaded);

/* Index of a name, or -1. */
int64_t globals_find(const struct linnet *m, const char *name, size_t len);

void globals_fini(struct globals *g);

#endif
