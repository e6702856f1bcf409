/* SPDX-License-Identifier: MIT */
/* builtin.c - what every script has: values, channels, time, the machine. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chan.h"
#include "conn.h"
#include "vm.h"

int native_reserve(struct fiber *f, size_t bytes)
{
	struct heap *h = &f->m->heap;

	if (heap_size(h) + (int64_t)bytes <= h->limit)
		return 0;
	gc_collect(f, true);
	if (heap_size(h) + (int64_t)bytes <= h->limit)
		return 0;
	return throw_memory(f);
}

static int want(struct fiber *f, const char *what, value v)
{
	return throw_text(f, "want %s, not %s", what, type_name(v));
}

/* ---- values ----------------------------------------------------------- */

static int length(struct fiber *f, value *args, int n)
{
	value v = args[0];
	uint32_t len = 0;

	(void)n;
	if (is_string(v) || is_kind(v, KIND_SLICE)) {
		len = object_of(v)->n;
	} else if (is_kind(v, KIND_MAP)) {
		spin_lock(&map_of(v)->lock);
		len = map_of(v)->count;
		spin_unlock(&map_of(v)->lock);
	} else if (is_kind(v, KIND_CHAN)) {
		spin_lock(&((struct chan *)object_of(v))->lock);
		len = ((struct chan *)object_of(v))->count;
		spin_unlock(&((struct chan *)object_of(v))->lock);
	} else if (v != NIL) {
		return throw_text(f, "%s has no length", type_name(v));
	}
	return native_result(args, from_int(len));
}

static int capacity(struct fiber *f, value *args, int n)
{
	(void)n;
	if (is_kind(args[0], KIND_SLICE))
		return native_result(args, from_int(slice_of(args[0])->cap));
	if (is_kind(args[0], KIND_CHAN))
		return native_result(args, from_int(object_of(args[0])->n));
	return want(f, "an array or a channel", args[0]);
}

/* A slice like s with room for more behind it, in its body or in a new one. */
static struct slice *extend(struct fiber *f, struct slice *s, uint32_t more)
{
	uint32_t len = s ? s->head.n : 0, cap = s ? s->cap : 0;
	struct slice *to;

	if (len + more <= cap) {
		to = heap_alloc(
		    &f->m->heap, sizeof(*to), KIND_SLICE, len + more);
		if (to) {
			to->from = s->from;
			to->cap = s->cap;
			to->body = s->body;
		}
		return to;
	}
	cap = cap < 256 ? cap * 2 : cap + cap / 4;
	if (cap < len + more)
		cap = len + more;
	if (cap < 4)
		cap = 4;
	if (cap > 512 && native_reserve(f, cap * sizeof(value)) < 0)
		return NULL;
	to = slice_new(f, len + more, cap);
	for (uint32_t i = 0; to && i < len; i++)
		to->body->at[i] = value_load(&s->body->at[s->from + i]);
	return to;
}

static int append(struct fiber *f, value *args, int n)
{
	uint32_t more = (uint32_t)n - 1, len = 0;
	struct slice *s = NULL, *to;

	if (is_kind(args[0], KIND_SLICE)) {
		s = slice_of(args[0]);
		len = s->head.n;
	} else if (args[0] != NIL) {
		return want(f, "an array", args[0]);
	}
	if (len >= 1u << 30)
		return throw_memory(f);
	to = extend(f, s, more);
	if (!to)
		return throw_memory(f);
	for (uint32_t i = 0; i < more; i++)
		value_store(&to->body->at[to->from + len + i], args[1 + i]);
	return native_result(args, from_object(to));
}

static int array(struct fiber *f, value *args, int n)
{
	struct slice *s;
	int64_t len;

	if (!is_int(args[0]))
		return want(f, "an integer", args[0]);
	len = int_of(args[0]);
	if (len < 0)
		return throw_text(f, "negative length");
	if (len >= 1 << 30 ||
	    (len > 512 && native_reserve(f, (size_t)len * sizeof(value)) < 0))
		return throw_memory(f);
	s = slice_new(f, (uint32_t)len, (uint32_t)len);
	if (!s)
		return throw_memory(f);
	for (int64_t i = 0; n > 1 && i < len; i++)
		s->body->at[i] = args[1];
	return native_result(args, from_object(s));
}

static int copy(struct fiber *f, value *args, int n)
{
	struct slice *to, *from;
	uint32_t len;

	(void)n;
	if (!is_kind(args[0], KIND_SLICE) || !is_kind(args[1], KIND_SLICE))
		return throw_text(f, "want two arrays");
	to = slice_of(args[0]);
	from = slice_of(args[1]);
	len = to->head.n < from->head.n ? to->head.n : from->head.n;
	if (to->body == from->body && to->from > from->from)
		for (uint32_t i = len; i-- > 0;)
			value_store(&to->body->at[to->from + i],
			    value_load(&from->body->at[from->from + i]));
	else
		for (uint32_t i = 0; i < len; i++)
			value_store(&to->body->at[to->from + i],
			    value_load(&from->body->at[from->from + i]));
	return native_result(args, from_int(len));
}

