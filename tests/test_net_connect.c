/* SPDX-License-Identifier: MIT */
/* test_net_connect.c - dial and listen, addresses and their names. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gamp/gamp.h>

#include "tests/net_util.h"

static bool has_ipv6(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok =
	    fd >= 0 && bind(fd, (struct sockaddr *)&in6, sizeof(in6)) == 0;

	if (fd >= 0)
		(void)close(fd);
	return ok;
}

static const char *row_network, *row_listen, *row_dial;

static void connect_main(void *arg)
{
	gamp_fd l, a, b;
	struct child *t;
	char to[300];
	struct gamp_addr la;

	(void)arg;
	l = gamp_listen(row_network, row_listen);
	if (!CHECK(l > 0))
		return;
	CHECK_EQ(gamp_local_addr(l, &la), 0);
	(void)snprintf(to, sizeof(to), "%s:%d", row_dial, gamp_addr_port(&la));
	t = start((struct child){ .op = ACCEPT, .fd = l });
	a = gamp_dial(row_network, to);
	if (!CHECK(a > 0))
		return;
	b = finish(t);
	CHECK(b > 0);
	exchange(a, b);
	close_pair(a, b);
	CHECK_EQ(gamp_close(l), 0);
}

static void connect_row(const char *network, const char *on, const char *to)
{
	row_network = network;
	row_listen = on;
	row_dial = to;
	run(connect_main);
}

static void tcp_connects(void **state)
{
	(void)state;
	connect_row("tcp", "127.0.0.1:0", "127.0.0.1");
	connect_row("tcp4", "127.0.0.1:0", "127.0.0.1");
	connect_row("tcp", "127.0.0.2:0", "127.0.0.2");
}

static void tcp6_connects(void **state)
{
	(void)state;
	if (!has_ipv6())
		skip();
	connect_row("tcp", "[::1]:0", "[::1]");
	connect_row("tcp6", "[::1]:0", "[::1]");
	connect_row("tcp6", "localhost:0", "[::1]");
	connect_row("tcp6", ":0", "[::1]");
	connect_row("tcp6", "[::]:0", "localhost");
}

static void wildcards_accept_from_everywhere(void **state)
{
	(void)state;
	connect_row("tcp", ":0", "127.0.0.1");
	connect_row("tcp", ":0", "");
	connect_row("tcp4", ":0", "127.0.0.1");
	connect_row("tcp4", "0.0.0.0:0", "");
	if (has_ipv6())
		connect_row("tcp", ":0", "[::1]");
}

static void localhost_is_a_name_of_ours(void **state)
{
	(void)state;
	connect_row("tcp", "localhost:0", "localhost");
	connect_row("tcp4", "localhost:0", "127.0.0.1");
}

/* A name in /etc/hosts for 127.0.0.1 other than localhost. */
static bool name_from_hosts(char *name)
{
	FILE *f = fopen("/etc/hosts", "re");
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "127.0.0.1 %255s", name) == 1 &&
			strcmp(name, "localhost") != 0;
	if (f)
		(void)fclose(f);
	return found;
}

static void names_go_to_the_resolver(void **state)
{
	char name[256], on[300];

	(void)state;
	if (!name_from_hosts(name))
		skip();
	connect_row("tcp", "127.0.0.1:0", name);
	(void)snprintf(on, sizeof(on), "%s:0", name);
	connect_row("tcp4", on, name);
}

static char unix_path[64];

