/* SPDX-License-Identifier: MIT */
/* echo.c - sends back whatever arrives; one goroutine a connection. */

#include <err.h>
#include <stdio.h>
#include <string.h>

#include <gamp/gamp.h>

static void echo(void *arg)
{
	gamp_fd fd = (intptr_t)arg;
	char buf[4096];
	ssize_t n;

	while ((n = gamp_read(fd, buf, sizeof(buf))) > 0)
		if (gamp_write(fd, buf, (size_t)n) < 0)
			break;
	gamp_close(fd);
}

static void serve(void *arg)
{
	const char *want = arg;
	struct gamp_addr addr;
	char text[128];
	gamp_fd fd, listener = gamp_listen("tcp", want);

	if (listener < 0)
		errx(1, "%s: %s", want, strerror((int)-listener));
	gamp_local_addr(listener, &addr);
	gamp_addr_string(&addr, text, sizeof(text));
	printf("listening on %s\n", text);
	fflush(stdout);
	while ((fd = gamp_accept(listener)) >= 0)
		if (gamp_go(echo, (void *)(intptr_t)fd) < 0)
			gamp_close(fd);
}

int main(int argc, char **argv)
{
	char here[] = "127.0.0.1:7000";

	return gamp_run(serve, argc > 1 ? argv[1] : here, NULL) < 0;
}
