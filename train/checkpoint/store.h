// The checkpoints of a run directory: how they appear, which is the newest, which of them a path means, and
// when they are removed.
//
//   RUN/step-N/        one checkpoint: model.safetensors, state.safetensors
//   RUN/latest         the name of the newest, or of an older one to which a user goes back
//   RUN/best           the name of the one with the best validation so far
//
// A checkpoint is written under another name, which ends in .tmp, flushed, and renamed; before it is removed,
// it is renamed to such a name again. A folder called step-N is therefore always whole, whenever the process
// or the machine stops. `latest` names a checkpoint just before its folder appears: a process that is stopped
// between the two leaves a name without a folder, which gets its name when the run is resumed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/files.h"

namespace fade {

inline constexpr const char* kModelFile = "model.safetensors";  ///< a checkpoint's weights
inline constexpr const char* kStateFile = "state.safetensors";  ///< and all else that training needs
inline constexpr const char* kWeightsKey = "weights";  ///< in a state's metadata: the hash of its weights
inline constexpr const char* kLatest = "latest";       ///< a file of a run: the name of its newest checkpoint
inline constexpr const char* kBest = "best";           ///< and of the one with the best validation

/// Which checkpoints stay when a new one has been written.
struct Retention {
  int newest = 0;     ///< this many of the newest; 0: all
  int64_t every = 0;  ///< and those whose steps are multiples of this; 0: no others
  int64_t also = 0;   ///< and that of this step; 0: no other
};

/// True when the directory has, or had, a checkpoint.
bool holds_checkpoints(const std::filesystem::path& run);

/// The run's checkpoints in the order in which to try them, newest first: the one that `latest` names, also
/// when it is whole and only lacks its name (step-N.tmp), and the older ones; all of them without `latest`.
/// Throws InputError when neither the one that it names is there nor an older one.
std::vector<std::filesystem::path> checkpoints_to_try(const std::filesystem::path& run);

/// Creates RUN/step-N with the files that `write` puts into the folder it is given (flushed, as Output does),
/// and points `latest` at it before the folder gets this name. Passes on the exceptions of `write`; throws
/// Error with the system's reason. Then nothing new is left behind.
void add_checkpoint(const std::filesystem::path& run, int64_t step,
                    const std::function<void(const std::filesystem::path& folder)>& write);

/// Points `best` at the checkpoint of `step`; removes it when there is no step, or no such
/// checkpoint. Throws Error.
void mark_best(const std::filesystem::path& run, std::optional<int64_t> step);

/// True when `best` or `latest` of its run names the checkpoint.
bool is_named_by(const char* pointer, const std::filesystem::path& checkpoint);

/// Removes the checkpoints before `newest_step` that `keep` does not name. The one called `best`
/// stays. Throws Error.
void remove_old_checkpoints(const std::filesystem::path& run, int64_t newest_step, const Retention& keep);

/// Has `latest` name the checkpoint. Throws Error with the system's reason.
void point_latest_at(const std::filesystem::path& checkpoint);

/// Clears up after a process that was killed while it wrote or removed a checkpoint: one that `latest` names,
/// and that only lacked its name, gets it (Error when that fails); unfinished folders and files are removed.
void finish_interrupted(const std::filesystem::path& run);

/// Renames a damaged checkpoint to step-N.damaged, so that it is not tried again.
void set_aside(const std::filesystem::path& checkpoint);

/// Called with a damaged checkpoint and a description of the damage.
using OnDamaged = std::function<void(const std::filesystem::path& checkpoint, const std::string& what)>;

/// Which checkpoint of a run is taken first: its newest, to train on, or its best, where there is one,
/// to use it.
enum class Prefer {
  newest,  ///< to train on
  best     ///< to use it
};

/// The checkpoints that `path` means, in the order in which to try them. A run directory: all of them. A
/// run's `best` or `latest`: the one that it names. Else the checkpoint directory or file that it is, or "-",
/// standard input. Never empty: throws InputError when there is none, and for a configuration or metrics.
std::vector<std::filesystem::path> checkpoints_meant_by(const std::filesystem::path& path, Prefer prefer);

/// `read` of the first path for which it throws no InputError; the others go to `on_damaged`. Throws the
/// last path's error when all are damaged. One that cannot be read for now (Unreadable) may be whole: its
/// error is passed on.
template <class Read>
auto first_whole(const std::vector<std::filesystem::path>& paths, const OnDamaged& on_damaged,
                 const Read& read) {
  for (size_t i = 0; i + 1 < paths.size(); ++i) {
    try {
      return read(paths[i]);
    } catch (const Unreadable&) {
      throw;
    } catch (const InputError& e) {
      if (on_damaged) on_damaged(paths[i], e.what());
    }
  }
  return read(paths.back());
}

}  // namespace fade
