/* SPDX-License-Identifier: MIT */
/*
 * test_dir.c - every state x every event of dir.h's table, one row each.
 *
 * Races are model_dir.cpp's business; this file pins the table itself.
 */
#include <errno.h>

#include "netpoll/dir.h"
#include "tests/test.h"

#define G      ((struct g *)(uintptr_t)65536)
#define PARKED ((uintptr_t)65536)
#define STOP   1u

enum event {
	PREPARE,
	PREPARE_STOPPED,
	COMMIT,
	FINISH,
	RESET,
	ARM,
	ARM_STOPPED,
	NOTIFY,
	EVICT,
	EVICT_G,
	DISARM,
};

static const struct row {
	uintptr_t from;
	enum event ev;
	uintptr_t to;
	intptr_t ret; /* as returned; pointers cast */
} table[] = {
	{ DIR_NIL, PREPARE, DIR_WAIT, -EAGAIN },
	{ DIR_READY, PREPARE, DIR_NIL, 0 },
	{ DIR_NIL, PREPARE_STOPPED, DIR_NIL, -ECANCELED },
	{ DIR_READY, PREPARE_STOPPED, DIR_NIL, 0 },
	{ DIR_WAIT, COMMIT, PARKED, true },
	{ DIR_READY, COMMIT, DIR_READY, false },
	{ DIR_NIL, COMMIT, DIR_NIL, false },
	{ DIR_READY, FINISH, DIR_NIL, true },
	{ DIR_NIL, FINISH, DIR_NIL, false },
	{ DIR_WAIT, FINISH, DIR_NIL, false },
	{ DIR_NIL, RESET, DIR_NIL, 0 },
	{ DIR_READY, RESET, DIR_NIL, 0 },
	{ DIR_NIL, ARM, DIR_ARMED, -EAGAIN },
	{ DIR_READY, ARM, DIR_NIL, 0 },
	{ DIR_NIL, ARM_STOPPED, DIR_NIL, 0 },
	{ DIR_READY, ARM_STOPPED, DIR_NIL, 0 },
	{ DIR_NIL, NOTIFY, DIR_READY, 0 },
	{ DIR_READY, NOTIFY, DIR_READY, 0 },
	{ DIR_WAIT, NOTIFY, DIR_READY, 0 },
	{ PARKED, NOTIFY, DIR_READY, (intptr_t)PARKED },
	{ DIR_ARMED, NOTIFY, DIR_NIL, DIR_ARMED },
	{ DIR_NIL, EVICT, DIR_NIL, 0 },
	{ DIR_READY, EVICT, DIR_READY, 0 },
	{ DIR_WAIT, EVICT, DIR_NIL, 0 },
	{ PARKED, EVICT, DIR_NIL, (intptr_t)PARKED },
	{ DIR_ARMED, EVICT, DIR_NIL, DIR_ARMED },
	{ DIR_NIL, EVICT_G, DIR_NIL, false },
	{ DIR_READY, EVICT_G, DIR_READY, false },
	{ DIR_WAIT, EVICT_G, DIR_NIL, false },
	{ PARKED, EVICT_G, DIR_NIL, true },
	{ (uintptr_t)131072, EVICT_G, (uintptr_t)131072, false },
	{ DIR_ARMED, EVICT_G, DIR_ARMED, false },
	{ DIR_NIL, DISARM, DIR_NIL, false },
	{ DIR_READY, DISARM, DIR_READY, false },
	{ PARKED, DISARM, PARKED, false },
	{ DIR_ARMED, DISARM, DIR_NIL, true },
};

static intptr_t apply(struct dir *d, enum event ev)
{
	rt_a32 info = { 0 };

	if (ev == PREPARE_STOPPED || ev == ARM_STOPPED)
		rt_store_relaxed(&info, STOP);
	switch (ev) {
	case PREPARE:
	case PREPARE_STOPPED:
		return dir_prepare(d, &info, STOP);
	case COMMIT:
		return dir_commit(d, G);
	case FINISH:
		return dir_finish(d);
	case RESET:
		dir_reset(d);
		return 0;
	case ARM:
	case ARM_STOPPED:
		return dir_arm(d, &info, STOP);
	case NOTIFY:
		return (intptr_t)dir_notify(d);
	case EVICT:
		return (intptr_t)dir_evict(d);
	case EVICT_G:
		return dir_evict_g(d, G);
	case DISARM:
		return dir_disarm(d);
	}
	return -EINVAL;
}

static void every_row_of_the_table_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(table); i++) {
		const struct row *r = &table[i];
		struct dir d = { 0 };

		rt_store_relaxed(&d.sem, r->from);
		if (apply(&d, r->ev) != r->ret ||
		    rt_load_relaxed(&d.sem) != r->to)
			fail_msg("row %zu does not hold", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_row_of_the_table_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
