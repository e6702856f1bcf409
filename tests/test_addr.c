/* SPDX-License-Identifier: MIT */
/*
 * test_addr.c - every rule of addr.h, table by table, and inet_pton(3) as the
 * judge of what a literal is.
 *
 * Arguments	[seed]	replays the generated inputs of an earlier run
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "runtime/addr.h"
#include "tests/test.h"

#define PATH_AT offsetof(struct sockaddr_un, sun_path)
#define ROUNDS  200000

/* Interfaces that the machine is unlikely to have. */
#define ODD_DIGITS  0x7ffffff1u /* called "7" */
#define ODD_BRACKET 0x7ffffff2u /* called "a]b" */
#define ODD_GONE    0x7ffffff3u /* none */

static uint64_t seed;

/* In place of libc's: knows the odd ones; the rest is as the system says. */
char *if_indextoname(unsigned int index, char name[IF_NAMESIZE])
{
	struct if_nameindex *all, *i;
	char *found = NULL;

	if (index == ODD_DIGITS)
		return strcpy(name, "7");
	if (index == ODD_BRACKET)
		return strcpy(name, "a]b");
	all = if_nameindex();
	for (i = all; i && i->if_index; i++) {
		if (i->if_index == index)
			found = strcpy(name, i->if_name);
	}
	if_freenameindex(all);
	if (!found)
		errno = ENXIO;
	return found;
}

static uint32_t random32(void)
{
	seed = seed * UINT64_C(6364136223846793005) + 1;
	return (uint32_t)(seed >> 32);
}

static const void *v4_bytes(const struct gamp_addr *a)
{
	return (const char *)&a->sa + offsetof(struct sockaddr_in, sin_addr);
}

static const void *v6_bytes(const struct gamp_addr *a)
{
	return (const char *)&a->sa + offsetof(struct sockaddr_in6, sin6_addr);
}

static uint32_t scope_of(const struct gamp_addr *a)
{
	struct sockaddr_in6 sin6;

	memcpy(&sin6, &a->sa, sizeof(sin6));
	return sin6.sin6_scope_id;
}

static void set_addr(struct gamp_addr *a, const void *sa, size_t len)
{
	memset(a, 0, sizeof(*a));
	memcpy(&a->sa, sa, len);
	a->len = (socklen_t)len;
}

