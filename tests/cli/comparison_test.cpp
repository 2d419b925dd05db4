// The table of a comparison: published figures of the kinds that have them.
#include "cli/compare/comparison.h"

#include <boost/test/unit_test.hpp>

#include "tests/support.h"

namespace fade {

BOOST_AUTO_TEST_SUITE(comparison)

BOOST_AUTO_TEST_CASE(a_kind_without_published_figures_has_dashes) {
  const auto row = [](const std::optional<Published>& published) {
    const std::string table = comparison_table({{.name = "run", .family = "run", .published = published}});
    const size_t begin = table.find('\n') + 1;
    return table.substr(begin, table.find('\n', begin) - begin);
  };
  BOOST_TEST(row(Published{.bits_per_byte = 1.03, .gigabytes = 15, .ms = 408})
                 .ends_with(" 1.03                 15  408"));
  BOOST_TEST(row(std::nullopt).ends_with(" -                    -   -"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
