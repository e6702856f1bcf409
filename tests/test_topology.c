/* SPDX-License-Identifier: MIT */
/* test_topology.c - who steals from whom first, and who runs where. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "sched/m.h"
#include "sched/quota.h"
#include "sched/sched.h"
#include "sched/topology.h"

#include "tests/test.h"

#define LIMIT (60 * GAMP_SECOND)

static atomic_int failures;

#define EXPECT(c) ((c) ? (void)0 : (void)atomic_fetch_add(&failures, 1))

static struct place places[PROCS_MAX];

/* The table of a made-up machine for n Ps. */
static struct topology *made_up(const char *machine, uint32_t n)
{
	struct cpus none = { 0 };
	struct topology *t;
	uint32_t found;

	assert_int_equal(setenv("HWLOC_SYNTHETIC", machine, 1), 0);
	found = places_load(&none, places, PROCS_MAX);
	(void)unsetenv("HWLOC_SYNTHETIC");
	if (found == 0)
		skip(); /* built or installed without hwloc */
	t = topology_make(places, found, n);
	assert_non_null(t);
	return t;
}

static int by_id(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The levels of P id, each in order: "1 | 2 3 | | 4 5 6 7". */
static void levels_of(const struct topology *t, uint32_t id, char *out)
{
	struct rng rng;
	struct walk w;

	rng_seed(&rng, id + 1);
	walk_start(&w, t, id, t->n, &rng);
	*out = '\0';
	for (uint32_t level = 0; level < LEVELS; level++) {
		int ids[PROCS_MAX], n = 0;

		walk_level(&w, level);
		w.level = LEVELS;
		while ((ids[n] = walk_next(&w)) >= 0)
			n++;
		qsort(ids, (size_t)n, sizeof(*ids), by_id);
		out += sprintf(out, "%s", level > 0 ? "| " : "");
		for (int i = 0; i < n; i++)
			out += sprintf(out, "%d ", ids[i]);
	}
	out[-1] = '\0';
}

static void made_up_machines_have_the_expected_levels(void **state)
{
	static const struct {
		const char *machine;
		uint32_t n, id;
		const char *levels; /* core | cache | node | all */
	} rows[] = {
		/* 2 nodes, 4 caches, SMT */
		{ "numa:2 l3:2 core:2 pu:2", 16, 0,
		    "1 | 2 3 | 4 5 6 7 | 8 9 10 11 12 13 14 15" },
		{ "numa:2 l3:2 core:2 pu:2", 16, 6,
		    "7 | 4 5 | 0 1 2 3 | 8 9 10 11 12 13 14 15" },
		{ "numa:2 l3:2 core:2 pu:2", 16, 15,
		    "14 | 12 13 | 8 9 10 11 | 0 1 2 3 4 5 6 7" },
		{ "pack:2 numa:1 l3:2 core:2 pu:2", 16, 8,
		    "9 | 10 11 | 12 13 14 15 | 0 1 2 3 4 5 6 7" },
		/* Fewer Ps than processors, and more. */
		{ "numa:2 l3:2 core:2 pu:2", 5, 1, "0 | 2 3 | 4 | " },
		{ "numa:2 l3:2 core:2 pu:2", 5, 4, "| | 0 1 2 3 | " },
		{ "numa:2 core:2 pu:1", 10, 1, "5 9 | | 0 4 8 | 2 3 6 7" },
		/* Numbers of threads of a core far apart, as usual. */
		{ "numa:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)", 8, 1,
		    "5 | | 0 4 | 2 3 6 7" },
		/* No SMT; no nodes; nothing shared; one of everything. */
		{ "numa:1 l3:2 core:3 pu:1", 6, 4, "| 3 5 | 0 1 2 | " },
		{ "pack:2 l3:1 core:2 pu:2", 8, 0,
		    "1 | 2 3 | 4 5 6 7 | " },
		{ "core:4 pu:1", 4, 2, "| | 0 1 3 | " },
		{ "pu:4", 4, 2, "| | 0 1 3 | " },
		{ "numa:1 l3:1 core:1 pu:3", 3, 2, "0 1 | | | " },
		/* Caches of two kinds: the largest inside the node. */
		{ "numa:2 l3:1 l2:2 core:2 pu:1", 8, 0,
		    "| 1 2 3 | | 4 5 6 7" },
		{ "l3:1 numa:2 l2:2 core:2 pu:1", 8, 0,
		    "| 1 | 2 3 | 4 5 6 7" },
	};
	char got[PROCS_MAX * 8];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct topology *t = made_up(rows[i].machine, rows[i].n);
		const char *want = rows[i].levels;

		levels_of(t, rows[i].id, got);
		topology_free(t);
		if (strncmp(got, want, strlen(got)) != 0 ||
		    strspn(want + strlen(got), " ") !=
			strlen(want) - strlen(got))
			fail_msg("%s, %u of %u: \"%s\", not \"%s\"",
			    rows[i].machine, rows[i].id, rows[i].n, got,
			    want);
	}
}

