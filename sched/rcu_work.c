/* SPDX-License-Identifier: MIT */
/* rcu_work.c - see rcu_work.h. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/note.h"
#include "base/thread.h"
#include "sched/detach.h"
#include "sched/m.h"
#include "sched/rcu_work.h"
#include "sched/sched.h"
#include "sched/sleep.h"

#ifdef RT_HARD
#define RECORDS 3
#define URGENT	8
#define MANY	64
#else
#define RECORDS 254	/* 4 KiB */
#define URGENT	1024
#define MANY	65536	/* 1 MiB */
#endif
#define LINGER	  NS_PER_MS
#define STAY	  (100 * NS_PER_MS) /* without work, without the runtime */
#define THROTTLE  (NS_PER_MS / 10)
#define THROTTLES 10
#define GENERATIONS 10 /* of records that queue records: rcu_flush */

struct record {
	gamp_fn *fn;
	void *arg;
};

struct block {
	struct block *next;
	uint32_t n;
	struct record rec[RECORDS];
};

/* On the stack of who waits. */
struct waiter {
	struct waiter *next;
	struct g *gp;	 /* null: a thread */
	uint64_t target; /* of done; 0: a grace period */
	bool again;	 /* there was no worker after all */
	struct note note;
};

static struct {
	struct rt_lock lock;
	struct block *first, *last, *spare;
	uint64_t queued, done;
	struct waiter *waiters;
	rt_a32 grace; /* of the waiters, how many wait for a grace period */
	enum { NONE, STARTS, RUNS, ENDED } state;
	enum { AWAKE, LINGERS, ASLEEP } sleep;
	bool keep;    /* the runtime runs */
	bool end;     /* rcu_stop waits for it */
	uint32_t extra; /* rounds since then */
	bool inside;  /* a record is running: see by_worker */
	struct note note;
	pthread_t thread;
	int tid;
} work = { .lock = RT_LOCK_INIT(RANK_LEAF) };

static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool by_worker(void)
{
	bool is;

	if (m_self())
		return false;
	rt_lock(&work.lock);
	is = work.state == RUNS && work.inside &&
	    pthread_equal(work.thread, pthread_self());
	rt_unlock(&work.lock);
	return is;
}

int rcu_work_asleep(void)
{
	int tid = 0;

	rt_lock(&work.lock);
	if (work.state == RUNS && work.sleep == ASLEEP && !work.waiters &&
	    work.queued == work.done)
		tid = work.tid;
	rt_unlock(&work.lock);
	return tid;
}

static bool running_locked(void)
{
	return work.state == RUNS || work.state == STARTS;
}

static bool urgent_locked(void)
{
	return work.waiters || work.queued - work.done >= URGENT || work.end;
}

/* After work was added.  True: note_wake follows. */
static bool poke_locked(void)
{
	if (work.sleep == AWAKE ||
	    (work.sleep == LINGERS && !urgent_locked()))
		return false;
	work.sleep = AWAKE;
	return true;
}

static void unlock_and_poke(bool poke)
{
	rt_unlock(&work.lock);
	if (poke)
		(void)note_wake(&work.note);
}

static void wake_list(struct waiter *w)
{
	while (w) {
		struct waiter *next = w->next;

		if (w->gp) {
			rt_ready(w->gp);
		} else {
			san_release(w);
			(void)note_wake(&w->note);
		}
		w = next;
	}
}

/* Takes out those that `done` satisfies, or that wait for a grace period. */
static struct waiter *take_waiters_locked(bool grace)
{
	struct waiter *taken = NULL, **at = &work.waiters, *w;

	while ((w = *at)) {
		if (grace ? w->target != 0 :
			    w->target == 0 || w->target > work.done) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->next = taken;
		taken = w;
	}
	if (grace)
		rt_store_relaxed(&work.grace, 0);
	return taken;
}

