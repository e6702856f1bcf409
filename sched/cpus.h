/* SPDX-License-Identifier: MIT */
/*
 * cpus.h - sets of processors, of any size the kernel is built for.
 *
 * Linux stops at 8192 processors; a set has room for twice that, so that it
 * needs no memory and sched_getaffinity(2) is asked once.
 */
#ifndef RT_SCHED_CPUS_H
#define RT_SCHED_CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define CPUS_MAX 16384

struct cpus {
	cpu_set_t set[CPUS_MAX / CPU_SETSIZE];
};

/* What the calling thread may run on.  False: the kernel does not say. */
bool cpus_get(struct cpus *c);

/* Moves the calling thread there.  0 or -errno. */
int cpus_set(const struct cpus *c);

uint32_t cpus_count(const struct cpus *c);

/* The next processor of the set from `cpu` on, or -1. */
int cpus_next(const struct cpus *c, int cpu);

/* The number of the i-th, counted from 0 and round the set; -1: it is empty.
 */
int cpus_nth(const struct cpus *c, uint32_t i);

void cpus_only(struct cpus *c, int cpu);

/* Do the two share a processor? */
bool cpus_meet(const struct cpus *a, const struct cpus *b);

/* From the kernel's way of writing, "0-3,8,10-11".  False: it is not that. */
bool cpus_parse(struct cpus *c, const char *list);

#endif
