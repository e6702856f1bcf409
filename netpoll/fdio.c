/* SPDX-License-Identifier: MIT */
/* fdio.c - see fdio.h.  Each loop: why not? try; would block? park. */

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include "base/fatal.h"
#include "base/io.h"
#include "base/sys.h"
#include "netpoll/backend.h"
#include "netpoll/fdio.h"
#include "sched/m.h"

/* Down to the system call, for the sake of the returns: base/io.h. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

#define PAUSE_MIN NS_PER_MS	   /* when descriptors have run out */
#define PAUSE_MAX (10 * NS_PER_MS) /* 100 tries a second are no load */

/* At most one buffer of a vector is split: what is left after n bytes. */
static int skip(struct iovec *rest, const struct iovec *iov, int cnt, size_t n)
{
	int k = 0;

	for (int i = 0; i < cnt; i++) {
		size_t gone = n < iov[i].iov_len ? n : iov[i].iov_len;

		n -= gone;
		if (gone == iov[i].iov_len)
			continue;
		rest[k].iov_base = (char *)iov[i].iov_base + gone;
		rest[k++].iov_len = iov[i].iov_len - gone;
	}
	return k;
}

/* Bytes in all; -EINVAL if they do not fit the result. */
static ssize_t total(const struct iovec *iov, int cnt)
{
	size_t sum = 0;

	if (cnt < 0 || cnt > 1024)
		return -EINVAL;
	for (int i = 0; i < cnt; i++) {
		if (iov[i].iov_len > (size_t)SSIZE_MAX - sum)
			return -EINVAL;
		sum += iov[i].iov_len;
	}
	return (ssize_t)sum;
}

/* The reader's part of the short-read rule: true if a try is worth it. */
static bool may_have_data(struct pd *pd)
{
	return !pd->drained ||
	    (rt_load_acquire(&pd->info) & PD_HUP);
}

ALWAYS_INLINE ssize_t read_loop(
    struct pd *pd, const struct iovec *iov, int cnt, size_t want)
{
	for (;;) {
		ssize_t n = pd_check(pd, MODE_READ);

		if (n < 0)
			return n;
		if (may_have_data(pd)) {
			dir_reset(&pd->dir[MODE_READ]); /* dir.h I5 */
			n = io_readv(
			    pd->sysfd, pd->kind & PD_SOCKET, iov, cnt);
			if (n >= 0)
				pd->drained = n > 0 && (size_t)n < want &&
				    (pd->kind & PD_DRAINS);
			if (n != -EAGAIN)
				return n;
		}
		pd->drained = true;
		n = pd_wait(pd, MODE_READ, NEVER);
		if (n < 0)
			return n;
	}
}

/* A blocking call on fd begins: 0, -ECANCELED, -EPERM; -EBADF comes first. */
static int begin_call(gamp_fd fd)
{
	int r = m_checkpoint();
	struct pd *pd;

	if (rt_likely(r != -EPERM))
		return r;
	if (pd_begin(fd, &pd) < 0)
		return -EBADF;
	pd_end(pd);
	return r;
}

ALWAYS_INLINE ssize_t read_any(gamp_fd fd, const struct iovec *iov, int cnt)
{
	ssize_t want = total(iov, cnt), n;
	struct pd *pd;

	if (want < 0)
		return want;
	n = begin_call(fd);
	if (n < 0)
		return n;
	n = pd_lock(fd, MODE_READ, &pd);
	if (n < 0)
		return n;
	n = want == 0 ? pd_check(pd, MODE_READ) :
			read_loop(pd, iov, cnt, (size_t)want);
	pd_unlock(pd, MODE_READ);
	return n;
}

ssize_t fd_read(gamp_fd fd, void *buf, size_t n)
{
	return read_any(fd, &(struct iovec){ buf, n }, 1);
}

ssize_t fd_readv(gamp_fd fd, const struct iovec *iov, int cnt)
{
	return read_any(fd, iov, cnt);
}

static int await_write(struct pd *pd)
{
	int r = pd_poll_out(pd);

	return r < 0 ? r : pd_wait(pd, MODE_WRITE, NEVER);
}

/* One successful write, or an error. */
ALWAYS_INLINE ssize_t write_once(
    struct pd *pd, const struct iovec *iov, int cnt)
{
	for (;;) {
		ssize_t n = pd_check(pd, MODE_WRITE);

		if (n < 0)
			return n;
		dir_reset(&pd->dir[MODE_WRITE]);
		n = io_writev(
		    pd->sysfd, pd->kind & PD_SOCKET, iov, cnt);
		if (n != -EAGAIN)
			return n;
		n = await_write(pd);
		if (n < 0)
			return n;
	}
}

/* The rest of a write that came back short: rare, so it may copy. */
static __attribute__((noinline)) ssize_t write_rest(
    struct pd *pd, const struct iovec *iov, int cnt, size_t done, size_t want)
{
	struct iovec rest[16]; /* of the goroutine's stack: 256 bytes */

