/* SPDX-License-Identifier: MIT */
/*
 * fdmutex.h - who uses a descriptor: references, a reader, a writer, closed.
 *
 *	bit 0		closed: no new users; set while the slot is free
 *	bit 1, 2	somebody reads, writes
 *	bits 3..22	users, one each for a reader, a writer, and others
 *	bits 23..42	goroutines that wait to read
 *	bits 43..62	goroutines that wait to write
 *
 * The one who drops the last user of a closed descriptor destroys it
 * (I1: exactly one call returns FDMU_LAST between two openings), so a system
 * call in progress never meets a number that went to somebody else.
 *
 * A user of a stale handle may take a reference on the slot's next owner for
 * a moment; it finds the sequence changed and drops it like any other user.
 *
 * Waiting goroutines sleep on a semaphore beside the word (pd.c).  An unlock
 * takes one off the count and posts once.  A waiter that gave up (cancelled)
 * leaves its count, so a post may be spare: waiters try again after each.
 */
#ifndef RT_NETPOLL_FDMUTEX_H
#define RT_NETPOLL_FDMUTEX_H

#include "base/atomic.h"

enum { MODE_READ, MODE_WRITE };

enum fdmu {
	FDMU_OK,
	FDMU_CLOSED, /* nothing was taken */
	FDMU_BUSY,   /* locked by another: the caller was counted as waiting,
		      * or not, as it asked */
	FDMU_FULL,   /* a million users */
	FDMU_LAST,   /* the caller destroys the descriptor */
	FDMU_POST,   /* OK, and the caller posts one waiter */
	FDMU_LAST_POST,
};

/* A free slot becomes an open descriptor with no users. */
void fdmu_open(rt_a64 *mu);

/* OK, CLOSED, FULL. */
enum fdmu fdmu_incref(rt_a64 *mu);
/* OK, LAST. */
enum fdmu fdmu_decref(rt_a64 *mu);
/* OK, CLOSED, BUSY, FULL.  wait: count as a waiter if BUSY. */
enum fdmu fdmu_lock(rt_a64 *mu, int mode, bool wait);
/* OK, LAST, POST, LAST_POST. */
enum fdmu fdmu_unlock(rt_a64 *mu, int mode);
/* OK or CLOSED; with OK the caller is a user once more, nobody counts as
 * waiting, and the caller wakes those that do. */
enum fdmu fdmu_close(rt_a64 *mu);

#endif
