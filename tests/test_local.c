/* SPDX-License-Identifier: MIT */
/* test_local.c - values of goroutines: slots, keys, destructors. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gamp/gamp.h>

#include "base/san.h"
#include "tests/net_util.h"

enum { KEYS_MAX = 1024, CROWD = 500 };

static atomic_int over;

static void *as_ptr(int64_t x)
{
	return (void *)(intptr_t)x;
}

static int set(struct gamp_key key, const char *text)
{
	return gamp_local_set(key, (void *)(uintptr_t)text);
}

static void go_and_wait(gamp_fn *fn, void *arg)
{
	int64_t id = gamp_go(fn, arg);

	CHECK(id > 0);
	AWAIT(!g_find(id));
}

static void use_slots(void *arg)
{
	void **slots = gamp_slots();

	(void)arg;
	for (int i = 0; i < GAMP_SLOTS; i++) {
		CHECK(slots[i] == NULL);
		slots[i] = as_ptr(gamp_self() + i);
	}
	gamp_yield();
	(void)gamp_sleep(1);
	CHECK(gamp_slots() == slots);
	for (int i = 0; i < GAMP_SLOTS; i++)
		CHECK(slots[i] == as_ptr(gamp_self() + i));
	atomic_fetch_add(&over, 1);
}

static void slots_main(void *arg)
{
	(void)arg;
	for (int round = 1; round <= 5; round++) {
		for (int i = 0; i < CROWD; i++)
			CHECK(gamp_go(use_slots, NULL) > 0);
		AWAIT(atomic_load(&over) == round * CROWD);
	}
}

static void slots_begin_as_null_and_stay_where_they_are(void **state)
{
	(void)state;
	assert_null(gamp_slots());
	atomic_store(&over, 0);
	run(slots_main);
}

static struct gamp_key keys[KEYS_MAX];

static void use_keys(void *arg)
{
	(void)arg;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++) {
			int64_t mine = gamp_self() + i + round;

			CHECK(gamp_local_get(keys[i]) ==
			    (round ? as_ptr(mine - 1) : NULL));
			CHECK_EQ(gamp_local_set(keys[i], as_ptr(mine)), 0);
		}
		gamp_yield();
	}
	CHECK_EQ(gamp_local_set(keys[3], NULL), 0);
	CHECK(gamp_local_get(keys[3]) == NULL);
	CHECK(gamp_local_get(keys[4]) != NULL);
	atomic_fetch_add(&over, 1);
}

static void keys_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(gamp_key_new(&keys[i], NULL), 0);
	for (int i = 0; i < CROWD; i++)
		CHECK(gamp_go(use_keys, NULL) > 0);
	AWAIT(atomic_load(&over) == CROWD);
	for (int i = 0; i < 8; i++) {
		CHECK(gamp_local_get(keys[i]) == NULL);
		CHECK_EQ(gamp_key_free(keys[i]), 0);
	}
}

static void each_goroutine_has_its_own_values(void **state)
{
	(void)state;
	atomic_store(&over, 0);
	run(keys_main);
	atomic_store(&over, 0);
	run_one(keys_main);
}

/* What happened to one goroutine, as text. */
static char said[64], deferred[] = "d";

static void say(const char *what)
{
	if (strlen(said) + strlen(what) < sizeof(said))
		strcat(said, what);
}

static void say_it(void *arg)
{
	say(arg);
}

static void said_all(gamp_fn *fn, const char *what)
{
	said[0] = '\0';
	go_and_wait(fn, NULL);
	CHECK(strcmp(said, what) == 0);
}

static void leave_some(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_defer(say_it, deferred), 0);
	CHECK_EQ(set(keys[0], "a"), 0);
	CHECK_EQ(set(keys[1], "b"), 0);
	CHECK_EQ(set(keys[1], "B"), 0);
	CHECK_EQ(set(keys[2], "c"), 0);
	CHECK_EQ(gamp_local_set(keys[2], NULL), 0);
	CHECK_EQ(set(keys[3], "no destructor"), 0);
	say("body ");
}

