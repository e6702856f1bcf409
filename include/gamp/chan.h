/* SPDX-License-Identifier: MIT */
/*
 * chan.h - channels and select: goroutines pass values to each other.
 *
 * A channel carries values of one size, in the order in which they were sent.
 * Without capacity sender and receiver meet: the value is copied once, from
 * stack to stack.  With capacity n, n values wait in it.
 *
 * Goroutines and plain threads may both use a channel, at both ends: a thread
 * that waits sleeps on a futex.  Threads cannot be cancelled.
 *
 * In the callback of a short timer (gamp/timer.h), which may not park, and to
 * a guest's host (gamp/guest.h), calls that would have to wait give -EDEADLK.
 *
 * A null channel: -EINVAL, except in gamp_select, where its case never goes,
 * so that a program switches a case off by setting it to null.
 */
#ifndef GAMP_CHAN_H
#define GAMP_CHAN_H

#include <gamp/go.h>
#include <gamp/net.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gamp_chan;

/*
 * gamp_chan_new - make a channel
 *
 * elem_size is that of a value in bytes; 0: values carry no data.  capacity
 * is how many values it holds; 0: senders wait for receivers.
 *
 * Returns	the channel; null if there is no memory, or elem_size or the
 *		whole is too large to count.
 * Parks	never.
 * Threads	any thread; also while the runtime does not run.
 */
GAMP_API struct gamp_chan *gamp_chan_new(size_t elem_size, size_t capacity);

/*
 * gamp_chan_free - free a channel, and the values that are still in it
 *
 * Nobody may be inside of a call on it or make one later; whoever sent the
 * last value or closed it may be about to return.  Null is allowed.
 *
 * Errors	-EBUSY		somebody waits on it: nothing was done
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_free(struct gamp_chan *ch);

/*
 * gamp_chan_send - send *elem, waiting for a receiver or for room
 *
 * elem may be null if values carry no data.
 *
 * Errors	-EPIPE		the channel is closed, or was while it waited
 *		-ECANCELED	the goroutine was cancelled; nothing was sent
 *		-EINVAL		ch is null, or elem is and values carry data
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_send(struct gamp_chan *ch, const void *elem);

/*
 * gamp_chan_trysend - send if that needs no waiting
 *
 * Errors	as gamp_chan_send, but for -ECANCELED;
 *		-EAGAIN		it would have to wait
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_trysend(struct gamp_chan *ch, const void *elem);

/*
 * gamp_chan_send_until - send, waiting no longer than until a deadline
 *
 * Sends if that needs no waiting, even if the deadline has passed.
 *
 * Errors	as gamp_chan_send;
 *		-ETIMEDOUT	the deadline passed; nothing was sent
 *		-ENOMEM		the table of timers is full
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_send_until(
    struct gamp_chan *ch, const void *elem, int64_t deadline);

/*
 * gamp_chan_recv - receive a value into *elem, waiting for one
 *
 * elem may be null: the value is dropped.  From a closed channel the values
 * that are still in it come first.  With -EPIPE *elem is zeroed; with any
 * other error it is untouched.
 *
 * Errors	-EPIPE		the channel is closed and empty
 *		-ECANCELED	the goroutine was cancelled; no value was taken
 *		-EINVAL		ch is null
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_recv(struct gamp_chan *ch, void *elem);

/*
 * gamp_chan_tryrecv - receive a value if there is one
 *
 * Errors	as gamp_chan_recv, but for -ECANCELED;
 *		-EAGAIN		there is none now
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_tryrecv(struct gamp_chan *ch, void *elem);

/*
 * gamp_chan_recv_until - receive, waiting no longer than until a deadline
 *
 * Errors	as gamp_chan_recv;
 *		-ETIMEDOUT	the deadline passed; no value was taken
 *		-ENOMEM		the table of timers is full
 * Parks	yes.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_recv_until(
    struct gamp_chan *ch, void *elem, int64_t deadline);

/*
 * gamp_chan_close - say that no more values will be sent
 *
 * Receivers get what is still in it, then -EPIPE; senders get -EPIPE.
 *
 * Errors	-EPIPE		it was closed already
 *		-EINVAL		ch is null
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_chan_close(struct gamp_chan *ch);

/*
 * gamp_chan_len - how many values are in the channel now
 *
 * Parks	never.
 * Threads	any thread.  0 for null.
 */
