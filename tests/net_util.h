/* SPDX-License-Identifier: MIT */
/*
 * net_util.h - what the test_net programs share: expectations inside
 * goroutines, waiting for states, calls made by goroutines of their own, and
 * pairs of connected descriptors.
 *
 * Together the programs check every promise of gamp/net.h, through the public
 * calls alone.  Each test runs the runtime once.  Goroutines must not longjmp
 * out of themselves, as cmocka's assertions do: they note the first
 * expectation that failed (CHECK), and the main thread asserts after gamp_run.
 *
 * Nothing sleeps to let things happen: AWAIT waits for a state, with a limit.
 * Whether a goroutine is parked, and on what, is read out of the runtime
 * (await_parked), for no public call tells.
 */
#ifndef TESTS_NET_UTIL_H
#define TESTS_NET_UTIL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gamp/gamp.h>

#include "sched/g.h"
#include "tests/test.h"

#define MS    GAMP_MILLISECOND
#define LIMIT (60 * GAMP_SECOND) /* for any state to come */
#define SOON  (20 * GAMP_SECOND) /* "at once", though the host stalls */

/*
 * What main begins with.  Arguments: [seed [test]], where seed replays the
 * generated inputs of an earlier run and test is the name of the only one to
 * run.
 */
void take_arguments(int argc, char **argv);
uint64_t random64(void);

/* Expectations inside goroutines. */

extern struct failed {
	pthread_mutex_t lock;
	int count;
	char text[256]; /* of the first */
} failed;

#define CHECK(x)       check((x), #x, __FILE__, __LINE__, 0, 0)
#define CHECK_EQ(a, b) check_eq((a), (b), #a " == " #b, __FILE__, __LINE__)

bool check(bool ok, const char *what, const char *file, int line, int64_t a,
    int64_t b);
bool check_eq(
    int64_t a, int64_t b, const char *what, const char *file, int line);

/* One run of the runtime, which must leave no descriptor open. */
void run_with(gamp_fn *fn, const struct gamp_options *opt);
/* Three Ps on two processors: threads get in each other's way. */
void run(gamp_fn *fn);
/* What happens in between is then known. */
void run_one(gamp_fn *fn);

/* Waiting for states. */

/* Once it was true: it need not stay so. */
#define AWAIT(cond)                                                    \
	do {                                                           \
		int64_t limit_ = gamp_now() + LIMIT;                   \
		bool met_;                                             \
		while (!(met_ = (cond)) && gamp_now() < limit_)        \
			pause_a_little();                              \
		check(met_, #cond, __FILE__, __LINE__, 0, 0);          \
	} while (0)

/* Not a point of cancellation, so it works in a test that ends badly. */
void pause_a_little(void);
/* `why`: a WHY_ of sched/g.h. */
bool is_parked(int64_t id, int why);
void await_parked(int64_t id, int why);
/* By now the poller has handed out all that came before. */
void pass_the_poller(void);

/* One call, made by a goroutine of its own. */

enum op {
	READ,
	WRITE,
	SOME,
	ACCEPT,
	DIAL,
	SLEEP,
	WAIT_R,
	WAIT_W,
};

struct child {
	enum op op;
	gamp_fd fd;
	void *buf;
	size_t n;
	const char *network, *addr;
	int64_t deadline; /* of a dial */
	bool protect;     /* uncancellable */
	int64_t id, result, began, ended;
	atomic_int done;
};

struct child *start(struct child init);
/* Returns once the call is parked. */
struct child *start_parked(struct child init);
/* The WHY_ of a goroutine that is parked in such a call. */
int why_of(enum op op);
/* The result; -EDOM if it does not come. */
int64_t finish(struct child *t);

/* A start on readiness, which reads once and says what came. */

extern _Atomic int64_t arm_result;
extern atomic_int arm_starts, arm_cancelled;

/* Its argument points to the descriptor. */
void on_readable(void *arg);
void arm(gamp_fd fd);
void armed_gives(int64_t result);
/* For starts that must not come. */
void never_run(void *arg);

/* Pairs of descriptors. */

enum { BIG = 1 << 16 };

extern char in_buf[BIG], out_buf[BIG];

void port_text(char buf[32], const char *host, gamp_fd l);
void pair_tcp(gamp_fd *a, gamp_fd *b);
void pair_socketpair(gamp_fd *a, gamp_fd *b);
void pair_unix(gamp_fd *a, gamp_fd *b);
/* a is written, b is read. */
void pair_pipe(gamp_fd *a, gamp_fd *b);
void close_pair(gamp_fd a, gamp_fd b);

extern const struct kind {
	const char *name;
	void (*make)(gamp_fd *a, gamp_fd *b);
	bool both; /* ways */
} kinds[4];

/* Bytes that the system has ready. */
int queued(int sysfd);
/* Connections in a TCP listener's queue. */
int backlog(int sysfd);
/* Afterwards the next read of fd waits without trying. */
void drain(gamp_fd fd);
/* Bytes written until no more fit, and none will before the peer reads. */
size_t fill(gamp_fd fd);
ssize_t read_full(gamp_fd fd, void *buf, size_t n);
/* A message each way. */
void exchange(gamp_fd a, gamp_fd b);
/* Every function that takes a descriptor gives EBADF. */
void all_refuse(gamp_fd fd);

#endif
