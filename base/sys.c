/* SPDX-License-Identifier: MIT */
/* sys.c - see sys.h. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/io.h"
#include "base/sys.h"

#define APART __attribute__((noinline))

char io_order;

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

APART int sys_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

APART int64_t sys_read(int fd, void *buf, size_t n)
{
	ssize_t r;

	do {
		r = read(fd, buf, n);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int64_t sys_read_file(const char *path, char *buf, size_t size)
{
	int fd = sys_open(path);
	size_t have = 0;
	int64_t r = fd;

	while (r >= 0 && have < size - 1) {
		r = sys_read(fd, buf + have, size - 1 - have);
		if (r <= 0)
			break;
		have += (size_t)r;
	}
	buf[have] = '\0';
	if (fd >= 0)
		sys_close(fd);
	return r < 0 ? r : (int64_t)have;
}

APART int sys_write_all(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k >= 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			(void)poll(&pfd, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

APART int sys_create(const char *path)
{
	int fd;

	do {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0644);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}
