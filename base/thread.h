/* SPDX-License-Identifier: MIT */
/* thread.h - what another thread of this process is doing, from the kernel, and
 * how much of a processor it gets. */
#ifndef RT_BASE_THREAD_H
#define RT_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

enum thread_state {
	THREAD_UNKNOWN, /* there is no /proc, or no such thread */
	THREAD_RUNS,	/* or waits for a processor */
	THREAD_BLOCKED,
};

/* Of the thread with the kernel's number tid; some 2 us.  *call: the number
 * of the system call in which it is blocked; -1: none, a page fault. */
enum thread_state thread_state(int tid, long *call);

/* Processor time that it has used, in ns; -1 if that cannot be told. */
int64_t thread_cpu_time(pthread_t thread);

int thread_self(void);

/*
 * Makes the thread tid (0: the caller) so nice, and asks for slices of so many
 * ns; 0: the kernel's default.  Who wakes does not wait for the end of a slice
 * that is longer than its own.  Kernels before 6.12 have but one slice, and
 * take the request in silence.  0 or -errno.
 */
int thread_weigh(int tid, int nice, int64_t slice);

#endif
