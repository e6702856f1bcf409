/* SPDX-License-Identifier: MIT */
/* socket.h - what listen and dial share. */
#ifndef RT_RUNTIME_SOCKET_H
#define RT_RUNTIME_SOCKET_H

#include "netpoll/pd.h"
#include "runtime/addr.h"

/* The kind of a stream socket of a family (pd.h). */
uint32_t socket_kind(int family);

/* Nagle's algorithm and keep-alive, as the options ask. */
int socket_tune(int sysfd, int family, bool delay, int keepalive);

/*
 * All addresses of host:port on a network, in the resolver's order; at most
 * max.  Returns how many, or -EINVAL, -ENOENT, -EAGAIN, -ENOMEM; looking up a
 * name also -ECANCELED, -ETIMEDOUT.
 */
int socket_resolve(const char *network, const char *text, int64_t deadline,
    struct gamp_addr *out, int max, struct addr_net *net);

/* lookup.c: of a name.  Parks. */
int socket_look_up(const struct addr_net *net, const struct addr_hostport *hp,
    int64_t deadline, struct gamp_addr *out, int max);

#endif