GAMP_API size_t gamp_chan_len(const struct gamp_chan *ch);

/*
 * gamp_chan_cap - how many values the channel holds
 *
 * Parks	never.
 * Threads	any thread.  0 for null.
 */
GAMP_API size_t gamp_chan_cap(const struct gamp_chan *ch);

/* What a case of gamp_select is about: use the macros below. */
enum gamp_case_op {
	GAMP_CASE_NONE, /* never goes; what zeroed memory means */
	GAMP_CASE_SEND,
	GAMP_CASE_RECV,
	GAMP_CASE_READABLE,
	GAMP_CASE_WRITABLE,
	GAMP_CASE_DEADLINE,
	GAMP_CASE_DEFAULT,
};

/* One case.  May be used again after the call, also with other values. */
struct gamp_case {
	enum gamp_case_op op;
	int err; /* out, of the case that went: see gamp_select */
	struct gamp_chan *ch; /* SEND, RECV; null: the case never goes */
	void *elem;   /* SEND: only read */
	int64_t at;   /* READABLE, WRITABLE: a gamp_fd; DEADLINE: a time */
	uint64_t opaque[8]; /* the runtime's, during the call */
};

#if defined(__cplusplus)
#define GAMP_CASE_(op, ch, elem, at) \
	(gamp_case{ op, 0, ch, const_cast<void *>( \
	    static_cast<const void *>(elem)), at, {} })
#else
#define GAMP_CASE_(o, c, e, t) \
	((struct gamp_case){ .op = (o), .ch = (c), .elem = (void *)(e), \
	    .at = (t) })
#endif
#define GAMP_SEND(ch, elem) GAMP_CASE_(GAMP_CASE_SEND, ch, elem, 0)
#define GAMP_RECV(ch, elem) GAMP_CASE_(GAMP_CASE_RECV, ch, elem, 0)
#define GAMP_READABLE(fd)   GAMP_CASE_(GAMP_CASE_READABLE, NULL, NULL, fd)
#define GAMP_WRITABLE(fd)   GAMP_CASE_(GAMP_CASE_WRITABLE, NULL, NULL, fd)
#define GAMP_DEADLINE(time) GAMP_CASE_(GAMP_CASE_DEADLINE, NULL, NULL, time)
#define GAMP_DEFAULT	    GAMP_CASE_(GAMP_CASE_DEFAULT, NULL, NULL, 0)

/*
 * gamp_select - wait until one of several things can be done, and do it
 *
 * Of the cases that can go one is chosen at random, with equal chances; what
 * the channels hold is seen at one moment.  A channel may occur in any number
 * of cases.  With a GAMP_DEFAULT the call does not wait: that case goes when
 * no other can.  Of several GAMP_DEADLINEs the earliest counts; 0 and
 * GAMP_FOREVER never go.
 *
 * err of the case that went:
 *	SEND		0, -EPIPE: the channel is closed
 *	RECV		0, -EPIPE: it is closed and empty
 *	READABLE,	0; -ECANCELED: fd was closed while it waited;
 *	WRITABLE	-ETIMEDOUT: its deadline passed; -EBADF: not open;
 *			-EBUSY: another goroutine reads (writes) it just now;
 *			-EPERM: it is not ready, and the caller no goroutine
 *	DEADLINE	-ETIMEDOUT
 *	DEFAULT		-EAGAIN
 * READABLE and WRITABLE are as gamp_wait_readable and gamp_wait_writable: they
 * say that a read, a write or an accept is worth trying.  Of several cases for
 * one direction of a descriptor the first one goes.
 *
 * The cases' memory holds the records of the wait: nothing is allocated.  It
 * must not change during the call.
 *
 * Returns	the index of the case that went
 * Errors	-ECANCELED	the goroutine was cancelled, and there is no
 *				GAMP_DEFAULT; no case went
 *		-EINVAL		n is negative or over 65,536, an op is none,
 *				or a SEND of a value has no elem
 *		-EDEADLK	no case can ever go, and the caller is no
 *				goroutine, so that it could not be cancelled
 *		-ENOMEM		the table of timers is full
 * Parks	yes, unless there is a GAMP_DEFAULT.  With nothing that can go
 *		a goroutine parks until it is cancelled.
 * Threads	any thread.
 */
GAMP_API int gamp_select(struct gamp_case *cases, int n);

#ifdef __cplusplus
}
#endif

#endif