static uint32_t level_of(const struct topology *t, uint32_t a, uint32_t b)
{
	const struct topology_p *p = &t->p[t->p[a].at];
	uint32_t at = t->p[b].at, level = 0;

	while (level < LEVEL_ALL &&
	    (at < p->from[level] || at >= p->to[level]))
		level++;
	return level;
}

/* Everybody else exactly once, and nobody after one that is farther. */
static void check_walk(
    const struct topology *t, uint32_t id, uint32_t n, struct rng *rng)
{
	bool seen[PROCS_MAX] = { 0 };
	uint32_t count = 0, level = 0;
	struct walk w;
	int other;

	walk_start(&w, t, id, n, rng);
	while ((other = walk_next(&w)) >= 0) {
		assert_in_range(other, 0, n - 1);
		assert_int_not_equal(other, id);
		assert_false(seen[other]);
		seen[other] = true;
		count++;
		if (!t)
			continue;
		assert_true(level_of(t, id, (uint32_t)other) >= level);
		level = level_of(t, id, (uint32_t)other);
	}
	assert_int_equal(count, n - 1);
}

static void a_walk_visits_all_others_from_near_to_far(void **state)
{
	static const uint32_t procs[] = { 1, 2, 3, 4, 7, 16, 33, 64, 256 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (size_t i = 0; i < LEN(procs); i++) {
		struct topology *t =
		    made_up("pack:2 numa:2 l3:2 core:4 pu:2", procs[i]);

		for (uint32_t id = 0; id < procs[i]; id++)
			for (int k = 0; k < 5; k++)
				check_walk(t, id, procs[i], &rng);
		topology_free(t);
	}
}

static void without_data_all_others_are_as_far(void **state)
{
	static const uint32_t procs[] = { 1, 2, 3, 12, 61, PROCS_MAX };
	struct place none;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	assert_null(topology_make(&none, 0, 4));
	for (size_t i = 0; i < LEN(procs); i++)
		for (uint32_t id = 0; id < procs[i]; id++)
			check_walk(NULL, id, procs[i], &rng);
}

/* Of three equally near ones, each is the first now and then. */
static void inside_a_level_a_walk_starts_anywhere(void **state)
{
	struct topology *t = made_up("numa:4 l3:1 core:4 pu:1", 16);
	int first[16] = { 0 };
	struct rng rng;

	(void)state;
	rng_seed(&rng, 1);
	for (int i = 0; i < 300; i++) {
		struct walk w;

		walk_start(&w, t, 5, 16, &rng);
		first[walk_next(&w)]++;
	}
	topology_free(t);
	assert_true(first[4] > 50 && first[6] > 50 && first[7] > 50);
	assert_int_equal(first[4] + first[6] + first[7], 300);
}

/* This machine's own data, whatever they are: ranks are complete. */
static void this_machine_has_a_place_for_each_processor(void **state)
{
	struct cpus all, one;
	uint32_t n;

	(void)state;
	assert_true(cpus_get(&all));
	n = places_load(&all, places, PROCS_MAX);
	if (n == 0)
		skip();
	assert_int_equal(n, cpus_count(&all));
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(places[i].rank, i);
	cpus_only(&one, cpus_nth(&all, n - 1));
	assert_int_equal(places_load(&one, places, PROCS_MAX), 1);
	assert_int_equal(places_load(&all, places, 1), 1);
}

static bool is_mapped(const char *what)
{
	char line[4096];
	FILE *f = fopen("/proc/self/maps", "r");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, what) != NULL;
	if (f)
		(void)fclose(f);
	return found;
}

