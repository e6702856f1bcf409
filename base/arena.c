/* SPDX-License-Identifier: MIT */
/* arena.c - see arena.h for the picture and I1..I3. */

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fatal.h"
#include "base/lock.h"
#include "base/san.h"
#include "base/vm.h"

#define COLOURS	     8u
#define WARM	     64u /* free slots that always keep their memory */
#define PREPARE_STEP 16u /* slots between looks at the lock */
#define COMMIT_BYTES ((size_t)16 << 20)
#define INDEX(ref)   ((ref) & (ARENA_SLOTS_MAX - 1))
#define CLASS(ref)   ((ref) >> ARENA_INDEX_BITS)

struct class {
	rt_aptr base;	 /* char *, null until first used */
	size_t size;	 /* bytes of a slot */
	uint32_t cap;	 /* slots reserved */
	rt_a32 used;	 /* slots ever handed out */
	uint32_t mapped; /* slots committed */
	uint32_t *free;	 /* cap entries */
	uint64_t *seq;	 /* cap entries */
	uint32_t n, cold, low, busy;
};

/* Address space is not the limit (2^47), the user's ulimit may be: then
 * reserve() takes what it gets. */
static const struct {
	size_t size;
	uint32_t cap;
} geometry[ARENA_CLASSES] = {
	{ (size_t)16 << 10, 1u << 22 },
	{ (size_t)64 << 10, 1u << 22 },
	{ (size_t)256 << 10, 1u << 19 },
	{ (size_t)1 << 20, 1u << 17 },
	{ (size_t)8 << 20, 1u << 13 },
	{ ARENA_STACK_MAX, 1u << 9 },
};

static struct {
	struct rt_lock lock;
	struct class cls[ARENA_CLASSES];
	size_t page;
	size_t ctl; /* control block, rounded up to lines */
	uint32_t slots_max;
	bool madvise;
	bool warned;
	uint64_t slots, unguarded;
	uint32_t preparing; /* slots that are in nobody's hand */
} arena = { .lock = RT_LOCK_INIT(RANK_ARENA) };

const struct arena_map arena_map = {
	.classes = arena.cls,
	.count = ARENA_CLASSES,
	.size = sizeof(struct class),
	.base = offsetof(struct class, base),
	.slot = offsetof(struct class, size),
	.used = offsetof(struct class, used),
	.ctl = &arena.ctl,
	.colours = COLOURS,
	.line = RT_LINE,
};

static char *class_base(const struct class *c)
{
	return (char *)rt_load_acquire(&c->base);
}

static void class_unmap(struct class *c)
{
	char *base = class_base(c);

	rt_store_relaxed(&c->used, 0);
	rt_store_relaxed(&c->base, 0);
	vm_free(base, c->size * c->cap);
	vm_free(c->free, c->cap * sizeof(*c->free));
	vm_free(c->seq, c->cap * sizeof(*c->seq));
	c->free = NULL;
	c->seq = NULL;
	c->mapped = c->n = c->cold = c->low = c->busy = 0;
}

/* Reserves what the system grants, at least 64 slots. */
static int class_map(struct class *c)
{
	uint32_t cap = c->cap;
	void *base = NULL, *p;
	int r;

	while ((r = vm_reserve(c->size * c->cap, &base)) < 0 && c->cap > 64)
		c->cap /= 2;
	if (r < 0)
		goto restore_cap;
	r = vm_alloc(c->cap * sizeof(*c->free), &p);
	if (r < 0)
		goto unmap_base;
	c->free = p;
	r = vm_alloc(c->cap * sizeof(*c->seq), &p);
	if (r < 0)
		goto unmap_free;
	c->seq = p;
	rt_store_release(&c->base, (uintptr_t)base);
	return 0;
unmap_free:
	vm_free(c->free, c->cap * sizeof(*c->free));
	c->free = NULL;
unmap_base:
	vm_free(base, c->size * c->cap);
restore_cap: /* for a better day */
	c->cap = cap;
	return r;
}

static bool probe_guard(void)
{
	void *p;
	bool ok;

	if (vm_alloc(arena.page, &p) < 0)
		return false;
	ok = vm_guard_probe(p);
	vm_free(p, arena.page);
	return ok;
}

int arena_init(const struct arena_options *opt)
{
	arena.page = vm_page();
	arena.ctl = (opt->ctl_size + RT_LINE - 1) & ~(size_t)(RT_LINE - 1);
	arena.slots_max = opt->slots_max;
	arena.slots = arena.unguarded = 0;
	arena.warned = false;
	for (int i = 0; i < ARENA_CLASSES; i++) {
		struct class *c = &arena.cls[i];

		/* Room for a guard and some stack where pages are large. */
		c->size = geometry[i].size;
		if (c->size < 4 * arena.page)
			c->size = 4 * arena.page;
		c->cap = geometry[i].cap;
		if (c->cap > arena.slots_max)
			c->cap = arena.slots_max;
	}
	arena.madvise = opt->guard == ARENA_GUARD_AUTO && probe_guard();
	return 0;
}

