/* SPDX-License-Identifier: MIT */
/* test_defer.c - what a goroutine deferred, on every way out. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/net_util.h"

/* What happened, as text: one letter for each event of one goroutine. */
static char said[64];
static atomic_int over, ran;

static void say(const char *what)
{
	if (strlen(said) + strlen(what) < sizeof(said))
		strcat(said, what);
}

static void say_it(void *arg)
{
	say(arg);
}

static void later(gamp_fn *fn, const char *what)
{
	CHECK_EQ(gamp_defer(fn, (void *)(uintptr_t)what), 0);
}

static void is_over(void *arg)
{
	(void)arg;
	atomic_store(&over, 1);
}

/* Runs fn as a goroutine that has begun by deferring "over". */
static void expect(gamp_fn *fn, const char *what)
{
	said[0] = '\0';
	atomic_store(&over, 0);
	CHECK(gamp_go(fn, NULL) > 0);
	AWAIT(atomic_load(&over));
	CHECK(strcmp(said, what) == 0);
}

static void watch(void)
{
	CHECK_EQ(gamp_defer(is_over, NULL), 0);
}

static void three(void *arg)
{
	watch();
	later(say_it, "1");
	later(say_it, "2");
	later(say_it, "3");
	say("body ");
	if (arg)
		gamp_exit();
}

static void three_by_exit(void *arg)
{
	(void)arg;
	three(&over);
	say("not reached");
}

static void order_main(void *arg)
{
	(void)arg;
	expect(three, "body 321");
	expect(three_by_exit, "body 321");
}

static void the_last_one_deferred_is_called_first(void **state)
{
	(void)state;
	run(order_main);
	run_one(order_main);
}

static void say_and_exit(void *arg)
{
	say(arg);
	gamp_exit();
	say("not reached");
}

static void exit_below(volatile int depth, void *arg)
{
	if (depth > 0)
		exit_below(depth - 1, arg);
	else if (depth == 0)
		say_and_exit(arg);
	say("not reached");
}

static void exit_from_below(void *arg)
{
	exit_below(20, arg);
}

static void exits(void *arg)
{
	watch();
	later(say_it, "1");
	later(say_and_exit, "2");
	later(exit_from_below, "3");
	later(say_it, "4");
	say("body ");
	if (arg)
		gamp_exit();
}

static void exits_by_exit(void *arg)
{
	(void)arg;
	exits(&over);
	say("not reached");
}

static void exit_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		expect(exits, "body 4321");
		expect(exits_by_exit, "body 4321");
	}
}

static void exit_in_a_deferred_call_goes_on_with_the_rest(void **state)
{
	(void)state;
	run(exit_main);
	run_one(exit_main);
}

static void defer_two(void *arg)
{
	say("(");
	CHECK_EQ(gamp_defer(say_it, arg), 0);
	later(say_it, "b");
	say(")");
}

static void defer_and_exit(void *arg)
{
	CHECK_EQ(gamp_defer(say_it, arg), 0);
	gamp_exit();
}

static void nested(void *arg)
{
	(void)arg;
	watch();
	later(say_it, "1");
	later(defer_two, "a");
	later(defer_and_exit, "c");
	later(say_it, "2");
}

static void nested_main(void *arg)
{
	(void)arg;
	expect(nested, "2c()ba1");
}

static void a_deferred_call_defers_more(void **state)
{
	(void)state;
	run(nested_main);
}

#if defined(RT_TSAN) /* it forgets to take jumps off its call stacks */
enum { MANY = 10000 };
#else
enum { MANY = 100000 };
#endif

/* Each must come after the one that was deferred later; none may lie deeper on
 * the stack than the one before it. */
static struct {
	intptr_t next;
	uintptr_t stack;
	bool exits;
} count;

static void count_down(void *arg)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	CHECK_EQ(--count.next, (intptr_t)arg);
	CHECK(count.stack == 0 || count.stack == here);
	count.stack = here;
	if (count.exits && count.next % 2)
		gamp_exit();
}

static void defer_many(void *arg)
{
	(void)arg;
	watch();
	for (count.next = 0; count.next < MANY; count.next++)
		CHECK_EQ(gamp_defer(count_down, (void *)count.next), 0);
	count.stack = 0;
}

static void many_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		count.exits = i == 1;
		expect(defer_many, "");
		CHECK_EQ(count.next, 0);
	}
}

static void deferring_in_a_loop_is_fine(void **state)
{
	(void)state;
	run(many_main);
}

/* One record that comes and goes where a block ends. */
static void again(void *arg)
{
	if (--count.next > 0)
		CHECK_EQ(gamp_defer(again, arg), 0);
}

static void chain(void *arg)
{
	watch();
	for (int i = 0; i < 2 + (int)(intptr_t)arg; i++)
		later(say_it, "");
	count.next = MANY;
	CHECK_EQ(gamp_defer(again, NULL), 0);
}

static void chain_main(void *arg)
{
	(void)arg;
	expect(chain, "");
	CHECK_EQ(count.next, 0);
}

static void a_deferred_call_that_defers_itself_takes_no_room(void **state)
{
	(void)state;
	run(chain_main);
}

static struct gamp_chan *ping, *pong;
static int64_t who;

static void park_a_bit(void *arg)
{
	int x = 0;

	CHECK_EQ(gamp_self(), who);
	CHECK_EQ(gamp_sleep(GAMP_MICROSECOND), 0);
	CHECK_EQ(gamp_chan_send(ping, &(int){ 7 }), 0);
	CHECK_EQ(gamp_chan_recv(pong, &x), 0);
	CHECK_EQ(x, 8);
	CHECK_EQ(gamp_self(), who);
	for (int i = 0; i < 10; i++)
		gamp_yield();
	say(arg);
}

