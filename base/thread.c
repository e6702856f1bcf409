/* SPDX-License-Identifier: MIT */
/* thread.c - see thread.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"

enum thread_state thread_state(int tid, long *call)
{
	char path[64], text[64];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return THREAD_UNKNOWN;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return THREAD_UNKNOWN;
	if (text[0] == 'r') /* "running" */
		return THREAD_RUNS;
	text[n] = '\0';
	*call = strtol(text, NULL, 10);
	return THREAD_BLOCKED;
}

int64_t thread_cpu_time(pthread_t thread)
{
	struct timespec t;
	clockid_t id;

	if (pthread_getcpuclockid(thread, &id) != 0 ||
	    clock_gettime(id, &t) != 0)
		return -1;
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The kernel's struct sched_attr, version 0; glibc 2.36 has none. */
struct sched_attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

#define KEEP_POLICY 0x08 /* SCHED_FLAG_KEEP_POLICY, Linux 5.3 */

int thread_weigh(int tid, int nice, int64_t slice)
{
	struct sched_attr_v0 a = { .size = sizeof(a),
		.flags = KEEP_POLICY,
		.nice = nice,
		.runtime = (uint64_t)slice };

	if (syscall(SYS_sched_setattr, tid, &a, 0u) == 0)
		return 0;
	return setpriority(PRIO_PROCESS, (id_t)tid, nice) == 0 ? 0 : -errno;
}

int thread_self(void)
{
	return (int)syscall(SYS_gettid);
}
