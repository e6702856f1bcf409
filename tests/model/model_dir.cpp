/* SPDX-License-Identifier: MIT */
/*
 * model_dir.cpp - one direction of a poll descriptor under every interleaving
 * (bounded): the real dir.c, fdmutex.c, pd.c, pd_wait.c, pd_deadline.c and
 * fdio.c, on a fake system of one socket, with the real canceller.
 *
 *	I1	a goroutine that parked is readied exactly once
 *	I2	no lost close, deadline or cancel: the reader comes back
 *	I3	no lost readiness: a reader comes back when there is data, also
 *		the one after a reader that was cancelled
 *	I4	an armed start is started exactly once
 *	I5	the descriptor is destroyed exactly once, after its last user
 *
 * A lost wake-up shows as a deadlock.
 */
#include "tests/model/model_sched.h"

#include "sched/cancel.c"
/* Nobody waits by wait.h. */
void wait_cancel(struct g *) {}
bool wait_poke(struct g *, uint64_t) { return false; }
int wait_park(struct wait *, struct parking *) { return 0; }
bool wait_win(struct sudog *, bool) { return false; }
void wait_wake(struct wait *) {}
#include "netpoll/dir.c"
#undef CLOSED
#include "netpoll/fdmutex.c"
#undef REF
#undef WAIT
#undef COUNT
#undef CLOSED
#undef LOCKED
#define publish pd_publish
#define fire pd_fire
#include "netpoll/pd_deadline.c"
#define park pd_park
#include "netpoll/pd_wait.c"
#include "netpoll/pd.c"
void (*const pd_signals_gone)(gamp_fd) = NULL;
#define RT_BASE_IO_H
static ssize_t io_readv(int, bool, const struct iovec *, int);
static ssize_t io_writev(int, bool, const struct iovec *, int) { return 1; }
/* Takes the address of a literal, which C++ has not. */
#define getpeername(fd, sa, len) (-1)
#include "netpoll/fdio.c"

enum who {
	READER = 1,  /* reads until it has the byte, or is told to go */
	WRITER = 2,  /* makes the socket readable; the poller notifies */
	CLOSER = 4,
	TIMEOUT = 8, /* the read deadline passes */
	CANCEL = 16, /* cancels the reader */
	ARM = 32,    /* arms a start instead of a reader */
	STOP = 64,   /* the runtime stops: pd_stop_all */
	HUP = 128,   /* the event says hang-up as well */
	AGAIN = 256, /* the cancelled or late reader reads again */
};

static struct world {
	struct pd pd;
	struct g g;
	struct m m; /* the reader's */
	struct rt_a32 ready;  /* futex of the goroutine */
	rl::atomic<uint32_t> data; /* the socket's buffer: coherent */
	int status;	      /* 1: WAITING */
	int parks, readies, started, closes, cancels;
} *w;

struct sched sched;

/* The reader is thread 0; the others are the poller's, sysmon's, foreign. */
static bool has_reader;
static struct m *model_self(void)
{
	return has_reader && rl::thread_index() == 0 ? &w->m : NULL;
}
static void ctx_switch(struct ctx *, struct ctx *) {}
const struct backend *const backend = NULL;

/* The goroutine parks as its thread. */
void rt_park(rt_commit_fn commit, void *arg, enum rt_why)
{
	rt_store_relaxed(&w->ready, 0);
	w->status = 1;
	if (!commit(&w->g, arg)) {
		RL_ASSERT(w->status == 1); /* I1: nobody readied it */
		w->status = 0;
		return;
	}
	w->parks++;
	while (rt_load_acquire(&w->ready) == 0)
		(void)futex_wait(&w->ready, 0, 0);
}
static void readied(struct g *gp)
{
	RL_ASSERT(gp == &w->g && w->status == 1); /* I1 */
	w->status = 0;
	w->readies++;
}
void rt_ready(struct g *gp)
{
	readied(gp);
	rt_store_release(&w->ready, 1);
	futex_wake(&w->ready, 1);
}
void rt_ready_onto(struct task_list *l, struct g *gp)
{
	readied(gp);
	task_push(l, &gp->task);
}
void rt_queue_list(struct task_list *l)
{
	while (struct task *task = task_pop(l))
		if (task->special & TASK_START) {
			(void)pd_begin_start(task, NULL);
		} else if (task == &w->g.task) {
			rt_store_release(&w->ready, 1);
			futex_wake(&w->ready, 1);
		}
}
struct g *g_new(struct p *, int, gamp_fn *, void *, int *)
{
	static struct g *const fresh = (struct g *)aligned_alloc(64, 4096);

	w->started++;
	return fresh;
}
int64_t sched_now(void) { return clock_now(); }
void g_count(struct p *) {}
void g_born(struct g *) {}
void rt_start(struct g *) {}
struct g *g_find(int64_t) { return &w->g; }
void g_each(void (*)(struct g *, int64_t, void *), void *) {}
struct m *m_enter_slow(struct m *mp) { return mp; }
int timer_arm(struct timer *, int64_t) { return 0; }
bool timer_stop(struct timer *) { return false; }
bool timer_move(struct timer *, int64_t, uint64_t) { return true; }
int slab_init(struct slab *, uint8_t, size_t, uint32_t) { return 0; }
void slab_fini(struct slab *) {}
int64_t slab_new(struct slab *) { return 0; }
void slab_free(struct slab *, uint32_t) {}
static ssize_t io_readv(int, bool, const struct iovec *, int)
{
	return w->data.exchange(0, rl::mo_seq_cst, $) ? 1 : -EAGAIN;
}
bool sys_ready(int, bool)
{
	return w->data.fetch_add(0, rl::mo_seq_cst, $) != 0;
}
void sys_close(int) { w->closes++; }

