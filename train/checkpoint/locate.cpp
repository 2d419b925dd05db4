#include "train/checkpoint/locate.h"

#include "train/checkpoint/store.h"

namespace fade {
namespace fs = std::filesystem;

std::vector<fs::path> checkpoints_meant_by(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    refuse("{}: there is no such run, checkpoint or file (fade train writes runs, by itself into runs/)",
           path.string());
  if (!fs::is_directory(path, ignored) || fs::exists(path / kModelFile, ignored)) return {path};
  std::vector<fs::path> found = checkpoints_to_try(path);
  if (found.empty())
    refuse("{}: neither a checkpoint (no {}) nor a run with one (no step-N)", path.string(), kModelFile);
  return found;
}

}  // namespace fade
