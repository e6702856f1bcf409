/* SPDX-License-Identifier: MIT */
/*
 * test_cancel.c - a cancel reaches every call that parks: one by one, and a
 * hundred thousand goroutines at once.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/net_util.h"

#if defined(RT_TSAN) /* a goroutine takes a megabyte, and 8,000 is the end */
enum { EACH = 200 };
#else
enum { EACH = 10000 };
#endif

#define LONG (3600 * GAMP_SECOND)

/* What the calls wait for in vain.  Locks are held, counts are not zero. */
enum { PAIRS = 3 };

static struct {
	struct gamp_chan *empty, *full;
	struct gamp_mutex mutex, of_cond;
	struct gamp_rwmutex written, read;
	struct gamp_cond cond;
	struct gamp_sem sem;
	struct gamp_waitgroup wg;
	struct gamp_barrier barrier;
	gamp_fd idle[PAIRS], peer[PAIRS]; /* connected */
	gamp_fd filled, filled_peer, listener;
} in_vain;

static void set_up(void)
{
	memset(&in_vain, 0, sizeof(in_vain));
	in_vain.empty = gamp_chan_new(4, 3);
	in_vain.full = gamp_chan_new(4, 1);
	CHECK_EQ(gamp_chan_send(in_vain.full, &(int){ 1 }), 0);
	CHECK_EQ(gamp_mutex_lock(&in_vain.mutex), 0);
	CHECK_EQ(gamp_rwmutex_lock(&in_vain.written), 0);
	CHECK_EQ(gamp_rwmutex_rlock(&in_vain.read), 0);
	CHECK_EQ(gamp_waitgroup_add(&in_vain.wg, 1), 0);
	CHECK_EQ(gamp_barrier_init(&in_vain.barrier, INT32_MAX), 0);
	for (int i = 0; i < PAIRS; i++)
		pair_socketpair(&in_vain.idle[i], &in_vain.peer[i]);
	pair_socketpair(&in_vain.filled, &in_vain.filled_peer);
	(void)fill(in_vain.filled);
	in_vain.listener = gamp_listen("tcp", "127.0.0.1:0");
}

/* Everything is as it was: those that left took nothing, and hold nothing. */
static void take_down(void)
{
	int x = 0;

	CHECK(gamp_chan_len(in_vain.empty) == 0);
	CHECK_EQ(gamp_chan_tryrecv(in_vain.full, &x), 0);
	CHECK_EQ(x, 1);
	CHECK_EQ(gamp_chan_tryrecv(in_vain.full, &x), -EAGAIN);
	CHECK_EQ(gamp_chan_free(in_vain.empty), 0);
	CHECK_EQ(gamp_chan_free(in_vain.full), 0);
	CHECK_EQ(gamp_mutex_unlock(&in_vain.mutex), 0);
	CHECK_EQ(gamp_mutex_trylock(&in_vain.mutex), 0);
	CHECK_EQ(gamp_mutex_trylock(&in_vain.of_cond), 0);
	CHECK_EQ(gamp_rwmutex_unlock(&in_vain.written), 0);
	CHECK_EQ(gamp_rwmutex_trylock(&in_vain.written), 0);
	CHECK_EQ(gamp_rwmutex_runlock(&in_vain.read), 0);
	CHECK_EQ(gamp_rwmutex_trylock(&in_vain.read), 0);
	CHECK_EQ(gamp_sem_release(&in_vain.sem), 0);
	CHECK_EQ(gamp_sem_tryacquire(&in_vain.sem), 0);
	CHECK_EQ(gamp_sem_tryacquire(&in_vain.sem), -EAGAIN);
	CHECK_EQ(gamp_waitgroup_done(&in_vain.wg), 0);
	CHECK_EQ(gamp_waitgroup_wait(&in_vain.wg), 0);
	for (int i = 0; i < PAIRS; i++)
		close_pair(in_vain.idle[i], in_vain.peer[i]);
	close_pair(in_vain.filled, in_vain.filled_peer);
	CHECK_EQ(gamp_close(in_vain.listener), 0);
}

/* The calls; i tells the callers apart. */

static int64_t call_sleep(int i)
{
	return gamp_sleep(LONG + i);
}

static int64_t call_send(int i)
{
	return gamp_chan_send(in_vain.full, &i);
}

static int64_t call_send_until(int i)
{
	return gamp_chan_send_until(in_vain.full, &i, gamp_now() + LONG);
}

