/* SPDX-License-Identifier: MIT */
/*
 * test_embed.c - what a language gets from gamp/embed.h: hooks, stacks of its
 * own, the world stopped for a collector, and the walk over all stacks.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chan_util.h"

#if defined(RT_TSAN)
enum { STOPS = 60, MANY = 300, LAPS = 40 };
#elif defined(RT_ASAN) || defined(RT_HARD)
enum { STOPS = 100, MANY = 2000, LAPS = 200 };
#else
enum { STOPS = 400, MANY = 20000, LAPS = 1000 };
#endif

/* ---- a world of goroutines that all do something ----------------------- */

enum { WORKERS = 12 };

static struct worker {
	_Alignas(64) uint64_t n; /* written without any order */
	void (*step)(struct worker *w);
	struct gamp_chan *ch;
} workers[WORKERS];

static atomic_bool over_now;
static atomic_int alive;

static void compute(struct worker *w)
{
	spin(2000);
	(void)w;
	(void)gamp_checkpoint();
}

static void compute_long(struct worker *w)
{
	(void)w;
	for (int i = 0; i < 400 && !atomic_load(&over_now); i++) {
		spin(2000);
		(void)gamp_self(); /* no way into the runtime */
	}
	(void)gamp_checkpoint();
}

static void yield(struct worker *w)
{
	(void)w;
	gamp_yield();
}

static void pause_short(struct worker *w)
{
	(void)w;
	(void)gamp_sleep(20 * GAMP_MICROSECOND);
}

static void send_self(struct worker *w)
{
	char c = 0;

	CHECK_EQ(gamp_chan_send(w->ch, &c), 0);
	CHECK_EQ(gamp_chan_recv(w->ch, &c), 0);
}

static void block(struct worker *w)
{
	(void)w;
	gamp_enter_blocking();
	spin(3000); /* touches nothing */
	gamp_leave_blocking();
}

static void (*const steps[])(struct worker *w) = { compute, compute_long,
	yield, pause_short, send_self, block };

static void work(void *arg)
{
	struct worker *w = arg;

	atomic_fetch_add(&alive, 1);
	w->ch = gamp_chan_new(1, 1);
	while (!atomic_load(&over_now)) {
		w->n++; /* the program's: nobody else may look but a stopper */
		w->step(w);
	}
	CHECK_EQ(gamp_chan_free(w->ch), 0);
	atomic_fetch_sub(&alive, 1);
	finished();
}

static void start_work(bool quick)
{
	atomic_store(&over_now, false);
	atomic_store(&alive, 0);
	begin();
	for (int i = 0; i < WORKERS; i++) {
		workers[i].n = 0;
		workers[i].step = steps[(size_t)i % LEN(steps)];
		if (quick && workers[i].step == compute_long)
			workers[i].step = compute;
		(void)go(work, &workers[i]);
	}
	AWAIT(atomic_load(&alive) == WORKERS);
}

static void end_work(void)
{
	atomic_store(&over_now, true);
	await_finished(WORKERS);
	end();
}

static uint64_t sum(void)
{
	uint64_t s = 0;

	for (int i = 0; i < WORKERS; i++)
		s += workers[i].n; /* TSan: ordered by the stop alone */
	return s;
}

static bool sum_moves(uint64_t was)
{
	uint64_t now;

	CHECK_EQ(gamp_stop_world(), 0);
	now = sum();
	CHECK_EQ(gamp_start_world(), 0);
	return now != was;
}

static int count(const struct gamp_view *v, void *arg)
{
	int *n = arg;

	CHECK(v->id > 0);
	CHECK((uintptr_t)v->stack_low <= (uintptr_t)v->stack_high);
	n[v->state]++;
	return 0;
}

static void stop_often(void)
{
	uint64_t was = 0;

	for (int i = 0; i < STOPS; i++) {
		int n[5] = { 0 };
		uint64_t now;

		CHECK_EQ(gamp_stop_world(), 0);
		now = sum();
		CHECK_EQ(gamp_stop_world(), -EDEADLK);
		spin(5000);
		CHECK_EQ((int64_t)sum(), (int64_t)now);
		CHECK_EQ(gamp_walk(count, n), 0);
		CHECK(n[1] + n[2] + n[3] + n[4] > WORKERS);
		CHECK_EQ(n[GAMP_STOPPER], gamp_self() ? 1 : 0);
		CHECK_EQ(gamp_start_world(), 0);
		CHECK_EQ(gamp_start_world(), -EPERM);
		if (i % 8 == 0)
			AWAIT(sum_moves(was));
		was = now;
	}
}

