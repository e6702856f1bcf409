/* SPDX-License-Identifier: MIT */
/*
 * schedtrace.c - GAMP_DEBUG=schedtrace=MS: what Ps and Ms do, once in MS.
 *
 *	SCHED 1009ms: procs=2 idleprocs=0 threads=3 spinning=0 idlethreads=1
 *	goroutines=12 runqueue=0 [4 5]				(one line)
 *
 * The words are Go's where the thing is: runqueue is the global queue, the
 * brackets hold the length of each P's own.  All are guesses of a moment.
 * sysmon prints; what it prints with is its own.
 */

#include <stdio.h>
#include <unistd.h>

#include "sched/debug.h"
#include "sched/sched.h"
#include "sched/stats.h"

static struct {
	int64_t every, from, next; /* of the real clock */
	char line[256 + 8 * PROCS_MAX];
} st;

void schedtrace_init(void)
{
	st.every = debug_number("schedtrace") * NS_PER_MS;
	st.from = clock_real();
	st.next = st.every > 0 ? st.from + st.every : NEVER;
}

int64_t schedtrace_next(void)
{
	return st.next;
}

static uint32_t queued(struct p *pp)
{
	return runq_len(&pp->runq[RUNQ_WOKEN]) +
	    runq_len(&pp->runq[RUNQ_FRESH]) +
	    (rt_load_relaxed(&pp->runnext) != 0);
}

static size_t heading(int64_t now)
{
	uint32_t threads, idle;

	rt_lock(&sched.lock);
	threads = sched.nm;
	idle = sched.nmidle + (sched.poller != NULL);
	rt_unlock(&sched.lock);
	return (size_t)snprintf(st.line, sizeof(st.line),
	    "SCHED %lldms: procs=%u idleprocs=%u threads=%u spinning=%u "
	    "idlethreads=%u goroutines=%llu runqueue=%u [",
	    (long long)((now - st.from) / NS_PER_MS), procs(),
	    rt_load_relaxed(&sched.npidle), threads,
	    rt_load_relaxed(&sched.nspinning), idle,
	    (unsigned long long)sched_live(), rt_load_relaxed(&sched.nglobal));
}

void schedtrace(int64_t now)
{
	size_t n;

	if (now < st.next)
		return;
	st.next += (now - st.next) / st.every * st.every + st.every;
	n = heading(now);
	for (uint32_t i = 0; i < procs(); i++)
		n += (size_t)snprintf(st.line + n, sizeof(st.line) - n,
		    i > 0 ? " %u" : "%u", queued(&sched.ps[i]));
	n += (size_t)snprintf(st.line + n, sizeof(st.line) - n, "]\n");
	(void)!write(STDERR_FILENO, st.line, n);
}
