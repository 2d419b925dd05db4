#include "train/checkpoint/store.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/io/utf8.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "step-";

std::string name_of_step(int64_t step) { return fmt::format("{}{}", kPrefix, step); }

// N of "step-N".
std::optional<int64_t> step_of_name(std::string_view name) {
  int64_t step = 0;
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc{} || stop != end || step < 0) return std::nullopt;
  return step;
}

// The name in RUN/latest or RUN/best, without blanks and a slash around it; none without such a file.
std::optional<std::string> pointed(const fs::path& run, const char* pointer) {
  std::error_code ignored;
  if (!fs::is_regular_file(run / pointer, ignored)) return std::nullopt;
  const std::string text = read_file(run / pointer);
  const std::string line = text.substr(0, text.find('\n'));
  const size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  return line.substr(begin, line.find_last_not_of(" \t\r/") + 1 - begin);
}

// The step that it names.
std::optional<int64_t> pointed_step(const fs::path& run, const char* pointer) {
  const auto name = pointed(run, pointer);
  return name ? step_of_name(*name) : std::nullopt;
}

// The paths in a directory; none where there is no directory.
std::vector<fs::path> entries(const fs::path& run) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(run, error), end; !error && entry != end; entry.increment(error))
    found.push_back(entry->path());
  if (error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory)
    refuse_path(run, error.value());
  return found;
}

// Newest first.
std::vector<int64_t> steps_of(const fs::path& run) {
  std::vector<int64_t> steps;
  for (const fs::path& entry : entries(run)) {
    std::error_code ignored;
    const auto step = step_of_name(entry.filename().string());
    if (step && fs::is_directory(entry, ignored)) steps.push_back(*step);
  }
  std::ranges::sort(steps, std::greater{});
  return steps;
}

fs::path with_suffix(fs::path path, const std::string& suffix) { return path += suffix; }

// The folder in which a checkpoint is until it is whole.
fs::path being_written(const fs::path& run, int64_t step) {
  return with_suffix(run / name_of_step(step), ".tmp");
}

// The checkpoint that `latest` names, when it is whole and only lacks its name. Another step-N.tmp may not
// be whole yet.
std::optional<fs::path> unnamed_checkpoint(const fs::path& run) {
  const auto latest = pointed_step(run, kLatest);
  if (!latest || path_exists(run / name_of_step(*latest))) return std::nullopt;
  const fs::path unnamed = being_written(run, *latest);
  return path_exists(unnamed) ? std::optional(unnamed) : std::nullopt;
}

void remove_tree(const fs::path& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (error) fail("{}: cannot be removed: {}", folder.string(), error.message());
}

// Renamed first, so that a half removed folder does not have the name of a checkpoint.
void remove_checkpoint(const fs::path& checkpoint) {
  const fs::path going = with_suffix(checkpoint, ".old.tmp");
  remove_tree(going);
  rename_durably(checkpoint, going);
  remove_tree(going);
}

// To step-N.suffix, or step-N.suffix-2, .. where that is taken.
void rename_with_suffix(const fs::path& checkpoint, const std::string& suffix) {
  fs::path aside = with_suffix(checkpoint, suffix);
  for (int n = 2; path_exists(aside); ++n) aside = with_suffix(checkpoint, fmt::format("{}-{}", suffix, n));
  rename_durably(checkpoint, aside);
}

// The checkpoints that a user has gone back from, up to `step`: they would be taken for the newest when the
// process is stopped after `latest` names `step`, and before its folder is there.
void set_aside_abandoned(const fs::path& run, int64_t step) {
  const auto latest = pointed_step(run, kLatest);
  for (const int64_t other : steps_of(run))
    if (latest && other > *latest && other <= step)
      rename_with_suffix(run / name_of_step(other), ".abandoned");
}

void point(const fs::path& run, const char* pointer, const std::string& name) {
  write_file_atomically(run / pointer, name + "\n");
}

// As far as it can be written.
void restore_latest(const fs::path& run, const std::optional<std::string>& before) {
  try {
    if (before)
      point(run, kLatest, *before);
    else
      remove_file(run / kLatest);
  } catch (const Error&) {
  }
}

// A folder that a process left when it was killed while it wrote or removed a
// checkpoint: step-N.tmp, step-N.old.tmp.
bool is_leftover(const fs::path& entry) {
  std::error_code ignored;
  const fs::path beside = entry.stem();
  const fs::path name = beside.extension() == ".old" ? beside.stem() : beside;
  return entry.extension() == ".tmp" && step_of_name(name.string()) && fs::is_directory(entry, ignored);
}

}  // namespace

bool holds_checkpoints(const fs::path& run) { return path_exists(run / kLatest) || !steps_of(run).empty(); }

