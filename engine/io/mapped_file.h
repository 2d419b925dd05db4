// A file's bytes as memory, read by the system only where they are touched.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace fade {

/// A read-only memory mapping of a whole regular file, released with the object.
class MappedFile {
 public:
  /// Throws InputError if the file is missing, a directory, not a regular file, empty, or cannot be read.
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::uint8_t> bytes() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

}  // namespace fade
