/* SPDX-License-Identifier: MIT */
/* fault.c - see fault.h. */

#include "sched/fault.h"

#include "base/san.h"

#if defined(RT_ASAN) || defined(RT_TSAN)

void fault_start(void)
{
}

void fault_stop(void)
{
}

#else

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/fault.h"
#include "base/vm.h"
#include "sched/dump.h"
#include "sched/m.h"

#define PATIENCE_MS 2000 /* for who reports first, and ends the process */

enum { SEGV, BUS, COUNT };
static const int signals[COUNT] = { SIGSEGV, SIGBUS };

static struct {
	struct sigaction old[COUNT];
	bool installed;
	size_t page;
	/* Of who reports: busy. */
	rt_a32 busy;
	struct say out;
	struct symbols symbols;
	struct shot shot;
} fault;

/* It touched the guard; or it is below it already, in others' stacks, for it
 * jumped the guard or has none. */
static bool overflowed(struct g *gp, uintptr_t addr, uintptr_t sp)
{
	void *at;
	uintptr_t lo;

	(void)arena_stack(gp->ref, &at);
	lo = (uintptr_t)at;
	return (addr < lo && addr >= lo - fault.page) ||
	    (sp < lo && arena_inside(gp->ref, sp));
}

static void begin(struct g *gp, const char *what)
{
	say_to(&fault.out, STDERR_FILENO);
	say(&fault.out, "gamp: %s in goroutine %ld", what, (long)g_id(gp));
	if (gp->name)
		say(&fault.out, " \"%s\"", gp->name);
	say(&fault.out, "\n");
	(void)say_end(&fault.out); /* should the rest fail */
	symbols_init(&fault.symbols);
}

static void report_overflow(struct g *gp, uintptr_t addr, uintptr_t pc)
{
	struct shot *s = &fault.shot;

	begin(gp, "stack overflow");
	shot_take(s, gp, g_id(gp));
	say(&fault.out, "    %lu bytes of stack, fault at 0x%lx\n",
	    (unsigned long)s->stack, (unsigned long)addr);
	shot_say_origin(s, &fault.symbols, &fault.out);
	(void)say_end(&fault.out);
	backtrace_signal(&s->trace, pc);
	shot_say_trace(s, &fault.symbols, &fault.out);
	(void)say_end(&fault.out);
	symbols_fini(&fault.symbols);
}

static void report_fault(
    struct g *gp, const char *what, uintptr_t addr, uintptr_t pc)
{
	begin(gp, what);
	say(&fault.out, "    fault at 0x%lx, by ", (unsigned long)addr);
	symbols_say(&fault.symbols, &fault.out, pc, false);
	say(&fault.out, "\n");
	(void)say_end(&fault.out);
	symbols_fini(&fault.symbols);
}

/* One report at a time; the process may end before the next one's turn. */
static void await_turn(void)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		uint32_t free = 0;

		if (rt_cas_acqrel(&fault.busy, &free, 1))
			return;
		(void)poll(NULL, 0, 1);
	}
}

/* What would have happened without us. */
static void pass_on(int sig, siginfo_t *info, void *uc)
{
	struct sigaction *old = &fault.old[sig == SIGSEGV ? SEGV : BUS];
	struct sigaction def = { .sa_handler = SIG_DFL };

	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(sig, info, uc);
	} else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(sig);
	} else if (old->sa_handler == SIG_DFL || info->si_code > 0) {
		(void)sigaction(sig, &def, NULL);
		/* A fault repeats itself; what was sent has to be sent. */
		if (info->si_code <= 0)
			(void)syscall(SYS_tgkill, getpid(), gettid(), sig);
	}
}

static bool is_default(int sig)
{
	const struct sigaction *old = &fault.old[sig == SIGSEGV ? SEGV : BUS];

	return !(old->sa_flags & SA_SIGINFO) &&
	    (old->sa_handler == SIG_DFL || old->sa_handler == SIG_IGN);
}

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	uintptr_t addr = (uintptr_t)info->si_addr, pc = fault_pc(uc);
	struct m *mp = m_self();
	struct g *gp = mp ? m_curg(mp) : NULL;
	int saved = errno;

	if (gp && info->si_code > 0) {
		bool over = overflowed(gp, addr, fault_sp(uc));

		if (over || is_default(sig)) {
			await_turn();
			if (over)
				report_overflow(gp, addr, pc);
			else
				report_fault(gp,
				    sig == SIGSEGV ? "SIGSEGV" : "SIGBUS",
				    addr, pc);
		}
		/* Others wait until this has ended the process. */
		if (over || is_default(sig))
			rt_store_release(&fault.busy, is_default(sig));
	}
	errno = saved;
	pass_on(sig, info, uc);
}

void fault_start(void)
{
	backtrace_init();
	fault.page = vm_page();
	rt_store_relaxed(&fault.busy, 0);
	for (int i = 0; i < COUNT; i++) {
		struct sigaction sa = { .sa_sigaction = on_fault };

		(void)sigaction(signals[i], NULL, &fault.old[i]);
		sa.sa_mask = fault.old[i].sa_mask;
		for (int k = 0; k < COUNT; k++)
			(void)sigaddset(&sa.sa_mask, signals[k]);
		sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
		(void)sigaction(signals[i], &sa, NULL);
	}
	fault.installed = true;
}

void fault_stop(void)
{
	for (int i = 0; i < COUNT && fault.installed; i++) {
		struct sigaction now;

		(void)sigaction(signals[i], NULL, &now);
		if ((now.sa_flags & SA_SIGINFO) &&
		    now.sa_sigaction == on_fault)
			(void)sigaction(signals[i], &fault.old[i], NULL);
	}
	fault.installed = false;
}

#endif