static void serve_grace(void)
{
	struct waiter *w;

	rt_lock(&work.lock);
	w = take_waiters_locked(true);
	rt_unlock(&work.lock);
	rcu_grace();
	wake_list(w);
}

static void leave_sections(void)
{
	if (rt_unlikely(rcu_locked()))
		rcu_misuse("a deferred call ended inside an RCU section");
	while (rt_unlikely(rcu_locked()))
		rcu_unlock();
}

static void run(struct block *b)
{
	struct block *next;

	for (; b; b = next) {
		for (uint32_t i = 0; i < b->n; i++) {
			b->rec[i].fn(b->rec[i].arg);
			leave_sections();
			if (rt_unlikely(rt_load_relaxed(&work.grace) > 0))
				serve_grace();
		}
		next = b->next;
		rt_lock(&work.lock);
		work.done += b->n;
		if (!work.spare) {
			work.spare = b;
			b = NULL;
		}
		rt_unlock(&work.lock);
		rt_release(b);
	}
}

/* Until there is something to do.  False: the worker ends. */
static bool await_work_locked(void)
{
	bool lingered = false, woken;
	int64_t until;

	for (;;) {
		bool any = work.first || work.waiters;

		if (any && (lingered || urgent_locked()))
			return true;
		/* Records that queue records may go on so for ever. */
		if (work.end && !work.waiters &&
		    (!any || ++work.extra > GENERATIONS))
			return false;
		work.sleep = any ? LINGERS : ASLEEP;
		until = any ? clock_real() + LINGER :
		    work.keep ? 0 : clock_real() + STAY;
		note_clear(&work.note);
		rt_unlock(&work.lock);
		woken = note_sleep(&work.note, until);
		rt_lock(&work.lock);
		work.sleep = AWAKE;
		lingered = any;
		if (!woken && !work.first && !work.waiters && !work.keep)
			return false;
	}
}

/* One round.  False: the worker has ended. */
static bool serve(void)
{
	struct waiter *grace, *others;
	struct block *batch;

	rt_lock(&work.lock);
	if (!await_work_locked()) {
		work.state = work.end ? ENDED : NONE;
		if (!work.end)
			(void)pthread_detach(work.thread);
		batch = work.spare;
		work.spare = NULL;
		rt_unlock(&work.lock);
		rt_release(batch);
		return false;
	}
	batch = work.first;
	work.first = work.last = NULL;
	grace = take_waiters_locked(true);
	work.inside = true;
	san_acquire(&work);
	rt_unlock(&work.lock);
	rcu_grace();
	wake_list(grace);
	run(batch);
	rt_lock(&work.lock);
	work.inside = false;
	others = take_waiters_locked(false);
	rt_unlock(&work.lock);
	wake_list(others);
	return true;
}

static void *worker(void *arg)
{
	(void)arg;
	(void)prctl(PR_SET_NAME, "gamp-rcu");
	rt_lock(&work.lock);
	work.tid = thread_self();
	rt_unlock(&work.lock);
	rt_lock(&work.lock);
	work.thread = pthread_self();
	work.state = RUNS;
	rt_unlock(&work.lock);
	while (serve())
		;
	return NULL;
}

/* The lists may be in the middle of a change: what is left is lost. */
static void forked(void)
{
	memset(&work, 0, sizeof(work));
	work.lock = (struct rt_lock)RT_LOCK_INIT(RANK_LEAF);
}

static void prepare(void)
{
	(void)pthread_atfork(NULL, NULL, forked);
}

