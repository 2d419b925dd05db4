// The checkpoints of a run directory: how they appear, which is the newest, and which may go.
//
//   RUN/step-N/        one checkpoint: model.safetensors, state.safetensors
//   RUN/latest         the name of the newest
//   RUN/best           the name of the one with the best validation so far
//
// A checkpoint is written under another name, that ends in .tmp, flushed, and renamed; before it is removed,
// it is renamed to such a name again. A folder called step-N is therefore always whole, whenever the process
// or the machine stops.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace fade {

/// Which checkpoints stay when a new one has been written.
struct Retention {
  int newest = 0;     ///< the newest so many; 0: all
  int64_t every = 0;  ///< and those of steps that are multiples of this; 0: no others
};

/// True when the directory has, or had, a checkpoint.
bool holds_checkpoints(const std::filesystem::path& run);

/// The run's checkpoints in the order in which to try them: the one that `latest` names, then the older ones.
/// All of them, newest first, when `latest` can't be read or names none.
std::vector<std::filesystem::path> checkpoints_to_try(const std::filesystem::path& run);

/// Makes RUN/step-N of the files that `write` puts into the folder it is given (flushed, as NewFile does),
/// and points `latest` at it. Throws what `write` throws, or Error with the system's reason; then nothing new
/// is left behind.
void add_checkpoint(const std::filesystem::path& run, int64_t step,
                    const std::function<void(const std::filesystem::path& folder)>& write);

/// Points `best` at the checkpoint of `step`.
void mark_best(const std::filesystem::path& run, int64_t step);

/// Removes the checkpoints before `newest_step` that need not stay. The one called `best` stays. Throws
/// Error.
void remove_old_checkpoints(const std::filesystem::path& run, int64_t newest_step, const Retention& keep);

/// Removes what a process that was killed while it wrote or removed a checkpoint has left behind.
void remove_leftovers(const std::filesystem::path& run);

/// Renames a damaged checkpoint to step-N.damaged, where it is in nobody's way.
void set_aside(const std::filesystem::path& checkpoint);

}  // namespace fade
