/* SPDX-License-Identifier: MIT */
/* listen.c - gamp_listen and gamp_accept. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"
#include "netpoll/fdio.h"
#include "runtime/socket.h"
#include "sched/entry.h"

/* What the system allows; read anew, for it may be raised. */
static int backlog_max(void)
{
	char buf[16] = "";
	int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
	long n = 0;

	if (fd >= 0) {
		if (read(fd, buf, sizeof(buf) - 1) > 0)
			n = strtol(buf, NULL, 10);
		sys_close(fd);
	}
	return n > 0 && n < INT32_MAX ? (int)n : SOMAXCONN;
}

/* Accepted sockets inherit what is set here, so each costs nothing. */
static int set_options(int sysfd, int family, bool dual,
    const struct gamp_listen_options *opt)
{
	int r = 0;

	if (family != AF_UNIX)
		r = sys_setsockopt(sysfd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && opt->reuse_port)
		r = sys_setsockopt(sysfd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (r == 0 && family == AF_INET6)
		r = sys_setsockopt(sysfd, IPPROTO_IPV6, IPV6_V6ONLY, !dual);
	if (r == 0)
		r = socket_tune(sysfd, family, opt->delay, opt->keepalive);
	return r;
}

/* With the file that bind has made. */
static void close_bound(int sysfd, const struct gamp_addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&a->sa;

	if (a->sa.ss_family == AF_UNIX && un->sun_path[0] != '\0')
		(void)unlink(un->sun_path);
	sys_close(sysfd);
}

static int open_listener(const struct gamp_addr *a, bool dual,
    const struct gamp_listen_options *opt)
{
	int family = a->sa.ss_family;
	int fd = sys_socket(family, SOCK_STREAM), r;

	if (fd < 0)
		return fd;
	r = set_options(fd, family, dual, opt);
	if (r == 0 && bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
		r = -errno;
	if (r < 0) {
		sys_close(fd);
		return r;
	}
	if (listen(fd, opt->backlog > 0 ? opt->backlog : backlog_max()) == 0)
		return fd;
	r = -errno;
	close_bound(fd, a);
	return r;
}

static bool is_any6(const struct gamp_addr *a)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	return a->sa.ss_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* A system without IPv6: the wildcard of the other protocol. */
static void any4(struct gamp_addr *a)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = ((struct sockaddr_in6 *)&a->sa)->sin6_port };

	memset(a, 0, sizeof(*a));
	memcpy(&a->sa, &in, sizeof(in));
	a->len = sizeof(in);
}

static gamp_fd listen_on(const struct gamp_listen_options *opt,
    const struct addr_net *net, struct gamp_addr *addr)
{
	bool dual = net->family == AF_UNSPEC && is_any6(addr);
	int sysfd = open_listener(addr, dual, opt);
	uint32_t kind;
	gamp_fd fd;

	if (dual && (sysfd == -EAFNOSUPPORT || sysfd == -EADDRNOTAVAIL)) {
		any4(addr);
		sysfd = open_listener(addr, false, opt);
	}
	if (sysfd < 0)
		return sysfd;
	kind = socket_kind(addr->sa.ss_family);
	if (addr->sa.ss_family == AF_UNIX)
		kind |= PD_UNLINK;
	fd = pd_open(sysfd, kind, false);
	if (fd < 0)
		close_bound(sysfd, addr);
	return fd;
}

gamp_fd gamp_listen_with(const struct gamp_listen_options *opt,
    const char *network, const char *addr)
{
	static const struct gamp_listen_options none;
	struct gamp_addr found;
	struct addr_net net;
	gamp_fd fd;
	int r;

	if (!entry_begin())
		return -ESRCH;
	entry_end();
	/* A name takes its time: not inside, where gamp_stop waits for us. */
	r = socket_resolve(network, addr, 0, &found, 1, &net);
	if (r < 0)
		return r;
	if (!entry_begin())
		return -ESRCH;
	fd = listen_on(opt ? opt : &none, &net, &found);
	entry_end();
	return fd;
}

gamp_fd gamp_listen(const char *network, const char *addr)
{
	return gamp_listen_with(NULL, network, addr);
}

gamp_fd gamp_accept(gamp_fd listener)
{
	uint32_t kind;
	int sysfd;
	gamp_fd fd;

	if (!entry_begin())
		return -EBADF;
	sysfd = fd_accept(listener, &kind);
	fd = sysfd;
	if (sysfd >= 0) {
		fd = pd_open(sysfd, kind, false);
		if (fd < 0)
			sys_close(sysfd);
	}
	entry_end();
	return fd;
}