static int create(pthread_t *thread)
{
	sigset_t all, old;
	int r;

	(void)pthread_once(&once, prepare);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(thread, NULL, worker, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* Without the lock.  0: there is a worker, or somebody starts one.  -EAGAIN:
 * none can be had, and the state is STARTS, the caller's. */
static int need_worker(void)
{
	pthread_t thread;

	rt_lock(&work.lock);
	while (work.state == ENDED) { /* rcu_stop joins it */
		rt_unlock(&work.lock);
		(void)sched_yield();
		rt_lock(&work.lock);
	}
	if (rt_likely(running_locked())) {
		rt_unlock(&work.lock);
		return 0;
	}
	work.state = STARTS;
	rt_unlock(&work.lock);
	return create(&thread) < 0 ? -EAGAIN : 0;
}

/* The caller could not start one.  Who counted on it tries for itself. */
static void no_worker(void)
{
	struct waiter *all;

	rt_lock(&work.lock);
	work.state = NONE;
	all = work.waiters;
	work.waiters = NULL;
	rt_store_relaxed(&work.grace, 0);
	for (struct waiter *w = all; w; w = w->next)
		w->again = true;
	rt_unlock(&work.lock);
	wake_list(all);
}

/* False: what w waits for has come about, or the worker has just ended. */
static bool add_waiter(struct waiter *w)
{
	bool waits, poke = false;

	rt_lock(&work.lock);
	waits = w->target == 0 || w->target > work.done;
	w->again = waits && !running_locked();
	waits = waits && !w->again;
	if (waits) {
		w->next = work.waiters;
		work.waiters = w;
		if (w->target == 0)
			rt_store_relaxed(
			    &work.grace, rt_load_relaxed(&work.grace) + 1);
		poke = poke_locked();
	}
	unlock_and_poke(poke);
	return waits;
}

static bool commit_wait(struct g *gp, void *arg)
{
	(void)gp;
	return add_waiter(arg);
}

/* True: it was still there. */
static bool remove_waiter(struct waiter *w)
{
	struct waiter **at = &work.waiters;
	bool there;

	rt_lock(&work.lock);
	while (*at && *at != w)
		at = &(*at)->next;
	there = *at != NULL;
	if (there) {
		*at = w->next;
		if (w->target == 0)
			rt_store_relaxed(
			    &work.grace, rt_load_relaxed(&work.grace) - 1);
	}
	rt_unlock(&work.lock);
	return there;
}

/* limit: of a thread, on the real clock; 0: none. */
static int await(struct m *mp, uint64_t target, int64_t limit, bool *again)
{
	struct waiter w = { .gp = mp ? m_curg(mp) : NULL, .target = target };

	if (w.gp) {
		/* Whom it waits for runs; the clock does not (fake time). */
		if (rt_unlikely(sched.fake_time))
			(void)rt_add_seqcst(&sched.nblocking, 1);
		rt_park(commit_wait, &w, WHY_RCU);
		if (rt_unlikely(sched.fake_time))
			(void)rt_sub_seqcst(&sched.nblocking, 1);
	} else if (add_waiter(&w)) {
		if (!note_sleep(&w.note, limit)) {
			if (remove_waiter(&w))
				return -ETIMEDOUT;
			(void)note_sleep(&w.note, 0);
		}
		san_acquire(&w);
	}
	*again = w.again;
	return 0;
}

/* There is no thread for it: the caller's own. */
static void grace_here(struct m *mp)
{
	if (mp) {
		m_exit();
		gamp_enter_blocking();
	}
	rcu_grace();
	no_worker();
	if (mp) {
		gamp_leave_blocking();
		(void)m_enter();
	}
}

int rcu_wait(void)
{
	struct m *mp = m_self();
	bool again = true;

	if (rcu_locked() || (mp && !m_curg(mp)))
		return -EDEADLK;
	if (rcu_quiet())
		return 0;
	if (by_worker()) { /* between two of its own */
		rcu_grace();
		return 0;
	}
	while (again) {
		if (need_worker() < 0) {
			grace_here(mp);
			return 0;
		}
		(void)await(mp, 0, 0, &again);
		mp = m_self();
	}
	return 0;
}

static int await_records(int64_t limit)
{
	uint64_t target;
	bool again = true;
	int r = 0;

	rt_lock(&work.lock);
	target = work.queued;
	again = target > work.done;
	rt_unlock(&work.lock);
	while (again && r == 0) {
		if (need_worker() < 0) {
			no_worker();
			return -EAGAIN;
		}
		r = await(m_self(), target, limit, &again);
	}
	san_acquire(&work);
	return r;
}

bool rcu_may_not_wait(void)
{
	struct m *mp = m_self();

	return rcu_locked() || (mp && !m_curg(mp)) || by_worker();
}

int rcu_barrier(void)
{
	return rcu_may_not_wait() ? -EDEADLK : await_records(0);
}

/* Under the lock: a place for one more, or null. */
static struct record *place_locked(struct block **fresh)
{
	struct block *b = work.last;

	if (!b || b->n == RECORDS) {
		if (work.spare) {
			b = work.spare;
			work.spare = NULL;
		} else {
			b = *fresh;
			*fresh = NULL;
		}
		if (!b)
			return NULL;
		b->n = 0;
		b->next = NULL;
		*(work.last ? &work.last->next : &work.first) = b;
		work.last = b;
	}
	work.queued++;
	return &b->rec[b->n++];
}

/*
 * So many wait that whoever adds more waits, too: up to a millisecond, so that
 * nobody waits for ever who holds what a record waits for.
 */
static void throttle(void)
{
	struct m *mp = m_enter();
	bool many = !rcu_locked() && (!mp || m_curg(mp));

	for (int i = 0; i < THROTTLES && many; i++) {
		struct note never = { 0 };
		int64_t until = clock_after(clock_now(), THROTTLE);

		if (!mp)
			(void)note_sleep(&never, clock_real_at(until));
		else if (sleep_until(mp, until) < 0)
			break;
		mp = m_self();
		rt_lock(&work.lock);
		many = work.queued - work.done >= MANY;
		rt_unlock(&work.lock);
	}
	m_exit();
}

int rcu_call(gamp_fn *fn, void *arg)
{
	struct block *fresh = NULL;
	struct record *rec;
	bool poke, many;
	int r = 0;

	rt_lock(&work.lock);
	while (!running_locked() || !(rec = place_locked(&fresh))) {
		bool runs = running_locked();

		rt_unlock(&work.lock);
		if (!runs)
			r = need_worker();
		else if (!fresh)
			fresh = rt_alloc(sizeof(*fresh));
		if (r < 0)
			no_worker();
		if (r < 0 || (runs && !fresh)) {
			rt_release(fresh);
			return r < 0 ? r : -ENOMEM;
		}
		rt_lock(&work.lock);
	}
	*rec = (struct record){ fn, arg };
	many = work.queued - work.done >= MANY;
	poke = poke_locked();
	san_release(&work);
	unlock_and_poke(poke);
	rt_release(fresh);
	if (rt_unlikely(many) && !by_worker())
		throttle();
	return 0;
}

void rcu_start(void)
{
	rt_lock(&work.lock);
	work.keep = true;
	rt_unlock(&work.lock);
}

int rcu_flush(int64_t limit)
{
	bool left = true;
	int r = 0;

	for (int i = 0; i < GENERATIONS && left && r == 0; i++) {
		r = await_records(limit);
		rt_lock(&work.lock);
		left = work.queued > work.done;
		rt_unlock(&work.lock);
	}
	return r;
}

/* What was queued meanwhile, by threads, is for a worker that comes next. */
void rcu_stop(void)
{
	bool poke, left;

	rt_lock(&work.lock);
	while (work.state == STARTS) {
		rt_unlock(&work.lock);
		(void)sched_yield();
		rt_lock(&work.lock);
	}
	work.keep = false;
	work.end = work.state != NONE;
	work.extra = 0;
	poke = work.state == RUNS && poke_locked();
	unlock_and_poke(poke);
	if (work.end)
		(void)pthread_join(work.thread, NULL);
	rt_lock(&work.lock);
	work.state = NONE;
	work.end = false;
	left = work.first != NULL;
	rt_unlock(&work.lock);
	if (left && need_worker() < 0)
		no_worker();
}
