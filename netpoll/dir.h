/* SPDX-License-Identifier: MIT */
/*
 * dir.h - one direction (read or write) of a poll descriptor, as a binary
 * semaphore in one word.
 *
 *	state	   meaning			who may leave it, and how
 *	-----	   -------			-------------------------
 *	DIR_NIL	   nothing pending, nobody	prepare -> DIR_WAIT
 *		   waits			notify  -> DIR_READY
 *						arm     -> DIR_ARMED
 *	DIR_READY  readiness not yet consumed	prepare -> DIR_NIL, no wait
 *						arm     -> DIR_NIL, start now
 *						reset   -> DIR_NIL
 *	DIR_WAIT   a goroutine is about to	commit  -> struct g *
 *		   park				notify  -> DIR_READY
 *						evict   -> DIR_NIL
 *	g	   that goroutine is parked	notify  -> DIR_READY, wakes g
 *						evict   -> DIR_NIL, wakes g
 *	DIR_ARMED  a goroutine is to be		notify, evict -> DIR_NIL, and
 *		   started			start it
 *	g | 1	   g waits here and elsewhere	notify  -> DIR_READY, pokes g
 *		   (a select)			evict   -> DIR_NIL, pokes g
 *						unwatch -> DIR_NIL
 *
 * At most one goroutine waits per direction: it holds that direction's lock
 * (fdmutex.h), and so does an armed start.
 *
 * The second word is the descriptor's info (pd.h): why not to wait.
 *
 *	waiter					closer, deadline, canceller
 *	prepare: sem = WAIT	(RMW)		info |= why	(RMW)
 *	F1 fence				F2 fence
 *	info & stop? do not wait		evict: sem
 *
 * Invariants
 *	I1  A goroutine that committed is returned by exactly one notify or
 *	    evict.
 *	I2  No lost close: F1 pairs with F2, so the waiter sees the info, or
 *	    the closer sees the waiter.
 *	I3  Readiness is not lost: it is consumed, or it stays in the word; an
 *	    evict leaves it.
 *	I4  An armed start is returned by exactly one notify or evict.
 *	    A select only looks again when it is poked, so it may be late.
 *	I5  reset is a read-modify-write before the system call that it belongs
 *	    to: what arrives after it sets the word anew.
 */
#ifndef RT_NETPOLL_DIR_H
#define RT_NETPOLL_DIR_H

#include "base/atomic.h"

struct g;

enum {
	DIR_NIL = 0,
	DIR_READY = 1,
	DIR_WAIT = 2,
	DIR_ARMED = 3,
	DIR_G_MIN = 4096, /* any larger value is a struct g * */
};

/* What notify and evict return for an armed start. */
#define DIR_START ((struct g *)(uintptr_t)DIR_ARMED)

struct dir {
	rt_aptr sem;
};

/* Waiter.  0: ready, do the I/O.  -EAGAIN: park.  -ECANCELED: info & stop. */
int dir_prepare(struct dir *d, rt_a32 *info, uint32_t stop);

/* Park callback, on the scheduler's stack.  False: do not park after all. */
bool dir_commit(struct dir *d, struct g *gp);

/* Waiter, after waking, a false commit, or instead of parking.  True if I/O
 * may be ready. */
bool dir_finish(struct dir *d);

/* Waiter, before it tries the I/O: forgets readiness from before. */
void dir_reset(struct dir *d);

/* As dir_prepare, for a start.  0: start it now.  -EAGAIN: armed. */
int dir_arm(struct dir *d, rt_a32 *info, uint32_t stop);

/* Poller.  The goroutine to make runnable, DIR_START, or null. */
struct g *dir_notify(struct dir *d);

/* Closer or expired deadline, after F2.  As dir_notify. */
struct g *dir_evict(struct dir *d);

/* A select, off its stack.  who is its g | 1.  False: look again at once. */
bool dir_watch(struct dir *d, struct g *who, rt_a32 *info, uint32_t stop);

/* The end of it.  True: it has become ready meanwhile. */
bool dir_unwatch(struct dir *d);

/* The runtime stops.  True: there was an armed start, begin it. */
bool dir_disarm(struct dir *d);

/* Canceller of gp: takes out nobody else. */
bool dir_evict_g(struct dir *d, struct g *gp);

#endif
