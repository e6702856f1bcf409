/* SPDX-License-Identifier: MIT */
/*
 * model_guest.cpp - guest mode under many interleavings: the real guest.c,
 * wake.c, loop.c, poll.c, park.c, sleep.c, p.c, runq.c, sched.c and world.c,
 * and epoll.c on an eventfd of the model.  The host is thread 0; what it
 * waits on is the descriptor, until guest_deadline.  Goroutines are functions.
 *
 *	foreign	threads queue goroutines, which the host is to run
 *	own	the host does so itself, before it waits
 *	timer	a thread arms a timer; the host sleeps without one, or knows a
 *		later one
 *	turns	guest_poll has one turn at a time
 *	world	a thread stops the world and lets it go on
 *
 *	I1	no goroutine is forgotten (else: deadlock, the host sleeps);
 *		each runs once
 *	I2	the host does not sleep past a timer that is armed, and whose
 *		arming has returned
 *	I3	where guest_poll returned 1 the descriptor is readable, or about
 *		to be (else: deadlock)
 *	I4	when all wakers are gone, and guest_poll found nothing to do,
 *		the descriptor is not readable: an idle host sleeps
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#define MODEL_REAL_GUEST
#include "tests/model/model_sched.h"
/* sched/topology.h: one P. */
#define RT_SCHED_TOPOLOGY_H
struct topology;
struct rng;
struct walk {
	int none;
};
static inline const struct topology *topology_get(uint32_t) { return NULL; }
static inline void walk_start(
    struct walk *, const struct topology *, uint32_t, uint32_t, struct rng *)
{
}
static inline int walk_next(struct walk *) { return -1; }
static void topology_bind(struct m *) {}
void topology_init(void);
void topology_fini(void);
/* One who stops the world. */
#undef pthread_mutex_t
#undef pthread_mutex_lock
#undef pthread_mutex_trylock
#undef pthread_mutex_unlock
#define pthread_mutex_lock(m)	 0
#define pthread_mutex_trylock(m) 0
#define pthread_mutex_unlock(m)	 0

#include "sched/runq.c"
#include "sched/p.c"
#include "sched/wake.c"
#include "sched/park.c"
#include "sched/sleep.c"
#include "sched/detach.c"
#include "sched/world.c"
#include "sched/loop.c"
#include "sched/poll.c"
#include "sched/sched.c"

enum { NG = 4, LATER = 100, SOON = 50 };

static struct world {
	struct p p;
	struct g g[NG];
	struct note end;  /* the last goroutine has run */
	struct rt_a32 fd; /* the eventfd: 1, it is readable */
	struct rt_a32 gone; /* wakers that are through */
	struct rt_a32 ran[NG];
	int64_t armed; /* and timer_arm has returned */
	int total, done, polls;
} *w;
static model_room<struct world> model_world;

/* The system: one eventfd, which is all that the epoll instance has. */
static ssize_t model_write(int, const void *, size_t n)
{
	(void)rt_swap_seqcst(&w->fd, 1);
	futex_wake(&w->fd, 1);
	return (ssize_t)n;
}
static ssize_t model_read(int, void *, size_t n)
{
	if (rt_swap_seqcst(&w->fd, 0) == 1)
		return (ssize_t)n;
	rl::set_errno(EAGAIN);
	return -1;
}
static int model_epoll_wait(int, struct epoll_event *evs, int, int)
{
	evs[0].data.u64 = 0;
	evs[0].events = EPOLLIN;
	return (int)rt_add_seqcst(&w->fd, 0);
}
static int model_ppoll(
    struct pollfd *, int, const struct timespec *limit, const void *)
{
	int64_t until = limit ? model_now + limit->tv_nsec : NEVER;
	rl::unpark_reason r = rl::unpark_reason_normal;

	rl::ctx().sched();
	rl::preemption_disabler one(rl::ctx());
	if (limit && limit->tv_nsec == 0)
		return 0;
	while (rt_add_seqcst(&w->fd, 0) == 0 &&
	    r != rl::unpark_reason_timeout)
		r = w->fd.v.wait(rl::ctx(), limit != NULL, false, $);
	if (r == rl::unpark_reason_timeout) {
		RL_ASSERT(w->armed >= until); /* I2 */
		if (until > model_now)
			model_now = until;
	}
	return 0;
}
void pd_event(int64_t, bool, bool, bool, struct p *, struct task_list *) {}

