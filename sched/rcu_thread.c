/* SPDX-License-Identifier: MIT */
/*
 * rcu_thread.c - whose reader is the caller's; those of plain threads.
 *
 * An M is on the list from its start to its end.  A plain thread gets on it
 * when it first reads, and off it by the destructor of a pthread key.  After
 * that destructor, or when there is none to be had, its sections are counted
 * one by one under the lock: slower, and otherwise the same.
 */

#include <pthread.h>

#include "sched/m.h"
#include "sched/switch.h"

enum { UNKNOWN, LISTED, GONE };

struct thread {
	struct rcu_reader reader;
	struct rcu_section section;
	uint8_t state;
};

static __thread struct thread self
    __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool have_key;

static void gone(void *arg)
{
	struct thread *t = arg;

	if (rcu_inside(&t->reader))
		rcu_misuse("a thread ended inside an RCU read section");
	t->state = GONE;
	rcu_remove(&t->reader, &t->section);
}

static void forked(void)
{
	rcu_forked(self.state == LISTED ? &self.reader : NULL);
}

static void prepare(void)
{
	membar_init(); /* else the light fences are real ones */
	have_key = pthread_key_create(&key, gone) == 0;
	(void)pthread_atfork(NULL, NULL, forked);
}

static void list(struct thread *t)
{
	(void)pthread_once(&once, prepare);
	if (!have_key || pthread_setspecific(key, t) != 0)
		return;
	t->state = LISTED;
	rcu_add(&t->reader);
}

void rcu_thread_begin(void)
{
	struct thread *t = &self;

	if (rt_unlikely(t->state != LISTED) && !rcu_inside(&t->reader)) {
		if (t->state == UNKNOWN)
			list(t);
		if (t->state != LISTED) {
			rcu_begin_counted(&t->reader, &t->section);
			return;
		}
	}
	rcu_begin(&t->reader);
}

void rcu_thread_end(void)
{
	if (rt_unlikely(rcu_end(&self.reader)))
		rcu_settle(&self.reader, &self.section);
}

void switch_out_of_section(struct m *mp)
{
	struct rcu_section *s = &m_curg(mp)->rcu;

	if (mp->op == OP_EXIT) {
		rcu_misuse("a goroutine exited inside an RCU read section");
		rcu_drop(&mp->rcu, s);
		return;
	}
	if (mp->op != OP_DETACHED)
		rcu_misuse("a goroutine parked inside an RCU read section");
	rcu_leave(&mp->rcu, s);
	g_set_rare(m_curg(mp), G_RCU, 0);
}

void switch_into_section(struct m *mp, struct g *gp)
{
	g_set_rare(gp, 0, G_RCU);
	rcu_return(&mp->rcu, &gp->rcu);
}

void rcu_lock(void)
{
	struct m *mp = m_self();

	if (rt_likely(mp != NULL))
		rcu_begin(&mp->rcu);
	else
		rcu_thread_begin();
}

void rcu_unlock(void)
{
	struct m *mp = m_self();

	if (rt_unlikely(!mp))
		rcu_thread_end();
	else if (rt_unlikely(rcu_end(&mp->rcu)))
		rcu_settle(&mp->rcu, m_curg(mp) ? &m_curg(mp)->rcu : NULL);
}

bool rcu_locked(void)
{
	struct m *mp = m_self();

	return rcu_inside(mp ? &mp->rcu : &self.reader);
}
