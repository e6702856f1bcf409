/* SPDX-License-Identifier: MIT */
/*
 * local.c - values of goroutines; see gamp/local.h.
 *
 * A key is an index into one table of the process and the sequence number that
 * it had there: odd while the key lives.  A goroutine has a table of its own,
 * as long as its highest index, which says for each value of which key it is;
 * so a key that was freed, and whose index went to another, finds nothing.
 *
 *	reader (any)			writer (under lock)
 *	R1 seq == the key's?		W1 seq: odd -> even, the key is none
 *	R2 destroy			W2 destroy = the next key's
 *	R3 seq still the key's?		W3 seq: even -> odd
 *
 * W2 is a release: who sees the next key's destroy at R2 sees W1 at R3.
 */

#include <errno.h>
#include <string.h>

#include <gamp/local.h>

#include "base/alloc.h"
#include "runtime/leave.h"
#include "sched/m.h"

#define KEYS   1024
#define ROUNDS 4 /* of destructors, as POSIX has it for threads */
#define SEQ_USED_UP (UINT32_MAX - 1)

struct key {
	rt_a32 seq;
	rt_aptr destroy; /* void (*)(void *), or 0 */
};

static struct key keys[KEYS];
static struct rt_lock lock = RT_LOCK_INIT(RANK_LEAF); /* new and free */

struct value {
	uint32_t seq; /* 0: none */
	void *value;
};

struct locals {
	uint32_t cap;
	uint32_t at, round, found; /* of destroying */
	struct value v[];
};

static struct g *self(void)
{
	struct m *mp = m_self();

	return mp ? m_curg(mp) : NULL;
}

static bool alive(struct gamp_key key)
{
	return key.index < KEYS && (key.seq & 1) &&
	    rt_load_acquire(&keys[key.index].seq) == key.seq;
}

void **gamp_slots(void)
{
	struct g *gp = self();

	return gp ? gp->slots : NULL;
}

void local_forked(void)
{
	rt_store_relaxed(&lock.word, 0);
}

/* The lowest, so that the goroutines' tables stay short.  Or KEYS. */
static uint32_t free_index(void)
{
	uint32_t i = 0;

	while (i < KEYS && (rt_load_relaxed(&keys[i].seq) & 1 ||
		rt_load_relaxed(&keys[i].seq) == SEQ_USED_UP))
		i++;
	return i;
}

int gamp_key_new(struct gamp_key *key, void (*destroy)(void *value))
{
	uint32_t i, seq = 0;

	if (!key)
		return -EINVAL;
	rt_lock(&lock);
	i = free_index();
	if (i < KEYS) {
		seq = rt_load_relaxed(&keys[i].seq) + 1;
		rt_store_release(&keys[i].destroy, (uintptr_t)destroy); /* W2 */
		rt_store_release(&keys[i].seq, seq);			/* W3 */
	}
	rt_unlock(&lock);
	if (i == KEYS)
		return -EAGAIN;
	*key = (struct gamp_key){ i, seq };
	return 0;
}

int gamp_key_free(struct gamp_key key)
{
	int r = -EINVAL;

	rt_lock(&lock);
	if (alive(key)) {
		rt_store_release(&keys[key.index].seq, key.seq + 1); /* W1 */
		r = 0;
	}
	rt_unlock(&lock);
	return r;
}

void *gamp_local_get(struct gamp_key key)
{
	struct g *gp = self();
	struct locals *l = gp ? gp->locals : NULL;

	if (!l || key.index >= l->cap || l->v[key.index].seq != key.seq ||
	    !alive(key))
		return NULL;
	return l->v[key.index].value;
}

/* A table with room for index i; null: no memory. */
static struct locals *grow(struct locals *l, uint32_t i)
{
	uint32_t had = l ? l->cap : 0, cap = had ? had : 4;
	struct locals *to;

	while (cap <= i)
		cap *= 2;
	to = rt_resize(l, sizeof(*to) + cap * sizeof(to->v[0]));
	if (!to)
		return NULL;
	if (!l)
		*to = (struct locals){ 0 };
	to->cap = cap;
	memset(to->v + had, 0, (cap - had) * sizeof(to->v[0]));
	return to;
}

int gamp_local_set(struct gamp_key key, void *value)
{
	struct g *gp = self();
	struct locals *l;

	if (!gp)
		return -EPERM;
	if (!alive(key))
		return -EINVAL;
	l = gp->locals;
	if (!l || key.index >= l->cap) {
		if (!value)
			return 0;
		l = grow(l, key.index);
		if (!l)
			return -ENOMEM;
		gp->locals = l;
		leave_arm(gp);
	}
	l->v[key.index] = (struct value){ key.seq, value };
	return 0;
}

/* The destructor of the key that index i had with this number, if the key is
 * still there and has one. */
static gamp_fn *destructor(uint32_t i, uint32_t seq)
{
	struct key *k = &keys[i];
	uintptr_t fn;

	if (rt_load_acquire(&k->seq) != seq) /* R1 */
		return NULL;
	fn = rt_load_acquire(&k->destroy);   /* R2 */
	if (rt_load_acquire(&k->seq) != seq) /* R3 */
		return NULL;
	return (gamp_fn *)fn;
}

/* The next value to destroy in this round, taken out; null: no more. */
static gamp_fn *next_value(struct locals *l, void **value)
{
	while (l->at < l->cap) {
		uint32_t i = l->at++;
		struct value *v = &l->v[i];
		gamp_fn *fn = v->value ? destructor(i, v->seq) : NULL;

		if (fn) {
			*value = v->value;
			v->value = NULL;
			return fn;
		}
	}
	return NULL;
}

/* Where it is, is in the table: a destructor may set values, which moves the
 * table, or leave by gamp_exit. */
bool local_destroy(struct g *gp)
{
	struct locals *l = gp->locals;
	void *value;
	gamp_fn *fn;

	if (!l)
		return false;
	do {
		fn = next_value(l, &value);
		if (fn) {
			l->found++;
			fn(value);
			return true;
		}
		if (l->found == 0)
			break;
		l->found = l->at = 0;
	} while (++l->round < ROUNDS);
	gp->locals = NULL;
	rt_release(l);
	return false;
}
