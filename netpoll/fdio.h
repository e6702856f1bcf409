/* SPDX-License-Identifier: MIT */
/* fdio.h - reads, writes and accepts as loops that park. */
#ifndef RT_NETPOLL_FDIO_H
#define RT_NETPOLL_FDIO_H

#include "netpoll/pd.h"

ssize_t fd_read(gamp_fd fd, void *buf, size_t n);
ssize_t fd_readv(gamp_fd fd, const struct iovec *iov, int cnt);

/* all: until everything is written. */
ssize_t fd_write(gamp_fd fd, const void *buf, size_t n, bool all);
ssize_t fd_writev(gamp_fd fd, const struct iovec *iov, int cnt);

/* A new descriptor of the system. */
int fd_accept(gamp_fd fd, uint32_t *kind);

int fd_wait(gamp_fd fd, int mode);

/* The result of a connect in progress on fd. */
int fd_connected(gamp_fd fd);

#endif
