/* SPDX-License-Identifier: MIT */
/* gamp.h - everything: goroutines and network I/O for C. */
#ifndef GAMP_GAMP_H
#define GAMP_GAMP_H

#include <gamp/api.h>
#include <gamp/go.h>
#include <gamp/net.h>

#endif
