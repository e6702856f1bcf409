/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.h - gamp_checkpoint: one word for all, so that who asks nothing
 * of the program pays one load and one branch, and the address never changes.
 *
 * The word is 1 while checkpoints may have something to see:
 *	an M was asked to let others run	M_PREEMPT
 *	an M has lost its P			sched.ndetached
 *	a goroutine that runs is cancelled	its tag
 *	the world stops				sched.stopped
 * and then every checkpoint enters the runtime, 3 ns, and looks for itself.
 *
 *	who has something to say		sysmon, at each look
 *	------------------------		--------------------
 *	K1 says it				K3 word = 0
 *	fence					fence
 *	K2 word = 1				K4 has anybody? word = 1
 *
 * K4 that misses K1 is before it, so K3 is before K2: the word is not 0 for
 * good.  A cancelled goroutine that begins to run is seen at the next look.
 * A word that stays 1 too long is harmless.
 */
#ifndef RT_SCHED_CHECKPOINT_H
#define RT_SCHED_CHECKPOINT_H

#include <stdbool.h>

/* Is the word not 0? */
bool checkpoint_is_set(void);

/* K2, with its fence. */
void checkpoint_ask(void);

/* sysmon: K3, K4. */
void checkpoint_settle(void);

#endif
