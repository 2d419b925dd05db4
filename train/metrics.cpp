#include "train/metrics.h"

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/error.h"
#include "engine/files.h"

namespace fade {
namespace {

std::string lines_up_to(const std::string& text, int64_t last_step) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number_integer() &&
        json["step"] <= last_step)
      kept += line + "\n";
  }
  return kept;
}

}  // namespace

Metrics::Metrics(const std::filesystem::path& run, int64_t last_step) : path_(run / "metrics.jsonl") {
  const bool there = std::filesystem::exists(path_);
  write_file_atomically(path_, there ? lines_up_to(read_file(path_), last_step) : "");
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
