// SPDX-License-Identifier: MIT
//
// test_except.cpp - goroutines that park while they handle an exception
// (gamp_exceptions), and may go on on another thread.
//
// Each throws a number of its own, and checks after every park that it is
// still this one that it is catching.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include <unistd.h>

#include <gamp/gamp.h>

namespace
{
std::atomic<int> done, moved;

void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	std::fprintf(stderr, "test_except.cpp:%d: %s\n", line, what);
	std::_Exit(1);
}
#define CHECK(c) check((c), #c, __LINE__)

struct own_error : std::runtime_error {
	explicit own_error(int number)
	    : std::runtime_error("own " + std::to_string(number)), n(number)
	{
	}
	int n;
};

int caught()
{
	try {
		throw;
	} catch (const own_error &e) {
		return e.n;
	}
}

// Parks, by all ways there are, and counts if it is on another thread then.
void wander(int n)
{
	auto before = gettid();

	switch (n % 4) {
	case 0:
		CHECK(gamp_sleep(20 * GAMP_MICROSECOND) == 0);
		break;
	case 1:
		gamp_enter_blocking();
		(void)usleep(50); // the blocking call, nothing is awaited
		gamp_leave_blocking();
		break;
	default:
		gamp_yield();
	}
	moved += gettid() != before;
}

struct parks_as_it_goes {
	int n;
	int in_flight;
	~parks_as_it_goes()
	{
		CHECK(std::uncaught_exceptions() == in_flight);
		wander(n);
		try {
			throw own_error(n + 500);
		} catch (const own_error &e) {
			wander(n + 1);
			CHECK(e.n == n + 500 && caught() == n + 500);
		}
		CHECK(std::uncaught_exceptions() == in_flight);
	}
};

void nest(int depth, int n)
{
	try {
		parks_as_it_goes p{ n, 1 };

		wander(n);
		throw own_error(n);
	} catch (const own_error &e) {
		wander(n);
		CHECK(e.n == n && caught() == n);
		if (depth > 0)
			nest(depth - 1, n + 1000);
		wander(n + 1);
		CHECK(caught() == n);
	}
}

void rethrow(int n)
{
	try {
		try {
			throw own_error(n);
		} catch (...) {
			wander(n);
			throw;
		}
	} catch (const own_error &e) {
		wander(n);
		CHECK(e.n == n && std::uncaught_exceptions() == 0);
	}
	CHECK(std::current_exception() == nullptr);
}

void one(void *arg)
{
	int n = static_cast<int>(reinterpret_cast<std::intptr_t>(arg));

	CHECK(gamp_exceptions(true));
	for (int i = 0; i < 10; i++) {
		CHECK(std::current_exception() == nullptr);
		nest(3, n);
		rethrow(n);
	}
	done++;
}

// It has not asked for anything, and is beside those who have.
void plain(void *)
{
	for (int i = 0; i < 100; i++) {
		CHECK(std::current_exception() == nullptr);
		CHECK(std::uncaught_exceptions() == 0);
		try {
			throw own_error(i);
		} catch (const own_error &e) {
			CHECK(e.n == i && caught() == i);
		}
		wander(i);
	}
	done++;
}

// A leak, on purpose.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool may_leak = false;
#else
constexpr bool may_leak = true;
#endif

// The exception is lost with its frames, and nobody inherits it.
void leaves_in_the_middle(void *)
{
	try {
		throw own_error(1);
	} catch (const own_error &) {
		gamp_yield();
		done++;
		gamp_exit();
	}
}

void beside()
{
	for (int i = 0; i < 1000; i++) {
		try {
			throw own_error(i);
		} catch (const own_error &) {
			CHECK(caught() == i);
		}
	}
}

int member(void *arg)
{
	CHECK(!gamp_exceptions(true));
	one(arg);
	return 0;
}

void all_at_once(void *)
{
	constexpr int n = 60;
	gamp_go_options with{};
	gamp_group group;
	std::thread t(beside);

	with.exceptions = true;
	CHECK(!gamp_exceptions(true) && gamp_exceptions(true));
	CHECK(gamp_group_init(&group, 0) == 0);
	try {
		throw own_error(-1);
	} catch (const own_error &) {
		for (std::intptr_t i = 0; i < n; i++) {
			auto arg = reinterpret_cast<void *>(i);

			CHECK(gamp_go_with(&with, one, arg) > 0);
			CHECK(gamp_go(plain, nullptr) > 0);
			CHECK(gamp_go_with(&with,
				  may_leak ? leaves_in_the_middle : plain,
				  nullptr) > 0);
			CHECK(gamp_group_go(&group, member, arg) == 0);
		}
		CHECK(gamp_group_wait(&group) == 0);
		while (done < 4 * n)
			CHECK(gamp_sleep(GAMP_MILLISECOND) == 0);
		CHECK(caught() == -1);
	}
	CHECK(gamp_exceptions(false) && !gamp_exceptions(false));
	CHECK(std::current_exception() == nullptr);
	t.join();
}

void each_keeps_its_own(int procs)
{
	gamp_options o{};

	o.maxprocs = procs;
	done = moved = 0;
	CHECK(gamp_run(all_at_once, nullptr, &o) == 0);
	CHECK(procs == 1 || moved > 0);
}

// The host is catching something, too.
void a_guest_and_its_host_do_not_mix()
{
	gamp_go_options with{};
	gamp_options o{};

	o.guest = true;
	with.exceptions = true;
	done = 0;
	CHECK(gamp_start(&o) == 0);
	CHECK(!gamp_exceptions(true));
	for (std::intptr_t i = 0; i < 5; i++)
		CHECK(gamp_go_with(&with, one,
			  reinterpret_cast<void *>(i)) > 0);
	try {
		throw own_error(77);
	} catch (const own_error &) {
		while (done < 5) {
			CHECK(gamp_poll(3) >= 0);
			CHECK(caught() == 77);
		}
	}
	CHECK(gamp_stop(0) == 0);
}
} // namespace

int main()
{
	for (int procs : { 1, 2, 4 })
		each_keeps_its_own(procs);
	a_guest_and_its_host_do_not_mix();
	std::puts("done");
	return 0;
}
