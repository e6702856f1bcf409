/* SPDX-License-Identifier: MIT */
/* m.c - threads that run goroutines: start, end, what they inherit. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/membar.h"
#include "base/vm.h"
#include "sched/m.h"
#include "sched/sched.h"

#if defined(RT_ASAN) || defined(RT_TSAN)
#define G0_STACK ((size_t)8 << 20)
#else
#define G0_STACK ((size_t)256 << 10) /* the loop, a poll, a callback */
#endif
#define ALT_STACK ((size_t)64 << 10) /* a frame takes up to 12 KiB (AMX) */

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Used by name, in assembly: LTO may not move it out of sight. */
__attribute__((used)) __thread struct m *m_tls;

/* Threads begin with this, whoever starts them: not with what a goroutine
 * may have done to its own. */
static struct {
	sigset_t mask;
	cpu_set_t cpus;
	bool have_cpus;
	size_t alt_size;
} clean;

void m_init(void)
{
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGABRT, SIGSYS, SIGPROF };
	size_t min = 4 * getauxval(AT_MINSIGSTKSZ);

	/* The program's signals go to the program's threads. */
	(void)sigfillset(&clean.mask);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		(void)sigdelset(&clean.mask, ours[i]);
	clean.have_cpus =
	    sched_getaffinity(0, sizeof(clean.cpus), &clean.cpus) == 0;
	clean.alt_size = min > ALT_STACK ? min : ALT_STACK;
	membar_init();
	sched.fence_mode = !rt_load_acquire(&membar_works);
}

#ifdef RT_ASAN
static void set_stack_bounds(struct m *mp)
{
	pthread_attr_t a;
	void *lo;

	if (pthread_getattr_np(pthread_self(), &a) != 0)
		return;
	(void)pthread_attr_getstack(&a, &lo, &mp->san.size);
	mp->san.bottom = lo;
	(void)pthread_attr_destroy(&a);
}
#else
static void set_stack_bounds(struct m *mp)
{
	(void)mp;
}
#endif

static void *m_main(void *arg)
{
	struct m *mp = arg;
	stack_t alt = { .ss_size = clean.alt_size };

	m_tls = mp;
	(void)prctl(PR_SET_TIMERSLACK, 1); /* sleeps of us, not of 50 us */
	(void)prctl(PR_SET_NAME, "gamp");
	if (vm_alloc(clean.alt_size, &alt.ss_sp) == 0)
		(void)sigaltstack(&alt, NULL);
	set_stack_bounds(mp);
	san_thread(&mp->san);
	rt_lock(&sched.lock);
	acquirep(mp, mp->nextp);
	mp->nextp = NULL;
	rt_unlock(&sched.lock);
	sched_loop(mp);
	if (alt.ss_sp) {
		alt.ss_flags = SS_DISABLE;
		(void)sigaltstack(&alt, NULL);
		vm_free(alt.ss_sp, clean.alt_size);
	}
	m_tls = NULL;
	return NULL;
}

static int spawn_thread(struct m *mp)
{
	pthread_attr_t a;
	int r = -pthread_attr_init(&a);

	if (r < 0)
		return r;
	(void)pthread_attr_setstacksize(&a, G0_STACK);
	(void)pthread_attr_setsigmask_np(&a, &clean.mask);
	if (clean.have_cpus)
		(void)pthread_attr_setaffinity_np(
		    &a, sizeof(clean.cpus), &clean.cpus);
	r = -pthread_create(&mp->thread, &a, m_main, mp);
	(void)pthread_attr_destroy(&a);
	return r;
}

static void unlist(struct m *mp)
{
	struct m **at = &sched.allm;

	while (*at != mp)
		at = &(*at)->all_link;
	*at = mp->all_link;
	sched.nm--;
}

int m_start(struct p *pp, bool spinning)
{
	struct m *mp;
	int r;

	m_reap();
	mp = aligned_alloc(
	    RT_LINE, (sizeof(*mp) + RT_LINE - 1) & ~(size_t)(RT_LINE - 1));
	if (!mp)
		return -ENOMEM;
	*mp = (struct m){ .nextp = pp, .spinning = spinning };
	rt_store_relaxed(&mp->in_runtime, 1);
	if (sched.fence_mode)
		rt_store_relaxed(&mp->flags, M_FENCE);
	rng_seed(&mp->rng, (uintptr_t)mp ^ (uint64_t)clock_real());

	/* It is counted before it runs: no moment without an M (trap 9). */
	rt_lock(&sched.lock);
	r = sched.nm < (uint32_t)sched.max_threads &&
		!rt_load_relaxed(&sched.halt) ?
	    0 :
	    -EAGAIN;
	if (r == 0) {
		mp->all_link = sched.allm;
		sched.allm = mp;
		sched.nm++;
		rt_store_release(&pp->m, (uintptr_t)mp); /* I2 */
	}
	rt_unlock(&sched.lock);
	if (r == 0) {
		r = spawn_thread(mp);
		if (r == 0)
			return 0;
		rt_lock(&sched.lock);
		unlist(mp);
		rt_store_release(&pp->m, 0);
		rt_unlock(&sched.lock);
	}
	free(mp);
	return r;
}

void m_reap(void)
{
	struct m *mp, *next;

	rt_lock(&sched.lock);
	mp = sched.deadm;
	sched.deadm = NULL;
	rt_unlock(&sched.lock);
	for (; mp; mp = next) {
		next = mp->all_link;
		(void)pthread_join(mp->thread, NULL);
		free(mp);
	}
}

/* Under sched.lock, by mp itself, as the last thing it does there. */
void m_end_locked(struct m *mp)
{
	unlist(mp);
	mp->all_link = sched.deadm;
	sched.deadm = mp;
}
