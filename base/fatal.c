/* SPDX-License-Identifier: MIT */
/* fatal.c - the last words, by write(2) alone. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fatal.h"

static void say(const char *prefix, const char *msg)
{
	struct iovec v[3] = {
		{ (void *)(uintptr_t)prefix, strlen(prefix) },
		{ (void *)(uintptr_t)msg, strlen(msg) },
		{ (void *)(uintptr_t) "\n", 1 },
	};

	if (writev(STDERR_FILENO, v, 3) < 0)
		return; /* nobody to tell */
}

void rt_warn(const char *msg)
{
	say("gamp: ", msg);
}

_Noreturn void rt_fatal(const char *msg)
{
	say("gamp: fatal: ", msg);
	abort();
}
