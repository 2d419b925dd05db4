// The directory of a run, in which one process trains at a time.
//
//   RUN/config.yaml    the resolved configuration
//   RUN/metrics.jsonl  a line per evaluation or log step (train/run_log.h)
//   RUN/step-N/ ..     checkpoints (train/checkpoint/store.h)
//   RUN/lock           held by the process that trains
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/files.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/config.h"

namespace fade {

inline constexpr const char* kConfigFile = "config.yaml";     ///< the resolved configuration
inline constexpr const char* kMetricsFile = "metrics.jsonl";  ///< a line per log step and validation
inline constexpr std::string_view kEventsPrefix = "events.out.tfevents.";  ///< of the files for TensorBoard

/// True when a run was begun in the directory.
bool is_run(const std::filesystem::path& path);

/// The directory of the run that `path` means: the directory, its `latest`, or its config.yaml. Throws
/// InputError when there is no run, and, saying how to go back to it, for one of its checkpoints.
std::filesystem::path run_to_resume(const std::filesystem::path& path);

/// Throws InputError when writing to `path` would replace a file of a run, its links followed: for commands
/// that only look at runs.
void refuse_file_of_run(const std::filesystem::path& path);

/// The directory of one run, locked for the process that trains there.
class RunDirectory {
 public:
  /// Creates the directory of a new run, or opens that of a run to resume, and locks it (flock(2)) for the
  /// lifetime of the object; the system releases the lock of a process that ends. Throws InputError when
  /// another process trains there, when a new run finds checkpoints, or when there is no run to resume; Error
  /// with the system's reason.
  RunDirectory(const std::filesystem::path& path, bool resume);

  const std::filesystem::path& path() const { return path_; }  ///< as it was given

  /// The newest whole checkpoint; none when the run was stopped before its first. Damaged ones are renamed
  /// (set_aside) once a whole one is found, with a line each in `notes`. Throws InputError when there are
  /// checkpoints and none is whole.
  std::optional<Checkpoint> newest_checkpoint(std::vector<std::string>& notes) const;

  /// Writes kConfigFile, whole or not at all. Throws Error with the system's reason.
  void write_config(const Config& config) const;

  /// When the directory is gone (removed, or on a disk that was unmounted), creates and locks it again, with
  /// the configuration, and returns true. Throws as the constructor does.
  bool recreate_if_gone(const Config& config);

 private:
  std::unique_ptr<Descriptor> locked() const;

  std::filesystem::path path_;
  std::unique_ptr<Descriptor> lock_;
};

}  // namespace fade
