/* SPDX-License-Identifier: MIT */
/*
 * backend.h - what an operating system must provide to netpoll.
 *
 * One file per backend (epoll.c, later uring.c, kqueue.c) defines one of
 * these; no #ifdef appears in any function body.  The compiler, not a comment,
 * checks that a backend fits.
 */
#ifndef RT_NETPOLL_BACKEND_H
#define RT_NETPOLL_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

struct p;
struct task_list;

struct backend {
	const char *name;

	/* With the runtime.  0 or -errno. */
	int (*init)(void);
	void (*fini)(void);

	/* Watch sysfd, edge-triggered; events carry the cookie.  out: for
	 * writing as well, from now on or from `more` on.  0 or -errno. */
	int (*open)(int sysfd, int64_t cookie, bool out);
	int (*more)(int sysfd, int64_t cookie);
	/* Only needed where the number may live on after close. */
	void (*close)(int sysfd);

	/*
	 * Hands events to pd_event; returns how many.  delay < 0 blocks, 0
	 * polls, > 0 blocks up to delay ns.  Any thread; at most one blocks
	 * at a time, and only that one consumes a wake.
	 */
	int (*poll)(struct p *pp, int64_t delay, struct task_list *ready);

	/* Make a blocked poll return soon; calls in a row count as one. */
	void (*wake)(void);

	/* The same for who does not block in `poll`, but in some call of the
	 * system on this descriptor: readable while a poll has something to
	 * find, or since a wake, until `consume`. */
	int (*pollable)(void);
	void (*consume)(void);
};

extern const struct backend backend_epoll;

/* The one in use. */
extern const struct backend *const backend;

#endif
