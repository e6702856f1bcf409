/* SPDX-License-Identifier: MIT */
/*
 * model_select.cpp - selects against sends, receives, closes and events, under
 * every interleaving (bounded): the real select.c, chan.c, wait.c, cancel.c,
 * dir.c, pd_select.c, and pd_collect of pd_wait.c.
 *
 *	I1	each value arrives exactly once, and whoever says that it has
 *		sent or received one has
 *	I2	nobody waits while a partner waits, too, or the channel is
 *		closed, or its descriptor is ready (else: deadlock)
 *	I3	when a select returns, its memory is the caller's again: it is
 *		overwritten at once
 *
 * Thread 0 is a goroutine, 1 its g0, the others are plain threads.
 */
#include "tests/model/model_g.h"

#include "sched/cancel.c"
#include "sched/wait.c"
#include "runtime/chan.c"
#include "runtime/select.c"
#include "netpoll/dir.c"
#include "netpoll/pd_select.c"
#include "netpoll/pd_wait.c"

enum { FD = 1 << PD_SLOT_BITS, PAST = 5, LATER = 10, VALUES = 4 };

struct outcome {
	int i, err;
};

static struct world {
	struct model_g mg;
	struct gamp_chan a, b;
	int64_t buf[2];
	struct pd pd;
	rl::atomic<uint32_t> data; /* the socket's buffer: coherent */
	bool locked;		   /* the direction */
	struct gamp_case cases[2][3]; /* the goroutine's, the thread's */
	int64_t out[2][VALUES], in[2];
	int got[VALUES + 1];
	struct outcome last[2];
	int tried; /* what a try said */
} *w;
static model_room<struct world> model_world;

struct sched sched;
rt_a32 entry_open, entry_inside; /* no thread selects descriptors */
const struct backend *const backend = NULL;

/* What of the floor is not asked here. */
struct g *g_find(int64_t) { return &w->mg.g; }
void g_each(void (*)(struct g *, int64_t, void *), void *) {}
struct g *g_new(struct p *, int, gamp_fn *, void *, int *) { return NULL; }
void g_count(struct p *) {}
void g_born(struct g *) {}
void rt_start(struct g *) {}
void rt_park(rt_commit_fn, void *, enum rt_why) {}
int pd_poll_out(struct pd *) { return 0; }

/* The descriptor, of which there is one. */
struct slab pd_slab;
gamp_fd pd_handle(struct pd *) { return FD; }
enum fdmu fdmu_lock(rt_a64 *, int, bool)
{
	RL_ASSERT(!w->locked);
	w->locked = true;
	return FDMU_OK;
}
void pd_unlock(struct pd *, int)
{
	RL_ASSERT(w->locked);
	w->locked = false;
}
bool sys_ready(int, bool)
{
	return w->data.fetch_add(0, rl::mo_seq_cst, $) != 0;
}
static void evict(bool closing)
{
	struct task_list l = { 0 };
	struct dir *d = &w->pd.dir[MODE_READ];
	struct g *gp;

	if (closing) {
		(void)rt_or_seqcst(&w->pd.info, PD_CLOSING);
		rt_fence_seqcst(); /* F2 of dir.h */
		gp = dir_evict(d);
	} else {
		w->data.store(1, rl::mo_seq_cst, $);
		gp = dir_notify(d);
	}
	pd_collect(&w->pd, MODE_READ, gp, NULL, &l);
	rt_queue_list(&l);
}

/* I3: the stack of who has just returned. */
static __attribute__((noinline)) void smash(void)
{
	volatile char stack[512];

	for (unsigned i = 0; i < sizeof(stack); i++)
		stack[i] = 0xa5;
}

static void took(int64_t value)
{
	RL_ASSERT(value > 0 && value <= VALUES);
	RL_ASSERT(w->got[value]++ == 0); /* I1 */
}

/* The cases of the caller; who is 1 for a thread. */
static struct outcome choose(int who, int n)
{
	struct gamp_case *c = w->cases[who];
	int i = gamp_select(c, n);
	struct outcome o = { i, i < 0 ? i : c[i].err };

