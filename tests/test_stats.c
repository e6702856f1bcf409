/* SPDX-License-Identifier: MIT */
/*
 * test_stats.c - counters, states, and the samples of latency.
 *
 * cmocka's assertions jump, so goroutines note what they saw and the test
 * looks at it when gamp_run has returned.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "sched/m.h"
#include "sched/stats.h"
#include "tests/test.h"

#define MANY  1000
#define LIMIT (60 * GAMP_SECOND) /* for any state to come */

static atomic_int count, failures;

#define EXPECT(c)                                                          \
	((c) ? (void)0 :                                                   \
	       (void)(atomic_fetch_add(&failures, 1),                      \
		   fprintf(stderr, "line %d: %s\n", __LINE__, #c)))

/* A counter may come a little after what it counts. */
#define AWAIT(c)                                                \
	do {                                                    \
		int64_t limit_ = gamp_now() + LIMIT;            \
		while (!(c) && gamp_now() < limit_)             \
			gamp_yield(); /* no timer: it counts */ \
		EXPECT(c);                                      \
	} while (0)

static void run_with(gamp_fn *fn, struct gamp_options o)
{
	o.stop_timeout = LIMIT;
	atomic_store(&count, 0);
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(fn, NULL, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void run(gamp_fn *fn, int procs)
{
	run_with(fn, (struct gamp_options){ .maxprocs = procs });
}

static void wait_for(int n)
{
	while (atomic_load(&count) < n)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
}

static struct gamp_statistics now(void)
{
	struct gamp_statistics s;

	memset(&s, 0xAA, sizeof(s));
	EXPECT(gamp_stats(&s, sizeof(s)) == 0);
	return s;
}

static struct gamp_states states(void)
{
	struct gamp_states s;

	memset(&s, 0xAA, sizeof(s));
	EXPECT(gamp_stats_states(&s, sizeof(s)) == 0);
	return s;
}

static int64_t alive(const struct gamp_states *s)
{
	return s->running + s->runnable + s->blocking + s->detached +
	    s->parked;
}

static int reason(const char *name)
{
	for (int i = 0; i < GAMP_STATS_REASONS; i++) {
		const char *s = gamp_stats_reason(i);

		if (s && strcmp(s, name) == 0)
			return i;
	}
	EXPECT(name == NULL); /* there is none of that name */
	return 0;
}

static void bad_calls_are_answered(void **state)
{
	struct gamp_statistics s;
	struct gamp_states st;

	(void)state;
	assert_int_equal(gamp_stats(&s, sizeof(s)), -ESRCH);
	assert_int_equal(gamp_stats_states(&st, sizeof(st)), -ESRCH);
	assert_int_equal(gamp_stats(NULL, sizeof(s)), -EINVAL);
	assert_int_equal(gamp_stats_states(NULL, sizeof(st)), -EINVAL);
	assert_null(gamp_stats_reason(-1));
	assert_null(gamp_stats_reason(GAMP_STATS_REASONS));
	memset(&s, 0, sizeof(s));
	assert_int_equal(gamp_stats_latency(&s, 0.5), 0);
	assert_int_equal(gamp_stats_latency(&s, -0.1), -EINVAL);
	assert_int_equal(gamp_stats_latency(&s, 1.1), -EINVAL);
	assert_int_equal(gamp_stats_latency(&s, 0.0 / 0.0), -EINVAL);
}

static void sizes_main(void *arg)
{
	struct {
		struct gamp_statistics s;
		char more[64];
	} longer;
	struct gamp_statistics s;

	(void)arg;
	memset(&longer, 0xAA, sizeof(longer));
	EXPECT(gamp_stats(&longer.s, sizeof(longer)) == 0);
	EXPECT(longer.s.goroutines == 1);
	for (size_t i = 0; i < sizeof(longer.more); i++)
		EXPECT(longer.more[i] == 0);
	memset(&s, 0xAA, sizeof(s));
	EXPECT(gamp_stats(&s, sizeof(s.goroutines)) == 0);
	EXPECT(s.goroutines == 1);
	EXPECT(s.runnable == (int64_t)0xAAAAAAAAAAAAAAAA);
}

static void an_older_or_newer_struct_gets_what_it_knows(void **state)
{
	(void)state;
	run(sizes_main, 2);
}

static void add_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&count, 1);
}

/* Switches are counted in portions, for each P. */
#define LATE (4 * CLOCK_TICK)

static void spawn_main(void *arg)
{
	struct gamp_statistics a = now(), b;

	(void)arg;
	for (int i = 0; i < MANY; i++)
		EXPECT(gamp_go(add_one, NULL) > 0);
	wait_for(MANY);
	do { /* the last one has counted, and may not have exited */
		b = now();
		gamp_yield();
	} while (b.goroutines > 1);
	EXPECT(b.spawned - a.spawned == MANY);
	EXPECT(b.exited - a.exited == MANY);
	EXPECT(b.switches - a.switches + LATE >= MANY);
	EXPECT(b.goroutines == 1);
	EXPECT(b.stacks >= b.stacks_free && b.stacks_free > 0);
	EXPECT(b.stacks_released >= 0 && b.stacks_unguarded >= 0);
	EXPECT(b.stack_reserved >= b.stacks * 65536);
	EXPECT(b.stack_touched >= (b.stacks - b.stacks_released) * 4096);
}

/* Rings hold 256: more at once spill, unless somebody takes our P. */
static void spill_main(void *arg)
{
	(void)arg;
	for (int n = MANY; now().spills == 0; n += MANY) {
		for (int i = 0; i < MANY; i++)
			EXPECT(gamp_go(add_one, NULL) > 0);
		wait_for(n);
	}
}

static void what_a_ring_does_not_hold_spills(void **state)
{
	(void)state;
	run(spill_main, 1);
}

static void starts_and_exits_add_up(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 4; procs += 3)
		run(spawn_main, procs);
}

static void yielder(void *arg)
{
	for (int i = 0; i < MANY; i++)
		gamp_yield();
	add_one(arg);
}

static void yields_main(void *arg)
{
	struct gamp_statistics a = now(), b;

	EXPECT(gamp_go(yielder, NULL) > 0);
	yielder(arg);
	wait_for(2);
	b = now();
	EXPECT(b.switches - a.switches + LATE >= 2 * MANY);
	EXPECT(b.switches - a.switches < 3 * MANY);
}

static void every_switch_is_counted_once(void **state)
{
	(void)state;
	/* Nobody takes our P: alone, who yields goes on without a switch. */
	run_with(yields_main, (struct gamp_options){ .seed = 7 });
}

static struct gamp_chan *ch;
static struct gamp_mutex mu;

static void sleeper(void *arg)
{
	(void)arg;
	EXPECT(gamp_sleep(GAMP_FOREVER) == -ECANCELED);
}

static void receiver(void *arg)
{
	int v;

	(void)arg;
	EXPECT(gamp_chan_recv(ch, &v) == -ECANCELED);
}

static void locker(void *arg)
{
	(void)arg;
	EXPECT(gamp_mutex_lock(&mu) == 0);
	EXPECT(gamp_mutex_unlock(&mu) == 0);
	add_one(NULL);
}

static void states_main(void *arg)
{
	struct gamp_states s;

	(void)arg;
	ch = gamp_chan_new(sizeof(int), 0);
	EXPECT(gamp_mutex_lock(&mu) == 0);
	for (int i = 0; i < 30; i++)
		EXPECT(gamp_go(i < 5 ? sleeper : i < 15 ? receiver : locker,
			   NULL) > 0);
	do { /* the test has a limit of its own */
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
		s = states();
	} while (s.parked < 30);
	EXPECT(s.parked == 30);
	EXPECT(s.parked_by[reason("sleep")] == 5);
	EXPECT(s.parked_by[reason("receive")] == 10);
	EXPECT(s.parked_by[reason("mutex")] == 15);
	/* We may have lost our P. */
	EXPECT(s.running + s.detached == 1 && s.runnable == 0);
	EXPECT(s.blocking == 0);
	EXPECT(alive(&s) == 31 && now().goroutines == 31);
	EXPECT(now().timers >= 5);
	EXPECT(gamp_mutex_unlock(&mu) == 0);
	wait_for(15);
}

static void the_parked_are_counted_by_their_reasons(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 4; procs += 3) {
		memset(&mu, 0, sizeof(mu));
		run(states_main, procs);
		assert_int_equal(gamp_chan_free(ch), 0);
	}
}

static void blocker(void *arg)
{
	gamp_enter_blocking();
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	gamp_leave_blocking();
	add_one(NULL);
}

static void blocking_main(void *arg)
{
	pthread_barrier_t b;
	struct gamp_states s;

	(void)arg;
	pthread_barrier_init(&b, NULL, 2);
	EXPECT(gamp_go(blocker, &b) > 0);
	gamp_enter_blocking();
	pthread_barrier_wait(&b);
	gamp_leave_blocking();
	s = states();
	EXPECT(s.blocking == 1 && s.running + s.detached == 1);
	EXPECT(alive(&s) == 2);
	EXPECT(now().detached_announced >= 1);
	EXPECT(now().threads >= 2 && now().threads_peak >= 2);
	EXPECT(now().threads_started >= 2 && now().wakeups + 1 > 0);
	gamp_enter_blocking();
	pthread_barrier_wait(&b);
	gamp_leave_blocking();
	wait_for(1);
	s = states();
	EXPECT(s.blocking == 0);
	pthread_barrier_destroy(&b);
}

static void who_blocks_its_thread_is_seen(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		run(blocking_main, 1);
}

static void short_sleeper(void *arg)
{
	EXPECT(gamp_sleep(1000) == 0);
	add_one(arg);
}

static void timers_main(void *arg)
{
	struct gamp_statistics a = now();

	(void)arg;
	for (int i = 0; i < 100; i++)
		EXPECT(gamp_go(short_sleeper, NULL) > 0);
	wait_for(100);
	AWAIT(now().timers_fired - a.timers_fired >= 100);
	AWAIT(now().polls > 0);
}

static void timers_that_fire_are_counted(void **state)
{
	(void)state;
	run(timers_main, 2);
}

/* Does not give its P back: only thieves get at what it has started. */
static void hog_main(void *arg)
{
	uint64_t steals = 0;

	(void)arg;
	/* Again if it has lost its P, with all that was there, or was late and
	 * asked to let them run. */
	for (int n = 0; steals == 0 && n < 3 * MANY; n += 3) {
		for (int i = 0; i < 3; i++) /* the last is in runnext */
			EXPECT(gamp_go(add_one, NULL) > 0);
		while (atomic_load(&count) < n + 2)
			;
		steals = now().steals;
	}
	EXPECT(steals > 0);
	AWAIT(now().stolen >= steals);
}

static void steals_are_counted(void **state)
{
	(void)state;
	run(hog_main, 2);
}

static void buckets_meet_at_their_bounds(void **state)
{
	(void)state;
	assert_int_equal(stats_bucket(-5), 0);
	assert_int_equal(stats_bucket(0), 0);
	assert_int_equal(stats_bucket_from(0), 0);
	assert_int_equal(stats_bucket_from(1), 64);
	for (int i = 1; i < STATS_BUCKETS; i++) {
		int64_t from = stats_bucket_from(i);

		assert_int_equal(
		    from, (int64_t)(4 + (i - 1) % 4) << (4 + (i - 1) / 4));
		assert_int_equal(stats_bucket(from), i);
		assert_int_equal(stats_bucket(from - 1), i - 1);
	}
	assert_int_equal(stats_bucket(INT64_MAX), STATS_BUCKETS - 1);
}

static void quantiles_lie_where_they_must(void **state)
{
	struct gamp_statistics s;

	(void)state;
	memset(&s, 0, sizeof(s));
	s.latency[stats_bucket(1000)] = 99; /* 896 to 1024 */
	s.latency[stats_bucket(1000000)] = 1;
	assert_in_range(gamp_stats_latency(&s, 0), 896, 897);
	assert_in_range(gamp_stats_latency(&s, 0.5), 955, 965);
	assert_in_range(gamp_stats_latency(&s, 0.99), 1020, 1024);
	assert_in_range(gamp_stats_latency(&s, 0.999), 917504, 1048576);
	assert_in_range(gamp_stats_latency(&s, 1), 917504, 1048576);
}

/* Goroutines of two kinds come in turns, in a pattern of so many: each kind
 * must get the weight that it has. */
static void samples_with(uint32_t pattern)
{
	struct m *mp = calloc(1, sizeof(*mp) + RT_LINE);
	double seen[2] = { 0 }, all = 1e6 * pattern; /* 240 of each kind */
	struct g g = { .weight = 0 };

	mp->sample = 1;
	rng_seed(&mp->rng, 4711 + pattern);
	for (uint32_t i = 0; i < (uint32_t)all; i++) {
		if (--mp->sample > 0)
			continue;
		stats_sample(mp, &g);
		seen[i % pattern == 0] += 1u << g.weight;
	}
	assert_true(mp->sample_shift > 2); /* it is that fast */
	assert_true(seen[0] + seen[1] > 0.8 * all);
	assert_true(seen[0] + seen[1] < 1.25 * all);
	assert_true(seen[1] * pattern > 0.6 * all);
	assert_true(seen[1] * pattern < 1.6 * all);
	free(mp);
}

static void no_pattern_falls_in_step_with_the_samples(void **state)
{
	static const uint32_t patterns[] = { 2, 3, 16 };

	(void)state;
	for (size_t i = 0; i < LEN(patterns); i++)
		samples_with(patterns[i]);
}

static void echo(void *arg)
{
	int v = 0;

	(void)arg;
	while (gamp_chan_recv(ch, &v) == 0 && v >= 0)
		;
	add_one(NULL);
}

static uint64_t measured(const struct gamp_statistics *s)
{
	uint64_t n = 0;

	for (int i = 0; i < GAMP_STATS_BUCKETS; i++)
		n += s->latency[i];
	return n;
}

static void latency_main(void *arg)
{
	struct gamp_statistics a = now(), b;
	int end = -1;

	(void)arg;
	ch = gamp_chan_new(sizeof(int), 0);
	EXPECT(gamp_go(echo, NULL) > 0);
	for (int i = 0; i < 20 * MANY; i++)
		EXPECT(gamp_chan_send(ch, &i) == 0);
	EXPECT(gamp_chan_send(ch, &end) == 0);
	wait_for(1);
	b = now();
	EXPECT(gamp_chan_free(ch) == 0);
	/* A switch for each, but for yields; an estimate, so be generous. */
	EXPECT(measured(&b) - measured(&a) > 2 * MANY);
	EXPECT(measured(&b) - measured(&a) < 200 * MANY);
	EXPECT(gamp_stats_latency(&b, 0.5) > 0);
	EXPECT(gamp_stats_latency(&b, 0.5) <= gamp_stats_latency(&b, 0.99));
	EXPECT(gamp_stats_latency(&b, 1) < 60 * GAMP_SECOND);
}

static void waits_to_run_are_measured(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 4; procs += 3)
		run(latency_main, procs);
}

