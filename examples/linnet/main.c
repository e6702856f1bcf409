/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program linnet: runs a script, or talks.
 *
 *	linnet [options] [script.lin [argument ...]]
 *
 *	--memory=BYTES		of the script; also 64K, 64M, 1G
 *	--goroutines=N		alive at once
 *	--depth=N		calls within calls
 *	--procs=N		goroutines that run at once
 *	--gc-stress[=N]		collect after every N allocations (100)
 *	--stats			say on standard error what was collected
 *
 * Without a script it reads lines from standard input, runs each, and prints
 * what it is worth.  Status: the script's; 1 if it could not be run; 2 for
 * usage, a panic, or when all goroutines wait for each other.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <gamp/gamp.h>

#include "linnet.h"
#include "repl.h"

struct program {
	struct linnet_options opt;
	const char *script; /* or null */
	int argc;
	char **argv;
	bool stats;
	int status;
};

static _Noreturn void usage(void)
{
	fputs("usage: linnet [--memory=BYTES] [--goroutines=N] [--depth=N]"
	      " [--procs=N]\n              [--gc-stress[=N]] [--stats]"
	      " [script.lin [argument ...]]\n",
	    stderr);
	exit(2);
}

static int64_t number(const char *text)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;
	long long n = strtoll(text, &end, 10);

	if (end == text || n < 0)
		usage();
	if (*end && (unit = strchr(units, *end)) && n < 1 << 30) {
		n <<= 10 * (unit - units + 1);
		end++;
	}
	if (*end)
		usage();
	return n;
}

/* The whole of a file; null: errno says why. */
static char *read_file(const char *name, size_t *n)
{
	FILE *file = fopen(name, "r");
	char *text = NULL, *more;
	size_t cap = 0, got = 1;

	if (!file)
		return NULL;
	for (*n = 0; got > 0; *n += got) {
		if (*n == cap) {
			cap = cap ? cap * 2 : 16384;
			more = realloc(text, cap);
			if (!more)
				break;
			text = more;
		}
		got = fread(text + *n, 1, cap - *n, file);
	}
	if (ferror(file)) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static void report(const struct linnet *m)
{
	struct linnet_stats st;

	linnet_stats(m, &st);
	fprintf(stderr,
	    "linnet: %lld collections, %lld us stopped, %lld bytes live\n",
	    (long long)st.collections, (long long)(st.stopped / 1000),
	    (long long)st.live);
}

static void run_script(struct program *p, struct linnet *m)
{
	size_t n;
	char *text = read_file(p->script, &n);
	int err;

	if (!text) {
		fprintf(stderr, "linnet: %s: %s\n", p->script, strerror(errno));
		return;
	}
	err = linnet_load(m, p->script, text, n);
	free(text);
	if (err < 0) {
		fputs(err == -EINVAL ? linnet_error(m)
				     : "linnet: out of memory\n",
		    stderr);
		return;
	}
	p->status = linnet_run(m);
	if (p->status < 0)
		p->status = 1;
}

static void serve(void *arg)
{
	struct program *p = arg;
	struct linnet *m = linnet_open(&p->opt);

	p->status = 1;
	if (!m || linnet_set_args(m, p->argc, p->argv) < 0)
		fputs("linnet: out of memory\n", stderr);
	else if (p->script)
		run_script(p, m);
	else
		p->status = repl(m);
	if (m && p->stats)
		report(m);
	if (m)
		linnet_close(m);
}

static void raise_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &lim);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "memory", required_argument, NULL, 'm' },
		{ "goroutines", required_argument, NULL, 'g' },
		{ "depth", required_argument, NULL, 'd' },
		{ "procs", required_argument, NULL, 'p' },
		{ "gc-stress", optional_argument, NULL, 's' },
		{ "stats", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	struct gamp_options go = { .quiet = true };
	struct program p = { .status = 1 };
	int c, err;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1)
		switch (c) {
		case 'm':
			p.opt.memory = (size_t)number(optarg);
			break;
		case 'g':
			p.opt.goroutines = number(optarg);
			break;
		case 'd':
			p.opt.depth = (uint32_t)number(optarg);
			break;
		case 'p':
			go.maxprocs = (int)number(optarg);
			break;
		case 's':
			p.opt.stress = optarg ? (uint32_t)number(optarg) : 100;
			break;
		case 't':
			p.stats = true;
			break;
		default:
			usage();
		}
	p.script = argv[optind];
	p.argc = p.script ? argc - optind - 1 : 0;
	p.argv = argv + optind + 1;
	raise_limit();
	err = gamp_run(serve, &p, &go);
	if (err == -EDEADLK) {
		fputs("linnet: all goroutines wait for each other\n", stderr);
		return 2;
	}
	if (err < 0) {
		fprintf(stderr, "linnet: runtime: %s\n", strerror(-err));
		return 1;
	}
	return p.status;
}