static void leave_by_exit(void *arg)
{
	leave_some(arg);
	gamp_exit();
}

static void destroy_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		CHECK_EQ(gamp_key_new(&keys[i], i == 3 ? NULL : say_it), 0);
	said_all(leave_some, "body daB");
	said_all(leave_by_exit, "body daB");
	for (int i = 0; i < 4; i++)
		CHECK_EQ(gamp_key_free(keys[i]), 0);
}

static void what_is_not_null_is_destroyed_after_the_deferred(void **state)
{
	(void)state;
	run(destroy_main);
}

static void set_again(void *arg)
{
	say_it(arg);
	CHECK(gamp_local_get(keys[0]) == NULL);
	CHECK_EQ(gamp_local_set(keys[0], arg), 0);
}

static void set_other(void *arg)
{
	say("o");
	CHECK_EQ(gamp_local_set(keys[200], arg), 0); /* moves the table */
}

static void four_rounds(void *arg)
{
	(void)arg;
	CHECK_EQ(set(keys[0], "x"), 0);
}

static void one_round_more(void *arg)
{
	(void)arg;
	CHECK_EQ(set(keys[201], "y"), 0);
}

static void rounds_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 202; i++)
		CHECK_EQ(gamp_key_new(&keys[i],
			     i == 0 ? set_again :
			     i == 201 ? set_other : say_it),
		    0);
	said_all(four_rounds, "xxxx");
	said_all(one_round_more, "oy");
	for (int i = 0; i < 202; i++)
		CHECK_EQ(gamp_key_free(keys[i]), 0);
}

static void values_set_by_destructors_are_destroyed_four_times(void **state)
{
	(void)state;
	run(rounds_main);
}

static void destroy_hard(void *arg)
{
	say("(");
	CHECK_EQ(gamp_sleep(1), 0);
	CHECK_EQ(gamp_defer(say_it, deferred), 0);
	say_it(arg);
	gamp_exit();
	say("not reached");
}

static void hard_values(void *arg)
{
	(void)arg;
	CHECK_EQ(set(keys[0], "a"), 0);
	CHECK_EQ(set(keys[1], "b"), 0);
	CHECK_EQ(set(keys[2], "c"), 0);
}

static void hard_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(gamp_key_new(&keys[i], i == 2 ? say_it : destroy_hard),
		    0);
	said_all(hard_values, "(ad(bdc");
	for (int i = 0; i < 3; i++)
		CHECK_EQ(gamp_key_free(keys[i]), 0);
}

static void a_destructor_may_park_and_defer_and_exit(void **state)
{
	(void)state;
	run(hard_main);
	run_one(hard_main);
}

static void stale_main(void *arg)
{
	struct gamp_key old, new;

	(void)arg;
	CHECK_EQ(gamp_key_new(&old, say_it), 0);
	CHECK_EQ(set(old, "old"), 0);
	CHECK_EQ(gamp_key_free(old), 0);
	CHECK_EQ(gamp_key_free(old), -EINVAL);
	CHECK_EQ(set(old, "older"), -EINVAL);
	CHECK(gamp_local_get(old) == NULL);
	CHECK_EQ(gamp_key_new(&new, say_it), 0);
	CHECK(new.index == old.index && new.seq != old.seq);
	CHECK(gamp_local_get(new) == NULL);
	CHECK(gamp_local_get(old) == NULL);
	CHECK_EQ(set(new, "new"), 0);
	CHECK(gamp_local_get(old) == NULL);
	CHECK_EQ(set(old, "older"), -EINVAL);
	CHECK_EQ(gamp_key_free(old), -EINVAL);
	CHECK(strcmp(gamp_local_get(new), "new") == 0);
	CHECK_EQ(gamp_key_free(new), 0);
}

static struct gamp_key of_old;