static int64_t call_recv(int i)
{
	return gamp_chan_recv(in_vain.empty, &i);
}

static int64_t call_recv_until(int i)
{
	return gamp_chan_recv_until(in_vain.empty, &i, gamp_now() + LONG);
}

static int64_t call_select(int i)
{
	struct gamp_case cases[] = { GAMP_SEND(in_vain.full, &i),
		GAMP_RECV(in_vain.empty, &i),
		GAMP_DEADLINE(gamp_now() + LONG) };

	return gamp_select(cases, 3);
}

static int64_t call_select_fd(int i)
{
	struct gamp_case cases[] = { GAMP_RECV(in_vain.empty, &i),
		GAMP_READABLE(in_vain.idle[i % PAIRS]),
		GAMP_WRITABLE(in_vain.filled) };

	return gamp_select(cases, 3);
}

static int64_t call_select_nothing(int i)
{
	(void)i;
	return gamp_select(NULL, 0);
}

static int64_t call_mutex(int i)
{
	return gamp_mutex_lock_until(&in_vain.mutex, gamp_now() + LONG + i);
}

static int64_t call_rwmutex(int i)
{
	(void)i;
	return gamp_rwmutex_lock_until(&in_vain.read, GAMP_FOREVER);
}

static int64_t call_rwmutex_read(int i)
{
	return gamp_rwmutex_rlock_until(
	    &in_vain.written, i % 2 ? GAMP_FOREVER : gamp_now() + LONG);
}

static int64_t call_cond(int i)
{
	int r;

	(void)i;
	CHECK_EQ(gamp_mutex_lock(&in_vain.of_cond), 0);
	r = gamp_cond_wait(&in_vain.cond, &in_vain.of_cond);
	CHECK_EQ(gamp_mutex_trylock(&in_vain.of_cond), -EAGAIN);
	CHECK_EQ(gamp_mutex_unlock(&in_vain.of_cond), 0);
	return r;
}

static int64_t call_cond_until(int i)
{
	int r;

	CHECK_EQ(gamp_mutex_lock(&in_vain.of_cond), 0);
	r = gamp_cond_wait_until(
	    &in_vain.cond, &in_vain.of_cond, gamp_now() + LONG + i);
	CHECK_EQ(gamp_mutex_unlock(&in_vain.of_cond), 0);
	return r;
}

static int64_t call_sem(int i)
{
	(void)i;
	return gamp_sem_acquire(&in_vain.sem);
}

static int64_t call_sem_until(int i)
{
	return gamp_sem_acquire_until(&in_vain.sem, gamp_now() + LONG + i);
}

static int64_t call_sem_n(int i)
{
	return gamp_sem_acquire_n(&in_vain.sem, i + 1, GAMP_FOREVER);
}

static int64_t call_waitgroup(int i)
{
	(void)i;
	return gamp_waitgroup_wait(&in_vain.wg);
}

static int64_t call_waitgroup_until(int i)
{
	return gamp_waitgroup_wait_until(&in_vain.wg, gamp_now() + LONG + i);
}

static int64_t call_barrier(int i)
{
	(void)i;
	return gamp_barrier_wait(&in_vain.barrier);
}

static int64_t call_barrier_until(int i)
{
	return gamp_barrier_wait_until(
	    &in_vain.barrier, gamp_now() + LONG + i);
}

static int64_t call_read(int i)
{
	char c[8];

	return gamp_read(in_vain.idle[i % PAIRS], c, sizeof(c));
}

static int64_t call_wait_readable(int i)
{
	return gamp_wait_readable(in_vain.idle[i % PAIRS]);
}

static int64_t call_write(int i)
{
	return gamp_write(in_vain.filled, &i, sizeof(i));
}

static int64_t call_wait_writable(int i)
{
	(void)i;
	return gamp_wait_writable(in_vain.filled);
}

static int64_t call_accept(int i)
{
	(void)i;
	return gamp_accept(in_vain.listener);
}

static int for_ever(void *arg)
{
	CHECK_EQ(gamp_sleep(LONG), -ECANCELED);
	return arg ? -1 : 0;
}

static int64_t call_group(int i)
{
	struct gamp_group g;

	CHECK_EQ(gamp_group_init(&g, gamp_now() + LONG + i), 0);
	CHECK_EQ(gamp_group_go(&g, for_ever, NULL), 0);
	return gamp_group_wait(&g);
}

