/* SPDX-License-Identifier: MIT */
/* rcu.c - readers and grace periods; the argument is in rcu.h. */

#include <string.h>

#include "base/lock.h"
#include "base/note.h"
#include "sched/rcu.h"

static struct {
	struct rt_lock lock;
	struct rcu_reader *readers;
	uint32_t awaited;   /* how many are AWAITED */
	uint32_t asleep[2]; /* sections on no M, by phase */
	uint32_t phase;	    /* of those that fall asleep now */
	bool in_grace;	    /* between G2 and the end of G5 */
	struct note note;   /* what a grace period sleeps on */
} rcu = { .lock = RT_LOCK_INIT(RANK_LEAF) };

static inline uint64_t section(uint64_t word)
{
	return word & ~RCU_DEPTH;
}

/* Of the grace period under way. */
static bool over_locked(void)
{
	return rcu.awaited == 0 && rcu.asleep[!rcu.phase] == 0;
}

/* After a change: is there somebody to tell? */
static bool ends_locked(void)
{
	return rcu.in_grace && over_locked();
}

static void unawait_locked(struct rcu_reader *r)
{
	uint32_t special = rt_load_relaxed(&r->special);

	if (special & RCU_AWAITED)
		rcu.awaited--;
	rt_store_relaxed(&r->special, special & ~RCU_AWAITED);
}

static void settle_locked(struct rcu_reader *r, struct rcu_section *s)
{
	if (rt_load_relaxed(&r->special) & RCU_COUNTED)
		rcu.asleep[s->phase]--;
	unawait_locked(r);
	rt_store_relaxed(&r->special, 0);
	san_release(&rcu);
}

static void unlock_and_tell(bool tell)
{
	rt_unlock(&rcu.lock);
	if (tell)
		(void)note_wake(&rcu.note);
}

void rcu_end_inner(struct rcu_reader *r)
{
	uint64_t w = rt_load_relaxed(&r->word);

	if (w & RCU_DEPTH)
		rt_store_relaxed(&r->word, w - 1);
	else
		rcu_misuse("gamp_rcu_read_unlock without gamp_rcu_read_lock");
}

void rcu_settle(struct rcu_reader *r, struct rcu_section *s)
{
	rt_lock(&rcu.lock);
	settle_locked(r, s);
	unlock_and_tell(ends_locked());
}

void rcu_add(struct rcu_reader *r)
{
	rt_lock(&rcu.lock);
	r->at = &rcu.readers;
	r->next = rcu.readers;
	if (r->next)
		r->next->at = &r->next;
	rcu.readers = r;
	rt_unlock(&rcu.lock);
}

void rcu_drop(struct rcu_reader *r, struct rcu_section *s)
{
	uint64_t w = rt_load_relaxed(&r->word);

	rt_lock(&rcu.lock);
	rt_store_release(&r->word, section(w) + RCU_SECTION);
	settle_locked(r, s);
	unlock_and_tell(ends_locked());
}

void rcu_remove(struct rcu_reader *r, struct rcu_section *s)
{
	rt_lock(&rcu.lock);
	rt_store_relaxed(&r->word, 0);
	settle_locked(r, s);
	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	unlock_and_tell(ends_locked());
}

void rcu_leave(struct rcu_reader *r, struct rcu_section *s)
{
	uint64_t w = rt_load_relaxed(&r->word);
	uint32_t special;

	rt_lock(&rcu.lock);
	special = rt_load_relaxed(&r->special);
	if (!(special & RCU_COUNTED)) { /* I1 */
		bool old = (special & RCU_AWAITED) && r->awaited == section(w);

		s->phase = (uint8_t)(old ? !rcu.phase : rcu.phase);
		rcu.asleep[s->phase]++;
	}
	s->depth = (uint16_t)(w & RCU_DEPTH);
	rt_store_release(&r->word, section(w) + RCU_SECTION);
	unawait_locked(r);
	rt_store_relaxed(&r->special, 0);
	unlock_and_tell(ends_locked());
}

/* It stays counted, so the order of these stores is nobody's concern. */
void rcu_return(struct rcu_reader *r, struct rcu_section *s)
{
	rt_lock(&rcu.lock);
	rt_store_relaxed(
	    &r->special, rt_load_relaxed(&r->special) | RCU_COUNTED);
	rt_store_relaxed(&r->word, rt_load_relaxed(&r->word) + s->depth);
	s->depth = 0;
	rt_unlock(&rcu.lock);
}

void rcu_begin_counted(struct rcu_reader *r, struct rcu_section *s)
{
	rt_lock(&rcu.lock);
	s->phase = (uint8_t)rcu.phase;
	rcu.asleep[s->phase]++;
	rt_store_relaxed(&r->special, RCU_COUNTED);
	rt_store_relaxed(&r->word, rt_load_relaxed(&r->word) + 1);
	san_acquire(&rcu);
	rt_unlock(&rcu.lock);
}

bool rcu_quiet(void)
{
	struct rcu_reader *r;
	bool quiet;

	membar_heavy(); /* G1 */
	rt_lock(&rcu.lock);
	quiet = rcu.asleep[0] + rcu.asleep[1] == 0;
	for (r = rcu.readers; r && quiet; r = r->next) {
		quiet = (rt_load_acquire(&r->word) & RCU_DEPTH) == 0;
		san_acquire(r);
	}
	san_acquire(&rcu);
	rt_unlock(&rcu.lock);
	return quiet;
}

/* G2.  True: there is nobody to wait for. */
static bool begin_grace(void)
{
	bool over;

	rt_lock(&rcu.lock);
	for (struct rcu_reader *r = rcu.readers; r; r = r->next) {
		uint64_t w = rt_load_acquire(&r->word);

		san_acquire(r);
		if (!(w & RCU_DEPTH))
			continue;
		r->awaited = section(w);
		rcu.awaited++;
		rt_store_relaxed(&r->special,
		    rt_load_relaxed(&r->special) | RCU_AWAITED);
	}
	rt_assert(rcu.asleep[!rcu.phase] == 0); /* I2 */
	rcu.phase = !rcu.phase;
	over = over_locked();
	rcu.in_grace = !over;
	rt_unlock(&rcu.lock);
	return over;
}

/* G4, and whether it is over. */
static bool look_at_awaited(void)
{
	bool over;

	rt_lock(&rcu.lock);
	for (struct rcu_reader *r = rcu.readers; r; r = r->next) {
		if (!(rt_load_relaxed(&r->special) & RCU_AWAITED))
			continue;
		if (section(rt_load_acquire(&r->word)) != r->awaited)
			unawait_locked(r);
		san_acquire(r);
	}
	san_acquire(&rcu);
	over = over_locked();
	rcu.in_grace = !over;
	rt_unlock(&rcu.lock);
	return over;
}

void rcu_grace(void)
{
	membar_heavy(); /* G1 */
	if (begin_grace())
		return;
	membar_heavy(); /* G3 */
	for (;;) {
		note_clear(&rcu.note);
		if (look_at_awaited())
			return;
		(void)note_sleep(&rcu.note, 0); /* G5 */
	}
}

void rcu_forked(struct rcu_reader *own)
{
	memset(&rcu, 0, sizeof(rcu));
	rcu.lock = (struct rt_lock)RT_LOCK_INIT(RANK_LEAF);
	if (!own)
		return;
	rt_store_relaxed(&own->special, 0);
	rcu_add(own);
}