static void the_four_networks_are_known_and_no_other(void **state)
{
	static const struct {
		const char *name;
		int ret, family;
	} rows[] = {
		{ "tcp", 0, AF_UNSPEC },
		{ "tcp4", 0, AF_INET },
		{ "tcp6", 0, AF_INET6 },
		{ "unix", 0, AF_UNIX },
		{ NULL, -EPROTONOSUPPORT, 0 },
		{ "", -EPROTONOSUPPORT, 0 },
		{ "TCP", -EPROTONOSUPPORT, 0 },
		{ "tcp5", -EPROTONOSUPPORT, 0 },
		{ "tcp44", -EPROTONOSUPPORT, 0 },
		{ "tcp ", -EPROTONOSUPPORT, 0 },
		{ "udp", -EPROTONOSUPPORT, 0 },
		{ "unixgram", -EPROTONOSUPPORT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct addr_net net = { -1, -1 };

		assert_int_equal(addr_network(rows[i].name, &net), rows[i].ret);
		if (rows[i].ret)
			continue;
		assert_int_equal(net.family, rows[i].family);
		assert_int_equal(net.socktype, SOCK_STREAM);
	}
}

static void split_finds_host_and_port(void **state)
{
	static const struct {
		const char *text, *host;
		int port;
		bool bracketed;
	} rows[] = {
		{ ":0", "", 0, false },
		{ ":80", "", 80, false },
		{ ":65535", "", 65535, false },
		{ ":00080", "", 80, false },
		{ ":00000000000000000000000080", "", 80, false },
		{ "1.2.3.4:5", "1.2.3.4", 5, false },
		{ "localhost:5", "localhost", 5, false },
		{ "a.example:443", "a.example", 443, false },
		{ "b\xc3\xbc.example:443", "b\xc3\xbc.example", 443, false },
		{ "999.1:1", "999.1", 1, false },
		{ "[::]:0", "::", 0, true },
		{ "[::1]:80", "::1", 80, true },
		{ "[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", 80, true },
		{ "[fe80::1%eth0]:80", "fe80::1%eth0", 80, true },
		{ "[fe80::1%3]:80", "fe80::1%3", 80, true },
		{ "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%"
		  "fifteen.letters]:65535",
		    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%"
		    "fifteen.letters",
		    65535, true },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct addr_hostport hp;

		memset(&hp, 0x55, sizeof(hp));
		assert_int_equal(addr_split(rows[i].text, &hp), 0);
		assert_string_equal(hp.host, rows[i].host);
		assert_int_equal(hp.port, rows[i].port);
		assert_int_equal(hp.bracketed, rows[i].bracketed);
	}
}

/* One to a line they would fill two pages. */
/* clang-format off */
static const char *const malformed[] = {
	/* no port, or no such port */
	"", ":", "host", "1.2.3.4", "host:", "1.2.3.4:", "[::1]", "[::1]:",
	":65536", ":70000", ":4294967376", ":18446744073709551696",
	":99999999999999999999999999", ":-1", ":+1", ":-0", ": 80", ":80 ",
	":8 0", ":\t80", ":80\n", ":0x50", ":80a", ":a", ":http", ":8.0",
	":\xd9\xa1", "host:80:", "host::80", "host:80:90", "[::1]:80:90",
	/* IPv6 without brackets */
	"::", "::1", "::1:80", "fe80::1%eth0:80", "1:2:3:4:5:6:7:8:80",
	"::ffff:1.2.3.4:80",
	/* brackets in the wrong place, or around something else */
	"[", "]", "[]", "[]:80", "[:80", "]:80", "[::1:80", "::1]:80",
	"[::1]80", "[::1] :80", "[::1]x:80", "x[::1]:80", "[[::1]]:80",
	"[::1]]:80", "[::1[]:80", "[1.2.3.4]:80", "[localhost]:80", "[a]:80",
	"[:]:80", "[:::]:80", "[1::2::3]:80", "[12345::]:80", "[g::]:80",
	"[1:2:3:4:5:6:7]:80", "[1:2:3:4:5:6:7:8:9]:80", "[::1.2.3]:80",
	"[::1 ]:80", "[ ::1]:80", "a]:80", "a[:80",
	"[0000:0000:0000:0000:0000:0000:255.255.255.2555]:80", "[::00001]:80",
	"[0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0]:80",
	"[0000:0000:0000:0000:0000:0000:0000:000000000000]:80",
	/* zones in the wrong place, or none */
	"[::1%]:80", "[%eth0]:80", "[%]:80", "[::1%a%b]:80", "[::1%%]:80",
	"[::1%a b]:80", "[::1%a[]:80", "[::1%lo:x]:80", "[1.2.3.4%lo]:80",
	"[::1%sixteen-letters-]:80", "[::1%\n]:80", "1.2.3.4%eth0:80",
	"a%b:80", "%:80", "%lo:80",
	/* what no host has */
	" :80", "a b:80", " a:80", "a :80", "a\t:80", "a\x7f:80", "a\x01:80",
};
/* clang-format on */

static void split_refuses_what_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(malformed); i++) {
		struct addr_hostport hp, before;

		memset(&hp, 0x55, sizeof(hp));
		before = hp;
		if (addr_split(malformed[i], &hp) != -EINVAL)
			fail_msg("accepted: '%s'", malformed[i]);
		assert_memory_equal(&hp, &before, sizeof(hp));
	}
}

static void a_host_has_up_to_255_bytes(void **state)
{
	char text[512];
	struct addr_hostport hp;

	(void)state;
	for (size_t n = 250; n < 500; n++) {
		memset(text, 'a', n);
		strcpy(text + n, ":80");
		assert_int_equal(addr_split(text, &hp), n > 255 ? -EINVAL : 0);
		if (n <= 255)
			assert_int_equal(strlen(hp.host), n);
		text[0] = '[';
		strcpy(text + n, "]:80");
		assert_int_equal(addr_split(text, &hp), -EINVAL);
	}
}

