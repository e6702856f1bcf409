#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks one line of the real code at a time; the named model must notice.

    mutants.py [-j N] [-k] [-e N] [word ...]
        only mutants whose name has a word, and of these every Nth
        -k keeps the builds and the outputs

The mutated file shadows the real one (-I), so nothing in the tree changes.
A mutant whose old text is not there any more counts as alive: fix the list.
Exit 0 if all are killed.
"""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CXX = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++17", "-O0", "-fpermissive", "-w", "-DRT_MODEL",
         "-U_FORTIFY_SOURCE", "-ffunction-sections"]
INCLUDE = ["-I" + ROOT, "-I" + ROOT + "/include", "-I" + ROOT + "/base/x86_64"]
LIMIT = 60  # seconds: a mutant that hangs is killed, too

# -O0: most of the time goes into compiling, and mutants die young.
# Not here, because Relacy cannot tell the difference:
#	runq_put's acquire of head: a load never returns what is stored later.
#	fdmu_open by a plain store: nobody is counted on a closed descriptor.
#	guest.h's F1 and F2: a guest has but the global queue, and what is put
#	there and H2 are both under sched.lock.
#	S3 only by spinners: with several Ps every M spins before it gives up,
#	with one there is only the global queue, whose lock covers it.

# name, file, old, new, model [, scenario [, old, new]...]
MUTANTS = [
    ("runq: put publishes the tail relaxed", "sched/runq.h",
     "rt_store_release(&q->tail, t + 1); /* P1 */",
     "rt_store_relaxed(&q->tail, t + 1);", "runq"),
    ("runq: steal reads the tail relaxed", "sched/runq.c",
     "rt_load_acquire(&victim->tail) - h; /* P1 */",
     "rt_load_relaxed(&victim->tail) - h;", "runq"),
    ("runq: steal claims by a store", "sched/runq.c",
     "if (rt_cas_acqrel(&victim->head, &h, h + n)) /* P2, I3 */",
     "rt_store_release(&victim->head, h + n);", "runq"),
    ("runq: get claims by a store", "sched/runq.h",
     "if (rt_cas_acqrel(&q->head, &h, h + 1)) /* I3 */",
     "rt_store_release(&q->head, h + 1);", "runq"),
    ("runq: steal runs one and drops the rest", "sched/runq.c",
     "rt_store_release(&dst->tail, t + n - 1); /* P1 */",
     ";", "runq"),
    ("runq: the thief publishes relaxed", "sched/runq.c",
     "rt_store_release(&dst->tail, t + n - 1); /* P1 */",
     "rt_store_relaxed(&dst->tail, t + n - 1);", "runq"),

    ("p: empty does not read the tails again", "sched/p.c",
     "if (ta == rt_load_acquire(&a->tail) &&\n"
     "\t\t    tb == rt_load_acquire(&b->tail))", "if (true)", "p"),
    ("p: empty reads runnext relaxed", "sched/p.c",
     "uintptr_t next = rt_load_acquire(&pp->runnext);",
     "uintptr_t next = rt_load_relaxed(&pp->runnext);", "p"),
    ("p: empty reads runnext first", "sched/p.c",
     "uint32_t ha = rt_load_acquire(&a->head);",
     "uintptr_t next = rt_load_acquire(&pp->runnext);\n"
     "\t\tuint32_t ha = rt_load_acquire(&a->head);", "p", "empty",
     "uintptr_t next = rt_load_acquire(&pp->runnext);", ";"),
    ("p: the inbox is taken by a store", "sched/p.c",
     "task = (struct task *)rt_swap_acqrel(&pp->inbox, 0);",
     "task = (struct task *)rt_load_acquire(&pp->inbox),\n"
     "\t\trt_store_release(&pp->inbox, 0);", "p", "send"),
    ("p: the inbox is filled by a store", "sched/p.c",
     "while (!rt_cas_acqrel(&pp->inbox, &top, (uintptr_t)task));",
     "while (rt_store_release(&pp->inbox, (uintptr_t)task), false);",
     "p", "send"),
    ("p: runnext is taken by a store", "sched/p.h",
     "task = (struct task *)rt_swap_acqrel(&pp->runnext, 0);",
     "rt_store_release(&pp->runnext, 0);", "p"),
    ("p: a kick forgets the old one", "sched/p.c",
     "if (old)\n\t\tp_put(pp, (struct task *)old);", ";", "p"),

    ("dir: F1 removed", "netpoll/dir.c",
     "rt_fence_seqcst(); /* F1, pairs with F2 */\n\t\t\treturn", "return",
     "dir", "read, close"),
    ("dir: F2 removed", "netpoll/pd_deadline.c",
     "\t\t;\n\trt_fence_seqcst();", "\t\t;", "dir", "read, close"),
    ("dir: evict removes READY", "netpoll/dir.c",
     "if (s == DIR_READY || (s == DIR_NIL && to == DIR_NIL))",
     "if ((s == DIR_READY && to == DIR_READY) ||\n"
     "\t\t    (s == DIR_NIL && to == DIR_NIL))", "dir", "nobody, event"),
    ("dir: commit stores", "netpoll/dir.c",
     "return rt_cas_acqrel(&d->sem, &s, (uintptr_t)gp);",
     "rt_store_release(&d->sem, (uintptr_t)gp);\n\treturn s;", "dir", "read, event"),
    ("dir: the waiter does not look at info", "netpoll/dir.c",
     "return rt_load_relaxed(info) & stop ? -ECANCELED :",
     "return 0 ? -ECANCELED :", "dir", "read, close"),
    ("dir: notify leaves an armed start READY", "netpoll/dir.c",
     "next = s == DIR_ARMED ? (uintptr_t)DIR_NIL : to;",
     "next = s == DIR_ARMED ? s : to;", "dir", "arm, event"),
    ("dir: cancelled while about to park, and not told", "netpoll/dir.c",
     "if (s != (uintptr_t)gp && s != DIR_WAIT)",
     "if (s != (uintptr_t)gp)", "dir", "read, cancel"),
    ("dir: the canceller does not look at waits", "sched/cancel.c",
     "if (w)\n\t\tw->fn(w, gp);", ";", "dir", "read, cancel"),
    ("dir: C2 after the announcement removed", "netpoll/pd_wait.c",
     "if (!g_cancelled(gp)", "if (true", "dir", "read, cancel"),
    ("dir: an event after a close is not told apart", "netpoll/pd_deadline.c",
     "publish(pd, 0, PD_CLOSING);\n", "\n", "dir", "read, close"),
    ("dir: a deadline swallows readiness", "netpoll/dir.c",
     "(void)rt_cas_acqrel(&d->sem, &s, (uintptr_t)DIR_NIL);\n\treturn r;",
     "(void)dir_finish(d);\n\treturn r;", "dir", "deadline, read again"),
    ("dir: a cancel swallows readiness", "netpoll/pd_wait.c",
     "if (r == 0 && mode == MODE_READ)\n\t\t\tpd->drained = false;",
     ";", "dir", "cancel, read again"),
    ("dir: stop and arm both start", "netpoll/dir.c",
     "uintptr_t s = DIR_ARMED;\n\n\treturn rt_cas_acqrel(&d->sem, &s, "
     "(uintptr_t)DIR_NIL);",
     "return rt_swap_acqrel(&d->sem, (uintptr_t)DIR_NIL) != 77;", "dir", "arm, event, stop"),

    ("fdmutex: unlock forgets LAST", "netpoll/fdmutex.c",
     "last = (w & CLOSED) && REFS(w) == 1;", "last = false;", "fdmutex", "stale"),
    ("fdmutex: LAST is decided before closing", "netpoll/fdmutex.c",
     "return (w & CLOSED) && REFS(w) == 1 ? FDMU_LAST : FDMU_OK;",
     "return REFS(w) == 1 ? FDMU_LAST : FDMU_OK;", "fdmutex", "stale"),
    ("fdmutex: LAST one user early", "netpoll/fdmutex.c",
     "last = (w & CLOSED) && REFS(w) == 1;",
     "last = (w & CLOSED) && REFS(w) <= 2;", "fdmutex", "stale"),
    ("fdmutex: the lock does not exclude", "netpoll/fdmutex.c",
     "if (!(w & LOCKED(mode))) {", "if (true) {", "fdmutex", "two readers"),
    ("fdmutex: unlock posts nobody", "netpoll/fdmutex.c",
     "return last ? FDMU_LAST_POST : FDMU_POST;",
     "return last ? FDMU_LAST : FDMU_OK;", "fdmutex", "two readers"),
    ("fdmutex: the lock orders nothing", "netpoll/fdmutex.c",
     "} while (!rt_cas_acqrel(mu, &w, next));\n\treturn w & LOCKED(mode)",
     "} while (!rt_cas_relaxed(mu, &w, next));\n\treturn w & LOCKED(mode)",
     "fdmutex", "two readers"),

    ("wake: F1 removed (a P's queue)", "sched/wake.c",
     "rt_fence_seqcst(); /* F1, pairs with F2 in idle.c */\n"
     "\tif (rt_load_relaxed(&sched.nspinning) != 0 || /* R1 */",
     "if (rt_load_relaxed(&sched.nspinning) != 0 || /* R1 */", "wake", "local"),
    ("wake: F1 removed (the global queue)", "sched/wake.c",
     "rt_fence_seqcst(); /* F1, pairs with F2 in idle.c */\n"
     "\tif (rt_load_relaxed(&sched.nspinning) == 0 &&",
     "if (rt_load_relaxed(&sched.nspinning) == 0 &&", "wake", "foreign"),
    ("wake: F2 removed", "sched/idle.c",
     "rt_fence_seqcst(); /* F2, pairs with F1 in wake.c */", ";", "wake", "local"),
    ("wake: S3 skipped", "sched/idle.c",
     "if (!wake_work())\n\t\treturn false;", "return false;", "wake", "local"),
    ("wake: found does not wake", "sched/wake.c",
     "rt_load_relaxed(&sched.npidle) != 0 && wake_work()) /* S3 */",
     "false)",
     "wake", "pair"),
    ("wake: found looks before it counts", "sched/wake.c",
     "mp->spinning = false;\n\t(void)rt_sub_seqcst(&sched.nspinning, 1); /* S2",
     "bool any = wake_work();\n\tmp->spinning = false;\n"
     "\t(void)rt_sub_seqcst(&sched.nspinning, 1); /*", "wake", "pair",
     "!= 0 && wake_work())", "!= 0 && any)"),
    ("wake: found forgets to count", "sched/wake.c",
     "mp->spinning = false;\n\t(void)rt_sub_seqcst(&sched.nspinning, 1); /* S2",
     "mp->spinning = false; /*", "wake"),
    ("wake: found does not fence", "sched/wake.c",
     "rt_fence_seqcst(); /* F2, pairs with F1: another may count on us */", ";",
     "wake", "pair"),
    ("wake: a failed wake-up keeps its count", "sched/wake.c",
     "if (!pp) /* under the lock: trap 44 */\n"
     "\t\t(void)rt_sub_seqcst(&sched.nspinning, 1);\n", "", "wake", "spurious"),
    ("wake: a failed wake-up undone outside of the lock", "sched/wake.c",
     "if (!pp) /* under the lock: trap 44 */\n"
     "\t\t(void)rt_sub_seqcst(&sched.nspinning, 1);\n"
     "\trt_unlock(&sched.lock);",
     "rt_unlock(&sched.lock);\n\tif (!pp)\n"
     "\t\t(void)rt_sub_seqcst(&sched.nspinning, 1);", "wake", "spurious"),
    ("wake: a start that fails keeps its count", "sched/wake.c",
     "if (spinning) /* under the lock: trap 44 */\n"
     "\t\t\t(void)rt_sub_seqcst(&sched.nspinning, 1);", ";", "wake", "start fails"),
    ("wake: a start that fails loses the P", "sched/wake.c",
     "pidle_put_locked(pp);\n\t\tsched.unserved = true;", "sched.unserved = true;",
     "wake", "start fails"),
    ("wake: a start that fails is not told", "sched/wake.c",
     "sched.unserved = true;", ";", "wake", "late"),
    ("wake: a start that fails forgets who sleeps", "sched/wake.c",
     "mp = assign_locked(pp, spinning, true);", "mp = NULL;", "wake", "late"),
    ("wake: nobody looks for a start that failed", "sched/idle.c",
     "*pp = sched.unserved && !halt ? pidle_get_locked() : NULL;", "*pp = NULL;",
     "wake", "late"),
    ("wake: the M in the poller is not told", "sched/wake.c",
     "if (polls)\n\t\tsched_poller->wake();", "if (polls)\n\t\t;", "wake", "local"),
    ("wake: S1 is not counted", "sched/sched.c",
     "(void)rt_add_seqcst(&sched.npidle, 1); /* S1 */", ";", "wake"),
    ("wake: the poller is not told of a timer", "sched/idle.c",
     "wake_poller(rt_unlikely(sched.fake_time) ?\n"
     "\t\t\t\t0 : timers_next(&pp->timers));", ";", "wake", "timer"),
    ("wake: the poller does not fence before the timers", "sched/poll.c",
     "NEVER);\n\trt_fence_seqcst();\n\tuntil", "NEVER);\n\tuntil",
     "wake", "timer"),

    ("sleep: C2 in the commit removed", "sched/sleep.c",
     "return !(cancellable &&", "return !(false &&", "sleep"),
    ("sleep: the fence before C2 removed", "sched/sleep.c",
     "membar_light(); /* C2 again: cancel.h */", ";", "sleep"),
    ("sleep: the commit does not stop the timer", "sched/sleep.c",
     "timer_stop_fn(&gp->timer, wake_sleeper));", "true);", "sleep"),
    ("sleep: the canceller does not stop the timer", "sched/sleep.c",
     "if (timer_stop_fn(&gp->timer, wake_sleeper))\n\t\trt_ready(gp);",
     "rt_ready(gp);", "sleep"),
    ("sleep: the canceller does not fence", "sched/cancel.c",
     "membar_heavy(); /* F2, pairs with F1 */", ";", "sleep"),
    ("sleep: a firing timer stays armed", "sched/timer.c",
     "rt_store_release(&t->heap, 0);", ";", "sleep"),
    ("sleep: stop does not look again under the lock", "sched/timer.c",
     "if (rt_load_relaxed(&t->heap) == (uintptr_t)h)", "if (true)", "sleep"),

    ("park: the commit does not see what came first", "sched/wait.c",
     "return move(w, word, W_WAIT);",
     "rt_store_release(&w->word, (word & ~UINT64_C(7)) | W_WAIT);\n"
     "\treturn true;", "park", "ready"),
    ("park: any ticket will do", "sched/wait.c",
     "(word & W_OPEN) && ticket_of(ref, word) == ticket", "word & W_OPEN",
     "park", "park again"),
    ("park: who wins before it is parked readies it", "sched/wait.c",
     "if (state == W_WAIT)\n\t\t\t\trt_ready(gp);", "rt_ready(gp);", "park",
     "ready"),
    ("park: it cannot be won before it is parked", "sched/wait.c",
     "if (state != W_WAIT && state != W_COMMIT)", "if (state != W_WAIT)",
     "park", "ready"),
    ("park: what refuses does not see that it was won", "sched/wait.c",
     "if (move(w, word, W_IDLE)) /* else", "if (true) /* else", "park",
     "refuse"),
    ("park: a cancel before is not seen", "sched/wait.c",
     "(void)move(w, word, W_POKED);\n\treturn move(w, word, W_WAIT);",
     ";\n\treturn move(w, word, W_WAIT);", "park", "cancel alone"),
    ("park: winning acquires and releases nothing", "sched/wait.c",
     "return rt_cas_acqrel(&w->word, &word, next);",
     "return rt_cas_relaxed(&w->word, &word, next);", "park", "ready"),

    ("checkpoint: the ask does not fence", "sched/checkpoint.c",
     "rt_fence_seqcst();\n\trt_store_relaxed(&word, 1); /* K2 */",
     "rt_store_relaxed(&word, 1);", "checkpoint", "a cancel"),
    ("checkpoint: no second look", "sched/checkpoint.c",
     "any = anything(); /* K4 */", ";", "checkpoint", "a flag"),
    ("checkpoint: no fence before the second look", "sched/checkpoint.c",
     "rt_fence_seqcst();\n\t\tany = anything();", "any = anything();",
     "checkpoint", "a cancel"),

    ("retake: in_runtime is not read again", "sched/detach.c",
     "if (rt_load_acquire(&mp->in_runtime)) {\n\t\trt_store_relaxed",
     "if (false) {\n\t\trt_store_relaxed", "retake"),
    ("retake: no membarrier", "sched/detach.c",
     "membar_heavy();					  /* pairs with E1 */",
     ";", "retake"),
    ("retake: the flag after the membarrier", "sched/detach.c",
     "rt_store_relaxed(&mp->flags, flags | M_DETACHED | hog); /* I1 */\n"
     "\tmembar_heavy();",
     "membar_heavy();\n"
     "\trt_store_relaxed(&mp->flags, flags | M_DETACHED | hog);", "retake"),
    ("retake: the second look is relaxed", "sched/detach.c",
     "if (rt_load_acquire(&mp->in_runtime)) {\n\t\trt_store_relaxed",
     "if (rt_load_relaxed(&mp->in_runtime)) {\n\t\trt_store_relaxed",
     "retake"),
    ("retake all: no membarrier", "sched/detach.c",
     "membar_heavy(); /* pairs with E1 */\n\tfor", "for", "retake",
     "retake all"),
    ("retake all: in_runtime is not read again", "sched/detach.c",
     "if (rt_load_acquire(&mp->in_runtime)) {\n\t\t\tflag_locked",
     "if (false) {\n\t\t\tflag_locked", "retake", "retake all"),
    ("retake: who computes without a P is not counted", "sched/detach.c",
     "mp->mutates = true;\n\t\tsched.nmutators++;", "", "retake", "collect"),
    ("retake: who has a P again still counts", "sched/detach.c",
     "\tsettled_locked(mp);\n\tif (m_locked(mp))\n\t\tlockm_due",
     "\tif (m_locked(mp))\n\t\tlockm_due", "retake", "collect"),
    ("retake: it counts no more as soon as it asks for a P", "sched/detach.c",
     "if (!m_is_blocking(mp)) {", "if (false) {", "retake", "collect"),
    ("retake: leaving orders nothing", "sched/m.h",
     "/* else a short timer, on g0 */\n"
     "\t\trt_store_release(&mp->in_runtime, 0);",
     "rt_store_relaxed(&mp->in_runtime, 0);", "retake"),
    ("retake: entering does not look at the flags", "sched/m.h",
     "if (rt_unlikely(rt_load_relaxed(&mp->flags)))\n"
     "\t\tmp = m_enter_slow(mp);", "", "retake"),
    ("retake: no fence in fence mode", "sched/detach.c",
     "rt_fence_seqcst(); /* instead of the membarrier */", ";", "retake", "fence mode"),
    ("retake: a withdrawn request stays", "sched/detach.c",
     "rt_store_relaxed(&mp->flags, flags);\n\t\treturn false;",
     "return false;", "retake"),

    ("lock: no membarrier", "base/lock.c",
     "membar_heavy();			   /* L4 */", "", "lock", "lock: two"),
    ("lock: the membarrier before the mark", "base/lock.c",
     "while (rt_swap_acqrel(&l->word, 2) != 0) { /* L3 */\n"
     "\t\tmembar_heavy();",
     "while (membar_heavy(), rt_swap_acqrel(&l->word, 2) != 0) {\n\t\t",
     "lock", "lock: two"),
    ("lock: unlock stores", "base/lock.h",
     "return rt_cas_local(word, held, 0); /* L2 */",
     "return rt_store_release(word, 0), true;", "lock", "lock: two"),
    ("lock: unlock takes any word for held", "base/lock.h",
     "if (rt_unlikely(rt_load_relaxed(word) != held)) /* L1 */\n"
     "\t\treturn false;", "held = rt_load_relaxed(word);", "lock", "lock: two"),
    ("lock: the second sleeper is forgotten", "base/lock.c",
     "(void)futex_wait(&l->word, 2, 0);  /* L5 */\n\t}",
     "(void)futex_wait(&l->word, 2, 0);\n\t}\n"
     "\trt_store_relaxed(&l->word, 1);", "lock", "lock: three"),
    ("lock: locking orders nothing", "base/lock.h",
     "if (rt_unlikely(!rt_cas_acqrel(&l->word, &w, 1)))",
     "if (rt_unlikely(!rt_cas_relaxed(&l->word, &w, 1)))", "lock", "lock: two"),
    ("lock: a loser that gets it acquires nothing", "base/lock.c",
     "while (rt_swap_acqrel(&l->word, 2) != 0) { /* L3 */",
     "while (rt_swap_relaxed(&l->word, 2) != 0) {", "lock", "lock: two"),
    ("lock: unlocking with sleepers orders nothing", "base/lock.c",
     "(void)rt_swap_acqrel(&l->word, 0);",
     "(void)rt_swap_relaxed(&l->word, 0);", "lock", "lock: two"),
    ("lock: the guard's loser without membarrier", "sched/guard.c",
     "membar_heavy();			   /* L4 */", "", "lock", "guard: two"),
    ("lock: the guard's sleeper is not woken", "sched/guard.c",
     "futex_wake(&l->word, 1);", "", "lock", "guard: two"),
    ("lock: the guard is read after it was let go", "sched/guard.c",
     "(void)rt_swap_acqrel(&l->word, 0);",
     "(void)rt_swap_acqrel(&l->word, 0);\n"
     "\tif (rt_load_relaxed(&l->word) != 0)\n\t\treturn;", "lock", "frees"),

    ("rcu: G1 removed", "sched/rcu.c",
     "membar_heavy(); /* G1 */\n\tif (begin_grace())", "if (begin_grace())",
     "rcu", "one reader"),
    ("rcu: G1 removed (quiet)", "sched/rcu.c",
     "membar_heavy(); /* G1 */\n\trt_lock", "rt_lock", "rcu", "quiet"),
    ("rcu: G3 removed", "sched/rcu.c", "membar_heavy(); /* G3 */", ";",
     "rcu", "one reader"),
    ("rcu: E1 relaxed", "sched/rcu.h",
     "rt_store_release(&r->word, w - 1 + RCU_SECTION); /* E1 */",
     "rt_store_relaxed(&r->word, w - 1 + RCU_SECTION);", "rcu", "quiet"),
    ("rcu: E2 before E1", "sched/rcu.h",
     "rt_store_release(&r->word, w - 1 + RCU_SECTION); /* E1 */",
     "bool special = rt_load_relaxed(&r->special) != 0;\n"
     "rt_store_release(&r->word, w - 1 + RCU_SECTION);", "rcu", "one reader",
     "return rt_load_relaxed(&r->special) != 0; /* E2 */", "return special;"),
    ("rcu: E2 does not look", "sched/rcu.h",
     "return rt_load_relaxed(&r->special) != 0; /* E2 */", "return false;",
     "rcu", "one reader"),
    ("rcu: fences: none in a section's begin", "sched/rcu.h",
     "membar_light(); /* pairs with G1 */", ";", "rcu", "fences"),
    ("rcu: fences: none in a section's end", "sched/rcu.h",
     "membar_light(); /* pairs with G3 */", ";", "rcu", "fences"),
    ("rcu: G2 reads the word relaxed", "sched/rcu.c",
     "uint64_t w = rt_load_acquire(&r->word);\n\n\t\tsan_acquire",
     "uint64_t w = rt_load_relaxed(&r->word);\n\n\t\tsan_acquire",
     "rcu", "one reader"),
    ("rcu: G2 leaves the phase", "sched/rcu.c",
     "rcu.phase = !rcu.phase;", ";", "rcu", "nomad"),
    ("rcu: G4 reads the word relaxed", "sched/rcu.c",
     "if (section(rt_load_acquire(&r->word)) != r->awaited)",
     "if (section(rt_load_relaxed(&r->word)) != r->awaited)",
     "rcu", "one reader"),
    ("rcu: G4 gives up on everybody", "sched/rcu.c",
     "if (section(rt_load_acquire(&r->word)) != r->awaited)", "if (true)",
     "rcu", "one reader"),
    ("rcu: the note is cleared after the look", "sched/rcu.c",
     "note_clear(&rcu.note);\n\t\tif (look_at_awaited())\n\t\t\treturn;",
     "if (look_at_awaited())\n\t\t\treturn;\n\t\tnote_clear(&rcu.note);",
     "rcu", "one reader"),
    ("rcu: who sleeps is not waited for", "sched/rcu.c",
     "return rcu.awaited == 0 && rcu.asleep[!rcu.phase] == 0;",
     "return rcu.awaited == 0;", "rcu", "nomad"),
    ("rcu: who sleeps is not waited for (quiet)", "sched/rcu.c",
     "quiet = rcu.asleep[0] + rcu.asleep[1] == 0;", "quiet = true;",
     "rcu", "quiet"),
    ("rcu: I1: never in the old phase", "sched/rcu.c",
     "(uint8_t)(old ? !rcu.phase : rcu.phase)", "(uint8_t)rcu.phase",
     "rcu", "nomad"),
    ("rcu: I1: always in the old phase", "sched/rcu.c",
     "(uint8_t)(old ? !rcu.phase : rcu.phase)", "(uint8_t)!rcu.phase",
     "rcu", "nomad"),
    ("rcu: who leaves stays awaited", "sched/rcu.c",
     "unawait_locked(r);\n\trt_store_relaxed(&r->special, 0);\n\tunlock",
     "rt_store_relaxed(&r->special, 0);\n\tunlock", "rcu", "nomad"),
    ("rcu: who comes back is not counted", "sched/rcu.c",
     "rt_load_relaxed(&r->special) | RCU_COUNTED);",
     "rt_load_relaxed(&r->special));", "rcu", "nomad"),
    ("rcu: the last one does not tell", "sched/rcu.c",
     "rt_lock(&rcu.lock);\n\tsettle_locked(r, s);\n\tunlock_and_tell(ends_locked());",
     "rt_lock(&rcu.lock);\n\tsettle_locked(r, s);\n\tunlock_and_tell(false);",
     "rcu", "one reader"),
    ("rcu: I3: a section begins uncounted", "sched/rcu.c",
     "rt_store_relaxed(&r->special, RCU_COUNTED);\n", "\n", "rcu", "counted"),

    ("solo: no membarrier", "sched/solo.c",
     "membar_heavy(); /* pairs with solo_begin */", ";", "solo", "one thread"),
    ("solo: nobody waits for the owner", "sched/solo.c",
     "while (rt_load_acquire(&solo_state.busy))", "while (false)", "solo", "one thread"),
    ("solo: the owner does not look again", "sched/solo.h",
     "if (rt_likely(rt_load_acquire(&solo_state.on)))", "if (true)", "solo", "one thread"),
    ("solo: busy after the second look", "sched/solo.h",
     "rt_store_relaxed(&solo_state.busy, 1);\n"
     "\tmembar_light(); /* pairs with solo_break */\n"
     "\tif (rt_likely(rt_load_acquire(&solo_state.on)))\n",
     "membar_light();\n"
     "\tbool on = rt_load_acquire(&solo_state.on);\n"
     "\trt_store_relaxed(&solo_state.busy, 1);\n"
     "\tif (on)\n", "solo", "one thread"),
    ("solo: leaving orders nothing", "sched/solo.h",
     "static inline void solo_end(void)\n{\n"
     "\trt_store_release(&solo_state.busy, 0);",
     "static inline void solo_end(void)\n{\n"
     "\trt_store_relaxed(&solo_state.busy, 0);", "solo", "one thread"),
    ("solo: the thread acquires nothing", "sched/solo.c",
     "while (rt_load_acquire(&solo_state.busy))",
     "while (rt_load_relaxed(&solo_state.busy))", "solo", "one thread"),
    ("solo: broken is said too early", "sched/solo.c",
     "rt_lock(&lock);\n\tswitch_off();\n"
     "\trt_store_release(&solo_state.broken, 1);",
     "rt_store_release(&solo_state.broken, 1);\n"
     "\trt_lock(&lock);\n\tswitch_off();", "solo", "two threads"),
    ("solo: the second thread acquires nothing", "sched/solo.h",
     "if (rt_unlikely(!rt_load_acquire(&solo_state.broken)))",
     "if (rt_unlikely(!rt_load_relaxed(&solo_state.broken)))",
     "solo", "two threads"),
    ("solo: a section ends as one with the lock", "sched/guard.h",
     "if (!guard_is_solo(l)) {", "if (true) {", "solo", "one thread"),

    ("wait: a partner wins by a store", "sched/wait.c",
     "if (solo && !(word & W_FDS))", "if (true)", "wait", "deadline, wait"),
    ("wait: late ones do not compare the count", "sched/wait.c",
     "while ((now | W_STATE) == (word | W_STATE)) {", "while (true) {",
     "wait", "deadline, wait"),
    ("wait: the deadline forgets who is about to park", "sched/wait.c",
     "} else if (state != W_COMMIT || move(w, now, W_POKED)) {",
     "} else {", "wait", "alone"),
    ("wait: no C2 without a deadline", "sched/wait.c",
     "return !(rt_load_relaxed(&gp->tag) & 1) ||", "return true ||",
     "wait", "cancel alone"),
    ("wait: what C2 finds is taken back by a store", "sched/wait.c",
     "!move(&gp->wait, word | W_WAIT, W_CANCEL);",
     "(rt_store_release(&gp->wait.word, word | W_CANCEL), false);",
     "wait", "cancel alone"),
    ("wait: no fence before C2", "sched/wait.c",
     "membar_light(); /* pairs with F2 */\n\treturn",
     "return", "wait", "alone, fence mode"),
    ("wait: no C2 with a deadline", "sched/wait.c",
     "if (!(word & W_FIRM) && (rt_load_relaxed(&gp->tag) & 1))\n"
     "\t\t(void)move(w, word | W_COMMIT",
     "if (false)\n\t\t(void)move(w, word | W_COMMIT", "wait", "to come"),
    ("wait: no fence before C2 with a deadline", "sched/wait.c",
     "membar_light(); /* pairs with F2 */\n"
     "\tif (!(word & W_FIRM) && (rt_load_relaxed(&gp->tag) & 1))\n"
     "\t\t(void)move(w, word | W_COMMIT",
     "if (!(word & W_FIRM) && (rt_load_relaxed(&gp->tag) & 1))\n"
     "\t\t(void)move(w, word | W_COMMIT",
     "wait", "to come, fence mode"),
    ("wait: the canceller does not fence", "sched/cancel.c",
     "membar_heavy(); /* F2, pairs with F1 */", ";", "wait", "cancel alone"),
    ("wait: a canceller leaves who is about to park", "sched/wait.c",
     "end_wait(&gp->wait, word, W_CANCEL))",
     "(word & W_STATE) == W_WAIT && move(&gp->wait, word, W_CANCEL))",
     "wait", "to come"),
    ("wait: a canceller takes the next goroutine", "sched/wait.c",
     "(rt_load_acquire(&gp->tag) & 1) &&", "true &&",
     "wait", "next goroutine"),
    ("wait: a canceller reads the tag first", "sched/wait.c",
     "uint64_t word = rt_load_acquire(&gp->wait.word);",
     "bool tag = rt_load_acquire(&gp->tag) & 1;\n"
     "\tuint64_t word = rt_load_acquire(&gp->wait.word);",
     "wait", "next goroutine", "(rt_load_acquire(&gp->tag) & 1) &&", "tag &&"),
    ("wait: who was cancelled as it parked is not told", "sched/wait.c",
     "if (!how->firm && g_cancelled(gp))", "if (false)", "wait", "to come"),
    ("wait: a firm wait is cancelled", "sched/wait.c",
     "if (how->firm || gp->uncancellable)", "if (false)", "wait", "in vain"),
    ("wait: the commit reads the stack late", "sched/wait.c",
     "if (release)\n\t\trelease(obj);",
     "if (how->release)\n\t\thow->release(how->obj);", "wait", "g0"),
    ("wait: the timer stays armed", "sched/wait.c",
     "(void)timer_stop(&gp->timer);\n\treturn why_not",
     ";\n\treturn why_not", "wait", "deadline, wait"),
    ("wait: a thread does not wait for who won it", "sched/wait.c",
     "(void)note_sleep(&w->note, 0); /* the winner is about to wake us */",
     ";", "wait", "thread"),
    ("wait: a thread's deadline is a store", "sched/wait.c",
     "if (rt_cas_acqrel(&w->word, &word, W_TIME))",
     "if (rt_store_release(&w->word, W_TIME), true)", "wait", "thread"),

    ("select: the guards in the order of the cases", "runtime/select.c",
     "\t\tsort_locks(sel);", "\t\t;", "select", "two selects"),
    ("select: a channel is locked twice", "runtime/select.c",
     "if (ch != last)", "if (true)", "select", "twice"),
    ("select: the commit reads the cases late", "runtime/select.c",
     "for (uint32_t i = 0; i < n; i++) {\n"
     "\t\tstruct gamp_chan *ch = chan_at(sel, i);\n\n\t\tif (i + 1",
     "for (uint32_t i = 0; i < sel->chans; i++) {\n"
     "\t\tstruct gamp_chan *ch = chan_at(sel, i);\n\n\t\tif (i + 1",
     "select", "deadline"),
    ("select: the records are taken out unguarded", "runtime/select.c",
     "enter_all(sel);\n\tqueue_all(sel, false);\n\texit_all(sel);",
     "queue_all(sel, false);", "select", "deadline"),
    ("select: the records stay", "runtime/select.c",
     "waitq_remove(queue_of(c), s);", ";", "select", "two senders"),
    ("select: a partner takes one that is gone", "sched/waitq.h",
     "if (wait_win(s, solo))", "if (wait_win(s, solo), true)",
     "select", "two senders"),
    ("select: descriptors are not left", "runtime/select.c",
     "pd_select_unwatch(\n\t\t\t    at(sel, i)->pd, mode_of(&sel->c[i]));",
     ";", "select", "event"),
    ("select: leaving swallows readiness", "netpoll/pd_select.c",
     "if (dir_unwatch(&pd->dir[mode]) && mode == MODE_READ)\n"
     "\t\tpd->drained = false;\n}",
     "(void)dir_unwatch(&pd->dir[mode]);\n}", "select", "event"),
    ("select: looking swallows readiness", "netpoll/pd_select.c",
     "if (dir_unwatch(&pd->dir[mode]) && mode == MODE_READ)\n"
     "\t\tpd->drained = false;\n\tif",
     "(void)dir_unwatch(&pd->dir[mode]);\n\tif", "select", "event"),
    ("select: what is ready as it parks is not told", "netpoll/pd_select.c",
     "(void)wait_poke(gp, word);", ";", "select", "event"),
    ("select: the wait to poke is named late", "netpoll/pd_select.c",
     "rt_store_relaxed(&pd->poke[mode], word);\n", "\n", "select", "event",
     "(void)wait_poke(gp, word);",
     "(void)wait_poke(gp, word);\n"
     "\trt_store_relaxed(&pd->poke[mode], word);"),
    ("select: a close is not seen as it parks", "netpoll/dir.c",
     "return !(rt_load_relaxed(info) & stop);", "return true;",
     "select", "closed"),
    ("select: F1 removed", "netpoll/dir.c",
     "rt_fence_seqcst(); /* F1, pairs with F2 */\n\treturn !(",
     "return !(", "select", "closed"),
    ("select: a poke that lost readies", "netpoll/pd_wait.c",
     "if (wait_poke(gp, rt_load_relaxed(&pd->poke[mode])))",
     "(void)wait_poke(gp, rt_load_relaxed(&pd->poke[mode]));",
     "select", "event"),

    ("mutex: no membarrier", "runtime/mutex.c",
     "membar_heavy();", ";", "mutex", "cold"),
    ("mutex: WAITERS after the membarrier", "runtime/mutex.c",
     "w = LOCKED | WAITERS | HEAT_MAX;", "w = LOCKED | HEAT_MAX;",
     "mutex", "cold"),
    ("mutex: no L1", "base/lock.h",
     "if (rt_unlikely(rt_load_relaxed(word) != held)) /* L1 */\n"
     "\t\treturn false;", "", "mutex", "cools"),
    ("mutex: who flew and has it forgets the others", "runtime/mutex.c",
     "if (m->waiters.first)\n"
     "\t\trt_store_relaxed(&m->word, w | WAITERS);", "",
     "mutex", "three threads"),
    ("mutex: who flew and leaves forgets the others", "runtime/mutex.c",
     "take_or_mark(m, err == 0 || (flew && s->next))",
     "take_or_mark(m, err == 0)",
     "mutex", "deadline, two threads, ages"),
    ("mutex: who flew in vain still flies", "runtime/mutex.c",
     "s->kind = WAITING;", ";", "mutex", "cools"),
    ("mutex: handed over unlocked", "runtime/mutex.c",
     "word = unlocked | LOCKED;", "word = unlocked;",
     "mutex", "two threads, ages, the last"),
    ("mutex: those behind the new owner are forgotten", "runtime/mutex.c",
     "if (first && first->kind == WAITING)\n\t\t\tword |= WAITERS;", ";",
     "mutex", "goroutine, two threads"),
    ("mutex: the new owner competes", "runtime/mutex.c",
     "if (s.err != 0) /* it was handed over */\n\t\t\treturn 0;", ";",
     "mutex", "two threads, ages, the last"),
    ("mutex: the owner is woken under the guard", "runtime/mutex.c",
     "guard_exit(&m->guard);\n\tif (s)\n\t\twait_wake(s->wait);",
     "if (s)\n\t\twait_wake(s->wait);\n\tguard_exit(&m->guard);",
     "mutex", "two threads, ages, the last"),
    ("mutex: locking orders nothing", "runtime/mutex.c",
     "rt_cas_acqrel(&m->word, &w, w | LOCKED);",
     "rt_cas_relaxed(&m->word, &w, w | LOCKED);", "mutex", "goroutine, thread"),
    ("mutex: freeing a hot one orders nothing", "runtime/mutex.c",
     "sync_step(&m->word, w, to < HEAT ? 0 : to - HEAT)",
     "rt_cas_relaxed(&m->word, &w, to < HEAT ? 0 : to - HEAT)",
     "mutex", "cools"),
    ("mutex: letting one fly orders nothing", "runtime/mutex.c",
     "rt_store_release(&m->word, word);",
     "rt_store_relaxed(&m->word, word);", "mutex", "three threads"),
    ("alloc: A1 does not look", "base/alloc.c",
     "while (rt_add_seqcst(&users, 1) & SWITCHING) { /* A1 */",
     "(void)rt_add_seqcst(&users, 1);\n\twhile (false) {", "alloc", "one user"),
    ("alloc: A1 looks before it counts", "base/alloc.c",
     "while (rt_add_seqcst(&users, 1) & SWITCHING) { /* A1 */",
     "while (rt_load_seqcst(&users) & SWITCHING)\n\t\t(void)sched_yield();\n"
     "\t(void)rt_add_seqcst(&users, 1);\n\twhile (false) {",
     "alloc", "one user"),
    ("alloc: A1 stays counted while it waits", "base/alloc.c",
     "(void)rt_sub_seqcst(&users, 1);\n\t\t(void)sched_yield();",
     "(void)sched_yield();", "alloc", "one user"),
    ("alloc: A1 acquires nothing", "base/alloc.c",
     "while (rt_add_seqcst(&users, 1) & SWITCHING) { /* A1 */",
     "while (rt_add_relaxed(&users, 1) & SWITCHING) {", "alloc", "one user"),
    ("alloc: A1 counts nobody", "base/alloc.c",
     "while (rt_add_seqcst(&users, 1) & SWITCHING) { /* A1 */",
     "while (rt_add_seqcst(&users, 1) & SWITCHING || "
     "rt_sub_seqcst(&users, 1) == 0) {", "alloc", "one user",
     "(void)rt_sub_seqcst(&users, 1); /* A3 */", ";"),
    ("alloc: A2 before A1", "base/alloc.c",
     "begin();\n\tp = table.alloc(size);",
     "void *(*alloc)(size_t) = table.alloc;\n\n\tbegin();\n"
     "\tp = alloc(size);", "alloc", "one user"),
    ("alloc: A2 before A1 for a line", "base/alloc.c",
     "begin();\n\tp = is_usual() ? ", "bool usual = is_usual();\n\n"
     "\tbegin();\n\tp = usual ? ", "alloc", "lines"),
    ("alloc: A3 before the release", "base/alloc.c",
     "table.release(p);\n\tend();", "end();\n\ttable.release(p);",
     "alloc", "one user"),
    ("alloc: A3 before the look at who has the line", "base/alloc.c",
     "rt_release(is_usual() ? p : ((void **)p)[-1]);",
     "{\n\t\tend();\n\t\tp = is_usual() ? p : ((void **)p)[-1];\n"
     "\t\tbegin();\n\t\trt_release(p);\n\t}", "alloc", "lines"),
    ("alloc: A3 releases nothing", "base/alloc.c",
     "(void)rt_sub_seqcst(&users, 1); /* A3 */",
     "(void)rt_add_relaxed(&users, -1);", "alloc", "one user"),
    ("alloc: what fails stays counted", "base/alloc.c",
     "p = table.alloc(size);\n\tif (!p)\n\t\tend();",
     "p = table.alloc(size);", "alloc", "no memory"),
    ("alloc: C1 is a load and a store", "base/alloc.c",
     "if (!rt_cas_seqcst(&users, &none, SWITCHING)) /* C1 */\n"
     "\t\treturn -EBUSY;",
     "if (rt_load_seqcst(&users) != none)\n\t\treturn -EBUSY;\n"
     "\trt_store_release(&users, SWITCHING);", "alloc", "one user"),
    ("alloc: C1 acquires nothing", "base/alloc.c",
     "if (!rt_cas_seqcst(&users, &none, SWITCHING)) /* C1 */",
     "if (!rt_cas_relaxed(&users, &none, SWITCHING))", "alloc", "one user"),
    ("alloc: C1 does not look at who is counted", "base/alloc.c",
     "if (!rt_cas_seqcst(&users, &none, SWITCHING)) /* C1 */",
     "if (rt_add_seqcst(&users, SWITCHING) & SWITCHING)", "alloc", "one user"),
    ("alloc: C2 before C1", "base/alloc.c",
     "uint64_t none = 0;\n", "uint64_t none = 0;\n\ttable = a ? *a : usual;\n",
     "alloc", "one user"),
    ("alloc: C3 before C2", "base/alloc.c",
     "table = a ? *a : usual;\n\t(void)rt_sub_seqcst(&users, SWITCHING); /* C3 */",
     "(void)rt_sub_seqcst(&users, SWITCHING);\n\ttable = a ? *a : usual;",
     "alloc", "one user"),
    ("alloc: C3 is a store", "base/alloc.c",
     "(void)rt_sub_seqcst(&users, SWITCHING); /* C3 */",
     "rt_store_release(&users, 0);", "alloc", "one user"),
    ("alloc: C3 releases nothing", "base/alloc.c",
     "(void)rt_sub_seqcst(&users, SWITCHING); /* C3 */",
     "(void)rt_add_relaxed(&users, -SWITCHING);", "alloc", "one user"),

    ("guest: H1 after H3", "sched/guest.c",
     "sched_poller->consume(); /* H1 */", ";", "guest", "foreign",
     "guest.more = work_waits(); /* H3 */",
     "guest.more = work_waits(), sched_poller->consume();"),
    ("guest: H3 before H2", "sched/guest.c",
     "put_p(mp);\n\t\trt_fence_seqcst(); /* F2, pairs with F1 in wake.c */",
     "bool any;\n\n\t\trt_fence_seqcst();\n\t\tany = work_waits();\n"
     "\t\tput_p(mp);", "guest", "foreign",
     "guest.more = work_waits(); /* H3 */", "guest.more = any;"),
    ("guest: no H3", "sched/guest.c",
     "guest.more = work_waits(); /* H3 */", ";", "guest", "foreign"),
    ("guest: no fence before the timers", "sched/guest.c",
     "rt_fence_seqcst(); /* pairs with wake_poller */", ";",
     "guest", "own, timer"),
    ("guest: who arms a timer does not fence", "sched/wake.c",
     "rt_fence_seqcst(); /* pairs with the one in poll_blocking, poll.c */",
     ";", "guest", "own, timer"),
    ("guest: who arms a timer does not tell", "sched/sleep.c",
     "if (r == 0)\n\t\twake_poller(when);\n\treturn r;", "return r;",
     "guest", "earlier timer"),
    ("guest: nobody knows until when the host sleeps", "sched/guest.c",
     "rt_store_relaxed(&sched.poll_until, until);",
     "rt_store_relaxed(&sched.poll_until, 0);", "guest", "earlier timer"),
    ("guest: more could run, and the host is not told", "sched/guest.c",
     "if (guest.more)\n\t\tguest_wake();\n\telse", "if (!guest.more)",
     "guest", "turns"),
    ("guest: no second look for the P", "sched/guest.c",
     "sched_poller->consume();\n\t\tif (!get_p(mp))\n\t\t\treturn 0;",
     "sched_poller->consume();\n\t\treturn 0;", "guest", "world"),
    ("guest: who lets the world go on does not tell", "sched/world.c",
     "wakep(); /* for the rest, and", "; /* for the rest, and",
     "guest", "world"),
    ("guest: a wake is consumed before it is written", "netpoll/epoll.c",
     "if (r > 0)\n\t\t(void)rt_swap_seqcst(&ep.woken, 0);",
     "(void)rt_swap_seqcst(&ep.woken, 0);", "guest", "two foreign"),
    ("guest: woken is cleared before the eventfd", "netpoll/epoll.c",
     "ssize_t r;\n\n\tdo",
     "ssize_t r;\n\n\t(void)rt_swap_seqcst(&ep.woken, 0);\n\tdo",
     "guest", "turns", "if (r > 0)\n\t\t(void)rt_swap_seqcst(&ep.woken, 0);\n",
     ""),

    ("lockm: the note is cleared before the sleep", "sched/lockm.c",
     "(void)note_sleep(&mp->note, 0);\n\tnote_clear(&mp->note);",
     "note_clear(&mp->note);\n\t(void)note_sleep(&mp->note, 0);",
     "lockm", "ping"),
    ("lockm: the note is not cleared", "sched/lockm.c",
     "(void)note_sleep(&mp->note, 0);\n\tnote_clear(&mp->note);",
     "(void)note_sleep(&mp->note, 0);", "lockm", "ping"),
    ("lockm: binding does not clear the note", "sched/lockm.c",
     "note_clear(&mp->note);\n\tm_set_locked(mp, gp);",
     "m_set_locked(mp, gp);", "lockm", "woken"),
    ("lockm: an early wake is overwritten", "base/note.h",
     "(void)rt_cas_acqrel(&n->word, &clear, NOTE_ASLEEP);",
     "rt_store_release(&n->word, NOTE_ASLEEP);", "lockm", "ping"),
    ("lockm: who hands over wakes nobody", "sched/lockm.c",
     "(void)note_wake(&to->note);", ";", "lockm", "main"),
    ("lockm: woken before the P is there", "sched/lockm.c",
     "rt_lock(&sched.lock);\n\tpp = releasep(mp);\n\tto->nextp = pp;",
     "(void)note_wake(&to->note);\n\trt_lock(&sched.lock);\n"
     "\tpp = releasep(mp);\n\tto->nextp = pp;", "lockm", "main",
     "rt_unlock(&sched.lock);\n\t(void)note_wake(&to->note);",
     "rt_unlock(&sched.lock);"),
    ("lockm: I2: nobody owns what is handed over", "sched/lockm.c",
     "rt_store_release(&pp->m, (uintptr_t)to); /* m.h I2 */", ";",
     "lockm", "main, who looks"),
    ("lockm: I2: its former M owns it", "sched/lockm.c",
     "rt_store_release(&pp->m, (uintptr_t)to); /* m.h I2 */",
     "rt_store_release(&pp->m, (uintptr_t)mp);", "lockm", "main, who looks"),
    ("lockm: who hands over keeps the P", "sched/lockm.c",
     "pp = releasep(mp);\n\tto->nextp", "pp = m_p(mp);\n\tto->nextp",
     "lockm", "main, who looks"),
    ("lockm: what was handed over stays so", "sched/lockm.c",
     "mp->nextp = NULL;", ";", "lockm", "ping, who looks"),
    ("lockm: who sleeps keeps the P", "sched/lockm.c",
     "if (m_p(mp))\n\t\thand_off(mp);", ";", "lockm", "ping"),
    ("lockm: who ends keeps the P", "sched/lockm.c",
     "mp->ends = true;\n\thand_off(mp);", "mp->ends = true;",
     "lockm", "next"),
    ("lockm: who ends is still locked", "sched/lockm.c",
     "m_set_locked(mp, NULL);\n\tmp->ends = true;", "mp->ends = true;",
     "lockm", "next"),
    ("lockm: the thread outlives its goroutine", "sched/lockm.c",
     "mp->ends = true;", ";", "lockm", "next"),
    ("lockm: any M runs it", "sched/lockm.h",
     "gp->lockm && gp->lockm != mp;", "false;", "lockm", "main"),
    ("lockm: a thread that locks itself is a hog", "sched/detach.c",
     "if (got && hog && m_locked(mp)) {", "if (false) {", "lockm", "bind"),
    ("lockm: the second look before the P is taken", "sched/detach.c",
     "    retake_locked(pp, hog ? M_HOG : 0);",
     "    !m_locked(mp) && retake_locked(pp, hog ? M_HOG : 0);",
     "lockm", "bind", "if (got && hog && m_locked(mp)) {", "if (false) {"),
    ("lockm: who hands off does not look at all queues", "sched/detach.c",
     "if (wake_work())   /* S3 */", "if (rt_load_relaxed(&sched.nglobal) > 0)",
     "lockm", "others"),
    ("lockm: who gives up its P forgets a start that failed", "sched/idle.c",
     "if (!task && sched.unserved) {", "if (false) {", "lockm", "woken"),
]


def threads(model, only):
    """MODEL_THREADS of model.h: what the scenarios with that word need."""
    with open(ROOT + "/tests/model/model_%s.cpp" % model,
              encoding="utf-8") as f:
        runs = re.findall(r'run<(?:model<)?(\w+)> ?>?\([^";]*"([^"]*)"',
                          f.read())
    counts = {n for n, name in runs if only in name}
    if not all(n.isdigit() for n in counts):
        return "-DMODEL_THREADS=~0u"
    return "-DMODEL_THREADS=%du" % sum(1 << int(n) for n in counts)


def attempt(work, number, mutant):
    path, model = mutant[1], mutant[4]
    only = mutant[5] if len(mutant) > 5 else ""
    edits = [mutant[2:4]] + [mutant[i:i + 2] for i in range(6, len(mutant), 2)]
    top = os.path.join(work, str(number))
    exe = os.path.join(top, "model")
    begin = time.monotonic()
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        text = f.read()
    for old, new in edits:
        at = text.rfind(old) if old != edits[0][0] else text.find(old)
        if at < 0 or (old == edits[0][0] and text.count(old) != 1):
            return "alive", "old text: %d times" % text.count(old), 0.0
        text = text[:at] + new + text[at + len(old):]
    shadow = os.path.join(top, path)
    os.makedirs(os.path.dirname(shadow))
    with open(shadow, "w", encoding="utf-8") as f:
        f.write(text)
    build = subprocess.run(
        [CXX] + FLAGS + [threads(model, only)]
        + ["-include", os.path.join(work, "pch.h"), "-I" + top]
        + INCLUDE + [ROOT + "/tests/model/model_%s.cpp" % model,
                    "-Wl,--gc-sections", "-o", exe],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if build.returncode != 0:
        return "alive", "does not build:\n" + build.stdout[:800], 0.0
    try:
        with open(exe + ".out", "w+", encoding="utf-8", errors="replace") as f:
            run = subprocess.run([exe], stdout=f, stderr=f, timeout=LIMIT,
                                 env=dict(os.environ, MODEL_ONLY=only))
            f.seek(0)
            text = f.read()
        killed = run.returncode != 0
        failed = [s for s in text.splitlines() if "FAILED" in s]
        why = failed[0].strip() if failed else "exit %d" % run.returncode
        if not text and run.returncode == 0:
            killed, why = False, "no such scenario: " + only
    except subprocess.TimeoutExpired:
        killed, why = True, "no end in %d s" % LIMIT
    if not KEEP:
        shutil.rmtree(top)
    return ("killed" if killed else "alive"), why, time.monotonic() - begin


def precompile(work):
    """Relacy's headers are a third of the compile time."""
    head = os.path.join(work, "pch.h")
    with open(head, "w", encoding="utf-8") as f:
        f.write('#include "tests/model/atomic_relacy.h"\n')
    subprocess.run([CXX] + FLAGS + INCLUDE + ["-x", "c++-header", head,
                                              "-o", head + ".gch"], check=True)


