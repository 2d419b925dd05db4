// Comments and string literals are not torn: no line of one or two words follows a full one.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <iterator>
#include <regex>
#include <sstream>

#include "tests/source_files.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

constexpr size_t kLongLine = 85;  // columns: such a line was broken because it was full
constexpr size_t kFewWords = 2;

size_t columns(std::string_view text) {  // of UTF-8
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

/// Where the comment of a line begins; npos without one.
size_t comment_start(const std::string& line) {
  bool quoted = false;
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    if (quoted && line[i] == '\\')
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted && line[i] == '/' && line[i + 1] == '/')
      return i;
  }
  return std::string::npos;
}

/// A comment line of one or two words after a full one: the rest of a line that a formatter has cut. (Fill
/// the paragraph evenly.) A short sentence may stand alone after the end of another.
bool is_torn_comment(const std::string& before, const std::string& line) {
  const size_t start = comment_start(line);
  if (start == std::string::npos || comment_start(before) != start) return false;
  if (line.find_first_not_of(' ') != start || columns(before) < kLongLine) return false;
  const auto mark_end = [start](const std::string& s) { return s.find_first_not_of("/<", start); };
  if (mark_end(line) == std::string::npos || mark_end(before) != mark_end(line)) return false;
  const std::string tail = line.substr(mark_end(line));
  const std::vector<std::string> tail_words = words(tail);
  if (tail_words.empty() || tail_words.size() > kFewWords) return false;
  if (std::ranges::none_of(tail, [](unsigned char c) { return std::isalnum(c) != 0; })) return false;
  const bool sentence = std::isupper(static_cast<unsigned char>(tail_words[0][0]));
  return !(sentence && std::string_view(".!?:").find(before.back()) != std::string_view::npos);
}

/// A string literal of one or two words that continues a full line's literal.
bool is_torn_string(const std::string& before, const std::string& line) {
  static const std::regex alone(R"re(\s*"((?:[^"\\]|\\.)*)"[)},;]*\s*)re");
  std::smatch m;
  if (!std::regex_match(line, m, alone) || columns(before) < kLongLine) return false;
  if (!before.ends_with('"') || before.ends_with("\\n\"")) return false;
  const size_t count = words(m[1]).size();
  return count > 0 && count <= kFewWords;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(torn_lines)

BOOST_AUTO_TEST_CASE(no_line_is_torn) {
  size_t seen = 0;
  for (const fs::path& file : files_with({".h", ".cpp", ".cu"})) {
    const Lines lines = lines_of(file);
    for (size_t i = 1; i < lines.size(); ++i) {
      ++seen;
      BOOST_TEST(!is_torn_comment(lines[i - 1], lines[i]),
                 place(file, i + 1) << ": the end of a torn comment (fill it evenly): " << lines[i]);
      BOOST_TEST(
          !is_torn_string(lines[i - 1], lines[i]),
          place(file, i + 1) << ": the end of a torn string (join it, or cut it at a clause): " << lines[i]);
    }
  }
  BOOST_TEST(seen > 10000u);
}

BOOST_AUTO_TEST_CASE(torn_lines_are_noticed) {
  const std::string full(80, 'x');
  BOOST_TEST(is_torn_comment("/// " + full + " not worth", "/// keeping."));
  BOOST_TEST(is_torn_comment("///   " + full + " [B, M,", "///   L]"));
  BOOST_TEST(is_torn_comment("  int x;  ///< " + full, "          ///< its end"));
  BOOST_TEST(!is_torn_comment("/// A short line, broken on purpose:", "/// y = x"));
  BOOST_TEST(!is_torn_comment("/// " + full + " ends here.", "/// Throws."));
  BOOST_TEST(!is_torn_comment("/// " + full, "/// with some more words"));
  BOOST_TEST(!is_torn_comment("// " + full, "  // elsewhere"));
  BOOST_TEST(!is_torn_comment("//   { " + full, "//   }"));
  BOOST_TEST(!is_torn_comment("//   | " + full, "//   …"));
  BOOST_TEST(is_torn_string("  fail(\"" + full + " or \"", "       \"this\");"));
  BOOST_TEST(!is_torn_string("  print(\"" + full + "\\n\"", "        \"this\\n\");"));
  BOOST_TEST(!is_torn_string("  fail(\"" + full + " \"", "       \"(lower train.optimizer.lr, say)\");"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
