/* SPDX-License-Identifier: MIT */
/*
 * process.h - programs as child processes, waited for without a thread.
 *
 *	struct gamp_process p;
 *	int status;
 *
 *	if (gamp_spawn(&p, NULL, "make", argv) == 0)
 *		gamp_process_wait(&p, &status);
 *
 *  The child	begins with no signal blocked and all dispositions at their
 *		default, whatever the thread had; with the processors and timer
 *		slack of the process, not of a thread of the runtime; and with
 *		its three standard descriptors and those it is given, no others.
 *  A handle	is a pidfd: a signal never reaches a process that has come to
 *		have the same number.
 *  SIGCHLD	is sent as usual, and not needed.  If the program ignores it, or
 *		waits for children that it did not start (wait(2), waitpid(-1)),
 *		the status is lost: gamp_process_wait then gives -ECHILD, still
 *		not before the child has ended.
 *  Not here	PR_SET_PDEATHSIG: Linux sends it when the *thread* ends that
 *		started the child, and the runtime's threads come and go.
 *  In fake	time (gamp/go.h) a goroutine that waits for a child counts as
 *  time	parked, and the clock goes on.
 *
 * docs/processes.md says more: signals, and the rules of fork.
 */
#ifndef GAMP_PROCESS_H
#define GAMP_PROCESS_H

#include <gamp/net.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where one of the child's standard descriptors leads. */
enum gamp_stdio_kind {
	GAMP_STDIO_DEFAULT, /* gamp_spawn: INHERIT; gamp_process_output: PIPE */
	GAMP_STDIO_INHERIT, /* where the parent's does */
	GAMP_STDIO_NULL,    /* /dev/null */
	GAMP_STDIO_PIPE,    /* a pipe, whose other end is in gamp_process */
	GAMP_STDIO_SYSFD,   /* a copy of sysfd; a non-blocking one (all those
			     * of the runtime) is that for the child, too */
	GAMP_STDIO_STDOUT,  /* err only: the same as out */
};

struct gamp_stdio {
	enum gamp_stdio_kind kind;
	int sysfd; /* SYSFD */
};

/* Who the child is to be; needs the privileges of setresuid(2). */
struct gamp_ids {
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* the supplementary ones: these, and no others */
	size_t ngroups;
};

struct gamp_spawn_options {
	struct gamp_stdio in, out, err;
	char *const *env; /* "NAME=value", ..., null; null: the parent's */
	const char *cwd;  /* working directory; null: the parent's */
	const int *fds;	  /* the child's 3, 4, ... are copies of these */
	int nfds;	  /* at most 253 */
	bool inherit_fds; /* and the others that are not close-on-exec */
	bool keep_ignored; /* signals that the parent ignores stay ignored, as
			    * SIGHUP under nohup(1) */
	bool session;	  /* setsid(2) */
	bool group;	  /* a process group of its own, or pgid's */
	pid_t pgid;	  /* 0: its own */
	const struct gamp_ids *ids; /* null: the parent's */
	int64_t reserved[4]; /* zero */
};

/*
 * A child.  A plain value: copies are as good as the original, and no use of
 * one is harmful after the child has been waited for.
 */
struct gamp_process {
	gamp_fd fd; /* readable when it has ended: for gamp_select */
	pid_t pid;
	int leader; /* 1: of a process group that it was started in */
	gamp_fd in, out, err; /* our ends of pipes, to be closed; 0: none */
	int64_t reserved[2];
};

/*
 * gamp_spawn - run a program in a child process
 *
 * file without a slash is looked for in the PATH of the parent.  A script
 * needs its #! line.  argv may be null for { file, null }.
 *
 * It costs a system call that lasts until the program has been found, some
 * hundred microseconds: an announced blocking call (gamp_enter_blocking).
 * With ids it is a fork(2) inside, which takes longer the more memory the
 * parent has.
 *
 * Errors	-EINVAL		p or file is null, an option is out of range
 *		-ENOENT, -EACCES, -ENOEXEC, -E2BIG, ...	as execve(2): there
 *				is no such program, or cwd
 *		-EPERM		as setpgid(2), setresuid(2), setgroups(2)
 *		-EBADF		one of fds or sysfd is not open
 *		-EAGAIN, -ENOMEM, -EMFILE, -ENFILE	what the system lacked
 *		-ESRCH		the runtime is not running
 *		After an error there is no child and no descriptor, and *p is
 *		zero.
 * Parks	until a P is free again.  Not a point of cancellation.
 * Threads	any thread.
 */
