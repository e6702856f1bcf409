/* SPDX-License-Identifier: MIT */
/*
 * model_alloc.cpp - another allocator while others allocate, under every
 * interleaving (bounded): the real alloc.c.
 *
 *	user	has a block, lets it be moved, gives it back; twice
 *	line	the same with one that is aligned
 *	setter	makes an allocator of its own, sets it, and malloc again; where
 *		both were set nobody can be in its own any more: unmade
 *
 *	I1	a block goes back to where it came from
 *	I2	the table is not read while it is written (rl::var)
 *	I3	an allocator that was set is made, and one that another was set
 *		for is not in use any more (rl::var)
 *	I4	everybody comes through (else: deadlock), nobody is counted at
 *		the end, and it can be set then
 */
#include <sched.h>
#include "tests/model/model.h"

#define sched_yield() (rl::yield(1, $), 0)

enum { CELLS = 8, SIZE = 256, OTHERS = 2 };

struct cell {
	alignas(64) char bytes[SIZE];
	int owner;
	bool used;
};
static struct cell cells[CELLS];

static struct world {
	rl::var<int> table, made[OTHERS];
	int failing; /* so many calls may fail */
} *w;
static model_room<struct world> model_world;

/* gamp/memory.h: who reads or writes a word of the table is seen, and others
 * come in between two. */
#define GAMP_MEMORY_H
template <class F> struct model_fn {
	F f;

	model_fn(F fn) : f(fn) {}
	model_fn(const model_fn &) = default;
	operator F() const
	{
		rl::ctx().sched();
		(void)(int)w->table($); /* I2 */
		return f;
	}
	bool operator==(F fn) const { return (F)*this == fn; }
	model_fn &operator=(const model_fn &from)
	{
		rl::ctx().sched();
		w->table($) = 0; /* I2 */
		f = from.f;
		return *this;
	}
};
struct gamp_allocator {
	model_fn<void *(*)(size_t)> alloc;
	model_fn<void *(*)(void *, size_t)> resize;
	model_fn<void (*)(void *)> release;
};

/* owner: 0, malloc's; or one more than a setter's number. */
static void look(int owner)
{
	rl::ctx().sched();
	if (owner > 0)
		RL_ASSERT(w->made[owner - 1]($) == 1); /* I3 */
}
/* No line begins where a cell's bytes do, unless asked for. */
static void *take(int owner, size_t size, bool line)
{
	look(owner);
	if (w->failing > 0 && rl::ctx().rand(2, rl::sched_type_user)) {
		w->failing--;
		return NULL;
	}
	for (struct cell &c : cells)
		if (!c.used) {
			RL_ASSERT(size + 16 <= SIZE);
			c.used = true;
			c.owner = owner;
			return c.bytes + (line ? 0 : 16);
		}
	RL_ASSERT(false);
	return NULL;
}
static struct cell *cell_of(void *p, int owner)
{
	struct cell *c = &cells[((char *)p - (char *)cells) / sizeof(*cells)];

	look(owner);
	RL_ASSERT(c->used && c->owner == owner); /* I1 */
	return c;
}
static void *move(void *p, int owner)
{
	void *to = take(owner, 16, false);

	if (to)
		cell_of(p, owner)->used = false;
	return to;
}

template <int OWNER> static void *get(size_t n) { return take(OWNER, n, 0); }
template <int OWNER> static void *resize(void *p, size_t)
{
	return move(p, OWNER);
}
template <int OWNER> static void put(void *p)
{
	cell_of(p, OWNER)->used = false;
}

#define malloc get<0>
#define realloc resize<0>
#define free put<0>
#define aligned_alloc(line, size) take(0, size, true)
#include "base/alloc.c"
#undef malloc
#undef realloc
#undef free
#undef aligned_alloc

enum {
	LINE = 1,   /* the users' blocks are lines */
	FAIL = 2,   /* two calls of an allocator may fail */
	SECOND = 4, /* two setters */
	ALONE = 8,  /* nobody else: it must be set */
};
static int WHAT; /* the scenario */

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	void before()
	{
		w = model_world.make();
		model_make(users);
		memset(cells, 0, sizeof(cells));
		w->table($) = w->made[0]($) = w->made[1]($) = 0;
		w->failing = WHAT & FAIL ? 2 : 0;
		table.alloc.f = get<0>;
		table.resize.f = resize<0>;
		table.release.f = put<0>;
	}
	~model()
	{
		model_world.destroy();
		model_destroy(users);
	}
	void user()
	{
		for (int i = 0; i < 2; i++) {
			char *p = (char *)(WHAT & LINE ? rt_alloc_line(40) :
							 rt_alloc(40));
			void *q;

			if (WHAT & LINE) {
				RL_ASSERT((uintptr_t)p % RT_LINE == 0);
				rt_release_line(p);
				continue;
			}
			RL_ASSERT(p || (WHAT & FAIL));
			q = p ? rt_resize(p, 50) : NULL;
			rt_release(q ? q : p);
		}
	}
	void setter(int i)
	{
		static const struct gamp_allocator own[OTHERS] = {
			{ get<1>, resize<1>, put<1> },
			{ get<2>, resize<2>, put<2> },
		};
		int r;

		w->made[i]($) = 1;
		r = rt_alloc_set(&own[i]);
		RL_ASSERT(r == 0 || (r == -EBUSY && !(WHAT & ALONE)));
		if (r == 0) {
			r = rt_alloc_set(NULL);
			RL_ASSERT(r == 0 || !(WHAT & ALONE));
		}
		if (r == 0)
			w->made[i]($) = 0;
	}
	void thread(unsigned self)
	{
		if (self == 0)
			setter(0);
		else if (self == 1 && (WHAT & SECOND))
			setter(1);
		else
			user();
	}
	void after()
	{
		for (struct cell &c : cells)
			RL_ASSERT(!c.used);
		RL_ASSERT(rt_load_relaxed(&users) == 0); /* I4 */
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
	run<2>(0, "one user", 5, 20);
	run<2>(LINE, "one user, lines", 5, 20);
	run<2>(FAIL, "one user, no memory", 3, 20);
	run<3>(0, "two users", 3, 20);
	run<3>(SECOND, "a user, two setters", 3, 20);
	run<1>(ALONE, "nobody else", 1, 0);
	model_done();
}
