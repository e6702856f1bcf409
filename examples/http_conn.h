/* SPDX-License-Identifier: MIT */
/*
 * http_conn.h - the connections of the HTTP server.
 *
 * A connection is its gamp_fd and nothing else:
 *
 *	state	held by					left when
 *	idle	gamp_go_when_readable: no goroutine,	input, end of stream,
 *		no buffer				idle deadline, close
 *	served	a goroutine in serve(), buffers on	the last request that
 *		its stack				was begun is answered
 *
 * Ending (http_conn_stop) has to reach idle connections, which no goroutine
 * and no list holds.  There is one word for each possible descriptor of the
 * system: its gamp_fd, written when it is accepted and never cleared, since
 * a gamp_fd that has been closed can be passed to any call.
 *
 * P1  Who sets a deadline and who ends: a connection writes its deadline,
 *     then reads stop_at; http_conn_stop writes stop_at, then the deadlines.
 *     Whichever order, the deadline that remains is the earlier one.
 * P2  Likewise an accepted connection writes its word of the table, then its
 *     deadline (so reads stop_at); http_conn_stop writes stop_at, then scans.
 */
#ifndef EXAMPLES_HTTP_CONN_H
#define EXAMPLES_HTTP_CONN_H

#include <gamp/gamp.h>

/*
 * Makes the table; idle is how long, in ns, to keep a silent connection.
 * The caller counts as a connection until http_conn_leave.
 * Returns 0 or a negative errno.
 */
int http_conn_setup(int64_t idle);

/* Takes over an accepted connection. */
void http_conn_start(gamp_fd fd);

/* The caller of http_conn_setup will start no more. */
void http_conn_leave(void);

/*
 * Closes idle connections, lets the others answer what they have begun, and
 * waits for them, but no longer than `limit` ns.
 */
void http_conn_stop(int64_t limit);

#endif
