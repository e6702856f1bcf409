/* SPDX-License-Identifier: MIT */
/*
 * model_wait.cpp - a goroutine or a thread waits, under every interleaving
 * (bounded): the real wait.c, waitq.h, note.h and cancel.c.
 *
 *	I1	one of a partner, the deadline, a canceller and a descriptor
 *		ends a wait, and what it says is what happened: a value has
 *		come if, and only if, the partner won
 *	I2	a commit reads nothing of the waiter's stack after its last
 *		step: it is overwritten as soon as the waiter goes on
 *	I3	late ones leave the next wait alone, also that of the slot's
 *		next goroutine
 *	I4	no lost wake-up, deadline, cancel or event: it comes back
 *		(else: deadlock)
 */
#include "tests/model/model_g.h"

#include "sched/cancel.c"
#include "sched/waitq.h"
#include "sched/wait.c"

enum {
	SEND = 1,   /* a partner hands over what there is to come */
	TIME = 2,   /* the first wait has a deadline, which passes */
	CANCEL = 4,
	EVENT = 8,  /* a descriptor knows of each wait */
	FIRM = 16,  /* all waits are */
	AGAIN = 32, /* a second wait, firm */
	HEIR = 64,  /* a second one, by the slot's next goroutine */
	THREAD = 128, /* a plain one waits */
	G0 = 256,     /* commits are a thread of their own */
	LATE = 512,   /* the deadline does not come */
	FENCES = 1024,
};
static int WHAT; /* the scenario */

enum { D_NIL, D_READY, D_WATCHED }; /* as dir.h */

static struct world {
	struct model_g mg;
	struct wait own[2];
	struct guard guard;
	struct waitq q;
	struct sudog s[2];
	struct parking how;
	int box, got[2]; /* values */
	int sent, events, result[2];
	rt_a32 dir;
	rt_a64 poke;
	bool event; /* the waiter knows */
} *w;
static model_room<struct world> model_world;

struct g *g_find(int64_t id)
{
	struct g *gp = &w->mg.g;

	return rt_load_acquire(&gp->tag) >> 1 == (uint64_t)id ? gp : NULL;
}
void g_each(void (*)(struct g *, int64_t, void *), void *) {}

static void poison(void *) { rt_fatal("I2"); }
static void poison_publish(void *, struct g *, uint64_t) { rt_fatal("I2"); }

static void release(void *obj)
{
	RL_ASSERT(obj == w);
	guard_unlock(&w->guard);
}

/* The waiter's half of a descriptor: pd_select.c, dir.c. */
static void watch(void *obj, struct g *gp, uint64_t word)
{
	uint32_t s = D_NIL;

	RL_ASSERT(obj == w);
	rt_store_relaxed(&w->poke, word);
	if (!rt_cas_acqrel(&w->dir, &s, D_WATCHED))
		(void)wait_poke(gp, word);
}
static void unwatch(void)
{
	if (rt_swap_acqrel(&w->dir, D_NIL) == D_READY)
		w->event = true;
}
static void event(void)
{
	if (rt_swap_acqrel(&w->dir, D_READY) == D_WATCHED &&
	    wait_poke(&w->mg.g, rt_load_relaxed(&w->poke)))
		rt_ready(&w->mg.g);
}

static int wait_once(int i, struct wait *own, int64_t deadline, bool firm)
{
	struct sudog *s = &w->s[i];
	int r;

	guard_lock(&w->guard);
	if (w->box > 0) {
		w->box--;
		w->got[i] = 7;
		guard_unlock(&w->guard);
		return 0;
	}
	s->wait = wait_self(m_self(), own);
	s->elem = &w->got[i];
	waitq_push(&w->q, s);
	w->how.release = release;
	w->how.obj = w;
	w->how.publish = WHAT & EVENT ? watch : NULL;
	w->how.deadline = deadline;
	w->how.firm = firm;
	r = wait_park(s->wait, &w->how);
	w->how.release = poison; /* I2 */
	w->how.publish = poison_publish;
	w->how.obj = NULL;
	w->how.deadline = 1;
	w->how.firm = !firm;
	if (r == 0) {
		RL_ASSERT(s->wait->fired == s && !s->queued);
		return 0;
	}
	guard_lock(&w->guard);
	waitq_remove(&w->q, s);
	guard_unlock(&w->guard);
	return r;
}

/* 0; 1: the event; -errno. */
static int wait_for(int i, int64_t deadline, bool firm)
{
	bool fds = WHAT & EVENT;
	int r;

	do {
		if (fds)
			unwatch();
		if (w->event) {
			w->event = false;
			w->events++;
			return 1;
		}
		if (!firm && !(WHAT & THREAD) && g_cancelled(&w->mg.g))
			return -ECANCELED;
		r = wait_once(i, &w->own[i], deadline, firm);
		RL_ASSERT(r != -EINTR || fds);
	} while (r == -EINTR);
	if (WHAT & THREAD) { /* it was on the stack */
		w->own[i].word.gone();
		w->own[i].note.word.gone();
	}
	RL_ASSERT((r == 0) == (w->got[i] == 7)); /* I1 */
	RL_ASSERT(r != -ETIMEDOUT || (WHAT & THREAD) || model_now >= deadline);
	return r;
}

