/* SPDX-License-Identifier: MIT */
/* places.c - the only file that knows hwloc; see places.h. */

#include <dlfcn.h>
#include <hwloc.h>
#include <stddef.h>
#include <stdlib.h>

#include "sched/places.h"

/* The name goes with the layout of its structs: another one is not ours. */
#define LIBRARY "libhwloc.so.15"
#define MAJOR(version) ((version) >> 16)

/* To visit each processor for what it says of itself takes longer than all
 * else, and the kernel has told already.  Since hwloc 2.5. */
#if HWLOC_API_VERSION >= 0x00020500
#define STAY HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING
#else
#define STAY 0UL
#endif

#define CALLS(X)                            \
	X(get_api_version)                  \
	X(topology_init)                    \
	X(topology_destroy)                 \
	X(topology_set_flags)               \
	X(topology_load)                    \
	X(get_type_depth)                   \
	X(get_nbobjs_by_depth)              \
	X(get_obj_by_depth)                 \
	X(bitmap_isset)                     \
	X(bitmap_isincluded)                \
	X(bitmap_first)

struct hwloc {
	void *lib;
	hwloc_topology_t t;
#define X(call) __typeof__(hwloc_##call) *call;
	CALLS(X)
#undef X
};

static bool find_calls(struct hwloc *h)
{
	static const struct {
		const char *name;
		size_t at;
	} calls[] = {
#define X(call) { "hwloc_" #call, offsetof(struct hwloc, call) },
		CALLS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		void *fn = dlsym(h->lib, calls[i].name);

		if (!fn)
			return false;
		*(void **)((char *)h + calls[i].at) = fn;
	}
	return MAJOR(h->get_api_version()) == MAJOR(HWLOC_API_VERSION);
}

/* Somebody else's machine: its processors are not ours to be limited to. */
static bool made_up(void)
{
	return getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE") ||
	    getenv("HWLOC_FSROOT");
}

/*
 * Its filters save no time, and harm: a node is as large as the package or
 * group that it is found in.
 */
static bool discover(struct hwloc *h)
{
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM |
	    HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING;

	/* An older library does not know STAY. */
	if (!made_up() && h->topology_set_flags(h->t, flags | STAY) < 0)
		(void)h->topology_set_flags(h->t, flags);
	return h->topology_load(h->t) == 0;
}

static hwloc_obj_t node_of(struct hwloc *h, unsigned cpu)
{
	int depth = HWLOC_TYPE_DEPTH_NUMANODE;
	unsigned n = h->get_nbobjs_by_depth(h->t, depth);

	for (unsigned i = 0; i < n; i++) {
		hwloc_obj_t o = h->get_obj_by_depth(h->t, depth, i);

		if (o->cpuset && h->bitmap_isset(o->cpuset, cpu))
			return o;
	}
	return NULL;
}

static bool is_cache(hwloc_obj_t o)
{
	return o->type >= HWLOC_OBJ_L1CACHE && o->type <= HWLOC_OBJ_L5CACHE;
}

/* What is not known is the processor's own: nobody is near by it. */
static struct place place_of(struct hwloc *h, hwloc_obj_t pu)
{
	struct place p = { .core = pu->os_index, .cache = pu->os_index };
	hwloc_obj_t node = node_of(h, pu->os_index);

	if (node)
		p.node = (uint32_t)h->bitmap_first(node->cpuset);
	for (hwloc_obj_t o = pu->parent; o && o->cpuset; o = o->parent) {
		uint32_t key = (uint32_t)h->bitmap_first(o->cpuset);

		if (o->type == HWLOC_OBJ_CORE)
			p.core = p.cache = key;
		else if (is_cache(o) &&
		    (!node || h->bitmap_isincluded(o->cpuset, node->cpuset)))
			p.cache = key;
	}
	return p;
}

/* Processors in the order of their numbers, which is not hwloc's. */
static hwloc_obj_t find_pu(struct hwloc *h, int depth, unsigned n, int cpu)
{
	for (unsigned i = 0; i < n; i++) {
		hwloc_obj_t o = h->get_obj_by_depth(h->t, depth, i);

		if (o->os_index == (unsigned)cpu)
			return o;
	}
	return NULL;
}

static uint32_t read_places(struct hwloc *h, const struct cpus *allowed,
    struct place *out, uint32_t max)
{
	int depth = h->get_type_depth(h->t, HWLOC_OBJ_PU), cpu = 0;
	unsigned n = h->get_nbobjs_by_depth(h->t, depth);
	bool any = made_up();
	uint32_t found = 0;

	for (; found < max && found < n; cpu++) {
		hwloc_obj_t pu;

		if (!any)
			cpu = cpus_next(allowed, cpu);
		if (cpu < 0 || cpu >= CPUS_MAX)
			break;
		pu = find_pu(h, depth, n, cpu);
		if (!pu && !any)
			return 0; /* allowed, but unknown: ranks are off */
		if (!pu)
			continue;
		out[found] = place_of(h, pu);
		out[found].rank = found;
		found++;
	}
	return found;
}

uint32_t places_load(
    const struct cpus *allowed, struct place *out, uint32_t max)
{
	struct hwloc h = { .lib = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL) };
	uint32_t n = 0;

	if (!h.lib)
		return 0;
	if (find_calls(&h) && h.topology_init(&h.t) == 0) {
		if (discover(&h))
			n = read_places(&h, allowed, out, max);
		h.topology_destroy(h.t);
	}
	(void)dlclose(h.lib);
	return n;
}
