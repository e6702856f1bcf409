/* SPDX-License-Identifier: MIT */
/* gamp.h - everything: goroutines, channels and network I/O for C. */
#ifndef GAMP_GAMP_H
#define GAMP_GAMP_H

#include <gamp/api.h>
#include <gamp/chan.h>
#include <gamp/go.h>
#include <gamp/group.h>
#include <gamp/local.h>
#include <gamp/net.h>
#include <gamp/sync.h>
#include <gamp/timer.h>

#endif
