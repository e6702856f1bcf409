/* SPDX-License-Identifier: MIT */
/*
 * addr.c - socket addresses from text and back; see addr.h for the choices.
 *
 * inet_pton(3) and inet_ntop(3) decide what a literal is.  Addresses are built
 * in a struct of their family and copied: sockaddr_storage may not be written
 * through a pointer to another type.
 */
#include "runtime/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define DIGITS "0123456789"

enum {
	PATH_AT = offsetof(struct sockaddr_un, sun_path),
	PATH_MAX_LEN = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
	FAMILY_END =
	    offsetof(struct sockaddr_storage, ss_family) + sizeof(sa_family_t),
};

_Static_assert(ADDR_TEXT_MAX > sizeof(struct sockaddr_storage) - PATH_AT + 2,
    "a path, with ./ before it and a 0 behind");
_Static_assert(
    ADDR_TEXT_MAX > INET6_ADDRSTRLEN + IF_NAMESIZE + 9, "[v6%zone]:65535");

int addr_network(const char *network, struct addr_net *out)
{
	static const struct {
		char name[8];
		struct addr_net net;
	} known[] = {
		{ "tcp", { AF_UNSPEC, SOCK_STREAM } },
		{ "tcp4", { AF_INET, SOCK_STREAM } },
		{ "tcp6", { AF_INET6, SOCK_STREAM } },
		{ "unix", { AF_UNIX, SOCK_STREAM } },
	};

	if (!network)
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(network, known[i].name) == 0) {
			*out = known[i].net;
			return 0;
		}
	}
	return -EPROTONOSUPPORT;
}

static bool all_digits(const char *s)
{
	return s[0] != '\0' && s[strspn(s, DIGITS)] == '\0';
}

/* The number s, or -EINVAL.  Neither strtoul(3) nor its like: they take
 * signs and spaces, and report through errno. */
static int64_t number(const char *s, uint32_t max)
{
	uint64_t n = 0;

	if (!all_digits(s))
		return -EINVAL;
	for (; *s; s++) {
		n = n * 10 + (uint64_t)(*s - '0');
		if (n > max)
			return -EINVAL;
	}
	return (int64_t)n;
}

/* Bytes that no host name, literal or zone has, and that would let one text
 * be read in two ways.  Those over 127 are the resolver's to judge. */
static bool plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c <= ' ' || c == 0x7f || c == '[' || c == ']' || c == '%')
			return false;
	}
	return true;
}

/* The colon: ioctl(SIOCGIFINDEX) cuts a name there, and "lo:x" would be lo. */
static bool zone_valid(const char *zone)
{
	size_t n = strlen(zone);

	return n > 0 && n < IF_NAMESIZE && plain(zone, n) && !strchr(zone, ':');
}

/* host is "v6" or "v6%zone"; *zone becomes null or the zone's text, which is
 * well formed, though no interface may have it. */
static int parse_v6(const char *host, struct in6_addr *ip, const char **zone)
{
	char literal[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");

	if (n >= sizeof(literal))
		return -EINVAL;
	memcpy(literal, host, n);
	literal[n] = '\0';
	*zone = host[n] ? host + n + 1 : NULL;
	if (*zone && !zone_valid(*zone))
		return -EINVAL;
	return inet_pton(AF_INET6, literal, ip) == 1 ? 0 : -EINVAL;
}

static int set_host(struct addr_hostport *hp, const char *host, size_t n)
{
	struct in6_addr ip;
	const char *zone;

	if (n >= sizeof(hp->host))
		return -EINVAL;
	memcpy(hp->host, host, n);
	if (hp->bracketed)
		return parse_v6(hp->host, &ip, &zone);
	return plain(host, n) ? 0 : -EINVAL;
}

int addr_split(const char *text, struct addr_hostport *out)
{
	struct addr_hostport hp = { 0 };
	const char *end;
	int64_t port;
	int err;

	if (!text || !out)
		return -EINVAL;
	hp.bracketed = text[0] == '[';
	text += hp.bracketed;
	end = strchr(text, hp.bracketed ? ']' : ':');
	if (!end)
		return -EINVAL;
	err = set_host(&hp, text, (size_t)(end - text));
	if (err)
		return err;
	end += hp.bracketed;
	if (*end != ':')
		return -EINVAL;
	port = number(end + 1, UINT16_MAX); /* a second colon is no digit */
	if (port < 0)
		return -EINVAL;
	hp.port = (uint16_t)port;
	*out = hp;
	return 0;
}

/* Zeroed to the last byte, so that equal addresses compare equal. */
static int set(struct gamp_addr *out, const void *sa, size_t len)
{
	memset(out, 0, sizeof(*out));
	memcpy(&out->sa, sa, len);
	out->len = (socklen_t)len;
	return 0;
}

static int set_v4(const struct addr_net *net, struct in_addr ip, uint16_t port,
    struct gamp_addr *out)
{
	struct sockaddr_in sin = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = ip,
	};

	if (net->family == AF_INET6)
		return -EINVAL;
	return set(out, &sin, sizeof(sin));
}

