/* SPDX-License-Identifier: MIT */
/*
 * run.c - runs shell commands at once and prints what they say, each line
 * with the command's number in front:  run SECONDS COMMAND ...
 */

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <gamp/gamp.h>

static struct {
	struct gamp_group group;
	int argc;
	char **argv;
	int64_t timeout;
	struct gamp_mutex printing;
	int failed;
} all;

static void print_lines(int i, const char *text)
{
	while (text && *text) {
		int n = (int)strcspn(text, "\n");

		printf("%d: %.*s\n", i - 1, n, text);
		text += text[n] ? n + 1 : n;
	}
}

static void report(int i, int r, const struct gamp_output *io)
{
	gamp_mutex_lock(&all.printing);
	print_lines(i, io->out);
	print_lines(i, io->err);
	if (r < 0)
		printf("%d: %s\n", i - 1, strerror(-r));
	else if (WIFSIGNALED(io->status))
		printf("%d: signal %d\n", i - 1, WTERMSIG(io->status));
	else
		printf("%d: status %d\n", i - 1, WEXITSTATUS(io->status));
	all.failed += r < 0 || io->status != 0;
	fflush(stdout);
	gamp_mutex_unlock(&all.printing);
}

static int run(void *arg)
{
	int i = (int)(intptr_t)arg, r;
	char sh[] = "sh", flag[] = "-c";
	char *argv[] = { sh, flag, all.argv[i], NULL };
	/* A group, so that the timeout ends what the shell has started, too. */
	struct gamp_spawn_options opt = { .group = true };
	struct gamp_output io = { .deadline = gamp_now() + all.timeout };

	r = gamp_process_output(&io, &opt, "sh", argv);
	report(i, r, &io);
	free(io.out);
	free(io.err);
	return 0;
}

/* The commands are not in our process group: ^C has to end them. */
static void stop_all(void *arg)
{
	int wanted[] = { SIGINT, SIGTERM };
	gamp_fd signals = gamp_signal_open(wanted, 2);

	(void)arg;
	if (gamp_signal_next(signals) > 0)
		gamp_group_cancel(&all.group);
	gamp_close(signals);
}

static void run_all(void *arg)
{
	int64_t stopper;

	(void)arg;
	gamp_group_init(&all.group, 0);
	stopper = gamp_go(stop_all, NULL);
	for (int i = 2; i < all.argc; i++)
		if (gamp_group_go(&all.group, run, (void *)(intptr_t)i) < 0)
			break;
	gamp_group_wait(&all.group);
	gamp_cancel(stopper);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: run SECONDS COMMAND ...");
	all.argc = argc;
	all.argv = argv;
	all.timeout = (int64_t)(atof(argv[1]) * (double)GAMP_SECOND);
	return gamp_run(run_all, NULL, NULL) < 0 || all.failed > 0;
}
