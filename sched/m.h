/* SPDX-License-Identifier: MIT */
/*
 * m.h - M: a thread that runs goroutines, and how calls enter and leave.
 *
 *	    program's code                     the runtime
 *	    --------------                     -----------
 *	    ...                     m_enter()  in_runtime = 1
 *	    gamp_something()  ------------->   compiler barrier          (E1)
 *	                                       flags? -> slow path
 *	                                       touch the P
 *	    ...               <-------------   in_runtime = 0 (release)
 *	                            m_exit()
 *
 * While in_runtime is 0 the P may be taken away (retake, in detach.c):
 *
 *	taker, under sched.lock: in_runtime 1? leave it.  flags |= DETACHED;
 *	membarrier (pairs with E1); in_runtime again: 1? the M is inside and
 *	may not have seen the flag: take the request back.  0: whatever the M
 *	calls next sees the flag; the P is the taker's.
 *
 * Either the M's store of in_runtime is before the barrier, and the taker
 * sees it, or its load of flags is after, and it sees DETACHED.  The M pays
 * two plain stores and a load; the taker 1.6 us.
 *
 * An M on its own stack (g0), or asleep, keeps in_runtime at 1.  Where
 * membarrier is refused, every M has M_FENCE set for ever, and the slow path
 * of m_enter fences and looks again.
 *
 *	flag		set by				cleared by
 *	M_DETACHED	retake; handing over the P	m_enter, with a P
 *	M_HOG		with it, if it computes		m_enter, with a P
 *	M_PREEMPT	sysmon: let others run		m_enter, which yields
 *			(inside an RCU section it waits for its end)
 *	M_SLICE		with it: the slice is over	m_enter
 *	M_FENCE		thread start			never
 *
 * Invariants
 *	I1  flags is written under sched.lock.
 *	I2  p->m is the new owner from the moment of hand-over on
 *	    (tests/model/model_lockm.cpp).
 *	I3  m_self() is read anew after every park: volatile asm (arch/cpu.h).
 */
#ifndef RT_SCHED_M_H
#define RT_SCHED_M_H

#include <errno.h>
#include <pthread.h>

#include "arch/cpu.h"
#include "base/note.h"
#include "base/rand.h"
#include "sched/g.h"
#include "sched/p.h"
#include "sched/park.h"

#define M_DETACHED 1u
#define M_PREEMPT  2u
#define M_FENCE	   4u
#define M_HOG	   8u
#define M_SLICE	   16u

/* What the G that has just left its stack wants done. */
enum m_op { OP_PARK, OP_YIELD, OP_EXIT, OP_DETACHED };

struct m {
	/* Read and written at every entry. */
	rt_a32 in_runtime;
	rt_a32 flags;	/* I1 */
	rt_aptr curg;	/* struct g *: what it runs */
	rt_aptr p;	/* struct p *; see above */

	/* The G leaves these for g0 when it switches. */
	struct ctx ctx; /* g0: the thread's own stack */
	struct g *left; /* or for whoever arrives: switch.h */
	enum m_op op;
	uint32_t sample; /* so many to ready until the next sample: stats.h */
	rt_a32 rare;	 /* of its G: G_BLOCKING, G_HOOKED, G_EXCEPTIONS */
	rt_commit_fn commit;
	void *commit_arg;
	struct rcu_reader rcu; /* of whoever it runs: rcu.h */

	/* Its own. */
	bool spinning;	/* looks for work; counted in sched.nspinning */
	uint32_t quick;	/* sleeps in a row that a waker soon ended: wake.h */
	uint32_t number;  /* of those ever started; for reports */
	uint32_t sample_shift;
	int64_t sampled_at;
	struct rng rng;
	struct san san;
	void *altstack;
	uint32_t bound;	/* to that P's processor, plus one; 0: to none */

	/* Others'. */
	struct note note;   /* what it sleeps on when idle */
	struct p *nextp;    /* handed over by who woke it; sched.lock */
	bool next_spinning; /* and its place among the spinning; sched.lock */
	struct m *idle_link; /* sched.lock */
	bool idle;	    /* on the idle list; sched.lock */
	bool hog;	    /* on sched.hogs; sched.lock */
	bool mutates;	    /* world.h; sched.lock */
	bool spoilt;	    /* its own: it stays slow, and ends: detach.h */
	struct m *hog_link; /* sched.lock */
	bool odd;	    /* its own: locked, or: */
	bool ends;	    /* the loop returns */
	bool borrowed;	    /* not our thread: m_borrow */
	bool guest;	    /* its own: guest.h */
	rt_aptr locked; /* struct g *: it runs nothing else; lockm.h */
	int tid;	    /* the kernel's; before it first has a P */
	rt_a32 apart;	    /* a processor, plus one: apart.h */
	struct m *all_link; /* sched.lock */
	pthread_t thread;
};

extern __thread struct m *m_tls
    __attribute__((visibility("hidden"), tls_model("initial-exec")));

/* The M of the calling thread; null elsewhere.  Stale after any park. */
static inline struct m *m_self(void)
{
	return cpu_tls_load(struct m *, m_tls);
}

/* What mp runs, for any thread that keeps mp from ending. */
static inline struct g *m_curg(struct m *mp)
{
	return (struct g *)rt_load_relaxed(&mp->curg);
}

