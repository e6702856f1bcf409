/* SPDX-License-Identifier: MIT */
/* dial.c - gamp_dial: connecting, one address after the other. */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/sys.h"
#include "netpoll/fdio.h"
#include "runtime/socket.h"
#include "sched/entry.h"

#define ADDRS_MAX   8 /* of one name; 136 bytes each on the stack */
#define SELF_TRIES  3 /* see connected_to_self */

static int bind_local(
    int sysfd, const char *network, const char *local, int family)
{
	struct gamp_addr a;
	int r;

	if (!local)
		return 0;
	r = gamp_addr_parse(network, local, &a);
	if (r == 0 && a.sa.ss_family != family)
		r = -EINVAL;
	if (r == 0 && bind(sysfd, (struct sockaddr *)&a.sa, a.len) < 0)
		r = -errno;
	return r;
}

/* The sequential part; the socket is not registered yet, for one that is not
 * connected reports writable at once.  0 or -EINPROGRESS, or an error. */
static int begin(int sysfd, const struct gamp_addr *a, const char *network,
    const struct gamp_dial_options *opt)
{
	int family = a->sa.ss_family;
	int r = bind_local(sysfd, network, opt->local, family);

	if (r == 0)
		r = socket_tune(sysfd, family, opt->delay, opt->keepalive);
	if (r == 0)
		r = sys_connect(
		    sysfd, (const struct sockaddr *)&a->sa, a->len);
	return r;
}

static gamp_fd dial_one(const struct gamp_addr *a, const char *network,
    const struct gamp_dial_options *opt)
{
	int sysfd = sys_socket(a->sa.ss_family, SOCK_STREAM), r;
	gamp_fd fd;

	if (sysfd < 0)
		return sysfd;
	r = begin(sysfd, a, network, opt);
	if (r < 0 && r != -EINPROGRESS) {
		sys_close(sysfd);
		/* A unix listener's queue is full: as if refused later. */
		return r == -EAGAIN ? -ECONNREFUSED : r;
	}
	fd = pd_open(
	    sysfd, socket_kind(a->sa.ss_family), r == -EINPROGRESS);
	if (fd < 0) {
		sys_close(sysfd);
		return fd;
	}
	if (r == -EINPROGRESS) {
		if (opt->deadline)
			(void)gamp_set_write_deadline(fd, opt->deadline);
		r = fd_connected(fd);
		if (r == 0 && opt->deadline)
			(void)gamp_set_write_deadline(fd, 0);
	}
	if (r == 0)
		return fd;
	(void)gamp_close(fd);
	return r;
}

/* Dialling a free port of this machine may pick that port as its own, and
 * connect to itself (simultaneous open). */
static bool connected_to_self(gamp_fd fd, const struct gamp_dial_options *opt)
{
	struct gamp_addr l, p;

	return !opt->local && gamp_local_addr(fd, &l) == 0 &&
	    gamp_peer_addr(fd, &p) == 0 && l.len == p.len &&
	    l.sa.ss_family != AF_UNIX && memcmp(&l.sa, &p.sa, l.len) == 0;
}

static gamp_fd dial_addr(const struct gamp_addr *a, const char *network,
    const struct gamp_dial_options *opt)
{
	for (int i = 0;; i++) {
		gamp_fd fd = dial_one(a, network, opt);

		if (fd < 0 || !connected_to_self(fd, opt))
			return fd;
		(void)gamp_close(fd);
		if (i == SELF_TRIES)
			return -ECONNREFUSED;
	}
}

/* Nothing is begun that would not be finished. */
static int may_dial(const struct gamp_dial_options *opt)
{
	int r = m_checkpoint();

	if (r < 0)
		return r;
	if (opt->deadline && opt->deadline <= clock_now())
		return -ETIMEDOUT;
	return 0;
}

static gamp_fd dial(const struct gamp_dial_options *opt, const char *network,
    const char *text)
{
	struct gamp_addr addrs[ADDRS_MAX];
	struct addr_net net;
	int n = socket_resolve(
	    network, text, opt->deadline, addrs, ADDRS_MAX, &net);
	gamp_fd fd = n, first = 0;

	if (n > 0) { /* a name takes its time */
		int r = may_dial(opt);

		if (r < 0)
			return r;
	}
	for (int i = 0; i < n; i++) {
		fd = dial_addr(&addrs[i], network, opt);
		if (fd >= 0 || fd == -ECANCELED)
			return fd;
		if (opt->deadline && opt->deadline <= clock_now())
			return -ETIMEDOUT;
		if (first == 0) /* the first error says the most */
			first = fd;
	}
	return first ? first : fd;
}

gamp_fd gamp_dial_with(const struct gamp_dial_options *opt,
    const char *network, const char *addr)
{
	static const struct gamp_dial_options none;
	int r;

	if (!opt)
		opt = &none;
	r = may_dial(opt);
	return r < 0 ? r : dial(opt, network, addr);
}

gamp_fd gamp_dial(const char *network, const char *addr)
{
	return gamp_dial_with(NULL, network, addr);
}
