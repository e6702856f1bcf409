/* SPDX-License-Identifier: MIT */
/*
 * chan.h - channels, built on gamp_park and gamp_ready.
 *
 * A channel is a ring of values and two queues of waiters, under a lock.  A
 * goroutine that has to wait puts a waiter into the queue of each channel that
 * it waits for (one, or select's), and parks.  Who ends the wait is decided by
 * its fiber's word:
 *
 *	word	meaning				changed by whom, by CAS
 *	----	-------				-----------------------
 *	0	it waits, or is about to	to a ticket: its commit
 *	ticket	it is parked with that ticket
 *	-1	it does not wait (any more)	who serves it; or itself, as
 *					 	it gives up
 *
 *	who serves, under the channel's lock	who waits
 *	C1 word 0 or ticket -> -1		W1 word = 0
 *	C2 put the value into the waiter,	W2 queues its waiters, one
 *	   take it out of the queue		   channel at a time
 *	C3 unlock				W3 park; commit: 0 -> ticket;
 *	C4 it was a ticket: gamp_ready		   if that fails, do not wait
 *						W4 word -> -1: it has given up
 *						   (deadline, cancel), if that
 *						   still works
 *						W5 takes its waiters out, each
 *						   under its channel's lock
 *
 * If C1 comes before the commit, W3 finds it; if after, C4 wakes it.  C2 is
 * over before W5, for W5 takes the same lock: then the value is there, and so
 * nobody touches a waiter after W5.  No lock is held across W3 or C4.
 *
 * A timer is a channel with a time instead of a ring (after, ticker): it is
 * ready when that has come, and those who wait for it have it as deadline.
 * Nothing else runs for it, and when nobody has it any more, it is collected.
 */
#ifndef EXAMPLES_LINNET_CHAN_H
#define EXAMPLES_LINNET_CHAN_H

#include "native.h"

struct queue {
	struct waiter *first, *last;
};

enum { CHAN_TIMER = 1 }; /* flags of the head */

struct chan {
	struct object head; /* n: capacity */
	struct spin lock;
	uint32_t closed;
	struct queue senders, receivers;
	uint32_t count, first; /* in the ring */
	int64_t time;          /* of a timer; 0: it has gone off */
	int64_t period;        /* 0: once */
	value ring[];
};

struct chan *chan_new(struct fiber *f, uint32_t cap);
int chan_send(struct fiber *f, value ch, value v);
/* ok: not closed. */
int chan_recv(struct fiber *f, value ch, value *to, bool *ok);
int chan_close(struct fiber *f, value ch);

/*
 * The cases' channels and values are in pairs from `at`; cases[i].x: it sends.
 * to[0], to[1]: what was received.  Returns the case; n is the default.
 */
int chan_select(struct fiber *f, value *at, const struct ins *cases, uint32_t n,
    bool other, value *to);

#endif
