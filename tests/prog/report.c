/* SPDX-License-Identifier: MIT */
/*
 * report.c - programs that go wrong, each in one way, so that the runtime
 * says so; test_report.py compares what it says.
 *
 * usage: report NAME
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define APART __attribute__((noinline))
#define MANY  100000

static volatile int sink, zero;
static char *volatile nowhere;
static char text[4096];

/* Overflows. */

static APART int deeper(int n)
{
	volatile char buf[200];

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)n;
	return n > 100000000 ? 0 : deeper(n + 1) + buf[n % 200];
}

static void overflow(void *arg)
{
	(void)arg;
	sink = deeper(0);
}

/* Each step takes less than the call that it makes: that one overflows. */
static APART int deeper_printing(int n)
{
	if (n > 100000000)
		return 0;
	(void)snprintf(text, sizeof(text), "%.300f", 1e300 + sink);
	return deeper_printing(n + 1) + zero;
}

static void overflow_printf(void *arg)
{
	(void)arg;
	sink = deeper_printing(0);
}

static APART int deeper_asking(int n)
{
	volatile char step[500]; /* or it takes seconds */
	struct addrinfo *all = NULL;

	step[0] = (char)n;
	if (n > 100000000)
		return step[0];
	if (getaddrinfo("localhost", "http", NULL, &all) == 0)
		freeaddrinfo(all);
	return deeper_asking(n + 1) + zero;
}

static void overflow_getaddrinfo(void *arg)
{
	(void)arg;
	sink = deeper_asking(0);
}

static APART void run_named(gamp_fn *fn)
{
	struct gamp_go_options o = { .name = "hungry" };

	(void)gamp_go_with(&o, fn, NULL);
}

static void one(void *fn)
{
	gamp_fn *named;

	memcpy(&named, fn, sizeof(named));
	run_named(named);
	(void)gamp_sleep(3600 * GAMP_SECOND);
}

/* A crowd, of which one overflows. */

static struct gamp_chan *silent;

static APART void receiver(void *arg)
{
	int v;

	(void)arg;
	(void)gamp_chan_recv(silent, &v);
	sink = 2;
}

static void crowd(void *arg)
{
	(void)arg;
	silent = gamp_chan_new(sizeof(int), 0);
	for (int i = 0; i < MANY; i++)
		if (gamp_go(receiver, NULL) < 0)
			_exit(9);
	gamp_yield();
}

static void one_in_a_crowd(void *arg)
{
	crowd(NULL);
	one(arg);
}

/* A fault that is no overflow. */

static void fault(void *arg)
{
	(void)arg;
	*nowhere = 1;
}

/* A handler of the program's own. */

static void on_segv(int sig)
{
	static const char said[] = "the program's handler\n";

	(void)sig;
	if (write(STDERR_FILENO, said, sizeof(said) - 1) < 0)
		_exit(8);
	_exit(7);
}

/* Deadlocks. */

static struct gamp_mutex left, right;
static atomic_int locked;

static APART void lock_both(struct gamp_mutex *a, struct gamp_mutex *b)
{
	(void)gamp_mutex_lock(a);
	atomic_fetch_add(&locked, 1);
	while (atomic_load(&locked) < 2)
		gamp_yield();
	if (gamp_mutex_lock(b) == 0)
		gamp_mutex_unlock(b);
	gamp_mutex_unlock(a);
}

static void left_first(void *arg)
{
	lock_both(&left, &right);
	(void)gamp_chan_trysend(arg, NULL);
}

static void right_first(void *arg)
{
	lock_both(&right, &left);
	(void)gamp_chan_trysend(arg, NULL);
}

static void deadlock(void *arg)
{
	struct gamp_chan *done = gamp_chan_new(0, 2);
	struct gamp_go_options l = { .name = "left" }, r = { .name = "right" };

	(void)arg;
	(void)gamp_go_with(&l, left_first, done);
	(void)gamp_go_with(&r, right_first, done);
	(void)gamp_chan_recv(done, NULL);
	(void)gamp_chan_recv(done, NULL);
	(void)gamp_chan_free(done);
}

/* Those can be cancelled. */

static void deadlock_chan(void *arg)
{
	silent = gamp_chan_new(sizeof(int), 0);
	(void)gamp_go(receiver, NULL);
	receiver(arg);
	sink = 4;
}

/* One that does not exit when it is cancelled. */

