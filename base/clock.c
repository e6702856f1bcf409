/* SPDX-License-Identifier: MIT */
/* clock.c - see clock.h. */

#include "base/clock.h"

rt_atime clock_fake;
