// The test program. Most suites use the macros of Boost.Test. The suites of the operations are made here, at
// run time, from the case table: ops/<folder>/<operation>.<variant>.
#define BOOST_TEST_NO_MAIN
#define BOOST_TEST_ALTERNATIVE_INIT_API
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>

#include "tests/ops/op_checks.h"

namespace {

using namespace fade;
using namespace fade::test;

// On every device, or only on the one named by the environment variable FADE_TEST_DEVICE.
void run_case(const OpCase& c) {
  const char* only = std::getenv("FADE_TEST_DEVICE");
  bool checked = false;
  for (const Device device : available_devices()) {
    if (only && std::string(only) != name_of(device)) continue;
    checked = true;
    const Verdict v = check_case(c, device);
    BOOST_TEST(v.ok, c.name << " on " << name_of(device) << ": " << v.why);
  }
  BOOST_TEST(checked,
             "FADE_TEST_DEVICE: found " << (only ? only : "") << ", which is not a device of this build");
}

bool make_suites() {
  namespace ut = boost::unit_test;
  auto* const ops = BOOST_TEST_SUITE("ops");
  std::map<std::string, ut::test_suite*> folders;
  for (const OpCase& c : op_cases()) {
    auto& folder = folders[c.folder];
    if (!folder) ops->add(folder = BOOST_TEST_SUITE(c.folder));
    std::string name = c.name;
    std::replace(name.begin(), name.end(), '/', '.');  // Boost separates suites by '/'
    folder->add(ut::make_test_case([&c] { run_case(c); }, name, "tests/ops/op_case.h", 1));
  }
  ut::framework::master_test_suite().add(ops);
  return true;
}

}  // namespace

int main(int argc, char** argv) { return boost::unit_test::unit_test_main(make_suites, argc, argv); }