/* The callers have made sure that the network is not tcp4. */
static int set_v6(const struct in6_addr *ip, uint32_t scope, uint16_t port,
    struct gamp_addr *out)
{
	struct sockaddr_in6 sin6 = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = *ip,
		.sin6_scope_id = scope,
	};

	return set(out, &sin6, sizeof(sin6));
}

static struct in_addr unmap(const struct in6_addr *ip)
{
	struct in_addr v4;

	memcpy(&v4, &ip->s6_addr[12], sizeof(v4));
	return v4;
}

/* 0 if there is no such zone.  if_nametoindex(3) sets errno, which is not
 * ours to change; not inlined, lest its address be kept across a caller's
 * park (gamp/errno.h). */
__attribute__((noinline)) static uint32_t zone_index(const char *zone)
{
	int saved = errno;
	uint32_t index;

	if (all_digits(zone)) { /* C4 */
		int64_t n = number(zone, UINT32_MAX);

		return n < 0 ? 0 : (uint32_t)n;
	}
	index = if_nametoindex(zone);
	errno = saved;
	return index;
}

/* The zone as text that zone_index maps to index again.  An interface may be
 * called "7" or "a]b"; then, or if it is gone, the number will do. */
__attribute__((noinline)) static void zone_text(
    uint32_t index, char zone[IF_NAMESIZE])
{
	int saved = errno;

	if (!if_indextoname(index, zone) || !zone_valid(zone) ||
	    all_digits(zone))
		(void)snprintf(zone, IF_NAMESIZE, "%u", index);
	errno = saved;
}

static int numeric_v6(const struct addr_net *net,
    const struct addr_hostport *hp, struct gamp_addr *out)
{
	struct in6_addr ip;
	const char *zone;
	uint32_t scope = 0;
	int err = parse_v6(hp->host, &ip, &zone);

	if (err)
		return err;
	if (IN6_IS_ADDR_V4MAPPED(&ip)) /* C2 */
		return zone ? -EINVAL : set_v4(net, unmap(&ip), hp->port, out);
	if (net->family == AF_INET)
		return -EINVAL;
	if (zone) {
		scope = zone_index(zone);
		if (scope == 0)
			return -EINVAL;
	}
	return set_v6(&ip, scope, hp->port, out);
}

/* C3.  inet_aton(3) knows the old spellings, the digits and dots are those
 * that even it refuses. */
static bool malformed_number(const char *host)
{
	struct in_addr ip;

	return host[strspn(host, DIGITS ".")] == '\0' || inet_aton(host, &ip);
}

int addr_numeric(const struct addr_net *net, const struct addr_hostport *hp,
    struct gamp_addr *out)
{
	struct in_addr ip;

	if (!net || !hp || !out || net->family == AF_UNIX)
		return -EINVAL;
	if (hp->bracketed)
		return numeric_v6(net, hp, out);
	if (hp->host[0] == '\0') {
		ip.s_addr = htonl(INADDR_ANY);
		if (net->family != AF_INET)
			return set_v6(&in6addr_any, 0, hp->port, out);
		return set_v4(net, ip, hp->port, out);
	}
	if (strcmp(hp->host, "localhost") == 0) {
		ip.s_addr = htonl(INADDR_LOOPBACK);
		if (net->family == AF_INET6)
			return set_v6(&in6addr_loopback, 0, hp->port, out);
		return set_v4(net, ip, hp->port, out);
	}
	if (inet_pton(AF_INET, hp->host, &ip) == 1)
		return set_v4(net, ip, hp->port, out);
	return malformed_number(hp->host) ? -EINVAL : -ENOENT;
}

int addr_unix(const char *path, struct gamp_addr *out)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t n;

	if (!path || !out)
		return -EINVAL;
	n = strnlen(path, PATH_MAX_LEN + 2); /* one more than either allows */
	if (path[0] == '@') {
		/* "@" alone would be a name, empty and everybody's: more
		 * likely something was lost on the way here. */
		if (n < 2 || n > PATH_MAX_LEN + 1)
			return -EINVAL;
		memcpy(sun.sun_path + 1, path + 1, n - 1);
		return set(out, &sun, PATH_AT + n);
	}
	if (n == 0 || n > PATH_MAX_LEN)
		return -EINVAL;
	memcpy(sun.sun_path, path, n);
	return set(out, &sun, PATH_AT + n + 1);
}

