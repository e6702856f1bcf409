/* SPDX-License-Identifier: MIT */
/*
 * test_guest.c - goroutines that run when a host's loop calls gamp_poll.
 *
 * The tests are the host: they wait for the descriptor and the deadline as a
 * loop would, and for nothing else (host_until), so a wake-up that is missed
 * is a test that fails.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { LAPS = 300 };
#else
enum { LAPS = 3000 };
#endif

static const struct gamp_options as_guest = { .guest = true };

/* What goroutines tell the host; one thread. */
static int turns, ended;

static void begin_guest(void)
{
	turns = ended = failed.count = 0;
	assert_int_equal(gamp_start(&as_guest), 0);
}

/* Nothing may be left, and nothing may have gone wrong. */
static void end_guest(void)
{
	assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
	if (failed.count)
		fail_msg("%s", failed.text);
}

static bool readable(int64_t until)
{
	struct pollfd fd = { .fd = gamp_poll_fd(), .events = POLLIN };
	int64_t ns = until - gamp_now();

	return poll(&fd, 1, ns > 0 ? (int)(ns / MS) + 1 : 0) > 0;
}

/* A host's loop, until *n is `want`. */
static bool host_until(int *n, int want)
{
	int64_t limit = gamp_now() + LIMIT;

	while (__atomic_load_n(n, __ATOMIC_ACQUIRE) < want) {
		int64_t until = gamp_poll_deadline();

		(void)readable(until < limit ? until : limit);
		assert_true(gamp_poll(0) >= 0);
		if (gamp_now() > limit)
			return false;
	}
	return true;
}

/* Until all of them wait: a poll ends early if we lose the processor for as
 * long as it may take. */
static void poll_all(void)
{
	int r;

	while ((r = gamp_poll(0)) == 1)
		;
	assert_int_equal(r, 0);
}

static void count(void *arg)
{
	(void)arg;
	CHECK(gamp_self() > 0);
	ended++;
}

static void they_run_in_gamp_poll_and_nowhere_else(void **state)
{
	(void)state;
	begin_guest();
	assert_true(gamp_go(count, NULL) > 0);
	assert_true(gamp_go(count, NULL) > 0);
	assert_true(readable(gamp_now() + SOON));
	assert_int_equal(ended, 0);
	assert_int_equal(gamp_self(), 0);
	poll_all();
	assert_int_equal(ended, 2);
	assert_int_equal(gamp_self(), 0);
	assert_false(readable(0));
	assert_int_equal(gamp_poll_deadline(), GAMP_FOREVER);
	end_guest();
	assert_int_equal(gamp_poll(0), -ESRCH);
	assert_int_equal(gamp_poll_fd(), -ESRCH);
	assert_int_equal(gamp_poll_deadline(), -ESRCH);
}

static int threads(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static void there_is_no_thread_but_the_host_s(void **state)
{
	int before = threads();

	(void)state;
	begin_guest();
	assert_true(gamp_go(count, NULL) > 0);
	assert_true(host_until(&ended, 1));
	assert_int_equal(threads(), before);
	end_guest();
}

static void yields(void *arg)
{
	for (intptr_t i = 0; i < (intptr_t)arg; i++) {
		turns++;
		gamp_yield();
	}
	ended++;
}

/* A goroutine that yields alone goes on: so there are two.  With a seed no
 * clock ends a poll. */
static void a_poll_gives_as_many_turns_as_it_is_asked_for(void **state)
{
	const struct gamp_options seeded = { .guest = true, .seed = 7 };

	(void)state;
	turns = ended = failed.count = 0;
	assert_int_equal(gamp_start(&seeded), 0);
	assert_true(gamp_go(yields, (void *)(intptr_t)40) > 0);
	assert_true(gamp_go(yields, (void *)(intptr_t)40) > 0);
	for (int i = 1; i <= 30; i++) {
		assert_int_equal(gamp_poll(1), 1);
		assert_int_equal(turns, i);
		assert_true(readable(0));
	}
	assert_int_equal(gamp_poll(7), 1);
	assert_int_equal(turns, 37);
	assert_int_equal(gamp_poll(0), 0);
	assert_int_equal(ended, 2);
	end_guest();
}

static void computes(void *arg)
{
	(void)arg;
	turns++;
	while (gamp_checkpoint() == 0)
		;
	ended++;
}

static void yields_for_ever(void *arg)
{
	(void)arg;
	while (!gamp_cancelled()) {
		turns++;
		gamp_yield();
	}
	ended++;
}

static void never_keeps_the_host(gamp_fn *fn, int n)
{
	int64_t id[2], began;

	begin_guest();
	for (int i = 0; i < n; i++)
		id[i] = gamp_go(fn, NULL);
	for (int i = 0; i < 5; i++) {
		began = gamp_now();
		assert_int_equal(gamp_poll(0), 1);
		assert_true(gamp_now() - began < SOON);
	}
	assert_true(host_until(&turns, n)); /* none if we lost our thread */
	for (int i = 0; i < n; i++)
		assert_int_equal(gamp_cancel(id[i]), 0);
	assert_true(host_until(&ended, n));
	end_guest();
}

static void who_computes_does_not_keep_the_host(void **state)
{
	(void)state;
	never_keeps_the_host(computes, 1);
	never_keeps_the_host(computes, 2);
}

static void who_yields_for_ever_does_not_keep_the_host(void **state)
{
	(void)state;
	never_keeps_the_host(yields_for_ever, 2);
}

static void sleeps(void *arg)
{
	CHECK_EQ(gamp_sleep((intptr_t)arg), 0);
	ended++;
}

static void is_cancelled(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_sleep(3600 * GAMP_SECOND), -ECANCELED);
	ended++;
}