void arena_fini(void)
{
	for (int i = 0; i < ARENA_CLASSES; i++)
		if (class_base(&arena.cls[i]))
			class_unmap(&arena.cls[i]);
}

int arena_class(size_t size)
{
	for (int i = 0; i < ARENA_CLASSES; i++)
		if (size <= arena.cls[i].size)
			return i;
	return -EINVAL;
}

size_t arena_class_size(int cls)
{
	return arena.cls[cls].size;
}

static bool guard(char *slot)
{
	return (arena.madvise ? vm_guard_madvise(slot, arena.page) :
				vm_guard_mprotect(slot, arena.page)) == 0;
}

/* Out of mappings is not out of memory: a stack without a guard, counted. */
static void count_unguarded_locked(uint32_t n)
{
	if (n == 0)
		return;
	arena.unguarded += n;
	if (!arena.warned)
		rt_warn("no more guard pages (vm.max_map_count): further "
			"stacks overflow silently");
	arena.warned = true;
}

/* The next slot that was never used, without a guard.  Its index, or -errno. */
static int64_t claim_locked(struct class *c)
{
	uint32_t i = rt_load_relaxed(&c->used);
	int r;

	if (i == c->cap || arena.slots == arena.slots_max)
		return -EAGAIN;
	if (i == c->mapped) {
		size_t n = COMMIT_BYTES / c->size;

		n = n == 0 ? 1 : n > c->cap - i ? c->cap - i : n;
		r = vm_commit(class_base(c) + i * c->size, n * c->size);
		if (r < 0)
			return r;
		c->mapped += (uint32_t)n;
	}
	arena.slots++;
	rt_store_release(&c->used, i + 1);
	return i;
}

static int64_t fresh_locked(struct class *c)
{
	int64_t i = claim_locked(c);

	if (i >= 0 && !guard(class_base(c) + (size_t)i * c->size))
		count_unguarded_locked(1);
	return i;
}

static uint32_t warm_locked(const struct class *c)
{
	return c->n - (c->cold > c->busy ? c->cold : c->busy);
}

static int64_t pop_locked(struct class *c)
{
	if (c->n == c->busy) /* I2 */
		return fresh_locked(c);
	c->n--;
	if (c->low > c->n)
		c->low = c->n;
	if (c->cold > c->n)
		c->cold = c->n;
	return c->free[c->n];
}

/* How many, or -errno. */
static int get_locked(int cls, uint32_t *refs, int max)
{
	struct class *c = &arena.cls[cls];
	int64_t i = 0;
	int n = 0;

	if (!class_base(c))
		i = class_map(c);
	while (i >= 0 && n < max) {
		if (n > 0 && warm_locked(c) == 0)
			break; /* none warm: one cold at a time */
		i = pop_locked(c);
		if (i >= 0)
			refs[n++] = (uint32_t)cls << ARENA_INDEX_BITS |
			    (uint32_t)i;
	}
	return n > 0 ? n : (int)i;
}

int arena_get(int cls, uint32_t *refs, int max)
{
	bool soon;
	int n;

	do {
		rt_lock(&arena.lock);
		n = get_locked(cls, refs, max);
		soon = n == -EAGAIN && arena.preparing > 0;
		rt_unlock(&arena.lock);
		if (soon) /* those are nobody's: microseconds */
			(void)sched_yield();
	} while (soon);
	return n;
}

/*
 * One step's slots; the work is done without the lock.  The last eighth of all
 * is left to those who ask for them, perhaps of another class.
 */
static uint32_t prepare_some(
    struct class *c, uint32_t cls, uint32_t want, bool touch)
{
	uint32_t refs[PREPARE_STEP], n = 0, bare = 0;
	int64_t i = 0;

	rt_lock(&arena.lock);
	while (n < PREPARE_STEP && warm_locked(c) + n < want &&
	    arena.slots < arena.slots_max - arena.slots_max / 8 &&
	    (i = claim_locked(c)) >= 0)
		refs[n++] = cls << ARENA_INDEX_BITS | (uint32_t)i;
	arena.preparing += n;
	rt_unlock(&arena.lock);
	for (uint32_t k = 0; k < n; k++) {
		bare += !guard(class_base(c) + INDEX(refs[k]) * c->size);
		if (touch)
			memset(arena_ctl(refs[k]), 0, 1); /* the page fault */
	}
	if (n > 0)
		arena_put(refs, (int)n);
	rt_lock(&arena.lock);
	count_unguarded_locked(bare);
	arena.preparing -= n;
	rt_unlock(&arena.lock);
	return n;
}

