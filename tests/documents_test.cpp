// Links in the documents lead somewhere, and the files that documents and comments name exist.
#include <boost/test/unit_test.hpp>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/source_files.h"

namespace fade::test {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

/// Markdown without code: fenced blocks become empty lines, code spans vanish.
Lines without_code(const Lines& lines) {
  static const std::regex span("`[^`]*`");
  Lines text;
  bool fenced = false;
  for (const std::string& line : lines) {
    const bool fence = line.find("```") != std::string::npos;
    text.push_back(fenced || fence ? "" : std::regex_replace(line, span, "code"));
    if (fence) fenced = !fenced;
  }
  return text;
}

/// The anchor of a heading: lower case, hyphens for spaces, no punctuation.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    const auto u = static_cast<unsigned char>(c);
    if (c == ' ') anchor += '-';
    if (std::isalnum(u) || c == '-' || c == '_' || u >= 0x80) anchor += static_cast<char>(std::tolower(u));
  }
  return anchor;
}

std::set<std::string> anchors_of(const fs::path& document) {
  static const std::regex heading("#+ (.*)");
  std::set<std::string> anchors;
  bool fenced = false;
  for (const std::string& line : lines_of(document)) {
    if (line.find("```") != std::string::npos) fenced = !fenced;
    std::smatch m;
    if (!fenced && std::regex_match(line, m, heading)) anchors.insert(anchor_of(m[1]));
  }
  return anchors;
}

/// What is wrong with a link of `document`; empty if nothing is.
std::string complaint_about(const std::string& link, const fs::path& document) {
  if (link.find("://") != std::string::npos || link.starts_with("mailto:")) return "";
  const size_t hash = link.find('#');
  const std::string path = link.substr(0, hash);
  const fs::path target = path.empty() ? document : document.parent_path() / path;
  if (!fs::exists(target)) return "leads nowhere: " + link;
  if (hash == std::string::npos || target.extension() != ".md") return "";
  return anchors_of(target).contains(link.substr(hash + 1)) ? "" : "no such heading: " + link;
}

/// What is wrong with the links of a line of `document` to lines of code: [file:12](file#L12) `code`. The
/// path must lead to that file and line, and the line must hold the code.
Lines wrong_lines_of_code(const std::string& line, const fs::path& document) {
  static const std::regex link(R"(\[([^\]`]*)\]\(([^)\s#]+)#L(\d+)\)([^`]*`([^`]+)`)?)");
  Lines wrong;
  for (std::sregex_iterator m(line.begin(), line.end(), link), end; m != end; ++m) {
    const std::string text = (*m)[1], path = (*m)[2], number = (*m)[3], code = (*m)[5];
    const std::string named = fs::path(path).lexically_normal().filename().string() + ":" + number;
    if (!text.ends_with(named)) wrong.push_back(text + " is not " + named);
    const fs::path target = document.parent_path() / path;
    const Lines lines = fs::exists(target) ? lines_of(target) : Lines();
    const size_t at = std::stoul(number);
    if (at < 1 || at > lines.size())
      wrong.push_back(text + ": no such line");
    else if (code.empty() || lines[at - 1].find(code) == std::string::npos)
      wrong.push_back(text + " is not " + (code.empty() ? "followed by its code" : code) + ": " +
                      lines[at - 1]);
  }
  return wrong;
}

/// Paths in a line of `file` that exist neither from the root nor from the folder of the file.
Lines missing_paths(const std::string& text, const fs::path& file) {
  static const std::regex path(
      R"((^|[^\w./-])((?:engine|ops|nn|models|train|cli|tests|docs|scripts|configs|bench|examples|cmake)/)"
      R"([a-z0-9_./-]*(?:README|CMakeLists|[a-z0-9_])\.(?:h|cpp|cu|md|sh|py|txt|yaml|json|safetensors|cmake))\b)");
  Lines missing;
  for (std::sregex_iterator m(text.begin(), text.end(), path), end; m != end; ++m)
    if (!fs::exists(kRoot / (*m)[2].str()) && !fs::exists(file.parent_path() / (*m)[2].str()))
      missing.push_back((*m)[2]);
  return missing;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(documents_test)

BOOST_AUTO_TEST_CASE(every_link_leads_somewhere) {
  static const std::regex link(R"(\]\(([^)\s]+)\))");
  size_t seen = 0;
  for (const fs::path& document : files_with({".md"})) {
    const Lines lines = without_code(lines_of(document));
    for (size_t i = 0; i < lines.size(); ++i)
      for (std::sregex_iterator m(lines[i].begin(), lines[i].end(), link), end; m != end; ++m) {
        ++seen;
        const std::string wrong = complaint_about((*m)[1], document);
        BOOST_TEST(wrong.empty(), place(document, i + 1) << ": " << wrong);
      }
  }
  BOOST_TEST(seen > 50u);
}

BOOST_AUTO_TEST_CASE(links_that_lead_nowhere_are_noticed) {
  const fs::path readme = kRoot / "README.md";
  BOOST_TEST(complaint_about("docs/none.md", readme) == "leads nowhere: docs/none.md");
  BOOST_TEST(complaint_about("ops/README.md#no-such-heading", readme) ==
             "no such heading: ops/README.md#no-such-heading");
  BOOST_TEST(complaint_about("ops/README.md", readme) == "");
  BOOST_TEST(complaint_about("https://example.org/none", readme) == "");
  BOOST_TEST(anchor_of("A kernel's `name`, twice") == "a-kernels-name-twice");
}

BOOST_AUTO_TEST_CASE(linked_lines_of_code_are_there) {
  size_t seen = 0;
  for (const fs::path& document : files_with({".md"}))
    for_lines(document, [&](int number, const std::string& line) {
      seen += line.find("#L") != std::string::npos;
      for (const std::string& wrong : wrong_lines_of_code(line, document))
        BOOST_TEST(false, place(document, number) << ": " << wrong);
    });
  BOOST_TEST(seen > 10u);
}

BOOST_AUTO_TEST_CASE(wrong_lines_of_code_are_noticed) {
  const fs::path page = kRoot / "docs/README.md";
  const auto wrong = [&](const std::string& line) { return wrong_lines_of_code(line, page).size(); };
  BOOST_TEST(wrong("[engine/tape.h:1](../engine/tape.h#L1) | `The tape: what was computed` |") == 0u);
  BOOST_TEST(wrong("[engine/tape.h:1](../engine/tape.h#L1) | `something else` |") == 1u);
  BOOST_TEST(wrong("[engine/tape.h:1](../engine/tape.h#L1) alone") == 1u);
  BOOST_TEST(wrong("[engine/tape.h:2](../engine/tape.h#L1) | `The tape` |") == 1u);
  BOOST_TEST(wrong("[engine/tape.h:99999](../engine/tape.h#L99999) | `The tape` |") == 1u);
  BOOST_TEST(wrong("[engine/none.h:1](../engine/none.h#L1) | `The tape` |") == 1u);
}

BOOST_AUTO_TEST_CASE(named_files_exist) {
  for (const fs::path& file : files_with({".h", ".cpp", ".cu", ".md", ".sh", ".py", ".yaml"}))
    for_lines(file, [&](int number, const std::string& line) {
      if (file.filename() == "documents_test.cpp") return;  // its examples
      for (const std::string& missing : missing_paths(line, file))
        BOOST_TEST(false, place(file, number) << ": no such file: " << missing);
    });
  BOOST_TEST(
      (missing_paths("see tests/none.cpp, ops/README.md", kRoot / "README.md") == Lines{"tests/none.cpp"}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade::test
