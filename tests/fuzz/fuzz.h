// Helpers of the fuzz targets.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace fade::fuzz {

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process, for libFuzzer to keep the input, unless `condition` holds.
inline void require(bool condition, const char* what) {
  if (condition) return;
  fmt::print(stderr, "broken: {}\n", what);
  std::abort();
}

/// Runs a reader. It may refuse its input, in one line of sensible length; any other exception is a crash.
template <class Work>
void allow_refusal(const Work& work) {
  try {
    work();
  } catch (const InputError& error) {
    const std::string_view text = error.what();
    require(!text.empty() && text.size() < 2000, "an error is a line of sensible length");
    require(text.find('\n') == std::string_view::npos, "an error is one line");
  }
}

/// The folder of this process, in memory if the system allows it. The next input overwrites its files.
inline const std::filesystem::path& folder() {
  static const std::filesystem::path made = [] {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string name = memory ? "/dev/shm/fade-fuzz-XXXXXX" : "/tmp/fade-fuzz-XXXXXX";
    require(::mkdtemp(name.data()) != nullptr, "a folder to work in");
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return std::filesystem::path(name);
  }();
  return made;
}

/// Writes a file into the folder, and returns its path.
inline std::string write(const char* name, std::string_view content) {
  const std::string path = folder() / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

inline std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace fade::fuzz
