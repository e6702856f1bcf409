/* SPDX-License-Identifier: MIT */
/* sys.c - see sys.h. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/san.h"
#include "base/sys.h"

#define APART __attribute__((noinline))

/* What was done before a write is seen after the read that got its bytes.
 * TSan does not see our system calls; as in Go, one word stands for all. */
static char io;

/* Not libc's read and send: they are cancellation points, which costs 1.7 %
 * of a request.  recv is cheaper than read by 4 %. */
static ssize_t do_read(int fd, bool socket, const struct iovec *iov, int cnt)
{
	if (cnt != 1)
		return syscall(SYS_readv, fd, iov, cnt);
	if (!socket)
		return syscall(SYS_read, fd, iov->iov_base, iov->iov_len);
	return syscall(
	    SYS_recvfrom, fd, iov->iov_base, iov->iov_len, 0, NULL, NULL);
}

APART ssize_t sys_readv(int fd, bool socket, const struct iovec *iov, int cnt)
{
	ssize_t r;

	do {
		r = do_read(fd, socket, iov, cnt);
	} while (r < 0 && errno == EINTR);
	if (r >= 0)
		san_acquire(&io);
	return r < 0 ? -errno : r;
}

static ssize_t socket_writev(int fd, const struct iovec *iov, int cnt)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)cnt };

	if (cnt == 1)
		return syscall(SYS_sendto, fd, iov->iov_base, iov->iov_len,
		    MSG_NOSIGNAL, NULL, 0);
	return syscall(SYS_sendmsg, fd, &m, MSG_NOSIGNAL);
}

APART ssize_t sys_writev(int fd, bool socket, const struct iovec *iov, int cnt)
{
	ssize_t r;

	san_release(&io);
	do {
		r = socket ? socket_writev(fd, iov, cnt) :
			     writev(fd, iov, cnt);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

APART int sys_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

APART int sys_accept(int fd)
{
	int r;

	do {
		r = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* Interrupted means begun, for connect. */
APART int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	if (connect(fd, sa, len) == 0)
		return 0;
	return errno == EINTR ? -EINPROGRESS : -errno;
}

APART int sys_setsockopt(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ?
	    -errno :
	    0;
}

APART int sys_getsockopt(int fd, int level, int name, int *value)
{
	socklen_t len = sizeof(*value);

	return getsockopt(fd, level, name, value, &len) < 0 ? -errno : 0;
}

APART int sys_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return 0;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

APART bool sys_ready(int fd, bool out)
{
	struct pollfd p = { .fd = fd, .events = out ? POLLOUT : POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* Linux frees the number even when close is interrupted: never repeat it. */
APART void sys_close(int fd)
{
	(void)close(fd);
}
