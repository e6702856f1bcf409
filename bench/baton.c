/* SPDX-License-Identifier: MIT */
/*
 * baton.c - P busy-waiting goroutines really run at once.
 *
 * Answers: do as many goroutines as there are Ps make progress together, when
 * each of them waits for its turn by spinning, without one call of the
 * runtime?  A round is the baton's way through all of them.  In the rows with
 * spawn the other goroutines are new in every round, and the main one spins
 * from the moment it has started them: whatever finds them a thread is not
 * its own P.  Where there are more Ps than processors a spinner calls
 * sched_yield(2) now and then, so that we do not measure time slices.
 * Bar: none but to get there: a watchdog ends the program with status 1 when
 * there was no progress for 30 s.  A test as much as a benchmark.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "bench/bench.h"

#define PATIENCE     30  /* seconds: the host may stall */
#define SPINS        300 /* between calls of sched_yield */
#define ROUNDS_SPAWN 10  /* so many times fewer rounds: each is a wake-up */

static struct {
	const char *name;
	int procs;
	bool crowded; /* more of us than processors */
	int64_t rounds;
	/* Whose turn it is: goes up by one at every hand-over. */
	_Alignas(64) _Atomic int64_t turn;
	_Alignas(64) _Atomic int here; /* started, in this round */
	_Atomic int gone;
} race;

static void *watchdog(void *arg)
{
	int64_t seen = -1;
	int quiet = 0;

	(void)arg;
	for (;;) {
		int64_t turn =
		    atomic_load(&race.turn) + atomic_load(&race.here);
		struct timespec ts = { .tv_nsec = 100000000 };

		quiet = turn == seen ? quiet + 1 : 0;
		seen = turn;
		if (quiet >= PATIENCE * 10)
			bench_fail(
			    "%s: no progress at turn %lld, %d of %d here",
			    race.name, (long long)atomic_load(&race.turn),
			    atomic_load(&race.here), race.procs);
		(void)nanosleep(&ts, NULL);
	}
	return NULL;
}

static void relax(int *spins)
{
	if (race.crowded && ++*spins % SPINS == 0)
		(void)sched_yield();
}

/* Takes the baton at turn `mine` and hands it on. */
static void pass(int64_t mine)
{
	int spins = 0;

	while (atomic_load_explicit(&race.turn, memory_order_acquire) != mine)
		relax(&spins);
	atomic_store_explicit(&race.turn, mine + 1, memory_order_release);
}

static void all_here(int n)
{
	int spins = 0;

	atomic_fetch_add(&race.here, 1);
	while (atomic_load_explicit(&race.here, memory_order_acquire) < n)
		relax(&spins);
}

static void runner(void *arg)
{
	int64_t k = (int64_t)(intptr_t)arg;

	all_here(race.procs);
	for (int64_t r = 0; r < race.rounds; r++)
		pass(r * race.procs + k);
	atomic_fetch_add(&race.gone, 1);
}

static void start(gamp_fn *fn, int64_t from)
{
	for (int64_t k = 1; k < race.procs; k++)
		(void)bench_must(
		    "gamp_go", gamp_go(fn, (void *)(intptr_t)(from + k)));
}

/* The main goroutine is one of the runners, number 0. */
static void same(void *arg)
{
	struct bench *b = arg;

	start(runner, 0);
	all_here(race.procs);
	bench_start(b);
	for (int64_t r = 0; r < race.rounds; r++)
		pass(r * race.procs);
	bench_stop(b);
	while (atomic_load(&race.gone) < race.procs - 1)
		gamp_yield();
}

static void once(void *arg)
{
	all_here(race.procs);
	pass((int64_t)(intptr_t)arg);
	atomic_fetch_add(&race.gone, 1);
}

static void anew(void *arg)
{
	struct bench *b = arg;

	bench_start(b);
	for (int64_t r = 0; r < race.rounds; r++) {
		int spins = 0;

		atomic_store(&race.here, 0);
		atomic_store(&race.gone, 0);
		start(once, r * race.procs);
		all_here(race.procs);
		pass(r * race.procs);
		while (atomic_load(&race.gone) < race.procs - 1)
			relax(&spins);
	}
	bench_stop(b);
}

static void row(int procs, bool spawn, int64_t rounds)
{
	char name[64];
	struct bench b = { .n = (uint64_t)rounds };

	(void)snprintf(name, sizeof(name), "Baton/%s/procs=%d",
	    spawn ? "spawn" : "same", procs);
	if (!bench_wanted(name))
		return;
	race.name = name;
	race.procs = procs;
	race.crowded = procs > sysconf(_SC_NPROCESSORS_ONLN);
	race.rounds = rounds;
	atomic_store(&race.turn, 0);
	atomic_store(&race.here, 0);
	atomic_store(&race.gone, 0);
	bench_runtime(procs, spawn ? anew : same, &b);
	if (atomic_load(&race.turn) != rounds * procs)
		bench_fail("%s: the baton was lost", name);
	bench_print(name, &b);
}

int main(int argc, char **argv)
{
	int64_t rounds = bench_env("BENCH_ROUNDS", 1000000);
	pthread_t thread;

	bench_init(argc, argv);
	(void)bench_must(
	    "pthread_create", -pthread_create(&thread, NULL, watchdog, NULL));
	row(2, false, rounds);
	row(2, true, rounds / ROUNDS_SPAWN);
	row(4, false, rounds / 10);
	row(4, true, rounds / 10 / ROUNDS_SPAWN);
	return 0;
}
