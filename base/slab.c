/* SPDX-License-Identifier: MIT */
/* slab.c - see slab.h. */

#include <errno.h>

#include "base/slab.h"
#include "base/vm.h"

int slab_init(struct slab *s, uint8_t rank, size_t size, uint32_t cap)
{
	void *p = NULL;
	int r;

	*s = (struct slab){ .size = size, .cap = cap };
	s->lock.rank = rank;
	while ((r = vm_alloc(size * s->cap, &p)) < 0 && s->cap > 1024)
		s->cap /= 2;
	if (r < 0)
		return r;
	s->base = p;
	r = vm_alloc(sizeof(*s->next) * s->cap, &p);
	if (r < 0) {
		vm_free(s->base, size * s->cap);
		s->base = NULL;
		return r;
	}
	s->next = p;
	return 0;
}

void slab_fini(struct slab *s)
{
	rt_store_relaxed(&s->used, 0);
	vm_free(s->base, s->size * s->cap);
	vm_free(s->next, sizeof(*s->next) * s->cap);
	s->base = NULL;
	s->next = NULL;
}

int64_t slab_new(struct slab *s)
{
	int64_t i;
	uint32_t used;

	rt_lock(&s->lock);
	used = rt_load_relaxed(&s->used);
	if (s->free) {
		i = s->free - 1;
		s->free = s->next[i];
	} else if (used < s->cap) {
		i = used;
		rt_store_release(&s->used, used + 1);
	} else {
		i = -ENOMEM;
	}
	s->live += i >= 0;
	rt_unlock(&s->lock);
	return i;
}

void slab_free(struct slab *s, uint32_t i)
{
	rt_lock(&s->lock);
	s->next[i] = s->free;
	s->free = i + 1;
	s->live--;
	rt_unlock(&s->lock);
}
