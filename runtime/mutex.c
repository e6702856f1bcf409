/* SPDX-License-Identifier: MIT */
/*
 * mutex.c - a mutex: one word, and a queue under a guard.
 *
 *	word		    meaning		who takes it on, and how
 *	----		    -------		------------------------
 *	0		    free, cold		a locker -> LOCKED
 *	LOCKED		    held, cold		the holder -> 0 (L1, L2)
 *						a waiter -> all three (L3)
 *	HEAT n		    free, hot		a locker -> LOCKED, HEAT n
 *	LOCKED, HEAT n	    held, hot		the holder -> HEAT n - 1
 *						a waiter -> all three
 *	LOCKED, WAITERS,    whoever unlocks	the holder, under the guard:
 *	HEAT n		    looks at the queue	-> HEAT max: free; or
 *						-> LOCKED, HEAT max, perhaps
 *						WAITERS: given away, or kept
 *
 * Lockers and holders outside the guard change the word by locked
 * instructions, but for L2, and waiters only under the guard.  (In a solo
 * section, solo.h, all use plain stores, and nothing gets hot.)
 *
 * Waking: an unlock that finds WAITERS lets the first of the queue fly: it is
 * woken, and competes.  While one flies, nobody else is woken, and the word
 * says nothing of those who wait: who locks and unlocks meanwhile pays for none
 * of them.  Who flies stays in the queue as its first; when it gets the mutex,
 * or not, or leaves, it enters the guard and sees to it that WAITERS is set if
 * somebody waits.  A waiter that is older than AGE does not fly: it gets the
 * mutex handed over, locked as it is.  Losing makes older, too, so that it
 * comes to an end where time stands still.
 *
 * Unlocking a cold mutex takes no locked instruction (lock.h has this in full):
 *
 *	holder				waiter, under the guard
 *	L1 word is LOCKED?		L3 LOCKED -> LOCKED, WAITERS, HEAT max
 *	L2 LOCKED -> 0 (unlocked)	L4 membar_heavy()
 *					L5 WAITERS is still there? wait
 *
 * L3 may be lost to an L2 under way, which is over by L4.  An L2 that fails
 * writes back what it has read, any time until the holder comes round to see
 * why: so after L3 nobody else may change the word before the holder has (I1).
 * A holder that has locked a hot word does not come to L1 (I2), and there
 * anybody may.  Heat lasts for some unlocks after the last waiter, as many as
 * L4 is worth: who meets on it time and again pays for L4 once.
 *
 * Invariants
 *	I1  A waiter does not change a word that has WAITERS.
 *	I2  Nobody goes from a hot word to LOCKED alone, except to hand over.
 *	I3  When the guard is let go, there are waiters in the queue only if
 *	    WAITERS is set, or the first flies.
 *	I4  Letting the next one in is the last access (sync.h, I1): the holder
 *	    leaves the guard first, unless one flies or was just let fly.  That
 *	    one has yet to enter the guard, and waits there for us to leave.
 */

#include "arch/cpu.h"
#include "runtime/sync.h"
#include "sched/sched.h"

enum { LOCKED = 1, WAITERS = 2, HEAT = 4 };

#define HEAT_MAX    (255u * HEAT) /* unlocks of 9 ns more: L4, 1.6 us */
#define AGE         NS_PER_MS
#define LOSSES      8   /* make a waiter old */
#define GUARD_SPINS 200 /* some 2 us: L4, under the guard */

#ifndef MUTEX_SPINS
#define MUTEX_SPINS 4
#define MUTEX_PAUSE 4
#endif

enum { WAITING, FLYING }; /* sudog.kind */

struct mutex {
	rt_a32 word;
	struct guard guard;
	struct waitq waiters;
};

SYNC_LAYOUT(mutex, gamp_mutex);

/* False: it is locked, or has just changed. */
static bool take(struct mutex *m)
{
	uint32_t w = rt_load_relaxed(&m->word);

	return !(w & LOCKED) && sync_step(&m->word, w, w | LOCKED);
}

/* Whoever holds it has mostly but a few instructions to go.  Not if there is
 * something better to do, or no other processor that it might run on. */
static bool spin(struct mutex *m)
{
	struct m *mp = m_self();
	struct p *pp = mp ? m_p(mp) : NULL;

	if (pp && (pp->alone || p_has_local(pp)))
		return false;
	for (int i = 0; i < MUTEX_SPINS; i++) {
		for (int k = 0; k < MUTEX_PAUSE; k++)
			cpu_relax();
		if (take(m))
			return true;
	}
	return false;
}

