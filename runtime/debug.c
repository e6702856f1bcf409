/* SPDX-License-Identifier: MIT */
/* debug.c - the calls of gamp/debug.h. */

#include <errno.h>

#include <gamp/debug.h>

#include "sched/dump.h"
#include "sched/m.h"
#include "sched/world.h"

int gamp_dump(int fd)
{
	struct m *mp = m_self();

	if ((mp && !m_curg(mp)) /* a short timer's callback */ ||
	    world_is_mine())
		return -EDEADLK;
	return dump_all(fd, "dump", __builtin_return_address(0));
}
