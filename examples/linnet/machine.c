/* SPDX-License-Identifier: MIT */
/* machine.c - machines: made, loaded, run, ended. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "native.h"

enum {
	DEFAULT_GOROUTINES = 2000000,
	DEFAULT_DEPTH = 100000,
};

#define DEFAULT_MEMORY ((size_t)1 << 30)

struct immortal {
	struct immortal *next;
	uint64_t object[];
};

struct file {
	struct file *next;
	char name[];
};

struct object *machine_immortal_object(struct linnet *m, size_t size)
{
	struct immortal *i = calloc(1, sizeof(*i) + size);

	if (!i)
		return NULL;
	spin_lock(&m->lock);
	i->next = m->immortals;
	m->immortals = i;
	spin_unlock(&m->lock);
	return (struct object *)i->object;
}

struct string *machine_immortal(struct linnet *m, const char *s, size_t n)
{
	struct string *str =
	    (struct string *)machine_immortal_object(m, sizeof(*str) + n + 1);

	if (!str)
		return NULL;
	str->head.kind = KIND_STRING;
	str->head.n = (uint32_t)n;
	if (n > 0)
		memcpy(str->text, s, n);
	return str;
}

void machine_add_proto(struct linnet *m, struct proto *pr)
{
	spin_lock(&m->lock);
	pr->next = m->protos;
	m->protos = pr;
	spin_unlock(&m->lock);
}

int32_t machine_show(const struct linnet *m)
{
	return m->show;
}

void machine_print(struct linnet *m, int fd, const char *text, size_t n)
{
	ssize_t k;

	if (m->opt.print) {
		m->opt.print(m->opt.arg, fd, text, n);
		return;
	}
	gamp_enter_blocking();
	while (n > 0) {
		k = write(fd, text, n);
		if (k < 0 && errno != EINTR)
			break;
		if (k > 0) {
			text += k;
			n -= (size_t)k;
		}
	}
	gamp_leave_blocking();
}

void linnet_talk(struct linnet *m)
{
	m->show = (int32_t)globals_find(m, "show", 4);
}

struct linnet *linnet_open(const struct linnet_options *opt)
{
	static const char no_memory[] = "out of memory";
	struct linnet *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	if (opt)
		m->opt = *opt;
	if (m->opt.memory == 0)
		m->opt.memory = DEFAULT_MEMORY;
	if (m->opt.memory > INT64_MAX / 4)
		m->opt.memory = INT64_MAX / 4;
	if (m->opt.goroutines == 0)
		m->opt.goroutines = DEFAULT_GOROUTINES;
	if (m->opt.depth == 0)
		m->opt.depth = DEFAULT_DEPTH;
	m->show = -1;
	heap_init(&m->heap, (int64_t)m->opt.memory, m->opt.stress);
	m->global = calloc(GLOBALS_MAX, sizeof(*m->global));
	m->no_memory = machine_immortal(m, no_memory, strlen(no_memory));
	if (!m->global || !m->no_memory || !builtin_define(m)) {
		linnet_close(m);
		return NULL;
	}
	return m;
}

const char *linnet_error(const struct linnet *m)
{
	return m->error;
}

static char *file_name(struct linnet *m, const char *name)
{
	size_t n = strlen(name);
	struct file *file = malloc(sizeof(*file) + n + 1);

	if (!file)
		return NULL;
	memcpy(file->name, name, n + 1);
	file->next = m->files;
	m->files = file;
	return file->name;
}

int linnet_load(
    struct linnet *m, const char *name, const char *source, size_t n)
{
	struct parser p = { .m = m };
	const struct global *gl;
	struct proto *pr = NULL;
	struct func *fn;
	char *file = file_name(m, name);

	m->loaded = NULL;
	m->error[0] = '\0';
	if (!file)
		return -ENOMEM;
	lex_init(&p.lx, source, n);
	fn = parse(&p);
	if (fn && (gl = globals_undefined(m)))
		parse_fail(&p, gl->at, "undefined: %.*s",
		    (int)(gl->len < 40 ? gl->len : 40), gl->name);
	else if (fn)
		pr = gen(&p, fn, file);
	globals_settle(m, pr != NULL);
	lex_fini(&p.lx);
	arena_free(&p.arena);
	m->loaded = pr;
	if (pr)
		return 0;
	(void)snprintf(m->error, sizeof(m->error), "%s:%u:%u: %s\n", name,
	    p.where.line, p.where.col, p.message);
	return -EINVAL;
}

int linnet_set_args(struct linnet *m, int argc, char *const *argv)
{
	size_t n = argc > 0 ? (size_t)argc : 0;
	struct slice *s =
	    (struct slice *)machine_immortal_object(m, sizeof(*s));
	struct body *b = (struct body *)machine_immortal_object(
	    m, sizeof(*b) + n * sizeof(value));
	struct string *str;

	if (!s || !b)
		return -ENOMEM;
	b->head.kind = KIND_BODY;
	s->head.kind = KIND_SLICE;
	s->head.n = b->head.n = s->cap = (uint32_t)n;
	s->body = b;
	for (size_t i = 0; i < n; i++) {
		str = machine_immortal(m, argv[i], strlen(argv[i]));
		if (!str)
			return -ENOMEM;
		b->at[i] = from_object(str);
	}
	m->args = s;
	return 0;
}

void machine_end(struct linnet *m, int status)
{
	uint32_t no = 0;

	if (!__atomic_compare_exchange_n(
		&m->over, &no, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	m->status = status;
	gamp_group_cancel(&m->group);
}

void linnet_stop(struct linnet *m)
{
	machine_end(m, -ECANCELED);
}

/* Calls fn in a goroutine of its own and waits for that. */
static int call(struct linnet *m, value fn)
{
	struct gamp_sem done;
	bool former;
	int err;

	(void)gamp_sem_init(&done, 0);
	err = fiber_start(m, fn, NULL, 0, &done);
	if (err < 0)
		return err;
	if (gamp_sem_acquire(&done) < 0) {
		linnet_stop(m);
		former = gamp_uncancellable(true);
		(void)gamp_sem_acquire(&done);
		gamp_uncancellable(former);
	}
	return 0;
}

