#include "train/checkpoint/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "engine/io/output.h"
#include "train/config/file.h"
#include "train/config/schema.h"

namespace fade {
namespace fs = std::filesystem;

constexpr const char* kConfig = "config.yaml";
constexpr const char* kLock = "lock";

RunDirectory::RunDirectory(const fs::path& path, bool resume) : path_(path) {
  std::error_code error;
  const bool there = path_exists(path / kConfig) || holds_checkpoints(path);
  if (resume && !there) refuse("--resume: {} holds no run (leave --resume out to start)", path.string());
  fs::create_directories(path, error);
  if (error) refuse("--out {}: cannot be created: {}", path.string(), error.message());
  lock_ = locked();
  if (!resume && holds_checkpoints(path))
    refuse("{}: already holds a run (--resume continues it, --out DIR starts another)", path.string());
  remove_leftovers(path);
}

std::unique_ptr<Descriptor> RunDirectory::locked() const {
  const fs::path file = path_ / kLock;
  auto lock = std::make_unique<Descriptor>(file, O_RDWR | O_CREAT);
  if (!lock->ok()) fail("{}: cannot be opened: {}", file.string(), std::strerror(errno));
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    refuse("{}: another process is training there (wait for it or stop it, or start another run with --out)",
           path_.string());
  fail("{}: cannot be locked: {} (use a file system with locks)", file.string(), std::strerror(errno));
}

std::optional<Checkpoint> RunDirectory::newest_checkpoint(std::vector<std::string>& notes) const {
  if (checkpoints_to_try(path_).empty()) return std::nullopt;
  std::vector<fs::path> damaged;
  Checkpoint found = read_checkpoint(path_, [&](const fs::path& checkpoint, const std::string& what) {
    damaged.push_back(checkpoint);
    notes.push_back(fmt::format("warning: {}; going back to the checkpoint before it", what));
  });
  for (const fs::path& checkpoint : damaged) set_aside(checkpoint);
  return found;
}

void RunDirectory::write_config(const Config& config) const {
  write_file_atomically(path_ / kConfig, to_yaml(config));
}

bool RunDirectory::recreate_if_gone(const Config& config) {
  struct stat ours {
  }, there{};
  if (::fstat(lock_->get(), &ours) == 0 && ::stat((path_ / kLock).c_str(), &there) == 0 &&
      ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
    return false;
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) fail("{}: cannot be created: {}", path_.string(), error.message());
  auto lock = locked();
  write_config(config);
  lock_ = std::move(lock);
  return true;
}

std::vector<std::string> changed_settings(const Config& before, const Config& now, const fs::path& run) {
  std::vector<std::string> of_the_model, others;
  for (const Key& key : config_keys()) {
    const std::string was = value_text(key, before), is = value_text(key, now);
    if (was == is) continue;
    const bool of_model =
        (key.path.starts_with("model.") && key.path != "model.attention") || key.path == "data.vocab";
    (of_model ? of_the_model : others).push_back(fmt::format("{} was {}, is {}", key.path, was, is));
  }
  if (!of_the_model.empty())
    refuse(
        "--resume: {0} holds a run of another model: {1} (give {0}/config.yaml to resume it, "
        "or --out for a new run)",
        run.string(), fmt::join(of_the_model, "; "));
  return others;
}

}  // namespace fade
