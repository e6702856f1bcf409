/* SPDX-License-Identifier: MIT */
/*
 * parked.c - many goroutines, each parked where test_gdb.py knows.
 *
 * usage: parked N
 *
 * N goroutines receive from a channel, three calls deep; one sleeps, one is in
 * a blocking call, one belongs to a group, one has just been started.  Then
 * main calls all_are_parked(), where gdb stops, says so, and waits for a
 * signal to die of.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#define APART __attribute__((noinline))

static struct gamp_chan *silent;
static atomic_int begun;
static volatile int sink;
static int count;

APART void all_are_parked(int n);
APART void all_are_parked(int n)
{
	sink = n;
}

static APART void dive(int left)
{
	int v;

	if (left > 1) {
		dive(left - 1);
	} else {
		atomic_fetch_add(&begun, 1);
		(void)gamp_chan_recv(silent, &v);
	}
	sink = left; /* no tail call */
}

static void receiver(void *arg)
{
	(void)arg;
	dive(3);
	sink = 0;
}

static void sleeper(void *arg)
{
	(void)arg;
	atomic_fetch_add(&begun, 1);
	(void)gamp_sleep(3600 * GAMP_SECOND);
	sink = 1;
}

static void blocker(void *arg)
{
	(void)arg;
	atomic_fetch_add(&begun, 1);
	gamp_enter_blocking();
	(void)pause();
	gamp_leave_blocking();
}

static int member(void *arg)
{
	receiver(arg);
	return sink;
}

static APART void start_all(struct gamp_group *group)
{
	struct gamp_go_options named = { .name = "first" };

	for (int i = 0; i < count; i++)
		if (gamp_go_with(i ? NULL : &named, receiver, NULL) < 0)
			abort();
	if (gamp_go(sleeper, NULL) < 0 || gamp_go(blocker, NULL) < 0 ||
	    gamp_group_go(group, member, NULL) < 0)
		abort();
}

/* Until so many wait for that. */
static void wait_for(const char *reason, int n)
{
	struct gamp_states s = { .parked = 0 };
	int i = 0;

	while (strcmp(gamp_stats_reason(i), reason) != 0)
		i++;
	do {
		gamp_yield();
		if (gamp_stats_states(&s, sizeof(s)) < 0)
			abort();
	} while (s.parked_by[i] < n);
}

/* Who has begun has not announced its call yet. */
static void wait_for_blocker(void)
{
	struct gamp_states s = { .parked = 0 };

	do {
		gamp_yield();
		if (gamp_stats_states(&s, sizeof(s)) < 0)
			abort();
	} while (s.blocking == 0);
}

static void run(void *arg)
{
	struct gamp_group group;

	(void)arg;
	silent = gamp_chan_new(sizeof(int), 0);
	if (!silent || gamp_group_init(&group, 0) < 0)
		abort();
	start_all(&group);
	while (atomic_load(&begun) < count + 3)
		gamp_yield();
	wait_for("receive", count + 1);
	wait_for("sleep", 1);
	wait_for_blocker();
	all_are_parked(count);
	(void)puts("parked");
	(void)fflush(stdout);
	(void)gamp_sleep(600 * GAMP_SECOND);
}

int main(int argc, char **argv)
{
	struct gamp_options o = { .maxprocs = 1, .stack_size = 16 << 10 };

	count = argc > 1 ? atoi(argv[1]) : 10;
	return gamp_run(run, NULL, &o) != 0;
}
