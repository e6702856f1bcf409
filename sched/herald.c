/* SPDX-License-Identifier: MIT */
/* herald.c - see herald.h. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/note.h"
#include "base/thread.h"
#include "sched/dump.h"
#include "sched/herald.h"

enum { TELL_DUMP = 1, TELL_DEADLOCK = 2, TELL_END = 4 };

static struct {
	struct note note;
	rt_a32 told; /* TELL_*; since the herald last looked */
	rt_a32 tid;
	bool running; /* of start, sysmon and stop, in this order */
	pthread_t thread;
	void (*then)(void); /* before TELL_DEADLOCK */
	int signal;
	struct sigaction old;
} herald;

/* Any thread, and a signal handler: two atomic operations and futex(2). */
static void tell(uint32_t what)
{
	int saved = errno;

	(void)rt_or_seqcst(&herald.told, what);
	(void)note_wake(&herald.note);
	errno = saved;
}

static void *herald_main(void *arg)
{
	uint32_t told = 0;

	rt_store_release(&herald.tid, (uint32_t)thread_self());
	(void)prctl(PR_SET_NAME, "gamp-herald");
	while (!(told & TELL_END)) {
		(void)note_sleep(&herald.note, 0);
		note_clear(&herald.note);
		told = rt_swap_acqrel(&herald.told, 0);
		if (told & TELL_END)
			break;
		if (told & TELL_DUMP)
			(void)dump_all(STDERR_FILENO, "dump", NULL);
		if (told & TELL_DEADLOCK) {
			(void)dump_all(STDERR_FILENO,
			    "deadlock: all goroutines wait for each other",
			    NULL);
			herald.then();
		}
	}
	return arg;
}

static int start_thread(void)
{
	sigset_t all, old;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&herald.thread, NULL, herald_main, NULL);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	herald.running = r == 0;
	return r;
}

static void on_signal(int sig)
{
	(void)sig;
	tell(TELL_DUMP);
}

int herald_start(int dump_signal)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int r;

	herald.running = false;
	herald.signal = 0;
	rt_store_relaxed(&herald.told, 0);
	rt_store_relaxed(&herald.tid, 0);
	note_clear(&herald.note);
	if (dump_signal == 0)
		return 0;
	r = start_thread();
	if (r < 0)
		return r;
	sa.sa_flags = SA_RESTART | SA_ONSTACK;
	if (sigaction(dump_signal, &sa, &herald.old) < 0) {
		r = -errno;
		herald_stop();
		return r;
	}
	herald.signal = dump_signal;
	return 0;
}

void herald_stop(void)
{
	struct sigaction now;

	if (herald.signal) {
		(void)sigaction(herald.signal, NULL, &now);
		if (now.sa_handler == on_signal)
			(void)sigaction(herald.signal, &herald.old, NULL);
	}
	herald.signal = 0;
	if (!herald.running)
		return;
	tell(TELL_END);
	(void)pthread_join(herald.thread, NULL);
	herald.running = false;
	rt_store_relaxed(&herald.tid, 0);
}

/* Without a thread there is no report; nothing else is lost. */
void herald_deadlock(void (*then)(void))
{
	herald.then = then;
	if (herald.running || start_thread() == 0)
		tell(TELL_DEADLOCK);
}

int herald_tid(void)
{
	return (int)rt_load_acquire(&herald.tid);
}