static void busy_until_known(void *arg)
{
	int64_t from = gamp_now();

	while (!topology_get(*(uint32_t *)arg) && gamp_now() - from < LIMIT)
		gamp_yield();
	EXPECT(topology_get(*(uint32_t *)arg) != NULL);
}

static void a_busy_runtime_learns_who_is_near(void **state)
{
	struct gamp_options o = { .maxprocs = 8 };
	uint32_t n = 8;

	(void)state;
	topology_free(made_up("pu:1", 1)); /* is it there at all? */
	assert_int_equal(setenv("HWLOC_SYNTHETIC", "l3:2 pu:4", 1), 0);
	atomic_store(&failures, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(gamp_run(busy_until_known, &n, &o), 0);
	(void)unsetenv("HWLOC_SYNTHETIC");
	assert_int_equal(atomic_load(&failures), 0);
	assert_null(topology_get(8));
	assert_false(is_mapped("libhwloc"));
}

/* As the lead's change of maxprocs would: sysmon makes another table. */
static void tables_of_other_numbers_stay_until_nobody_looks(void **state)
{
	struct topology *first;

	(void)state;
	topology_free(made_up("pu:1", 1));
	topology_init();
	assert_int_equal(setenv("HWLOC_SYNTHETIC", "l3:2 pu:4", 1), 0);
	while (!topology_get(4))
		topology_tend(4);
	first = (struct topology *)rt_load_relaxed(&topology_table);
	for (uint32_t n = 5; n < 20; n++) {
		topology_tend(n);
		assert_non_null(topology_get(n));
		assert_null(topology_get(4));
	}
	assert_int_equal(first->n, 4);
	topology_reclaim();
	assert_non_null(topology_get(19));
	assert_null(topology_get(19)->older);
	topology_tend(2); /* who else would one of two steal from */
	assert_null(topology_get(2));
	(void)unsetenv("HWLOC_SYNTHETIC");
	topology_fini();
	assert_null(topology_get(19));
}

static void busy_for_a_while(void *arg)
{
	int64_t from = gamp_now();

	(void)arg;
	while (gamp_now() - from < GAMP_SECOND / 5)
		gamp_yield();
	EXPECT(!is_mapped("libhwloc"));
}

static void two_ps_never_load_it(void **state)
{
	struct gamp_options o = { .maxprocs = 2 };

	(void)state;
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(busy_for_a_while, NULL, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static struct cpus whole;

/* In which P's place am I? */
static void expect_bound(void)
{
	struct cpus now;
	struct p *pp;

	gamp_yield();
	pp = m_p(m_self());
	if (!pp)
		return; /* it was taken, as is sysmon's right */
	EXPECT(cpus_get(&now));
	EXPECT(cpus_count(&now) == 1);
	EXPECT(cpus_next(&now, 0) == cpus_nth(&whole, pp->id));
}

static atomic_int done;

static void be_bound(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++) {
		expect_bound();
		EXPECT(gamp_sleep(i % 5 * GAMP_MICROSECOND) == 0);
		if (i % 10 == 0) {
			gamp_enter_blocking();
			gamp_leave_blocking();
		}
	}
	atomic_fetch_add(&done, 1);
}

static void start_bound(void *arg)
{
	struct cpus now;

	for (int i = 0; i < 20; i++)
		EXPECT(gamp_go(be_bound, arg) > 0);
	while (atomic_load(&done) < 20)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
	topology_unbind();
	topology_unbind();
	EXPECT(cpus_get(&now));
	EXPECT(memcmp(&now, &whole, sizeof(now)) == 0);
}

static void bound_threads_run_on_their_p_s_processor(void **state)
{
	struct gamp_options o = { .bind_threads = true, .maxprocs = 4 };
	struct cpus now;

	(void)state;
	assert_true(cpus_get(&whole));
	for (int i = 0; i < 3; i++) {
		atomic_store(&failures, 0);
		atomic_store(&done, 0);
		assert_int_equal(gamp_run(start_bound, NULL, &o), 0);
		assert_int_equal(atomic_load(&failures), 0);
	}
	assert_true(cpus_get(&now)); /* the starter is not bound */
	assert_memory_equal(&now, &whole, sizeof(now));
}

static void expect_free(void *arg)
{
	struct cpus now;

	(void)arg;
	EXPECT(cpus_get(&now));
	EXPECT(memcmp(&now, &whole, sizeof(now)) == 0);
	topology_unbind();
}

static void threads_are_not_bound_unless_asked(void **state)
{
	(void)state;
	assert_true(cpus_get(&whole));
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(expect_free, NULL, NULL), 0);
	assert_int_equal(atomic_load(&failures), 0);
}

/* ---- apart.h ---------------------------------------------------------- */

static struct gamp_chan *bell;
static atomic_int elsewhere;

static void listen_for(void *arg)
{
	int waker;

	(void)arg;
	while (gamp_chan_recv(bell, &waker) == 0)
		atomic_fetch_add(&elsewhere, sched_getcpu() != waker);
}

/* Threads of ours that may not run everywhere. */
static int restricted(void)
{
	cpu_set_t all, set;
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	EXPECT(d && sched_getaffinity(getpid(), sizeof(all), &all) == 0);
	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.' &&
		    sched_getaffinity(atoi(e->d_name), sizeof(set), &set) ==
			0 &&
		    !CPU_EQUAL(&set, &all);
	if (d)
		(void)closedir(d);
	return n;
}

/* Its waker computes, so whoever is woken for it goes elsewhere. */
static void ring_and_compute(void *arg)
{
	int limit = 2000;

	(void)arg;
	atomic_store(&elsewhere, 0);
	bell = gamp_chan_new(sizeof(int), 0);
	EXPECT(gamp_go(listen_for, NULL) > 0);
	for (int i = 0; i < 200; i++) {
		int64_t t;
		int here;

		EXPECT(gamp_sleep(GAMP_MILLISECOND / 2) == 0);
		t = gamp_now();
		here = sched_getcpu();
		EXPECT(gamp_chan_send(bell, &here) == 0);
		while (gamp_now() - t < 100 * GAMP_MICROSECOND)
			;
	}
	while (restricted() > 0 && --limit > 0)
		EXPECT(gamp_sleep(GAMP_MILLISECOND) == 0);
	EXPECT(limit > 0);
	print_message("ran elsewhere: %d of 200\n", atomic_load(&elsewhere));
	EXPECT(gamp_chan_close(bell) == 0);
}

static void who_was_sent_away_may_run_anywhere_again(void **state)
{
	struct gamp_options o = { .maxprocs = 2 };

	(void)state;
	assert_true(cpus_get(&whole));
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(ring_and_compute, NULL, &o), 0);
	assert_int_equal(atomic_load(&failures), 0);
	gamp_chan_free(bell);
}