static void keep_an_old_value(void *arg)
{
	(void)arg;
	CHECK_EQ(set(of_old, "old"), 0);
	CHECK_EQ(gamp_key_free(of_old), 0);
	CHECK_EQ(gamp_key_new(&of_old, say_it), 0);
}

static void old_value_main(void *arg)
{
	stale_main(arg);
	CHECK_EQ(gamp_key_new(&of_old, say_it), 0);
	said_all(keep_an_old_value, "");
	CHECK_EQ(gamp_key_free(of_old), 0);
}

static void a_freed_key_is_none_for_ever(void **state)
{
	(void)state;
	run(old_value_main);
}

static void no_key_main(void *arg)
{
	struct gamp_key none = { 0 }, any;

	(void)arg;
	CHECK(gamp_local_get(none) == NULL);
	CHECK_EQ(set(none, "x"), -EINVAL);
	for (int i = 0; i < 10000; i++) {
		uint64_t x = random64();

		any = (struct gamp_key){ (uint32_t)x, (uint32_t)(x >> 32) };
		if (i % 2)
			any.index %= KEYS_MAX;
		if (i % 4 > 1)
			any.seq = 0;
		CHECK(gamp_local_get(any) == NULL);
		CHECK_EQ(set(any, "x"), -EINVAL);
		CHECK_EQ(gamp_key_free(any), -EINVAL);
	}
}

static void any_bits_are_safe_as_a_key(void **state)
{
	struct gamp_key none = { 0 }, key;

	(void)state;
	assert_int_equal(gamp_key_free(none), -EINVAL);
	assert_int_equal(gamp_key_new(NULL, NULL), -EINVAL);
	assert_int_equal(gamp_key_new(&key, NULL), 0);
	assert_null(gamp_local_get(key));
	assert_int_equal(gamp_local_set(key, &key), -EPERM);
	assert_int_equal(gamp_key_free(key), 0);
	run(no_key_main);
}

static void all_values(void *arg)
{
	(void)arg;
	for (int i = KEYS_MAX - 1; i >= 0; i--)
		CHECK_EQ(gamp_local_set(keys[i], &keys[i]), 0);
	for (int i = 0; i < KEYS_MAX; i++)
		CHECK(gamp_local_get(keys[i]) == &keys[i]);
}

static void count_one(void *arg)
{
	(void)arg;
	atomic_fetch_add(&over, 1);
}

static void all_main(void *arg)
{
	struct gamp_key more;

	(void)arg;
	for (int i = 0; i < KEYS_MAX; i++)
		CHECK_EQ(gamp_key_new(&keys[i], count_one), 0);
	CHECK_EQ(gamp_key_new(&more, NULL), -EAGAIN);
	go_and_wait(all_values, NULL);
	CHECK_EQ(atomic_load(&over), KEYS_MAX);
	CHECK_EQ(gamp_key_free(keys[777]), 0);
	CHECK_EQ(gamp_key_new(&more, NULL), 0);
	CHECK_EQ(more.index, keys[777].index);
	CHECK_EQ(gamp_key_free(more), 0);
	for (int i = 0; i < KEYS_MAX; i++)
		CHECK_EQ(gamp_key_free(keys[i]), i == 777 ? -EINVAL : 0);
}

static void there_are_1024_keys(void **state)
{
	(void)state;
	atomic_store(&over, 0);
	run(all_main);
}

/*
 * Keys come and go while goroutines exit with values of them: a destructor
 * only ever gets a value of its own key.  The value says whose it is.
 */
enum { LANES = 4, TURNS = 300 };

static struct lane {
	atomic_int made, destroyed;
} lanes[LANES];

#define DESTROY(n)                                             \
	static void destroy_##n(void *value)                   \
	{                                                      \
		CHECK(value == &lanes[n]);                     \
		(void)atomic_fetch_add(&lanes[n].destroyed, 1); \
	}
DESTROY(0) DESTROY(1) DESTROY(2) DESTROY(3)

