/* SPDX-License-Identifier: MIT */
/*
 * dlopened.c - a program that does not know gamp when it is linked: loads the
 * library (argv[1]), runs goroutines, lets go of it; three times.
 */

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <gamp/gamp.h>

static void *lib;

static void *find(const char *name)
{
	void *p = dlvsym(lib, name, "GAMP_0.1");

	if (!p)
		fprintf(stderr, "%s: %s\n", name, dlerror());
	return p;
}

static int64_t (*gamp_go_)(gamp_fn *, void *);
static int (*gamp_sleep_)(int64_t);
static int (*gamp_checkpoint_)(void);
static int (*gamp_run_)(gamp_fn *, void *, const struct gamp_options *);
static int (*gamp_start_)(const struct gamp_options *);
static int (*gamp_stop_)(int64_t);
static int (*gamp_poll_)(int);

static int ran;

static void child(void *arg)
{
	(void)arg;
	if (gamp_sleep_(1000) == 0)
		__atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void parent(void *arg)
{
	for (int i = 0; i < 10; i++)
		gamp_go_(child, arg);
	while (__atomic_load_n(&ran, __ATOMIC_RELAXED) % 10 != 0 ||
	    __atomic_load_n(&ran, __ATOMIC_RELAXED) == 0)
		gamp_sleep_(100000);
	ran += gamp_checkpoint_() == 0;
}

static int as_guest(void)
{
	const struct gamp_options guest = { .guest = true };
	int before = ran;

	if (gamp_start_(&guest) < 0 || gamp_go_(child, NULL) < 0)
		return -1;
	while (ran == before)
		if (gamp_poll_(0) < 0)
			return -1;
	return gamp_stop_(0);
}

static int once(const char *path)
{
	struct sigaction before[32], after;
	int r;

	for (int s = 1; s < 32; s++)
		(void)sigaction(s, NULL, &before[s]);
	lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		fprintf(stderr, "%s\n", dlerror());
		return -1;
	}
	*(void **)&gamp_go_ = find("gamp_go");
	*(void **)&gamp_sleep_ = find("gamp_sleep");
	*(void **)&gamp_checkpoint_ = find("gamp_checkpoint");
	*(void **)&gamp_run_ = find("gamp_run");
	*(void **)&gamp_start_ = find("gamp_start");
	*(void **)&gamp_stop_ = find("gamp_stop");
	*(void **)&gamp_poll_ = find("gamp_poll");
	if (!gamp_go_ || !gamp_sleep_ || !gamp_checkpoint_ || !gamp_run_ ||
	    !gamp_start_ || !gamp_stop_ || !gamp_poll_)
		return -1;
	ran = 0;
	r = gamp_run_(parent, NULL, NULL);
	if (r < 0 || ran != 11 || as_guest() < 0 || dlclose(lib) != 0)
		return -1;
	for (int s = 1; s < 32; s++) {
		(void)sigaction(s, NULL, &after);
		if (after.sa_handler != before[s].sa_handler)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 0; i < 3; i++)
		if (argc < 2 || once(argv[1]) < 0) {
			fprintf(stderr, "round %d failed, %d ran\n", i, ran);
			return 1;
		}
	return 0;
}
