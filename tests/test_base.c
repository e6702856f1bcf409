/* SPDX-License-Identifier: MIT */
/* test_base.c - stacks, slabs, timers and run queues by themselves. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/san.h"
#include "base/slab.h"
#include "base/vm.h"
#include "sched/runq.h"
#include "sched/timer.h"
#include "tests/test.h"

#ifdef RT_TSAN
#define TRIMS false /* a slot keeps its fiber */
#else
#define TRIMS true
#endif

static void arena_up(uint32_t max, enum arena_guard guard)
{
	struct arena_options o = {
		.ctl_size = 300, .slots_max = max, .guard = guard
	};

	assert_int_equal(arena_init(&o), 0);
}

static uint64_t seq_at(void *ctl)
{
	return *(uint64_t *)ctl;
}

static void stacks_of_a_size_do_not_overlap(void **state)
{
	uint32_t refs[100];
	void *lo, *hi, *last = NULL;
	int cls;

	(void)state;
	arena_up(1000, ARENA_GUARD_AUTO);
	cls = arena_class(64 << 10);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(arena_get(cls, &refs[i], 1), 1);
		hi = arena_stack(refs[i], &lo);
		assert_true((char *)hi - (char *)lo > 58 << 10);
		assert_true(!last || lo > last);
		memset(lo, 1, (size_t)((char *)hi - (char *)lo));
		memset(arena_ctl(refs[i]), 2, 300);
		last = (char *)arena_ctl(refs[i]) + 299;
	}
	arena_fini();
}

static void a_size_takes_the_smallest_class_that_holds_it(void **state)
{
	(void)state;
	arena_up(10, ARENA_GUARD_AUTO);
	assert_int_equal(arena_class(1), 0);
	assert_int_equal(arena_class(16 << 10), 0);
	assert_int_equal(arena_class((16 << 10) + 1), 1);
	assert_int_equal(arena_class(64 << 20), ARENA_CLASSES - 1);
	assert_int_equal(arena_class((64 << 20) + 1), -EINVAL);
	arena_fini();
}

static void the_last_slot_put_is_the_first_got(void **state)
{
	uint32_t a[3], b[3];

	(void)state;
	arena_up(10, ARENA_GUARD_AUTO);
	for (int i = 0; i < 3; i++)
		assert_int_equal(arena_get(1, &a[i], 1), 1);
	arena_put(a, 3);
	assert_int_equal(arena_get(1, b, 3), 3);
	assert_int_equal(b[0], a[2]);
	assert_int_equal(b[2], a[0]);
	arena_fini();
}

static void more_slots_than_allowed_are_eagain(void **state)
{
	uint32_t r;

	(void)state;
	arena_up(2, ARENA_GUARD_AUTO);
	assert_int_equal(arena_get(1, &r, 1), 1);
	assert_int_equal(arena_get(2, &r, 1), 1);
	assert_int_equal(arena_get(1, &r, 1), -EAGAIN);
	arena_fini();
}

static void prepared_slots_are_free_and_guarded(void **state)
{
	struct arena_stats s;
	uint32_t r[40];

	(void)state;
	arena_up(80, ARENA_GUARD_AUTO);
	assert_int_equal(arena_prepare(1, 20, true), 0); /* none used yet */
	assert_int_equal(arena_get(1, r, 1), 1);
	assert_int_equal(arena_prepare(1, 20, true), 20);
	assert_int_equal(arena_prepare(1, 20, false), 0);
	assert_int_equal(arena_in_use(1), 1);
	assert_int_equal(arena_get(1, r + 1, 39), 20);
	assert_int_equal(arena_in_use(1), 21);
	for (int i = 0; i < 21; i++)
		for (int k = 0; k < i; k++)
			assert_int_not_equal(r[i], r[k]);
	/* An eighth less.  Their memory is for others to touch. */
	assert_int_equal(arena_prepare(1, 80, false), 70 - 21);
	arena_stats(&s);
	assert_int_equal(s.slots, 70);
	assert_int_equal(s.unguarded, 0);
	arena_fini();
}

static void any_ref_may_be_asked_for(void **state)
{
	uint32_t r;

	(void)state;
	arena_up(10, ARENA_GUARD_AUTO);
	assert_int_equal(arena_get(1, &r, 1), 1);
	assert_true(arena_has(r));
	for (uint32_t i = 0; i < 1u << ARENA_REF_BITS; i += 4097)
		if (i != r)
			assert_false(arena_has(i));
	assert_false(arena_has(UINT32_MAX));
	arena_fini();
}

