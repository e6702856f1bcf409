/* SPDX-License-Identifier: MIT */
/*
 * net.h - blocking network calls that park the goroutine, not the thread.
 *
 *  Networks	"tcp", "tcp4", "tcp6", "unix".
 *  Addresses	"host:port", "[v6]:port", "[v6%zone]:port", ":port"; for
 *		"unix" a path, or "@name" in Linux's abstract namespace.  A
 *		host is numeric, "localhost", or a name for the system's
 *		resolver: a goroutine of its own calls getaddrinfo(3), which
 *		nothing can end; a dial that is cancelled, or at its deadline,
 *		leaves it.  A port is a number from 0 to 65535.
 *  Users	One reader and one writer at a time per descriptor; a second
 *		reader (writer) waits, parked, for the first.  Everything else
 *		may be called at any time from anywhere.
 */
#ifndef GAMP_NET_H
#define GAMP_NET_H

#include <sys/socket.h>
#include <sys/uio.h>

#include <gamp/api.h>
#include <gamp/go.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open descriptor: passed around like a POSIX one, but a stale value is
 * -EBADF for ever, even after its slot went to another connection. */
typedef int64_t gamp_fd;

/* A socket address. */
struct gamp_addr {
	socklen_t len; /* bytes of sa in use */
	struct sockaddr_storage sa;
};

struct gamp_listen_options {
	int backlog;	  /* 0: the system's maximum, net.core.somaxconn */
	bool reuse_port;  /* SO_REUSEPORT */
	bool delay;	  /* leave Nagle's algorithm on for accepted sockets */
	int keepalive;	  /* seconds idle before probes; 0: 15; < 0: off */
	int64_t reserved[4]; /* zero */
};

struct gamp_dial_options {
	int64_t deadline;  /* of the whole dial, names included */
	const char *local; /* address to bind first, or null */
	bool delay;	   /* leave Nagle's algorithm on */
	int keepalive;	   /* as in gamp_listen_options */
	int64_t reserved[4]; /* zero */
};

/*
 * gamp_listen - listen for connections
 *
 * Sets SO_REUSEADDR; the backlog is the system's maximum.  "tcp" with no
 * host listens on both protocols where the system has IPv6.
 *
 * Returns	a descriptor for gamp_accept
 * Errors	-EINVAL		malformed address
 *		-EPROTONOSUPPORT	unknown network
 *		-ENOENT		the host has no address on that network
 *		-EAGAIN		no name server answered, or there was no
 *				goroutine to be had for the lookup
 *		-EADDRINUSE, -EACCES, -EMFILE, -ENOMEM, ...	as listen(2)
 *		-ESRCH		the runtime is not running
 * Parks	only to look up a name; then it must be a goroutine.
 * Threads	any thread.
 */
GAMP_API gamp_fd gamp_listen(const char *network, const char *addr);

/*
 * gamp_listen_with - listen with options
 *
 * Errors	as gamp_listen
 * Parks	as gamp_listen.
 * Threads	any thread.
 */
GAMP_API gamp_fd gamp_listen_with(const struct gamp_listen_options *opt,
    const char *network, const char *addr);

/*
 * gamp_accept - take the next connection
 *
 * Connections that died in the queue are skipped.  When the process or the
 * system is out of descriptors or memory, it says so once on standard error,
 * waits and tries again: the connections stay queued.
 *
 * Returns	a descriptor
 * Errors	-ECANCELED	the listener was closed meanwhile, or the
 *				goroutine was cancelled
 *		-EBADF		the listener is closed
 *		-ETIMEDOUT	its read deadline has passed
 *		-EINVAL		not a listener
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API gamp_fd gamp_accept(gamp_fd listener);

/*
 * gamp_dial - connect
 *
 * The addresses of a name are tried in order.
 *
 * Returns	a descriptor
 * Errors	-EINVAL		malformed address
 *		-EPROTONOSUPPORT	unknown network
 *		-ENOENT		the host has no address on that network
 *		-EAGAIN		no name server answered, or there was no
 *				goroutine to be had for the lookup
 *		-ECONNREFUSED, -ENETUNREACH, -ETIMEDOUT, ...	as connect(2)
 *		-ECANCELED	the goroutine was cancelled
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API gamp_fd gamp_dial(const char *network, const char *addr);

/*
 * gamp_dial_with - connect with options
 *
 * Errors	as gamp_dial; -ETIMEDOUT when the deadline passes
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API gamp_fd gamp_dial_with(const struct gamp_dial_options *opt,
    const char *network, const char *addr);

/*
 * gamp_read - read what has arrived
 *
 * Parks until at least one byte has arrived, the peer has closed, fd is
 * closed, or the read deadline passes.
 *
 * Returns	the number of bytes, at least 1; 0 if n is 0, or at the end of
 *		the stream
 * Errors	-ETIMEDOUT	the read deadline has passed; nothing was read
 *		-ECANCELED	fd was closed meanwhile, or the goroutine was
 *				cancelled
 *		-EBADF		fd is closed
 *		-ECONNRESET, ...	as read(2)
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API ssize_t gamp_read(gamp_fd fd, void *buf, size_t n);

/*
 * gamp_readv - read what has arrived into several buffers
 *
 * Errors	as gamp_read; -EINVAL if cnt is not 0 to 1024
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API ssize_t gamp_readv(gamp_fd fd, const struct iovec *iov, int cnt);

/*
 * gamp_write - write all n bytes
 *
 * Two writes never interleave.
 *
 * Returns	n
 * Errors	-ETIMEDOUT	the write deadline has passed
 *		-ECANCELED	fd was closed meanwhile, or the goroutine was
 *				cancelled
 *		-EBADF		fd is closed
 *		-EPIPE, -ECONNRESET, ...	as write(2); never SIGPIPE
 *		After an error an unknown part of buf has been written.
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API ssize_t gamp_write(gamp_fd fd, const void *buf, size_t n);

/*
 * gamp_write_some - write what fits now
 *
 * Returns	the number of bytes written, at least 1 unless n is 0
 * Errors	as gamp_write; after an error nothing has been written
 * Parks	until at least one byte fits.
 * Threads	goroutine.
 */