static void the_deadline_is_that_of_the_next_timer(void **state)
{
	int64_t began = gamp_now(), at;

	(void)state;
	begin_guest();
	assert_true(gamp_go(is_cancelled, NULL) > 0);
	assert_true(gamp_go(sleeps, (void *)(intptr_t)(600 * MS)) > 0);
	poll_all();
	at = gamp_poll_deadline();
	assert_true(at >= began + 600 * MS);
	if (ended == 0) /* we have not lost the processor for so long */
		assert_true(at <= gamp_now() + 600 * MS);
	else
		at = began;
	assert_false(readable(began + 20 * MS)); /* asleep until then */
	assert_true(host_until(&ended, 1));
	assert_true(gamp_now() >= at);
	end_guest(); /* which cancels the other one */
	assert_int_equal(ended, 2);
}

/* Beside the host. */
static struct gamp_chan *ping, *pong;
static struct gamp_timer timer;

static void answers(void *arg)
{
	int v;

	(void)arg;
	while (gamp_chan_recv(ping, &v) == 0)
		CHECK_EQ(gamp_chan_send(pong, &v), 0);
	ended++;
}

static void *asks(void *arg)
{
	int v;

	for (int i = 0; i < LAPS; i++) {
		if (gamp_chan_send(ping, &i) < 0 ||
		    gamp_chan_recv_until(pong, &v, gamp_now() + LIMIT) < 0 ||
		    v != i)
			return NULL;
	}
	(void)gamp_chan_close(ping);
	return arg;
}

static void threads_wake_the_host(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	begin_guest();
	ping = gamp_chan_new(sizeof(int), 0);
	pong = gamp_chan_new(sizeof(int), 0);
	assert_true(gamp_go(answers, NULL) > 0);
	assert_int_equal(pthread_create(&thread, NULL, asks, &ended), 0);
	assert_true(host_until(&ended, 1));
	(void)pthread_join(thread, &result);
	assert_non_null(result);
	assert_int_equal(gamp_chan_free(ping), 0);
	assert_int_equal(gamp_chan_free(pong), 0);
	end_guest();
}

static void rings(void *arg)
{
	(void)arg;
	__atomic_store_n(&ended, ended + 1, __ATOMIC_RELEASE);
}

static atomic_int armed;

/* Each timer is started when the host sleeps, or is about to. */
static void *arms(void *arg)
{
	for (int i = 0; i < LAPS / 10; i++) {
		int64_t limit = gamp_now() + LIMIT;

		while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < i)
			if (gamp_now() > limit)
				return NULL;
		if (gamp_timer_start(
			&timer, gamp_now() + 200000, 0, rings, NULL) < 0)
			return NULL;
		if (i % 3 == 0 && gamp_timer_stop(&timer))
			(void)gamp_timer_reset(&timer, gamp_now() + 300000);
	}
	return arg;
}

static void a_thread_s_timer_wakes_the_host(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	begin_guest();
	assert_int_equal(pthread_create(&thread, NULL, arms, &armed), 0);
	assert_true(host_until(&ended, LAPS / 10));
	(void)pthread_join(thread, &result);
	assert_non_null(result);
	end_guest();
}

