/* SPDX-License-Identifier: MIT */
/*
 * symbol.h - which function an address is in: for reports, and for signal
 * handlers.
 *
 * By system calls alone: the mappings from /proc/self/maps, the names from
 * the symbol tables of the mapped files, which are mapped as well.  So static
 * functions have names, and neither the dynamic linker's lock nor memory is
 * needed.  (dladdr(3) takes that lock and knows exported names only.)  Where
 * a file was stripped, there remain the module and the offset in it, which is
 * what addr2line(1) wants.
 *
 * A struct symbols is the caller's; about 60 KiB, of which what is not used
 * is never touched.
 */
#ifndef RT_BASE_SYMBOL_H
#define RT_BASE_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/say.h"

#define SYMBOL_MODULES 64
#define SYMBOL_PATHS   8192
#define SYMBOL_CACHE   1024 /* addresses; a power of two */

struct module {
	uintptr_t lo, hi; /* the code */
	uint64_t offset;  /* of lo in the file */
	uint64_t bias;	  /* of addresses in the file; once opened */
	uint32_t path;	  /* in paths */
	bool opened;
	const unsigned char *file; /* null: it could not be mapped */
	uint64_t size;
	const void *syms;
	uint64_t nsyms;
	const char *strs;
	uint64_t nstrs;
};

struct symbols {
	uint32_t nmodules, npaths;
	struct module modules[SYMBOL_MODULES];
	char paths[SYMBOL_PATHS];
	struct {
		uintptr_t pc;
		const char *name;
		uint64_t off;
	} cache[SYMBOL_CACHE];
};

/* Where this process has code now.  All of s but its size is overwritten;
 * s must be zero. */
void symbols_init(struct symbols *s);
void symbols_fini(struct symbols *s);

/*
 * Says "function+0x12 (module+0x3456)", or what of it is known.  after: pc is
 * a return address, and the call before it is what is asked for.
 */
void symbols_say(struct symbols *s, struct say *to, uintptr_t pc, bool after);

#endif
