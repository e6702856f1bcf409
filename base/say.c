/* SPDX-License-Identifier: MIT */
/* say.c - see say.h. */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"

void say_to(struct say *s, int fd)
{
	s->fd = fd;
	s->err = 0;
	s->n = 0;
}

/* A descriptor that does not block is waited for: the report is to be whole. */
static int wait_writable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, -1) < 0 && errno != EINTR ? -errno : 0;
}

static void flush(struct say *s)
{
	int saved = errno;
	uint32_t at = 0;

	while (at < s->n && s->err == 0) {
		ssize_t r = write(s->fd, s->buf + at, s->n - at);

		if (r >= 0)
			at += (uint32_t)r;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			s->err = wait_writable(s->fd);
		else if (errno != EINTR)
			s->err = -errno;
	}
	s->n = 0;
	errno = saved;
}

static void put(struct say *s, char c)
{
	if (s->n == sizeof(s->buf))
		flush(s);
	s->buf[s->n++] = c;
}

static void put_str(struct say *s, const char *str)
{
	while (*str)
		put(s, *str++);
}

static void put_number(struct say *s, uint64_t v, unsigned base, int digits)
{
	char d[24];
	int n = 0;

	do {
		d[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0 || n < digits);
	while (n > 0)
		put(s, d[--n]);
}

static void put_signed(struct say *s, long v)
{
	if (v < 0)
		put(s, '-');
	put_number(s, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, 1);
}

void say(struct say *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(s, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == 'l')
			fmt++;
		switch (*fmt) {
		case 's':
			put_str(s, va_arg(ap, const char *));
			break;
		case 'd':
			put_signed(s, va_arg(ap, long));
			break;
		case 'u':
			put_number(s, va_arg(ap, unsigned long), 10, 1);
			break;
		case 'x':
			put_number(s, va_arg(ap, unsigned long), 16, 1);
			break;
		default:
			put(s, '%');
		}
	}
	va_end(ap);
}

void say_span(struct say *s, int64_t ns)
{
	uint64_t ms = ns < 0 ? 0 : (uint64_t)(ns / NS_PER_MS);

	put_number(s, ms / 1000, 10, 1);
	put(s, '.');
	put_number(s, ms % 1000, 10, 3);
}

int say_end(struct say *s)
{
	flush(s);
	return s->err;
}
