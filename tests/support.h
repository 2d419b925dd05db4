// Helpers of many tests: texts and errors, temporary directories, differences.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "engine/error.h"

namespace fade::test {

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// The message of the error of type E that `work` must throw; "(no error)" if it throws none.
template <class E = Error, class Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const E& error) {
    return error.what();
  }
  return "(no error)";
}

/// The message of the InputError that `work` must throw.
template <class Work>
std::string refusal(const Work& work) {
  return error_of<InputError>(work);
}

/// The whole file; empty if there is none.
inline std::string file_text(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// max |a[i] − b[i]|. NaN, so that every comparison fails, if one holds a NaN or the lengths differ.
inline double largest_difference(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) return NAN;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return NAN;
    largest = std::max(largest, difference);
  }
  return largest;
}

/// A temporary directory, removed with the object.
class TempDir {
 public:
  TempDir() {
    const char* const root = std::getenv("TMPDIR");
    std::string name = std::string(root ? root : "/tmp") + "/fade-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      fail("{}: cannot be created: {} (set TMPDIR to a directory that exists)", name, std::strerror(errno));
    path_ = name;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path() const { return path_.string(); }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    std::ofstream file(path(name), std::ios::binary);
    if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush())
      fail("{}: cannot be written (is the disk full? TMPDIR names another)", path(name));
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace fade::test