#define write model_write
#define read model_read
#define ppoll(fd, n, ts, set) model_ppoll(fd, n, ts, set)
#define epoll_wait(fd, evs, n, ms) model_epoll_wait(fd, evs, n, ms)
#define add ep_add
#include "netpoll/epoll.c"
#undef add
#undef write
#undef read
#define leave guest_leave
#define find guest_find
#define look guest_look
#define wait guest_sleep
#include "sched/guest.c"
#undef leave
#undef find
#undef look
#undef wait

/* netpoll.c's, for one that has only this. */
static int poll_events(struct p *pp, int64_t delay, struct task_list *ready)
{
	RL_ASSERT(delay == 0 && ++w->polls < 30); /* not for ever */
	return backend_epoll.poll(pp, delay, ready);
}
static int poll_fd(void) { return 0; }
static const struct poller fake = { .poll = poll_events, .wake = ep_wake,
	.fd = poll_fd, .consume = ep_consume };
const struct poller *const sched_poller = &fake;

/* Nothing is locked, asleep in a futex or given back here. */
void lockm_bind(struct m *, struct g *) {}
void lockm_hand(struct m *, struct g *) {}
void lockm_end(struct m *) {}
struct g *lockm_wait(struct m *) { return NULL; }
struct task *idle_go(struct m *, bool *) { return NULL; }
void idle_leave_poller_locked(struct m *) {}
uint32_t apart_begin(struct m *) { return 0; }
void apart_end(struct m *, uint32_t) {}
int m_start(struct p *, bool) { return -EAGAIN; }
void m_borrow(struct m *mp) { rt_store_relaxed(&mp->in_runtime, 1); }
void m_return(struct m *) {}
void m_end_locked(struct m *) {}
void checkpoint_settle(void) {}
void switch_into_section(struct m *, struct g *) {}
void switch_out_of_section(struct m *) {}
void embed_switch_in(struct g *) {}
void embed_switch_out(struct g *) {}
void g_flush(struct p *) {}
bool arena_trim(uint32_t, uint64_t (*)(void *)) { return false; }
void arena_mark(void) {}
uint64_t g_read_seq(void *) { return 0; }
void timers_trim(struct timers *) {}
int thread_self(void) { return 1 + (int)rl::thread_index(); }
int thread_weigh(int, int, int64_t) { return 0; }

__thread struct m *m_tls;
static struct m *model_self(void)
{
	return rl::thread_index() == 0 ? m_tls : NULL;
}

/* execute: the goroutine runs to its end on the same stack. */
static void ctx_switch(struct ctx *from, struct ctx *)
{
	struct m *mp = model_self();

	RL_ASSERT(from == &mp->ctx && m_p(mp));
	RL_ASSERT(rt_swap_seqcst(&w->ran[m_curg(mp) - w->g], 1) == 0); /* I1 */
	mp->op = OP_EXIT;
}
void g_free(struct p *, struct g *)
{
	RL_ASSERT(w->done < w->total);
	if (++w->done == w->total)
		(void)note_wake(&w->end);
}

static void queue(int from, int to)
{
	struct task_list l = { 0 };

	for (int i = from; i <= to; i++) {
		w->g[i].task.woken = true;
		task_push(&l, &w->g[i].task);
	}
	rt_queue_list(&l);
}

/* Timers are what `next` says; that at SOON readies the last goroutine. */
int timer_start(struct timers *h, struct timer *, int64_t when)
{
	rt_lock(&h->lock);
	if (when < rt_load_relaxed(&h->next))
		rt_store_release(&h->next, when);
	rt_unlock(&h->lock);
	return 0;
}
bool timer_stop_fn(struct timer *, timer_fn) { return false; }
bool timer_reset(struct timer *, int64_t, uint64_t) { return false; }
int timers_run(struct timers *h, int64_t now)
{
	int64_t due;

	rt_lock(&h->lock);
	due = rt_load_relaxed(&h->next);
	if (due <= now)
		rt_store_release(&h->next, NEVER);
	rt_unlock(&h->lock);
	if (due <= now && due == SOON)
		queue(w->total - 1, w->total - 1);
	return due <= now;
}

