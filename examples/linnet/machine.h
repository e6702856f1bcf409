/* SPDX-License-Identifier: MIT */
/*
 * machine.h - a script's world, and its goroutines.
 *
 * A fiber is what a Linnet goroutine adds to gamp's: a stack of values and one
 * of frames, both in memory of their own.  Calls of the script push a frame and
 * take no C stack; so that stays small, however deep a script recurses, and the
 * collector finds all roots here and none in C stacks:
 *
 *	globals, and of every fiber: values below `top`, its frames' functions,
 *	deferred calls and panics, `error`, and what waiters were given
 *
 * Whoever calls something of gamp has its values there.  Between two such calls
 * nothing is collected.
 */
#ifndef EXAMPLES_LINNET_MACHINE_H
#define EXAMPLES_LINNET_MACHINE_H

#include <gamp/gamp.h>

#include "code.h"
#include "globals.h"
#include "heap.h"
#include "linnet.h"

enum {
	STATUS_PANIC = 2,
	TRACE_MAX = 16,   /* frames in a report */
	STACK_FIRST = 24, /* values, and */
	FRAMES_FIRST = 3, /* frames that a fiber begins with */
	STACK_MAX = 1 << 24,
};

/* What C code of the machine returns, other than counts. */
enum {
	THROWN = -1, /* a panic: fiber.error */
	KILLED = -2, /* the goroutine is cancelled: unwind and exit */
};

enum frame_flags {
	FRAME_DEFERRED = 1,  /* called as the frame below ends, */
	FRAME_PANIC = 2,     /* by a panic, */
	FRAME_RECOVERED = 4, /* that it has recovered */
};

struct frame {
	struct closure *fn;
	const struct ins *pc; /* when another frame is above */
	struct defer *defers;
	value panic;   /* FRAME_PANIC: which */
	uint32_t base; /* of its registers */
	uint16_t want;
	uint16_t flags;
};

/* A place in a channel's queue: chan.h. */
struct waiter {
	struct waiter *next, *prev;
	struct fiber *fiber;
	struct chan *ch; /* null: never ready */
	bool sends;
	/* under the channel's lock */
	bool queued, served;
	bool ok; /* it was not for close */
	value v; /* to send, or received */
};

struct fiber {
	struct linnet *m;
	value *stack;
	struct frame *frames;
	uint32_t cap, frames_cap, nframes;
	uint32_t top;     /* values that are in use */
	uint32_t nres;    /* MANY results */
	value error;      /* of THROWN */
	char *trace;      /* the frames of that, or null */
	const char *file; /* where it was, or null */
	struct at at;
	int64_t word; /* chan.h: who ends its wait */
	uint32_t nwaiters;
	struct waiter *waiters; /* &one, or malloc's */
	struct waiter one;
	struct fiber *next, *prev; /* of the machine's */
	struct gamp_sem *done;     /* who waits for its end, or null */
	uint32_t seed;
	bool main; /* the script is over when it is */
	value first[STACK_FIRST];
	struct frame first_frames[FRAMES_FIRST];
};

struct linnet {
	struct heap heap;
	struct globals globals;
	value *global;    /* GLOBALS_MAX of them */
	struct spin lock; /* fibers, immortals, protos, files, conns */
	struct fiber *fibers;
	int64_t nfibers;
	struct immortal *immortals;
	struct proto *protos;
	struct file *files;
	struct sock *socks, *dead; /* conn.h */
	struct slice *args;
	struct string *no_memory; /* a panic's value */
	struct gamp_group group;
	bool running;  /* the group is to be waited for */
	uint32_t over; /* atomic: exit, a panic, or stop */
	int status;
	bool stopped;         /* by linnet_stop */
	struct proto *loaded; /* what linnet_run runs */
	int32_t show;
	struct linnet_options opt;
	char error[256];
	/* of collections; with the world stopped */
	int64_t collections, stop_time;
	struct object **gray;
	size_t ngray, gray_cap;
	bool overflow;
};

/* ---- machine.c ---- */

/* A string that is never collected. */
struct string *machine_immortal(struct linnet *m, const char *s, size_t n);
struct object *machine_immortal_object(struct linnet *m, size_t size);
void machine_add_proto(struct linnet *m, struct proto *pr);

/* The global that shows values in a conversation, or -1. */
int32_t machine_show(const struct linnet *m);

void machine_print(struct linnet *m, int fd, const char *text, size_t n);

/* ---- fiber.c ---- */

/* A goroutine that calls fn with n arguments.  0; -EAGAIN: too many; -ENOMEM,
 * ...: as gamp_go. */
int fiber_start(struct linnet *m, value fn, const value *args, uint32_t n,
    struct gamp_sem *done);

/* The report of a panic that nobody recovered. */
void fiber_report(struct fiber *f);

/* Room for so many values above `at`; the stack may move.  0 or THROWN. */
int fiber_reserve(struct fiber *f, uint32_t at, uint32_t n);
int fiber_reserve_frame(struct fiber *f);

/* Ends the script, with that status. */
void machine_end(struct linnet *m, int status);

/* ---- builtin.c ---- */

/* Defines what the language knows; false: no memory. */
bool builtin_define(struct linnet *m);

/* ---- gc.c ---- */

/* Stops the world and collects, if that is due, or forced. */
void gc_collect(struct fiber *f, bool force);

#endif
