// A file of a run's log, which grows record by record and never ends or changes the run.
#pragma once

#include <deque>
#include <filesystem>
#include <string>

#include "engine/io/files.h"

namespace fade {

class LogFile {
 public:
  /// Records are appended to `path`; where nothing is there, `beginning` comes before the first of them.
  explicit LogFile(std::filesystem::path path, std::string beginning = {})
      : path_(std::move(path)), beginning_(std::move(beginning)) {}

  /// Appends a record, whole or not at all. When the file cannot be written, it waits in memory (as do up to 16
  /// MiB of them, the newest), and is written with the next one. Returns what to tell the user: a warning when
  /// that begins, a line when it ends, else nothing.
  std::string append(std::string record);

  /// Flushes the file to the disk, as far as that is possible.
  void flush() const { flush_file(path_); }

 private:
  std::filesystem::path path_;
  std::string beginning_;
  std::deque<std::string> waiting_;  ///< records for a file that cannot be written
  size_t waiting_bytes_ = 0;
};

}  // namespace fade
