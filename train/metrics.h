// metrics.jsonl: one JSON object a line, for plots and other people's scripts.
#pragma once

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace fade {

/// The lines of RUN/metrics.jsonl, in order; none if there is no such file. Lines that are no JSON objects,
/// such as one that was cut off, are left out.
std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& run);

/// Appends to RUN/metrics.jsonl; each line is on the disk's way before write returns.
class Metrics {
 public:
  /// Lines of steps after `last_step` are dropped first: a resumed run writes them again. Throws when the
  /// file cannot be written.
  Metrics(const std::filesystem::path& run, int64_t last_step);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void write(const nlohmann::ordered_json& line);

 private:
  std::filesystem::path path_;
  std::FILE* file_;
};

}  // namespace fade