static void stopper_main(void *arg)
{
	(void)arg;
	start_work(false);
	stop_often();
	end_work();
}

static void a_stopped_world_stands_still(void **state)
{
	(void)state;
	run_each(stopper_main);
}

static void *stopping_thread(void *arg)
{
	(void)arg;
	stop_often();
	return NULL;
}

static void thread_main(void *arg)
{
	pthread_t t;

	(void)arg;
	start_work(false);
	CHECK_EQ(pthread_create(&t, NULL, stopping_thread, NULL), 0);
	gamp_enter_blocking();
	CHECK_EQ(pthread_join(t, NULL), 0);
	gamp_leave_blocking();
	end_work();
}

static void a_thread_may_stop_it_too(void **state)
{
	(void)state;
	run_on(2, thread_main);
}

/* ---- several stoppers -------------------------------------------------- */

static int inside, most; /* ordered by the stops alone */

static void stop_in_turn(void *arg)
{
	(void)arg;
	for (int i = 0; i < LAPS; i++) {
		CHECK_EQ(gamp_stop_world(), 0);
		CHECK_EQ(inside++, 0);
		most++;
		spin(100);
		inside--;
		CHECK_EQ(gamp_start_world(), 0);
	}
	finished();
}

static void *stop_in_turn_thread(void *arg)
{
	stop_in_turn(arg);
	return NULL;
}

