/* SPDX-License-Identifier: MIT */
/*
 * model.h - running a model.
 *
 *	model_x [f|r|b] [size] [seed]
 *
 *	f	full search, every schedule with at most `size` preemptions
 *	r	random search, `size` thousand iterations from `seed` on
 *	b	both (default), with the sizes that the model states
 *	k	full search of what is known to fail (MODEL_KNOWN)
 *
 * MODEL_ONLY=word in the environment: only scenarios with that word.
 *
 * Relacy seeds each random iteration with its number, so what it prints as
 * "iteration" when it fails is the seed: `model_x r 1 <seed>` replays it.
 */
#ifndef RT_TESTS_MODEL_MODEL_H
#define RT_TESTS_MODEL_MODEL_H

#ifndef RT_MODEL
#define RT_MODEL
#endif
#include "tests/model/atomic_relacy.h"

/*
 * What a model may have of its own.  Not in atomic_relacy.h, which mutants.py
 * precompiles for all of them.
 */

/* A locked one, unless a model has the real one: model_membar.h. */
#ifndef RT_MODEL_LOCAL
#define rt_cas_local(p, old, to) rt_model_cas(p, old, to)
inline bool rt_model_cas(rt_a32 *p, uint32_t old, uint32_t to)
{
	return rt_cas_acqrel(p, &old, to);
}
#endif

/* base/membar.h: two fences, unless a model has its own. */
#define RT_BASE_MEMBAR_H
#ifndef RT_MODEL_HEAVY
inline void membar_heavy(void) { rt_fence_seqcst(); }
inline void membar_light(void) { rt_fence_seqcst(); }
#else
void membar_heavy(void);
void membar_light(void);
#endif
inline void membar_init(void) {}
static rt_model_always membar_works;

/* Bits: only scenarios with so many threads are compiled.  It is Relacy that
 * takes long, once for each number, and a mutant needs one of them. */
#ifndef MODEL_THREADS
#define MODEL_THREADS ~0u
#endif

/* As a bound: a failure that waits for its fix; only `k` runs it. */
#define MODEL_KNOWN 1000u

static struct {
	char how = 'b';
	unsigned size = 0, seed = 1;
	unsigned depth = 2000;
	bool ok = true;
} model_args;

static void model_main(int argc, char **argv)
{
	if (argc > 1)
		model_args.how = argv[1][0];
	if (argc > 2)
		model_args.size = (unsigned)atoi(argv[2]);
	if (argc > 3)
		model_args.seed = (unsigned)atoi(argv[3]);
}

/* What Relacy says, kept until it is known to matter.  In a fixed array, for
 * Relacy watches every allocation inside of an iteration. */
struct model_output : std::streambuf {
	static char *text()
	{
		static char t[4 << 20];

		return t;
	}
	model_output() { setp(text(), text() + (4 << 20) - 1); }
	void print()
	{
		/* The value of a byte is a character, perhaps a null. */
		(void)fwrite(text(), 1, (size_t)(pptr() - text()), stdout);
		printf("\n");
	}
};

/* No destructors of globals: their iteration is long over. */
static void model_done(void)
{
	fflush(stdout);
	_exit(0);
}

/*
 * rl::simulate, without the third search, which takes a third of the compile
 * time.  A failure is run again, for its history.
 */
template <class M> static bool model_search(rl::test_params &p, bool full)
{
	static const rl::thread_id_t n = M::params::thread_count;
	rl::test_result_e r = rl::test_result_success;

	for (int again = 0; again < 2; again++) {
		rl::ostringstream state;

		r = full ? rl::run_test<M, rl::context_bound_scheduler<n> >(
			       p, state, again) :
			   rl::run_test<M, rl::random_scheduler<n> >(
			       p, state, again);
		if (r == rl::test_result_success)
			break;
		p.initial_state = state.str();
		p.collect_history = true;
	}
	return r == rl::test_result_success;
}

/* Some seconds for each model. */
static unsigned model_quick(char how, unsigned size, unsigned threads)
{
	unsigned most = threads > 3 ? 1 : 2;

	if (how == 'r')
		return (size + 7) / 8;
	return size > most ? most : size;
}

template <class M>
static void model_run_here(
    const char *what, unsigned bound, unsigned thousands)
{
	const char *only = getenv("MODEL_ONLY");

	for (const char *how = "fr"; *how; how++) {
		unsigned size = *how == 'f' ? bound : thousands;
		rl::test_params p;
		model_output buf;
		std::ostream out(&buf);
		char seed[24];
		struct timespec begin, end;
		double took;
		bool ok;

		if (only && !strstr(what, only))
			continue;
		if (size == MODEL_KNOWN && model_args.how == 'k')
			size = 2;
		else if (size == 0 || size == MODEL_KNOWN ||
		    (model_args.how != 'b' && model_args.how != *how))
			continue;
		if (model_args.size)
			size = model_args.size;
		else if (getenv("MODEL_QUICK")) /* for the test command */
			size = model_quick(*how, size, M::params::thread_count);
		p.execution_depth_limit = model_args.depth;
		p.output_stream = &out;
		p.progress_stream = &out;
		if (*how == 'f') {
			p.search_type = rl::fair_context_bound_scheduler_type;
			p.context_bound = size;
		} else {
			p.search_type = rl::random_scheduler_type;
			p.iteration_count =
			    model_args.seed + (uint64_t)size * 1000;
			snprintf(seed, sizeof(seed), "%u", model_args.seed);
			p.initial_state = seed;
		}
		clock_gettime(CLOCK_MONOTONIC, &begin);
		ok = model_search<M>(p, *how == 'f');
		clock_gettime(CLOCK_MONOTONIC, &end);
		took = (double)(end.tv_sec - begin.tv_sec) +
		    (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
		if (*how == 'f')
			printf("%s: full, %u preemptions: %s, %llu schedules"
			    ", %.1f s\n",
			    what, size, ok ? "ok" : "FAILED",
			    (unsigned long long)p.stop_iteration, took);
		else
			printf("%s: random, seeds %u to %llu: %s, %.1f s\n",
			    what, model_args.seed,
			    (unsigned long long)p.stop_iteration,
			    ok ? "ok" : "FAILED", took);
		if (!ok) {
			buf.print();
			fflush(stdout);
			_exit(1); /* the first failure is enough */
		}
		fflush(stdout);
	}
}

/* bound: preemptions of the full search, 0 for none; thousands: random. */
template <class M>
static void model_run(const char *what, unsigned bound, unsigned thousands)
{
	if constexpr ((MODEL_THREADS >> M::params::thread_count & 1) != 0)
		model_run_here<M>(what, bound, thousands);
}

#endif
