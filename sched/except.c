/* SPDX-License-Identifier: MIT */
/* except.c - see except.h. */

#include <dlfcn.h>
#include <string.h>

#include "sched/except.h"
#include "sched/m.h"

/* As the ABI has it; the same for gcc's and llvm's runtime. */
struct eh_globals {
	void *caught;
	unsigned int uncaught;
};

_Static_assert(sizeof(struct eh_globals) ==
	sizeof(((struct g *)NULL)->except), "two words");

/* There if the program is C++, or has loaded something that is. */
extern struct eh_globals *__cxa_get_globals(void) __attribute__((weak));

typedef struct eh_globals *globals_fn(void);

static rt_aptr found; /* globals_fn * */

static globals_fn *globals(void)
{
	void *fn = (void *)rt_load_acquire(&found);

	if (rt_unlikely(!fn)) {
		fn = (void *)__cxa_get_globals;
		if (!fn)
			fn = dlsym(RTLD_DEFAULT, "__cxa_get_globals");
		rt_store_release(&found, (uintptr_t)fn);
	}
	return (globals_fn *)fn;
}

void except_later(struct g *gp)
{
	if (!globals())
		return; /* nobody can throw */
	memset(gp->except, 0, sizeof(gp->except));
	g_set_rare(gp, G_EXCEPTIONS, 0);
}

/* "GNUCC++" and a version, or "CLNGC++": whoever throws one counts it. */
void except_caught(uint64_t cls)
{
	const uint64_t cxx = UINT64_C(0x432b2b); /* "C++" */

	if ((cls >> 8 & 0xffffff) == cxx && globals())
		globals()()->uncaught--;
}

void except_swap(struct g *gp)
{
	struct eh_globals *now = globals()(), had = *now;

	memcpy(now, gp->except, sizeof(*now));
	memcpy(gp->except, &had, sizeof(had));
}

/* What is being caught as it is set is the goroutine's, not the thread's. */
bool except_set(struct m *mp, struct g *gp, bool on)
{
	bool was = rt_load_relaxed(&gp->rare) & G_EXCEPTIONS;

	if (on && !was) {
		except_later(gp);
		if (rt_load_relaxed(&gp->rare) & G_EXCEPTIONS)
			m_set_rare(mp, G_EXCEPTIONS, 0);
	} else if (was && !on) {
		g_set_rare(gp, 0, G_EXCEPTIONS);
		m_set_rare(mp, 0, G_EXCEPTIONS);
	}
	return was;
}
