/* SPDX-License-Identifier: MIT */
/*
 * host_uv.c - scripts in a program whose event loop is libuv's; one thread.
 *
 *	linnet-uv [script.lin]
 *
 * The loop has a timer of its own and a server that says to each connection how
 * often that has ticked.  The script gets the server's address as its argument.
 * Without a file it is the one below, which computes, sleeps, serves itself and
 * asks the server, all at once; the program ends with the script, by 0 if both
 * sides went on.
 */

#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "examples/uv_guest.h"
#include "linnet.h"

enum { TICK_MS = 5, TICKS = 10 };

static const char example[] =
    "turns := 0\n"
    "func spin() { for { turns += 1 } }\n"
    "func serve(l) {\n"
    "	for i := range 3 {\n"
    "		c, err := accept(l)\n"
    "		if err != nil { panic(err) }\n"
    "		write(c, format(\"hello %d\\n\", i))\n"
    "		close(c)\n"
    "	}\n"
    "}\n"
    "func ask(where) {\n"
    "	c, err := dial(where)\n"
    "	if err != nil { panic(err) }\n"
    "	defer close(c)\n"
    "	line, err := readline(c)\n"
    "	if err != nil { panic(err) }\n"
    "	return line\n"
    "}\n"
    "func main() {\n"
    "	l, err := listen(\"127.0.0.1:0\")\n"
    "	if err != nil { panic(err) }\n"
    "	go spin()\n"
    "	go serve(l)\n"
    "	for i := range 3 {\n"
    "		println(ask(args()[0]), ask(addr(l)))\n"
    "		sleep(50)\n"
    "	}\n"
    "	println(\"turned\", turns > 0)\n"
    "}\n";

static uv_loop_t *loop;
static struct uv_guest guest;
static uv_timer_t tick;
static uv_tcp_t server;
static int ticks, said, status = 1;
static struct linnet *machine;

static void on_closed(uv_handle_t *h)
{
	free(h);
}

static void on_written(uv_write_t *req, int r)
{
	(void)r;
	said++;
	uv_close((uv_handle_t *)req->handle, on_closed);
	free(req);
}

static void on_connection(uv_stream_t *s, int r)
{
	static char text[32];
	uv_tcp_t *client = malloc(sizeof(*client));
	uv_write_t *req = malloc(sizeof(*req));
	uv_buf_t buf;

	if (r < 0 || !client || !req)
		errx(1, "a connection failed");
	uv_tcp_init(loop, client);
	if (uv_accept(s, (uv_stream_t *)client) < 0)
		errx(1, "uv_accept failed");
	(void)snprintf(text, sizeof(text), "%d ticks\n", ticks);
	buf = uv_buf_init(text, (unsigned)strlen(text));
	uv_write(req, (uv_stream_t *)client, &buf, 1, on_written);
}

static void end(void)
{
	uv_close((uv_handle_t *)&tick, NULL);
	uv_close((uv_handle_t *)&server, NULL);
	uv_guest_end(&guest);
}

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
	ticks++;
	if (!machine)
		end();
}

/* A goroutine. */
static void script(void *arg)
{
	(void)arg;
	status = linnet_run(machine);
	linnet_close(machine);
	machine = NULL;
}

static void listen_uv(char *where, size_t n)
{
	struct sockaddr_in sa;
	int len = sizeof(sa), r;

	uv_ip4_addr("127.0.0.1", 0, &sa);
	uv_tcp_init(loop, &server);
	r = uv_tcp_bind(&server, (const struct sockaddr *)&sa, 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&server, 128, on_connection);
	if (r < 0)
		errx(1, "listen: %s", uv_strerror(r));
	uv_tcp_getsockname(&server, (struct sockaddr *)&sa, &len);
	(void)snprintf(where, n, "127.0.0.1:%d", ntohs(sa.sin_port));
}

/* What the file has; the program ends if it cannot be read. */
static char *read_file(const char *path, size_t *n)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;

	if (!f || getdelim(&text, n, 0, f) < 0)
		err(1, "%s", path);
	(void)fclose(f);
	*n = strlen(text);
	return text;
}

static void load(const char *path, char *where)
{
	size_t n = sizeof(example) - 1;
	char *text = path ? read_file(path, &n) : NULL;

	machine = linnet_open(NULL);
	if (!machine || linnet_set_args(machine, 1, &where) < 0)
		errx(1, "no memory");
	if (linnet_load(machine, path ? path : "example", text ? text : example,
		n) < 0)
		errx(1, "%s", linnet_error(machine));
	free(text);
}

int main(int argc, char **argv)
{
	char where[32];

	loop = uv_default_loop();
	uv_guest_begin(&guest, loop);
	listen_uv(where, sizeof(where));
	load(argc > 1 ? argv[1] : NULL, where);
	if (gamp_go(script, NULL) < 0)
		errx(1, "no goroutine");
	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
	uv_run(loop, UV_RUN_DEFAULT);
	printf("%d ticks; the server spoke %d times\n", ticks, said);
	if (uv_loop_close(loop) < 0)
		return 1;
	return argc > 1 ? status : status || ticks < TICKS || said < 3;
}