static int delete_key(struct fiber *f, value *args, int n)
{
	(void)n;
	if (!is_kind(args[0], KIND_MAP))
		return want(f, "a map", args[0]);
	map_delete(map_of(args[0]), args[1]);
	return 0;
}

static struct table *table_of(struct map *m)
{
	struct table *t;

	spin_lock(&m->lock);
	t = m->table;
	spin_unlock(&m->lock);
	return t;
}

static int keys(struct fiber *f, value *args, int n)
{
	struct table *t;
	struct slice *s;
	struct entry e;
	uint32_t i = 0, k = 0;

	(void)n;
	if (!is_kind(args[0], KIND_MAP))
		return want(f, "a map", args[0]);
	t = table_of(map_of(args[0]));
	if (t && native_reserve(f, t->head.n * sizeof(value)) < 0)
		return THROWN;
	t = table_of(map_of(args[0])); /* that one may be garbage by now */
	s = slice_new(f, 0, t ? t->head.n : 0);
	if (!s)
		return throw_memory(f);
	while (t && map_next(map_of(args[0]), t, &i, &e))
		s->body->at[k++] = e.key;
	s->head.n = k;
	return native_result(args, from_object(s));
}

static int order(const void *a, const void *b)
{
	value x = *(const value *)a, y = *(const value *)b;
	uint32_t n, k;
	int c;

	if (is_int(x))
		return ((int64_t)x > (int64_t)y) - ((int64_t)x < (int64_t)y);
	n = string_of(x)->head.n;
	k = string_of(y)->head.n;
	c = memcmp(string_of(x)->text, string_of(y)->text, n < k ? n : k);
	return c ? c : (n > k) - (n < k);
}

/* On a copy: another goroutine may change the array meanwhile. */
static int sort(struct fiber *f, value *args, int n)
{
	struct slice *s;
	value *v;
	uint32_t len;
	int ints = 0, strings = 0;

	(void)n;
	if (!is_kind(args[0], KIND_SLICE))
		return want(f, "an array", args[0]);
	s = slice_of(args[0]);
	len = s->head.n;
	v = malloc((len + 1) * sizeof(*v));
	if (!v)
		return throw_memory(f);
	for (uint32_t i = 0; i < len; i++) {
		v[i] = value_load(&s->body->at[s->from + i]);
		ints |= is_int(v[i]);
		strings |= is_string(v[i]);
		if (!is_int(v[i]) && !is_string(v[i]))
			ints = strings = 1;
	}
	if (ints && strings) {
		free(v);
		return throw_text(f, "want integers only, or strings only");
	}
	qsort(v, len, sizeof(*v), order);
	for (uint32_t i = 0; i < len; i++)
		value_store(&s->body->at[s->from + i], v[i]);
	free(v);
	return native_result(args, args[0]);
}

static int type_of(struct fiber *f, value *args, int n)
{
	const char *name = type_name(args[0]);
	struct string *s = string_from(f, name, strlen(name));

	(void)n;
	return s ? native_result(args, from_object(s)) : throw_memory(f);
}

static int random_number(struct fiber *f, value *args, int n)
{
	int64_t max = is_int(args[0]) ? int_of(args[0]) : 0;
	uint64_t a, b;

	(void)n;
	if (max <= 0)
		return throw_text(f, "want a positive integer");
	f->seed = f->seed * 1664525 + 1013904223;
	a = f->seed;
	f->seed = f->seed * 1664525 + 1013904223;
	b = f->seed;
	a = (a << 32 | b) * UINT64_C(0x9e3779b97f4a7c15);
	return native_result(args, from_int((int64_t)(a >> 2) % max));
}

/* ---- panics, time, the machine ---------------------------------------- */

static int panic(struct fiber *f, value *args, int n)
{
	(void)n;
	return throw_value(f, args[0]);
}

static int recover(struct fiber *f, value *args, int n)
{
	(void)n;
	return native_result(args, vm_recover(f));
}

static int exit_script(struct fiber *f, value *args, int n)
{
	machine_end(
	    f->m, n > 0 && is_int(args[0]) ? (int)int_of(args[0]) & 255 : 0);
	return KILLED;
}

/* Milliseconds as nanoseconds; what is too much to count is for ever. */
static int64_t nanoseconds(value ms)
{
	int64_t n = int_of(ms);

	return n > INT64_MAX / GAMP_SECOND ? INT64_MAX / 4
					   : n * GAMP_MILLISECOND;
}

static int sleep_ms(struct fiber *f, value *args, int n)
{
	(void)n;
	if (!is_int(args[0]))
		return want(f, "milliseconds", args[0]);
	return gamp_sleep(nanoseconds(args[0])) < 0 ? KILLED : 0;
}

static int yield(struct fiber *f, value *args, int n)
{
	(void)f;
	(void)args;
	(void)n;
	gamp_yield();
	return 0;
}

