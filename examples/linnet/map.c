/* SPDX-License-Identifier: MIT */
/*
 * map.c - maps: open addressing, in a table that grows by doubling.
 *
 * Every operation is under the map's lock, so that goroutines may share a map.
 * Nothing is allocated under it: who finds the table too small lets it go,
 * makes a larger one, and looks again.
 *
 * Invariant: at least a quarter of a table's slots are NONE, so that every
 * search ends.  A key that was deleted leaves GONE, till the table is replaced.
 */

#include "native.h"

enum { TABLE_MIN = 4 };

static uint64_t hash(value key)
{
	uint64_t h = is_string(key) ? string_hash(string_of(key)) : key;

	h *= UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 32;
}

/* Its slot, or the one where it would go. */
static struct entry *find(struct table *t, value key)
{
	uint32_t mask = t->head.n - 1, i = (uint32_t)hash(key) & mask;
	struct entry *gone = NULL;

	for (;; i = (i + 1) & mask) {
		value k = t->at[i].key;

		if (k == NONE)
			return gone ? gone : &t->at[i];
		if (k == GONE)
			gone = gone ? gone : &t->at[i];
		else if (value_equal(k, key))
			return &t->at[i];
	}
}

static bool holds(const struct entry *e)
{
	return e->key != NONE && e->key != GONE;
}

struct map *map_new(struct fiber *f)
{
	struct map *m = heap_alloc(&f->m->heap, sizeof(*m), KIND_MAP, 0);

	if (m) {
		m->lock.word = 0;
		m->count = 0;
		m->table = NULL;
	}
	return m;
}

value map_get(struct map *m, value key, bool *found)
{
	struct entry *e;
	value v = NIL;

	*found = false;
	spin_lock(&m->lock);
	if (m->table && holds(e = find(m->table, key))) {
		*found = true;
		v = e->val;
	}
	spin_unlock(&m->lock);
	return v;
}

static bool is_full(const struct map *m)
{
	return !m->table || (m->table->used + 1) * 4 > m->table->head.n * 3;
}

static struct table *new_table(struct fiber *f, uint32_t n)
{
	size_t size = sizeof(struct table) + n * sizeof(struct entry);
	struct table *t;

	if (size > 4096 && native_reserve(f, size) < 0)
		return NULL;
	t = heap_alloc(&f->m->heap, size, KIND_TABLE, n);
	if (!t) {
		(void)throw_memory(f);
		return NULL;
	}
	t->used = 0;
	for (uint32_t i = 0; i < n; i++)
		t->at[i] = (struct entry){ NONE, NIL };
	return t;
}

/* Under the lock; t may have become too small meanwhile. */
static void move(struct map *m, struct table *t)
{
	if (!is_full(m) || (m->count + 1) * 4 > t->head.n * 3)
		return;
	for (uint32_t i = 0; m->table && i < m->table->head.n; i++)
		if (holds(&m->table->at[i])) {
			*find(t, m->table->at[i].key) = m->table->at[i];
			t->used++;
		}
	m->table = t;
}

static uint32_t size_for(uint32_t count)
{
	uint32_t n = TABLE_MIN;

	while (n / 2 < count + 1)
		n *= 2;
	return n;
}

int map_set(struct fiber *f, struct map *m, value key, value v)
{
	struct table *t;
	struct entry *e;
	uint32_t count;

	for (;;) {
		spin_lock(&m->lock);
		e = m->table ? find(m->table, key) : NULL;
		if (e && (holds(e) || !is_full(m)))
			break;
		count = m->count;
		spin_unlock(&m->lock);
		if (count >= 1 << 26)
			return throw_memory(f);
		t = new_table(f, size_for(count));
		if (!t)
			return THROWN;
		spin_lock(&m->lock);
		move(m, t);
		spin_unlock(&m->lock);
	}
	if (!holds(e)) {
		if (e->key == NONE)
			m->table->used++;
		e->key = key;
		m->count++;
	}
	e->val = v;
	spin_unlock(&m->lock);
	return 0;
}

void map_delete(struct map *m, value key)
{
	struct entry *e;

	spin_lock(&m->lock);
	if (m->table && holds(e = find(m->table, key))) {
		*e = (struct entry){ GONE, NIL };
		m->count--;
	}
	spin_unlock(&m->lock);
}

bool map_next(struct map *m, struct table *t, uint32_t *i, struct entry *e)
{
	bool found = false;

	spin_lock(&m->lock);
	while (!found && *i < t->head.n) {
		*e = t->at[(*i)++];
		if (!holds(e))
			continue;
		found = true;
		/* It has another table by now. */
		if (m->table != t) {
			*e = *find(m->table, e->key);
			found = holds(e);
		}
	}
	spin_unlock(&m->lock);
	return found;
}
