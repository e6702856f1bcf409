/* SPDX-License-Identifier: MIT */
/*
 * model_fdmutex.cpp - netpoll/fdmutex.c under every interleaving (bounded).
 *
 *	I1	LAST is returned exactly once after a close, and when nobody
 *		uses the descriptor: neither early nor late
 *	I2	two readers are never inside at once
 *	I3	each one that was told to wait is posted: by an unlock or by the
 *		close (posts >= waiters), and then meets the lock or the close
 *	I4	a user of a stale handle, and a reopening, lose nothing
 */
#include "tests/model/model.h"

#include "netpoll/fdmutex.c"

/* readers READERS, a writer, a closer; STALE: who takes a reference late, and
 * the slot opens again after its destruction. */
static int READERS;
static bool WRITER, STALE;

template <int THREADS>
struct model : rl::test_suite<model<THREADS>, THREADS> {
	rt_a64 mu;
	int inside[2], users, waiting[2], posts[2], lasts, closed, opened;

	void before()
	{
		rt_store_relaxed(&mu, 1);
		users = lasts = closed = opened = 0;
		for (int m = 0; m < 2; m++)
			inside[m] = waiting[m] = posts[m] = 0;
		fdmu_open(&mu);
	}
	void destroy()
	{
		RL_ASSERT(++lasts <= 1 + opened);
		RL_ASSERT(closed == 1 + opened && users == 0);
		RL_ASSERT(inside[0] == 0 && inside[1] == 0);
		if (STALE && !opened) {
			opened = 1;
			fdmu_open(&mu);
			close();
		}
	}
	void drop(enum fdmu r)
	{
		if (r == FDMU_LAST || r == FDMU_LAST_POST)
			destroy();
	}
	void use(int mode)
	{
		RL_ASSERT(inside[mode]++ == 0);
		rl::yield(1, $);
		RL_ASSERT(--inside[mode] == 0);
	}
	void lock(int mode)
	{
		for (int tries = 0; tries < 2; tries++) {
			enum fdmu r = fdmu_lock(&mu, mode, true);

			if (r == FDMU_CLOSED)
				return;
			if (r == FDMU_BUSY) {
				waiting[mode]++;
				/* Sleeps until a post: tries once more. */
				while (posts[mode] < waiting[mode])
					rl::yield(1, $);
				continue;
			}
			RL_ASSERT(r == FDMU_OK);
			users++;
			use(mode);
			users--;
			r = fdmu_unlock(&mu, mode);
			if (r == FDMU_POST || r == FDMU_LAST_POST)
				posts[mode]++;
			return drop(r);
		}
	}
	void close()
	{
		enum fdmu r = fdmu_incref(&mu); /* pd_begin */

		RL_ASSERT(r == FDMU_OK); /* nobody else closes */
		r = fdmu_close(&mu);
		RL_ASSERT(r == FDMU_OK);
		closed++;
		/* Wakes all; who comes to wait from now on does not (pd.c). */
		for (int m = 0; m < 2; m++)
			posts[m] += 1000;
		drop(fdmu_decref(&mu));
		drop(fdmu_decref(&mu));
	}
	void stale()
	{
		for (int i = 0; i < 2; i++) {
			enum fdmu r = fdmu_incref(&mu);

			if (r == FDMU_CLOSED)
				continue;
			RL_ASSERT(r == FDMU_OK);
			drop(fdmu_decref(&mu));
		}
	}
	void thread(unsigned self)
	{
		if (self == 0)
			close();
		else if ((int)self <= READERS)
			lock(MODE_READ);
		else if (WRITER && (int)self == READERS + 1)
			lock(MODE_WRITE);
		else
			stale();
	}
	void after()
	{
		RL_ASSERT(lasts == 1 + opened);
		RL_ASSERT(rt_load_relaxed(&mu) == 1); /* closed, nobody */
		RL_ASSERT(posts[0] >= waiting[0] && posts[1] >= waiting[1]);
	}
};

/* Two readers, no close: the second one sees what the first did. */
struct exclusion : rl::test_suite<exclusion, 2> {
	rt_a64 mu;
	rl::var<int> data; /* Relacy reports a race on it */
	rl::atomic<int> posted;
	int took;

	void before()
	{
		rt_store_relaxed(&mu, 1);
		data($) = 0;
		posted.store(0, rl::mo_relaxed, $);
		took = 0;
		fdmu_open(&mu);
	}
	void thread(unsigned)
	{
		enum fdmu r;

		while ((r = fdmu_lock(&mu, MODE_READ, true)) == FDMU_BUSY)
			while (posted.exchange(0, rl::mo_relaxed, $) == 0)
				rl::yield(1, $);
		RL_ASSERT(r == FDMU_OK);
		data($) = data($) + 1;
		took++;
		if (fdmu_unlock(&mu, MODE_READ) == FDMU_POST)
			posted.store(1, rl::mo_relaxed, $);
	}
	void after()
	{
		RL_ASSERT(took == 2 && data($) == 2);
		RL_ASSERT(rt_load_relaxed(&mu) == 0);
	}
};

template <int THREADS>
static void run(int readers, bool writer, bool stale, const char *what,
    unsigned bound, unsigned thousands)
{
	READERS = readers;
	WRITER = writer;
	STALE = stale;
	model_run<model<THREADS> >(what, bound, thousands);
}

int main(int argc, char **argv)
{
	model_main(argc, argv);
	model_run<exclusion>("two readers", 4, 50);
	run<3>(1, false, true, "reader, close, stale", 3, 50);
	run<3>(2, false, false, "readers, close", 3, 50);
	run<4>(1, true, true, "all", 1, 100);
	model_done();
}
