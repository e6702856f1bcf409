/* SPDX-License-Identifier: MIT */
/*
 * guest_uv.c - goroutines in a program whose event loop is libuv's; one
 * thread.
 *
 * The glue is uv_guest.c.
 *
 * The program has two servers that send back what arrives, one of goroutines
 * (port 7000), one of libuv (7001), a timer of libuv's, and a goroutine that
 * computes all the time.  With --check each side also connects to the other's
 * server, a hundred times to and fro, and the program ends when both are
 * through: 0 if all went well.
 */

#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "examples/uv_guest.h"

enum { ROUNDS = 100, SLEEPS = 100, TICK_MS = 5 };

static uv_loop_t *loop;
static struct uv_guest guest;

/* What --check looks at.  One thread, so these are plain numbers. */
static int ticks, sleeps, uv_rounds, gamp_rounds;
static uint64_t computed, tick_due, latest_ms;

/* ---- goroutines -------------------------------------------------------- */

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
	gamp_fd fd, listener = *(gamp_fd *)arg;

	while ((fd = gamp_accept(listener)) >= 0)
		if (gamp_go(echo, (void *)(intptr_t)fd) < 0)
			gamp_close(fd);
}

static void compute(void *arg)
{
	(void)arg;
	while (gamp_checkpoint() == 0)
		computed++;
}

static void sleep_often(void *arg)
{
	(void)arg;
	for (; sleeps < SLEEPS; sleeps++)
		if (gamp_sleep(GAMP_MILLISECOND) < 0)
			return;
}

static void ask_uv(void *arg)
{
	gamp_fd fd = gamp_dial("tcp", arg);
	char buf[8] = "goroutin";

	for (; fd > 0 && gamp_rounds < ROUNDS; gamp_rounds++)
		if (gamp_write(fd, buf, sizeof(buf)) < 0 ||
		    gamp_read(fd, buf, sizeof(buf)) <= 0)
			break;
	gamp_close(fd);
}

/* ---- libuv ------------------------------------------------------------- */

struct message {
	uv_write_t req;
	char bytes[];
};

static void on_written(uv_write_t *req, int status)
{
	(void)status;
	free(req->data);
}

static void send_bytes(uv_stream_t *s, const char *bytes, size_t n)
{
	struct message *m = malloc(sizeof(*m) + n);
	uv_buf_t buf;

	if (!m)
		err(1, "malloc");
	memcpy(m->bytes, bytes, n);
	m->req.data = m;
	buf = uv_buf_init(m->bytes, (unsigned)n);
	uv_write(&m->req, s, &buf, 1, on_written);
}

static void give_room(uv_handle_t *h, size_t want, uv_buf_t *buf)
{
	static char room[4096];

	(void)h, (void)want;
	*buf = uv_buf_init(room, sizeof(room));
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static void on_echo(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	if (n > 0)
		send_bytes(s, buf->base, (size_t)n);
	else if (n < 0)
		uv_close((uv_handle_t *)s, free_handle);
}

static void on_connection(uv_stream_t *server, int status)
{
	uv_tcp_t *client = malloc(sizeof(*client));

	if (status < 0 || !client)
		errx(1, "a connection failed");
	uv_tcp_init(loop, client);
	if (uv_accept(server, (uv_stream_t *)client) < 0)
		errx(1, "uv_accept failed");
	uv_read_start((uv_stream_t *)client, give_room, on_echo);
}

static void on_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	if (n < 0)
		errx(1, "the goroutine hung up");
	if (n > 0 && ++uv_rounds < ROUNDS)
		send_bytes(s, buf->base, (size_t)n);
	else if (n > 0)
		uv_close((uv_handle_t *)s, NULL);
}

static void on_connected(uv_connect_t *req, int status)
{
	if (status < 0)
		errx(1, "uv_tcp_connect: %s", uv_strerror(status));
	uv_read_start(req->handle, give_room, on_answer);
	send_bytes(req->handle, "libuv", 5);
}

static uv_timer_t tick;
static uv_tcp_t server, client;
static uv_connect_t connecting;
static gamp_fd listener;
static bool checks;

static void end(void)
{
	uv_close((uv_handle_t *)&tick, NULL);
	uv_close((uv_handle_t *)&server, NULL);
	uv_guest_end(&guest);
}

static void on_tick(uv_timer_t *timer)
{
	uint64_t now = uv_hrtime() / 1000000;

	(void)timer;
	ticks++;
	if (tick_due && now > tick_due + latest_ms)
		latest_ms = now - tick_due;
	tick_due = now + TICK_MS;
	if (checks && sleeps == SLEEPS && uv_rounds == ROUNDS &&
	    gamp_rounds == ROUNDS)
		end();
	else if (!checks && ticks % 200 == 0)
		printf("%d ticks, computed to %llu\n", ticks,
		    (unsigned long long)computed);
}

/* ---- both -------------------------------------------------------------- */

static void listen_uv(int port)
{
	struct sockaddr_in sa;
	int r;

	uv_ip4_addr("127.0.0.1", port, &sa);
	uv_tcp_init(loop, &server);
	r = uv_tcp_bind(&server, (const struct sockaddr *)&sa, 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)&server, 128, on_connection);
	if (r < 0)
		errx(1, "port %d: %s", port, uv_strerror(r));
}

static void connect_both(void)
{
	static char to_uv[32];
	struct sockaddr_in sa;
	struct gamp_addr at;
	int len = sizeof(sa);

	uv_tcp_getsockname(&server, (struct sockaddr *)&sa, &len);
	snprintf(to_uv, sizeof(to_uv), "127.0.0.1:%d", ntohs(sa.sin_port));
	gamp_go(ask_uv, to_uv);
	gamp_go(sleep_often, NULL);
	gamp_local_addr(listener, &at);
	uv_ip4_addr("127.0.0.1", gamp_addr_port(&at), &sa);
	uv_tcp_init(loop, &client);
	uv_tcp_connect(&connecting, &client, (const struct sockaddr *)&sa,
	    on_connected);
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	checks = argc > 1 && strcmp(argv[1], "--check") == 0;
	loop = uv_default_loop();
	uv_guest_begin(&guest, loop);
	listener =
	    gamp_listen("tcp", checks ? "127.0.0.1:0" : "127.0.0.1:7000");
	if (listener < 0)
		errx(1, "gamp_listen: %s", strerror((int)-listener));
	listen_uv(checks ? 0 : 7001);
	gamp_go(serve, &listener);
	gamp_go(compute, NULL);
	if (checks) {
		connect_both();
		alarm(200);
	}
	uv_timer_init(loop, &tick);
	uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
	uv_run(loop, UV_RUN_DEFAULT);
	printf("%d ticks, the latest by %llu ms; %d + %d messages; %d sleeps; "
	       "computed to %llu; %d thread\n",
	    ticks, (unsigned long long)latest_ms, uv_rounds, gamp_rounds,
	    sleeps, (unsigned long long)computed, threads());
	return uv_loop_close(loop) < 0 || threads() != 1 || computed == 0;
}