static void trimmed_slots_read_zero_and_keep_their_number(void **state)
{
	uint32_t refs[200];

	(void)state;
	arena_up(1000, ARENA_GUARD_AUTO);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(arena_get(1, &refs[i], 1), 1);
		*(uint64_t *)arena_ctl(refs[i]) = (uint64_t)i + 7;
	}
	arena_put(refs, 200);
	arena_mark();
	while (arena_trim(16, seq_at))
		;
	if (TRIMS) {
		assert_int_equal(*(uint64_t *)arena_ctl(refs[0]), 0);
		assert_int_equal(arena_seq(refs[0]), 7);
		assert_int_equal(arena_seq(refs[135]), 142);
	}
	/* Those used last stay warm. */
	assert_int_equal(*(uint64_t *)arena_ctl(refs[199]), 206);
	arena_fini();
}

static void slots_used_since_the_mark_are_not_trimmed(void **state)
{
	uint32_t refs[200], again[200];
	struct arena_stats s;

	(void)state;
	arena_up(1000, ARENA_GUARD_AUTO);
	for (int i = 0; i < 200; i++)
		assert_int_equal(arena_get(1, &refs[i], 1), 1);
	arena_put(refs, 200);
	arena_mark();
	assert_int_equal(arena_get(1, again, 200), 200);
	arena_put(again, 200);
	while (arena_trim(1000, seq_at))
		;
	arena_stats(&s);
	assert_int_equal(s.released, 0);
	arena_fini();
}

static void guards_by_force_are_by_mprotect(void **state)
{
	struct arena_stats s;
	uint32_t r;
	void *lo;

	(void)state;
	arena_up(10, ARENA_GUARD_MPROTECT);
	assert_int_equal(arena_get(1, &r, 1), 1);
	arena_stats(&s);
	assert_false(s.guard_madvise);
	assert_int_equal(s.unguarded, 0);
	(void)arena_stack(r, &lo);
	/* mincore says nothing of protection; a system call that reads does. */
	assert_int_equal(vm_commit((char *)lo - vm_page(), vm_page()), 0);
	arena_fini();
}

static void a_slab_keeps_content_over_free_and_new(void **state)
{
	struct slab s;
	int64_t a, b;

	(void)state;
	assert_int_equal(slab_init(&s, RANK_PDCACHE, 64, 2), 0);
	a = slab_new(&s);
	b = slab_new(&s);
	assert_int_equal(slab_new(&s), -ENOMEM);
	strcpy(slab_at(&s, (uint64_t)b), "kept");
	slab_free(&s, (uint32_t)b);
	assert_int_equal(slab_new(&s), b);
	assert_string_equal(slab_at(&s, (uint64_t)b), "kept");
	assert_null(slab_at(&s, 2));
	assert_null(slab_at(&s, UINT64_MAX));
	assert_int_equal(a, 0);
	slab_fini(&s);
}

static struct fired {
	int n;
	int64_t order[10000];
	uint64_t seq[10000];
} fired;

static void note_fired(void *arg, uint64_t seq)
{
	fired.order[fired.n] = *(int64_t *)arg;
	fired.seq[fired.n++] = seq;
}

static struct timers heap;
static struct timer timers[2000];

static void timers_up(void)
{
	memset(&fired, 0, sizeof(fired));
	memset(timers, 0, sizeof(timers));
	assert_int_equal(timers_init(&heap, 4096), 0);
	for (size_t i = 0; i < LEN(timers); i++) {
		timers[i].fn = note_fired;
		timers[i].arg = &timers[i].when;
		timers[i].seq = i;
	}
}

static void timers_fire_in_order_and_once(void **state)
{
	(void)state;
	timers_up();
	for (int i = 0; i < 2000; i++)
		assert_int_equal(
		    timer_start(&heap, &timers[i], (i * 7919) % 2000 + 1), 0);
	assert_int_equal(timers_next(&heap), 1);
	assert_int_equal(timers_run(&heap, 1000), 1000);
	assert_int_equal(timers_next(&heap), 1001);
	assert_int_equal(timers_run(&heap, 5000), 1000);
	assert_int_equal(timers_next(&heap), NEVER);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(fired.order[i], i + 1);
	timers_fini(&heap);
}

