/* SPDX-License-Identifier: MIT */
/* held.c - see held.h. */

#include "sched/held.h"

#ifdef RT_DEBUG

#include <dlfcn.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/vm.h"
#include "sched/dump.h"

#define PLACES 64 /* said once; from then on nothing is said */

static int (*mutexes_held)(int forget);

static struct {
	struct rt_lock lock;
	uint32_t n;
	uint64_t said[PLACES]; /* sums of backtraces */
} places = { .lock = RT_LOCK_INIT(RANK_LEAF) };

void held_init(void)
{
	/* A data pointer as a function's: POSIX has it so. */
	*(void **)&mutexes_held = dlsym(RTLD_DEFAULT, "gamp_mutexes_held");
}

/* False: the last time was enough. */
static bool is_new(const struct backtrace *t)
{
	uint64_t sum = t->n;
	bool found = false;

	for (uint32_t i = 0; i < t->n && i < TRACE_FIRST; i++)
		sum = sum * 31 + t->pc[i];
	rt_lock(&places.lock);
	for (uint32_t i = 0; i < places.n; i++)
		found |= places.said[i] == sum;
	if (places.n == PLACES)
		found = true;
	else if (!found)
		places.said[places.n++] = sum;
	rt_unlock(&places.lock);
	return !found;
}

/* Much, for a goroutine's stack: symbols are in memory of the system's. */
struct report {
	struct say out;
	struct symbols symbols;
	struct shot shot;
};

static void report(struct g *gp, int n, void *from)
{
	struct report *r;
	void *p;

	if (vm_alloc(sizeof(*r), &p) < 0)
		return;
	r = p;
	shot_take(&r->shot, gp, g_id(gp));
	backtrace_here(&r->shot.trace, from);
	if (is_new(&r->shot.trace)) {
		symbols_init(&r->symbols);
		say_to(&r->out, STDERR_FILENO);
		say(&r->out,
		    "gamp: goroutine %ld%s%s%s parks, and holds %ld pthread "
		    "mutex%s\n",
		    (long)g_id(gp), r->shot.named ? " \"" : "", r->shot.name,
		    r->shot.named ? "\"" : "", (long)n, n > 1 ? "es" : "");
		shot_say_origin(&r->shot, &r->symbols, &r->out);
		shot_say_trace(&r->shot, &r->symbols, &r->out);
		(void)say_end(&r->out);
		symbols_fini(&r->symbols);
	}
	vm_free(r, sizeof(*r));
}

void held_check(struct g *gp)
{
	int n;

	if (!mutexes_held)
		return;
	n = mutexes_held(1);
	if (n > 0)
		report(gp, n, __builtin_return_address(0));
}

#endif
