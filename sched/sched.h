/* SPDX-License-Identifier: MIT */
/*
 * sched.h - what all Ms share: idle Ps and Ms, the global queue, start, stop.
 *
 *	         sched.lock
 *	+---------------------------+      one M, without a P, may sit in the
 *	| idle Ps   (LIFO)          |      poller (sched.poller); it is idle
 *	| idle Ms   (LIFO, futex)   |      but on no list.
 *	| global queues, woken/fresh|
 *	+---------------------------+
 *
 * Words that are read without the lock (npidle, nspinning, nglobal, the idle
 * mask) change under it, except nspinning; see wake.h for the argument.
 */
#ifndef RT_SCHED_SCHED_H
#define RT_SCHED_SCHED_H

#include "base/lock.h"
#include "base/note.h"
#include "sched/m.h"
#include "sched/p.h"

#define PROCS_MAX 1024

struct sched {
	struct rt_lock lock;

	/* Set at start, then only read. */
	rt_a32 nprocs; /* procs.h; and how many were ever made: */
	rt_a32 nmade;
	struct p *ps;
	uint32_t goroutines_max;
	int default_class;
	int max_threads;
	uint32_t gfree_max; /* free Gs that a P keeps */
	const struct gamp_embed *embed; /* null: no hooks; embed.h */
	bool fence_mode;    /* no membarrier here */
	bool fake_time;	    /* the clock moves when all are parked */
	uint32_t ncpus;	    /* that the process may use */
	int nice;	    /* of the threads */
	bool guest;	    /* guest.h */
	bool bind_threads;  /* Ms run on their P's processor: topology.h */
	uint64_t seed;	    /* of the order; 0: none */
	bool trace;	    /* GAMP_DEBUG=sched: say what was chosen */
	rt_a32 stopped;	    /* the world is stopping or has: world.h */

	/* Read without the lock. */
	_Alignas(RT_LINE) rt_a32 nspinning;
	rt_a32 npidle;
	rt_a32 nglobal;	 /* woken and fresh */
	rt_a32 nwoken;	 /* woken */
	rt_a32 nlow;	 /* preempted; p.h */
	rt_a32 stopping; /* gamp_stop has begun */
	rt_a32 halt;	 /* no goroutine is left: Ms end */
	rt_a32 running;	 /* calls are accepted */
	rt_a32 polling;	 /* an M is in a blocking poll */
	rt_a32 starved;	 /* starts wait for a free G: Ps keep none */
	rt_a64 foreign_spawned; /* goroutines started without a P */
	rt_a32 sysmon_asleep;
	rt_a32 nblocking; /* fake time: goroutines in blocking calls */
	struct rng rng;	  /* with the P: draws of a seeded order */
	rt_atime poll_until; /* when the blocked poll ends by itself */
	rt_atime polled;     /* when anybody last polled */
	rt_atime tick_time;  /* sysmon's last look, a millisecond ago or so */
	rt_aptr spoilt; /* struct m *, linked: detach.h */
	rt_a64 idle_mask[PROCS_MAX / 64];

	/* Under the lock. */
	_Alignas(RT_LINE) struct p *pidle;
	struct m *midle;
	uint32_t nm, nmidle, nmdead;
	struct m *poller; /* the M in a blocking poll */
	struct m *hogs;	  /* compute without a P: detach.h */
	rt_a32 nhogs; /* read without it, too */
	uint32_t ndetached;
	uint32_t nmutators; /* Ms that mutate: world.h */
	bool hogs_many;
	bool unserved;	  /* a P was left idle for want of a thread: wake.h */
	struct m *allm, *deadm;
	struct task_list global[RUNQ_COUNT], low;
	uint32_t global_pops;

	rt_a32 follow_quota; /* nprocs is the default, which may change */
	/* Of who has no P: atomic additions.  And of Ms: written here. */
	struct p_stats stats;
	rt_a64 foreign_readied;
	struct m_stats m_stats;

	struct note sysmon_note, stop_note, world_note;
	pthread_t sysmon_thread;
};

extern struct sched sched;

struct sched_options {
	uint32_t nprocs;
	size_t stack_size;
	uint32_t max_goroutines;
	int max_threads;
	bool fake_time;
	bool bind_threads;
	bool follow_quota;
	bool guest;
	uint64_t seed;
	int dump_signal;
	bool no_signals;
	const struct gamp_embed *embed;
};

/* 0 or -errno, and then nothing is left behind. */
int sched_start(const struct sched_options *opt);

/* Cancels all goroutines and waits for them until limit, a time of the real
 * clock; 0: none. */
int sched_drain(int64_t limit);

/* After a drain that returned 0: ends all threads, frees everything. */
void sched_stop(void);

/* Goroutines alive; exact once it is 0 and nobody starts one. */
uint64_t sched_live(void);

/* Called as a goroutine exits while the runtime is stopping. */
void sched_exited(void);

/* How many Ps there are: the first ones of sched.ps.  Acquires what made
 * them: a thread without a P looks at their timers while one more is made. */
static inline uint32_t procs(void)
{
	return rt_load_acquire(&sched.nprocs);
}

/* The generator for the caller's choices; it has a P. */
static inline struct rng *sched_rng(struct m *mp)
{
	return rt_unlikely(sched.seed != 0) ? &sched.rng : &mp->rng;
}

/* Idle Ps.  pidle_get returns null if there is none. */
void pidle_put_locked(struct p *pp);
struct p *pidle_get_locked(void);
static inline bool pidle_is(uint32_t id)
{
	return rt_load_relaxed(&sched.idle_mask[id / 64]) >> (id % 64) & 1;
}

/* Makes mp the owner of pp, and the reverse.  sched.lock, or mp alone. */
void acquirep(struct m *mp, struct p *pp);

/*
 * A time that has passed for sure, and not long ago: the P's last look at the
 * clock or sysmon's.  Without a P, the clock.
 */
int64_t sched_now(void);

struct p *releasep(struct m *mp);

/* The global queues: goroutines from threads without a P, and overflow. */
void sched_put_global(struct task_list *batch);
struct task *sched_get_global(struct p *pp, uint32_t max);
struct task *sched_get_global_locked(struct p *pp, uint32_t max);

/* The same for goroutines that were preempted: the one to run, if any. */
struct task *sched_get_low(struct p *pp);

/* sysmon.c */
int sysmon_start(void);
void sysmon_stop(void);

#endif