static value loaded_function(struct linnet *m)
{
	struct closure *fn =
	    (struct closure *)machine_immortal_object(m, sizeof(*fn));

	if (!fn)
		return NIL;
	fn->head.kind = KIND_CLOSURE;
	fn->proto = m->loaded;
	return from_object(fn);
}

/* Runs what was loaded. */
static int start(struct linnet *m)
{
	value fn;
	int err;

	if (gamp_self() == 0)
		return -EPERM;
	if (!m->loaded)
		return -EINVAL;
	if (!m->running) {
		err = gamp_group_init(&m->group, GAMP_FOREVER);
		if (err < 0)
			return err;
		m->running = true;
		m->over = 0;
		m->status = 0;
	}
	fn = loaded_function(m);
	return fn == NIL ? -ENOMEM : call(m, fn);
}

static int finish(struct linnet *m)
{
	machine_end(m, 0);
	(void)gamp_group_wait(&m->group);
	m->running = false;
	conn_close_all(m);
	return m->status;
}

static bool is_over(const struct linnet *m)
{
	return __atomic_load_n(&m->over, __ATOMIC_ACQUIRE);
}

int linnet_run(struct linnet *m)
{
	int err = start(m);
	int64_t at;

	if (err == 0 && !is_over(m)) {
		at = globals_find(m, "main", 4);
		if (at >= 0 && is_kind(m->global[at], KIND_CLOSURE))
			err = call(m, m->global[at]);
	}
	if (!m->running)
		return err;
	if (gamp_cancelled())
		machine_end(m, -ECANCELED);
	return err < 0 ? (finish(m), err) : finish(m);
}

int linnet_eval(struct linnet *m, bool *over)
{
	int err = start(m);

	*over = m->running && is_over(m);
	if (*over)
		return finish(m);
	return err;
}

void linnet_close(struct linnet *m)
{
	struct immortal *i;
	struct proto *pr;
	struct file *file;

	if (m->running)
		(void)finish(m);
	conn_close_all(m);
	while ((i = m->immortals)) {
		m->immortals = i->next;
		free(i);
	}
	while ((pr = m->protos)) {
		m->protos = pr->next;
		proto_free(pr);
	}
	while ((file = m->files)) {
		m->files = file->next;
		free(file);
	}
	globals_fini(&m->globals);
	heap_fini(&m->heap);
	free(m->global);
	free(m->gray);
	free(m);
}

void linnet_stats(const struct linnet *m, struct linnet_stats *st)
{
	st->collections = m->collections;
	st->live = m->heap.live;
	st->allocated = __atomic_load_n(&m->heap.taken, __ATOMIC_RELAXED);
	st->goroutines = __atomic_load_n(&m->nfibers, __ATOMIC_RELAXED);
	st->stopped = m->stop_time;
}
