#include "cli/report/run_history.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <span>

#include "engine/error.h"
#include "engine/io/utf8.h"
#include "train/checkpoint/run_directory.h"
#include "train/checkpoint/store.h"
#include "train/config/file.h"

namespace fade {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTrainingKeys[] = {"train_bpb",  "aux",       "grad_norm",    "lr",
                                              "mean_span",  "mean_rows", "tokens_per_s", "ms",
                                              "peak_bytes", "skipped",   "seconds"};
constexpr std::string_view kValidationKeys[] = {"valid_bpb", "valid_mean_rows", "valid_mean_span", "seconds"};

// The lines with the first of the keys.
Curves curves_of(const std::vector<MetricsLine>& lines, std::span<const std::string_view> keys) {
  std::map<int64_t, const nlohmann::ordered_json*> by_step;
  for (const auto& [text, values] : lines)
    if (values.contains(keys.front())) by_step[values["step"].get<int64_t>()] = &values;
  Curves curves;
  for (const auto& [step, values] : by_step) curves.steps.push_back(step);
  for (const std::string_view key : keys) {
    std::vector<double>& column = curves.columns.emplace_back(key, std::vector<double>()).second;
    for (const auto& [step, values] : by_step) {
      const auto number = values->find(key);
      const bool there = number != values->end() && number->is_number();
      column.push_back(there ? number->get<double>() : NAN);
    }
  }
  return curves;
}

nlohmann::ordered_json last_recall(const std::vector<MetricsLine>& lines) {
  const auto is_score = [](const nlohmann::ordered_json& score) {
    return score.is_object() &&
           std::ranges::all_of(std::array{"nearest", "farthest", "asked", "right"}, [&](auto key) {
             return score.contains(key) && score[key].is_number_integer();
           });
  };
  nlohmann::ordered_json last = nlohmann::ordered_json::array();
  for (const auto& [text, values] : lines)
    if (const auto found = values.find("recall");
        found != values.end() && found->is_array() && std::ranges::all_of(*found, is_score))
      last = *found;
  return last;
}

bool holds_run(const fs::path& path) {
  return path_exists(path / kConfigFile) && (path_exists(path / kMetricsFile) || is_run(path));
}

ptrdiff_t parts_of(const fs::path& path) {
  const fs::path below = path.relative_path();
  return std::distance(below.begin(), below.end());
}

// The last `count` parts of a path.
fs::path tail(const fs::path& path, ptrdiff_t count) {
  const fs::path below = path.relative_path();
  fs::path kept;
  for (auto part = std::next(below.begin(), std::max<ptrdiff_t>(0, parts_of(path) - count));
       part != below.end(); ++part)
    kept /= *part;
  return kept;
}

// The last parts of each path, as few as tell them apart.
std::vector<std::string> distinct_names(const std::vector<fs::path>& paths) {
  std::vector<std::string> names(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto is_alone = [&](ptrdiff_t count) {
      return std::ranges::none_of(paths, [&](const fs::path& other) {
        return other != paths[i] && tail(other, count) == tail(paths[i], count);
      });
    };
    ptrdiff_t count = 1;
    while (count < parts_of(paths[i]) && !is_alone(count)) ++count;
    names[i] = printable(tail(paths[i], count).string());
  }
  return names;
}

}  // namespace

Curves training_curves(const std::vector<MetricsLine>& lines) { return curves_of(lines, kTrainingKeys); }
Curves validation_curves(const std::vector<MetricsLine>& lines) { return curves_of(lines, kValidationKeys); }

Curves thinned(const Curves& curves, size_t most) {
  const size_t size = curves.steps.size();
  if (size <= most) return curves;
  // Each group of neighbours keeps two lines per column, or fewer, where one has several extremes.
  const size_t groups = std::max<size_t>(1, most / (2 * curves.columns.size()));
  std::set<size_t> kept = {0, size - 1};
  for (size_t g = 0; g < groups; ++g) {
    const size_t begin = size * g / groups, end = size * (g + 1) / groups;
    for (const auto& [key, column] : curves.columns) {
      size_t least = end, greatest = end;
      for (size_t i = begin; i < end; ++i) {
        if (std::isnan(column[i])) continue;
        if (least == end || column[i] < column[least]) least = i;
        if (greatest == end || column[i] > column[greatest]) greatest = i;
      }
      if (least < end) kept.insert({least, greatest});
    }
  }
  Curves fewer;
  for (const size_t i : kept) fewer.steps.push_back(curves.steps[i]);
  for (const auto& [key, column] : curves.columns) {
    std::vector<double>& numbers = fewer.columns.emplace_back(key, std::vector<double>()).second;
    for (const size_t i : kept) numbers.push_back(column[i]);
  }
  return fewer;
}

fs::path run_meant_by(const fs::path& path) {
  if (path == "-") refuse("-: standard input is no run (give its directory)");
  fs::path given = path.lexically_normal();
  if (!given.has_filename() && given.has_parent_path()) given = given.parent_path();  // "runs/a/"
  const auto folder_of = [](const fs::path& inside) {
    return inside == "." ? fs::path("..") : inside.has_parent_path() ? inside.parent_path() : fs::path(".");
  };
  if (!path_exists(given))
    refuse("{}: there is no such run (fade train writes runs, by itself into runs/)", path.string());
  if (given.filename() == kModelFile) given = folder_of(given);  // the weights of a checkpoint
  if (fs::is_directory(given) && holds_run(given)) return given;
  const bool checkpoint = fs::is_directory(given) && path_exists(given / kModelFile);
  const bool named = !fs::is_directory(given) && given.extension() != ".safetensors";
  if (const fs::path parent = folder_of(given); (checkpoint || named) && holds_run(parent)) return parent;
  if (given.extension() == ".safetensors" || checkpoint)
    refuse("{}: weights alone, of which no metrics are known (give the directory of their run)",
           path.string());
  refuse(
      "{}: holds no run: {} and metrics.jsonl are not both there (fade train writes runs, by itself into runs/)",
      path.string(), kConfigFile);
}

std::vector<RunHistory> read_histories(const std::vector<std::string>& paths) {
  std::vector<RunHistory> runs;
  std::vector<fs::path> places;
  for (const std::string& path : paths) {
    const fs::path run = run_meant_by(path);
    places.push_back(fs::canonical(run));
    if (std::ranges::count(places, places.back()) > 1)
      refuse("{}: {} is given twice (give each run once)", path, run.string());
    const std::vector<MetricsLine> lines = read_metrics(run);
    runs.push_back({run, "", load_config((run / kConfigFile).string()), training_curves(lines),
                    validation_curves(lines), last_recall(lines)});
  }
  const std::vector<std::string> names = distinct_names(places);
  for (size_t i = 0; i < runs.size(); ++i) runs[i].name = names[i];
  return runs;
}

}  // namespace fade