static const struct numeric_row {
	const char *text;
	const char *tcp, *tcp4, *tcp6; /* printed; ! malformed, ? a name */
} numeric[] = {
	{ "1.2.3.4:80", "1.2.3.4:80", "1.2.3.4:80", "!" },
	{ "0.0.0.0:0", "0.0.0.0:0", "0.0.0.0:0", "!" },
	{ "255.255.255.255:65535", "255.255.255.255:65535",
	    "255.255.255.255:65535", "!" },
	{ "[::1]:80", "[::1]:80", "!", "[::1]:80" },
	{ "[::]:80", "[::]:80", "!", "[::]:80" },
	{ "[2001:DB8:0:0::1]:443", "[2001:db8::1]:443", "!",
	    "[2001:db8::1]:443" },
	{ "[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80", "!",
	    "[fe80::1%4294967295]:80" },
	{ "[fe80::1%02147483635]:80", "[fe80::1%2147483635]:80", "!",
	    "[fe80::1%2147483635]:80" },
	/* no such zone */
	{ "[fe80::1%4294967296]:80", "!", "!", "!" },
	{ "[fe80::1%0]:80", "!", "!", "!" },
	{ "[fe80::1%-1]:80", "!", "!", "!" },
	{ "[fe80::1%none-such-if]:80", "!", "!", "!" },
	/* C2: mapped is IPv4, and has no zone */
	{ "[::ffff:1.2.3.4]:80", "1.2.3.4:80", "1.2.3.4:80", "!" },
	{ "[::FFFF:102:304]:80", "1.2.3.4:80", "1.2.3.4:80", "!" },
	{ "[::ffff:1.2.3.4%1]:80", "!", "!", "!" },
	{ "[::1.2.3.4]:80", "[::1.2.3.4]:80", "!", "[::1.2.3.4]:80" },
	/* no host, and localhost */
	{ ":80", "[::]:80", "0.0.0.0:80", "[::]:80" },
	{ ":0", "[::]:0", "0.0.0.0:0", "[::]:0" },
	{ "localhost:80", "127.0.0.1:80", "127.0.0.1:80", "[::1]:80" },
	/* names */
	{ "localhost.:80", "?", "?", "?" },
	{ "LOCALHOST:80", "?", "?", "?" },
	{ "localhos:80", "?", "?", "?" },
	{ "a.example:80", "?", "?", "?" },
	{ "1.2.3.4.example:80", "?", "?", "?" },
	{ "1.2.3.4a:80", "?", "?", "?" },
	{ "db.1:80", "?", "?", "?" },
	{ "b\xc3\xbc.example:443", "?", "?", "?" },
	/* C3: numbers that are no dotted quad */
	{ "1.2.3:80", "!", "!", "!" },
	{ "127.1:80", "!", "!", "!" },
	{ "2130706433:80", "!", "!", "!" },
	{ "0x7f000001:80", "!", "!", "!" },
	{ "0x7f.1:80", "!", "!", "!" },
	{ "0X7F.0.0.1:80", "!", "!", "!" },
	{ "1.2.3.04:80", "!", "!", "!" },
	{ "1.2.3.256:80", "!", "!", "!" },
	{ "1.2.3.4.5:80", "!", "!", "!" },
	{ "1.2.3.4.:80", "!", "!", "!" },
	{ "1..2.3:80", "!", "!", "!" },
	{ ".:80", "!", "!", "!" },
	{ "0:80", "!", "!", "!" },
};

static void check_numeric(
    const char *network, const char *text, const char *want)
{
	struct addr_net net;
	struct addr_hostport hp;
	struct gamp_addr addr, parsed;
	char buf[ADDR_TEXT_MAX];
	int err;

	assert_int_equal(addr_network(network, &net), 0);
	assert_int_equal(addr_split(text, &hp), 0);
	err = addr_numeric(&net, &hp, &addr);
	if (want[0] == '!' || want[0] == '?') {
		if (err != (want[0] == '!' ? -EINVAL : -ENOENT))
			fail_msg("%s %s: %d", network, text, err);
		assert_int_equal(
		    gamp_addr_parse(network, text, &parsed), -EINVAL);
		return;
	}
	if (err)
		fail_msg("%s %s: %d", network, text, err);
	assert_int_equal(
	    gamp_addr_string(&addr, buf, sizeof(buf)), strlen(want));
	assert_string_equal(buf, want);
	assert_int_equal(gamp_addr_port(&addr), hp.port);
	assert_int_equal(gamp_addr_parse(network, text, &parsed), 0);
	assert_memory_equal(&addr, &parsed, sizeof(addr));
	assert_int_equal(gamp_addr_parse(network, buf, &parsed), 0);
	assert_memory_equal(&addr, &parsed, sizeof(addr));
}