static gamp_fn *const destroys[LANES] = {
	destroy_0, destroy_1, destroy_2, destroy_3,
};

struct visit {
	struct gamp_key key;
	struct lane *lane;
	atomic_int set;
};

static void visitor(void *arg)
{
	struct visit *v = arg;

	if (gamp_local_set(v->key, v->lane) == 0)
		atomic_store(&v->set, 1);
	gamp_yield();
	atomic_fetch_sub(&over, 1);
}

static void run_lane(void *arg)
{
	int n = (int)(intptr_t)arg;

	for (int i = 0; i < TURNS; i++) {
		struct visit v = { .lane = &lanes[n] };
		int64_t id;

		CHECK_EQ(gamp_key_new(&v.key, destroys[n]), 0);
		atomic_fetch_add(&over, 1);
		id = gamp_go(visitor, &v);
		if (i % 3)
			gamp_yield();
		if (i % 2) /* the goroutine finds it freed, or just not yet */
			CHECK_EQ(gamp_key_free(v.key), 0);
		AWAIT(!g_find(id));
		if (i % 2 == 0) {
			CHECK_EQ(gamp_key_free(v.key), 0);
			lanes[n].made++;
		}
	}
	atomic_fetch_sub(&over, 1);
}

static void churn_main(void *arg)
{
	(void)arg;
	atomic_store(&over, LANES);
	for (intptr_t i = 0; i < LANES; i++)
		CHECK(gamp_go(run_lane, (void *)i) > 0);
	AWAIT(atomic_load(&over) == 0);
	for (int i = 0; i < LANES; i++)
		CHECK(lanes[i].destroyed >= lanes[i].made);
}

static void a_destructor_only_gets_values_of_its_key(void **state)
{
	(void)state;
	run(churn_main);
}

/* Memory runs out: the linker wraps malloc and realloc (CMakeLists.txt),
 * where no sanitizer does. */

static atomic_int no_memory;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);

#ifdef WRAPPED
void *__wrap_malloc(size_t n)
{
	return atomic_load(&no_memory) ? NULL : __real_malloc(n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return atomic_load(&no_memory) ? NULL : __real_realloc(p, n);
}
enum { WRAPS = 1 };
#else
enum { WRAPS = 0 };
#endif

static void starved(void *arg)
{
	(void)arg;
	atomic_store(&no_memory, 1);
	CHECK_EQ(set(keys[0], "no"), -ENOMEM);
	CHECK_EQ(gamp_local_set(keys[0], NULL), 0);
	CHECK(gamp_local_get(keys[0]) == NULL);
	atomic_store(&no_memory, 0);
	CHECK_EQ(set(keys[0], "a"), 0);
	atomic_store(&no_memory, 1);
	CHECK_EQ(set(keys[19], "no"), -ENOMEM);
	CHECK_EQ(set(keys[1], "b"), 0); /* there is room */
	atomic_store(&no_memory, 0);
	CHECK(gamp_local_get(keys[19]) == NULL);
	CHECK_EQ(set(keys[18], "c"), 0);
}

static void starved_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++)
		CHECK_EQ(gamp_key_new(&keys[i], say_it), 0);
	said_all(starved, "abc");
	for (int i = 0; i < 20; i++)
		CHECK_EQ(gamp_key_free(keys[i]), 0);
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
		TEST(slots_begin_as_null_and_stay_where_they_are),
		TEST(each_goroutine_has_its_own_values),
		TEST(what_is_not_null_is_destroyed_after_the_deferred),
		TEST(values_set_by_destructors_are_destroyed_four_times),
		TEST(a_destructor_may_park_and_defer_and_exit),
		TEST(a_freed_key_is_none_for_ever),
		TEST(any_bits_are_safe_as_a_key),
		TEST(there_are_1024_keys),
		TEST(a_destructor_only_gets_values_of_its_key),
		TEST(without_memory_all_is_as_before),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
