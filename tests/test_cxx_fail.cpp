// SPDX-License-Identifier: MIT
//
// test_cxx_fail.cpp - what fails in a goroutine, in C++: exceptions that leave
// gamp_protect or the goroutine, and gamp_fail through frames of C++.
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include <unwind.h>

#include <gamp/gamp.h>

namespace
{
std::atomic<int> destroyed, told, told_exceptions, finished;

void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	std::fprintf(stderr, "test_cxx_fail.cpp:%d: %s\n", line, what);
	std::_Exit(1);
}
#define CHECK(c) check((c), #c, __LINE__)

struct counted {
	std::string text = std::string(100, 'x'); // a leak, if it stays
	~counted()
	{
		gamp_yield(); // destructors may park while they unwind
		destroyed++;
	}
};

void fails(int depth)
{
	counted here;

	if (depth > 0)
		fails(depth - 1);
	else if (depth == 0)
		gamp_fail(11, nullptr);
	check(here.text.empty(), "not reached", __LINE__);
}

void throws(int depth)
{
	counted here;

	if (depth == 0)
		throw std::runtime_error(here.text);
	throws(depth - 1);
}

void fails_main(void *)
{
	fails(4);
}

// What is caught on the way is none of gamp's business.
void catches(void *)
{
	try {
		throws(3);
	} catch (const std::exception &) {
		destroyed++;
	}
}

void throws_main(void *)
{
	throws(4);
}

void protected_main(void *)
{
	gamp_exceptions(true); // counted parks while one is in flight
	for (int i = 0; i < 200; i++) {
		gamp_failure how = {};

		destroyed = 0;
		CHECK(gamp_protect(fails_main, nullptr, &how) == -EFAULT);
		CHECK(!how.exception && how.code == 11);
		CHECK(destroyed == 5);
		CHECK(gamp_protect(throws_main, nullptr, &how) == -EFAULT);
		CHECK(how.exception && how.value);
		CHECK(destroyed == 10);
		CHECK(std::uncaught_exceptions() == 0);
		_Unwind_DeleteException(
		    static_cast<_Unwind_Exception *>(how.value));
		CHECK(gamp_protect(catches, nullptr, &how) == 0);
		CHECK(destroyed == 15);
	}
}

void at_failed(int64_t id, void **, const gamp_failure *how)
{
	CHECK(gamp_self() == id);
	if (how->exception)
		told_exceptions++;
	gamp_yield();
	told++;
}

void finish(void *)
{
	finished++;
}

void one_fails(void *arg)
{
	gamp_exceptions(true);
	CHECK(gamp_defer(finish, nullptr) == 0);
	gamp_yield();
	if (arg)
		fails(3);
	throws(3);
}

void alone_main(void *)
{
	enum { N = 100 };

	destroyed = 0;
	for (int i = 0; i < N; i++)
		CHECK(gamp_go(one_fails, i % 2 ? &finished : nullptr) > 0);
	while (finished < N)
		CHECK(gamp_sleep(GAMP_MILLISECOND) == 0);
	CHECK(told == N && told_exceptions == N / 2);
	CHECK(destroyed == 4 * N);
}

void run(gamp_fn *fn, int procs, const gamp_embed *hooks)
{
	gamp_options o = {};

	o.maxprocs = procs;
	o.embed = hooks;
	CHECK(gamp_run(fn, nullptr, &o) == 0);
}
} // namespace

int main()
{
	gamp_embed hooks = {};

	hooks.failed = at_failed;
	for (int procs = 1; procs <= 4; procs *= 2) {
		run(protected_main, 1, nullptr); // destroyed is one counter
		told = told_exceptions = finished = 0;
		run(alone_main, procs, &hooks);
	}
	return 0;
}
