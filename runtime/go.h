/* SPDX-License-Identifier: MIT */
/* go.h - starting goroutines, for callers that know for whom. */
#ifndef RT_RUNTIME_GO_H
#define RT_RUNTIME_GO_H

#include <gamp/go.h>

/* gamp_go_with; site: the place in the program that asks for it. */
int64_t go_at(const struct gamp_go_options *opt, gamp_fn *fn, void *arg,
    void *site);

#endif