static void unix_path_main(void *arg)
{
	gamp_fd l, a, b;
	struct stat st;
	struct gamp_addr sa;
	char text[140];

	(void)arg;
	l = gamp_listen("unix", unix_path);
	CHECK(l > 0);
	CHECK_EQ(stat(unix_path, &st), 0);
	CHECK_EQ(gamp_listen("unix", unix_path), -EADDRINUSE);
	CHECK_EQ(stat(unix_path, &st), 0);
	a = gamp_dial("unix", unix_path);
	CHECK(a > 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	exchange(a, b);
	CHECK_EQ(gamp_peer_addr(a, &sa), 0);
	CHECK_EQ(gamp_addr_string(&sa, text, sizeof(text)),
	    (ssize_t)strlen(unix_path));
	CHECK(strcmp(text, unix_path) == 0);
	CHECK_EQ(gamp_addr_port(&sa), -EAFNOSUPPORT);
	CHECK_EQ(gamp_close(l), 0);
	CHECK(stat(unix_path, &st) < 0);
	CHECK_EQ(gamp_dial("unix", unix_path), -ENOENT);
	exchange(a, b); /* what was accepted lives on */
	close_pair(a, b);
	CHECK(gamp_listen("unix", unix_path) > 0); /* left to gamp_stop */
}

static void unix_paths_are_removed_on_close(void **state)
{
	struct stat st;

	(void)state;
	(void)snprintf(unix_path, sizeof(unix_path), "/tmp/gamp-test-%d.sock",
	    (int)getpid());
	(void)unlink(unix_path);
	run(unix_path_main);
	assert_true(stat(unix_path, &st) < 0);
}

static void unix_abstract_main(void *arg)
{
	gamp_fd a, b;

	(void)arg;
	pair_unix(&a, &b);
	exchange(a, b);
	close_pair(a, b);
}

static void unix_abstract_names_connect(void **state)
{
	(void)state;
	run(unix_abstract_main);
}

static void refused_main(void *arg)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	char to[32], path[80];
	int raw = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	/* Ours, so that nobody else listens there meanwhile. */
	CHECK_EQ(bind(raw, (struct sockaddr *)&in, len), 0);
	CHECK_EQ(getsockname(raw, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(to, sizeof(to), "127.0.0.1:%d", ntohs(in.sin_port));
	CHECK_EQ(gamp_dial("tcp", to), -ECONNREFUSED);
	(void)close(raw);
	CHECK_EQ(gamp_dial("unix", "@gamp-nobody-listens"), -ECONNREFUSED);
	CHECK_EQ(gamp_dial("unix", "/nonexistent/socket"), -ENOENT);
	/* A path that is left of a listener that died. */
	(void)snprintf(
	    path, sizeof(path), "/tmp/gamp-dead-%d.sock", (int)getpid());
	(void)unlink(path);
	raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	(void)strcpy(un.sun_path, path);
	CHECK_EQ(bind(raw, (struct sockaddr *)&un, sizeof(un)), 0);
	(void)close(raw);
	CHECK_EQ(gamp_dial("unix", path), -ECONNREFUSED);
	(void)unlink(path);
}

static void dial_is_refused_where_nobody_listens(void **state)
{
	(void)state;
	run(refused_main);
}

static void malformed_main(void *arg)
{
	static const char *const bad[] = { "", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
		"127.0.0.1:+1", "::1:80", "[::1]", "[::1]80", "[::1:80",
		"[127.0.0.1]:80", "1.2.3:80", "1.2.3.256:80", "a b:80",
		"127.0.0.1: 80", "127.0.0.1:80 ", "[::1%nosuchzone]:80" };

	(void)arg;
	for (size_t i = 0; i < LEN(bad); i++) {
		CHECK_EQ(gamp_dial("tcp", bad[i]), -EINVAL);
		CHECK_EQ(gamp_listen("tcp", bad[i]), -EINVAL);
	}
	CHECK_EQ(gamp_dial("tcp", NULL), -EINVAL);
	CHECK_EQ(gamp_listen("tcp", NULL), -EINVAL);
	CHECK_EQ(gamp_dial("udp", "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_listen("", "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_listen(NULL, "127.0.0.1:1"), -EPROTONOSUPPORT);
	CHECK_EQ(gamp_dial("unix", ""), -EINVAL);
	CHECK_EQ(gamp_dial("unix", "@"), -EINVAL);
	memset(in_buf, 'p', 200);
	in_buf[200] = 0;
	CHECK_EQ(gamp_listen("unix", in_buf), -EINVAL);
	CHECK_EQ(gamp_dial("tcp4", "[::1]:80"), -EINVAL);
	CHECK_EQ(gamp_dial("tcp6", "127.0.0.1:80"), -EINVAL);
}

static void malformed_addresses_are_refused(void **state)
{
	(void)state;
	run(malformed_main);
}

static void addresses_main(void *arg)
{
	struct gamp_addr al, ap, bl, bp, back;
	char text[64];
	gamp_fd a, b;
	int n;

	(void)arg;
	pair_tcp(&a, &b);
	CHECK_EQ(gamp_local_addr(a, &al), 0);
	CHECK_EQ(gamp_peer_addr(a, &ap), 0);
	CHECK_EQ(gamp_local_addr(b, &bl), 0);
	CHECK_EQ(gamp_peer_addr(b, &bp), 0);
	CHECK(al.len == bp.len && memcmp(&al.sa, &bp.sa, al.len) == 0);
	CHECK(ap.len == bl.len && memcmp(&ap.sa, &bl.sa, ap.len) == 0);
	n = gamp_addr_string(&ap, text, sizeof(text));
	CHECK(n > 0 && strncmp(text, "127.0.0.1:", 10) == 0);
	CHECK_EQ(atoi(text + 10), gamp_addr_port(&ap));
	CHECK_EQ(gamp_addr_parse("tcp", text, &back), 0);
	CHECK(back.len == ap.len && memcmp(&back.sa, &ap.sa, ap.len) == 0);
	CHECK_EQ(gamp_addr_string(&ap, text, (size_t)n), -ENOSPC);
	CHECK_EQ(gamp_addr_string(&ap, text, (size_t)n + 1), n);
	close_pair(a, b);
	a = gamp_listen("tcp", "127.0.0.1:0");
	CHECK_EQ(gamp_peer_addr(a, &ap), -ENOTCONN);
	CHECK_EQ(gamp_close(a), 0);
	pair_pipe(&a, &b);
	CHECK_EQ(gamp_local_addr(a, &ap), -ENOTSOCK);
	CHECK_EQ(gamp_peer_addr(a, &ap), -ENOTSOCK);
	CHECK_EQ(gamp_shutdown(a, SHUT_RD), -ENOTSOCK);
	close_pair(a, b);
}

static void both_ends_agree_on_their_addresses(void **state)
{
	(void)state;
	run(addresses_main);
}

static void options_main(void *arg)
{
	struct gamp_listen_options share = { .reuse_port = true, .backlog = 3 };
	struct gamp_dial_options from = { .local = "127.0.0.3:0" };
	struct gamp_addr peer;
	gamp_fd l, l2, a, b;
	char to[32], text[64];
	int v;
	socklen_t len = sizeof(v);

	(void)arg;
	l = gamp_listen_with(&share, "tcp", "127.0.0.1:0");
	CHECK(l > 0);
	port_text(to, "127.0.0.1", l);
	CHECK_EQ(gamp_listen("tcp", to), -EADDRINUSE);
	l2 = gamp_listen_with(&share, "tcp", to);
	CHECK(l2 > 0);
	CHECK_EQ(gamp_close(l2), 0);
	a = gamp_dial_with(&from, "tcp", to);
	CHECK(a > 0);
	b = gamp_accept(l);
	CHECK(b > 0);
	CHECK_EQ(gamp_peer_addr(b, &peer), 0);
	CHECK(gamp_addr_string(&peer, text, sizeof(text)) > 0);
	CHECK(strncmp(text, "127.0.0.3:", 10) == 0);
	CHECK_EQ(
	    getsockopt(gamp_sysfd(b), IPPROTO_TCP, TCP_NODELAY, &v, &len), 0);
	CHECK_EQ(v, 1);
	CHECK_EQ(
	    getsockopt(gamp_sysfd(a), SOL_SOCKET, SO_KEEPALIVE, &v, &len), 0);
	CHECK_EQ(v, 1);
	close_pair(a, b);
	from.local = "[::1]:0";
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -EINVAL);
	from = (struct gamp_dial_options){ .deadline = gamp_now() - 1 };
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -ETIMEDOUT);
	from.deadline = -5;
	CHECK_EQ(gamp_dial_with(&from, "tcp", to), -ETIMEDOUT);
	from.deadline = GAMP_FOREVER;
	a = gamp_dial_with(&from, "tcp", to);
	CHECK(a > 0);
	CHECK_EQ(gamp_close(a), 0);
	CHECK_EQ(gamp_close(l), 0);
}

static void options_of_listen_and_dial_hold(void **state)
{
	(void)state;
	run(options_main);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(tcp_connects),
		TEST(tcp6_connects),
		TEST(wildcards_accept_from_everywhere),
		TEST(localhost_is_a_name_of_ours),
		TEST(names_go_to_the_resolver),
		TEST(unix_paths_are_removed_on_close),
		TEST(unix_abstract_names_connect),
		TEST(dial_is_refused_where_nobody_listens),
		TEST(malformed_addresses_are_refused),
		TEST(both_ends_agree_on_their_addresses),
		TEST(options_of_listen_and_dial_hold),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
