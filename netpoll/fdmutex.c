/* SPDX-License-Identifier: MIT */
/* fdmutex.c - see fdmutex.h. */

#include "netpoll/fdmutex.h"
#include "base/fatal.h"

#define CLOSED	  UINT64_C(1)
#define LOCKED(m) (UINT64_C(2) << (m))
#define REF	  (UINT64_C(1) << 3)
#define COUNT	  ((UINT64_C(1) << 20) - 1)
#define REFS(w)	  ((w) >> 3 & COUNT)
#define WAIT(m)	  (UINT64_C(1) << (23 + 20 * (m)))
#define WAITS(w, m) ((w) >> (23 + 20 * (m)) & COUNT)

void fdmu_open(rt_a64 *mu)
{
	uint64_t w = rt_load_relaxed(mu);

	/* Stale users may hold references for a moment, so no plain store. */
	while (!rt_cas_acqrel(mu, &w, w & ~CLOSED))
		;
}

enum fdmu fdmu_incref(rt_a64 *mu)
{
	uint64_t w = rt_load_relaxed(mu);

	do {
		if (w & CLOSED)
			return FDMU_CLOSED;
		if (REFS(w) == COUNT)
			return FDMU_FULL;
	} while (!rt_cas_acqrel(mu, &w, w + REF));
	return FDMU_OK;
}

enum fdmu fdmu_decref(rt_a64 *mu)
{
	uint64_t w = rt_load_relaxed(mu);

	do {
		if (REFS(w) == 0)
			rt_fatal("a descriptor has fewer than no users");
	} while (!rt_cas_acqrel(mu, &w, w - REF));
	return (w & CLOSED) && REFS(w) == 1 ? FDMU_LAST : FDMU_OK;
}

enum fdmu fdmu_lock(rt_a64 *mu, int mode, bool wait)
{
	uint64_t w = rt_load_relaxed(mu), next;

	do {
		if (w & CLOSED)
			return FDMU_CLOSED;
		if (!(w & LOCKED(mode))) {
			if (REFS(w) == COUNT)
				return FDMU_FULL;
			next = (w | LOCKED(mode)) + REF;
		} else if (!wait) {
			return FDMU_BUSY;
		} else {
			if (WAITS(w, mode) == COUNT)
				return FDMU_FULL;
			next = w + WAIT(mode);
		}
	} while (!rt_cas_acqrel(mu, &w, next));
	return w & LOCKED(mode) ? FDMU_BUSY : FDMU_OK;
}

enum fdmu fdmu_unlock(rt_a64 *mu, int mode)
{
	uint64_t w = rt_load_relaxed(mu), next;
	bool last;

	do {
		if (!(w & LOCKED(mode)) || REFS(w) == 0)
			rt_fatal("unlock of a descriptor that is not locked");
		next = (w & ~LOCKED(mode)) - REF;
		if (WAITS(w, mode) > 0)
			next -= WAIT(mode);
	} while (!rt_cas_acqrel(mu, &w, next));
	last = (w & CLOSED) && REFS(w) == 1;
	if (WAITS(w, mode) > 0)
		return last ? FDMU_LAST_POST : FDMU_POST;
	return last ? FDMU_LAST : FDMU_OK;
}

enum fdmu fdmu_close(rt_a64 *mu)
{
	uint64_t w = rt_load_relaxed(mu), next;

	do {
		if (w & CLOSED)
			return FDMU_CLOSED;
		next = (w | CLOSED) + REF;
		next -= WAITS(w, MODE_READ) * WAIT(MODE_READ);
		next -= WAITS(w, MODE_WRITE) * WAIT(MODE_WRITE);
	} while (!rt_cas_acqrel(mu, &w, next));
	return FDMU_OK;
}
