/* SPDX-License-Identifier: MIT */
/* poison.h - under ASan, free cells are poisoned: a lost root is found. */
#ifndef EXAMPLES_LINNET_POISON_H
#define EXAMPLES_LINNET_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON 1
#endif
#endif

#ifdef POISON
#include <sanitizer/asan_interface.h>
static inline void poison(void *p, size_t n)
{
	__asan_poison_memory_region(p, n);
}

static inline void unpoison(void *p, size_t n)
{
	__asan_unpoison_memory_region(p, n);
}
#else
static inline void poison(void *p, size_t n)
{
	(void)p;
	(void)n;
}

static inline void unpoison(void *p, size_t n)
{
	(void)p;
	(void)n;
}
#endif

#endif
