// The errors of files and options in tests/data/bad_input.txt. (Its calls: tests/shell/bad_input_test.sh.)
#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <map>
#include <sstream>

#include "engine/io/safetensors.h"
#include "tests/source_files.h"
#include "tests/support.h"
#include "train/config/file.h"

namespace fade {
namespace {

std::string of_config(const std::string& text) {
  return test::refusal([&] { parse_config(text, "c.yaml"); });
}

std::string of_set(const std::string& argument) {
  return test::refusal([&] { parse_config("data: {path: corpus}\n", "c.yaml", {argument}); });
}

std::string of_safetensors(const std::string& input) {
  const size_t plus = input.rfind(" + ");
  const std::string header = input.substr(0, plus);
  const uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  file += header + std::string(std::stoul(input.substr(plus + 3)), '\1');
  const test::TempDir dir;
  const std::string path = dir.write("file", file);
  std::string message = test::refusal([&] { load_safetensors(path); });
  BOOST_TEST(message.starts_with(path + ": not a readable safetensors file: "), message);
  return message;
}

/// Replaces \n and \xNN by their characters.
std::string unescaped(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string two = text.substr(i, 2);
    if (two == "\\n") {
      out += '\n';
      i += 1;
    } else if (two == "\\x") {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bad_input)

BOOST_AUTO_TEST_CASE(every_row_of_the_table_gives_its_error) {
  const std::map<std::string, std::string (*)(const std::string&)> sections{
      {"[config]", of_config}, {"[set]", of_set}, {"[safetensors]", of_safetensors}};
  const std::string indent(4, ' ');
  std::map<std::string, int> tried;
  std::istringstream table(test::source_text("tests/data/bad_input.txt"));
  std::string section, input, expected;
  while (std::getline(table, input) && input != "[call]") {
    if (input.empty() || input.starts_with('#')) continue;
    if (sections.contains(input)) {
      section = input;
      continue;
    }
    BOOST_REQUIRE_MESSAGE(std::getline(table, expected) && expected.starts_with(indent),
                          "an error, indented by four, must follow: " << input);
    expected.erase(0, indent.size());
    const std::string message = sections.at(section)(unescaped(input));
    const size_t found = message.find(expected);
    const bool whole = expected.starts_with("c.yaml:") || expected.starts_with("--set ");  // the beginning
    BOOST_TEST((whole ? found == 0 : found != std::string::npos),
               fmt::format("{} {}\n  gives: {}\n  needs: {}", section, input, message, expected));
    // A list of names is the whole list, and not only its beginning.
    BOOST_TEST(message.find(expected + " | ") == std::string::npos, message);
    BOOST_TEST(message.find('\n') == std::string::npos, message);
    ++tried[section];
  }
  for (const auto& [name, reader] : sections) BOOST_TEST(tried[name] > 20, name);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace fade