GAMP_API ssize_t gamp_write_some(gamp_fd fd, const void *buf, size_t n);

/*
 * gamp_writev - write all bytes of several buffers
 *
 * Returns	the sum of the lengths
 * Errors	as gamp_write; -EINVAL if cnt is not 0 to 1024
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API ssize_t gamp_writev(gamp_fd fd, const struct iovec *iov, int cnt);

/*
 * gamp_wait_readable - wait until a read would not park
 *
 * So that an idle connection holds no buffer.  May return early: a read that
 * follows may still park.
 *
 * Errors	as gamp_read; the end of the stream is readable (0)
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_wait_readable(gamp_fd fd);

/*
 * gamp_wait_writable - wait until a write would not park
 *
 * Errors	as gamp_write
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_wait_writable(gamp_fd fd);

/*
 * gamp_go_when_readable - no goroutine at all until there is work
 *
 * Starts a goroutine fn(arg) once, as soon as fd is readable, is closed, its
 * read deadline passes, or the runtime stops; fn finds out which by its first
 * call.  Until then an idle connection costs its descriptor and nothing else.
 * May start spuriously: fn's first read then parks like any other.
 *
 * Errors	-EBADF		fd is closed
 *		-EBUSY		a goroutine reads from fd, or one waits to
 *				be started already
 *		-EINVAL		fn is null
 *		-ENOMEM, ...	it was readable, and gamp_go failed
 *		After an error fn will not run.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_go_when_readable(gamp_fd fd, gamp_fn *fn, void *arg);

/*
 * gamp_set_deadline - bound reads and writes, to come and in progress
 *
 * From time t on they fail with -ETIMEDOUT, until a later call moves the
 * deadline.  Moving one only later costs next to nothing.
 *
 * Errors	-EBADF		fd is closed
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_set_deadline(gamp_fd fd, int64_t t);

/*
 * gamp_set_read_deadline - bound reads, accepts and wait_readable
 *
 * Errors	-EBADF		fd is closed
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_set_read_deadline(gamp_fd fd, int64_t t);

/*
 * gamp_set_write_deadline - bound writes and wait_writable
 *
 * Errors	-EBADF		fd is closed
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_set_write_deadline(gamp_fd fd, int64_t t);

/*
 * gamp_shutdown - close one or both directions of a connection
 *
 * how is SHUT_RD, SHUT_WR or SHUT_RDWR.
 *
 * Errors	-EBADF		fd is closed
 *		-EINVAL, -ENOTCONN, -ENOTSOCK	as shutdown(2)
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_shutdown(gamp_fd fd, int how);

/*
 * gamp_close - close a descriptor
 *
 * Calls in progress on fd return -ECANCELED, later ones -EBADF.  The system's
 * descriptor is closed with the last user: on return, unless another
 * goroutine is just leaving a call on fd.  A unix listener's path is removed.
 *
 * Errors	-EBADF		fd is closed already
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_close(gamp_fd fd);

/*
 * gamp_adopt - hand a descriptor of the system to the runtime
 *
 * Any descriptor that can be polled: pipe, terminal, eventfd, timerfd,
 * signalfd, pidfd, a client library's socket.  It is made non-blocking, and
 * gamp_close closes it.
 *
 * Returns	a descriptor
 * Errors	-EBADF		sysfd is not open
 *		-EPERM		it cannot be polled (a regular file)
 *		-ENOMEM		no memory
 *		-ESRCH		the runtime is not running
 *		After an error sysfd is still the caller's.
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API gamp_fd gamp_adopt(int sysfd);

/*
 * gamp_sysfd - the system's descriptor behind fd
 *
 * For setsockopt(2) and the like; it stays the runtime's: do not close it.
 *
 * Errors	-EBADF		fd is closed
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_sysfd(gamp_fd fd);

/*
 * gamp_local_addr - the address of this end
 *
 * Errors	-EBADF		fd is closed
 *		-ENOTSOCK, ...	as getsockname(2)
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_local_addr(gamp_fd fd, struct gamp_addr *addr);

/*
 * gamp_peer_addr - the address of the other end
 *
 * Errors	-EBADF		fd is closed
 *		-ENOTCONN, -ENOTSOCK, ...	as getpeername(2)
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_peer_addr(gamp_fd fd, struct gamp_addr *addr);

/*
 * gamp_addr_port - the port of an address
 *
 * Errors	-EAFNOSUPPORT	it is neither IPv4 nor IPv6
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_addr_port(const struct gamp_addr *addr);

/*
 * gamp_addr_string - an address as text that gamp_dial accepts
 *
 * Returns	the length without the final 0
 * Errors	-ENOSPC		buf of size n is too small
 *		-EAFNOSUPPORT	unknown family
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_addr_string(
    const struct gamp_addr *addr, char *buf, size_t n);

/*
 * gamp_addr_parse - an address from text, without looking up names
 *
 * "localhost" is 127.0.0.1, or ::1 for "tcp6"; no host is the wildcard.
 *
 * Errors	-EINVAL		malformed, or the host is a name
 *		-EPROTONOSUPPORT	unknown network
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_addr_parse(
    const char *network, const char *text, struct gamp_addr *addr);

#ifdef __cplusplus
}
#endif

#endif