	while (done < want) {
		int k = 0, from = 0;
		size_t before = 0;
		ssize_t n;

		while (before + iov[from].iov_len <= done)
			before += iov[from++].iov_len;
		k = cnt - from < 16 ? cnt - from : 16;
		k = skip(rest, iov + from, k, done - before);
		n = write_once(pd, rest, k);
		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ALWAYS_INLINE ssize_t write_any(
    gamp_fd fd, const struct iovec *iov, int cnt, bool all)
{
	ssize_t want = total(iov, cnt), n;
	struct pd *pd;

	if (want < 0)
		return want;
	n = begin_call(fd);
	if (n < 0)
		return n;
	n = pd_lock(fd, MODE_WRITE, &pd);
	if (n < 0)
		return n;
	if (want == 0)
		n = pd_check(pd, MODE_WRITE);
	else
		n = write_once(pd, iov, cnt);
	if (n >= 0 && n < want && all)
		n = write_rest(pd, iov, cnt, (size_t)n, (size_t)want);
	pd_unlock(pd, MODE_WRITE);
	return n;
}

ssize_t fd_write(gamp_fd fd, const void *buf, size_t n, bool all)
{
	struct iovec v = { (void *)(uintptr_t)buf, n };

	return write_any(fd, &v, 1, all);
}

ssize_t fd_writev(gamp_fd fd, const struct iovec *iov, int cnt)
{
	return write_any(fd, iov, cnt, true);
}

/*
 * Not known to be drained: ask the system whether it is ready now, and wait
 * for an edge only if it is not.
 */
static int wait_unsure(struct pd *pd, int mode)
{
	for (;;) {
		int r;

		dir_reset(&pd->dir[mode]);
		if (sys_ready(pd->sysfd, mode == MODE_WRITE))
			return 0;
		r = mode == MODE_READ ? pd_wait(pd, MODE_READ, NEVER) :
					await_write(pd);
		if (r < 0)
			return r;
	}
}

int fd_wait(gamp_fd fd, int mode)
{
	struct pd *pd;
	int r;

	r = begin_call(fd);
	if (r < 0)
		return r;
	r = pd_lock(fd, mode, &pd);
	if (r < 0)
		return r;
	r = pd_check(pd, mode);
	if (r == 0 && mode == MODE_READ && !may_have_data(pd))
		r = pd_wait(pd, MODE_READ, NEVER);
	else if (r == 0)
		r = wait_unsure(pd, mode);
	pd_unlock(pd, mode);
	return r;
}

static bool short_of_descriptors(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOBUFS ||
	    err == -ENOMEM;
}

/* Said once for each time that it begins. */
static void say_short(bool is_short)
{
	static rt_a32 said;

	if (is_short && rt_load_relaxed(&said) == 0 &&
	    rt_swap_acqrel(&said, 1) == 0)
		rt_warn("accept: out of descriptors or memory; connections "
			"wait until there are some");
	else if (!is_short && rt_load_relaxed(&said) != 0)
		rt_store_relaxed(&said, 0);
}

static int accept_loop(struct pd *pd)
{
	int64_t pause = PAUSE_MIN, retry;

	for (;;) {
		int r = pd_check(pd, MODE_READ);

		if (r < 0)
			return r;
		dir_reset(&pd->dir[MODE_READ]);
		r = sys_accept(pd->sysfd);
		if (r >= 0) {
			say_short(false);
			return r;
		}
		retry = NEVER;
		if (short_of_descriptors(r)) {
			say_short(true);
			retry = clock_after(clock_now(), pause);
			pause = pause * 2 > PAUSE_MAX ? PAUSE_MAX : pause * 2;
		} else if (r == -ECONNABORTED || r == -EPROTO) {
			continue; /* that one is gone, not the listener */
		} else if (r != -EAGAIN) {
			return r == -ENOTSOCK || r == -EOPNOTSUPP ? -EINVAL :
								    r;
		}
		r = pd_wait(pd, MODE_READ, retry);
		if (r < 0)
			return r;
	}
}

int fd_accept(gamp_fd fd, uint32_t *kind)
{
	struct pd *pd;
	int r;

	r = begin_call(fd);
	if (r < 0)
		return r;
	r = pd_lock(fd, MODE_READ, &pd);
	if (r < 0)
		return r;
	*kind = pd->kind & ~(uint32_t)(PD_UNLINK | PD_SHARED);
	r = accept_loop(pd);
	pd_unlock(pd, MODE_READ);
	return r;
}

/*
 * Writable may be a false alarm, and no error does not mean connected: only
 * a peer does.
 */
int fd_connected(gamp_fd fd)
{
	struct sockaddr_storage ss;
	struct pd *pd;
	int r = pd_lock(fd, MODE_WRITE, &pd), err;

	if (r < 0)
		return r;
	for (;;) {
		r = pd_wait(pd, MODE_WRITE, NEVER);
		if (r < 0)
			break;
		r = sys_getsockopt(pd->sysfd, SOL_SOCKET, SO_ERROR, &err);
		if (r < 0)
			break;
		r = -err;
		if (err != 0 ||
		    getpeername(pd->sysfd, (struct sockaddr *)&ss,
			&(socklen_t){ sizeof(ss) }) == 0)
			break;
	}
	pd_unlock(pd, MODE_WRITE);
	return r;
}