static void answer(void *arg)
{
	int x;

	(void)arg;
	while (gamp_chan_recv(ping, &x) == 0) {
		x++;
		CHECK_EQ(gamp_chan_send(pong, &x), 0);
	}
}

static void parks(void *arg)
{
	(void)arg;
	who = gamp_self();
	watch();
	later(park_a_bit, "1");
	later(park_a_bit, "2");
	gamp_exit();
}

static void park_main(void *arg)
{
	int64_t id;

	(void)arg;
	ping = gamp_chan_new(sizeof(int), 0);
	pong = gamp_chan_new(sizeof(int), 0);
	id = gamp_go(answer, NULL);
	expect(parks, "21");
	CHECK_EQ(gamp_chan_close(ping), 0);
	AWAIT(!g_find(id));
	CHECK_EQ(gamp_chan_free(ping), 0);
	CHECK_EQ(gamp_chan_free(pong), 0);
}

static void a_deferred_call_parks_in_its_goroutine(void **state)
{
	(void)state;
	run(park_main);
	run_one(park_main);
}

static void clean_up(void *arg)
{
	(void)arg;
	CHECK(gamp_cancelled());
	CHECK_EQ(gamp_sleep(1), -ECANCELED);
	CHECK(!gamp_uncancellable(true));
	CHECK_EQ(gamp_sleep(1), 0);
	CHECK(gamp_uncancellable(false));
	CHECK_EQ(gamp_sleep(1), -ECANCELED);
}

static void victim(void *arg)
{
	(void)arg;
	watch();
	CHECK_EQ(gamp_defer(clean_up, NULL), 0);
	CHECK_EQ(gamp_sleep(3600 * GAMP_SECOND), -ECANCELED);
}

static void cancel_main(void *arg)
{
	int64_t id;

	(void)arg;
	atomic_store(&over, 0);
	id = gamp_go(victim, NULL);
	CHECK_EQ(gamp_cancel(id), 0);
	AWAIT(atomic_load(&over));
	AWAIT(gamp_cancel(id) == -ESRCH);
}

static void clean_up_of_a_cancelled_goroutine_says_what_may_wait(void **state)
{
	(void)state;
	run(cancel_main);
}

/* Main's own. */

static void note_rest(void *arg)
{
	/* Nobody was cancelled for main's return yet. */
	CHECK(!gamp_cancelled());
	CHECK_EQ(gamp_sleep(GAMP_MILLISECOND), 0);
	CHECK_EQ(atomic_fetch_add(&ran, 1), (int)(intptr_t)arg);
}

static void rest_of_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_defer(note_rest, (void *)1), 0);
	CHECK_EQ(gamp_defer(note_rest, (void *)0), 0);
}

static void exit_of_main(void *arg)
{
	rest_of_main(arg);
	gamp_exit();
}

static void main_exits_like_any_other(void **state)
{
	(void)state;
	atomic_store(&ran, 0);
	run(rest_of_main);
	assert_int_equal(atomic_exchange(&ran, 0), 2);
	run(exit_of_main);
	assert_int_equal(atomic_load(&ran), 2);
}

static void never(void *arg)
{
	(void)arg;
	CHECK(false);
}

static void bad_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_defer(NULL, NULL), -EINVAL);
}

static void bad_calls_are_answered(void **state)
{
	(void)state;
	assert_int_equal(gamp_defer(never, NULL), -EPERM);
	assert_int_equal(gamp_defer(NULL, NULL), -EINVAL);
	run(bad_main);
}

/* Memory runs out: the linker wraps malloc (CMakeLists.txt), where no
 * sanitizer does. */

static atomic_int no_memory;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

#ifdef WRAPPED
void *__wrap_malloc(size_t n)
{
	return atomic_load(&no_memory) ? NULL : __real_malloc(n);
}
enum { WRAPS = 1 };
#else
enum { WRAPS = 0 };
#endif

static void starved(void *arg)
{
	int n = 0;

	(void)arg;
	atomic_store(&no_memory, 1);
	CHECK_EQ(gamp_defer(never, NULL), -ENOMEM);
	atomic_store(&no_memory, 0);
	watch();
	atomic_store(&no_memory, 1);
	while (gamp_defer(say_it, (void *)(uintptr_t)"x") == 0)
		n++;
	CHECK_EQ(gamp_defer(never, NULL), -ENOMEM);
	atomic_store(&no_memory, 0);
	CHECK(n < 10);
	later(say_it, "y");
	while (n++ < 9)
		later(say_it, "x");
}

static void starved_main(void *arg)
{
	(void)arg;
	expect(starved, "xxxxxxxyxx");
}

static void without_memory_all_is_as_before(void **state)
{
	(void)state;
	if (WRAPS)
		run(starved_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_one_deferred_is_called_first),
		TEST(exit_in_a_deferred_call_goes_on_with_the_rest),
		TEST(a_deferred_call_defers_more),
		TEST(deferring_in_a_loop_is_fine),
		TEST(a_deferred_call_that_defers_itself_takes_no_room),
		TEST(a_deferred_call_parks_in_its_goroutine),
		TEST(clean_up_of_a_cancelled_goroutine_says_what_may_wait),
		TEST(main_exits_like_any_other),
		TEST(bad_calls_are_answered),
		TEST(without_memory_all_is_as_before),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