static atomic_bool over;

static void *look(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		struct gamp_statistics s;
		struct gamp_states st;

		if (gamp_stats(&s, sizeof(s)) == 0)
			EXPECT(s.spawned >= s.exited && s.goroutines >= 0);
		if (gamp_stats_states(&st, sizeof(st)) == 0)
			EXPECT(alive(&st) >= 0);
		atomic_fetch_add(&count, 1);
	}
	return NULL;
}

static void busy_main(void *arg)
{
	int before = atomic_load(&count);

	(void)arg;
	while (atomic_load(&count) < before + 20) {
		struct gamp_waitgroup wg = { 0 };

		for (int i = 0; i < 50; i++)
			EXPECT(gamp_waitgroup_go(&wg, yielder, NULL) > 0);
		EXPECT(gamp_waitgroup_wait(&wg) == 0);
	}
}

static void any_thread_may_look_at_any_time(void **state)
{
	struct gamp_options o = { .maxprocs = 4 };
	pthread_t t[2];

	(void)state;
	atomic_store(&over, false);
	atomic_store(&failures, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, look, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(gamp_run(busy_main, NULL, &o), 0);
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(atomic_load(&failures), 0);
}

/* Not for ever, which would be a deadlock, and told soon. */
static void idle_main(void *arg)
{
	(void)arg;
	(void)gamp_sleep(3600 * GAMP_SECOND);
}

/* A program that sleeps, with this in its environment; its stderr. */
static pid_t start_idle(const char *debug, FILE **from)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* no reader, no writer */
	pid = fork();
	if (pid == 0) {
		(void)dup2(fds[1], 2);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* we may fail */
		(void)alarm(300);
		(void)setenv("GAMP_DEBUG", debug, 1);
		(void)execl("/proc/self/exe", "test_stats", "idle", NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	*from = fdopen(fds[0], "r");
	return pid;
}

static void schedtrace_prints_lines_even_when_idle(void **state)
{
	char line[4096];
	long long last = 0, ms;
	int lines = 0;
	FILE *f = NULL;
	pid_t pid = start_idle("x=y,schedtrace=20,", &f);

	(void)state;
	while (lines < 5 && fgets(line, sizeof(line), f)) {
		unsigned procs, idle, threads;

		if (sscanf(line,
			"SCHED %lldms: procs=%u idleprocs=%u threads=%u", &ms,
			&procs, &idle, &threads) != 4 ||
		    threads == 0) /* sysmon was there first */
			continue;
		assert_true(procs >= 1 && idle <= procs);
		assert_true(ms > last);
		last = ms;
		/* It may not be asleep yet. */
		lines += strstr(line, "runqueue=0 [0") != NULL;
	}
	assert_int_equal(lines, 5);
	assert_true(last >= 90);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)fclose(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_calls_are_answered),
		TEST(an_older_or_newer_struct_gets_what_it_knows),
		TEST(starts_and_exits_add_up),
		TEST(what_a_ring_does_not_hold_spills),
		TEST(every_switch_is_counted_once),
		TEST(the_parked_are_counted_by_their_reasons),
		TEST(who_blocks_its_thread_is_seen),
		TEST(timers_that_fire_are_counted),
		TEST(steals_are_counted),
		TEST(buckets_meet_at_their_bounds),
		TEST(quantiles_lie_where_they_must),
		TEST(no_pattern_falls_in_step_with_the_samples),
		TEST(waits_to_run_are_measured),
		TEST(any_thread_may_look_at_any_time),
		TEST(schedtrace_prints_lines_even_when_idle),
	};

	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		return gamp_run(idle_main, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
