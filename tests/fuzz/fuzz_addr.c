/* SPDX-License-Identifier: MIT */
/*
 * fuzz_addr.c - addresses from any bytes, with inet_pton(3) as the oracle.
 *
 *	clang-14 -g -O1 -fsanitize=fuzzer,address,undefined \
 *	    -fno-sanitize-recover=all -std=c11 -D_GNU_SOURCE -I. -Iinclude \
 *	    tests/fuzz/fuzz_addr.c runtime/addr.c -o fuzz_addr
 *	./fuzz_addr -max_total_time=60 -max_len=300
 *
 * One input is used four ways: as text for each network, as a host to put a
 * port behind, as the inside of brackets, and as the bytes of an address.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "runtime/addr.h"

#define MUST(cond)                                                             \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(                                               \
			    stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                               \
		}                                                              \
	} while (0)

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

enum { TEXT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Interfaces of our own, in place of libc's: the same on every machine, no
 * system call, and names that make trouble.
 */
static const char *const interfaces[] = { NULL, "lo", "eth0", "7", "a]b", "a b",
	"a%b", "wlp0s20f3-12345", "\xc3\xbc" };

unsigned int if_nametoindex(const char *name)
{
	for (unsigned int i = 1; i < 9; i++) {
		if (strcmp(interfaces[i], name) == 0)
			return i;
	}
	errno = ENODEV;
	return 0;
}

char *if_indextoname(unsigned int index, char name[IF_NAMESIZE])
{
	if (index >= 1 && index < 9)
		return strcpy(name, interfaces[index]);
	errno = ENXIO;
	return NULL;
}

/* What prints parses back to the same bytes, and fits no smaller buffer. */
static void round_trip(const char *network, const struct gamp_addr *addr)
{
	struct gamp_addr again;
	char text[ADDR_TEXT_MAX];
	int len = gamp_addr_string(addr, text, sizeof(text));

	MUST(len > 0 && strlen(text) == (size_t)len);
	MUST(gamp_addr_string(addr, text, (size_t)len) == -ENOSPC);
	MUST(gamp_addr_parse(network, text, &again) == 0);
	MUST(memcmp(addr, &again, sizeof(again)) == 0);
}

static void try_text(const char *network, const char *text)
{
	struct addr_net net;
	struct addr_hostport hp;
	struct gamp_addr addr, direct;
	int err = gamp_addr_parse(network, text, &addr);
	int ret;

	MUST(err == 0 || err == -EINVAL);
	if (err == 0)
		round_trip(network, &addr);
	MUST(addr_network(network, &net) == 0);
	if (net.family == AF_UNIX) {
		MUST(
		    (err == 0) == (text[0] && strcmp(text, "@") != 0 &&
				      strlen(text) <= 107u + (text[0] == '@')));
		return;
	}
	ret = addr_split(text, &hp);
	if (ret == 0) {
		MUST(memchr(hp.host, 0, sizeof(hp.host)) != NULL);
		ret = addr_numeric(&net, &hp, &direct);
	}
	if (ret == 0) {
		MUST(memcmp(&addr, &direct, sizeof(addr)) == 0);
		MUST(gamp_addr_port(&addr) == hp.port);
		MUST(
		    net.family == AF_UNSPEC || addr.sa.ss_family == net.family);
	}
	MUST(err == (ret == -ENOENT ? -EINVAL : ret));
}

