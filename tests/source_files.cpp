#include "tests/source_files.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

namespace fade::test {

namespace fs = std::filesystem;

std::vector<fs::path> files_with(const std::vector<std::string_view>& extensions) {
  std::vector<fs::path> found;
  const auto add = [&](const fs::directory_entry& entry) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() && std::ranges::find(extensions, extension) != extensions.end())
      found.push_back(entry.path());
  };
  for (const auto& entry : fs::directory_iterator(kRoot)) add(entry);
  std::vector<std::string> folders = kLayers;
  folders.insert(folders.end(), {"tests", "examples", "bench", "docs", "scripts", "configs"});
  for (const std::string& folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) add(entry);
  return found;
}

void for_lines(const fs::path& file, const std::function<void(int, const std::string&)>& f) {
  std::ifstream in(file);
  BOOST_REQUIRE_MESSAGE(in, file << " cannot be read");
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) f(number, line);
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::vector<std::string> lines;
  for_lines(file, [&](int, const std::string& line) { lines.push_back(line); });
  return lines;
}

std::string place(const fs::path& file, int64_t line) {
  return file.lexically_relative(kRoot).string() + ':' + std::to_string(line);
}

}  // namespace fade::test