static void waiter(void)
{
	w->result[0] = wait_for(0, WHAT & (TIME | LATE) ? 10 : NEVER, WHAT & FIRM);
	if (WHAT & HEIR) {
		rt_store_release(&w->mg.g.tag, 0);
		rt_store_release(&w->mg.g.tag, 3 << 1);
	}
	if (WHAT & (AGAIN | HEIR))
		w->result[1] = wait_for(1, NEVER, WHAT & AGAIN);
	model_fire_over();
	if (!(WHAT & THREAD))
		model_g_over(&w->mg);
}

static void partner(void)
{
	for (int i = 0; i < w->sent; i++) {
		struct wait *peer = NULL;
		struct sudog *s;

		guard_lock(&w->guard);
		s = waitq_win(&w->q, false);
		if (s) {
			*(int *)s->elem = 7;
			s->err = 0;
			peer = s->wait;
		} else {
			w->box++;
		}
		guard_unlock(&w->guard);
		if (peer)
			wait_wake(peer);
	}
}

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_g_begin();
		model_membar<THREADS>(WHAT & FENCES);
		model_timeouts = WHAT & TIME;
		w->sent = WHAT & (AGAIN | HEIR) ? 2 : 1;
		w->result[0] = w->result[1] = 77;
		model_g_init(&w->mg, 2, WHAT & G0);
		if (!(WHAT & THREAD))
			model_is[0] = &w->mg;
		if (WHAT & G0)
			model_is[1] = &w->mg;
	}
	~model()
	{
		model_world.destroy();
		model_destroy(model_timer);
	}
	void thread(unsigned self)
	{
		static const int actors[] = { G0, SEND, TIME, CANCEL, EVENT };
		int r;

		model_begin();
		if (self == 0)
			return waiter();
		for (int who : actors)
			if (WHAT & who && (who != TIME || !(WHAT & THREAD)) &&
			    --self == 0)
				switch (who) {
				case G0:
					return model_g0(&w->mg);
				case SEND:
					return partner();
				case TIME:
					return model_fire();
				case EVENT:
					return event();
				case CANCEL:
					r = cancel_id(2);
					RL_ASSERT(r == 0 ||
					    (r == -ESRCH && (WHAT & HEIR)));
				}
	}
	void after()
	{
		int got = (w->got[0] == 7) + (w->got[1] == 7);

		RL_ASSERT(!w->q.first && !w->q.last);
		RL_ASSERT(rt_load_relaxed(&w->mg.g.timer.heap) == 0);
		if (WHAT & SEND)
			RL_ASSERT(got + w->box == w->sent); /* I1 */
		if (WHAT & (AGAIN | HEIR))
			RL_ASSERT(w->result[1] >= 0); /* I3 */
		if (!(WHAT & (AGAIN | TIME | CANCEL)) && (WHAT & EVENT))
			RL_ASSERT(got + w->events + w->box +
				(rt_load_relaxed(&w->dir) == D_READY) ==
			    w->sent + 1);
		if (!(WHAT & (TIME | EVENT | SEND)))
			RL_ASSERT(w->result[0] == -ECANCELED);
		if (!(WHAT & (CANCEL | EVENT | SEND)))
			RL_ASSERT(w->result[0] == -ETIMEDOUT);
		if ((WHAT & FIRM) || !(WHAT & CANCEL))
			RL_ASSERT(w->result[0] != -ECANCELED);
		if (!(WHAT & TIME))
			RL_ASSERT(w->result[0] != -ETIMEDOUT);
	}
};

template <int THREADS>
static void run(int what, const char *name, unsigned bound, unsigned thousands)
{
	WHAT = what;
	model_run<model<THREADS> >(name, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<3>(SEND | CANCEL, "send, cancel", 3, 20);
	run<4>(SEND | CANCEL | G0, "send, cancel, g0", 2, 20);
	run<3>(SEND | CANCEL | FIRM, "send, cancel in vain", 3, 20);
	run<3>(SEND | CANCEL | AGAIN, "send, cancel, wait again", 3, 20);
	run<3>(SEND | CANCEL | HEIR, "send, cancel, next goroutine", 3, 20);
	run<2>(CANCEL, "cancel alone", 5, 20);
	run<2>(CANCEL | FENCES, "cancel alone, fence mode", 5, 20);
	run<2>(TIME, "deadline alone", 5, 20);
	run<3>(SEND | TIME, "send, deadline", 3, 20);
	run<4>(SEND | TIME | G0, "send, deadline, g0", 2, 20);
	run<3>(SEND | TIME | AGAIN, "send, deadline, wait again", 3, 20);
	run<3>(TIME | CANCEL, "deadline, cancel", 3, 20);
	run<4>(SEND | TIME | CANCEL | AGAIN,
	    "send, deadline, cancel, wait again", 2, 20);
	run<2>(CANCEL | LATE, "cancel, deadline to come", 5, 20);
	run<2>(CANCEL | LATE | FENCES, "cancel, deadline to come, fence mode",
	    5, 20);
	run<3>(SEND | EVENT, "send, event", 3, 20);
	run<3>(SEND | EVENT | AGAIN, "send, event, wait again", 3, 20);
	run<3>(CANCEL | EVENT, "cancel, event", 3, 20);
	run<4>(SEND | CANCEL | EVENT | AGAIN,
	    "send, cancel, event, wait again", 2, 20);
	run<2>(SEND | THREAD | AGAIN, "thread: send", 4, 20);
	run<2>(SEND | THREAD | TIME | AGAIN, "thread: send, deadline", 4, 20);
	model_done();
}
