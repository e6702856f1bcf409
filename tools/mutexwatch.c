/* SPDX-License-Identifier: MIT */
/*
 * mutexwatch.c - counts the pthread mutexes that each thread holds, so that a
 * debug build of gamp can say who parks with one.
 *
 *	LD_PRELOAD=libgamp-mutexwatch.so ./program
 *
 * A goroutine that parks while it holds one may go on on another thread, which
 * may not unlock it; and whoever wants it blocks a thread, perhaps the last.
 * What libc locks inside of itself is not seen, and needs not be.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

static __thread int held;

EXPORT int gamp_mutexes_held(int forget);

/* Of the calling thread.  forget: begin anew at 0. */
EXPORT int gamp_mutexes_held(int forget)
{
	int n = held;

	if (forget)
		held = 0;
	return n;
}

static int (*real_lock)(pthread_mutex_t *);
static int (*real_trylock)(pthread_mutex_t *);
static int (*real_unlock)(pthread_mutex_t *);
static int (*real_timedlock)(pthread_mutex_t *, const struct timespec *);

static void *find(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void init(void)
{
	*(void **)&real_lock = find("pthread_mutex_lock");
	*(void **)&real_trylock = find("pthread_mutex_trylock");
	*(void **)&real_unlock = find("pthread_mutex_unlock");
	*(void **)&real_timedlock = find("pthread_mutex_timedlock");
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	int r;

	if (!real_lock) /* other libraries' constructors come first */
		init();
	r = real_lock(m);
	held += r == 0;
	return r;
}

EXPORT int pthread_mutex_trylock(pthread_mutex_t *m)
{
	int r;

	if (!real_trylock)
		init();
	r = real_trylock(m);
	held += r == 0;
	return r;
}

EXPORT int pthread_mutex_timedlock(
    pthread_mutex_t *m, const struct timespec *until)
{
	int r;

	if (!real_timedlock)
		init();
	r = real_timedlock(m, until);
	held += r == 0;
	return r;
}

/* It may have been locked before we counted, or by another thread. */
EXPORT int pthread_mutex_unlock(pthread_mutex_t *m)
{
	if (!real_unlock)
		init();
	held -= held > 0;
	return real_unlock(m);
}
