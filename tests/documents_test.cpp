// Links in the documents lead somewhere, and the files that they name exist.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <regex>
#include <sstream>
#include <vector>

#include "tests/support.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = FADE_SOURCE_DIR;

std::vector<fs::path> documents() {
  std::vector<fs::path> found{kRoot / "README.md"};
  for (const char* folder : {"docs", "engine", "ops", "nn", "models", "train", "cli", "tests"})
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
      if (entry.path().extension() == ".md") found.push_back(entry.path());
  return found;
}

/// All matches of the first group of `pattern`.
std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

/// The text without its code: a lambda `[x](int)` looks like a link.
std::string without_code(const std::string& text) {
  static const std::regex inline_code("`[^`]*`");
  std::istringstream in(text);
  std::string kept;
  bool fenced = false;
  for (std::string line; std::getline(in, line);) {
    const bool fence = line.find("```") != std::string::npos;
    if (fence) fenced = !fenced;
    if (!fence && !fenced) kept += std::regex_replace(line, inline_code, "code") + '\n';
  }
  return kept;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(documents_test)

BOOST_AUTO_TEST_CASE(links_lead_somewhere) {
  const std::regex link(R"(\[[^\]]+\]\(([^)#\s]+)[^)]*\))");
  size_t seen = 0;
  for (const fs::path& document : documents())
    for (const std::string& target : matches(without_code(file_text(document)), link)) {
      if (target.starts_with("http")) continue;
      ++seen;
      BOOST_TEST(fs::exists(document.parent_path() / target), fs::relative(document, kRoot).string()
                                                                  << ": the link leads nowhere: " << target);
    }
  BOOST_TEST(seen > 50u);
}

// Files in backquotes, as paths from the root or from the document's folder.
BOOST_AUTO_TEST_CASE(named_files_exist) {
  const std::regex path(
      R"(`((?:bench|cli|configs|docs|engine|examples|models|nn|ops|scripts|tests|train)/[a-z0-9_/-]+\.[a-z]+))");
  size_t seen = 0;
  for (const fs::path& document : documents())
    for (const std::string& file : matches(file_text(document), path)) {
      ++seen;
      BOOST_TEST((fs::exists(kRoot / file) || fs::exists(document.parent_path() / file)),
                 fs::relative(document, kRoot).string() << " names " << file);
    }
  BOOST_TEST(seen > 50u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