static const struct kind_of_call {
	const char *name;
	int64_t (*call)(int i);
	int why; /* what it is parked in */
} calls[] = {
	/* The ten that many make at once. */
	{ "send", call_send, WHY_SEND },
	{ "recv", call_recv, WHY_RECV },
	{ "select", call_select, WHY_SELECT },
	{ "sleep", call_sleep, WHY_SLEEP },
	{ "mutex", call_mutex, WHY_MUTEX },
	{ "cond", call_cond, WHY_COND },
	{ "sem", call_sem, WHY_SEM },
	{ "waitgroup", call_waitgroup, WHY_WAITGROUP },
	{ "rwmutex", call_rwmutex_read, WHY_RWMUTEX },
	{ "read", call_read, WHY_READ },
	/* And the rest. */
	{ "send_until", call_send_until, WHY_SEND },
	{ "recv_until", call_recv_until, WHY_RECV },
	{ "select_fd", call_select_fd, WHY_SELECT },
	{ "select_nothing", call_select_nothing, WHY_SELECT },
	{ "rwmutex_lock", call_rwmutex, WHY_RWMUTEX },
	{ "cond_until", call_cond_until, WHY_COND },
	{ "sem_until", call_sem_until, WHY_SEM },
	{ "sem_n", call_sem_n, WHY_SEM },
	{ "waitgroup_until", call_waitgroup_until, WHY_WAITGROUP },
	{ "barrier", call_barrier, WHY_BARRIER },
	{ "barrier_until", call_barrier_until, WHY_BARRIER },
	{ "wait_readable", call_wait_readable, WHY_READ },
	{ "write", call_write, WHY_WRITE },
	{ "wait_writable", call_wait_writable, WHY_WRITE },
	{ "accept", call_accept, WHY_READ },
	{ "group", call_group, WHY_GROUP },
};

enum { KINDS = 10, TOTAL = KINDS * EACH };

struct caller {
	const struct kind_of_call *kind;
	int i;
	_Atomic int64_t id;
	int64_t result;
};

static int make_the_call(void *arg)
{
	struct caller *c = arg;

	atomic_store(&c->id, gamp_self());
	c->result = c->kind->call(c->i);
	return 0;
}

static void call_alone(void *arg)
{
	(void)make_the_call(arg);
}

static bool parked(struct caller *c)
{
	int64_t id = atomic_load(&c->id);

	return id && is_parked(id, c->kind->why);
}

static void over(struct caller *c)
{
	AWAIT(!g_find(atomic_load(&c->id)));
	if (c->result != -ECANCELED)
		check(false, c->kind->name, __FILE__, __LINE__, c->result,
		    -ECANCELED);
}

/* One call of each kind, cancelled at several moments. */
static void one_by_one_main(void *arg)
{
	static struct caller c; /* outlives who gives up waiting */

	(void)arg;
	set_up();
	for (size_t k = 0; k < LEN(calls); k++)
		for (int round = 0; round < 12; round++) {
			int64_t id;

			c = (struct caller){ .kind = &calls[k], .i = round };
			id = gamp_go(call_alone, &c);
			if (round % 3 == 0)
				AWAIT(parked(&c));
			else if (round % 3 == 1)
				for (int i = 0; i < round; i++)
					gamp_yield();
			CHECK_EQ(gamp_cancel(id), 0);
			AWAIT(atomic_load(&c.id) == id);
			over(&c);
		}
	take_down();
}

static void a_cancel_reaches_every_call(void **state)
{
	(void)state;
	run(one_by_one_main);
	run_one(one_by_one_main);
}

/* Who is cancelled already does not begin to wait.  A group's children are
 * waited for all the same. */
static int call_all(void *arg)
{
	CHECK(gamp_cancelled());
	for (size_t k = 0; k < LEN(calls); k++) {
		int64_t r = calls[k].call((int)k);

		if (r != -ECANCELED)
			check(false, calls[k].name, __FILE__, __LINE__, r, 0);
	}
	return arg ? -1 : 0;
}

static void already_main(void *arg)
{
	struct gamp_group g;

	(void)arg;
	set_up();
	CHECK_EQ(gamp_group_init(&g, -1), 0);
	CHECK_EQ(gamp_group_go(&g, call_all, NULL), 0);
	CHECK_EQ(gamp_group_wait(&g), -ETIMEDOUT);
	take_down();
}

static void who_is_cancelled_already_does_not_wait(void **state)
{
	(void)state;
	run(already_main);
	run_one(already_main);
}

