// Writing: regular files, which appear whole or not at all; devices, pipes and standard output.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/held_signals.h"
#include "engine/io/files.h"

namespace fade {

/// Something to write. A regular file, new or replaced, is written under a temporary name in its folder,
/// which commit() renames: at any time the path is the old file or the whole new one, and without commit()
/// nothing remains; signals that end a process (kEndingSignals) wait until then. A symbolic link is followed, and a replaced
/// file keeps its permissions. A device, a pipe and standard output are written directly. All methods throw
/// Error with the system's reason.
class Output {
 public:
  /// "-" is standard output.
  explicit Output(const std::filesystem::path& path);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void append(std::string_view bytes);
  /// Flushes a regular file to the disk, renames it, and flushes its folder.
  void commit();

 private:
  void open_temporary();

  std::optional<HeldSignals> held_;           ///< while there is a temporary file
  std::filesystem::path name_;                ///< in messages
  std::filesystem::path target_, temporary_;  ///< of a regular file; else empty
  Descriptor file_;
};

/// Writes `bytes` as an Output, and commits it.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

/// True when `path` is standard output: "-", or another name of the same file, as /dev/stdout is.
bool is_standard_output(const std::filesystem::path& path);

/// Throws InputError, with the reason and a remedy, when an Output could not write to `path`, or when it
/// would replace one of the `inputs`: to be called before long work.
void check_output(const std::filesystem::path& path, const std::vector<std::filesystem::path>& inputs);

/// Throws InputError when `path` is standard output and that is a terminal, which binary data would confuse.
void refuse_terminal(const std::filesystem::path& path);

/// True for a file with a temporary name of Output, fade-PID-N.tmp: it is left behind when a
/// process is killed.
bool is_temporary(const std::filesystem::path& path);

}  // namespace fade