enum {
	FOREIGN = 1, /* a thread queues goroutine 0 */
	SECOND = 2,  /* another one, goroutine 1 */
	AGAIN = 4,   /* the first does so twice: 0, then 1 */
	OWN = 8,     /* the host does so: 0 */
	TIMER = 16,  /* a thread arms a timer for SOON: the last one */
	KNOWN = 32,  /* there is one at LATER */
	TURNS = 64,  /* guest_poll(1) */
	STOPS = 128, /* the last thread stops the world first */
};
static int WHAT; /* the scenario */

/* Somebody who has its own loop, and what it is told. */
static void host(void)
{
	while (!note_is_woken(&w->end)) {
		(void)guest_poll(1);
		if (!note_is_woken(&w->end))
			guest_sleep(0); /* I3 */
	}
}

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(sched);
		model_make(entry_inside);
		model_make(guest);
		model_make(guest_host);
		model_make(ep);
		model_make(owner);
		model_now = 1;
		rt_store_relaxed(&sched.nprocs, 1);
		sched.ps = &w->p;
		sched.guest = true;
		sched.ncpus = 1;
		w->p.alone = true;
		w->p.clock_tick = CLOCK_TICK;
		w->p.global_tick = GLOBAL_TICK;
		w->armed = NEVER;
		w->total = 1 + !!(WHAT & (SECOND | AGAIN));
		if ((WHAT & TIMER) && (WHAT & (FOREIGN | OWN)))
			w->total = 2;
		rt_store_relaxed(
		    &w->p.timers.next, WHAT & KNOWN ? LATER : NEVER);
		pidle_put_locked(&w->p);
		m_tls = NULL;
		guest_start();
	}
	~model()
	{
		model_world.destroy();
		model_destroy(sched);
		model_destroy(entry_inside);
		model_destroy(guest);
		model_destroy(guest_host);
		model_destroy(ep);
		model_destroy(owner);
	}
	void settle()
	{
		uint32_t n;

		while ((n = rt_load_acquire(&w->gone)) != THREADS - 1)
			(void)futex_wait(&w->gone, n, 0);
		while (guest_poll(0))
			;
		RL_ASSERT(rt_add_seqcst(&w->fd, 0) == 0); /* I4 */
	}
	void waker(unsigned self)
	{
		if (WHAT & STOPS && self == THREADS - 1) {
			world_stop_kept(&world_kept, WORLD_PS);
			queue(w->total - 1, w->total - 1);
			world_start();
		} else if (WHAT & TIMER && self == THREADS - 1) {
			RL_ASSERT(timer_arm(&w->g[0].timer, SOON) == 0);
			w->armed = SOON;
		} else {
			queue((int)self - 1, (int)self - 1);
			if (WHAT & AGAIN)
				queue(1, 1);
		}
	}
	void thread(unsigned self)
	{
		if (self == 0) {
			if (WHAT & OWN)
				queue(0, 0);
			if (WHAT & TURNS)
				host();
			else
				RL_ASSERT(guest_drive(&w->end, 0));
			settle();
			return;
		}
		waker(self);
		(void)rt_add_seqcst(&w->gone, 1);
		futex_wake(&w->gone, 1);
	}
	void after()
	{
		RL_ASSERT(w->done == w->total);
		RL_ASSERT(rt_load_relaxed(&sched.npidle) == 1);
		RL_ASSERT(rt_load_relaxed(&sched.nglobal) == 0);
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
	run<2>(FOREIGN, "foreign", 2, 20);
	run<2>(FOREIGN | AGAIN, "foreign, twice", 2, 20);
	run<3>(FOREIGN | SECOND, "two foreign", 1, 20);
	run<2>(FOREIGN | AGAIN | TURNS, "foreign, twice, turns", 2, 20);
	run<2>(TIMER, "timer", 2, 20);
	run<2>(TIMER | KNOWN, "earlier timer", 2, 20);
	run<2>(OWN | TIMER, "own, timer", 2, 20);
	run<3>(FOREIGN | TIMER, "foreign, timer", 1, 20);
	model_timeouts = true;
	run<2>(STOPS, "world", 2, 20);
	run<3>(FOREIGN | SECOND | STOPS, "foreign, world", 1, 10);
	model_done();
}