std::vector<fs::path> checkpoints_to_try(const fs::path& run) {
  for (;;) {
    const auto named = pointed(run, kLatest);
    // Without it, all count; when it names no step, none does.
    const int64_t latest = named ? step_of_name(*named).value_or(-1) : std::numeric_limits<int64_t>::max();
    std::vector<fs::path> found;
    std::string later;
    for (const int64_t step : steps_of(run)) {
      if (step <= latest)
        found.push_back(run / name_of_step(step));
      else
        later += " " + name_of_step(step);
    }
    if (!named) return found;
    if (const auto unnamed = unnamed_checkpoint(run)) found.insert(found.begin(), *unnamed);
    if (!found.empty()) return found;
    if (path_exists(run / name_of_step(latest)) || pointed(run, kLatest) != named)
      continue;  // written meanwhile
    refuse("{}: names {}, which is {} ({})", (run / kLatest).string(),
           named->empty() ? "nothing" : shown(*named),
           latest < 0 ? "not the name of a checkpoint" : "not there",
           later.empty() ? "put that folder back, or remove the file to start from the beginning"
                         : "write the name of one that is into it:" + later);
  }
}

void add_checkpoint(const fs::path& run, int64_t step,
                    const std::function<void(const fs::path& folder)>& write) {
  const fs::path checkpoint = run / name_of_step(step), beside = being_written(run, step);
  const auto before = pointed(run, kLatest);
  remove_tree(beside);
  try {
    std::error_code error;
    fs::create_directories(beside, error);
    if (error) fail("{}: cannot be created: {}", beside.string(), error.message());
    write(beside);
    set_aside_abandoned(run, step);
    if (fs::exists(checkpoint, error)) remove_checkpoint(checkpoint);
    // Named first: from the instant at which the folder is there, it is the one to take.
    point_latest_at(checkpoint);
    rename_durably(beside, checkpoint);
  } catch (...) {
    std::error_code ignored;
    if (pointed_step(run, kLatest) == step && !fs::exists(checkpoint, ignored)) restore_latest(run, before);
    fs::remove_all(beside, ignored);  // half a checkpoint must not occupy a full disk
    throw;
  }
}

void mark_best(const fs::path& run, std::optional<int64_t> step) {
  if (step && path_exists(run / name_of_step(*step))) {
    if (pointed_step(run, kBest) != step) point(run, kBest, name_of_step(*step));
    return;
  }
  remove_file(run / kBest);
}

bool is_named_by(const char* pointer, const fs::path& checkpoint) {
  const auto step = pointed_step(checkpoint.parent_path(), pointer);
  return step && checkpoint.filename() == name_of_step(*step);
}

void finish_interrupted(const fs::path& run) {
  if (const auto unnamed = unnamed_checkpoint(run))
    rename_durably(*unnamed, run / unnamed->stem());  // without .tmp
  std::error_code ignored;                            // what stays, such as another user's, does no harm
  for (const fs::path& entry : entries(run))
    if (is_leftover(entry) || is_temporary(entry)) fs::remove_all(entry, ignored);
}

void point_latest_at(const fs::path& checkpoint) {
  point(checkpoint.parent_path(), kLatest, checkpoint.filename().string());
}

void remove_old_checkpoints(const fs::path& run, int64_t newest_step, const Retention& keep) {
  if (keep.newest == 0) return;
  const auto best = pointed_step(run, kBest);
  int kept = 0;
  for (const int64_t step : steps_of(run)) {
    if (step > newest_step || kept++ < keep.newest) continue;
    if (step == best || (keep.also && step == keep.also) || (keep.every && step % keep.every == 0)) continue;
    remove_checkpoint(run / name_of_step(step));
  }
}

void set_aside(const fs::path& checkpoint) { rename_with_suffix(checkpoint, ".damaged"); }

std::vector<fs::path> checkpoints_meant_by(const fs::path& path, Prefer prefer) {
  if (path.empty()) refuse_path(path, ENOENT);
  if (path == "-") return {path};
  if (!path_exists(path))
    refuse("{}: there is no such run, checkpoint or file (fade train writes runs, by itself into runs/)",
           path.string());
  if (fs::is_directory(path) && !path_exists(path / kModelFile)) {
    std::vector<fs::path> found = checkpoints_to_try(path);
    if (found.empty())
      refuse("{}: neither a checkpoint (no {}) nor a run with one (no step-N)", path.string(), kModelFile);
    const auto best = pointed_step(path, kBest);
    if (prefer == Prefer::best && best)
      if (const auto at = std::ranges::find(found, path / name_of_step(*best)); at != found.end())
        std::rotate(found.begin(), at, at + 1);
    return found;
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  if (!fs::is_directory(path) && (path.filename() == kBest || path.filename() == kLatest)) {
    if (const auto step = pointed_step(folder, path.filename().c_str())) {
      if (path_exists(folder / name_of_step(*step))) return {folder / name_of_step(*step)};
      const auto unnamed = unnamed_checkpoint(folder);
      if (unnamed == being_written(folder, *step)) return {*unnamed};
    }
    refuse("{}: names no checkpoint of {} (give the run, or one of its step-N)", path.string(),
           folder.string());
  }
  const fs::path kind = path.extension();
  if (kind == ".yaml" || kind == ".yml" || kind == ".jsonl")
    refuse("{}: {}, not a checkpoint (give a run: {})", path.string(),
           kind == ".jsonl" ? "the metrics of a run" : "a configuration",
           holds_checkpoints(folder) ? folder.string() : "fade train writes one");
  return {path};
}

}  // namespace fade