/* Under the guard.  True: it is ours.  False: it is locked, and if mark is
 * true, whoever unlocks it looks at the queue. */
static bool take_or_mark(struct mutex *m, bool mark)
{
	bool solo = guard_is_solo(&m->guard);

	for (;;) {
		uint32_t w = rt_load_relaxed(&m->word); /* L5 */

		if (!(w & LOCKED)) {
			if (sync_change(&m->word, w, w | LOCKED, solo))
				return true;
		} else if (!mark || (w & WAITERS)) { /* I1 */
			return false;
		} else if (w == LOCKED && !solo) {
			w = LOCKED | WAITERS | HEAT_MAX;
			if (sync_change(&m->word, LOCKED, w, solo)) /* L3 */
				membar_heavy();                     /* L4 */
		} else if (sync_change(&m->word, w, w | WAITERS, solo)) {
			return false;
		}
	}
}

/* Under the guard.  We hold it and have left the queue: I3. */
static void mark_own(struct mutex *m)
{
	uint32_t w = rt_load_relaxed(&m->word);

	if (m->waiters.first)
		rt_store_relaxed(&m->word, w | WAITERS);
}

/* Under the guard, s in the queue if it flew.  1: has it.  0: is to wait.
 * Else err, and it is not to wait. */
static int compete(struct mutex *m, struct sudog *s, bool got, int err)
{
	bool flew = s->queued;

	if (!got)
		got = take_or_mark(m, err == 0 || (flew && s->next));
	if (!got && err == 0) {
		s->kind = WAITING;
		s->arg -= flew ? AGE / LOSSES : 0;
		return 0;
	}
	waitq_remove(&m->waiters, s);
	if (got && flew)
		mark_own(m);
	return got ? 1 : err;
}

/* Entered.  0: holds it. */
static __attribute__((noinline)) int lock_slow(
    struct mutex *m, const struct patience *how)
{
	struct sudog s = { .arg = sched_now() };
	struct parking parking = parking_of(&m->guard, how);
	int r;

	for (;;) {
		bool got = spin(m);

		if (got && !s.queued)
			return 0;
		r = got ? 0 : sync_may_wait(m_self(), how);
		guard_enter(&m->guard);
		r = compete(m, &s, got, r);
		if (r == 0)
			r = sync_wait_as(&m->guard, &m->waiters, &s, &parking);
		if (r != 0) {
			guard_exit(&m->guard);
			return r < 0 ? r : 0;
		}
		if (s.err != 0) /* it was handed over */
			return 0;
	}
}

/*
 * Under the guard.  The first that can be woken, if it may: it flies, or err
 * says that it is the owner.  Who flies is not passed over, but for one that
 * is old.
 */
static struct sudog *win_next(struct mutex *m, bool solo)
{
	struct waitq *q = &m->waiters;
	int64_t now = sched_now();
	struct sudog *s;

	for (;;) {
		bool flying;

		s = q->first;
		flying = s && s->kind == FLYING;
		if (flying)
			s = s->next;
		if (!s)
			return NULL;
		s->err = now - s->arg >= AGE;
		if (flying && !s->err)
			return NULL;
		if (wait_win(s, solo))
			break;
		waitq_remove(q, s); /* it is leaving */
	}
	if (s->err)
		waitq_remove(q, s);
	else
		s->kind = FLYING;
	return s;
}

/* The holder.  False: nobody waited, and it is locked still; or it was not. */
static bool unlock_waiters(struct mutex *m)
{
	uint32_t unlocked = HEAT_MAX, word;
	struct sudog *first, *s;

	for (int i = 0; i < GUARD_SPINS; i++) {
		if (rt_load_relaxed(&m->guard.word) == 0)
			break;
		cpu_relax();
	}
	guard_enter(&m->guard);
	if (rt_unlikely(!(rt_load_relaxed(&m->word) & LOCKED))) {
		guard_exit(&m->guard);
		return false;
	}
	if (guard_is_solo(&m->guard))
		unlocked = 0;
	s = win_next(m, unlocked == 0);
	first = m->waiters.first;
	word = unlocked | LOCKED;
	if (s && s->err) {
		if (first && first->kind == WAITING)
			word |= WAITERS;
	} else if (first) {
		word = unlocked; /* it flies: I4 */
	}
	rt_store_release(&m->word, word);
	guard_exit(&m->guard);
	if (s)
		wait_wake(s->wait);
	return s || word == unlocked;
}