	smash();
	if (i >= 0 && c[i].op == GAMP_CASE_RECV && o.err == 0)
		took(*(int64_t *)c[i].elem);
	memset(c, 0xa5, n * sizeof(*c)); /* I3 */
	w->last[who] = o;
	return o;
}
static struct gamp_case receive(int who, struct gamp_chan *ch)
{
	return GAMP_RECV(ch, &w->in[who]);
}
static struct gamp_case give(int who, struct gamp_chan *ch, int value)
{
	w->out[who][value - 1] = value;
	return GAMP_SEND(ch, &w->out[who][value - 1]);
}
static void send(struct gamp_chan *ch, int64_t value)
{
	RL_ASSERT(gamp_chan_send(ch, &value) == 0);
}
static void try_send(struct gamp_chan *ch, int64_t value)
{
	w->tried = gamp_chan_trysend(ch, &value);
}

/* Two values from two senders, in two selects. */
static void two_in(void)
{
	for (int i = 0; i < 2; i++) {
		w->cases[0][0] = receive(0, &w->b);
		w->cases[0][1] = receive(0, &w->a);
		RL_ASSERT(choose(0, 2).err == 0);
	}
}
static void send_a(void) { send(&w->a, 1); }
static void send_b(void) { send(&w->b, 2); }
static void two_got(void) { RL_ASSERT(w->got[1] && w->got[2]); }

/* Two selects that meet: in a, or in b. */
static void cross_g(void)
{
	w->cases[0][0] = give(0, &w->a, 1);
	w->cases[0][1] = receive(0, &w->b);
	RL_ASSERT(choose(0, 2).err == 0);
}
static void cross_thread(void)
{
	w->cases[1][0] = give(1, &w->b, 2);
	w->cases[1][1] = receive(1, &w->a);
	RL_ASSERT(choose(1, 2).err == 0);
}
static void crossed(void)
{
	RL_ASSERT(w->got[1] + w->got[2] == 1);
	RL_ASSERT(w->last[0].i == !w->got[1] && w->last[1].i == !w->got[2]);
}

/* The same in one channel: nobody meets himself. */
static void own_g(void)
{
	w->cases[0][0] = give(0, &w->a, 1);
	w->cases[0][1] = receive(0, &w->a);
	RL_ASSERT(choose(0, 2).err == 0);
}
static void own_thread(void)
{
	w->cases[1][0] = give(1, &w->a, 2);
	w->cases[1][1] = receive(1, &w->a);
	RL_ASSERT(choose(1, 2).err == 0);
}

/* A channel that is in a select twice, and in the next one. */
static void twice(void)
{
	for (int i = 0; i < 2; i++) {
		w->cases[0][0] = receive(0, &w->a);
		w->cases[0][1] = receive(0, &w->a);
		RL_ASSERT(choose(0, 2).err == 0 && w->in[0] == i + 1);
	}
}
static void send_both(void)
{
	send(&w->a, 1);
	send(&w->a, 2);
}

/* One that is closed, and one that somebody tries to send to. */
static void either(void)
{
	w->cases[0][0] = receive(0, &w->a);
	w->cases[0][1] = receive(0, &w->b);
	(void)choose(0, 2);
}
static void close_a(void) { RL_ASSERT(gamp_chan_close(&w->a) == 0); }
static void try_b(void) { try_send(&w->b, 2); }
static void either_went(void)
{
	RL_ASSERT(w->last[0].i == (w->tried == 0));
	RL_ASSERT(w->last[0].err == (w->tried == 0 ? 0 : -EPIPE));
	RL_ASSERT(w->got[2] == (w->tried == 0));
}

/* A deadline that comes while the commit may still let go of the guards;
 * then one without. */
static void timed(void)
{
	w->cases[0][0] = receive(0, &w->b);
	w->cases[0][1] = receive(0, &w->a);
	w->cases[0][2] = GAMP_DEADLINE(LATER);
	if (choose(0, 3).i == 2)
		RL_ASSERT(w->last[0].err == -ETIMEDOUT && model_now >= LATER);
	model_fire_over();
	if (w->got[1])
		return;
	w->cases[0][0] = receive(0, &w->a);
	RL_ASSERT(choose(0, 1).err == 0);
}
static void one_got(void) { RL_ASSERT(w->got[1]); }

/* A descriptor and a channel, twice: each comes once. */
static void readable(void)
{
	bool read = false;

	for (int i = 0; i < 2; i++) {
		w->cases[0][0] = receive(0, &w->a);
		w->cases[0][1] = GAMP_READABLE(FD);
		if (choose(0, 2).i == 1) {
			RL_ASSERT(w->last[0].err == 0 && !read);
			read = true;
			RL_ASSERT(w->data.exchange(0, rl::mo_seq_cst, $));
		}
	}
	RL_ASSERT(read && w->got[1]);
}
static void event(void) { evict(false); }