static void serves(void *arg)
{
	gamp_fd l = *(gamp_fd *)arg, fd = gamp_accept(l);
	char c;

	CHECK(fd > 0);
	while (gamp_read(fd, &c, 1) == 1)
		CHECK_EQ(gamp_write(fd, &c, 1), 1);
	CHECK_EQ(gamp_close(fd), 0);
	ended++;
}

static void dials(void *arg)
{
	char port[32], c;
	gamp_fd fd;

	port_text(port, "127.0.0.1", *(gamp_fd *)arg);
	fd = gamp_dial("tcp", port);
	CHECK(fd > 0);
	for (int i = 0; i < LAPS; i++) {
		c = (char)i;
		CHECK_EQ(gamp_write(fd, &c, 1), 1);
		CHECK_EQ(gamp_read(fd, &c, 1), 1);
		CHECK_EQ(c, (char)i);
	}
	CHECK_EQ(gamp_close(fd), 0);
	ended++;
}

static void sockets_work(void **state)
{
	gamp_fd l;

	(void)state;
	begin_guest();
	l = gamp_listen("tcp", "127.0.0.1:0");
	assert_true(l > 0);
	for (int i = 0; i < 3; i++) {
		assert_true(gamp_go(serves, &l) > 0);
		assert_true(gamp_go(dials, &l) > 0);
	}
	assert_true(host_until(&ended, 6));
	assert_int_equal(gamp_close(l), 0);
	end_guest();
}

static void an_idle_host_is_left_alone(void **state)
{
	struct rusage a, b;
	gamp_fd r, w;

	(void)state;
	begin_guest();
	assert_true(gamp_go(count, NULL) > 0);
	pair_pipe(&w, &r);
	assert_true(host_until(&ended, 1));
	poll_all();
	(void)getrusage(RUSAGE_SELF, &a);
	assert_false(readable(gamp_now() + 100 * MS));
	(void)getrusage(RUSAGE_SELF, &b);
	assert_true(b.ru_nvcsw - a.ru_nvcsw <= 2);
	close_pair(w, r);
	end_guest();
}

static struct gamp_group group;

static int waits_for_ever(void *arg)
{
	(void)arg;
	return gamp_sleep(GAMP_FOREVER);
}

static void where_the_host_would_wait_it_is_told(void **state)
{
	struct gamp_chan *ch;
	struct gamp_mutex m = { 0 };
	struct gamp_sem sem = { 0 };
	struct gamp_waitgroup wg = { 0 };
	struct gamp_case c;
	int64_t soon;
	int v = 0;

	(void)state;
	begin_guest();
	soon = gamp_now() + LIMIT;
	ch = gamp_chan_new(sizeof(v), 1);
	c = GAMP_RECV(ch, &v);
	assert_int_equal(gamp_chan_recv(ch, &v), -EDEADLK);
	assert_int_equal(gamp_chan_recv_until(ch, &v, soon), -EDEADLK);
	assert_int_equal(gamp_select(&c, 1), -EDEADLK);
	assert_int_equal(gamp_chan_send(ch, &v), 0);
	assert_int_equal(gamp_chan_send(ch, &v), -EDEADLK);
	assert_int_equal(gamp_select(&c, 1), 0);
	assert_int_equal(gamp_chan_free(ch), 0);
	assert_int_equal(gamp_mutex_lock(&m), 0);
	assert_int_equal(gamp_mutex_lock(&m), -EDEADLK);
	assert_int_equal(gamp_mutex_unlock(&m), 0);
	assert_int_equal(gamp_sem_acquire(&sem), -EDEADLK);
	assert_int_equal(gamp_waitgroup_add(&wg, 1), 0);
	assert_int_equal(gamp_waitgroup_wait(&wg), -EDEADLK);
	assert_int_equal(gamp_call(count, NULL), -EDEADLK);
	assert_int_equal(gamp_group_init(&group, 0), 0);
	assert_int_equal(gamp_group_go(&group, waits_for_ever, NULL), 0);
	assert_int_equal(gamp_group_wait(&group), -EDEADLK);
	gamp_group_cancel(&group);
	poll_all();
	assert_int_equal(gamp_group_wait(&group), -ECANCELED);
	end_guest();
}

static int64_t from_thread[4];