static void a_literal_is_what_its_network_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(numeric); i++) {
		const struct numeric_row *r = &numeric[i];

		check_numeric("tcp", r->text, r->tcp);
		check_numeric("tcp4", r->text, r->tcp4);
		check_numeric("tcp6", r->text, r->tcp6);
	}
}

static void parse_refuses_what_split_refuses(void **state)
{
	static const char *const networks[] = { "tcp", "tcp4", "tcp6" };

	(void)state;
	for (size_t i = 0; i < LEN(malformed) * LEN(networks); i++) {
		struct gamp_addr addr, before;

		memset(&addr, 0x55, sizeof(addr));
		before = addr;
		assert_int_equal(gamp_addr_parse(networks[i % LEN(networks)],
				     malformed[i / LEN(networks)], &addr),
		    -EINVAL);
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

static void bytes_are_in_network_order_and_the_rest_is_zero(void **state)
{
	static const uint8_t v4[] = { 1, 2, 3, 4 };
	static const uint8_t v6[16] = { 0xfe, 0x80, [15] = 9 };
	struct gamp_addr a, want;
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };

	(void)state;
	memset(&a, 0x55, sizeof(a));
	sin.sin_port = htons(0x1234);
	memcpy(&sin.sin_addr, v4, sizeof(v4));
	set_addr(&want, &sin, sizeof(sin));
	assert_int_equal(gamp_addr_parse("tcp", "1.2.3.4:4660", &a), 0);
	assert_memory_equal(&a, &want, sizeof(a));

	memset(&a, 0x55, sizeof(a));
	sin6.sin6_port = htons(0x1234);
	sin6.sin6_scope_id = 5;
	memcpy(&sin6.sin6_addr, v6, sizeof(v6));
	set_addr(&want, &sin6, sizeof(sin6));
	assert_int_equal(gamp_addr_parse("tcp", "[fe80::9%5]:4660", &a), 0);
	assert_memory_equal(&a, &want, sizeof(a));
}

static void every_interface_is_a_zone_by_name_and_by_index(void **state)
{
	struct if_nameindex *all = if_nameindex();
	char text[64], want[64], buf[ADDR_TEXT_MAX];
	struct gamp_addr a;

	(void)state;
	if (!all || !all->if_index)
		skip();
	for (struct if_nameindex *i = all; i->if_index; i++) {
		snprintf(want, sizeof(want), "[fe80::1%%%s]:80", i->if_name);
		assert_int_equal(gamp_addr_parse("tcp", want, &a), 0);
		assert_int_equal(scope_of(&a), i->if_index);
		snprintf(text, sizeof(text), "[fe80::1%%%u]:80", i->if_index);
		assert_int_equal(gamp_addr_parse("tcp6", text, &a), 0);
		assert_int_equal(scope_of(&a), i->if_index);
		assert_true(gamp_addr_string(&a, buf, sizeof(buf)) > 0);
		assert_string_equal(buf, want);
	}
	if_freenameindex(all);
}

static void a_zone_whose_name_would_not_parse_prints_as_its_index(void **state)
{
	static const uint32_t odd[] = { ODD_DIGITS, ODD_BRACKET, ODD_GONE };
	char text[64], buf[ADDR_TEXT_MAX];
	struct gamp_addr a;

	(void)state;
	for (size_t i = 0; i < LEN(odd); i++) {
		snprintf(text, sizeof(text), "[fe80::1%%%u]:80", odd[i]);
		assert_int_equal(gamp_addr_parse("tcp", text, &a), 0);
		assert_true(gamp_addr_string(&a, buf, sizeof(buf)) > 0);
		assert_string_equal(buf, text);
	}
}

static void unix_paths_and_abstract_names_have_their_lengths(void **state)
{
	char path[200], buf[ADDR_TEXT_MAX];
	struct gamp_addr a, b;

	(void)state;
	for (size_t i = 0; i < 2 * 120; i++) {
		size_t n = i / 2;
		bool abstract = i % 2;
		bool good = n > 0 && n <= 107;

		memset(path, 'p', sizeof(path));
		path[0] = abstract ? '@' : '/';
		path[n + abstract] = '\0';
		assert_int_equal(addr_unix(path, &a), good ? 0 : -EINVAL);
		assert_int_equal(
		    gamp_addr_parse("unix", path, &b), good ? 0 : -EINVAL);
		if (!good)
			continue;
		assert_memory_equal(&a, &b, sizeof(a));
		assert_int_equal(a.sa.ss_family, AF_UNIX);
		assert_int_equal(a.len, PATH_AT + n + 1);
		assert_int_equal(
		    ((char *)&a.sa)[PATH_AT], abstract ? '\0' : '/');
		assert_int_equal(gamp_addr_port(&a), -EAFNOSUPPORT);
		assert_int_equal(
		    gamp_addr_string(&a, buf, sizeof(buf)), n + abstract);
		assert_string_equal(buf, path);
	}
}

/* As the kernel would give them back; len counts from sun_path. */
static void unix_addresses_of_others_print(void **state)
{
	static const struct {
		const char *path;
		size_t len;
		const char *want;
	} rows[] = {
		{ "", 0, "@" }, /* unnamed */
		{ "", 1, "@" }, /* abstract, and empty */
		{ "\0abc", 4, "@abc" },
		{ "\0a\0b", 4, "@a@b" }, /* as /proc/net/unix */
		{ "\0abc\0\0", 6, "@abc@@" }, { "/tmp/x", 7, "/tmp/x" },
		{ "/tmp/x", 6, "/tmp/x" },        /* no final 0 */
		{ "/tmp/x\0junk", 11, "/tmp/x" }, /* something after it */
		{ "@x", 3, "./@x" },              /* a file, not abstract */
	};
	char sa[sizeof(struct sockaddr_storage)], buf[ADDR_TEXT_MAX];
	struct gamp_addr a;
	sa_family_t af = AF_UNIX;

	(void)state;
	memcpy(sa, &af, sizeof(af));
	for (size_t i = 0; i < LEN(rows); i++) {
		memcpy(sa + PATH_AT, rows[i].path, rows[i].len);
		set_addr(&a, sa, PATH_AT + rows[i].len);
		assert_int_equal(gamp_addr_string(&a, buf, sizeof(buf)),
		    strlen(rows[i].want));
		assert_string_equal(buf, rows[i].want);
	}
	memset(sa + PATH_AT, '@', sizeof(sa) - PATH_AT);
	set_addr(&a, sa, sizeof(sa));
	assert_int_equal(
	    gamp_addr_string(&a, buf, sizeof(buf)), 2 + sizeof(sa) - PATH_AT);
}

static void a_mapped_address_prints_as_ipv4(void **state)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(80),
		.sin6_scope_id = 1 };
	struct gamp_addr a;
	char buf[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(
	    inet_pton(AF_INET6, "::ffff:1.2.3.4", &sin6.sin6_addr), 1);
	set_addr(&a, &sin6, sizeof(sin6));
	assert_int_equal(gamp_addr_string(&a, buf, sizeof(buf)), 10);
	assert_string_equal(buf, "1.2.3.4:80");
	assert_int_equal(gamp_addr_port(&a), 80);
}

