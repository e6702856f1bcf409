/* SPDX-License-Identifier: MIT */
/* m.c - threads that run goroutines: start, end, what they inherit. */

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fatal.h"
#include "base/membar.h"
#include "base/thread.h"
#include "base/vm.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/topology.h"

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
	size_t alt_size;
	int slack;
} clean;

void m_init(void)
{
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGABRT, SIGSYS, SIGPROF };
	const struct cpus *cpus = topology_cpus();
	size_t min = 4 * getauxval(AT_MINSIGSTKSZ);

	/* The program's signals go to the program's threads. */
	(void)sigfillset(&clean.mask);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		(void)sigdelset(&clean.mask, ours[i]);
	clean.slack = prctl(PR_GET_TIMERSLACK);
	clean.alt_size = min > ALT_STACK ? min : ALT_STACK;
	membar_init();
	sched.nice = getpriority(PRIO_PROCESS, 0);
	sched.ncpus = cpus ? cpus_count(cpus) : 1;
	sched.fence_mode = !rt_load_acquire(&membar_works);
}

const void *m_clean_cpus(size_t *size)
{
	const struct cpus *cpus = topology_cpus();

	*size = sizeof(*cpus);
	return cpus ? cpus->set : NULL;
}

unsigned long m_clean_slack(void)
{
	return clean.slack > 0 ? (unsigned long)clean.slack : 0;
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

/* A thread of ours ends, and not by m_main: its goroutine, its P and whatever
 * it held are lost.  Better to say so than to hang. */
static void lost(void *arg)
{
	(void)arg;
	rt_fatal("a goroutine ended its thread: pthread_exit, or a "
		 "cancelled thread");
}

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t lost_key;
static bool have_key;

static void make_key(void)
{
	have_key = pthread_key_create(&lost_key, lost) == 0;
}

static void mark(void *value)
{
	(void)pthread_once(&key_once, make_key);
	if (have_key)
		(void)pthread_setspecific(lost_key, value);
}

/* A thread that is not ours may have an alternate stack. */
static void alt_begin(stack_t *alt)
{
	stack_t had;

	*alt = (stack_t){ .ss_size = clean.alt_size };
	if (sigaltstack(NULL, &had) == 0 && (had.ss_flags & SS_DISABLE) &&
	    vm_alloc(clean.alt_size, &alt->ss_sp) == 0)
		(void)sigaltstack(alt, NULL);
}

static void alt_end(stack_t *alt)
{
	if (!alt->ss_sp)
		return;
	alt->ss_flags = SS_DISABLE;
	(void)sigaltstack(alt, NULL);
	vm_free(alt->ss_sp, clean.alt_size);
}

static void *m_main(void *arg)
{
	struct m *mp = arg;
	stack_t alt;

	m_tls = mp;
	mp->tid = thread_self();
	mark(mp);
	(void)prctl(PR_SET_TIMERSLACK, 1); /* sleeps of us, not of 50 us */
	/* sysmon may have started it, and its slice is not for others. */
	(void)thread_weigh(0, getpriority(PRIO_PROCESS, 0), 0);
	(void)prctl(PR_SET_NAME, "gamp");
	alt_begin(&alt);
	set_stack_bounds(mp);
	san_thread(&mp->san);
	rcu_add(&mp->rcu);
	rt_lock(&sched.lock);
	acquirep(mp, mp->nextp);
	mp->nextp = NULL;
	rt_unlock(&sched.lock);
	topology_bind(mp);
	sched_loop(mp);
	rcu_remove(&mp->rcu, NULL);
	alt_end(&alt);
	mark(NULL);
	m_tls = NULL;
	return NULL;
}

static int spawn_thread(struct m *mp)
{
	const struct cpus *cpus = topology_cpus();
	pthread_attr_t a;
	int r = -pthread_attr_init(&a);

	if (r < 0)
		return r;
	(void)pthread_attr_setstacksize(&a, G0_STACK);
	(void)pthread_attr_setsigmask_np(&a, &clean.mask);
	if (cpus)
		(void)pthread_attr_setaffinity_np(
		    &a, sizeof(*cpus), cpus->set);
	r = -pthread_create(&mp->thread, &a, m_main, mp);
	(void)pthread_attr_destroy(&a);
	return r;
}

static void init(struct m *mp)
{
	*mp = (struct m){ .sample = 1 };
	rt_store_relaxed(&mp->in_runtime, 1);
	if (sched.fence_mode)
		rt_store_relaxed(&mp->flags, M_FENCE);
	rng_seed(&mp->rng, (uintptr_t)mp ^ (uint64_t)clock_real());
}

static void list_locked(struct m *mp)
{
	mp->all_link = sched.allm;
	sched.allm = mp;
	sched.nm++;
	stat_inc(&sched.m_stats.started);
	mp->number = (uint32_t)rt_load_relaxed(&sched.m_stats.started);
	if (sched.nm > rt_load_relaxed(&sched.m_stats.peak))
		rt_store_relaxed(&sched.m_stats.peak, sched.nm);
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
	mp = rt_alloc_line(sizeof(*mp));
	if (!mp)
		return -ENOMEM;
	init(mp);
	mp->nextp = pp;
	mp->spinning = spinning;

	/* It is counted before it runs: no moment without an M (trap 9). */
	rt_lock(&sched.lock);
	r = sched.nm < (uint32_t)sched.max_threads &&
		!rt_load_relaxed(&sched.halt) ?
	    0 :
	    -EAGAIN;
	if (r == 0) {
		list_locked(mp);
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
	rt_release_line(mp);
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
		rt_release_line(mp);
	}
}

/* Under sched.lock, by mp itself, as the last thing it does there. */
void m_end_locked(struct m *mp)
{
	unlist(mp);
	if (mp->borrowed)
		return; /* nobody joins it */
	mp->all_link = sched.deadm;
	sched.deadm = mp;
}

void m_borrow(struct m *mp)
{
	init(mp);
	mp->borrowed = true;
	mp->tid = thread_self();
	mp->thread = pthread_self();
	set_stack_bounds(mp);
	san_thread(&mp->san);
	rcu_add(&mp->rcu);
	rt_lock(&sched.lock);
	list_locked(mp);
	rt_unlock(&sched.lock);
}

void m_return(struct m *mp)
{
	rcu_remove(&mp->rcu, NULL);
}

void m_serve(struct m *mp)
{
	stack_t alt;

	alt_begin(&alt);
	mark(mp);
	m_tls = mp;
	sched_loop(mp);
	topology_unbind();
	m_tls = NULL;
	mark(NULL);
	alt_end(&alt);
	m_return(mp);
}
