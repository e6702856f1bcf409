/* SPDX-License-Identifier: MIT */
/*
 * repl.c - see repl.h.
 *
 * What is not complete, because a bracket is open, goes on with the next line.
 * Goroutines that a line has started run on while the next one is awaited.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "lex.h"
#include "repl.h"

struct input {
	char *text;
	size_t n, cap;
	bool prompts;
};

/* Adds a line; false at the end of the input. */
static bool add_line(struct input *in)
{
	char *line = NULL, *to;
	size_t cap = 0;
	ssize_t n;

	if (in->prompts) {
		fputs(in->n ? ".. " : "> ", stdout);
		fflush(stdout);
	}
	gamp_enter_blocking();
	n = getline(&line, &cap, stdin);
	gamp_leave_blocking();
	if (n > 0 && (to = realloc(in->text, in->n + (size_t)n))) {
		in->text = to;
		memcpy(in->text + in->n, line, (size_t)n);
		in->n += (size_t)n;
	} else {
		n = -1;
	}
	free(line);
	return n > 0;
}

/* Is every bracket closed? */
static bool is_complete(const struct input *in)
{
	struct lex lx;
	int open = 0;

	lex_init(&lx, in->text, in->n);
	do {
		lex_next(&lx);
		if (lx.tok == T_LPAREN || lx.tok == T_LBRACK ||
		    lx.tok == T_LBRACE)
			open++;
		if (lx.tok == T_RPAREN || lx.tok == T_RBRACK ||
		    lx.tok == T_RBRACE)
			open--;
	} while (lx.tok != T_EOF);
	lex_fini(&lx);
	return open <= 0;
}

int repl(struct linnet *m)
{
	struct input in = { .prompts = isatty(0) };
	int status = 0;
	bool over = false;

	linnet_talk(m);
	while (!over && add_line(&in)) {
		if (!is_complete(&in))
			continue;
		if (linnet_load(m, "input", in.text, in.n) < 0)
			fputs(linnet_error(m), stderr);
		else
			status = linnet_eval(m, &over);
		in.n = 0;
	}
	free(in.text);
	return status;
}
