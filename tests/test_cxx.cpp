// SPDX-License-Identifier: MIT
//
// test_cxx.cpp - the public face from C++17.
//
// Exceptions are thrown and caught inside goroutines that move between
// threads: between try and throw, while unwinding has not begun, and in
// destructors that yield.  No goroutine parks inside a catch block or while
// an exception is in flight: __cxa_get_globals is per thread (traps, 33).
// An exception that would leave the goroutine ends the process.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gamp/gamp.h>

static_assert(std::is_standard_layout<gamp_options>::value, "");
static_assert(std::is_same<gamp_fd, std::int64_t>::value, "");

namespace
{
std::atomic<int> done, destroyed;

void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	std::fprintf(stderr, "test_cxx.cpp:%d: %s\n", line, what);
	std::_Exit(1);
}
#define CHECK(c) check((c), #c, __LINE__)

struct counted {
	~counted()
	{
		destroyed++;
	}
};

struct own_error : std::runtime_error {
	explicit own_error(int number)
	    : std::runtime_error("own " + std::to_string(number)), n(number)
	{
	}
	int n;
};

// Moves, as far as the scheduler likes.
void wander(int n)
{
	if (n % 7 == 0)
		CHECK(gamp_sleep(50 * GAMP_MICROSECOND) == 0);
	else
		gamp_yield();
}

__attribute__((noinline)) void dive(int depth, int n)
{
	counted c;
	std::string alive(200, static_cast<char>('a' + n % 26));

	wander(n + depth);
	if (depth == 0)
		throw own_error(n);
	dive(depth - 1, n);
	CHECK(alive.size() == 200); // not reached
	std::abort();
}

void one_throw(int n)
{
	try {
		dive(5, n);
		CHECK(false);
	} catch (const own_error &e) {
		CHECK(e.n == n);
		CHECK(e.what() == "own " + std::to_string(n));
	}
	wander(n);
	try {
		try {
			wander(n);
			dive(2, n);
		} catch (const own_error &) {
			throw; // within one thread: no park since the catch
		}
	} catch (const std::exception &e) {
		CHECK(dynamic_cast<const own_error *>(&e) != nullptr);
	}
	CHECK(std::uncaught_exceptions() == 0);
	CHECK(std::current_exception() == nullptr);
}

// An exception taken along as a value may cross parks.
void carry(int n)
{
	std::exception_ptr p;

	try {
		dive(1, n);
	} catch (...) {
		p = std::current_exception();
	}
	wander(n);
	try {
		std::rethrow_exception(p);
	} catch (const own_error &e) {
		CHECK(e.n == n);
	}
}

void thrower(void *arg)
{
	int n = static_cast<int>(reinterpret_cast<std::intptr_t>(arg));

	for (int i = 0; i < 20; i++) {
		one_throw(n + i);
		carry(n + i);
	}
	done++;
}

// A std::thread with its own exceptions beside the Ms.
void beside()
{
	for (int i = 0; i < 2000; i++) {
		try {
			throw i;
		} catch (int v) {
			CHECK(v == i);
		}
		CHECK(gamp_self() == 0);
		if (i % 100 == 0) {
			auto fn = [](void *) { done++; };

			CHECK(gamp_go(fn, nullptr) > 0);
		}
	}
}

void exceptions_main(void *)
{
	constexpr int n = 100;
	std::thread t(beside);

	for (std::intptr_t i = 0; i < n; i++)
		CHECK(gamp_go(thrower, reinterpret_cast<void *>(i)) > 0);
	while (done < n + 20)
		CHECK(gamp_sleep(GAMP_MILLISECOND) == 0);
	t.join();
	// dive(5), dive(2), dive(1): 6 + 3 + 2 frames each time.
	CHECK(destroyed == n * 20 * 11);
}

void exceptions_stay_in_their_goroutine(int procs)
{
	gamp_options o{};

	o.maxprocs = procs;
	done = destroyed = 0;
	CHECK(gamp_run(exceptions_main, nullptr, &o) == 0);
}

// Cancellation is a return value; destructors run as usual.
void guarded(void *)
{
	counted c;
	auto p = std::make_unique<std::vector<int>>(100, 7);

	done++;
	CHECK(gamp_sleep(GAMP_FOREVER) == -ECANCELED);
	CHECK(p->at(99) == 7);
	try {
		p->at(100) = 1;
	} catch (const std::out_of_range &) {
		return;
	}
	CHECK(false);
}

void cancelled_main(void *)
{
	for (int i = 0; i < 50; i++)
		CHECK(gamp_go(guarded, nullptr) > 0);
	while (done < 50)
		gamp_yield();
}

void destructors_run_when_the_runtime_stops()
{
	done = destroyed = 0;
	CHECK(gamp_run(cancelled_main, nullptr, nullptr) == 0);
	CHECK(destroyed == 50);
}

void throw_out(void *)
{
	gamp_yield();
	throw own_error(1);
}

void escape_main(void *)
{
	CHECK(gamp_go(throw_out, nullptr) > 0);
	(void)gamp_sleep(60 * GAMP_SECOND);
}

[[noreturn]] void terminated()
{
	static const char said[] = "terminate\n";

	std::_Exit(write(STDOUT_FILENO, said, sizeof(said) - 1) > 0 ? 42 : 43);
}

void an_exception_that_leaves_the_goroutine_terminates(bool handler)
{
	int status = 0;
	pid_t pid;

	std::fflush(nullptr);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		rlimit none{};

		(void)setrlimit(RLIMIT_CORE, &none);
		(void)alarm(100);
		if (handler)
			std::set_terminate(terminated);
		else
			(void)std::freopen("/dev/null", "w", stderr);
		(void)gamp_run(escape_main, nullptr, nullptr);
		std::_Exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (handler)
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	else
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
struct point {
	int x;
};
point *published;

// The macros of rcu.h, with members, references and null.
void rcu_reads_and_assigns()
{
	struct {
		point *p;
	} holder{ nullptr };
	point *&ref = holder.p;

	gamp_rcu_assign(published, nullptr);
	gamp_rcu_assign(ref, new point{ 7 });
	gamp_rcu_assign(published, holder.p);
	gamp_rcu_read_lock();
	const point *seen = gamp_rcu_dereference(published);
	CHECK(seen == gamp_rcu_dereference(ref) && seen->x == 7);
	gamp_rcu_read_unlock();
	CHECK(gamp_rcu_defer(
		  [](void *p) { delete static_cast<point *>(p); }, ref) == 0);
	CHECK(gamp_rcu_barrier() == 0);
}
} // namespace

int main()
{
	// First: a child of a process that has used the runtime may not.
	an_exception_that_leaves_the_goroutine_terminates(true);
	an_exception_that_leaves_the_goroutine_terminates(false);
	for (int procs : { 1, 2, 4 })
		exceptions_stay_in_their_goroutine(procs);
	destructors_run_when_the_runtime_stops();
	rcu_reads_and_assigns();
	std::puts("done");
	return 0;
}
