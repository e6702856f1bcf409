/* SPDX-License-Identifier: MIT */
/* wait.c - see wait.h; C3, F2 are cancel.h's. */

#include <errno.h>

#include "base/clock.h"
#include "base/membar.h"
#include "sched/m.h"
#include "sched/park.h"
#include "sched/sleep.h"
#include "sched/wait.h"

/* From one state of this wait to another; false: it is in none of them. */
static bool move(struct wait *w, uint64_t word, uint32_t to)
{
	uint64_t next = (word & ~(uint64_t)W_STATE) | to;

	return rt_cas_acqrel(&w->word, &word, next);
}

/* Of the wait `word`: WAIT -> to, and true; COMMIT -> POKED. */
static bool end_wait(struct wait *w, uint64_t word, uint32_t to)
{
	uint64_t now = rt_load_acquire(&w->word);

	while ((now | W_STATE) == (word | W_STATE)) {
		uint32_t state = now & W_STATE;

		if (state == W_WAIT) {
			if (move(w, now, to))
				return true;
		} else if (state != W_COMMIT || move(w, now, W_POKED)) {
			return false;
		}
		now = rt_load_acquire(&w->word);
	}
	return false;
}

static void time_out(void *arg, uint64_t word)
{
	struct g *gp = arg;

	if (end_wait(&gp->wait, word, W_TIME))
		rt_ready(gp);
}

bool wait_poke(struct g *gp, uint64_t word)
{
	return end_wait(&gp->wait, word, W_POKED);
}

void wait_cancel(struct g *gp)
{
	uint64_t word = rt_load_acquire(&gp->wait.word);

	/* The tag after the word: I3.  A COMMIT may have looked at it before
	 * it was set. */
	if (!(word & W_FIRM) && (rt_load_acquire(&gp->tag) & 1) &&
	    end_wait(&gp->wait, word, W_CANCEL))
		rt_ready(gp);
}

/* Nothing but partners can end it, who wait for the guards. */
static bool commit_plain(struct g *gp, uint64_t word)
{
	rt_store_release(&gp->wait.word, word | W_WAIT);
	if (word & W_FIRM)
		return true;
	membar_light(); /* pairs with F2 */
	return !(rt_load_relaxed(&gp->tag) & 1) ||
	    !move(&gp->wait, word | W_WAIT, W_CANCEL);
}

/* How is on gp's stack: not read after the last step (I2). */
static bool commit_timed(
    struct g *gp, uint64_t word, const struct parking *how)
{
	struct wait *w = &gp->wait;
	int r = 0;

	rt_store_release(&w->word, word | W_COMMIT);
	if (how->publish)
		how->publish(how->obj, gp, word | W_COMMIT);
	if (how->deadline != NEVER) {
		gp->timer.fn = time_out;
		gp->timer.arg = gp;
		gp->timer.seq = word | W_COMMIT;
		r = timer_arm(&gp->timer, how->deadline);
	}
	if (r < 0) {
		rt_store_release(&w->word, word | W_IDLE);
		return false;
	}
	membar_light(); /* pairs with F2 */
	if (!(word & W_FIRM) && (rt_load_relaxed(&gp->tag) & 1))
		(void)move(w, word | W_COMMIT, W_POKED);
	return move(w, word | W_COMMIT, W_WAIT);
}

static uint64_t next_word(struct g *gp)
{
	return (rt_load_relaxed(&gp->wait.word) + W_SEQ) &
	    ~(uint64_t)(W_SEQ - 1);
}

static bool commit(struct g *gp, void *arg)
{
	const struct parking *how = arg;
	void (*release)(void *) = how->release;
	void *obj = how->obj;
	uint64_t word = next_word(gp);
	bool parked;

	if (how->firm || gp->uncancellable)
		word |= W_FIRM;
	if (how->publish)
		word |= W_FDS;
	if (how->deadline == NEVER && !how->publish)
		parked = commit_plain(gp, word);
	else
		parked = commit_timed(gp, word, how);
	if (release)
		release(obj);
	return parked;
}

static int thread_park(struct wait *w, const struct parking *how)
{
	uint64_t word = W_WAIT;

	rt_store_release(&w->word, word);
	if (how->release)
		how->release(how->obj);
	if (note_sleep(&w->note, clock_real_at(how->deadline)))
		return 0;
	if (rt_cas_acqrel(&w->word, &word, W_TIME))
		return -ETIMEDOUT;
	(void)note_sleep(&w->note, 0); /* the winner is about to wake us */
	return 0;
}

static int why_not(struct g *gp, const struct parking *how)
{
	switch (rt_load_acquire(&gp->wait.word) & W_STATE) {
	case W_WON:
		return 0;
	case W_TIME:
		return -ETIMEDOUT;
	case W_CANCEL:
		return -ECANCELED;
	case W_IDLE:
		return -ENOMEM;
	default: /* POKED, perhaps before it was parked */
		if (!how->firm && g_cancelled(gp))
			return -ECANCELED;
		return how->deadline <= clock_now() ? -ETIMEDOUT : -EINTR;
	}
}