/* The turn of a descriptor comes to one that is cancelled just then: it goes on
 * to the next. */

static _Atomic int64_t second;

static void first_reader(void *arg)
{
	char c;

	CHECK_EQ(gamp_read(*(gamp_fd *)arg, &c, 1), -ECANCELED);
	/* It has passed its turn on; with one P the next has not run yet. */
	CHECK_EQ(gamp_cancel(atomic_load(&second)), 0);
}

static void second_reader(void *arg)
{
	char c;

	CHECK_EQ(gamp_read(*(gamp_fd *)arg, &c, 1), -ECANCELED);
}

static void third_reader(void *arg)
{
	char c = 0;

	CHECK_EQ(gamp_read(*(gamp_fd *)arg, &c, 1), 1);
	CHECK_EQ(c, 'x');
}

static void turn_main(void *arg)
{
	int64_t first, third;
	gamp_fd a, b;

	(void)arg;
	pair_socketpair(&a, &b);
	first = gamp_go(first_reader, &b);
	await_parked(first, WHY_READ);
	atomic_store(&second, gamp_go(second_reader, &b));
	await_parked(atomic_load(&second), WHY_FD_LOCK);
	third = gamp_go(third_reader, &b);
	await_parked(third, WHY_FD_LOCK);
	CHECK_EQ(gamp_cancel(first), 0);
	AWAIT(!g_find(first));
	AWAIT(!g_find(atomic_load(&second)));
	CHECK_EQ(gamp_write(a, "x", 1), 1);
	AWAIT(!g_find(third));
	close_pair(a, b);
}

static void a_cancelled_reader_passes_its_turn_on(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		run_one(turn_main);
		run(turn_main);
	}
}

/*
 * Names.  This resolver takes its time for "slow.invalid", until it is told to
 * go on; "here.invalid" is this machine.
 */
static sem_t gate;
static atomic_int asked, answered;

int getaddrinfo(const char *host, const char *port,
    const struct addrinfo *hints, struct addrinfo **out)
{
	struct answer {
		struct addrinfo ai;
		struct sockaddr_in in;
	} *a;

	(void)hints;
	atomic_fetch_add(&asked, 1);
	while (strcmp(host, "slow.invalid") == 0 && sem_wait(&gate) < 0)
		;
	a = calloc(1, sizeof(*a));
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons((uint16_t)atoi(port));
	a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a->ai = (struct addrinfo){ .ai_addr = (struct sockaddr *)&a->in,
		.ai_addrlen = sizeof(a->in) };
	*out = &a->ai;
	atomic_fetch_add(&answered, 1);
	return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
	free(ai);
}

static int dial_slowly(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_dial("tcp", "slow.invalid:1"), -ECANCELED);
	return 0;
}

static int listen_slowly(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_listen("tcp", "slow.invalid:0"), -ECANCELED);
	return 0;
}

static void dial_a_name(void)
{
	gamp_fd l = gamp_listen("tcp", "here.invalid:0"), fd;
	char to[32];

	CHECK(l > 0);
	port_text(to, "here.invalid", l);
	fd = gamp_dial("tcp", to);
	CHECK(fd > 0);
	CHECK_EQ(gamp_close(fd), 0);
	CHECK_EQ(gamp_close(l), 0);
}

static void names_main(void *arg)
{
	struct gamp_dial_options late = { 0 };
	struct gamp_group g;

	(void)arg;
	atomic_store(&asked, 0);
	atomic_store(&answered, 0);
	CHECK_EQ(sem_init(&gate, 0, 0), 0);
	CHECK_EQ(gamp_group_init(&g, 0), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(gamp_group_go(
			     &g, i % 2 ? listen_slowly : dial_slowly, NULL),
		    0);
	AWAIT(atomic_load(&asked) == 5);
	gamp_group_cancel(&g);
	CHECK_EQ(gamp_group_wait(&g), -ECANCELED);
	late.deadline = gamp_now() + 50 * MS;
	CHECK_EQ(gamp_dial_with(&late, "tcp", "slow.invalid:1"), -ETIMEDOUT);
	dial_a_name();
	AWAIT(atomic_load(&asked) == 8);
	CHECK_EQ(atomic_load(&answered), 2);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(sem_post(&gate), 0);
	AWAIT(atomic_load(&answered) == 8);
}

static void nobody_waits_for_a_name_longer_than_it_likes(void **state)
{
	(void)state;
	run(names_main);
	run_one(names_main);
}

/* gamp_stop does not wait for a thread's lookup. */

static void *listen_on_thread(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_listen("tcp", "slow.invalid:0"), -ESRCH);
	return NULL;
}

