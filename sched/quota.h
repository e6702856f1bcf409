/* SPDX-License-Identifier: MIT */
/*
 * quota.h - how many processors we may use: affinity and control groups.
 *
 * A control group limits processor time by a quota per period, version 2 in
 * cpu.max, version 1 in cpu.cfs_quota_us and cpu.cfs_period_us; those above
 * it limit it, too, so all are read up to the root and the smallest wins.
 * Where they are:
 *
 *	/proc/self/cgroup	the group of this process, of each version
 *	/proc/self/mountinfo	where the two are mounted, and which part
 *
 * The part that is mounted is cut off the front of the group's path.  In a
 * container the rest may not exist (the path is the host's, or the other way
 * round): what cannot be read is passed over on the way up.  A mount of a
 * part that we are not in is not ours.
 *
 * The default number of Ps is the quota rounded up, at least 2, for one P
 * would have to be at two places as soon as one goroutine computes; and never
 * more than the processors that affinity allows.  Go has done so since 1.25.
 */
#ifndef RT_SCHED_QUOTA_H
#define RT_SCHED_QUOTA_H

#include <stdint.h>

#define QUOTA_NONE 0

/*
 * The quota in thousandths of a processor, rounded up, or QUOTA_NONE.  All
 * files are looked for below the directory root: "" but in tests.  Some 0.1
 * ms; no memory is allocated.
 */
int64_t quota_read(const char *root);

/* What comes of so many allowed processors and a quota; 1 to PROCS_MAX. */
uint32_t quota_round(uint32_t allowed, int64_t quota);

/* The default number of Ps, as things are for the calling thread now. */
int quota_procs(void);

#endif
