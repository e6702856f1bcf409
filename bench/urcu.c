/* SPDX-License-Identifier: MIT */
/*
 * urcu.c - liburcu's memb flavour, for comparison with rcu.c, row by row.
 *
 * RcuRead/call is its read side as a library call, which is what a goroutine
 * would have to make: inlined, the compiler keeps the address of the thread's
 * counter across parks.  RcuRead/inline is what threads can have.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <urcu/urcu-memb.h>
#include <urcu/static/urcu-memb.h>

#include "bench/bench.h"

static atomic_bool over;

static void by_call(struct bench *b)
{
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		urcu_memb_read_lock();
		urcu_memb_read_unlock();
	}
	bench_stop(b);
}

static void inlined(struct bench *b)
{
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		_urcu_memb_read_lock();
		_urcu_memb_read_unlock();
	}
	bench_stop(b);
}

static void grace(struct bench *b)
{
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++)
		urcu_memb_synchronize_rcu();
	bench_stop(b);
}

static void *reader(void *arg)
{
	(void)arg;
	urcu_memb_register_thread();
	while (!atomic_load_explicit(&over, memory_order_relaxed)) {
		urcu_memb_read_lock();
		urcu_memb_read_unlock();
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void beside_readers(struct bench *b)
{
	pthread_t t[2];

	atomic_store(&over, false);
	for (int i = 0; i < 2; i++)
		(void)bench_must("pthread_create",
		    -pthread_create(&t[i], NULL, reader, NULL));
	grace(b);
	atomic_store(&over, true);
	for (int i = 0; i < 2; i++)
		(void)pthread_join(t[i], NULL);
}

static uint64_t calls;

struct item {
	struct rcu_head head;
};

static void call(struct rcu_head *head)
{
	calls++;
	free(head);
}

static void defer(struct bench *b)
{
	calls = 0;
	bench_start(b);
	for (uint64_t i = 0; i < b->n; i++) {
		struct item *item = malloc(sizeof(*item));

		urcu_memb_call_rcu(&item->head, call);
	}
	urcu_memb_barrier();
	bench_stop(b);
	bench_check("calls", calls, b->n);
}

int main(int argc, char **argv)
{
	bench_init(argc, argv);
	urcu_memb_register_thread();
	bench_run("RcuRead/call", by_call, 0);
	bench_run("RcuRead/inline", inlined, 0);
	bench_run("RcuGrace/quiet", grace, 0);
	bench_run("RcuGrace/readers=2", beside_readers, 0);
	bench_run("RcuDefer/thread", defer, 0);
	urcu_memb_unregister_thread();
	return 0;
}
