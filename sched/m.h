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
 * While in_runtime is 0 the P may be taken away (retake, in blocking.c):
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
 *	M_PREEMPT	sysmon: the slice is over	m_enter, which yields
 *	M_FENCE		thread start			never
 *
 * Invariants
 *	I1  flags is written under sched.lock.
 *	I2  p->m is the new owner from the moment of hand-over on.
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

/* What the G that has just left its stack wants done. */
enum m_op { OP_PARK, OP_YIELD, OP_EXIT, OP_DETACHED };

struct m {
	/* Read and written at every entry. */
	rt_a32 in_runtime;
	rt_a32 flags;	/* I1 */
	struct g *curg;
	rt_aptr p;	/* struct p *; see above */

	/* The G leaves these for g0 when it switches. */
	struct ctx ctx; /* g0: the thread's own stack */
	struct g *left; /* or for whoever arrives: switch.h */
	enum m_op op;
	rt_commit_fn commit;
	void *commit_arg;

	/* Its own. */
	bool spinning;	/* looks for work; counted in sched.nspinning */
	uint32_t quick;	/* sleeps in a row that a waker soon ended: wake.h */
	struct rng rng;
	struct san san;
	void *altstack;

	/* Others'. */
	struct note note;   /* what it sleeps on when idle */
	struct p *nextp;    /* handed over by who woke it; sched.lock */
	bool next_spinning; /* and its place among the spinning; sched.lock */
	rt_a32 blocking;    /* its G is in an announced call: curg->blocking */
	struct m *idle_link; /* sched.lock */
	bool idle;	    /* on the idle list; sched.lock */
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

static inline struct p *m_p(struct m *mp)
{
	return (struct p *)rt_load_relaxed(&mp->p);
}

/* The P that the caller is on, or was a moment ago: for affinity only. */
static inline uint32_t m_home(void)
{
	struct m *mp = m_self();
	struct p *pp = mp ? m_p(mp) : NULL;

	return pp ? pp->id : 0;
}

/* Slow half of m_enter: gets a P, or yields.  The M it is on afterwards. */
struct m *m_enter_slow(struct m *mp);

/* From here to m_exit the caller has a P.  Null: not an M. */
static inline struct m *m_enter(void)
{
	struct m *mp = m_self();

	if (!mp)
		return NULL;
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

	if (mp && rt_likely(mp->curg != NULL)) /* else a short timer, on g0 */
		rt_store_release(&mp->in_runtime, 0);
}

/* The same, for who has not parked since it entered as mp. */
static inline void m_leave(struct m *mp)
{
	if (mp && rt_likely(mp->curg != NULL))
		rt_store_release(&mp->in_runtime, 0);
}

/* Where a blocking call begins: a goroutine that never parks can be made to
 * yield here.  0; -ECANCELED if it is cancelled; -EPERM if it is none. */
static inline int m_checkpoint(void)
{
	struct m *mp = m_self();

	if (rt_unlikely(!mp || !mp->curg))
		return -EPERM;
	if (rt_unlikely(rt_load_relaxed(&mp->flags))) {
		(void)m_enter();
		m_exit();
		mp = m_self();
	}
	return g_cancelled(mp->curg) ? -ECANCELED : 0;
}

/* park.c: leaves the stack of a goroutine that has lost its P. */
void m_leave_detached(struct m *mp);

/* Starts a thread that runs goroutines, with pp.  0 or -errno; on failure pp
 * is still the caller's.  Not under sched.lock. */
int m_start(struct p *pp, bool spinning);

/* Under sched.lock: the calling M is about to end. */
void m_end_locked(struct m *mp);

/* Joins the threads that have ended; all of them when the runtime stops. */
void m_reap(void);

/* What threads begin with, and what membarrier(2) can do; once, at start. */
void m_init(void);

/* The loop of an M; returns when it has to end. */
void sched_loop(struct m *mp);

#endif