static void *as_a_thread(void *arg)
{
	from_thread[0] = gamp_poll(0);
	from_thread[1] = gamp_poll_deadline();
	from_thread[2] = gamp_stop(0);
	from_thread[3] = gamp_poll_fd();
	return arg;
}

static void polls(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_poll(0), -EDEADLK);
	CHECK_EQ(gamp_poll_deadline(), -EDEADLK);
	CHECK_EQ(gamp_stop(0), -EDEADLK);
	CHECK(gamp_poll_fd() >= 0);
	ended++;
}

static void only_the_host_may_poll(void **state)
{
	pthread_t thread;

	(void)state;
	begin_guest();
	assert_int_equal(pthread_create(&thread, NULL, as_a_thread, NULL), 0);
	(void)pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(from_thread[i], -EPERM);
	assert_int_equal(from_thread[3], gamp_poll_fd());
	assert_true(gamp_go(polls, NULL) > 0);
	assert_true(host_until(&ended, 1));
	end_guest();
}

static void options_that_do_not_fit_are_refused(void **state)
{
	const struct gamp_options two = { .guest = true, .maxprocs = 2 };
	const struct gamp_options fake = { .guest = true, .fake_time = true };

	(void)state;
	assert_int_equal(gamp_start(&two), -EINVAL);
	assert_int_equal(gamp_start(&fake), -EINVAL);
	begin_guest();
	assert_int_equal(gamp_maxprocs(0), 1);
	assert_int_equal(gamp_maxprocs(2), -ENOTSUP);
	assert_int_equal(gamp_maxprocs(1), 1);
	end_guest();
	assert_int_equal(gamp_start(NULL), 0);
	assert_int_equal(gamp_poll(0), -ESRCH);
	assert_int_equal(gamp_poll_fd(), -ESRCH);
	assert_int_equal(gamp_stop(0), 0);
}

static bool let_go;

static void does_not_care(void *arg)
{
	(void)arg;
	(void)gamp_uncancellable(true);
	while (!let_go)
		CHECK_EQ(gamp_sleep(MS), 0);
	ended++;
}

static void a_stop_drives_them_until_its_deadline(void **state)
{
	const struct gamp_options quiet = { .guest = true, .quiet = true };

	(void)state;
	let_go = false;
	turns = ended = 0;
	assert_int_equal(gamp_start(&quiet), 0);
	assert_true(gamp_go(does_not_care, NULL) > 0);
	assert_int_equal(gamp_stop(gamp_now() + 30 * MS), -ETIMEDOUT);
	assert_int_equal(ended, 0);
	let_go = true;
	assert_int_equal(gamp_stop(gamp_now() + LIMIT), 0);
	assert_int_equal(ended, 1);
}

static pthread_t home;

static void locks(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_lock_thread(), 0);
	for (int i = 0; i < 100; i++) {
		gamp_yield();
		CHECK(pthread_equal(pthread_self(), home));
	}
	if (ended++ % 2)
		CHECK_EQ(gamp_unlock_thread(), 0);
}

static void the_locked_share_the_host_s_thread(void **state)
{
	const struct gamp_go_options opt = { .lock_thread = true };

	(void)state;
	home = pthread_self();
	begin_guest();
	for (int i = 0; i < 4; i++) {
		assert_true(gamp_go(locks, NULL) > 0);
		assert_true(gamp_go_with(&opt, locks, NULL) > 0);
	}
	assert_true(host_until(&ended, 8));
	end_guest();
}

static void looks_around(void *arg)
{
	static const int wanted[] = { SIGUSR1 };
	char name[] = "true", *argv[] = { name, NULL };
	struct gamp_process child;
	int status, null = open("/dev/null", O_WRONLY);
	gamp_fd s = gamp_signal_open(wanted, 1);

	(void)arg;
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(gamp_signal_next(s), SIGUSR1);
	CHECK_EQ(gamp_close(s), 0);
	CHECK_EQ(gamp_spawn(&child, NULL, name, argv), 0);
	CHECK_EQ(gamp_process_wait(&child, &status), 0);
	CHECK_EQ(gamp_process_close(&child), 0);
	gamp_enter_blocking();
	gamp_leave_blocking();
	CHECK_EQ(gamp_dump(null), 0);
	gamp_rcu_read_lock();
	gamp_rcu_read_unlock();
	CHECK_EQ(gamp_rcu_synchronize(), 0);
	(void)close(null);
	ended++;
}

