#include "train/metrics.h"

#include <cerrno>
#include <cstring>
#include <sstream>

#include "engine/error.h"
#include "engine/files.h"

namespace fade {
namespace {

std::string lines_up_to(const std::filesystem::path& run, int64_t last_step) {
  std::string kept;
  for (const auto& line : read_metrics(run))
    if (line.contains("step") && line["step"].is_number_integer() && line["step"] <= last_step)
      kept += line.dump() + "\n";
  return kept;
}

}  // namespace

std::vector<nlohmann::ordered_json> read_metrics(const std::filesystem::path& run) {
  const std::filesystem::path path = run / "metrics.jsonl";
  if (!std::filesystem::exists(path)) return {};
  std::vector<nlohmann::ordered_json> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (json.is_object()) lines.push_back(std::move(json));
  }
  return lines;
}

Metrics::Metrics(const std::filesystem::path& run, int64_t last_step) : path_(run / "metrics.jsonl") {
  write_file_atomically(path_, lines_up_to(run, last_step));
  file_ = std::fopen(path_.c_str(), "a");
  if (!file_) fail("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

Metrics::~Metrics() { std::fclose(file_); }

void Metrics::write(const nlohmann::ordered_json& line) {
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0)
    fail("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

}  // namespace fade