static void ask_procs(void *arg)
{
	*(int *)arg = gamp_maxprocs(0);
}

static void *run_on_one(void *arg)
{
	struct cpus one;

	cpus_only(&one, cpus_next(&whole, 0));
	if (cpus_set(&one) == 0)
		(void)gamp_run(ask_procs, arg, NULL);
	return NULL;
}

static void a_starter_with_one_processor_gets_one_p(void **state)
{
	pthread_t t;
	int n = 0;

	(void)state;
	assert_true(cpus_get(&whole));
	assert_int_equal(pthread_create(&t, NULL, run_on_one, &n), 0);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(n, 1);
}

/* What a change of the cpuset does: to all threads of the process. */
static void set_all(const struct cpus *c)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	EXPECT(d != NULL);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			(void)sched_setaffinity(
			    atoi(e->d_name), sizeof(*c), c->set);
	if (d)
		(void)closedir(d);
}

static void expect_default(void *arg)
{
	uint32_t n = *(uint32_t *)arg;
	int64_t from = gamp_now();
	struct cpus one;

	EXPECT(gamp_maxprocs(0) == (int)n);
	cpus_only(&one, cpus_next(&whole, 0));
	set_all(&one);
	while (gamp_maxprocs(0) != 1 && gamp_now() - from < LIMIT)
		gamp_yield();
	EXPECT(gamp_maxprocs(0) == 1);
	set_all(&whole);
	while (gamp_maxprocs(0) != (int)n && gamp_now() - from < 2 * LIMIT)
		gamp_yield();
	EXPECT(gamp_maxprocs(0) == (int)n);
	/* The program knows better, from then on. */
	EXPECT(gamp_maxprocs((int)n) == (int)n);
	EXPECT(!rt_load_relaxed(&sched.follow_quota));
}

