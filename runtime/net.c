/* SPDX-License-Identifier: MIT */
/* net.c - the calls of gamp/net.h on an open descriptor. */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <gamp/net.h>

#include "base/sys.h"
#include "netpoll/backend.h"
#include "netpoll/fdio.h"
#include "sched/entry.h"

/* Runs `call` unless the runtime is down. */
#define ENTERED(result, call)              \
	do {                               \
		if (!entry_begin())        \
			return -EBADF;     \
		(result) = (call);         \
		entry_end();               \
	} while (0)

/* On an M there is nothing to enter or leave, and the call is a jump: one
 * return less after the system call (base/io.h). */
#define ENTERED_FAST(result, call)            \
	do {                                  \
		if (rt_likely(m_self()))      \
			return (call);        \
		ENTERED(result, call);        \
		return (result);              \
	} while (0)

ssize_t gamp_read(gamp_fd fd, void *buf, size_t n)
{
	ssize_t r;

	ENTERED_FAST(r, fd_read(fd, buf, n));
}

ssize_t gamp_readv(gamp_fd fd, const struct iovec *iov, int cnt)
{
	ssize_t r;

	ENTERED_FAST(r, fd_readv(fd, iov, cnt));
}

ssize_t gamp_write(gamp_fd fd, const void *buf, size_t n)
{
	ssize_t r;

	ENTERED_FAST(r, fd_write(fd, buf, n, true));
}

ssize_t gamp_write_some(gamp_fd fd, const void *buf, size_t n)
{
	ssize_t r;

	ENTERED_FAST(r, fd_write(fd, buf, n, false));
}

ssize_t gamp_writev(gamp_fd fd, const struct iovec *iov, int cnt)
{
	ssize_t r;

	ENTERED_FAST(r, fd_writev(fd, iov, cnt));
}

int gamp_wait_readable(gamp_fd fd)
{
	int r;

	ENTERED(r, fd_wait(fd, MODE_READ));
	return r;
}

int gamp_wait_writable(gamp_fd fd)
{
	int r;

	ENTERED(r, fd_wait(fd, MODE_WRITE));
	return r;
}

int gamp_go_when_readable(gamp_fd fd, gamp_fn *fn, void *arg)
{
	int r;

	if (!fn)
		return -EINVAL;
	(void)m_checkpoint();
	ENTERED(r, pd_arm(fd, fn, arg, __builtin_return_address(0)));
	return r;
}

static int set_deadline(gamp_fd fd, int64_t t, bool read, bool write)
{
	int r;

	(void)m_enter();
	r = pd_set_deadline(fd, read, write, t);
	m_exit();
	return r;
}

int gamp_set_deadline(gamp_fd fd, int64_t t)
{
	int r;

	ENTERED(r, set_deadline(fd, t, true, true));
	return r;
}

int gamp_set_read_deadline(gamp_fd fd, int64_t t)
{
	int r;

	ENTERED(r, set_deadline(fd, t, true, false));
	return r;
}

int gamp_set_write_deadline(gamp_fd fd, int64_t t)
{
	int r;

	ENTERED(r, set_deadline(fd, t, false, true));
	return r;
}

static int close_fd(gamp_fd fd)
{
	int r;

	(void)m_enter();
	r = pd_close(fd);
	m_exit();
	return r;
}

int gamp_close(gamp_fd fd)
{
	int r;

	ENTERED(r, close_fd(fd));
	return r;
}

static int shut(int sysfd, void *arg)
{
	return shutdown(sysfd, *(int *)arg) < 0 ? -errno : 0;
}

static int local_addr(int sysfd, void *arg)
{
	struct gamp_addr *a = arg;

	a->len = sizeof(a->sa);
	return getsockname(sysfd, (struct sockaddr *)&a->sa, &a->len) < 0 ?
	    -errno :
	    0;
}

static int peer_addr(int sysfd, void *arg)
{
	struct gamp_addr *a = arg;

	a->len = sizeof(a->sa);
	return getpeername(sysfd, (struct sockaddr *)&a->sa, &a->len) < 0 ?
	    -errno :
	    0;
}

/* A call on the system's descriptor while it cannot be closed. */
static int with_sysfd(gamp_fd fd, int (*fn)(int, void *), void *arg)
{
	struct pd *pd;
	int r = pd_begin(fd, &pd);

	if (r < 0)
		return r;
	r = fn(pd->sysfd, arg);
	pd_end(pd);
	return r;
}

int gamp_shutdown(gamp_fd fd, int how)
{
	int r;

	ENTERED(r, with_sysfd(fd, shut, &how));
	return r;
}

int gamp_local_addr(gamp_fd fd, struct gamp_addr *addr)
{
	int r;

	ENTERED(r, with_sysfd(fd, local_addr, addr));
	return r;
}

int gamp_peer_addr(gamp_fd fd, struct gamp_addr *addr)
{
	int r;

	ENTERED(r, with_sysfd(fd, peer_addr, addr));
	return r;
}

static int share(gamp_fd fd)
{
	struct pd *pd;
	int r = pd_begin(fd, &pd);

	if (r < 0)
		return r;
	rt_store_relaxed(&pd->shared, 1); /* it may be dup'ed from now on */
	r = pd->sysfd;
	pd_end(pd);
	return r;
}

int gamp_sysfd(gamp_fd fd)
{
	int r;

	ENTERED(r, share(fd));
	return r;
}

/* Sockets, and whether the short-read rule holds (pd.h): for TCP it does; a
 * unix socket stops short at passed descriptors, a terminal at each line, a
 * pipe with O_DIRECT at each packet. */
static uint32_t kind_of(int sysfd)
{
	uint32_t kind = PD_SHARED;
	int type, domain;

	if (sys_getsockopt(sysfd, SOL_SOCKET, SO_TYPE, &type) < 0 ||
	    sys_getsockopt(sysfd, SOL_SOCKET, SO_DOMAIN, &domain) < 0)
		return kind;
	kind |= PD_SOCKET;
	if (type == SOCK_STREAM && (domain == AF_INET || domain == AF_INET6))
		kind |= PD_DRAINS;
	return kind;
}

static gamp_fd adopt(int sysfd)
{
	int flags = fcntl(sysfd, F_GETFL), r;
	gamp_fd fd;

	if (flags < 0)
		return -errno;
	r = sys_nonblock(sysfd);
	if (r < 0)
		return r;
	(void)m_enter();
	fd = pd_open(sysfd, kind_of(sysfd), true);
	m_exit();
	if (fd < 0) /* as it was */
		(void)fcntl(sysfd, F_SETFL, flags);
	return fd;
}

gamp_fd gamp_adopt(int sysfd)
{
	gamp_fd fd;

	if (!entry_begin())
		return -ESRCH;
	fd = adopt(sysfd);
	entry_end();
	return fd;
}