static inline void m_set_curg(struct m *mp, struct g *gp)
{
	rt_store_relaxed(&mp->curg, (uintptr_t)gp);
}

/* Written by mp; sysmon looks, too. */
static inline struct g *m_locked(struct m *mp)
{
	return (struct g *)rt_load_relaxed(&mp->locked);
}

static inline void m_set_locked(struct m *mp, struct g *gp)
{
	rt_store_relaxed(&mp->locked, (uintptr_t)gp);
}

static inline struct p *m_p(struct m *mp)
{
	return (struct p *)rt_load_relaxed(&mp->p);
}

/* By mp, as g_set_rare; others may read it. */
static inline void m_set_rare(struct m *mp, uint32_t set, uint32_t clear)
{
	rt_store_relaxed(
	    &mp->rare, (rt_load_relaxed(&mp->rare) & ~clear) | set);
}

/* Its G is in an announced call. */
static inline bool m_is_blocking(struct m *mp)
{
	return rt_load_relaxed(&mp->rare) & G_BLOCKING;
}

/* The P that the caller is on, or was a moment ago: for affinity only. */
static inline uint32_t m_home(void)
{
	struct m *mp = m_self();
	struct p *pp = mp ? m_p(mp) : NULL;

	return pp ? pp->id : 0;
}

/* A goroutine may touch its P only between m_enter and m_exit. */
#ifdef RT_MODEL
#define m_check_inside(mp) ((void)0) /* what models call is inside */
#else
static inline void m_check_inside(struct m *mp)
{
	rt_assert(!mp || rt_load_relaxed(&mp->in_runtime));
}
#endif

/* Slow half of m_enter: gets a P, or yields.  The M it is on afterwards. */
struct m *m_enter_slow(struct m *mp);

/* A goroutine, or a thread of the runtime, that is not between the two. */
static inline bool m_is_outside(void)
{
	struct m *mp = m_self();

	return mp && !rt_load_relaxed(&mp->in_runtime);
}

/* From here to m_exit the caller has a P.  Null: not an M. */
static inline struct m *m_enter(void)
{
	struct m *mp = m_self();

	if (!mp)
		return NULL;
	/* It does not nest: the first exit would let the P be taken. */
	rt_assert(!m_curg(mp) || !rt_load_relaxed(&mp->in_runtime));
	rt_store_relaxed(&mp->in_runtime, 1);
	rt_barrier(); /* E1 */
	if (rt_unlikely(rt_load_relaxed(&mp->flags)))
		mp = m_enter_slow(mp);
	return mp;
}

/* The goroutine goes back to the program, perhaps on another M. */
static inline void m_exit(void)
{
	struct m *mp = m_self();

	if (mp && rt_likely(m_curg(mp) != NULL)) /* else a short timer, on g0 */
		rt_store_release(&mp->in_runtime, 0);
}

/* The same, for who is a goroutine for sure. */
static inline void m_exit_g(void)
{
	rt_store_release(&m_self()->in_runtime, 0);
}

/* m_exit for who has not parked since it entered as mp, running gp. */
static inline void m_leave_as(struct m *mp, struct g *gp)
{
	if (rt_likely(gp != NULL))
		rt_store_release(&mp->in_runtime, 0);
}

static inline void m_leave(struct m *mp)
{
	m_leave_as(mp, mp ? m_curg(mp) : NULL);
}

/* Where a blocking call begins: a goroutine that never parks can be made to
 * yield here.  0; -ECANCELED if it is cancelled; -EPERM if it is none. */
static inline int m_checkpoint(void)
{
	struct m *mp = m_self();

	if (rt_unlikely(!mp || !m_curg(mp)))
		return -EPERM;
	if (rt_unlikely(rt_load_relaxed(&mp->flags))) {
		(void)m_enter();
		m_exit();
		mp = m_self();
	}
	return g_cancelled(m_curg(mp)) ? -ECANCELED : 0;
}

/* park.c: leaves the stack of a goroutine that has lost its P. */
void m_leave_detached(struct m *mp);

/* Starts a thread that runs goroutines, with pp.  0 or -errno; on failure pp
 * is still the caller's.  Not under sched.lock. */
int m_start(struct p *pp, bool spinning);

/* The calling thread, which the program made, will serve as mp, or has done
 * so.  m_end_locked comes between the two; m_tls is the caller's to set. */
void m_borrow(struct m *mp);
void m_return(struct m *mp);

/* All of it, for a borrowed M that is locked to a goroutine: until that has
 * exited. */
void m_serve(struct m *mp);

/* Under sched.lock: the calling M is about to end. */
void m_end_locked(struct m *mp);

/* Joins the threads that have ended; all of them when the runtime stops. */
void m_reap(void);

/* What a child process gets in place of an M's own: which processors (null:
 * not known), the slack of timers in ns. */
const void *m_clean_cpus(size_t *size);
unsigned long m_clean_slack(void);

/* What threads begin with, and what membarrier(2) can do; once, at start. */
void m_init(void);

/* The loop of an M; returns when it has to end. */
void sched_loop(struct m *mp);

/* One step of it: a task to run on its P, which it has; or null. */
struct task *sched_find(struct m *mp);

#endif
