/* SPDX-License-Identifier: MIT */
/*
 * fault_plan.h - system calls that fail when a test says so: the linker wraps
 * them (CMakeLists.txt).  For one program: what is here is its own.
 */
#ifndef TESTS_FAULT_PLAN_H
#define TESTS_FAULT_PLAN_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* The plan. */

#define CALLS(X)                                                              \
	X(mmap)                                                               \
	X(mprotect)                                                           \
	X(madvise) X(pthread_create) X(epoll_create1) X(eventfd) X(epoll_ctl) \
	    X(aligned_alloc)

enum call {
#define X(name) CALL_##name,
	CALLS(X)
#undef X
	    CALL_COUNT
};

static struct {
	atomic_int seen;     /* calls since the plan was made */
	atomic_int hit;      /* of these, made to fail */
	atomic_int from, to; /* fail calls from..to, counted from 1 */
	atomic_int err;
} plans[CALL_COUNT];

static void plan(enum call c, int from, int to, int err)
{
	atomic_store(&plans[c].from, 0);
	atomic_store(&plans[c].to, to);
	atomic_store(&plans[c].err, err);
	atomic_store(&plans[c].hit, 0);
	atomic_store(&plans[c].seen, 0);
	atomic_store(&plans[c].from, from);
}

static void plan_none(void)
{
	for (int c = 0; c < CALL_COUNT; c++)
		plan((enum call)c, 0, 0, 0);
}

static int fails(enum call c)
{
	int n = atomic_fetch_add(&plans[c].seen, 1) + 1;
	int from = atomic_load(&plans[c].from);

	if (from == 0 || n < from || n > atomic_load(&plans[c].to))
		return 0;
	atomic_fetch_add(&plans[c].hit, 1);
	return atomic_load(&plans[c].err);
}

#define WRAP_INT(name, params, args)               \
	int __real_##name params;                  \
	int __wrap_##name params;                  \
	int __wrap_##name params                   \
	{                                          \
		int e = fails(CALL_##name);        \
                                                   \
		if (!e)                            \
			return __real_##name args; \
		errno = e;                         \
		return -1;                         \
	}

WRAP_INT(mprotect, (void *p, size_t n, int prot), (p, n, prot))
WRAP_INT(madvise, (void *p, size_t n, int advice), (p, n, advice))
WRAP_INT(epoll_create1, (int flags), (flags))
WRAP_INT(eventfd, (unsigned n, int flags), (n, flags))
WRAP_INT(epoll_ctl, (int ep, int op, int fd, struct epoll_event *ev),
    (ep, op, fd, ev))

void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
	int e = fails(CALL_mmap);

	if (!e)
		return __real_mmap(p, n, prot, flags, fd, at);
	errno = e;
	return MAP_FAILED;
}

void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n)
{
	return fails(CALL_aligned_alloc) ? NULL
					 : __real_aligned_alloc(align, n);
}

int __real_pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(
    pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	int e = fails(CALL_pthread_create);

	return e ? e : __real_pthread_create(t, a, fn, arg);
}

#endif
