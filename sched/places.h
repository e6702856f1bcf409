/* SPDX-License-Identifier: MIT */
/*
 * places.h - where the processors are: what hwloc knows of them.
 *
 * libhwloc is loaded when it is asked for the first time and unloaded at once:
 * a program that does not ask pays nothing, not even for linking it.
 */
#ifndef RT_SCHED_PLACES_H
#define RT_SCHED_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "sched/cpus.h"

/* Of one processor.  Two are on the same core, at the same cache, at the same
 * node if the keys are equal; a key is a processor's number there. */
struct place {
	uint32_t rank; /* it is the rank-th allowed one */
	uint32_t node; /* of memory */
	uint32_t cache; /* the largest that is inside the node */
	uint32_t core;
};

/*
 * The places of the first `max` processors of `allowed`, by rank.  Returns how
 * many; 0 without the library or without its data.  If the variable
 * HWLOC_SYNTHETIC is set (or HWLOC_XMLFILE, HWLOC_FSROOT), those are places of
 * that machine, and all its processors are allowed.
 *
 * Milliseconds, and a few MiB meanwhile; takes memory from malloc.
 */
uint32_t places_load(
    const struct cpus *allowed, struct place *out, uint32_t max);

#endif
