/* SPDX-License-Identifier: MIT */
/*
 * fault.h - SIGSEGV and SIGBUS: a stack overflow is reported before the
 * process dies of it.
 *
 * A handler for each, on the alternate stack that every M has.  If a goroutine
 * has met the guard of its own stack, the report goes to standard error; about
 * another fault in a goroutine there is a line, unless the program has a
 * handler of its own.  Then what the program had set comes: its handler is
 * called; or the default action is put back and the fault repeated, so the
 * process dies by the signal, where it was met, and a core shows that place.
 *
 * The handler allocates nothing and takes no lock.  Both signals are blocked
 * in it, so a fault inside it ends the process at once.
 *
 * The handlers are the program's again when the runtime stops, unless it has
 * set others meanwhile.  Sanitizers have their own: there is none then.
 */
#ifndef RT_SCHED_FAULT_H
#define RT_SCHED_FAULT_H

void fault_start(void);
void fault_stop(void);

#endif
