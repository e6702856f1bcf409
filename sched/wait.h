/* SPDX-License-Identifier: MIT */
/*
 * wait.h - to wait for other goroutines and threads: one word, won once.
 *
 * A goroutine's struct wait lies in its G, a thread's on its stack.  Who may
 * end a wait (a partner that finds its record in a queue, the deadline's timer,
 * a canceller, a descriptor) must first win it, by a compare-and-swap on the
 * word; the winner, and nobody else, then readies the waiter.  Losers leave it
 * alone, so nothing that is handed to a waiter can be lost.
 *
 *	state	   meaning			who may leave it, and how
 *	-----	   -------			-------------------------
 *	W_IDLE	   not waiting			the waiter -> COMMIT, WAIT
 *	W_COMMIT   off its stack, not yet	its commit -> WAIT
 *		   ready to be woken		others -> POKED
 *						(gamp_ready -> WON)
 *	W_WAIT	   parked			a partner -> WON
 *						timer -> TIME
 *						canceller -> CANCEL
 *						descriptor -> POKED
 *	WON, TIME, CANCEL, POKED: it goes on	the waiter, by its next wait
 *
 * The word counts its waits (seq), so that one that comes late (a timer that
 * was just stopped, a canceller, a descriptor's event) finds another word.
 *
 *	waiter (commit, on g0)			canceller
 *	word = seq, WAIT			C3 tag |= CANCELLED
 *	light fence				F2 membar_heavy
 *	tag cancelled? take it back (CAS)	word: WAIT -> CANCEL (CAS)
 *
 * Invariants
 *	I1  A partner wins only while it holds the guard of the queue that the
 *	    record is in; the waiter leaves its queues under the guard.  So
 *	    the wait that the partner wins is the one that the record is of.
 *	I2  After its word is WAIT and the guards are let go, a goroutine may
 *	    run elsewhere: a commit reads nothing of its stack from then on.
 *	I3  A canceller that finds the word of a later wait finds the tag of
 *	    its goroutine, too: it wakes whom it should, or nobody.
 */
#ifndef RT_SCHED_WAIT_H
#define RT_SCHED_WAIT_H

#include <gamp/embed.h>
#include <gamp/sync.h>

#include "base/note.h"
#include "sched/task.h"

struct g;
struct m;
struct sudog;

enum {
	W_IDLE,
	W_COMMIT,
	W_WAIT,
	W_WON,
	W_TIME,
	W_CANCEL,
	W_POKED,
	W_STATE = 7,
	W_FIRM = 8, /* not to be cancelled */
	W_FDS = 16, /* a descriptor may poke it, from any thread */
	W_OPEN = 32, /* by gamp_park: any thread with the ticket wins it */
	W_SEQ = 64, /* one more wait */
};

struct wait {
	rt_a64 word;
	struct g *g;	     /* whose it is, for good; null: a thread's */
	union {
		struct sudog *fired; /* by whoever won it */
		const char *text;    /* of an open one: for what it waits */
	};
	struct note note;    /* the thread's */
};

/* A waiter's place in one queue; on its stack, or in a case of its select. */
struct sudog {
	struct sudog *next, *prev; /* under the guard, like all of it */
	struct wait *wait;
	void *elem;    /* what it sends, or where it receives */
	int64_t arg;   /* the queue's own: a count, a time */
	int err;       /* by whoever won it */
	uint8_t kind;  /* the queue's own */
	bool queued;
};

/* How to wait. */
struct parking {
	/* Lets go of the guards, when the wait can be won.  obj outlives it. */
	void (*release)(void *obj);
	void *obj;
	/* Tells descriptors, or null; then W_FDS is set. */
	void (*publish)(void *obj, struct g *gp, uint64_t word);
	int64_t deadline; /* NEVER: none */
	bool firm;	  /* not a point of cancellation */
	uint8_t why;	  /* enum rt_why */
};

/*
 * Waits.  Holds guards when called, none when it returns.  0: won, and fired
 * is set.  -ECANCELED, -ETIMEDOUT, -ENOMEM (no room for the timer); -EINTR:
 * poked: look again.  But for 0 the caller's records are still in the queues.
 */
int wait_park(struct wait *w, struct parking *how);

/* A partner, under the guard of s's queue (I1).  False: another was first.
 * After true: wait_wake, without the guard. */
bool wait_win(struct sudog *s, bool solo);
void wait_wake(struct wait *w);

/* A canceller, after F2. */
void wait_cancel(struct g *gp);

/*
 * gamp_park: waits with what gamp/embed.h says.  The commit runs while the
 * state is COMMIT: whoever ends the wait then (a partner makes it WON, others
 * POKED) leaves it to the commit's end to see that the goroutine goes on, so
 * the commit may use the waiter's stack.
 */
int wait_open(struct g *gp, gamp_commit_fn *fn, void *arg, int64_t deadline,
    const char *text);

/* Whoever has the ticket.  0, or -ESRCH. */
int wait_open_win(gamp_ticket ticket);

/* A descriptor, for the wait that had this word.  True: ready gp. */
bool wait_poke(struct g *gp, uint64_t word);

#endif
