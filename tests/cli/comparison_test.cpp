// The tables and pictures of a comparison: published figures of the kinds that have them, and any names.
#include "cli/compare/comparison.h"

#include <boost/test/unit_test.hpp>

#include "engine/io/utf8.h"
#include "tests/support.h"

namespace fade {

using test::contains;

BOOST_AUTO_TEST_SUITE(comparison)

BOOST_AUTO_TEST_CASE(a_kind_without_published_figures_has_dashes) {
  const Published figures{.bits_per_byte = 1.03, .gigabytes = 15, .ms = 408};
  const std::string table =
      comparison_table({{.name = "a", .family = "a", .published = figures}, {.name = "b", .family = "b"}});
  BOOST_TEST(contains(table, " 1.03                 15  408\n"), table);
  BOOST_TEST(contains(table, " -                    -   -\n"), table);
  BOOST_TEST(contains(table, "published: "));
  BOOST_TEST(!contains(comparison_table({{.name = "b", .family = "b"}}), "published"));
}

// A text that begins as enwik8 does is in tests/shell/enwik8_test.sh.
BOOST_AUTO_TEST_CASE(other_texts_are_not_enwik8) {
  const test::TempDir dir;
  const auto is = [&](const std::string& text) {
    DataConfig data;
    data.path = dir.write("text", text);
    return is_enwik8(Corpus(data));
  };
  const std::string start = "<mediawiki xmlns=\"http://www.mediawiki.org/xml/export-0.3/\"";
  BOOST_TEST(!is(start));
  BOOST_TEST(!is(start + std::string(100'000, ' ')));
}

BOOST_AUTO_TEST_CASE(curves_are_drawn_where_there_are_several_validations) {
  const test::TempDir dir;
  const RunResult once{.name = "once", .family = "once", .curve = {{.seconds = 7, .bits_per_byte = 2}}};
  RunResult often = once;
  often.name = "often";
  often.curve.push_back({.seconds = 70, .bits_per_byte = 1.5});
  write_comparison(dir.path(), {once, often});
  const std::string svg = test::file_text(dir.path("curves.svg"));
  BOOST_TEST(contains(svg, ">training time, seconds</text>"));
  BOOST_TEST(contains(svg, ">often</text>"));
  write_comparison(dir.path(), {once});
  BOOST_TEST(!std::filesystem::exists(dir.path("curves.svg")));
}

// A run is named after its file, whose name may be any bytes.
BOOST_AUTO_TEST_CASE(any_name_leaves_tables_and_pictures_whole) {
  const test::TempDir dir;
  const std::string name = "a,b \"c\" |d| <&> \x01\n \xe9 \xc3\xa9";
  write_comparison(dir.path(), {{.name = name, .family = "other", .mean_rows = 2}});
  const std::string shown = "a,b \"c\" |d| <&> \\x01\\x0a \\xe9 \xc3\xa9";
  BOOST_TEST(contains(comparison_table({{.name = name, .family = name}}), "\n" + shown + "  "));
  BOOST_TEST(contains(test::file_text(dir.path("comparison.csv")),
                      "\n\"a,b \"\"c\"\" |d| <&> \\x01\\x0a \\xe9 \xc3\xa9\",transformer_xl,"));
  BOOST_TEST(contains(test::file_text(dir.path("comparison.md")),
                      "\n| a,b \"c\" \\|d\\| <&> \\x01\\x0a \\xe9 \xc3\xa9 | transformer_xl "));
  for (const char* picture : {"comparison.svg", "tradeoff.svg"}) {
    const std::string svg = test::file_text(dir.path(picture));
    BOOST_TEST(!svg.empty());
    BOOST_TEST(find_invalid_utf8(svg) == std::string::npos);
    BOOST_TEST(svg.find('\x01') == std::string::npos);
  }
  BOOST_TEST(contains(test::file_text(dir.path("comparison.svg")),
                      ">a,b \"c\" |d| &lt;&amp;> \\x01\\x0a \\xe9 \xc3\xa9</text>"));
}

// Columns are as wide as what is seen of their cells, not as many bytes.
BOOST_AUTO_TEST_CASE(columns_count_characters) {
  const std::string table = comparison_table(
      {{.name = "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", .family = ""}, {.name = "abcd", .family = ""}});
  BOOST_TEST(contains(table, "\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  transformer_xl  "), table);
  BOOST_TEST(contains(table, "\nabcd  transformer_xl  "), table);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
