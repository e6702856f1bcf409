/* SPDX-License-Identifier: MIT */
/*
 * san.h - telling AddressSanitizer and ThreadSanitizer about stacks.
 *
 * Each G and each M's own stack has a struct san; the calls vanish in builds
 * without a sanitizer.
 *
 * ASan	keeps a fake stack per goroutine and must know the bounds of the one
 *	that is switched to.
 * TSan	has a fiber per goroutine, created once per stack slot (1 ms each) and
 *	kept with it.  Two ways to use it:
 *	RT_TSAN_SELF (our own tests): the runtime is instrumented, and every
 *	switch orders the two sides, as the code of the runtime expects.  Races
 *	between Ms show; races between goroutines of one M hide.
 *	otherwise (users' programs): the runtime is not instrumented, switches
 *	order nothing, and the runtime says what orders what: whoever readies
 *	a G releases it, the G acquires when it goes on.
 *	A fiber has a call stack of its own, 64 Ki entries that nothing bounds.
 *	It must be empty again when a goroutine ends, so the functions that
 *	are never returned from are SAN_NO_CALLS, and a goroutine that leaves
 *	frames of the program behind (gamp_exit) gives its fiber up.
 */
#ifndef RT_BASE_SAN_H
#define RT_BASE_SAN_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define RT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(RT_TSAN_HOOKS)
#define RT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RT_TSAN 1
#endif
#endif

struct san {
	void *fake;	    /* ASan: saved fake stack */
	const void *bottom; /* lowest address of the stack */
	size_t size;
	void *fiber; /* TSan */
	int torn;    /* TSan: its call stack is not empty */
};

#ifdef RT_ASAN
void __sanitizer_start_switch_fiber(void **, const void *, size_t);
void __sanitizer_finish_switch_fiber(void *, const void **, size_t *);
void __asan_unpoison_memory_region(const volatile void *, size_t);
void __asan_handle_no_return(void);

static inline void san_asan_leave(struct san *from, struct san *to, int dying)
{
	__sanitizer_start_switch_fiber(
	    dying ? NULL : &from->fake, to->bottom, to->size);
}
static inline void san_asan_arrive(struct san *me)
{
	__sanitizer_finish_switch_fiber(me->fake, NULL, NULL);
}
/* Nobody is on it any more, and not all frames were returned from.  What maps
 * these addresses next would be taken for their redzones. */
static inline void san_stack_reset(struct san *s)
{
	__asan_unpoison_memory_region(s->bottom, s->size);
}
/* Frames are about to be left without returning from them. */
static inline void san_no_return(void)
{
	__asan_handle_no_return();
}
#else
static inline void san_asan_leave(struct san *from, struct san *to, int dying)
{
	(void)from;
	(void)to;
	(void)dying;
}
static inline void san_asan_arrive(struct san *me)
{
	(void)me;
}
static inline void san_stack_reset(struct san *s)
{
	(void)s;
}
static inline void san_no_return(void)
{
}
#endif

/* Of functions that a goroutine enters and does not leave. */
#ifdef RT_TSAN_SELF
#define SAN_NO_CALLS __attribute__((no_sanitize("thread")))
#else
#define SAN_NO_CALLS
#endif

/* TSan keeps a signal back until the thread calls libc, a function that it
 * wraps.  A thread in a bare system call looks every so many ns (0: never). */
#ifdef RT_TSAN
#define SAN_SIGNALS 5000000
#else
#define SAN_SIGNALS 0
#endif

#ifdef RT_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

#ifdef RT_TSAN_SELF
#define SAN_SWITCH_FLAGS 0u
#else
#define SAN_SWITCH_FLAGS 1u /* __tsan_switch_to_fiber_no_sync */
#endif

static inline void san_thread(struct san *s)
{
	s->fiber = __tsan_get_current_fiber();
}
static inline void san_fiber_new(struct san *s)
{
	if (s->torn)
		__tsan_destroy_fiber(s->fiber);
	if (s->torn || !s->fiber)
		s->fiber = __tsan_create_fiber(0);
	s->torn = 0;
}
/* The goroutine will end without returning from its frames. */
static inline void san_tear(struct san *s)
{
	s->torn = 1;
}
static inline void san_fiber_free(struct san *s)
{
	if (s->fiber)
		__tsan_destroy_fiber(s->fiber);
	s->fiber = NULL;
}
/* Always inlined: as an instrumented function of its own it would be entered
 * on one fiber and left on the other. */
static inline __attribute__((always_inline)) void san_tsan_switch(
    struct san *to)
{
	__tsan_switch_to_fiber(to->fiber, SAN_SWITCH_FLAGS);
}
/* What the caller did happens before what acquires `p` later. */
static inline void san_release(void *p)
{
	__tsan_release(p);
}
static inline void san_acquire(void *p)
{
	__tsan_acquire(p);
}
#else
static inline void san_thread(struct san *s)
{
	(void)s;
}
static inline void san_fiber_new(struct san *s)
{
	(void)s;
}
static inline void san_tear(struct san *s)
{
	(void)s;
}
static inline void san_fiber_free(struct san *s)
{
	(void)s;
}
static inline void san_tsan_switch(struct san *to)
{
	(void)to;
}
static inline void san_release(void *p)
{
	(void)p;
}
static inline void san_acquire(void *p)
{
	(void)p;
}
#endif

#endif