static int now(struct fiber *f, value *args, int n)
{
	(void)f;
	(void)n;
	return native_result(args, from_int(gamp_now() / GAMP_MILLISECOND));
}

static int now_micro(struct fiber *f, value *args, int n)
{
	(void)f;
	(void)n;
	return native_result(args, from_int(gamp_now() / GAMP_MICROSECOND));
}

static int collect(struct fiber *f, value *args, int n)
{
	(void)args;
	(void)n;
	gc_collect(f, true);
	return 0;
}

static int put_stat(struct fiber *f, struct map *m, const char *name, int64_t n)
{
	struct string *s = string_from(f, name, strlen(name));

	return s ? map_set(f, m, from_object(s), from_int(n)) : throw_memory(f);
}

static int stats(struct fiber *f, value *args, int n)
{
	struct linnet_stats st;
	struct map *m = map_new(f);

	(void)n;
	linnet_stats(f->m, &st);
	if (!m)
		return throw_memory(f);
	args[-1] = from_object(m);
	if (put_stat(f, m, "collections", st.collections) < 0 ||
	    put_stat(f, m, "live", st.live) < 0 ||
	    put_stat(f, m, "allocated", st.allocated) < 0 ||
	    put_stat(f, m, "goroutines", st.goroutines) < 0 ||
	    put_stat(f, m, "stopped", st.stopped / GAMP_MICROSECOND) < 0)
		return THROWN;
	return 1;
}

static int arguments(struct fiber *f, value *args, int n)
{
	struct slice *s;

	(void)n;
	if (f->m->args)
		return native_result(args, from_object(f->m->args));
	s = slice_new(f, 0, 0);
	return s ? native_result(args, from_object(s)) : throw_memory(f);
}

/* ---- channels --------------------------------------------------------- */

static int channel(struct fiber *f, value *args, int n)
{
	int64_t cap = n > 0 && is_int(args[0]) ? int_of(args[0]) : 0;
	struct chan *ch;

	if (cap < 0 || cap >= 1 << 28)
		return throw_text(f, "bad capacity");
	if (cap > 512 && native_reserve(f, (size_t)cap * sizeof(value)) < 0)
		return THROWN;
	ch = chan_new(f, (uint32_t)cap);
	return ch ? native_result(args, from_object(ch)) : throw_memory(f);
}

static int timer(struct fiber *f, value *args, bool again)
{
	struct chan *ch;

	if (!is_int(args[0]) || int_of(args[0]) < (again ? 1 : 0))
		return want(f, "milliseconds", args[0]);
	ch = chan_new(f, 0);
	if (!ch)
		return throw_memory(f);
	ch->head.flags = CHAN_TIMER;
	ch->time = gamp_now() + nanoseconds(args[0]);
	ch->period = again ? nanoseconds(args[0]) : 0;
	return native_result(args, from_object(ch));
}

static int after(struct fiber *f, value *args, int n)
{
	(void)n;
	return timer(f, args, false);
}

static int ticker(struct fiber *f, value *args, int n)
{
	(void)n;
	return timer(f, args, true);
}

/* ---- all of them ------------------------------------------------------ */

const struct definition natives_core[] = {
	{ "len", length, 1, 1 },
	{ "cap", capacity, 1, 1 },
	{ "append", append, 1, -1 },
	{ "array", array, 1, 2 },
	{ "copy", copy, 2, 2 },
	{ "delete", delete_key, 2, 2 },
	{ "keys", keys, 1, 1 },
	{ "sort", sort, 1, 1 },
	{ "type", type_of, 1, 1 },
	{ "rand", random_number, 1, 1 },
	{ "panic", panic, 1, 1 },
	{ "recover", recover, 0, 0 },
	{ "exit", exit_script, 0, 1 },
	{ "sleep", sleep_ms, 1, 1 },
	{ "yield", yield, 0, 0 },
	{ "now", now, 0, 0 },
	{ "micros", now_micro, 0, 0 },
	{ "gc", collect, 0, 0 },
	{ "stats", stats, 0, 0 },
	{ "args", arguments, 0, 0 },
	{ "chan", channel, 0, 1 },
	{ "after", after, 1, 1 },
	{ "ticker", ticker, 1, 1 },
	{ "close", conn_close, 1, 1 },
	{ NULL, NULL, 0, 0 },
};

static bool define_all(struct linnet *m, const struct definition *d)
{
	struct native *fn;
	int64_t at;

	for (; d->name; d++) {
		fn = (struct native *)machine_immortal_object(m, sizeof(*fn));
		at = globals_define(m, d->name, strlen(d->name));
		if (!fn || at < 0)
			return false;
		fn->head.kind = KIND_NATIVE;
		fn->fn = d->fn;
		fn->name = d->name;
		fn->min = d->min;
		fn->max = d->max;
		m->global[at] = from_object(fn);
	}
	return true;
}

bool builtin_define(struct linnet *m)
{
	if (!define_all(m, natives_core) || !define_all(m, natives_text) ||
	    (!m->opt.closed && !define_all(m, natives_net)))
		return false;
	globals_settle(m, true);
	return true;
}
