// Parallel loops: who runs what, exceptions, several users of the pool, and the number of threads.
#include "engine/parallel.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support.h"
#include "tests/threads.h"

namespace fade {
namespace {

using test::Threads;

using Ranges = std::set<std::pair<int64_t, int64_t>>;

Ranges ranges_of(int64_t n, int64_t grain) {
  Ranges ranges;
  std::mutex mutex;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    const std::lock_guard lock(mutex);
    ranges.emplace(begin, end);
  });
  return ranges;
}

/// Sets OMP_NUM_THREADS for a test (nullptr: removes it).
struct Limit {
  explicit Limit(const char* value) {
    if (const char* found = std::getenv(kName)) before = found;
    value ? ::setenv(kName, value, 1) : ::unsetenv(kName);
  }
  ~Limit() { before.empty() ? ::unsetenv(kName) : ::setenv(kName, before.c_str(), 1); }
  static constexpr const char* kName = "OMP_NUM_THREADS";
  std::string before;
};

// ThreadSanitizer allows no threads after a fork.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FADE_NO_FORK
#endif
#endif

#ifndef FADE_NO_FORK
/// True iff `holds` does in a forked process, within ten minutes: it may wait for threads it does not have.
template <class Holds>
bool holds_after_fork(const Holds& holds) {
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(600);
    ::_exit(holds() ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return status == 0;
}
#endif

}  // namespace

BOOST_AUTO_TEST_SUITE(parallel)

BOOST_AUTO_TEST_CASE(ranges_depend_on_n_grain_and_threads) {
  const Threads four(4);
  BOOST_TEST((ranges_of(10, 1) == Ranges{{0, 2}, {2, 5}, {5, 7}, {7, 10}}));
  BOOST_TEST((ranges_of(10, 5) == Ranges{{0, 5}, {5, 10}}));
  BOOST_TEST((ranges_of(10, 10) == Ranges{{0, 10}}));
  BOOST_TEST(ranges_of(0, 1).empty());
  const OneThread alone;
  BOOST_TEST((ranges_of(10, 1) == Ranges{{0, 10}}));
}

// Each piece waits for all others, so that a thread must run each.
BOOST_AUTO_TEST_CASE(pieces_run_at_the_same_time) {
  const Threads four(4);
  for (int i = 0; i < 100; ++i) {
    std::latch all(4);
    std::atomic<int> done = 0;
    parallel_for(4, 1, [&](int64_t, int64_t) {
      all.arrive_and_wait();
      ++done;
    });
    BOOST_TEST(done == 4);
  }
}

BOOST_AUTO_TEST_CASE(a_loop_within_a_loop_is_a_plain_call) {
  const Threads four(4);
  std::atomic<int> inner = 0;
  parallel_for(4, 1, [&](int64_t, int64_t) {
    const auto thread = std::this_thread::get_id();
    parallel_for(100, 1, [&](int64_t begin, int64_t end) {
      inner += begin == 0 && end == 100 && std::this_thread::get_id() == thread;
    });
  });
  BOOST_TEST(inner == 4);
  BOOST_TEST(!in_parallel());
}

BOOST_AUTO_TEST_CASE(an_exception_arrives_when_all_pieces_are_done) {
  const Threads four(4);
  for (int i = 0; i < 100; ++i) {
    std::atomic<int> done = 0;
    const std::string error = test::error_of([&] {
      parallel_for(4, 1, [&](int64_t begin, int64_t) {
        if (begin == i % 4) fail("piece {}", begin);
        ++done;
      });
    });
    BOOST_TEST(error == fmt::format("piece {}", i % 4));
    BOOST_TEST(done == 3);
    BOOST_TEST(!in_parallel());
  }
}

// The pool serves one of them at a time; the ranges of the others are the same.
BOOST_AUTO_TEST_CASE(several_threads_of_a_program_start_loops) {
  const Threads three(3);
  const Ranges expected = ranges_of(1000, 1);
  std::atomic<int> same = 0;
  std::vector<std::thread> users;
  for (int t = 0; t < 4; ++t)
    users.emplace_back([&] {
      for (int i = 0; i < 200; ++i) same += ranges_of(1000, 1) == expected;
    });
  for (std::thread& user : users) user.join();
  BOOST_TEST(same == 800);
}

#ifndef FADE_NO_FORK
BOOST_AUTO_TEST_CASE(a_forked_process_has_a_pool_of_its_own) {
  const Threads three(3);
  const Ranges expected = ranges_of(1000, 1);
  BOOST_TEST(holds_after_fork([&] { return ranges_of(1000, 1) == expected; }));
}

// As in a container with a limit on its processes.
BOOST_AUTO_TEST_CASE(a_process_that_gets_no_more_threads_goes_on) {
  const Threads five(5);
  BOOST_TEST(holds_after_fork([] {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_NPROC, &none);
    if (::getuid() == 0 && ::setuid(65534) != 0) return true;  // for root there is no limit
    return ranges_of(1000, 1).size() == 5;
  }));
}
#endif

// Threads that wait for work sleep. (On a busy machine this may pass although they do not.)
BOOST_AUTO_TEST_CASE(idle_threads_take_no_time) {
  const Threads four(4);
  ranges_of(4, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::clock_t before = std::clock();  // of all threads
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  BOOST_TEST(std::clock() - before < CLOCKS_PER_SEC / 10);
}

BOOST_AUTO_TEST_CASE(zero_threads_are_all_that_the_process_may_use) {
  const Threads restored(threads());
  cpu_set_t before, one;
  BOOST_REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
  const Limit none(nullptr);
  set_threads(0);
  BOOST_TEST(threads() == CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int core = 0; CPU_COUNT(&one) == 0; ++core)
    if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
  BOOST_REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
  set_threads(0);
  BOOST_TEST(threads() == 1);
  ::sched_setaffinity(0, sizeof before, &before);
}

BOOST_AUTO_TEST_CASE(zero_threads_respect_omp_num_threads) {
  const Threads restored(threads());
  for (const char* limit : {"1", "1,4", " 1 , 2"}) {
    const Limit one(limit);
    set_threads(0);
    BOOST_TEST(threads() == 1);
    set_threads(3);  // a number that was asked for stays
    BOOST_TEST(threads() == 3);
  }
  for (const char* limit : {"0", "-2", "many", "2x", "99999999999"}) {
    const Limit wrong(limit);
    BOOST_TEST(
        test::refusal([] { set_threads(0); }) ==
        fmt::format("OMP_NUM_THREADS: found {}, allowed: a number of at least 1 (or unset it)", limit));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