/* One that is closed. */
static void closed(void)
{
	w->cases[0][0] = GAMP_READABLE(FD);
	w->cases[0][1] = receive(0, &w->b);
	(void)choose(0, 2);
}
static void close_fd(void) { evict(true); }
static void closed_went(void)
{
	RL_ASSERT(w->last[0].i == (w->tried == 0));
	RL_ASSERT(w->last[0].err == (w->tried == 0 ? 0 : -ECANCELED));
}

/* Cancelled. */
static void waits_long(void)
{
	w->cases[0][0] = receive(0, &w->a);
	w->cases[0][1] = GAMP_READABLE(FD);
	w->cases[0][2] = GAMP_DEADLINE(LATER);
	RL_ASSERT(choose(0, 3).err == -ECANCELED);
}
/* A value that comes then is the next one's. */
static void waits_again(void)
{
	w->cases[0][0] = receive(0, &w->a);
	w->cases[0][1] = GAMP_READABLE(FD);
	if (choose(0, 2).err == 0)
		return;
	RL_ASSERT(w->last[0].err == -ECANCELED);
	w->mg.g.uncancellable = true;
	w->cases[0][0] = receive(0, &w->a);
	RL_ASSERT(choose(0, 1).err == 0);
}
static void cancel(void) { RL_ASSERT(cancel_id(2) == 0); }

static void nothing(void) {}

static struct {
	void (*g)(void), (*thread[2])(void), (*after)(void);
	size_t cap;
} NOW; /* the scenario */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_g_begin();
		model_make(sched);
		model_make(starved);
		model_make(pd_slab);
		model_membar<THREADS>(false);
		model_g_init(&w->mg, 2, true);
		model_is[0] = model_is[1] = &w->mg;
		w->data.store(0, rl::mo_relaxed, $);
		w->a.size = w->b.size = sizeof(int64_t);
		w->a.cap = w->b.cap = NOW.cap;
		w->a.buf = (char *)&w->buf[0];
		w->b.buf = (char *)&w->buf[1];
		pd_slab.base = (char *)&w->pd;
		pd_slab.size = sizeof(w->pd);
		rt_store_relaxed(&pd_slab.used, 1);
		w->pd.drained = true;
	}
	~model()
	{
		model_world.destroy();
		model_destroy(model_timer);
		model_destroy(sched);
		model_destroy(starved);
		model_destroy(pd_slab);
	}
	void thread(unsigned self)
	{
		model_begin();
		if (self == 0) {
			NOW.g();
			model_g_over(&w->mg);
		} else if (self == 1) {
			model_g0(&w->mg);
		} else {
			NOW.thread[self - 2]();
		}
	}
	void after()
	{
		NOW.after();
		RL_ASSERT(!w->a.recvq.first && !w->a.sendq.first);
		RL_ASSERT(!w->b.recvq.first && !w->b.sendq.first);
		RL_ASSERT(!w->locked);
		RL_ASSERT((rt_load_relaxed(&w->pd.dir[0].sem) & ~1) == 0);
	}
};

template <int THREADS>
static void run(const char *name, unsigned bound, unsigned thousands,
    size_t cap, void (*g)(void), void (*t1)(void), void (*t2)(void),
    void (*after)(void))
{
	NOW = { g, { t1, t2 }, after, cap };
	model_run<model<THREADS> >(name, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	run<4>("two senders", 1, 50, 0, two_in, send_a, send_b, two_got);
	run<4>("two senders, buffers", 1, 20, 1, two_in, send_a, send_b,
	    two_got);
	run<3>("two selects", 2, 50, 0, cross_g, cross_thread, NULL, crossed);
	run<3>("two selects, one channel", 3, 20, 0, own_g, own_thread, NULL,
	    crossed);
	run<3>("a channel twice", 2, 20, 0, twice, send_both, NULL, two_got);
	run<4>("close, try", 2, 20, 0, either, close_a, try_b, either_went);
	run<4>("deadline, send", 1, 50, 0, timed, model_fire, send_a, one_got);
	run<4>("event, send", 1, 50, 0, readable, event, send_a, nothing);
	run<4>("descriptor closed, try", 2, 20, 0, closed, close_fd, try_b,
	    closed_went);
	run<3>("cancel", 2, 20, 0, waits_long, cancel, NULL, nothing);
	run<4>("cancel, send", 1, 50, 0, waits_again, cancel, send_a, one_got);
	model_done();
}