int wait_park(struct wait *w, struct parking *how)
{
	struct g *gp = w->g;

	if (!gp)
		return thread_park(w, how);
	rt_park_now(commit, how, (enum rt_why)how->why);
	if (how->deadline != NEVER)
		(void)timer_stop(&gp->timer);
	return why_not(gp, how);
}

bool wait_win(struct sudog *s, bool solo)
{
	struct wait *w = s->wait;
	uint64_t word = rt_load_acquire(&w->word);

	if ((word & W_STATE) != W_WAIT)
		return false;
	if (solo && !(word & W_FDS))
		rt_store_relaxed(&w->word, (word & ~(uint64_t)W_STATE) | W_WON);
	else if (!move(w, word, W_WON))
		return false;
	w->fired = s;
	return true;
}

void wait_wake(struct wait *w)
{
	if (w->g)
		rt_ready(w->g);
	else
		(void)note_wake(&w->note);
}

/* ---- open waits -------------------------------------------------------- */

/* A ticket is the wait's number and the slot of its goroutine. */
#define SEQ_SHIFT 6 /* of W_SEQ */
#define SEQ_BITS  (63 - ARENA_REF_BITS)
_Static_assert(W_SEQ == 1 << SEQ_SHIFT, "W_SEQ");

static gamp_ticket ticket_of(uint32_t ref, uint64_t word)
{
	uint64_t seq = word >> SEQ_SHIFT & ((UINT64_C(1) << SEQ_BITS) - 1);

	return (gamp_ticket)(seq << ARENA_REF_BITS | ref);
}

struct open_wait {
	gamp_commit_fn *fn;
	void *arg;
	int64_t deadline;
	int refused; /* why it did not wait at all */
};

/* On the waiter's stack, which is not resumed while the state is COMMIT. */
static bool commit_open(struct g *gp, void *arg)
{
	struct open_wait *o = arg;
	struct wait *w = &gp->wait;
	uint64_t word = next_word(gp) | W_OPEN |
	    (gp->uncancellable ? W_FIRM : 0) | W_COMMIT;
	int r = 0;

	if (o->deadline != NEVER) {
		gp->timer.fn = time_out;
		gp->timer.arg = gp;
		gp->timer.seq = word;
	}
	rt_store_release(&w->word, word);
	if (o->deadline != NEVER)
		r = timer_arm(&gp->timer, o->deadline);
	/* Called whatever happened: it unlocks what the caller has locked. */
	if (!o->fn(ticket_of(gp->ref, word), o->arg) && r == 0)
		r = -EAGAIN;
	if (r < 0) {
		if (move(w, word, W_IDLE)) /* else somebody has ended it */
			o->refused = r;
		return false;
	}
	membar_light(); /* pairs with F2 */
	if (!(word & W_FIRM) && (rt_load_relaxed(&gp->tag) & 1))
		(void)move(w, word, W_POKED);
	return move(w, word, W_WAIT);
}

static int why_open(struct g *gp, int64_t deadline)
{
	switch (rt_load_acquire(&gp->wait.word) & W_STATE) {
	case W_WON:
		return 0;
	case W_CANCEL:
		return -ECANCELED;
	case W_TIME:
		return -ETIMEDOUT;
	default: /* POKED, before it was parked */
		return deadline <= clock_now() ? -ETIMEDOUT : -ECANCELED;
	}
}

/* The wait is over, whoever may still have its ticket. */
static void close_wait(struct wait *w)
{
	rt_store_release(&w->word,
	    rt_load_relaxed(&w->word) & ~(uint64_t)(W_STATE | W_OPEN));
}

int wait_open(struct g *gp, gamp_commit_fn *fn, void *arg, int64_t deadline,
    const char *text)
{
	struct open_wait o = { .fn = fn, .arg = arg, .deadline = deadline };
	int r;

	gp->wait.text = text;
	rt_park_now(commit_open, &o, WHY_PARK);
	if (deadline != NEVER)
		(void)timer_stop(&gp->timer);
	r = o.refused < 0 ? o.refused : why_open(gp, deadline);
	close_wait(&gp->wait);
	return r;
}

int wait_open_win(gamp_ticket ticket)
{
	uint32_t ref = (uint32_t)ticket & ((1u << ARENA_REF_BITS) - 1);
	struct g *gp;
	uint64_t word;

	if (ticket <= 0 || !arena_has(ref))
		return -ESRCH;
	gp = arena_ctl(ref);
	word = rt_load_acquire(&gp->wait.word);
	while ((word & W_OPEN) && ticket_of(ref, word) == ticket) {
		uint32_t state = word & W_STATE;

		if (state != W_WAIT && state != W_COMMIT)
			break;
		if (move(&gp->wait, word, W_WON)) {
			if (state == W_WAIT)
				rt_ready(gp);
			return 0;
		}
		word = rt_load_acquire(&gp->wait.word);
	}
	return -ESRCH;
}
