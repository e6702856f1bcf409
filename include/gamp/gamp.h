/* SPDX-License-Identifier: MIT */
/* gamp.h - everything: goroutines, channels and network I/O for C. */
#ifndef GAMP_GAMP_H
#define GAMP_GAMP_H

#include <gamp/api.h>
#include <gamp/chan.h>
#include <gamp/debug.h>
#include <gamp/embed.h>
#include <gamp/go.h>
#include <gamp/group.h>
#include <gamp/guest.h>
#include <gamp/local.h>
#include <gamp/memory.h>
#include <gamp/net.h>
#include <gamp/process.h>
#include <gamp/rcu.h>
#include <gamp/signal.h>
#include <gamp/stats.h>
#include <gamp/sync.h>
#include <gamp/timer.h>
#include <gamp/trace.h>

#endif
