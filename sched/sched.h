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
	uint32_t nprocs;
	struct p *ps; /* nprocs of them */
	int default_class;
	int max_threads;
	uint32_t gfree_max; /* free Gs that a P keeps */
	bool fence_mode;    /* no membarrier here */
	bool fake_time;	    /* the clock moves when all are parked */
	uint64_t seed;	    /* of the order; 0: none */
	bool trace;	    /* GAMP_DEBUG=sched: say what was chosen */

	/* Read without the lock. */
	_Alignas(RT_LINE) rt_a32 nspinning;
	rt_a32 npidle;
	rt_a32 nglobal;
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
	rt_a64 idle_mask[PROCS_MAX / 64];

	/* Under the lock. */
	_Alignas(RT_LINE) struct p *pidle;
	struct m *midle;
	uint32_t nm, nmidle, nmdead;
	struct m *poller; /* the M in a blocking poll */
	bool unserved;	  /* a P was left idle for want of a thread: wake.h */
	struct m *allm, *deadm;
	struct task_list global[RUNQ_COUNT];
	uint32_t global_pops;

	struct note sysmon_note, stop_note;
	pthread_t sysmon_thread;
};

extern struct sched sched;

struct sched_options {
	uint32_t nprocs;
	size_t stack_size;
	uint32_t max_goroutines;
	int max_threads;
	bool fake_time;
	uint64_t seed;
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

/* sysmon.c */
int sysmon_start(void);
void sysmon_stop(void);

/* blocking.c: around a call of the program that blocks the thread. */
void blocking_enter(void);
void blocking_leave(void);

/* Takes the P of a thread that is in the program's code. */
bool retake_locked(struct p *pp);
/* Finds an M for a P that was taken or given up. */
void handoffp(struct p *pp);

#endif
