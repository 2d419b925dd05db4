// Which files a user means by a path: a run directory, a checkpoint or a file of weights.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/error.h"

namespace fade {

inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kStateFile = "state.safetensors";

/// Called with a damaged checkpoint and a description of the damage.
using OnDamaged = std::function<void(const std::filesystem::path& checkpoint, const std::string& what)>;

/// The checkpoints of a run directory in the order in which to try them, or the one checkpoint directory or
/// file that `path` is. Never empty: throws InputError when there is none.
std::vector<std::filesystem::path> checkpoints_meant_by(const std::filesystem::path& path);

/// `read` of the first path for which it throws no InputError; the others go to `on_damaged`. Throws the last
/// path's error when all are damaged.
template <class Read>
auto first_whole(const std::vector<std::filesystem::path>& paths, const OnDamaged& on_damaged,
                 const Read& read) {
  for (size_t i = 0; i + 1 < paths.size(); ++i) {
    try {
      return read(paths[i]);
    } catch (const InputError& e) {
      if (on_damaged) on_damaged(paths[i], e.what());
    }
  }
  return read(paths.back());
}

}  // namespace fade
