#include "train/checkpoint/run_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "engine/io/output.h"
#include "train/call.h"
#include "train/config/file.h"

namespace fade {
namespace fs = std::filesystem;

constexpr const char* kLock = "lock";

namespace {

void require_run(const fs::path& path) {
  if (!path_exists(path / kConfigFile) && !holds_checkpoints(path))
    refuse("--resume: {} holds no run (to start one: {})", path.string(),
           call_of({"train", "CONFIG", "--out", path.string()}));
}

}  // namespace

void refuse_file_of_run(const fs::path& path) {
  std::error_code ignored;
  const fs::path file = fs::weakly_canonical(path, ignored), folder = file.parent_path();
  if (!fs::is_regular_file(file, ignored)) return;
  const std::string name = file.filename().string();
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
  };
  const bool of_checkpoint = is({kModelFile, kStateFile});
  const bool of_run =
      is({kConfigFile, kMetricsFile, kLatest, kBest, kLock}) || name.starts_with(kEventsPrefix);
  if (of_checkpoint ||
      (of_run && (fs::exists(folder / kMetricsFile, ignored) || fs::exists(folder / kLatest, ignored))))
    refuse("{}: a file of a run, which is only read (give another name)", path.string());
}

bool is_run(const fs::path& path) { return path_exists(path / kLock) || holds_checkpoints(path); }

fs::path run_to_resume(const fs::path& path) {
  const fs::path name = path.filename(), run = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code ignored;
  const bool file = !fs::is_directory(path, ignored);
  if (name == kConfigFile || (file && name == kLatest)) return run;
  if ((file && name == kBest) || fs::exists(path / kModelFile, ignored)) {
    const fs::path one = checkpoints_meant_by(path, Prefer::newest).front();
    refuse("--resume {}: one checkpoint of a run (write {} into {}, then {} continues from it)",
           path.string(), one.filename().string(), (run / kLatest).string(),
           call_of({"train", "--resume", run.string()}));
  }
  require_run(path);
  return path;
}

RunDirectory::RunDirectory(const fs::path& path, bool resume) : path_(path) {
  if (resume)
    require_run(path);
  else if (path_exists(path))
    is_run(path);  // both refuse a path that cannot be used, with the reason
  std::error_code error;
  fs::create_directories(path, error);
  if (error) refuse("--out {}: cannot be created: {}", path.string(), error.message());
  lock_ = locked();
  if (!resume && holds_checkpoints(path))
    refuse("{}: already holds a run ({} continues it, --out DIR starts another)", path.string(),
           call_of({"train", "--resume", path.string()}));
  finish_interrupted(path);
}

std::unique_ptr<Descriptor> RunDirectory::locked() const {
  const fs::path file = path_ / kLock;
  auto lock = std::make_unique<Descriptor>(file, O_RDWR | O_CREAT);
  if (!lock->ok()) refuse_path(file, errno);
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK)
    refuse("{}: another process is training there (wait for it or stop it, or start another run with --out)",
           path_.string());
  fail("{}: cannot be locked: {} (use a file system with locks)", file.string(), std::strerror(errno));
}

std::optional<Checkpoint> RunDirectory::newest_checkpoint(std::vector<std::string>& notes) const {
  const std::vector<fs::path> there = checkpoints_to_try(path_);
  if (there.empty()) return std::nullopt;
  if (const fs::path latest = path_ / kLatest; path_exists(latest) && !is_named_by(kLatest, there.front()))
    notes.push_back(fmt::format("warning: {} names no checkpoint that is there: {} is taken", latest.string(),
                                there.front().filename().string()));
  std::vector<fs::path> damaged;
  const auto read = [&] {
    try {
      return read_checkpoint(path_, [&](const fs::path& checkpoint, const std::string& what) {
        damaged.push_back(checkpoint);
        notes.push_back(fmt::format("warning: {}; going back to the checkpoint before it", what));
      });
    } catch (const Unreadable&) {
      throw;
    } catch (const InputError& e) {
      refuse("{}; no checkpoint of {} is whole (weights that are begin a new run: {})", e.what(),
             path_.string(), call_of({"train", "CONFIG", "--from", path_.string(), "--out", "DIR"}));
    }
  };
  Checkpoint found = read();
  if (!is_named_by(kLatest, found.folder)) point_latest_at(found.folder);
  for (const fs::path& checkpoint : damaged) set_aside(checkpoint);
  return found;
}

void RunDirectory::write_config(const Config& config) const {
  write_file_atomically(path_ / kConfigFile, to_yaml(config));
}

bool RunDirectory::recreate_if_gone(const Config& config) {
  struct stat ours {
  }, there{};
  if (::fstat(lock_->get(), &ours) == 0 && ::stat((path_ / kLock).c_str(), &there) == 0 &&
      same_file(ours, there))
    return false;
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) fail("{}: cannot be created: {}", path_.string(), error.message());
  auto lock = locked();
  write_config(config);
  lock_ = std::move(lock);
  return true;
}

}  // namespace fade
