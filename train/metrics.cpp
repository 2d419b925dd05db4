#include "train/metrics.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"

namespace fade {

std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "metrics.jsonl";
  if (!std::filesystem::exists(path)) return {};
  std::vector<nlohmann::ordered_json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number_integer())
      lines.push_back(std::move(json));
  }
  return lines;
}

Metrics::Metrics(const std::filesystem::path& run, int64_t last_step) : path_(run / "metrics.jsonl") {
  std::string kept;
  for (const auto& line : read_metrics(run)) {
    if (line["step"] > last_step) continue;
    if (line["step"] == last_step && line.contains("valid_bpb") && line["valid_bpb"].is_number())
      validation_ = line["valid_bpb"].get<double>();
    if (line.contains("seconds") && line["seconds"].is_number()) seconds_ = line["seconds"];
    kept += line.dump() + "\n";
  }
  write_file_atomically(path_, kept);
}

std::optional<std::string> Metrics::write(const nlohmann::ordered_json& line) {
  constexpr size_t kMaxWaiting = 16 << 20;
  waiting_ += line.dump() + "\n";
  if (waiting_.size() > kMaxWaiting)
    waiting_.erase(0, waiting_.find('\n', waiting_.size() - kMaxWaiting) + 1);
  try {
    append_to_file(path_, waiting_);
  } catch (const Error& e) {
    return e.what();
  }
  waiting_.clear();
  return std::nullopt;
}

}  // namespace fade
