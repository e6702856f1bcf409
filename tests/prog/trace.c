/* SPDX-License-Identifier: MIT */
/*
 * trace.c - a program that does a little of everything, and traces it.
 *
 *	trace whole FILE	from before the first goroutine to the end
 *	trace ring FILE		more than the ring holds
 *	trace storm FILE	traces come and go while goroutines run, from
 *				a goroutine and a thread; the last one is
 *				written
 *	trace plain		no trace of its own: GAMP_DEBUG=trace=FILE
 *
 * test_trace.py looks at the files.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define PROCS 4

static struct gamp_chan *ch, *gate;
static struct gamp_mutex mu;
static struct gamp_waitgroup wg;
static const char *path;
static int rounds = 200;

static void must(const char *what, int64_t r)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror((int)-r));
}

static void go(const char *name, gamp_fn *fn, void *arg)
{
	struct gamp_go_options o = { .name = name };

	must("add", gamp_waitgroup_add(&wg, 1));
	must("gamp_go", gamp_go_with(&o, fn, arg));
}

static void done(void)
{
	must("done", gamp_waitgroup_done(&wg));
}

static void sender(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++) {
		must("send", gamp_chan_send(ch, &i));
		if (i % 50 == 0)
			gamp_trace_mark("fifty \"more\"\n");
	}
	done();
}

/* Not before main has seen that it waits, and the sender, too. */
static void receiver(void *arg)
{
	int v;

	(void)arg;
	must("recv", gamp_chan_recv(gate, NULL));
	for (int i = 0; i < rounds; i++)
		must("recv", gamp_chan_recv(ch, &v));
	done();
}

static void sleeper(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds / 20; i++)
		must("sleep", gamp_sleep(50 * GAMP_MICROSECOND));
	done();
}

static void yielder(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++)
		gamp_yield();
	done();
}

static void locker(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++) {
		must("lock", gamp_mutex_lock(&mu));
		gamp_yield();
		must("unlock", gamp_mutex_unlock(&mu));
	}
	done();
}

static void blocker(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds / 20; i++) {
		gamp_enter_blocking();
		gamp_trace_mark("inside");
		(void)poll(NULL, 0, 1); /* a call that blocks */
		gamp_leave_blocking();
	}
	done();
}

static void child(void *arg)
{
	(void)arg;
	done();
}

static void parent(void *arg)
{
	(void)arg;
	for (int i = 0; i < rounds; i++)
		go(NULL, child, NULL);
	done();
}

/* Until all have exited: who has said that it is done may still run. */
static void wait_for_all(void)
{
	struct gamp_statistics s;

	must("wait", gamp_waitgroup_wait(&wg));
	do {
		must("sleep", gamp_sleep(GAMP_MILLISECOND));
		must("gamp_stats", gamp_stats(&s, sizeof(s)));
	} while (s.goroutines > 1);
}

/* Until somebody waits for that. */
static void wait_for(const char *reason)
{
	struct gamp_states s = { .parked = 0 };
	int i = 0;

	while (strcmp(gamp_stats_reason(i), reason) != 0)
		i++;
	do {
		must("sleep", gamp_sleep(100 * GAMP_MICROSECOND));
		must("states", gamp_stats_states(&s, sizeof(s)));
	} while (s.parked_by[i] == 0);
}

static void work(void)
{
	static const struct {
		const char *name;
		gamp_fn *fn;
	} kinds[] = { { "sender", sender }, { "receiver", receiver },
		{ "sleeper", sleeper }, { "yielder", yielder },
		{ "a \"quoted\\ name\" \xff\xc3\xa4", yielder },
		{ "locker", locker }, { "locker", locker },
		{ "blocker", blocker }, { "parent", parent } };

	must("lock", gamp_mutex_lock(&mu));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		go(kinds[i].name, kinds[i].fn, NULL);
	wait_for("mutex"); /* it is ours */
	must("unlock", gamp_mutex_unlock(&mu));
	wait_for("receive");
	wait_for("send");
	must("send", gamp_chan_send(gate, NULL));
	wait_for_all();
}

static void stop_into_file(void)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	must("gamp_trace_stop", gamp_trace_stop(fd));
	(void)close(fd);
}

static void whole(void *arg)
{
	(void)arg;
	must("gamp_trace_start", gamp_trace_start(0));
	work();
	stop_into_file();
}

static void ring(void *arg)
{
	(void)arg;
	must("gamp_trace_start", gamp_trace_start(1));
	work();
	rounds = 2000;
	go("last", yielder, NULL); /* started in what is lost */
	go("last", yielder, NULL);
	wait_for_all();
	stop_into_file();
}

static atomic_int traces;
static atomic_bool over;

static void trace_some(int null)
{
	int r = gamp_trace_start((size_t)1 << 16);

	if (r != -EALREADY && r != -ESRCH)
		must("gamp_trace_start", r);
	gamp_yield();
	r = gamp_trace_stop(null);
	if (r != -ESRCH)
		must("gamp_trace_stop", r);
	if (r == 0)
		atomic_fetch_add(&traces, 1);
}

static void *storm_thread(void *arg)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)arg;
	while (!atomic_load(&over)) {
		trace_some(null);
		gamp_trace_mark("from a thread");
		(void)sched_yield();
	}
	(void)close(null);
	return NULL;
}

static void storm_main(void *arg)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)arg;
	while (atomic_load(&traces) < 200) {
		go("storm", yielder, NULL);
		work();
		trace_some(null);
	}
	atomic_store(&over, true);
	(void)close(null);
}

static void storm(void *arg)
{
	pthread_t t;

	rounds = 40;
	if (pthread_create(&t, NULL, storm_thread, NULL) != 0)
		errx(1, "no thread");
	storm_main(arg);
	gamp_enter_blocking();
	(void)pthread_join(t, NULL);
	gamp_leave_blocking();
	rounds = 200;
	whole(arg);
}

static void plain(void *arg)
{
	(void)arg;
	work();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		gamp_fn *fn;
	} modes[] = { { "whole", whole }, { "ring", ring },
		{ "storm", storm }, { "plain", plain } };
	struct gamp_options o = { .maxprocs = PROCS };

	path = argc > 2 ? argv[2] : NULL;
	ch = gamp_chan_new(sizeof(int), 2);
	gate = gamp_chan_new(0, 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (argc > 1 && strcmp(argv[1], modes[i].name) == 0) {
			must("gamp_run", gamp_run(modes[i].fn, NULL, &o));
			return 0;
		}
	errx(2, "usage: trace whole|ring|storm|plain FILE");
}
