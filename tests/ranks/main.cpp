// The test program of several ranks: mpirun -np 2 fade_ranks_tests. Every rank runs the same cases.
#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <boost/test/execution_monitor.hpp>
#include <boost/test/tree/observer.hpp>
#include <boost/test/unit_test.hpp>

#include "engine/io/standard_streams.h"
#include "tests/ranks/ranks.h"

namespace fade::test {
namespace {

namespace ut = boost::unit_test;

const Ranks* started_as = nullptr;

/// Ends the job when a case ends early on one rank: the others would wait for it.
struct EndsJob : ut::test_observer {
  void exception_caught(const boost::execution_exception& error) override {
    end("throws " + std::string(error.what().begin(), error.what().end()));
  }
  void test_unit_aborted(const ut::test_unit& /*unit*/) override { end("cannot go on"); }

 private:
  static void end(const std::string& why) {
    ranks().abort(ut::framework::current_test_case().full_name() + " " + why);
  }
};

bool begin() {
  static EndsJob ends_job;
  ut::framework::register_observer(ends_job);
  return true;
}

}  // namespace

const Ranks& ranks() { return *started_as; }

}  // namespace fade::test

int main(int argc, char** argv) {
  int result = 0;
  fade::run_ranks([&](const fade::Ranks& ranks) {
    if (ranks.count() == 1) {
      fade::print_stderr("{}: started as one rank, needs several (mpirun -np 2 {})", argv[0], argv[0]);
      result = 2;
      return;
    }
    fade::test::started_as = &ranks;
    result = boost::unit_test::unit_test_main(fade::test::begin, argc, argv);
  });
  return result;
}
