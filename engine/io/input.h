// Reading: files, pipes, devices and standard input, all of known size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/files.h"

namespace fade {

/// Something to read. A regular file is read in place. Anything else (a pipe, a device, standard input) is
/// read to its end into memory when it is opened.
class Input {
 public:
  /// Of opening.
  struct Options {
    std::string_view if_missing = "check its name";  ///< the remedy in the error where nothing is at the path
    size_t most_in_memory = size_t{2} << 30;         ///< bytes: more are not read from a pipe or a device
  };

  /// "-" is standard input. Throws InputError, with the reason and a remedy, when there is nothing at the
  /// path, a directory, or something that cannot be read; Error when it does not fit into memory.
  explicit Input(const std::filesystem::path& path, const Options& options);
  /// The same with the default options.
  explicit Input(const std::filesystem::path& path) : Input(path, Options{}) {}

  /// The path, or "standard input": the input's name in messages.
  const std::string& name() const { return name_; }

  /// In bytes, when it was opened.
  size_t size() const { return size_; }

  /// The next `count` bytes; fewer only where the input ends. Returns how many. Throws as read_at does.
  size_t read(void* bytes, size_t count);

  /// All bytes that are left. Throws as read_at does, and Error when they do not fit into memory.
  std::string read_all();

  /// The `count` bytes from `offset`, which must lie inside the input. Any number of threads may call
  /// it at the same time. Throws InputError when the file has become shorter since it was opened, or
  /// cannot be read.
  void read_at(size_t offset, void* bytes, size_t count) const;

 private:
  void read_to_end(size_t most);

  std::string name_;
  Descriptor file_;
  size_t size_ = 0, position_ = 0;
  std::vector<uint8_t> memory_;  ///< all bytes of what is not a regular file
  bool in_memory_ = false;
};

/// All bytes of an Input, whose exceptions it passes on.
std::string read_file(const std::filesystem::path& path);

}  // namespace fade
