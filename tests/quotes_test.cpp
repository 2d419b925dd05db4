// Documents quote code that exists: a fenced block that directly follows a line <!-- code: FILE --> stands in
// FILE, as consecutive lines, which may be indented there. Each chapter of the course has its program and three
// solutions. (What the programs print: tests/shell/check_output.sh.)
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <regex>

#include "tests/source_files.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

/// True iff `line` is `quoted`, indented by `indent`. Empty lines are not indented.
bool matches(const std::string& line, const std::string& quoted, const std::string& indent) {
  return line == (quoted.empty() ? "" : indent + quoted);
}

/// True iff `block` stands in `file` as consecutive lines, all indented by the same spaces.
bool contains(const Lines& file, const Lines& block) {
  if (block.empty()) return false;
  for (size_t first = 0; first + block.size() <= file.size(); ++first) {
    if (!file[first].ends_with(block[0])) continue;
    const std::string indent = file[first].substr(0, file[first].size() - block[0].size());
    if (indent.find_first_not_of(' ') != std::string::npos) continue;
    bool all = true;
    for (size_t i = 0; all && i < block.size(); ++i) all = matches(file[first + i], block[i], indent);
    if (all) return true;
  }
  return false;
}

struct Quote {
  std::string file;
  Lines block;  ///< without lines if no block follows the mark
};

/// What a document quotes from source files.
std::vector<Quote> quotes(const Lines& document) {
  static const std::regex mark("<!-- code: (.*) -->");
  std::vector<Quote> found;
  for (size_t i = 0; i < document.size(); ++i) {
    std::smatch m;
    if (!std::regex_match(document[i], m, mark)) continue;
    Quote quote{m[1], {}};
    const auto is_fence = [&](size_t k) { return document[k].starts_with("```"); };
    if (i + 1 < document.size() && is_fence(i + 1))
      for (i += 2; i < document.size() && !is_fence(i); ++i) quote.block.push_back(document[i]);
    found.push_back(quote);
  }
  return found;
}

/// What is wrong with a quote; empty if nothing is.
std::string complaint(const Quote& quote) {
  if (quote.block.empty()) return "no block follows the mark of " + quote.file;
  if (!fs::exists(kRoot / quote.file)) return "no such file: " + quote.file;
  if (contains(lines_of(kRoot / quote.file), quote.block)) return "";
  return quote.file + " does not contain these lines: " + quote.block[0] + " ..";
}

/// What is wrong with chapter STEM ("1_tape"), given the lines of its page.
Lines complaints_about_chapter(const std::string& stem, const Lines& page) {
  Lines wrong;
  const std::string program = "examples/course/" + stem + ".cpp";
  const auto has = [&](const std::string& text) {
    return std::ranges::any_of(page,
                               [&](const std::string& line) { return line.find(text) != std::string::npos; });
  };
  if (!fs::exists(kRoot / program)) wrong.push_back("has no program " + program);
  if (!has("<!-- output: " + program + " -->")) wrong.push_back("does not quote its program's output");
  for (const char exercise : {'1', '2', '3'}) {
    const std::string solution = "examples/course/solutions/" + stem.substr(0, 1) + "_" + exercise + ".cpp";
    if (!has("](../../" + solution + ")")) wrong.push_back("has no link to " + solution);
    if (!fs::exists(kRoot / solution)) wrong.push_back("has no solution " + solution);
  }
  return wrong;
}

std::vector<fs::path> chapters() {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(kRoot / "docs/course"))
    if (entry.path().extension() == ".md" && entry.path().stem() != "README") found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quotes_test)

BOOST_AUTO_TEST_CASE(quoted_code_exists) {
  size_t seen = 0;
  for (const fs::path& document : files_with({".md"}))
    for (const Quote& quote : quotes(lines_of(document))) {
      ++seen;
      const std::string wrong = complaint(quote);
      BOOST_TEST(wrong.empty(), place(document, 1) << ": " << wrong);
    }
  BOOST_TEST(seen > 0u);
}

BOOST_AUTO_TEST_CASE(chapters_are_complete) {
  const std::vector<fs::path> pages = chapters();
  for (size_t i = 0; i < pages.size(); ++i) {
    const std::string stem = pages[i].stem().string();
    BOOST_TEST(stem.starts_with(std::to_string(i + 1) + "_"), stem << ": chapter " << i + 1 << " is missing");
    for (const std::string& wrong : complaints_about_chapter(stem, lines_of(pages[i])))
      BOOST_TEST(false, stem << ' ' << wrong);
  }
  BOOST_TEST(!pages.empty());
}

BOOST_AUTO_TEST_CASE(wrong_quotes_are_noticed) {
  const Lines file{"int main() {", "  one();", "", "  if (two)", "    three();", "}"};
  BOOST_TEST(contains(file, {"one();", "", "if (two)", "  three();"}));
  BOOST_TEST(contains(file, {"  three();"}));
  BOOST_TEST(!contains(file, {"one();", "if (two)"}));                      // a line is left out
  BOOST_TEST(!contains(file, {"if (two)", "three();"}));                    // other indentation
  BOOST_TEST(!contains(file, {"() {", "one();"}));                          // not a whole line
  BOOST_TEST(!contains(file, {"if (two)", "  three();", "}", "// more"}));  // past the end
  BOOST_TEST(quotes({"<!-- code: a.cpp -->", "```cpp", "x", "```"})[0].block == Lines{"x"});
  BOOST_TEST(complaint(quotes({"<!-- code: a.cpp -->", "", "```"})[0]) ==
             "no block follows the mark of a.cpp");
  BOOST_TEST(complaint({"none.cpp", {"x"}}) == "no such file: none.cpp");
  BOOST_TEST(complaints_about_chapter("1_none", {}).size() == 5u);  // program, output, and three links
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