/* host ":" 80 is IPv4 exactly if inet_pton says so. */
static void try_host(const char *host)
{
	static const struct addr_net tcp = { AF_UNSPEC, SOCK_STREAM };
	char text[TEXT_MAX + 8];
	struct addr_hostport hp;
	struct gamp_addr addr;
	struct sockaddr_in sin;
	struct in_addr ip;
	bool literal = inet_pton(AF_INET, host, &ip) == 1;
	int err;

	if (host[0] == '\0' || host[0] == '[')
		return;
	snprintf(text, sizeof(text), "%s:80", host);
	if (addr_split(text, &hp)) {
		MUST(!literal);
		return;
	}
	MUST(strcmp(hp.host, host) == 0 && hp.port == 80 && !hp.bracketed);
	err = addr_numeric(&tcp, &hp, &addr);
	if (strcmp(host, "localhost") == 0) {
		literal = true;
		ip.s_addr = htonl(INADDR_LOOPBACK);
	}
	MUST(literal == (err == 0));
	if (err)
		return;
	MUST(addr.sa.ss_family == AF_INET);
	memcpy(&sin, &addr.sa, sizeof(sin));
	MUST(memcmp(&sin.sin_addr, &ip, sizeof(ip)) == 0);
}

static void same_v6(const struct gamp_addr *addr, const struct in6_addr *ip)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		MUST(addr->sa.ss_family == AF_INET);
		memcpy(&sin, &addr->sa, sizeof(sin));
		MUST(memcmp(&sin.sin_addr, &ip->s6_addr[12], 4) == 0);
		return;
	}
	MUST(addr->sa.ss_family == AF_INET6);
	memcpy(&sin6, &addr->sa, sizeof(sin6));
	MUST(memcmp(&sin6.sin6_addr, ip, sizeof(*ip)) == 0);
}

/* "[" host "]:80" is IPv6 exactly if inet_pton says so of what precedes the
 * zone; a zone can make it wrong, but never right. */
static void try_brackets(const char *host)
{
	char text[TEXT_MAX + 8], literal[TEXT_MAX];
	size_t n = strcspn(host, "%");
	struct gamp_addr addr;
	struct in6_addr ip;
	bool good;
	int err;

	memcpy(literal, host, n);
	literal[n] = '\0';
	good = inet_pton(AF_INET6, literal, &ip) == 1;
	snprintf(text, sizeof(text), "[%s]:80", host);
	err = gamp_addr_parse("tcp", text, &addr);
	if (err == 0) {
		MUST(good);
		same_v6(&addr, &ip);
	} else {
		MUST(!good || host[n] == '%');
	}
	MUST(gamp_addr_parse("tcp4", text, &addr) ==
	     (err == 0 && IN6_IS_ADDR_V4MAPPED(&ip) ? 0 : -EINVAL));
}

/* Any bytes as an address: either an error, or text that means the same. */
static void try_bytes(const uint8_t *data, size_t size)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6, AF_UNIX };
	struct gamp_addr addr = { 0 }, again;
	char text[ADDR_TEXT_MAX];
	int len;

	if (size < 1 || size > sizeof(addr.sa))
		return;
	memcpy(&addr.sa, data, size);
	if (data[0] % 4 < 3)
		addr.sa.ss_family = families[data[0] % 4];
	addr.len = (socklen_t)size;
	len = gamp_addr_string(&addr, text, sizeof(text));
	MUST(len == -EINVAL || len == -EAFNOSUPPORT ||
	     (len > 0 && strlen(text) == (size_t)len));
	MUST((gamp_addr_port(&addr) >= 0) ==
	     (len > 0 && addr.sa.ss_family != AF_UNIX));
	if (len < 0)
		return;
	if (addr.sa.ss_family != AF_UNIX) {
		MUST(gamp_addr_parse("tcp", text, &again) == 0);
		MUST(gamp_addr_port(&again) == gamp_addr_port(&addr));
		round_trip("tcp", &again);
	} else if (gamp_addr_parse("unix", text, &again) == 0) {
		round_trip("unix", &again);
	} else {
		MUST(len == 1 || len > 107);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const networks[] = { "tcp", "tcp4", "tcp6", "unix" };
	char text[TEXT_MAX];

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	errno = 77;
	for (size_t i = 0; i < 4; i++)
		try_text(networks[i], text);
	try_host(text);
	try_brackets(text);
	try_bytes(data, size);
	MUST(errno == 77);
	return 0;
}
