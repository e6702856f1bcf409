/* SPDX-License-Identifier: MIT */
/* socket.c - see socket.h. */

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "runtime/socket.h"

#define KEEPALIVE_DEFAULT 15 /* seconds idle, and between probes */
#define KEEPALIVE_PROBES  9

uint32_t socket_kind(int family)
{
	return family == AF_UNIX ? PD_SOCKET : PD_SOCKET | PD_DRAINS;
}

int socket_tune(int sysfd, int family, bool delay, int keepalive)
{
	int r = 0, idle = keepalive ? keepalive : KEEPALIVE_DEFAULT;

	if (family == AF_UNIX)
		return 0;
	if (!delay)
		r = sys_setsockopt(sysfd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (r < 0 || keepalive < 0)
		return r;
	r = sys_setsockopt(sysfd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0)
		r = sys_setsockopt(sysfd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
	if (r == 0)
		r = sys_setsockopt(sysfd, IPPROTO_TCP, TCP_KEEPINTVL, idle);
	if (r == 0)
		r = sys_setsockopt(
		    sysfd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
	return r;
}

static int from_gai(int e)
{
	switch (e) {
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	default:
		return -ENOENT;
	}
}

static int look_up(const struct addr_net *net, const struct addr_hostport *hp,
    struct gamp_addr *out, int max)
{
	struct addrinfo hints = { .ai_family = net->family,
		.ai_socktype = net->socktype };
	struct addrinfo *all = NULL;
	char port[8];
	int n = 0, r;

	(void)snprintf(port, sizeof(port), "%u", (unsigned)hp->port);
	hints.ai_flags = AI_NUMERICSERV;
	gamp_enter_blocking();
	r = getaddrinfo(hp->host, port, &hints, &all);
	gamp_leave_blocking();
	if (r != 0)
		return from_gai(r);
	for (struct addrinfo *a = all; a && n < max; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(out[n].sa))
			continue;
		memset(&out[n], 0, sizeof(out[n]));
		out[n].len = a->ai_addrlen;
		memcpy(&out[n++].sa, a->ai_addr, a->ai_addrlen);
	}
	freeaddrinfo(all);
	return n > 0 ? n : -ENOENT;
}

int socket_resolve(const char *network, const char *text,
    struct gamp_addr *out, int max, struct addr_net *net)
{
	struct addr_hostport hp;
	int r = addr_network(network, net);

	if (r < 0)
		return r;
	if (!text)
		return -EINVAL;
	if (net->family == AF_UNIX) {
		r = addr_unix(text, out);
		return r < 0 ? r : 1;
	}
	r = addr_split(text, &hp);
	if (r < 0)
		return r;
	r = addr_numeric(net, &hp, out);
	if (r == -ENOENT)
		return look_up(net, &hp, out, max);
	return r < 0 ? r : 1;
}
