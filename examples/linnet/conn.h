/* SPDX-License-Identifier: MIT */
/*
 * conn.h - connections and listeners.
 *
 * The object is the collector's; what it stands for, a descriptor of gamp and a
 * buffer for what was read and not yet asked for, is a struct sock in malloc's
 * memory.  When a collection has not reached the object, the sock moves to the
 * machine's dead ones, and is closed when the world runs again.
 */
#ifndef EXAMPLES_LINNET_CONN_H
#define EXAMPLES_LINNET_CONN_H

#include "native.h"

enum { CONN_BUF = 4096 };

struct conn {
	struct object head;
	struct sock *sock;
};

struct sock {
	struct sock *next;
	struct conn *owner;
	gamp_fd fd;
	uint32_t busy;     /* atomic: a goroutine reads, and has what follows */
	uint32_t from, to; /* of buf */
	char *buf;         /* CONN_BUF bytes, or null */
};

/* close(c), of channels, too: a native. */
int conn_close(struct fiber *f, value *args, int n);

void conn_find_dead(struct linnet *m);
void conn_close_dead(struct linnet *m);
/* When no goroutine of the script is left. */
void conn_close_all(struct linnet *m);

#endif
