/* SPDX-License-Identifier: MIT */
/*
 * addr.h - socket addresses from text and back; names are left to the caller.
 *
 *	text	= [host] ":" port		tcp, tcp4, tcp6
 *		| path | "@" name		unix
 *	host	= v4 | name | "[" v6 [ "%" zone ] "]"
 *	port	= a decimal number from 0 to 65535
 *	zone	= an interface's name or its index, in decimal, from 1
 *
 * How listen and dial go from text to an address:
 *
 *	addr_network ---> tcp*: addr_split ---> addr_numeric ---> 0: done
 *	             |                                      `---> -ENOENT: ask
 *	             |                                        the resolver
 *	             `--> unix: addr_unix
 *
 * Choices
 *	C1  What prints parses back to the same bytes, except for what text
 *	    cannot hold: a flow label, that a mapped address was IPv6 (C2),
 *	    zeros in an abstract name (print_unix).
 *	C2  A v4-mapped IPv6 literal is the IPv4 address it maps, as in Go:
 *	    fine for tcp and tcp4, wrong for tcp6.  It has no zone.
 *	C3  A number that is no dotted quad (1.2.3, 1.2.3.256, 0x7f.1) is
 *	    malformed and not a name.  getaddrinfo(3) would read some of them
 *	    as addresses, in octal and hex, behind a caller's filter.
 *	C4  A zone of digits is an index even where an interface has that
 *	    name, so the same text means the same everywhere (and C1 holds).
 *
 * Threads	any; nothing is shared and nothing is kept.  No call parks or
 *		allocates.  Zone names cost a system call or three.
 * Errors	negative errno values; errno itself stays as it was.
 *		Results are written on success only.
 */
#ifndef RT_RUNTIME_ADDR_H
#define RT_RUNTIME_ADDR_H

#include <gamp/net.h>

enum {
	ADDR_HOST_MAX = 256, /* with the final 0; a DNS name has 253 bytes */

	/* Any address fits as text: the longest is a unix path that fills
	 * sockaddr_storage (128), plus "./" and the final 0. */
	ADDR_TEXT_MAX = 136,
};

struct addr_net {
	int family; /* AF_UNSPEC for tcp, AF_INET, AF_INET6 or AF_UNIX */
	int socktype;
};

struct addr_hostport {
	char host[ADDR_HOST_MAX]; /* "": none; no brackets; zone as %zone */
	uint16_t port;
	bool bracketed; /* then host is an IPv6 literal, with or without zone */
};

/*
 * addr_network - what a network's name stands for
 *
 * Errors	-EPROTONOSUPPORT	unknown, or null
 */
int addr_network(const char *network, struct addr_net *out);

/*
 * addr_split - host and port of a tcp address
 *
 * Errors	-EINVAL	malformed: no port, or not one from 0 to 65535 in
 *			digits alone; a bare IPv6 literal; brackets around
 *			anything else; a host of 256 bytes or more, or with
 *			spaces, controls, brackets or a stray % in it
 */
int addr_split(const char *text, struct addr_hostport *out);

/*
 * addr_numeric - the address, if it takes no resolver to tell
 *
 * "localhost" is 127.0.0.1, or ::1 for tcp6.  No host is the wildcard: 0.0.0.0
 * for tcp4, else ::.  So on a system without IPv6 a listener on tcp must fall
 * back to 0.0.0.0; connect(2) takes the wildcard for the local system.
 *
 * Errors	-EINVAL	malformed for this network: the other family's
 *			literal, C2, C3, an unknown zone; or it is unix
 *		-ENOENT	the host is a name
 */
int addr_numeric(const struct addr_net *net, const struct addr_hostport *hp,
    struct gamp_addr *out);

/*
 * addr_unix - the address of a path, or of "@name" in the abstract namespace
 *
 * A path must fit sun_path with its final 0: 107 bytes.  An abstract name has
 * no final 0, but one byte goes to the leading 0 that marks it: 107 as well.
 *
 * Errors	-EINVAL	empty, "@" alone, or too long
 */
int addr_unix(const char *path, struct gamp_addr *out);

#endif
