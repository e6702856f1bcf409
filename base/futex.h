/* SPDX-License-Identifier: MIT */
/* futex.h - the three futex(2) calls that we use, for threads. */
#ifndef RT_BASE_FUTEX_H
#define RT_BASE_FUTEX_H

#include "base/atomic.h"

/* Sleeps while *w is val, at most until `until` (monotonic ns; 0: no limit).
 * May return early for no reason.  -ETIMEDOUT when the time has come. */
int futex_wait(rt_a32 *w, uint32_t val, int64_t until);

/* Wakes at most n sleepers. */
void futex_wake(rt_a32 *w, int n);

#endif
