/* SPDX-License-Identifier: MIT */
/*
 * rcu.h - read-copy-update: readers that cost two plain stores, and grace
 * periods that wait for exactly those who were reading.
 *
 *	rcu.lock
 *	  list of readers: one in each M, one in each plain thread that reads
 *	     +--------------------+
 *	     | word: section | depth   its owner's, plain stores
 *	     | special                 AWAITED, COUNTED
 *	     +--------------------+
 *	  asleep[2]: sections that are on no M, by phase
 *
 * A section is on the reader of the thread that runs it.  Of a goroutine that
 * leaves its M inside of one (it was detached, and found no P; in release
 * builds: it parked) the section moves into rcu.asleep, and its depth into the
 * G; the depth comes back with the goroutine, on whatever M that is, and the
 * section's end takes it out of the count.  So a section may begin on one
 * thread and end on another.  A thread that cannot be put on the list (no
 * memory for its destructor, or that has run) is counted, too.
 *
 *	reader (often)			grace period (seldom, one at a time)
 *	--------------			------------------------------------
 *	B1 word: depth 0 -> 1		G1 membar_heavy
 *	   light fence (compiler)	G2 for each reader: if inside, AWAITED
 *	B2 loads of what is guarded	   phase = !phase (one step: the lock)
 *	...				G3 membar_heavy
 *	E1 word: next section, depth 0	G4 who has left the section that G2
 *	   (release)			   saw, is not AWAITED any more
 *	   light fence (compiler)	G5 sleep until nobody is, and nobody is
 *	E2 special? settle, and wake	   in asleep[old phase]
 *
 * A writer that unpublished something before G1: the store B1 came before the
 * fence that G1 put on its processor, and G2 sees it, or else the loads B2
 * come after that fence, and do not find it.  Either G4 sees E1, or E2 sees
 * AWAITED.  What the reader did is over when E1, a release, has been seen (G2,
 * G4: acquire).  There is no second phase as in liburcu: sections are numbered,
 * so a reader that goes from one to the next is not taken for one that stays.
 *
 * Where membarrier is refused the light fences are real ones.
 *
 * Who may call what: the owner of a reader begins and ends; only it, on its
 * own stack or by switch.h, leaves and returns.  rcu_grace: one at a time
 * (work.c's thread).  rcu_quiet, rcu_wait, rcu_call: anybody.
 *
 * Invariants
 *	I1  A section that moves off its M is counted in the old phase if G2
 *	    has AWAITED just that one, else in the present phase.
 *	I2  asleep[] of the phase that begins is 0: the grace period before
 *	    waited for it.
 *	I3  COUNTED: the reader's present section is in asleep[section.phase].
 */
#ifndef RT_SCHED_RCU_H
#define RT_SCHED_RCU_H

#include "base/fatal.h"
#include "base/membar.h"
#include "base/san.h"

#define RCU_DEPTH   UINT64_C(0xffff)	/* of the word; the rest: section */
#define RCU_SECTION (RCU_DEPTH + 1)

#define RCU_AWAITED 1u /* a grace period waits for section `awaited` */
#define RCU_COUNTED 2u /* I3 */

struct rcu_reader {
	rt_a64 word;	 /* the owner writes */
	rt_a32 special;	 /* under rcu.lock */
	uint64_t awaited; /* under rcu.lock, as all that follows */
	struct rcu_reader *next, **at;
};

/* Of a goroutine; of a thread, for its phase. */
struct rcu_section {
	uint16_t depth; /* while it is off its M, inside */
	uint8_t phase;	/* I3 */
};

/* Debug builds stop at what the program may not do; others live with it. */
#ifdef RT_DEBUG
#define rcu_misuse(msg) rt_fatal(msg)
#else
#define rcu_misuse(msg) ((void)0)
#endif

static inline bool rcu_inside(struct rcu_reader *r)
{
	return (rt_load_relaxed(&r->word) & RCU_DEPTH) != 0;
}

static inline void rcu_begin(struct rcu_reader *r)
{
	rt_store_relaxed(&r->word, rt_load_relaxed(&r->word) + 1); /* B1 */
	membar_light(); /* pairs with G1 */
}

/* Of a word whose depth is not 1. */
void rcu_end_inner(struct rcu_reader *r);

/* True: rcu_settle follows. */
static inline bool rcu_end(struct rcu_reader *r)
{
	uint64_t w = rt_load_relaxed(&r->word);

	if (rt_unlikely((w & RCU_DEPTH) != 1)) {
		rcu_end_inner(r);
		return false;
	}
	san_release(r);
	rt_store_release(&r->word, w - 1 + RCU_SECTION); /* E1 */
	membar_light(); /* pairs with G3 */
	return rt_load_relaxed(&r->special) != 0; /* E2 */
}

/* The owner's section is over; s is what it had if it was COUNTED. */
void rcu_settle(struct rcu_reader *r, struct rcu_section *s);

/* The list.  rcu_remove: a section that it is in is over. */
void rcu_add(struct rcu_reader *r);
void rcu_remove(struct rcu_reader *r, struct rcu_section *s);

/* A goroutine leaves its M inside a section, and comes back; switch.h. */
void rcu_leave(struct rcu_reader *r, struct rcu_section *s);
void rcu_return(struct rcu_reader *r, struct rcu_section *s);

/* Its owner ends for good inside a section. */
void rcu_drop(struct rcu_reader *r, struct rcu_section *s);

/* A section without a place on the list begins: counted from its start. */
void rcu_begin_counted(struct rcu_reader *r, struct rcu_section *s);

/* Is nobody inside?  Then a grace period is over at once. */
bool rcu_quiet(void);

/* A grace period.  One at a time; blocks the thread. */
void rcu_grace(void);

/* In the child of a fork: nobody reads but, perhaps, the caller. */
void rcu_forked(struct rcu_reader *own);

/* rcu_thread.c: the caller's, an M's or a thread's; inside the runtime. */
void rcu_lock(void);
void rcu_unlock(void);
bool rcu_locked(void);
/* The same for a thread that is no M, and its end. */
void rcu_thread_begin(void);
void rcu_thread_end(void);

#endif