static __attribute__((noinline)) int unlock_slow(struct mutex *m)
{
	for (;;) {
		uint32_t w = rt_load_acquire(&m->word);
		uint32_t to = w & ~(uint32_t)LOCKED;

		if (!(w & LOCKED))
			return -EPERM;
		if (w & WAITERS) {
			if (unlock_waiters(m))
				return 0;
		} else if (sync_step(&m->word, w, to < HEAT ? 0 : to - HEAT)) {
			return 0;
		}
	}
}

static inline bool lock_fast(struct mutex *m)
{
	bool is_free;

	if (!solo_begin()) {
		uint32_t w = rt_load_relaxed(&m->word);

		return !(w & LOCKED) && rt_cas_acqrel(&m->word, &w, w | LOCKED);
	}
	is_free = rt_load_relaxed(&m->word) == 0;
	if (rt_likely(is_free))
		rt_store_relaxed(&m->word, LOCKED);
	solo_end();
	return is_free;
}

static inline bool unlock_fast(struct mutex *m)
{
	bool is_plain;

	if (!solo_begin())
		return word_unlock(&m->word, LOCKED); /* L1, L2 */
	is_plain = rt_load_relaxed(&m->word) == LOCKED;
	if (rt_likely(is_plain))
		rt_store_relaxed(&m->word, 0);
	solo_end();
	return is_plain;
}

static inline int unlock_entered(struct mutex *m)
{
	return rt_likely(unlock_fast(m)) ? 0 : unlock_slow(m);
}

/* Enters an M with nothing to be seen to.  False: enter anew. */
static inline bool enter_fast(struct m *mp)
{
	if (rt_unlikely(!mp))
		return false;
	rt_store_relaxed(&mp->in_runtime, 1);
	rt_barrier(); /* E1 */
	return rt_likely(!rt_load_relaxed(&mp->flags));
}

/* A request to yield waits for the next call: not while it is held. */
static void enter_to_unlock(void)
{
	struct m *mp = m_self();

	if (enter_fast(mp))
		return;
	if (!mp)
		solo_break();
	if (!mp || !(rt_load_relaxed(&mp->flags) & ~(M_PREEMPT | M_SLICE)))
		return;
	m_leave(mp);
	(void)m_enter();
}

static __attribute__((noinline)) int lock_hard(
    struct mutex *m, int64_t deadline, bool firm)
{
	struct patience how = { deadline, firm, WHY_MUTEX };
	int r = 0;

	m_exit(); /* enter_fast may have begun */
	(void)enter_shared();
	if (!take(m))
		r = lock_slow(m, &how);
	if (r == 0)
		san_acquire(m);
	m_exit();
	return r;
}

static __attribute__((noinline)) int unlock_hard(struct mutex *m)
{
	int r;

	enter_to_unlock();
	r = unlock_entered(m);
	m_exit();
	return r;
}

int gamp_mutex_lock(struct gamp_mutex *pub)
{
	struct mutex *m = (struct mutex *)pub;
	struct m *mp = m_self();

	if (!enter_fast(mp) || rt_unlikely(!lock_fast(m)))
		return lock_hard(m, NEVER, true);
	san_acquire(m);
	m_leave(mp);
	return 0;
}

int gamp_mutex_lock_until(struct gamp_mutex *m, int64_t deadline)
{
	return lock_hard((struct mutex *)m, clock_deadline(deadline), false);
}

int gamp_mutex_trylock(struct gamp_mutex *pub)
{
	struct mutex *m = (struct mutex *)pub;
	struct m *mp = enter_shared();
	int r = 0;

	while (r == 0 && !take(m))
		if (rt_load_relaxed(&m->word) & LOCKED)
			r = -EAGAIN;
	if (r == 0)
		san_acquire(m);
	m_leave(mp);
	return r;
}

int gamp_mutex_unlock(struct gamp_mutex *pub)
{
	struct mutex *m = (struct mutex *)pub;
	struct m *mp = m_self();

	san_release(m);
	if (!enter_fast(mp) || rt_unlikely(!unlock_fast(m)))
		return unlock_hard(m);
	m_leave(mp);
	return 0;
}

bool mutex_is_locked(struct gamp_mutex *m)
{
	return rt_load_relaxed(&((struct mutex *)m)->word) & LOCKED;
}

int mutex_unlock(struct gamp_mutex *pub)
{
	san_release(pub);
	return unlock_entered((struct mutex *)pub);
}

void mutex_lock_firm(struct gamp_mutex *pub)
{
	struct patience how = { NEVER, true, WHY_MUTEX };
	struct mutex *m = (struct mutex *)pub;

	if (!lock_fast(m) && !take(m))
		(void)lock_slow(m, &how);
	san_acquire(m);
}