static void stubborn(void *arg)
{
	int v;

	(void)arg;
	(void)gamp_uncancellable(true);
	(void)gamp_chan_recv(silent, &v);
	sink = 3;
}

/* Until somebody waits for a value. */
static void wait_for_receiver(void)
{
	struct gamp_states s = { .parked = 0 };
	int i = 0;

	while (strcmp(gamp_stats_reason(i), "receive") != 0)
		i++;
	do {
		(void)gamp_sleep(GAMP_MILLISECOND);
		if (gamp_stats_states(&s, sizeof(s)) < 0)
			_exit(9);
	} while (s.parked_by[i] == 0);
}

static void leaves_one(void *arg)
{
	struct gamp_go_options o = { .name = "stubborn" };

	(void)arg;
	silent = gamp_chan_new(sizeof(int), 0);
	(void)gamp_go_with(&o, stubborn, NULL);
	wait_for_receiver();
}

/* A pthread mutex across a park. */

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static APART void park_with_a_mutex(void)
{
	for (int i = zero; i < 3 + zero; i++) { /* said once */
		(void)pthread_mutex_lock(&held);
		(void)gamp_sleep(GAMP_MILLISECOND);
		(void)pthread_mutex_unlock(&held);
		(void)gamp_sleep(GAMP_MILLISECOND);
	}
}

static void parks_with_a_mutex(void *arg)
{
	(void)arg;
	park_with_a_mutex();
	sink = 5;
}

/* A dump on a signal; the program goes on. */

static void signalled(void *arg)
{
	struct gamp_chan *more = gamp_chan_new(sizeof(int), 0);

	silent = more;
	(void)gamp_go(receiver, arg);
	wait_for_receiver();
	(void)kill(getpid(), SIGQUIT);
	/* It has been written when this has been read from our stderr. */
	gamp_enter_blocking();
	if (getchar() == EOF)
		_exit(6);
	gamp_leave_blocking();
	(void)puts("went on");
}

static APART int run_fn(void (*main)(void *), gamp_fn *fn,
    const struct gamp_options *o)
{
	int r = gamp_run(main, &fn, o);

	(void)printf("%d\n", r);
	return r != 0;
}

int main(int argc, char **argv)
{
	struct gamp_options o = { .maxprocs = 1 };
	struct rlimit none = { 0, 0 };
	const char *name = argc > 1 ? argv[1] : "";
	static const struct {
		const char *name;
		void (*main)(void *);
		gamp_fn *fn;
	} all[] = {
		{ "overflow", one, overflow },
		{ "overflow_printf", one, overflow_printf },
		{ "overflow_getaddrinfo", one, overflow_getaddrinfo },
		{ "overflow_many", one_in_a_crowd, overflow },
		{ "unguarded", crowd, NULL },
		{ "overflow_handler", one, overflow },
		{ "overflow_no_signals", one, overflow },
		{ "fault", one, fault },
		{ "fault_handler", one, fault },
		{ "deadlock", deadlock, NULL },
		{ "deadlock_chan", deadlock_chan, NULL },
		{ "deadlock_chan_fake", deadlock_chan, NULL },
		{ "left", leaves_one, NULL },
		{ "left_quiet", leaves_one, NULL },
		{ "mutex", parks_with_a_mutex, NULL },
		{ "signal", signalled, NULL },
	};

	(void)setrlimit(RLIMIT_CORE, &none);
	if (strstr(name, "_handler"))
		(void)signal(SIGSEGV, on_segv);
	o.no_signals = strstr(name, "_no_signals") != NULL;
	o.fake_time = strstr(name, "_fake") != NULL;
	o.quiet = strstr(name, "_quiet") != NULL;
	o.stop_timeout = 100 * GAMP_SECOND; /* a crowd, and the host stalls */
	/* All others have exited by then, though the machine is slow. */
	if (strncmp(name, "left", 4) == 0 || strcmp(name, "deadlock") == 0)
		o.stop_timeout = (o.quiet ? 50 : 2000) * GAMP_MILLISECOND;
	if (strcmp(name, "signal") == 0)
		o.dump_signal = SIGQUIT;
	if (strcmp(name, "overflow_getaddrinfo") == 0)
		o.stack_size = 256 << 10;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return run_fn(all[i].main, all[i].fn, &o);
	(void)fprintf(stderr, "usage: report NAME\n");
	return 2;
}