static atomic_bool stopped;

static void *stop_on_thread(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_stop(gamp_now() + LIMIT), 0);
	atomic_store(&stopped, true);
	return NULL;
}

static void a_threads_lookup_does_not_hold_the_end_up(void **state)
{
	pthread_t listener, stopper;

	(void)state;
	failed.count = 0;
	atomic_store(&asked, 0);
	atomic_store(&stopped, false);
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(
	    pthread_create(&listener, NULL, listen_on_thread, NULL), 0);
	AWAIT(atomic_load(&asked) == 1);
	assert_int_equal(
	    pthread_create(&stopper, NULL, stop_on_thread, NULL), 0);
	AWAIT(atomic_load(&stopped));
	assert_int_equal(sem_post(&gate), 0);
	(void)pthread_join(listener, NULL);
	(void)pthread_join(stopper, NULL);
	if (failed.count)
		fail_msg("%s", failed.text);
}

static void dial_alone_main(void *arg)
{
	(void)arg;
	atomic_store(&asked, 0);
	CHECK_EQ(gamp_dial("tcp", "here.invalid:1"), -EAGAIN);
	CHECK_EQ(gamp_listen("tcp", "here.invalid:0"), -EAGAIN);
	CHECK_EQ(atomic_load(&asked), 0);
}

static void a_name_needs_a_goroutine_of_its_own(void **state)
{
	(void)state;
	run_with(dial_alone_main,
	    &(struct gamp_options){ .max_goroutines = 1 });
}

/* Many. */

static struct caller *crowd;

/* In the queue of a descriptor, or as its only reader. */
static bool crowd_is_parked(void)
{
	for (int i = 0; i < TOTAL; i++) {
		struct caller *c = &crowd[i];

		if (!parked(c) &&
		    !(c->kind->why == WHY_READ && atomic_load(&c->id) &&
			is_parked(atomic_load(&c->id), WHY_FD_LOCK)))
			return false;
	}
	return true;
}

static void check_crowd(void)
{
	for (int i = 0; i < TOTAL; i++)
		if (crowd[i].result != -ECANCELED)
			check(false, crowd[i].kind->name, __FILE__, __LINE__,
			    crowd[i].result, i);
}

static void crowd_main(void *arg)
{
	int64_t t0, t1, t2, limit = gamp_now() + 60 * GAMP_SECOND;
	struct gamp_group g;

	(void)arg;
	set_up();
	CHECK_EQ(gamp_group_init(&g, 0), 0);
	for (int i = 0; i < TOTAL; i++) {
		crowd[i] = (struct caller){ .kind = &calls[i % KINDS],
			.i = i / KINDS };
		CHECK_EQ(gamp_group_go(&g, make_the_call, &crowd[i]), 0);
	}
	while (!crowd_is_parked() && gamp_now() < limit)
		(void)gamp_sleep(GAMP_MILLISECOND);
	CHECK(crowd_is_parked());
	t0 = gamp_now();
	gamp_group_cancel(&g);
	t1 = gamp_now();
	CHECK_EQ(gamp_group_wait(&g), -ECANCELED);
	t2 = gamp_now();
	check_crowd();
	take_down();
	(void)printf("%d in %d kinds of calls, %d Ps: cancelled in %.1f ms, "
		     "out after %.1f ms\n",
	    TOTAL, KINDS, gamp_maxprocs(0), (double)(t1 - t0) / 1e6,
	    (double)(t2 - t0) / 1e6);
}

static void many_are_cancelled_at_once(void **state)
{
	static const int procs[] = { 1, 2, 4 };

	(void)state;
	crowd = malloc(TOTAL * sizeof(*crowd));
	assert_non_null(crowd);
	for (size_t i = 0; i < LEN(procs); i++)
		run_with(crowd_main,
		    &(struct gamp_options){ .maxprocs = procs[i] });
	free(crowd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cancel_reaches_every_call),
		TEST(who_is_cancelled_already_does_not_wait),
		TEST(a_cancelled_reader_passes_its_turn_on),
		TEST(nobody_waits_for_a_name_longer_than_it_likes),
		TEST(a_name_needs_a_goroutine_of_its_own),
		TEST(a_threads_lookup_does_not_hold_the_end_up),
		TEST(many_are_cancelled_at_once),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
