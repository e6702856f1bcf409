/* SPDX-License-Identifier: MIT */
/* dir.c - see dir.h for the states; F1, F2, I1 to I5 are named there. */

#include <errno.h>
#include <stddef.h>

#include "base/fatal.h"
#include "base/hard.h"
#include "netpoll/dir.h"

/* The common first half: consume readiness, or announce `as`. */
static int announce(
    struct dir *d, uintptr_t as, rt_a32 *info, uint32_t stop)
{
	uintptr_t s = rt_load_acquire(&d->sem);

	for (;;) {
		switch (s) {
		case DIR_READY:
			if (rt_cas_acqrel(&d->sem, &s, (uintptr_t)DIR_NIL))
				return 0;
			break;
		case DIR_NIL:
			if (!rt_cas_acqrel(&d->sem, &s, as))
				break;
			hard_point();
			rt_fence_seqcst(); /* F1, pairs with F2 */
			return rt_load_relaxed(info) & stop ? -ECANCELED :
							      -EAGAIN;
		default:
			rt_fatal("two goroutines wait in one direction");
		}
	}
}

int dir_prepare(struct dir *d, rt_a32 *info, uint32_t stop)
{
	uintptr_t s = DIR_WAIT;
	int r = announce(d, DIR_WAIT, info, stop);

	if (r == -ECANCELED) /* not a swap: what has become ready stays (I3) */
		(void)rt_cas_acqrel(&d->sem, &s, (uintptr_t)DIR_NIL);
	return r;
}

bool dir_commit(struct dir *d, struct g *gp)
{
	uintptr_t s = DIR_WAIT;

	rt_assert((uintptr_t)gp >= DIR_G_MIN);
	return rt_cas_acqrel(&d->sem, &s, (uintptr_t)gp);
}

bool dir_finish(struct dir *d)
{
	uintptr_t s = rt_swap_acqrel(&d->sem, (uintptr_t)DIR_NIL);

	if (s > DIR_WAIT)
		rt_fatal("a goroutine runs while its descriptor holds it");
	return s == DIR_READY;
}

void dir_reset(struct dir *d)
{
	/* Nothing to forget: spares the locked instruction. */
	if (rt_load_acquire(&d->sem) != DIR_NIL)
		(void)dir_finish(d); /* I5 */
}

int dir_arm(struct dir *d, rt_a32 *info, uint32_t stop)
{
	int r = announce(d, DIR_ARMED, info, stop);

	/* Somebody else may have taken it to start already (I4). */
	if (r == -ECANCELED)
		r = dir_disarm(d) ? 0 : -EAGAIN;
	return r;
}

bool dir_watch(struct dir *d, struct g *who, rt_a32 *info, uint32_t stop)
{
	uintptr_t s = DIR_NIL;

	if (!rt_cas_acqrel(&d->sem, &s, (uintptr_t)who))
		return false; /* READY, and stays it */
	hard_point();
	rt_fence_seqcst(); /* F1, pairs with F2 */
	return !(rt_load_relaxed(info) & stop);
}

bool dir_unwatch(struct dir *d)
{
	return rt_swap_acqrel(&d->sem, (uintptr_t)DIR_NIL) == DIR_READY;
}

bool dir_disarm(struct dir *d)
{
	uintptr_t s = DIR_ARMED;

	return rt_cas_acqrel(&d->sem, &s, (uintptr_t)DIR_NIL);
}

/* Moves the word to `to` and returns whoever was on it (I1, I4). */
static struct g *unblock(struct dir *d, uintptr_t to)
{
	uintptr_t s = rt_load_acquire(&d->sem), next;

	do {
		if (s == DIR_READY || (s == DIR_NIL && to == DIR_NIL))
			return NULL;
		next = s == DIR_ARMED ? (uintptr_t)DIR_NIL : to;
	} while (!rt_cas_acqrel(&d->sem, &s, next));
	return s >= DIR_ARMED ? (struct g *)s : NULL;
}

struct g *dir_notify(struct dir *d)
{
	return unblock(d, DIR_READY);
}

struct g *dir_evict(struct dir *d)
{
	return unblock(d, DIR_NIL);
}

/* A WAIT is gp about to park, and its commit must fail; or it is another's,
 * which then looks around once more and waits again. */
bool dir_evict_g(struct dir *d, struct g *gp)
{
	uintptr_t s = rt_load_acquire(&d->sem);

	do {
		if (s != (uintptr_t)gp && s != DIR_WAIT)
			return false;
	} while (!rt_cas_acqrel(&d->sem, &s, (uintptr_t)DIR_NIL));
	return s != DIR_WAIT;
}
