/* SPDX-License-Identifier: MIT */
/* memory.c - gamp_set_allocator. */

#include <errno.h>

#include <gamp/memory.h>

#include "base/alloc.h"

int gamp_set_allocator(const struct gamp_allocator *a)
{
	if (a && (!a->alloc || !a->resize || !a->release))
		return -EINVAL;
	return rt_alloc_set(a);
}
