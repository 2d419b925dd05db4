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
      comparison_table({{.run = {"a", "a"}, .published = figures}, {.run = {"b", "b"}}});
  BOOST_TEST(contains(table, " 1.03                 15  408\n"), table);
  BOOST_TEST(contains(table, " -                    -   -\n"), table);
  BOOST_TEST(contains(table, "published: "));
  BOOST_TEST(!contains(comparison_table({{.run = {"b", "b"}}}), "published"));
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
  const RunResult once{.run = {"once", "once"}, .curve = {{.seconds = 7, .bits_per_byte = 2}}};
  RunResult often = once;
  often.run.variant = "often";
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
  write_comparison(dir.path(), {{.run = {name, "other"}, .mean_rows = 2}});
  const std::string shown = "a,b \"c\" |d| <&> \\x01\\x0a \\xe9 \xc3\xa9";
  BOOST_TEST(contains(comparison_table({{.run = {name, name}}}), "\n" + shown + "  "));
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

BOOST_AUTO_TEST_CASE(several_seeds_become_one_line_with_a_mean_and_a_deviation) {
  const test::TempDir dir;
  RunResult first{.run = {"a", "a", 1},
                  .steps = 11,
                  .bits_per_byte = 2.0,
                  .mean_rows = 10,
                  .ms = 20,
                  .peak_bytes = 1 << 20,
                  .recall = {{.nearest = 1, .farthest = 2, .asked = 10, .right = 4}},
                  .curve = {{.seconds = 1, .bits_per_byte = 3}, {.seconds = 2, .bits_per_byte = 2}}};
  RunResult second = first;
  second.run.seed = 2;
  second.bits_per_byte = 2.3;
  second.mean_rows = 14;
  second.peak_bytes = 2 << 20;
  second.steps = 20;
  second.recall = {{.nearest = 1, .farthest = 2, .asked = 30, .right = 30}};
  RunResult third = first;
  third.run.seed = 3;
  third.bits_per_byte = 2.0;
  const RunResult other{.run = {"b", "b", 1}, .bits_per_byte = 5};
  const std::vector<RunResult> runs = {first, other, second, third}, variants = over_seeds(runs);
  BOOST_REQUIRE_EQUAL(variants.size(), 2U);
  const RunResult& a = variants.front();
  BOOST_TEST(a.run.directory() == "a");
  BOOST_TEST(a.seeds == 3U);
  BOOST_TEST(std::abs(a.bits_per_byte - 2.1) < 1e-12);
  BOOST_TEST(std::abs(a.deviation - 0.2) < 1e-12);
  BOOST_TEST(std::abs(a.mean_rows - 34.0 / 3) < 1e-12);
  BOOST_TEST(a.peak_bytes == 2 << 20);
  BOOST_TEST(a.steps == 14);
  BOOST_REQUIRE_EQUAL(a.recall.size(), 1U);
  BOOST_TEST(a.recall[0].asked == 50);
  BOOST_TEST(a.recall[0].right == 38);
  BOOST_TEST(variants.back().seeds == 1U);
  BOOST_TEST(contains(comparison_table(runs), " 2.1000 ± 0.2000 "));
  BOOST_TEST(contains(comparison_table(runs), "mean ± the largest distance"));
  BOOST_TEST(!contains(comparison_table({other}), "±"));

  write_comparison(dir.path(), runs);
  const std::string table = test::file_text(dir.path("comparison.csv"));
  for (const char* line : {"\na-seed-1,", "\na-seed-2,", "\na-seed-3,", "\nb-seed-1,"})
    BOOST_TEST(contains(table, line), table);
  BOOST_TEST(!contains(table, "±"));
  BOOST_TEST(contains(table, ",seed\n"), table);
  const std::string markdown = test::file_text(dir.path("comparison.md"));
  BOOST_TEST(contains(markdown, "| a   | "));
  BOOST_TEST(contains(markdown, "| seeds |"));
  BOOST_TEST(contains(markdown, "mean ± the largest distance"));
  // An error bar of a line and two ends.
  const std::string bars = test::file_text(dir.path("comparison.svg"));
  const std::string thick = "stroke-width=\"2\"";
  size_t lines = 0;
  for (size_t at = 0; (at = bars.find(thick, at)) != std::string::npos; at += thick.size()) ++lines;
  BOOST_TEST(lines == 3);
  BOOST_TEST(!contains(bars, "nan"));
  // Three curves of two points each, in one colour, of which none is joined to the next.
  const std::string curves = test::file_text(dir.path("curves.svg"));
  const size_t path = curves.find("<path d=\"M");
  const std::string d = curves.substr(path, curves.find("fill=\"none\"", path) - path);
  BOOST_TEST(std::ranges::count(d, 'M') == 3);
  BOOST_TEST(std::ranges::count(d, 'L') == 3);
  BOOST_TEST(!contains(curves, "nan"));

  second.bits_per_byte = NAN;
  const std::vector<RunResult> unfinished = {first, second};
  BOOST_TEST(contains(comparison_table(unfinished), " nan ± nan "));
  write_comparison(dir.path(), unfinished);
  BOOST_TEST(!contains(test::file_text(dir.path("comparison.svg")), "nan"));
}

// Columns are as wide as what is seen of their cells, not as many bytes.
BOOST_AUTO_TEST_CASE(columns_count_characters) {
  const std::string table =
      comparison_table({{.run = {"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", ""}}, {.run = {"abcd", ""}}});
  BOOST_TEST(contains(table, "\n\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  transformer_xl  "), table);
  BOOST_TEST(contains(table, "\nabcd  transformer_xl  "), table);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