GAMP_API int gamp_spawn(struct gamp_process *p,
    const struct gamp_spawn_options *opt, const char *file,
    char *const argv[]);

/*
 * gamp_process_wait - wait until a child has ended
 *
 * *status is as from waitpid(2): WIFEXITED and so on; status may be null.
 * It is reaped by the one call that returns 0.  Pipes stay open.
 *
 * Errors	-ECHILD		it has been waited for, or its status was lost
 *				(SIGCHLD, above)
 *		-ECANCELED	the goroutine was cancelled; the child goes on
 *		-EBUSY		another goroutine waits for it, or it was closed
 *		-EPERM		it has not ended, and the caller is no
 *				goroutine
 *		-EINVAL		p is null
 * Parks	yes.
 * Threads	goroutine; any thread when the child has ended.
 */
GAMP_API int gamp_process_wait(const struct gamp_process *p, int *status);

/*
 * gamp_process_wait_until - wait for a child until a deadline
 *
 * A child that has ended is reaped even if the deadline has passed.
 *
 * Errors	as gamp_process_wait
 *		-ETIMEDOUT	the deadline passed; the child goes on
 * Parks	yes.
 * Threads	as gamp_process_wait.
 */
GAMP_API int gamp_process_wait_until(
    const struct gamp_process *p, int *status, int64_t deadline);

/*
 * gamp_process_kill - send a signal to a child
 *
 * To one that has ended, and was not waited for, it does nothing.
 *
 * Errors	-ESRCH		it has been waited for, or p is closed
 *		-EINVAL		p is null, no such signal
 *		-EPERM		it has become somebody else
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_process_kill(const struct gamp_process *p, int sig);

/*
 * gamp_process_kill_group - send a signal to a child and its descendants
 *
 * To the process group of which the child is the leader (session, group).
 *
 * Errors	as gamp_process_kill; -EINVAL also if it is not the leader
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_process_kill_group(const struct gamp_process *p, int sig);

/*
 * gamp_process_close - let go of a child
 *
 * Closes the pipes that are still open.  A child that was not waited for goes
 * on, and is reaped when it ends; if the runtime stops before, it is left to
 * the program (waitpid(2) of pid).
 *
 * Errors	-EBUSY		a goroutine waits for it just now, or it was
 *				closed before
 *		-EINVAL		p is null
 * Parks	never.
 * Threads	any thread.
 */
GAMP_API int gamp_process_close(const struct gamp_process *p);

/* What gamp_process_output feeds and gathers. */
struct gamp_output {
	const void *input; /* for its standard input; null: none */
	size_t input_size; /* bytes */
	size_t limit;	   /* bytes gathered of each; 0: 16 MiB */
	int64_t deadline;  /* of all of it */

	int status;	/* as from waitpid(2) */
	char *out, *err; /* 0-terminated, or null: for free(3) */
	size_t out_size, err_size; /* bytes, without the 0 */
	int64_t reserved[4]; /* zero */
};

/*
 * gamp_process_output - run a program, feed it, gather what it writes
 *
 * All at once, so it cannot get stuck on a full pipe.  Options that say where
 * the child's standard descriptors lead hold, and nothing is gathered there.
 * Returns when the child has ended and nobody has the pipes open any more (a
 * background process may); a child that does not read all of its input is no
 * error.
 *
 * Errors	as gamp_spawn
 *		-ETIMEDOUT	the deadline has passed
 *		-EMSGSIZE	more than limit bytes came
 *		-ECANCELED	the goroutine was cancelled
 *		-EPERM		not called from a goroutine
 *		-ENOMEM, -EAGAIN, ...	what the system lacked
 *		After an error the child, or its group if it is the leader,
 *		has been killed (SIGKILL).  In any case io says what was
 *		gathered, which is to be freed; status is -1 if it is unknown.
 * Parks	yes.
 * Threads	goroutine.
 */
GAMP_API int gamp_process_output(struct gamp_output *io,
    const struct gamp_spawn_options *opt, const char *file,
    char *const argv[]);

#ifdef __cplusplus
}
#endif

#endif