uint32_t arena_prepare(int cls, uint32_t want, bool touch)
{
	struct class *c = &arena.cls[cls];
	uint32_t done = 0, n = 1;

	while (class_base(c) && done < want && n > 0) {
		n = prepare_some(c, (uint32_t)cls, want, touch);
		done += n;
	}
	return done;
}

uint32_t arena_in_use(int cls)
{
	struct class *c = &arena.cls[cls];
	uint32_t n;

	rt_lock(&arena.lock);
	n = rt_load_relaxed(&c->used) - c->n;
	rt_unlock(&arena.lock);
	return n;
}

void arena_put(const uint32_t *refs, int n)
{
	rt_lock(&arena.lock);
	for (int k = 0; k < n; k++) {
		struct class *c = &arena.cls[CLASS(refs[k])];

		c->free[c->n++] = INDEX(refs[k]);
	}
	rt_unlock(&arena.lock);
}

uint64_t arena_seq(uint32_t ref)
{
	return arena.cls[CLASS(ref)].seq[INDEX(ref)];
}

void arena_retire(uint32_t ref)
{
	void *lo;
	char *hi = arena_stack(ref, &lo);

	vm_discard(lo, (size_t)(hi - (char *)lo));
}

bool arena_has(uint32_t ref)
{
	uint32_t cls = CLASS(ref);

	return cls < ARENA_CLASSES &&
	    INDEX(ref) < rt_load_acquire(&arena.cls[cls].used);
}

void *arena_ctl(uint32_t ref)
{
	const struct class *c = &arena.cls[CLASS(ref)];
	uint32_t i = INDEX(ref);

	return (char *)rt_load_relaxed(&c->base) + (i + 1) * c->size -
	    arena.ctl - (i % COLOURS) * RT_LINE;
}

void *arena_stack(uint32_t ref, void **lo)
{
	const struct class *c = &arena.cls[CLASS(ref)];

	*lo = (char *)rt_load_relaxed(&c->base) + INDEX(ref) * c->size +
	    arena.page;
	return arena_ctl(ref);
}

bool arena_inside(uint32_t ref, uintptr_t at)
{
	const struct class *c = &arena.cls[CLASS(ref)];
	uintptr_t base = rt_load_relaxed(&c->base);

	return at >= base && at - base < c->size * c->cap;
}

uint32_t arena_used(int cls)
{
	return rt_load_acquire(&arena.cls[cls].used);
}

void arena_mark(void)
{
	rt_lock(&arena.lock);
	for (int i = 0; i < ARENA_CLASSES; i++) {
		struct class *c = &arena.cls[i];

		if (c->n > WARM && c->n - WARM > c->cold)
			c->low = c->n - WARM;
	}
	rt_unlock(&arena.lock);
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Releases slots list[0..n), merging neighbours into one call. */
static void release(struct class *c, uint32_t *list, uint32_t n,
    uint64_t (*read_seq)(void *), uint32_t cls)
{
	qsort(list, n, sizeof(*list), by_index);
	for (uint32_t i = 0; i < n; i++)
		c->seq[list[i]] =
		    read_seq(arena_ctl(cls << ARENA_INDEX_BITS | list[i]));
	for (uint32_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && list[k] == list[k - 1] + 1;)
			k++;
		/* Guards survive this, and so do those by mprotect. */
		vm_discard(
		    class_base(c) + list[i] * c->size, (k - i) * c->size);
	}
}

#ifdef RT_TSAN
/* The fiber of a slot is kept in its control block. */
bool arena_trim(uint32_t max, uint64_t (*read_seq)(void *ctl))
{
	(void)max;
	(void)read_seq;
	(void)release;
	return false;
}
#else
bool arena_trim(uint32_t max, uint64_t (*read_seq)(void *ctl))
{
	bool more = false;

	for (uint32_t cls = 0; cls < ARENA_CLASSES; cls++) {
		struct class *c = &arena.cls[cls];
		uint32_t from, n;

		rt_lock(&arena.lock);
		from = c->cold;
		n = c->low - c->cold;
		if (n > max)
			n = max;
		c->busy = n > 0 ? from + n : 0;
		rt_unlock(&arena.lock);
		if (n > 0)
			release(c, c->free + from, n, read_seq, cls);
		rt_lock(&arena.lock);
		c->busy = 0;
		c->cold += n;
		more |= c->cold < c->low;
		rt_unlock(&arena.lock);
	}
	return more;
}
#endif

void arena_stats(struct arena_stats *out)
{
	memset(out, 0, sizeof(*out));
	rt_lock(&arena.lock);
	out->guard_madvise = arena.madvise;
	out->slots = arena.slots;
	out->unguarded = arena.unguarded;
	for (int i = 0; i < ARENA_CLASSES; i++) {
		out->bytes += (uint64_t)rt_load_relaxed(&arena.cls[i].used) *
		    arena.cls[i].size;
		out->free += arena.cls[i].n;
		out->released += arena.cls[i].cold;
	}
	rt_unlock(&arena.lock);
}