static int WHO; /* the scenario */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	struct world world;
	gamp_fd fd;
	ssize_t got;
	bool armed;

	void before()
	{
		w = &world;
		model_make(pd_slab);
		model_make(sched);
		model_make(starved);
		has_reader = (WHO & READER) != 0;
		m_set_curg(&world.m, &world.g);
		model_now = 1;
		world.data.store(0, rl::mo_relaxed, $);
		world.status = world.parks = world.readies = 0;
		world.started = world.closes = world.cancels = 0;
		world.g.uncancellable = false;
		rt_store_relaxed(&world.g.tag, 2 << 1);
		pd_slab.base = (char *)&world.pd;
		pd_slab.size = sizeof(world.pd);
		rt_store_relaxed(&pd_slab.used, 1);
		first_use(&world.pd, 0);
		world.pd.turns[0] = world.pd.turns[1] = {};
		set_up(&world.pd, 7, PD_SOCKET | PD_DRAINS, false);
		fd = pd_handle(&world.pd);
		fdmu_open(&world.pd.mu);
		world.pd.drained = true; /* the last read was short */
		got = 0;
		armed = false;
	}
	~model()
	{
		model_destroy(pd_slab);
		model_destroy(sched);
		model_destroy(starved);
	}
	/* fd_read, without what needs an M. */
	ssize_t read_once()
	{
		struct iovec iov = { &iov, 100 };
		struct pd *pd;
		ssize_t n;

		if (pd_lock(fd, MODE_READ, &pd) < 0)
			return -EBADF;
		n = read_loop(pd, &iov, 1, 100);
		pd_unlock(pd, MODE_READ);
		return n;
	}
	void reader()
	{
		got = read_once();
		if (got == -ECANCELED && (WHO & AGAIN)) {
			world.g.uncancellable = true;
			got = read_once(); /* I3: the next reader */
		}
		while (got == -ETIMEDOUT && (WHO & AGAIN)) {
			RL_ASSERT(pd_set_deadline(fd, true, false, 0) == 0);
			got = read_once();
		}
	}
	void event()
	{
		struct task_list l = { 0 };

		pd_event(fd, true, false, (WHO & HUP) != 0, NULL, &l);
		rt_queue_list(&l);
	}
	void act(int who)
	{
		switch (who) {
		case READER:
			return reader();
		case ARM:
			armed = pd_arm(fd, NULL, NULL, NULL) == 0;
			return;
		case WRITER:
			world.data.store(1, rl::mo_seq_cst, $);
			return event();
		case CLOSER:
			RL_ASSERT(pd_close(fd) == 0);
			return;
		case TIMEOUT: /* in the past: expires at once */
			(void)pd_set_deadline(fd, true, false, 1);
			return;
		case CANCEL:
			RL_ASSERT(cancel_id(2) == 0);
			return;
		case STOP:
			rt_store_relaxed(&sched.stopping, 1);
			rt_fence_seqcst();
			return pd_stop_all();
		}
	}
	void thread(unsigned self)
	{
		unsigned n = 0;

		for (int who = 1; who < HUP; who <<= 1)
			if ((WHO & who) && n++ == self)
				return act(who);
	}
	void after()
	{
		RL_ASSERT(world.parks == world.readies); /* I1 */
		if (WHO & ARM)
			RL_ASSERT(world.started == (armed ? 1 : 0)); /* I4 */
		if ((WHO & AGAIN) || WHO == (READER | WRITER))
			RL_ASSERT(got == 1); /* I3 */
		if (WHO == (WRITER | TIMEOUT)) /* I3: it stays */
			RL_ASSERT(rt_load_relaxed(&world.pd.dir[0].sem) ==
			    DIR_READY);
		if (WHO & CLOSER)
			RL_ASSERT(world.closes == 1); /* I5 */
		else
			RL_ASSERT(rt_load_relaxed(&world.pd.mu) == 0);
	}
};

template <int THREADS>
static void run(int who, const char *what, unsigned bound, unsigned thousands)
{
	WHO = who;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<2>(READER | WRITER, "read, event", 4, 20);
	run<2>(READER | CLOSER, "read, close", 3, 20);
	run<2>(READER | TIMEOUT, "read, deadline", 3, 20);
	run<3>(READER | WRITER | CLOSER, "read, event, close", 2, 20);
	run<3>(READER | TIMEOUT | CLOSER, "read, deadline, close", 2, 20);
	run<3>(READER | CANCEL | CLOSER, "read, cancel, close", 2, 20);
	run<3>(READER | WRITER | TIMEOUT | AGAIN,
	    "read, event, deadline, read again", 2, 20);
	run<2>(WRITER | TIMEOUT, "nobody, event, deadline", 4, 20);
	run<2>(READER | CANCEL, "read, cancel", 4, 20);
	run<3>(READER | WRITER | CANCEL, "read, event, cancel", 2, 20);
	run<3>(READER | WRITER | CANCEL | AGAIN, "read, event, cancel, read again", 2, 20);
	run<2>(ARM | WRITER, "arm, event", 4, 20);
	run<2>(ARM | WRITER | HUP, "arm, hang-up", 4, 20);
	run<2>(ARM | CLOSER, "arm, close", 4, 20);
	run<2>(ARM | STOP, "arm, stop", 4, 20);
	run<3>(ARM | WRITER | CLOSER, "arm, event, close", 2, 20);
	run<3>(ARM | WRITER | STOP, "arm, event, stop", 2, 20);
	model_done();
}
