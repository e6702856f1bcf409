/* SPDX-License-Identifier: MIT */
/*
 * linnet.h - run scripts of the language Linnet inside a program.
 *
 *	struct linnet_options opt = { .memory = 64 << 20 };
 *	struct linnet *m = linnet_open(&opt);
 *	if (linnet_load(m, "a.lin", text, length) == 0)
 *		status = linnet_run(m);
 *	else
 *		fputs(linnet_error(m), stderr);
 *	linnet_close(m);
 *
 * A machine is one script's world: its globals, its heap, its goroutines.
 * Several may exist at once, also in one run of gamp; nothing is shared, but
 * the collector of one stops the goroutines of all for that moment.  Errors are
 * negative errno values.
 */
#ifndef EXAMPLES_LINNET_LINNET_H
#define EXAMPLES_LINNET_LINNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct linnet;

/* Zero means the default everywhere. */
struct linnet_options {
	/* Bytes of the script: its heap, as of the last collection and what
	 * was allocated since, and its goroutines' value stacks; default 1 GiB.
	 * Over it the script has a panic "out of memory". */
	size_t memory;
	/* Goroutines of the script alive at once; default 2,000,000.  Over it
	 * `go` is a panic "too many goroutines". */
	int64_t goroutines;
	/* Calls within calls in one goroutine; default 100,000.  Over it the
	 * script has a panic "stack overflow". */
	uint32_t depth;
	/* Collect after every so many allocations, to find bugs; 0: by need. */
	uint32_t stress;
	/* What the script prints; by default it is written to descriptor 1, and
	 * reports of panics to 2.  Called in a goroutine, several at once;
	 * may park. */
	void (*print)(void *arg, int fd, const char *text, size_t n);
	void *arg;
	/* No network and no input: listen, dial and input are not there. */
	bool closed;
};

struct linnet_stats {
	int64_t collections;
	int64_t live;       /* bytes in use after the last one */
	int64_t allocated;  /* bytes since */
	int64_t goroutines; /* alive */
	int64_t stopped;    /* ns that the world was stopped for, in all */
};

/* Returns null if there is no memory.  Any thread. */
struct linnet *linnet_open(const struct linnet_options *opt);

/*
 * Compiles a source; linnet_run or linnet_eval then runs it.  What was loaded
 * before stays defined.  Needs 64 KiB of stack; does not park; any thread, but
 * one at a time.
 *
 * -EINVAL: it has an error: linnet_error.  -ENOMEM.
 */
int linnet_load(
    struct linnet *m, const char *name, const char *source, size_t n);

/* Why the last linnet_load failed: "name:line:column: message\n". */
const char *linnet_error(const struct linnet *m);

/* What a script's args() returns; -ENOMEM.  Before it runs. */
int linnet_set_args(struct linnet *m, int argc, char *const *argv);

/*
 * Runs what was loaded last, then the script's main(), if it has one; then
 * ends all its goroutines and waits for them.  Parks; a goroutine.
 *
 * Returns the script's status: 0, or what it gave to exit(), or 2 after a panic
 * that nobody recovered.  -ECANCELED: the caller was cancelled, or linnet_stop
 * was called.  Others as gamp_go.
 */
int linnet_run(struct linnet *m);

/*
 * Like linnet_run, but neither calls main() nor ends the goroutines: for a
 * conversation.  When the script has called exit, *over becomes true.
 */
int linnet_eval(struct linnet *m, bool *over);

/* From here on what is loaded is a conversation: an expression alone is
 * printed, and a panic does not end the script. */
void linnet_talk(struct linnet *m);

/* Ends all goroutines of the script, and the present run.  Any thread, while
 * linnet_run or linnet_eval is under way: from when the script's first
 * instruction may have run.  Does not wait. */
void linnet_stop(struct linnet *m);

/* Frees the machine.  After linnet_eval it first ends what runs: then it parks,
 * and needs a goroutine. */
void linnet_close(struct linnet *m);

void linnet_stats(const struct linnet *m, struct linnet_stats *st);

#ifdef __cplusplus
}
#endif

#endif