static void looks_up(void *arg)
{
	gamp_fd fd = gamp_dial("tcp", "localhost:1");

	(void)arg;
	CHECK(fd < 0);
	ended++;
}

static void what_else_there_is_works(void **state)
{
	(void)state;
	begin_guest();
	assert_true(gamp_go(looks_around, NULL) > 0);
	assert_true(gamp_go(looks_up, NULL) > 0);
	assert_true(host_until(&ended, 2));
	end_guest();
}

static atomic_bool enough;

static void *dumps(void *arg)
{
	int null = open("/dev/null", O_WRONLY);

	while (!atomic_load(&enough))
		if (gamp_dump(null) < 0)
			return NULL;
	(void)close(null);
	return arg;
}

static void works_and_yields(void *arg)
{
	for (int i = 0; i < LAPS; i++) {
		spin(500);
		(void)gamp_checkpoint();
		if (i % 16 == 0)
			gamp_yield();
		if (i % 256 == 0)
			CHECK_EQ(gamp_sleep(MS / 10), 0);
	}
	(void)arg;
	ended++;
}

static void a_thread_may_stop_the_world(void **state)
{
	pthread_t thread;
	void *result;

	(void)state;
	begin_guest();
	atomic_store(&enough, false);
	for (int i = 0; i < 3; i++)
		assert_true(gamp_go(works_and_yields, NULL) > 0);
	assert_int_equal(pthread_create(&thread, NULL, dumps, &enough), 0);
	assert_true(host_until(&ended, 3));
	atomic_store(&enough, true);
	(void)pthread_join(thread, &result);
	assert_non_null(result);
	end_guest();
}

static int one_more(const struct gamp_view *view, void *arg)
{
	CHECK(view->id > 0);
	++*(int *)arg;
	return 0;
}

static void stops_the_world(void *arg)
{
	int n = 0;

	(void)arg;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(gamp_stop_world(), 0);
		CHECK_EQ(gamp_walk(one_more, &n), 0);
		CHECK_EQ(gamp_start_world(), 0);
		gamp_yield();
	}
	CHECK(n >= 20);
	ended++;
}

/* While it stands still gamp_poll finds nothing to do. */
static void the_host_and_goroutines_stop_the_world(void **state)
{
	int n = 0;

	(void)state;
	begin_guest();
	for (int i = 0; i < 3; i++)
		assert_true(gamp_go(stops_the_world, NULL) > 0);
	assert_int_equal(gamp_poll(2), 1);
	assert_int_equal(gamp_stop_world(), 0);
	assert_int_equal(gamp_walk(one_more, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(gamp_poll(0), 0);
	assert_false(readable(0));
	assert_int_equal(gamp_start_world(), 0);
	assert_true(readable(0));
	assert_true(host_until(&ended, 3));
	end_guest();
}

static void is_main(void *arg)
{
	(void)arg;
	home = pthread_self();
	CHECK_EQ(threads(), 1);
	for (int i = 0; i < 3; i++)
		CHECK(gamp_go(sleeps, (void *)(intptr_t)MS) > 0);
	AWAIT(ended == 3);
	CHECK(pthread_equal(pthread_self(), home));
}

static void gamp_run_can_be_the_host(void **state)
{
	(void)state;
	turns = ended = 0;
	assert_int_equal(gamp_run(is_main, NULL, &as_guest), 0);
	assert_true(pthread_equal(pthread_self(), home));
	if (failed.count)
		fail_msg("%s", failed.text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(they_run_in_gamp_poll_and_nowhere_else),
		TEST(there_is_no_thread_but_the_host_s),
		TEST(gamp_run_can_be_the_host),
		TEST(a_poll_gives_as_many_turns_as_it_is_asked_for),
		TEST(who_computes_does_not_keep_the_host),
		TEST(who_yields_for_ever_does_not_keep_the_host),
		TEST(the_deadline_is_that_of_the_next_timer),
		TEST(sockets_work),
		TEST(an_idle_host_is_left_alone),
		TEST(the_locked_share_the_host_s_thread),
		TEST(a_stop_drives_them_until_its_deadline),
		TEST(options_that_do_not_fit_are_refused),
		TEST(only_the_host_may_poll),
		TEST(threads_wake_the_host),
		TEST(a_thread_s_timer_wakes_the_host),
		TEST(where_the_host_would_wait_it_is_told),
		TEST(a_thread_may_stop_the_world),
		TEST(the_host_and_goroutines_stop_the_world),
		TEST(what_else_there_is_works),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
