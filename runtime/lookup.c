/* SPDX-License-Identifier: MIT */
/*
 * lookup.c - the addresses of a name, from the system's resolver.
 *
 * getaddrinfo(3) blocks its thread, for half a minute if servers are silent,
 * and nothing interrupts it.  So a goroutine of its own makes the call, and
 * whoever asked waits for that one, as long as it likes: cancelled, or at its
 * deadline, it leaves.  What both touch goes with the last of the two.
 *
 * A plain thread makes the call itself.  In a guest, which has one thread and
 * may not keep its host waiting, a thread of its own makes it, which may even
 * outlive the runtime.
 */

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <gamp/chan.h>

#include "base/alloc.h"
#include "runtime/socket.h"
#include "sched/guest.h"

#define STACK ((size_t)256 << 10) /* resolvers are large, and load plugins */

struct lookup {
	rt_a32 users;
	struct gamp_chan *over;
	struct addr_net net;
	struct addr_hostport hp;
	int max;
	int n; /* -errno, or how many */
	struct gamp_addr found[];
};

static int from_gai(int e, int system_err)
{
	switch (e) {
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_SYSTEM:
		return system_err ? -system_err : -EIO;
	default:
		return -ENOENT;
	}
}

static int ask(const struct addr_net *net, const struct addr_hostport *hp,
    struct gamp_addr *out, int max)
{
	struct addrinfo hints = { .ai_family = net->family,
		.ai_socktype = net->socktype };
	struct addrinfo *all = NULL;
	char port[8];
	int n = 0, r, system_err;

	(void)snprintf(port, sizeof(port), "%u", (unsigned)hp->port);
	hints.ai_flags = AI_NUMERICSERV;
	gamp_enter_blocking();
	r = getaddrinfo(hp->host, port, &hints, &all);
	system_err = errno; /* before we go on, perhaps on another thread */
	gamp_leave_blocking();
	if (r != 0)
		return from_gai(r, system_err);
	for (struct addrinfo *a = all; a && n < max; a = a->ai_next) {
		if (a->ai_addrlen > sizeof(out[n].sa))
			continue;
		memset(&out[n], 0, sizeof(out[n]));
		out[n].len = a->ai_addrlen;
		memcpy(&out[n++].sa, a->ai_addr, a->ai_addrlen);
	}
	freeaddrinfo(all);
	return n > 0 ? n : -ENOENT;
}

static void leave(struct lookup *l)
{
	if (rt_sub_seqcst(&l->users, 1) > 1)
		return;
	(void)gamp_chan_free(l->over);
	rt_release(l);
}

static void run(void *arg)
{
	struct lookup *l = arg;

	l->n = ask(&l->net, &l->hp, l->found, l->max);
	(void)gamp_chan_trysend(l->over, NULL); /* there is room */
	leave(l);
}

static void *thread_main(void *arg)
{
	run(arg);
	return NULL;
}

static int start_thread(struct lookup *l)
{
	sigset_t all, old;
	pthread_attr_t a;
	pthread_t thread;
	int r = -pthread_attr_init(&a);

	if (r < 0)
		return r;
	(void)pthread_attr_setstacksize(&a, STACK);
	(void)pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&thread, &a, thread_main, l);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&a);
	return r < 0 ? r : 1;
}

/* 0: it is on its way. */
static int start(const struct addr_net *net, const struct addr_hostport *hp,
    int max, struct lookup **out)
{
	struct gamp_go_options opt = { .stack_size = STACK, .name = "lookup" };
	struct lookup *l =
	    rt_alloc(sizeof(*l) + (size_t)max * sizeof(l->found[0]));
	int64_t r = -ENOMEM;

	*out = l;
	if (!l)
		return (int)r;
	*l = (struct lookup){ .net = *net, .hp = *hp, .max = max };
	rt_store_relaxed(&l->users, 2);
	l->over = gamp_chan_new(0, 1);
	if (l->over)
		r = guest_on() ? start_thread(l) : gamp_go_with(&opt, run, l);
	if (r > 0)
		return 0;
	(void)gamp_chan_free(l->over);
	rt_release(l);
	return (int)r;
}

int socket_look_up(const struct addr_net *net, const struct addr_hostport *hp,
    int64_t deadline, struct gamp_addr *out, int max)
{
	struct lookup *l;
	int r;

	if (gamp_self() == 0)
		return ask(net, hp, out, max);
	r = start(net, hp, max, &l);
	if (r < 0)
		return r;
	r = gamp_chan_recv_until(l->over, NULL, deadline);
	if (r == 0) {
		r = l->n;
		if (r > 0)
			memcpy(out, l->found, (size_t)r * sizeof(*out));
	}
	leave(l);
	return r;
}
