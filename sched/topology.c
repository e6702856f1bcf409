/* SPDX-License-Identifier: MIT */
/* topology.c - see topology.h. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/sys.h"
#include "base/vm.h"
#include "sched/m.h"
#include "sched/sched.h"
#include "sched/topology.h"

#define TEXT_SIZE 4096 /* of a list of processors */
#define APART __attribute__((noinline)) /* a set takes 2 KiB of stack */

enum { NONE, LOADING, KNOWN, ABSENT };

static struct {
	rt_a32 state;
	/* Set at start. */
	struct cpus allowed;
	bool have_allowed;
	/* sysmon's. */
	bool started; /* the thread, and it is not joined */
	uint32_t tables;
	pthread_t loader;
	enum { UNKNOWN, ONE_NODE, NODES } nodes;
	/* I4 */
	uint32_t nplaces;
	struct place places[PROCS_MAX];
} topology;

rt_aptr topology_table;

void topology_init(void)
{
	rt_store_relaxed(&topology.state, NONE);
	rt_store_relaxed(&topology_table, 0);
	topology.nodes = UNKNOWN;
	topology.have_allowed = cpus_get(&topology.allowed);
}

const struct cpus *topology_cpus(void)
{
	return topology.have_allowed ? &topology.allowed : NULL;
}

static size_t table_size(uint32_t n)
{
	return sizeof(struct topology) + n * sizeof(struct topology_p);
}

void topology_free(struct topology *t)
{
	if (t)
		vm_free(t, table_size(t->n));
}

static int compare(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int by_nearness(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int r = compare(x->node, y->node);

	r = r ? r : compare(x->cache, y->cache);
	r = r ? r : compare(x->core, y->core);
	return r ? r : compare(x->rank, y->rank);
}

static bool same(const struct place *a, const struct place *b, int level)
{
	return a->node == b->node && (level == LEVEL_NODE ||
	    (a->cache == b->cache && (level == LEVEL_CACHE ||
	    a->core == b->core)));
}

/* Position at begins a group at the levels where the place before it is not
 * near; all of a group get its bounds when it ends. */
static void set_bounds(struct topology *t, const struct place **place)
{
	for (int level = 0; level < LEVEL_ALL; level++) {
		uint32_t from = 0;

		for (uint32_t at = 1; at <= t->n; at++) {
			if (at < t->n &&
			    same(place[at - 1], place[at], level))
				continue;
			for (uint32_t i = from; i < at; i++) {
				t->p[i].from[level] = (uint16_t)from;
				t->p[i].to[level] = (uint16_t)at;
			}
			from = at;
		}
	}
}

struct topology *topology_make(
    struct place *places, uint32_t nplaces, uint32_t n)
{
	const struct place *place[PROCS_MAX];
	struct topology *t;
	uint32_t at = 0;
	void *mem;

	if (nplaces == 0 || vm_alloc(table_size(n), &mem) < 0)
		return NULL;
	t = mem;
	t->n = n;
	qsort(places, nplaces, sizeof(*places), by_nearness);
	for (uint32_t i = 0; i < nplaces; i++)
		for (uint32_t id = places[i].rank; id < n; id += nplaces) {
			place[at] = &places[i];
			t->p[at].id = (uint16_t)id;
			t->p[id].at = (uint16_t)at;
			at++;
		}
	set_bounds(t, place);
	return t;
}

static void *loader_main(void *arg)
{
	(void)arg;
	(void)prctl(PR_SET_NAME, "gamp-topology");
	topology.nplaces =
	    places_load(&topology.allowed, topology.places, PROCS_MAX);
	rt_store_release(
	    &topology.state, topology.nplaces > 0 ? KNOWN : ABSENT); /* T3 */
	return NULL;
}

/* Signals are blocked in sysmon, so they are in this thread. */
static void start_loader(void)
{
	rt_store_relaxed(&topology.state, LOADING);
	topology.started = topology.have_allowed &&
	    pthread_create(&topology.loader, NULL, loader_main, NULL) == 0;
	if (!topology.started)
		rt_store_relaxed(&topology.state, ABSENT);
}

static void join_loader(void)
{
	if (topology.started)
		(void)pthread_join(topology.loader, NULL);
	topology.started = false;
}

static void publish(uint32_t n)
{
	struct topology *t;

	t = topology_make(topology.places, topology.nplaces, n);
	if (!t) /* next time, perhaps */
		return;
	topology.tables++;
	t->older = (struct topology *)rt_load_relaxed(&topology_table);
	rt_store_release(&topology_table, (uintptr_t)t); /* T1 */
}

uint32_t topology_tend(uint32_t n)
{
	bool known = false;

	if (n > 2 && !topology_get(n)) {
		known = rt_load_acquire(&topology.state) == KNOWN; /* T4 */
		if (rt_load_relaxed(&topology.state) == NONE)
			start_loader();
	}
	if (known) {
		join_loader();
		publish(n);
	}
	return topology.tables;
}

void topology_reclaim(void)
{
	struct topology *t = (struct topology *)rt_load_relaxed(
				 &topology_table),
			*old;

	while (t && (old = t->older)) {
		t->older = old->older;
		topology_free(old);
		topology.tables--;
	}
}

void topology_fini(void)
{
	join_loader();
	topology_reclaim();
	topology_free((struct topology *)rt_swap_acqrel(&topology_table, 0));
	rt_store_relaxed(&topology.state, NONE);
	topology.tables = 0;
}

/* A processor may have been taken from us since: then anywhere, until there
 * is another P. */
static APART void move_to(uint32_t id)
{
	struct cpus c;

	cpus_only(&c, cpus_nth(&topology.allowed, id));
	if (cpus_set(&c) < 0)
		(void)cpus_set(&topology.allowed);
}

void topology_bind(struct m *mp)
{
	uint32_t id;

	if (!sched.bind_threads || !topology.have_allowed)
		return;
	id = m_p(mp)->id;
	if (mp->bound != id + 1) {
		mp->bound = id + 1;
		move_to(id);
	}
}

void topology_unbind(void)
{
	struct m *mp = m_self();

	if (!mp || mp->bound == 0)
		return;
	mp->bound = 0;
	(void)cpus_set(&topology.allowed);
}

bool topology_one_node(const char *root, const struct cpus *allowed)
{
	struct cpus nodes, cpus; /* numbers are numbers */
	char text[TEXT_SIZE], name[TEXT_SIZE];
	int found = 0, node = 0;

	(void)snprintf(name, sizeof(name),
	    "%s/sys/devices/system/node/online", root);
	if (sys_read_file(name, text, sizeof(text)) < 0 ||
	    !cpus_parse(&nodes, text) || cpus_count(&nodes) < 2)
		return true;
	for (; (node = cpus_next(&nodes, node)) >= 0; node++) {
		(void)snprintf(name, sizeof(name),
		    "%s/sys/devices/system/node/node%d/cpulist", root, node);
		if (sys_read_file(name, text, sizeof(text)) >= 0 &&
		    cpus_parse(&cpus, text) && cpus_meet(&cpus, allowed))
			found++;
	}
	return found < 2;
}

bool topology_may_touch(void)
{
	if (topology.nodes == UNKNOWN)
		topology.nodes = !topology.have_allowed ||
			topology_one_node("", &topology.allowed) ?
		    ONE_NODE :
		    NODES;
	return topology.nodes == ONE_NODE;
}
