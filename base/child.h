/* SPDX-License-Identifier: MIT */
/*
 * child.h - starting a program in a child process.
 *
 *	thread				child, on a stack of its own
 *	------				----------------------------
 *	block all signals
 *	clone(VM | VFORK | PIDFD) --->	default dispositions, ids, descriptors
 *	    (sleeps)			empty mask, exec
 *	    <---------------------	    or: leave the error, exit
 *	restore the mask
 *	an error? reap the child
 *
 * Why not posix_spawn(3): the pidfd then comes second, by number, and is lost
 * if the program ignores SIGCHLD or waits for just any child; there are no
 * credentials; and nothing shuts out descriptors that other threads open
 * without O_CLOEXEC.  Why not fork(2): it copies the page tables (a million
 * stacks), and runs the program's handlers of pthread_atfork(3).
 *
 * Rules of the child, which borrows the thread's memory and its thread pointer:
 *	R1  no libc: it would write to the thread's errno, and setuid(3) would
 *	    ask the other threads to do the same.  Bare system calls only.
 *	R2  no signal handler may run, for it would be the parent's, in the
 *	    parent's memory: all are blocked until no handler is left.
 *	R3  it takes no locks and allocates nothing.
 *	R4  no sanitizer (CMakeLists.txt): the frames of functions that are
 *	    never left would stay poisoned, and TSan knows of no such thread.
 * With credentials it does not borrow the memory (no CLONE_VM): changing them
 * makes the memory undumpable, and that would be the parent's.  The word for
 * its error lies in shared memory, so this is the same code.
 */
#ifndef RT_BASE_CHILD_H
#define RT_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FDS_MAX 256

struct child_plan {
	const char *file;
	const char *path; /* where to look for a file without a slash */
	char *const *argv, *const *env;
	const char *cwd; /* null: as it is */
	int fds[CHILD_FDS_MAX]; /* becomes the child's i; -1: i as it is */
	int nfds;	  /* at least 3 */
	bool keep_fds;	  /* and further ones that are not close-on-exec */
	bool keep_ignored; /* signals that are ignored stay so */
	bool session;	  /* a new one */
	bool group;	  /* join pgid; 0: a new one */
	pid_t pgid;
	bool ids; /* the following four hold */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	const void *cpus; /* affinity; null: the thread's */
	size_t cpus_size;
	unsigned long slack; /* of timers, ns; 0: the thread's */
};

/* The calling thread sleeps until the program runs.  The child's pid, with
 * a close-on-exec pidfd of it in *pidfd; or -errno, and there is no child. */
pid_t child_start(const struct child_plan *plan, int *pidfd);

/* It has failed or been killed: waits for its end, reaps, closes pidfd. */
void child_bury(int pidfd);

/* 0: it has ended and is reaped, *status is as from waitpid(2); -EAGAIN: it
 * has not; -ECHILD: there is none to reap. */
int child_reap(int pidfd, int *status);

/* True while its number is not free for others. */
bool child_unreaped(int pidfd);

/* 0 or -errno. */
int child_signal(int pidfd, int sig);

#endif