static void turns_main(void *arg)
{
	pthread_t t[2];

	(void)arg;
	begin();
	most = 0;
	for (int i = 0; i < 6; i++)
		(void)go(stop_in_turn, NULL);
	for (size_t i = 0; i < LEN(t); i++)
		CHECK_EQ(
		    pthread_create(&t[i], NULL, stop_in_turn_thread, NULL), 0);
	for (int i = 0; i < 20; i++) /* stops of the runtime's own, between */
		CHECK(gamp_maxprocs(i % 2 + 2) > 0);
	await_finished(6 + (int)LEN(t));
	gamp_enter_blocking();
	for (size_t i = 0; i < LEN(t); i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	gamp_leave_blocking();
	CHECK_EQ(most, (6 + (int)LEN(t)) * LAPS);
	end();
}

static void stoppers_take_turns(void **state)
{
	(void)state;
	run_on(3, turns_main);
}

/* ---- the walk finds what is only on a stack or in a register ----------- */

#define MAGIC UINT64_C(0x5ca1ab1e0ddba11)

static uint64_t secret(uint64_t i) /* never in memory but where it is kept */
{
	return ~(~MAGIC ^ i << 40);
}

static struct gamp_chan *gate;
static atomic_int hiding;
static atomic_bool seek_over;
static uint64_t kept_sum;

static __attribute__((noinline)) void hide_parked(uint64_t key)
{
	uint64_t mine = secret(key);
	char c;

	__asm__ volatile("" : "+r"(mine));
	atomic_fetch_add(&hiding, 1);
	CHECK_EQ(gamp_chan_recv(gate, &c), -EPIPE);
	__asm__ volatile("" : "+r"(mine));
	CHECK_EQ((int64_t)mine, (int64_t)secret(key));
}

static __attribute__((noinline)) void hide_blocking(uint64_t key)
{
	uint64_t mine = secret(key);

	__asm__ volatile("" : "+r"(mine));
	gamp_enter_blocking();
	atomic_fetch_add(&hiding, 1);
	while (!atomic_load(&seek_over))
		spin(100);
	gamp_leave_blocking();
	__asm__ volatile("" : "+r"(mine));
	CHECK_EQ((int64_t)mine, (int64_t)secret(key));
}

static __attribute__((noinline)) void hide_computing(uint64_t key)
{
	uint64_t mine = secret(key);

	__asm__ volatile("" : "+r"(mine));
	atomic_fetch_add(&hiding, 1);
	while (!atomic_load(&seek_over))
		(void)gamp_checkpoint();
	__asm__ volatile("" : "+r"(mine));
	CHECK_EQ((int64_t)mine, (int64_t)secret(key));
}

static void hide(void *arg)
{
	uint64_t key = (uint64_t)(uintptr_t)arg;

	if (key % 3 == 0)
		hide_parked(key);
	else if (key % 3 == 1)
		hide_blocking(key);
	else
		hide_computing(key);
	finished();
}

enum { HIDERS = 9 };

struct found {
	int times[HIDERS + 1];
};

static void look_at(struct found *f, uintptr_t v)
{
	for (uint64_t i = 0; i <= HIDERS; i++)
		f->times[i] += v == secret(i);
}

/* Conservative: every word that is aligned. */
static __attribute__((no_sanitize("address", "thread"))) int scan(
    const struct gamp_view *v, void *arg)
{
	const uintptr_t *at = (const uintptr_t *)v->stack_low;

	for (; at + 1 <= (const uintptr_t *)v->stack_high; at++)
		look_at(arg, *at);
	for (int i = 0; i < v->nregs; i++)
		look_at(arg, v->regs[i]);
	return 0;
}

static __attribute__((noinline)) void seek(struct found *f)
{
	uint64_t mine = secret(HIDERS);

	__asm__ volatile("" : "+r"(mine));
	CHECK_EQ(gamp_stop_world(), 0);
	CHECK_EQ(gamp_walk(scan, f), 0);
	CHECK_EQ(gamp_start_world(), 0);
	__asm__ volatile("" : "+r"(mine));
	kept_sum += mine;
}

static void seek_main(void *arg)
{
	struct found f = { { 0 } };

	(void)arg;
	begin();
	atomic_store(&hiding, 0);
	atomic_store(&seek_over, false);
	gate = gamp_chan_new(1, 0);
	for (uintptr_t i = 0; i < HIDERS; i++)
		(void)go(hide, (void *)i);
	AWAIT(atomic_load(&hiding) == HIDERS);
	seek(&f);
	atomic_store(&seek_over, true);
	CHECK_EQ(gamp_chan_close(gate), 0);
	await_finished(HIDERS);
	for (int i = 0; i <= HIDERS; i++)
		check(f.times[i] > 0, "found on a stack", __FILE__, __LINE__,
		    i, f.times[i]);
	CHECK_EQ(gamp_chan_free(gate), 0);
	end();
}

static void a_walk_finds_what_is_kept_on_stacks(void **state)
{
	(void)state;
	run_each(seek_main);
}

static int find_fresh(const struct gamp_view *v, void *arg)
{
	return v->arg == arg && v->stack_low == v->stack_high;
}

static void nothing(void *arg)
{
	(void)arg;
	finished();
}

/* A thread may start goroutines in a stopped world: they do not begin. */
static void *fresh_thread(void *arg)
{
	CHECK_EQ(gamp_stop_world(), 0);
	CHECK(gamp_go(nothing, arg) > 0);
	CHECK_EQ(gamp_walk(find_fresh, arg), 1);
	CHECK_EQ(gamp_walk(find_fresh, &hiding), 0);
	CHECK_EQ(gamp_start_world(), 0);
	return NULL;
}

static void fresh_main(void *arg)
{
	pthread_t t;
	int mark;

	(void)arg;
	begin();
	CHECK_EQ(pthread_create(&t, NULL, fresh_thread, &mark), 0);
	await_finished(1);
	gamp_enter_blocking();
	CHECK_EQ(pthread_join(t, NULL), 0);
	gamp_leave_blocking();
	end();
}

static void who_has_not_begun_has_an_empty_stack(void **state)
{
	(void)state;
	run_on(2, fresh_main);
}

static void refused_main(void *arg)
{
	(void)arg;
	CHECK_EQ(gamp_start_world(), -EPERM);
	CHECK_EQ(gamp_walk(count, NULL), -EPERM);
	CHECK_EQ(gamp_walk(NULL, NULL), -EINVAL);
	gamp_rcu_read_lock();
	CHECK_EQ(gamp_stop_world(), -EDEADLK);
	gamp_rcu_read_unlock();
	CHECK_EQ(gamp_stop_world(), 0);
	CHECK_EQ(gamp_maxprocs(1), -EDEADLK);
	CHECK_EQ(gamp_dump(2), -EDEADLK);
	CHECK_EQ(gamp_start_world(), 0);
}

static void what_cannot_be_is_refused(void **state)
{
	(void)state;
	assert_int_equal(gamp_stop_world(), -ESRCH);
	run_on(2, refused_main);
}

/* ---- hooks ------------------------------------------------------------- */

static struct {
	atomic_int created, began, exited, in, out, failed;
	_Atomic int64_t refuse; /* whose next gamp_go; 0: nobody's */
} seen;

static __thread int64_t on_thread; /* who is switched in here */

static __attribute__((noinline)) int64_t *tls(void)
{
	__asm__ volatile("");
	return &on_thread;
}

static int at_create(int64_t id, void **slots)
{
	int64_t whose = atomic_load(&seen.refuse);

	CHECK(id > 0 && !slots[0]);
	if (whose && whose == gamp_self()) { /* not a timer's, on a late P */
		atomic_store(&seen.refuse, 0);
		return -EDQUOT;
	}
	slots[0] = (void *)(uintptr_t)id;
	atomic_fetch_add(&seen.created, 1);
	return 0;
}

static void at_start(int64_t id, void **slots)
{
	CHECK_EQ(gamp_self(), id);
	CHECK(gamp_slots() == slots);
	CHECK(!slots[1]);
	slots[1] = slots;
	gamp_yield(); /* it may park */
	atomic_fetch_add(&seen.began, 1);
}

static void at_switch_in(int64_t id, void **slots)
{
	CHECK_EQ(*tls(), 0);
	CHECK_EQ((int64_t)(uintptr_t)slots[0], id);
	*tls() = id;
	atomic_fetch_add(&seen.in, 1);
}

static void at_switch_out(int64_t id, void **slots)
{
	CHECK_EQ(*tls(), id);
	(void)slots;
	*tls() = 0;
	atomic_fetch_add(&seen.out, 1);
}

static void at_exit(int64_t id, void **slots)
{
	CHECK_EQ((int64_t)(uintptr_t)slots[0], id);
	atomic_fetch_add(&seen.exited, 1);
}

static atomic_long stacks, stack_bytes;

static void *at_stack_alloc(size_t size)
{
	void *p = aligned_alloc(4096, size);

	CHECK_EQ((int64_t)(size % 4096), 0);
	if (!p)
		return NULL;
	atomic_fetch_add(&stacks, 1);
	atomic_fetch_add(&stack_bytes, (long)size);
	return p;
}

static void at_stack_free(void *stack, size_t size)
{
	atomic_fetch_sub(&stacks, 1);
	atomic_fetch_sub(&stack_bytes, (long)size);
	free(stack);
}

static const struct gamp_embed all_hooks = {
	.create = at_create,
	.start = at_start,
	.switch_in = at_switch_in,
	.switch_out = at_switch_out,
	.exit = at_exit,
};

static atomic_int deferred;

static void at_defer(void *arg)
{
	CHECK_EQ((int64_t)(uintptr_t)gamp_slots()[0], gamp_self());
	CHECK(*tls() == gamp_self()); /* switched in, as all that it runs */
	(void)arg;
	atomic_fetch_add(&deferred, 1);
}

static void live(void *arg)
{
	CHECK(gamp_slots()[1] == gamp_slots());
	CHECK_EQ(*tls(), gamp_self());
	for (int i = 0; i < 5; i++) {
		gamp_yield();
		CHECK_EQ(*tls(), gamp_self());
		CHECK_EQ(gamp_sleep(1), 0);
		CHECK_EQ(*tls(), gamp_self());
	}
	CHECK_EQ(gamp_defer(at_defer, NULL), 0);
	if ((uintptr_t)arg % 3 == 0)
		gamp_exit();
	if ((uintptr_t)arg % 3 == 1) {
		CHECK_EQ(gamp_lock_thread(), 0); /* the thread ends, too */
		gamp_yield();
	}
}

static int live_err(void *arg)
{
	live(arg);
	return 0;
}

static void in_timer(void *arg)
{
	live(arg);
	finished();
}

static void hooks_main(void *arg)
{
	struct gamp_waitgroup wg = { 0 };
	struct gamp_timer t = { 0 };
	struct gamp_group g;

	(void)arg;
	begin();
	CHECK_EQ(gamp_group_init(&g, GAMP_FOREVER), 0);
	for (uintptr_t i = 0; i < LAPS; i++) {
		CHECK_EQ(gamp_group_go(&g, live_err, (void *)i), 0);
		CHECK(gamp_waitgroup_go(&wg, live, (void *)i) > 0);
		CHECK(gamp_go(live, (void *)i) > 0);
	}
	CHECK_EQ(gamp_timer_start(&t, gamp_now(), 0, in_timer, (void *)2), 0);
	await_finished(1);
	CHECK_EQ(gamp_timer_start(
		     &t, gamp_now() + LIMIT, 0, in_timer, NULL),
	    0);
	CHECK(gamp_timer_stop(&t));
	CHECK_EQ(gamp_group_wait(&g), 0);
	CHECK_EQ(gamp_waitgroup_wait(&wg), 0);
	atomic_store(&seen.refuse, gamp_self());
	CHECK_EQ(gamp_go(live, NULL), -EDQUOT);
	/* Not `exited`: of one that a timer did not need that tells, too. */
	AWAIT(atomic_load(&deferred) >= 3 * LAPS + 1);
	end();
}

static void hooks_are_called_in_pairs(void **state)
{
	(void)state;
	for (int procs = 1; procs <= 4; procs *= 2) {
		memset(&seen, 0, sizeof(seen));
		atomic_store(&deferred, 0);
		run_with(hooks_main,
		    &(struct gamp_options){
			.maxprocs = procs, .embed = &all_hooks });
		assert_int_equal(seen.created, seen.exited);
		assert_true(seen.began >= 3 * LAPS + 2);
		assert_true(seen.began <= seen.created);
		assert_int_equal(seen.in, seen.out);
		assert_true(seen.in >= 2 * seen.began);
		assert_int_equal(deferred, 3 * LAPS + 1);
	}
}

static atomic_int on_own;

static void use_stack(void *arg)
{
	char page[6000];

	memset(page, (int)(uintptr_t)arg, sizeof(page));
	__asm__ volatile("" : : "r"(page) : "memory");
	gamp_yield();
	CHECK_EQ(page[5999], (char)(uintptr_t)arg);
	atomic_fetch_add(&on_own, 1);
}

static void stacks_main(void *arg)
{
	struct gamp_go_options o = { .stack_size = 200 << 10 };

	(void)arg;
	for (uintptr_t i = 0; i < LAPS; i++)
		CHECK(gamp_go_with(i % 4 ? NULL : &o, use_stack, (void *)i) >
		    0);
	AWAIT(atomic_load(&on_own) == LAPS);
	CHECK(atomic_load(&stacks) >= 1);
}

static void stacks_come_from_the_program(void **state)
{
	static const struct gamp_embed own = {
		.stack_alloc = at_stack_alloc, .stack_free = at_stack_free };
	static const struct gamp_embed half = { .stack_free = at_stack_free };

	(void)state;
	atomic_store(&on_own, 0);
	run_with(stacks_main,
	    &(struct gamp_options){ .maxprocs = 2, .embed = &own });
	assert_int_equal(stacks, 0);
	assert_int_equal(stack_bytes, 0);
	assert_int_equal(gamp_run(stacks_main, NULL,
			     &(struct gamp_options){ .embed = &half }),
	    -EINVAL);
}

/* ---- how long it takes ------------------------------------------------- */

static void wait_at_gate(void *arg)
{
	char c;

	(void)arg;
	CHECK_EQ(gamp_chan_recv(gate, &c), -EPIPE);
	atomic_fetch_sub(&hiding, 1);
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void crowd_main(void *arg)
{
	static int64_t took[STOPS];

	(void)arg;
	gate = gamp_chan_new(1, 0);
	atomic_store(&hiding, MANY);
	for (int i = 0; i < MANY; i++)
		CHECK(gamp_go(wait_at_gate, NULL) > 0);
	start_work(true);
	for (int i = 0; i < STOPS; i++) {
		int n[5] = { 0 };

		took[i] = gamp_now();
		CHECK_EQ(gamp_stop_world(), 0);
		took[i] = gamp_now() - took[i];
		CHECK_EQ(gamp_walk(count, n), 0);
		CHECK(n[GAMP_PARKED] + n[GAMP_WAITS_TO_RUN] >= MANY);
		CHECK_EQ(gamp_start_world(), 0);
		gamp_yield();
	}
	qsort(took, STOPS, sizeof(took[0]), by_time);
	print_message("a stop took %d us (p50), %d us (p99)\n",
	    (int)(took[STOPS / 2] / 1000),
	    (int)(took[STOPS * 99 / 100] / 1000));
	end_work();
	CHECK_EQ(gamp_chan_close(gate), 0);
	AWAIT(atomic_load(&hiding) == 0);
	CHECK_EQ(gamp_chan_free(gate), 0);
}

static void a_crowd_is_walked_through(void **state)
{
	(void)state;
	run_on(2, crowd_main);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(what_cannot_be_is_refused),
		TEST(a_stopped_world_stands_still),
		TEST(a_walk_finds_what_is_kept_on_stacks),
		TEST(hooks_are_called_in_pairs),
		TEST(stacks_come_from_the_program),
		TEST(a_crowd_is_walked_through),
		TEST(who_has_not_begun_has_an_empty_stack),
		TEST(stoppers_take_turns),
		TEST(a_thread_may_stop_it_too),
	};

	take_arguments(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