static void a_change_of_the_default_is_noticed(void **state)
{
	struct gamp_options given = { .maxprocs = 2 };
	uint32_t n = (uint32_t)quota_procs();

	(void)state;
	assert_true(cpus_get(&whole));
	if (n < 2)
		skip();
	atomic_store(&failures, 0);
	assert_int_equal(gamp_run(expect_default, &n, NULL), 0);
	assert_int_equal(atomic_load(&failures), 0);
	assert_int_equal(gamp_run(busy_for_a_while, NULL, &given), 0);
	assert_false(rt_load_relaxed(&sched.follow_quota));
}

static void put(const char *root, const char *path, const char *text)
{
	char name[300];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *s = name + strlen(root) + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		(void)mkdir(name, 0755);
		*s = '/';
	}
	f = fopen(name, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void nodes_count_if_we_may_run_there(void **state)
{
	char root[] = "/tmp/gamp-nodes-XXXXXX", command[100];
	struct cpus c;

	(void)state;
	assert_non_null(mkdtemp(root));
	assert_true(cpus_parse(&c, "0-3"));
	assert_true(topology_one_node(root, &c)); /* nothing there */
#define NODE "/sys/devices/system/node/"
	put(root, NODE "online", "0\n");
	put(root, NODE "node0/cpulist", "0-1\n");
	assert_true(topology_one_node(root, &c));
	put(root, NODE "online", "0,2-3\n");
	put(root, NODE "node2/cpulist", "2-3\n");
	put(root, NODE "node3/cpulist", "\n"); /* memory only */
	assert_false(topology_one_node(root, &c));
	assert_true(cpus_parse(&c, "2-3"));
	assert_true(topology_one_node(root, &c));
	assert_true(cpus_parse(&c, "1-2"));
	assert_false(topology_one_node(root, &c));
	(void)snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(made_up_machines_have_the_expected_levels),
		TEST(a_walk_visits_all_others_from_near_to_far),
		TEST(without_data_all_others_are_as_far),
		TEST(inside_a_level_a_walk_starts_anywhere),
		TEST(this_machine_has_a_place_for_each_processor),
		TEST(a_busy_runtime_learns_who_is_near),
		TEST(tables_of_other_numbers_stay_until_nobody_looks),
		TEST(two_ps_never_load_it),
		TEST(bound_threads_run_on_their_p_s_processor),
		TEST(threads_are_not_bound_unless_asked),
		TEST(who_was_sent_away_may_run_anywhere_again),
		TEST(a_starter_with_one_processor_gets_one_p),
		TEST(a_change_of_the_default_is_noticed),
		TEST(nodes_count_if_we_may_run_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