static void string_fits_exactly_or_says_enospc(void **state)
{
	static const char *const rows[][2] = {
		{ "tcp", "1.2.3.4:80" },
		{ "tcp", "[fe80::1%2147483635]:80" },
		{ "unix", "/tmp/x" },
		{ "unix", "@x" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t len = strlen(rows[i][1]);
		struct gamp_addr a;
		char buf[64];

		assert_int_equal(
		    gamp_addr_parse(rows[i][0], rows[i][1], &a), 0);
		for (size_t n = 0; n <= len; n++) {
			memset(buf, '#', sizeof(buf));
			assert_int_equal(gamp_addr_string(&a, buf, n), -ENOSPC);
			assert_int_equal(buf[0], '#');
		}
		assert_int_equal(gamp_addr_string(&a, buf, len + 1), len);
		assert_string_equal(buf, rows[i][1]);
		assert_int_equal(buf[len + 1], '#');
	}
}

static void string_and_port_check_family_and_length(void **state)
{
	static const struct {
		int family;
		socklen_t len;
		int ret;
	} rows[] = {
		{ AF_INET, 0, -EAFNOSUPPORT },
		{ AF_INET, 1, -EAFNOSUPPORT },
		{ AF_UNSPEC, 16, -EAFNOSUPPORT },
		{ AF_NETLINK, 16, -EAFNOSUPPORT },
		{ 0xffff, 128, -EAFNOSUPPORT },
		{ AF_INET, 2, -EINVAL },
		{ AF_INET, 15, -EINVAL },
		{ AF_INET6, 16, -EINVAL },
		{ AF_INET6, 27, -EINVAL },
		{ AF_INET6, 129, -EINVAL },
		{ AF_UNIX, 129, -EINVAL },
		{ AF_UNIX, UINT32_MAX, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct gamp_addr a = { .len = rows[i].len };
		char buf[ADDR_TEXT_MAX] = "#";

		a.sa.ss_family = (sa_family_t)rows[i].family;
		assert_int_equal(
		    gamp_addr_string(&a, buf, sizeof(buf)), rows[i].ret);
		assert_string_equal(buf, "#");
		assert_int_equal(gamp_addr_port(&a), rows[i].ret);
	}
}

static void bad_arguments_are_an_error_and_no_crash(void **state)
{
	struct addr_net tcp = { AF_UNSPEC, SOCK_STREAM };
	struct addr_net un = { AF_UNIX, SOCK_STREAM };
	struct addr_hostport hp;
	struct gamp_addr a;
	char buf[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(addr_split(NULL, &hp), -EINVAL);
	assert_int_equal(addr_split(":80", NULL), -EINVAL);
	assert_int_equal(addr_split(":80", &hp), 0);
	assert_int_equal(addr_numeric(NULL, &hp, &a), -EINVAL);
	assert_int_equal(addr_numeric(&tcp, NULL, &a), -EINVAL);
	assert_int_equal(addr_numeric(&tcp, &hp, NULL), -EINVAL);
	assert_int_equal(addr_numeric(&un, &hp, &a), -EINVAL);
	hp.bracketed = true; /* and no literal: split would not have it */
	assert_int_equal(addr_numeric(&tcp, &hp, &a), -EINVAL);
	assert_int_equal(addr_unix(NULL, &a), -EINVAL);
	assert_int_equal(addr_unix("/x", NULL), -EINVAL);
	assert_int_equal(gamp_addr_parse(NULL, ":80", &a), -EPROTONOSUPPORT);
	assert_int_equal(gamp_addr_parse("udp", ":80", &a), -EPROTONOSUPPORT);
	assert_int_equal(gamp_addr_parse("tcp", NULL, &a), -EINVAL);
	assert_int_equal(gamp_addr_parse("tcp", ":80", NULL), -EINVAL);
	assert_int_equal(gamp_addr_parse("unix", NULL, &a), -EINVAL);
	assert_int_equal(gamp_addr_parse("unix", "/x", NULL), -EINVAL);
	assert_int_equal(gamp_addr_port(NULL), -EINVAL);
	assert_int_equal(gamp_addr_string(NULL, buf, sizeof(buf)), -EINVAL);
	assert_int_equal(gamp_addr_parse("tcp", ":80", &a), 0);
	assert_int_equal(gamp_addr_string(&a, NULL, 64), -EINVAL);
	assert_int_equal(gamp_addr_string(NULL, NULL, 0), -EINVAL);
}

static void errno_stays_as_it_was(void **state)
{
	static const char *const texts[] = { "1.2.3.4:80", "[fe80::1%1]:80",
		"[fe80::1%2147483635]:80", "[fe80::1%none-such-if]:80",
		"[::1%4294967296]:1", "0xfffffffffffffffff:80",
		"99999999999999999999:80", "a:99999999999999999999", "x" };

	(void)state;
	for (size_t i = 0; i < LEN(texts); i++) {
		struct gamp_addr a;
		char buf[ADDR_TEXT_MAX];

		errno = 77;
		if (gamp_addr_parse("tcp", texts[i], &a) == 0)
			(void)gamp_addr_string(&a, buf, sizeof(buf));
		assert_int_equal(errno, 77);
	}
}

/* Half of them literals, most of the rest nearly so. */
static void make_literal(char text[64])
{
	static const char alphabet[] = "0123456789abcdefABCDEFx:::...";
	uint8_t ip[16];
	int af = random32() % 2 ? AF_INET : AF_INET6;
	size_t n;

	for (size_t i = 0; i < sizeof(ip); i++)
		ip[i] = random32() % 3 ? (uint8_t)random32() : 0;
	if (random32() % 8 == 0)
		memcpy(ip, &in6addr_any, 10), ip[10] = ip[11] = 0xff;
	inet_ntop(af, ip, text, 64);
	n = strlen(text);
	for (uint32_t edits = random32() % 4; edits > 1; edits--) {
		char c = alphabet[random32() % (sizeof(alphabet) - 1)];
		size_t at = random32() % n;

		if (random32() % 2) {
			text[at] = c;
		} else {
			memmove(text + at + 1, text + at, n + 1 - at);
			text[at] = c;
			n++;
		}
	}
}

static void check_v4(const char *host, int port)
{
	char text[80];
	struct in_addr ip;
	struct gamp_addr a;
	bool literal = inet_pton(AF_INET, host, &ip) == 1;
	int err;

	snprintf(text, sizeof(text), "%s:%d", host, port);
	err = gamp_addr_parse("tcp", text, &a);
	if (err != (literal ? 0 : -EINVAL))
		fail_msg("%s: %d", text, err);
	if (!literal)
		return;
	assert_int_equal(a.sa.ss_family, AF_INET);
	assert_memory_equal(v4_bytes(&a), &ip, sizeof(ip));
	assert_int_equal(gamp_addr_port(&a), port);
	assert_int_equal(gamp_addr_parse("tcp6", text, &a), -EINVAL);
}

static void check_v6(const char *host, int port)
{
	char text[80];
	struct in6_addr ip;
	struct gamp_addr a;
	bool literal = inet_pton(AF_INET6, host, &ip) == 1;
	int err;

	snprintf(text, sizeof(text), "[%s]:%d", host, port);
	err = gamp_addr_parse("tcp", text, &a);
	if (err != (literal ? 0 : -EINVAL))
		fail_msg("%s: %d", text, err);
	if (!literal)
		return;
	assert_int_equal(gamp_addr_port(&a), port);
	if (IN6_IS_ADDR_V4MAPPED(&ip)) {
		assert_int_equal(a.sa.ss_family, AF_INET);
		assert_memory_equal(v4_bytes(&a), &ip.s6_addr[12], 4);
		return;
	}
	assert_int_equal(a.sa.ss_family, AF_INET6);
	assert_memory_equal(v6_bytes(&a), &ip, sizeof(ip));
	assert_int_equal(gamp_addr_parse("tcp4", text, &a), -EINVAL);
}

static void literals_are_what_inet_pton_says(void **state)
{
	char host[64];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		make_literal(host);
		check_v4(host, (int)(random32() % 65536));
		check_v6(host, (int)(random32() % 65536));
	}
}

static void what_prints_parses_back_to_the_same_bytes(void **state)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct gamp_addr a, b;
	char buf[ADDR_TEXT_MAX];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		if (random32() % 2) {
			sin.sin_port = (in_port_t)random32();
			sin.sin_addr.s_addr = random32();
			set_addr(&a, &sin, sizeof(sin));
		} else {
			sin6.sin6_port = (in_port_t)random32();
			for (int k = 0; k < 4; k++)
				sin6.sin6_addr.s6_addr32[k] =
				    random32() % 2 ? random32() : 0;
			sin6.sin6_scope_id =
			    random32() % 64 ? 0 : random32() % 8;
			set_addr(&a, &sin6, sizeof(sin6));
		}
		assert_true(gamp_addr_string(&a, buf, sizeof(buf)) > 0);
		assert_int_equal(gamp_addr_parse("tcp", buf, &b), 0);
		if (memcmp(&a, &b, sizeof(a)) != 0)
			fail_msg("%s", buf);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_four_networks_are_known_and_no_other),
		TEST(split_finds_host_and_port),
		TEST(split_refuses_what_is_malformed),
		TEST(a_host_has_up_to_255_bytes),
		TEST(a_literal_is_what_its_network_says),
		TEST(parse_refuses_what_split_refuses),
		TEST(bytes_are_in_network_order_and_the_rest_is_zero),
		TEST(every_interface_is_a_zone_by_name_and_by_index),
		TEST(a_zone_whose_name_would_not_parse_prints_as_its_index),
		TEST(unix_paths_and_abstract_names_have_their_lengths),
		TEST(unix_addresses_of_others_print),
		TEST(a_mapped_address_prints_as_ipv4),
		TEST(string_fits_exactly_or_says_enospc),
		TEST(string_and_port_check_family_and_length),
		TEST(bad_arguments_are_an_error_and_no_crash),
		TEST(errno_stays_as_it_was),
		TEST(literals_are_what_inet_pton_says),
		TEST(what_prints_parses_back_to_the_same_bytes),
	};

	seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	printf("seed %" PRIu64 "\n", seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
