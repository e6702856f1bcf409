/* SPDX-License-Identifier: MIT */
/* socket.c - see socket.h. */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

int socket_resolve(const char *network, const char *text,
    int64_t deadline, struct gamp_addr *out, int max, struct addr_net *net)
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
		return socket_look_up(net, &hp, deadline, out, max);
	return r < 0 ? r : 1;
}
