/* SPDX-License-Identifier: MIT */
/* output.c - gamp_process_output: a group of four goroutines, one for each
 * pipe and one that waits; the first error ends them all. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <gamp/group.h>
#include <gamp/process.h>

#include "sched/m.h"

#define LIMIT	((size_t)16 << 20)
#define CHUNK	((size_t)4 << 10)
#define DYING	NS_PER_SEC /* what SIGKILL may take */


/* Where the bytes of a pipe go. */
struct sink {
	gamp_fd fd;
	size_t limit, size, room;
	char *buf; /* room is one more than may be filled */
};

struct run {
	struct gamp_process p;
	const struct gamp_output *io;
	struct sink sink[2];
	int status;
};

static int feed(void *arg)
{
	struct run *run = arg;
	ssize_t n = gamp_write(run->p.in, run->io->input, run->io->input_size);

	(void)gamp_close(run->p.in);
	return n >= 0 || n == -EPIPE ? 0 : (int)n;
}

/* One byte more than the limit is room enough to see that it is passed. */
static int grow(struct sink *s)
{
	size_t room = s->room ? s->room * 2 : CHUNK;
	char *buf;

	if (room > s->limit + 2)
		room = s->limit + 2;
	buf = realloc(s->buf, room);
	if (!buf)
		return -ENOMEM;
	s->buf = buf;
	s->room = room;
	return 0;
}

static int gather(void *arg)
{
	struct sink *s = arg;
	ssize_t n = 0;

	for (;;) {
		if (s->size + 1 >= s->room)
			n = grow(s);
		if (n == 0)
			n = gamp_read(
			    s->fd, s->buf + s->size, s->room - 1 - s->size);
		if (n <= 0)
			return (int)n;
		s->size += (size_t)n;
		if (s->size > s->limit) {
			s->size = s->limit;
			return -EMSGSIZE;
		}
		n = 0;
	}
}

static int await(void *arg)
{
	struct run *run = arg;
	int r = gamp_process_wait(&run->p, &run->status);

	return r == -ECHILD ? 0 : r; /* ended: its status is not known */
}

/* Runs until all is over, or something fails. */
static int converse(struct gamp_group *g, struct run *run)
{
	int r = gamp_group_go(g, await, run), end;

	if (r == 0 && run->p.in)
		r = gamp_group_go(g, feed, run);
	for (int i = 0; i < 2 && r == 0; i++)
		if (run->sink[i].fd)
			r = gamp_group_go(g, gather, &run->sink[i]);
	if (r < 0)
		gamp_group_cancel(g);
	end = gamp_group_wait(g);
	return r < 0 ? r : end;
}

/* Whatever state it is in: ends it, and reaps it if that is soon. */
static void put_down(struct run *run)
{
	bool was = gamp_uncancellable(true);

	if (gamp_process_kill_group(&run->p, SIGKILL) < 0)
		(void)gamp_process_kill(&run->p, SIGKILL);
	(void)gamp_process_wait_until(
	    &run->p, &run->status, clock_after(clock_now(), DYING));
	(void)gamp_uncancellable(was);
}

static void hand_over(struct sink *s, char **buf, size_t *size)
{
	if (s->buf)
		s->buf[s->size] = '\0';
	*buf = s->buf;
	*size = s->size;
}

static void to_pipe(struct gamp_stdio *io)
{
	if (io->kind == GAMP_STDIO_DEFAULT)
		io->kind = GAMP_STDIO_PIPE;
}

/* 0: there is a child. */
static int begin(struct run *run, const struct gamp_spawn_options *opt,
    const char *file, char *const argv[])
{
	struct gamp_spawn_options o = { 0 };

	if (opt)
		o = *opt;
	if (run->io->input)
		to_pipe(&o.in);
	else if (o.in.kind == GAMP_STDIO_DEFAULT)
		o.in.kind = GAMP_STDIO_NULL;
	to_pipe(&o.out);
	to_pipe(&o.err);
	return gamp_spawn(&run->p, &o, file, argv);
}

static int perform(struct gamp_output *io, struct run *run,
    const struct gamp_spawn_options *opt, const char *file,
    char *const argv[])
{
	struct gamp_group g;
	int r = gamp_group_init(&g, io->deadline);

	if (r < 0)
		return r;
	r = begin(run, opt, file, argv);
	if (r < 0) {
		(void)gamp_group_wait(&g);
		return r;
	}
	run->sink[0].fd = run->p.out;
	run->sink[1].fd = run->p.err;
	r = converse(&g, run);
	if (r < 0)
		put_down(run);
	(void)gamp_process_close(&run->p);
	return r;
}

int gamp_process_output(struct gamp_output *io,
    const struct gamp_spawn_options *opt, const char *file,
    char *const argv[])
{
	struct run run = { .io = io, .status = -1 };
	int r;

	if (!io || (io->input_size > 0 && !io->input))
		return -EINVAL;
	io->status = -1;
	io->out = io->err = NULL;
	io->out_size = io->err_size = 0;
	r = m_checkpoint();
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		run.sink[i].limit = io->limit ? io->limit : LIMIT;
		if (run.sink[i].limit > SIZE_MAX / 4)
			run.sink[i].limit = SIZE_MAX / 4;
	}
	r = perform(io, &run, opt, file, argv);
	io->status = run.status;
	hand_over(&run.sink[0], &io->out, &io->out_size);
	hand_over(&run.sink[1], &io->err, &io->err_size);
	return r;
}
