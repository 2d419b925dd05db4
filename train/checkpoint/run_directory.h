// The directory of a run: one process trains in it at a time.
//
//   RUN/config.yaml    the resolved configuration
//   RUN/metrics.jsonl  a line an evaluation or log step (train/metrics.h)
//   RUN/step-N/ ..     checkpoints (train/checkpoint/store.h)
//   RUN/lock           held by the process that trains
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/files.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/config.h"

namespace fade {

class RunDirectory {
 public:
  /// Makes the directory of a new run, or opens that of a run to be resumed, and locks it (flock(2)) until
  /// the object or the process is gone, however it ends. Throws InputError when another process trains there,
  /// when a new run finds checkpoints, or when there is no run to resume; Error when the system says no.
  RunDirectory(const std::filesystem::path& path, bool resume);

  const std::filesystem::path& path() const { return path_; }

  /// The newest whole checkpoint; none when the run was stopped before its first. Those that turn out to be
  /// damaged are renamed out of the way once a whole one is found, with a line each in `notes`. Throws
  /// InputError when there are checkpoints and none is whole.
  std::optional<Checkpoint> newest_checkpoint(std::vector<std::string>& notes) const;

  void write_config(const Config& config) const;

  /// If the directory is no longer there (removed, or on a disk that went away), makes and locks it again,
  /// with the configuration. True if that was so. Throws as the constructor does.
  bool remake_if_gone(const Config& config);

 private:
  std::unique_ptr<Descriptor> locked() const;

  std::filesystem::path path_;
  std::unique_ptr<Descriptor> lock_;
};

/// What differs between the configuration of a run so far and the one it is to go on with: a line for each
/// key. Throws InputError, naming all of them, when keys of the model differ.
std::vector<std::string> changed_settings(const Config& before, const Config& now,
                                          const std::filesystem::path& run);

}  // namespace fade
