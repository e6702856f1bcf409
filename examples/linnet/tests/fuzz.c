/* SPDX-License-Identifier: MIT */
/*
 * fuzz.c - bad scripts do the host no harm.
 *
 *	fuzz seconds seed file ...
 *
 * Takes the files, cuts and pastes pieces of them, bytes and words, and runs
 * what comes of it in a small machine, for some milliseconds each.  A crash, or
 * a machine that does not end, is the failure; the seed and the number of the
 * turn make it again (fuzz seconds seed file ... replays all of them).
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "linnet.h"

enum { SOURCE_MAX = 1 << 14, FILES_MAX = 64 };

#define TURN_TIME (20 * GAMP_MILLISECOND)

static const char *const words[] = { "func", "(", ")", "{", "}", "[", "]",
	":=", "=", "defer ", "go ", "recover()", "panic(", "chan(", "<-",
	"select {", "case ", "default:", "for ", "range ", "if ", "return ",
	"map{", "nil", "0", "-1", "4611686018427387903", "\"\"", "append(",
	"...", ",", "\n", ";", ".x", "[1:2]", "+", "*", "%", "==", "<", "&&",
	"break", "continue", "switch ", "close(", "sleep(1)", "gc()",
	"after(1)", "delete(", "keys(", "sort(", "format(\"%d\", ", "repeat(",
	"array(", "exit(1)" };

static struct {
	char *text[FILES_MAX];
	size_t n[FILES_MAX];
	int count;
	uint64_t random;
	int64_t seconds, turns, loaded, turn_seed;
} fuzz;

static uint64_t next(void)
{
	fuzz.random ^= fuzz.random << 13;
	fuzz.random ^= fuzz.random >> 7;
	fuzz.random ^= fuzz.random << 17;
	return fuzz.random * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static size_t below(size_t n)
{
	return n ? next() % n : 0;
}

static void insert(char *to, size_t *n, size_t at, const char *s, size_t len)
{
	if (*n + len > SOURCE_MAX)
		return;
	memmove(to + at + len, to + at, *n - at);
	memcpy(to + at, s, len);
	*n += len;
}

static void mutate(char *to, size_t *n)
{
	size_t at = below(*n + 1), len = below(40), from;
	const char *word = words[below(sizeof(words) / sizeof(*words))];
	int file = (int)below((size_t)fuzz.count);

	switch (below(5)) {
	case 0:
		insert(to, n, at, word, strlen(word));
		break;
	case 1: /* a piece out */
		len = len > *n - at ? *n - at : len;
		memmove(to + at, to + at + len, *n - at - len);
		*n -= len;
		break;
	case 2:
		from = below(fuzz.n[file]);
		len = len > fuzz.n[file] - from ? fuzz.n[file] - from : len;
		insert(to, n, at, fuzz.text[file] + from, len);
		break;
	case 3:
		if (at < *n)
			to[at] = (char)below(below(4) ? 128 : 256);
		break;
	default: /* a piece of itself */
		from = below(*n);
		len = len > *n - from ? *n - from : len;
		if (*n + len <= SOURCE_MAX) {
			char piece[40];

			memcpy(piece, to + from, len);
			insert(to, n, at, piece, len);
		}
		break;
	}
}

/* A whole line out, or once more, elsewhere: mostly still a script. */
static void mutate_lines(char *to, size_t *n)
{
	size_t from = below(*n + 1), end, at = below(*n + 1);
	char line[200];

	while (from > 0 && to[from - 1] != '\n')
		from--;
	for (end = from; end < *n && to[end] != '\n'; end++)
		;
	if (end == *n || end + 1 - from > sizeof(line))
		return;
	end++;
	memcpy(line, to + from, end - from);
	while (at > 0 && to[at - 1] != '\n')
		at--;
	if (below(3) == 0) {
		memmove(to + from, to + end, *n - end);
		*n -= end - from;
	} else {
		insert(to, n, at, line, end - from);
	}
}

static size_t make(char *to)
{
	int file = (int)below((size_t)fuzz.count);
	size_t n = fuzz.n[file] < SOURCE_MAX ? fuzz.n[file] : SOURCE_MAX;
	size_t changes = 1 + below(4);

	memcpy(to, fuzz.text[file], n);
	while (changes-- > 0)
		if (below(3) == 0)
			mutate(to, &n);
		else
			mutate_lines(to, &n);
	return n;
}

static void drop(void *arg, int fd, const char *text, size_t n)
{
	(void)arg;
	(void)fd;
	(void)text;
	(void)n;
}

static int run(void *arg)
{
	return linnet_run(arg) < 0 ? -ECANCELED : 0;
}

static void turn(const char *source, size_t n)
{
	struct linnet_options opt = { .memory = 2 << 20,
		.goroutines = 40,
		.depth = 300,
		.stress = 1 + (uint32_t)below(30),
		.print = drop,
		.closed = true };
	struct linnet *m = linnet_open(&opt);
	struct gamp_group g;

	if (!m)
		return;
	if (linnet_load(m, "fuzz", source, n) == 0) {
		fuzz.loaded++;
		gamp_group_init(&g, gamp_now() + TURN_TIME);
		(void)gamp_group_go(&g, run, m);
		(void)gamp_group_wait(&g);
	}
	linnet_close(m);
}

static void serve(void *arg)
{
	char *source = malloc(SOURCE_MAX + 1);
	int64_t end = gamp_now() + fuzz.seconds * GAMP_SECOND;

	(void)arg;
	while (source && gamp_now() < end) {
		fuzz.turns++;
		turn(source, make(source));
	}
	free(source);
}

static void read_file(const char *name)
{
	FILE *file = fopen(name, "r");
	char *text = malloc(SOURCE_MAX);

	if (!file || !text || fuzz.count == FILES_MAX) {
		fprintf(stderr, "fuzz: cannot read %s\n", name);
		exit(2);
	}
	fuzz.text[fuzz.count] = text;
	fuzz.n[fuzz.count++] = fread(text, 1, SOURCE_MAX, file);
	fclose(file);
}

int main(int argc, char **argv)
{
	struct gamp_options opt = { .maxprocs = 2, .stack_size = 512 << 10 };
	int err;

	if (argc < 4) {
		fputs("usage: fuzz seconds seed file ...\n", stderr);
		return 2;
	}
	fuzz.seconds = atoll(argv[1]);
	fuzz.random = (uint64_t)atoll(argv[2]) | 1;
	for (int i = 3; i < argc; i++)
		read_file(argv[i]);
	err = gamp_run(serve, NULL, &opt);
	printf("%lld scripts, %lld of them ran: %s\n", (long long)fuzz.turns,
	    (long long)fuzz.loaded, err < 0 ? strerror(-err) : "no harm");
	for (int i = 0; i < fuzz.count; i++)
		free(fuzz.text[i]);
	return err < 0;
}
