#include "tests/source_files.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/support.h"

namespace fade::test {

namespace fs = std::filesystem;

fs::path find_root() {
  if (const char* const named = std::getenv("FADE_ROOT")) return named;
  std::error_code none;
  const fs::path here = fs::current_path(none);
  for (fs::path folder : {fs::read_symlink("/proc/self/exe", none).parent_path(), here})
    for (; !folder.empty(); folder = folder.parent_path()) {
      if (fs::exists(folder / "tests/data/golden", none)) return folder;
      if (folder == folder.root_path()) break;
    }
  return here;
}

std::string source_text(const std::string& path) { return file_text((kRoot / path).string()); }

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