def main():
    global KEEP
    args = sys.argv[1:]
    jobs = 2
    if "-j" in args:
        jobs = int(args[args.index("-j") + 1])
        del args[args.index("-j"):args.index("-j") + 2]
    every = 1
    if "-e" in args:
        every = int(args[args.index("-e") + 1])
        del args[args.index("-e"):args.index("-e") + 2]
    KEEP = "-k" in args
    words = [a for a in args if a != "-k"]
    todo = [m for m in MUTANTS
            if not words or any(w in m[0] for w in words)][::every]
    alive = 0
    work = tempfile.mkdtemp(prefix="gamp-mutants-")
    begin = time.monotonic()
    precompile(work)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = pool.map(lambda m: attempt(work, m[0], m[1]),
                           list(enumerate(todo)))
        for mutant, (state, why, took) in zip(todo, results):
            alive += state != "killed"
            print("%-7s %5.1f s  %-52s %s" % (state, took, mutant[0], why),
                  flush=True)
    print("%d mutants, %d killed, %d alive, %.0f s" % (
        len(todo), len(todo) - alive, alive, time.monotonic() - begin))
    if KEEP:
        print("builds are in", work)
    else:
        shutil.rmtree(work)
    return 1 if alive else 0


KEEP = False
if __name__ == "__main__":
    sys.exit(main())