int gamp_addr_parse(
    const char *network, const char *text, struct gamp_addr *addr)
{
	struct addr_net net;
	struct addr_hostport hp;
	int err = addr_network(network, &net);

	if (err)
		return err;
	if (net.family == AF_UNIX)
		return addr_unix(text, addr);
	err = addr_split(text, &hp);
	if (!err)
		err = addr_numeric(&net, &hp, addr);
	return err == -ENOENT ? -EINVAL : err;
}

/* The family, once addr is known to be as long as it takes. */
static int family(const struct gamp_addr *addr)
{
	size_t min;

	if (!addr || addr->len > sizeof(addr->sa))
		return -EINVAL;
	if (addr->len < FAMILY_END) /* nothing there at all */
		return -EAFNOSUPPORT;
	switch (addr->sa.ss_family) {
	case AF_INET:
		min = sizeof(struct sockaddr_in);
		break;
	case AF_INET6:
		min = sizeof(struct sockaddr_in6);
		break;
	case AF_UNIX:
		min = PATH_AT;
		break;
	default:
		return -EAFNOSUPPORT;
	}
	return addr->len < min ? -EINVAL : addr->sa.ss_family;
}

int gamp_addr_port(const struct gamp_addr *addr)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	int af = family(addr);

	switch (af) {
	case AF_INET:
		memcpy(&sin, &addr->sa, sizeof(sin));
		return ntohs(sin.sin_port);
	case AF_INET6:
		memcpy(&sin6, &addr->sa, sizeof(sin6));
		return ntohs(sin6.sin6_port);
	default:
		return af < 0 ? af : -EAFNOSUPPORT;
	}
}

static int print_v4(struct in_addr ip, int port, char text[ADDR_TEXT_MAX])
{
	char host[INET_ADDRSTRLEN];

	(void)inet_ntop(AF_INET, &ip, host, sizeof(host));
	return snprintf(text, ADDR_TEXT_MAX, "%s:%d", host, port);
}

static int print_v6(
    const struct gamp_addr *addr, int port, char text[ADDR_TEXT_MAX])
{
	struct sockaddr_in6 sin6;
	char host[INET6_ADDRSTRLEN];
	char zone[IF_NAMESIZE];

	memcpy(&sin6, &addr->sa, sizeof(sin6));
	if (IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr)) /* C2 */
		return print_v4(unmap(&sin6.sin6_addr), port, text);
	(void)inet_ntop(AF_INET6, &sin6.sin6_addr, host, sizeof(host));
	if (sin6.sin6_scope_id == 0)
		return snprintf(text, ADDR_TEXT_MAX, "[%s]:%d", host, port);
	zone_text(sin6.sin6_scope_id, zone);
	return snprintf(text, ADDR_TEXT_MAX, "[%s%%%s]:%d", host, zone, port);
}

/*
 * An abstract name may have zeros in it, the unnamed address has no name at
 * all: text that could be dialled does not exist for them.  They print as in
 * /proc/net/unix, with @ for 0.  The kernel gives a path of 108 bytes back
 * with a length beyond sockaddr_un (unix(7)); sockaddr_storage has the room.
 */
static int print_unix(const struct gamp_addr *addr, char text[ADDR_TEXT_MAX])
{
	const char *path = (const char *)&addr->sa + PATH_AT;
	size_t n = addr->len - PATH_AT;

	if (n == 0 || path[0] == '\0') {
		text[0] = '@';
		for (size_t i = 1; i < n; i++)
			text[i] = path[i] ? path[i] : '@';
		n += n == 0;
		text[n] = '\0';
		return (int)n;
	}
	/* A file called "@x" must not read as an abstract name. */
	return snprintf(text, ADDR_TEXT_MAX, "%s%.*s",
	    path[0] == '@' ? "./" : "", (int)n, path);
}

int gamp_addr_string(const struct gamp_addr *addr, char *buf, size_t n)
{
	char text[ADDR_TEXT_MAX];
	struct sockaddr_in sin;
	int len = family(addr);

	if (!buf)
		return -EINVAL;
	switch (len) {
	case AF_INET:
		memcpy(&sin, &addr->sa, sizeof(sin));
		len = print_v4(sin.sin_addr, ntohs(sin.sin_port), text);
		break;
	case AF_INET6:
		len = print_v6(addr, gamp_addr_port(addr), text);
		break;
	case AF_UNIX:
		len = print_unix(addr, text);
		break;
	default:
		return len;
	}
	if ((size_t)len >= n)
		return -ENOSPC;
	memcpy(buf, text, (size_t)len + 1);
	return len;
}