static void stop_tells_whether_it_prevented_the_firing(void **state)
{
	(void)state;
	timers_up();
	assert_false(timer_stop(&timers[0]));
	assert_int_equal(timer_start(&heap, &timers[0], 10), 0);
	assert_true(timer_stop(&timers[0]));
	assert_false(timer_stop(&timers[0]));
	assert_int_equal(timer_start(&heap, &timers[0], 10), 0);
	assert_int_equal(timers_run(&heap, 10), 1);
	assert_false(timer_stop(&timers[0]));
	timers_fini(&heap);
}

static void a_timer_moved_later_fires_later_with_its_new_seq(void **state)
{
	(void)state;
	timers_up();
	assert_int_equal(timer_start(&heap, &timers[0], 10), 0);
	assert_int_equal(timer_start(&heap, &timers[1], 20), 0);
	assert_true(timer_reset(&timers[0], 30, 99));
	assert_int_equal(timers_run(&heap, 15), 0);
	assert_int_equal(timers_run(&heap, 25), 1);
	assert_int_equal(timers_run(&heap, 30), 1);
	assert_int_equal(fired.seq[1], 99);
	assert_true(fired.order[0] == 20 && fired.order[1] == 30);
	assert_false(timer_reset(&timers[0], 40, 100));
	timers_fini(&heap);
}

/* Against a plain array, from a seed. */
static void random_operations_keep_the_heap(void **state)
{
	unsigned seed = (unsigned)clock_now();
	int64_t due[200] = { 0 }, now = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	timers_up();
	for (int k = 0; k < 20000; k++) {
		int i = rand() % 200;
		int64_t when = now + 1 + rand() % 50;

		switch (rand() % 4) {
		case 0:
			if (due[i] == 0)
				assert_int_equal(
				    timer_start(&heap, &timers[i], when), 0);
			else
				assert_true(timer_reset(&timers[i], when, 1));
			due[i] = when;
			break;
		case 1:
			assert_int_equal(timer_stop(&timers[i]), due[i] != 0);
			due[i] = 0;
			break;
		default:
			fired.n = 0;
			(void)timers_run(&heap, ++now);
			for (int j = 0; j < fired.n; j++)
				assert_true(fired.order[j] == now);
			for (i = 0; i < 200; i++)
				if (due[i] == now) {
					due[i] = 0;
					fired.n--;
				}
			assert_int_equal(fired.n, 0);
		}
	}
	timers_fini(&heap);
}

static struct task *as_task(uintptr_t i)
{
	return (struct task *)i;
}

static void a_ring_is_first_in_first_out_and_bounded(void **state)
{
	static struct runq q;

	(void)state;
	for (uintptr_t i = 1; i <= RUNQ_SIZE; i++)
		assert_true(runq_put(&q, as_task(i)));
	assert_false(runq_put(&q, as_task(1)));
	for (uintptr_t i = 1; i <= RUNQ_SIZE; i++)
		assert_ptr_equal(runq_get(&q, false), as_task(i));
	assert_null(runq_get(&q, false));
}

static void a_thief_takes_half_rounded_up(void **state)
{
	static struct runq a, b;

	(void)state;
	assert_null(runq_steal(&b, &a));
	for (uintptr_t i = 1; i <= 3; i++)
		assert_true(runq_put(&a, as_task(i)));
	assert_ptr_equal(runq_steal(&b, &a), as_task(2));
	assert_ptr_equal(runq_get(&b, false), as_task(1));
	assert_null(runq_get(&b, false));
	assert_ptr_equal(runq_get(&a, false), as_task(3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stacks_of_a_size_do_not_overlap),
		TEST(a_size_takes_the_smallest_class_that_holds_it),
		TEST(the_last_slot_put_is_the_first_got),
		TEST(more_slots_than_allowed_are_eagain),
		TEST(prepared_slots_are_free_and_guarded),
		TEST(any_ref_may_be_asked_for),
		TEST(trimmed_slots_read_zero_and_keep_their_number),
		TEST(slots_used_since_the_mark_are_not_trimmed),
		TEST(guards_by_force_are_by_mprotect),
		TEST(a_slab_keeps_content_over_free_and_new),
		TEST(timers_fire_in_order_and_once),
		TEST(stop_tells_whether_it_prevented_the_firing),
		TEST(a_timer_moved_later_fires_later_with_its_new_seq),
		TEST(random_operations_keep_the_heap),
		TEST(a_ring_is_first_in_first_out_and_bounded),
		TEST(a_thief_takes_half_rounded_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
