/* SPDX-License-Identifier: MIT */
/*
 * model_p.cpp - a P's queues: the real p.c and runq.c under every interleaving
 * (bounded).
 *
 *	E1	p_empty is never a false yes: the owner moves goroutines between
 *		runnext and the rings, kicks and takes, but always holds one
 *		(trap 2)
 *	E2	each goroutine is got or stolen exactly once, out of runnext, too
 */
#define RT_HARD /* rings of 4 */
#include "tests/model/model_sched.h"


#include "sched/runq.c"
#include "sched/p.c"

enum { NG = 6 };

static struct world {
	struct p p[2];
	struct m m;
	struct g g[NG + 1];
	int seen[NG + 1];
} *w;
static model_room<struct world> model_world;

struct sched sched;
static struct m *model_self(void) { return NULL; }
static void ctx_switch(struct ctx *, struct ctx *) {}
struct m *m_enter_slow(struct m *mp) { return mp; }
void wake_submitted(struct p *, bool) {}
void sched_put_global(struct task_list *)
{
	RL_ASSERT(!"nothing overflows here");
}

static void make(void)
{
	w = model_world.make();
	for (int i = 1; i <= NG; i++)
		w->g[i].task.woken = i & 1; /* both rings */
	rt_store_relaxed(&w->p[0].m, (uintptr_t)&w->m);
}
static void take(struct task *task)
{
	RL_ASSERT(task && w->seen[g_of(task) - w->g]++ == 0); /* E2 */
}

/* E1: somebody else looks. */
static int looks;
struct empty : rl::test_suite<empty, 2> {
	void before()
	{
		make();
		p_put_next(&w->p[0], &w->g[1].task);
	}
	~empty() { model_world.destroy(); }
	void owner()
	{
		struct p *pp = &w->p[0];

		p_put_next(pp, &w->g[2].task); /* kicks 1 to a ring */
		take(p_get(pp));	  /* 2, of runnext */
		p_put_next(pp, &w->g[3].task);
		pp->skip_next = true;
		take(p_get(pp)); /* 1, of the ring */
		p_put_next(pp, &w->g[4].task); /* kicks 3 */
		take(p_get(pp));	  /* 4 */
	}
	void thread(unsigned self)
	{
		if (self == 0)
			return owner();
		for (int i = 0; i < looks; i++)
			RL_ASSERT(!p_empty(&w->p[0])); /* E1 */
	}
	void after()
	{
		take(p_get(&w->p[0]));
		RL_ASSERT(p_empty(&w->p[0]));
	}
};

/* E1, with the inbox: what is sent to a P is in it until it is got. */
struct inbox : rl::test_suite<inbox, 2> {
	void before()
	{
		make();
		p_send(&w->p[0], &w->g[1].task);
	}
	~inbox() { model_world.destroy(); }
	void thread(unsigned self)
	{
		if (self == 0)
			p_read_inbox(&w->p[0]);
		else
			RL_ASSERT(!p_empty(&w->p[0])); /* E1 */
	}
	void after()
	{
		take(p_get(&w->p[0]));
		RL_ASSERT(p_empty(&w->p[0]));
	}
};

/* E2, with the inbox: two send, the owner gets, a thief steals. */
struct sending : rl::test_suite<sending, 3> {
	void before() { make(); }
	~sending() { model_world.destroy(); }
	void thread(unsigned self)
	{
		struct task *task;

		switch (self) {
		case 0:
			p_send(&w->p[0], &w->g[1].task);
			if ((task = p_steal(&w->p[1], &w->p[0], true)))
				take(task);
			break;
		case 1:
			p_send(&w->p[0], &w->g[2].task);
			p_send(&w->p[0], &w->g[3].task);
			break;
		case 2:
			for (int i = 0; i < 2; i++)
				if ((task = p_get(&w->p[0])))
					take(task);
		}
	}
	void after()
	{
		for (int i = 0; i < 2; i++)
			while (struct task *task = p_get(&w->p[i]))
				take(task);
		for (int i = 1; i <= 3; i++)
			RL_ASSERT(w->seen[i] == 1);
	}
};

/* E2: a thief that takes runnext as well. */
struct steal : rl::test_suite<steal, 2> {
	void before() { make(); }
	~steal() { model_world.destroy(); }
	void thread(unsigned self)
	{
		struct p *mine = &w->p[self];
		struct task *task;

		if (self == 0) {
			for (int i = 1; i <= 4; i++)
				p_put_next(mine, &w->g[i].task);
			for (int i = 0; i < 2; i++)
				if ((task = p_get(mine)))
					take(task);
		} else {
			for (int i = 0; i < 2; i++) {
				if ((task = p_steal(mine, &w->p[0], true)))
					take(task);
				while ((task = p_get(mine)))
					take(task);
			}
		}
	}
	void after()
	{
		while (struct task *task = p_get(&w->p[0]))
			take(task);
		for (int i = 1; i <= 4; i++)
			RL_ASSERT(w->seen[i] == 1);
	}
};

int main(int argc, char **argv)
{
	model_main(argc, argv);
	looks = 1;
	model_run<empty>("empty", 3, 50);
	looks = 2;
	model_run<empty>("empty, twice", 2, 50);
	model_run<steal>("steal", 2, 50);
	model_run<sending>("send", 2, 50);
	model_run<inbox>("empty, inbox", MODEL_KNOWN, 0);
	model_done();
}
