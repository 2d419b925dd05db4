#include "train/run_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <sstream>

#include "engine/alloc.h"
#include "engine/io/input.h"
#include "engine/io/output.h"
#include "engine/median.h"
#include "train/checkpoint/run_directory.h"
#include "train/figure.h"
#include "train/tensorboard.h"

namespace fade {

namespace {

constexpr uint64_t kMostSteps = 1'000'000'000'000;  // more than any run has

std::string format_rate(double per_second) {
  return per_second >= 10'000 ? fmt::format("{:.0f}k tok/s", per_second / 1000)
         : per_second >= 1000 ? fmt::format("{:.1f}k tok/s", per_second / 1000)
                              : figure(per_second, 0) + " tok/s";
}

nlohmann::ordered_json number_or_null(const std::optional<double>& number) {
  return number ? nlohmann::ordered_json(*number) : nullptr;
}

}  // namespace

std::vector<MetricsLine> read_metrics(const std::filesystem::path& run) {
  const std::filesystem::path path = run / kMetricsFile;
  if (!path_exists(path)) return {};
  std::vector<MetricsLine> lines;
  std::istringstream text(read_file(path));
  for (std::string line; std::getline(text, line);) {
    auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("step") && json["step"].is_number_unsigned() &&
        json["step"].get<uint64_t>() <= kMostSteps)
      lines.push_back({line, std::move(json)});
  }
  return lines;
}

RunLog::RunLog(const std::filesystem::path& run, int64_t step, bool events) : metrics_(run / kMetricsFile) {
  std::string kept;
  for (const auto& [text, line] : read_metrics(run)) {
    if (line["step"] > step) continue;
    if (line["step"] == step && line.contains("valid_bpb") && line["valid_bpb"].is_number())
      validation_before_ = line["valid_bpb"].get<double>();
    if (line.contains("seconds") && line["seconds"].is_number()) time_.wall = line["seconds"];
    if (line.contains("cpu_seconds") && line["cpu_seconds"].is_number()) time_.cpu = line["cpu_seconds"];
    kept += text + '\n';  // (written anew, a number could change)
  }
  write_file_atomically(run / kMetricsFile, kept);
  if (events) events_.emplace(new_event_file(run), event_file_beginning(step));
}

void RunLog::add(const TrainingTime& time) {
  step_seconds_.push_back(time.wall);
  time_ = time_ + time;
}

void RunLog::chosen(int64_t step, int64_t steps, double minutes) {
  const nlohmann::ordered_json line = {{"step", step}, {"steps", steps}, {"minutes", minutes}};
  append(metrics_, line.dump() + "\n");
}

void RunLog::keep_time(int64_t step) {
  if (step_seconds_.empty()) return;
  const nlohmann::ordered_json line = {{"step", step}, {"seconds", time_.wall}, {"cpu_seconds", time_.cpu}};
  append(metrics_, line.dump() + "\n");
}

void RunLog::step(const Trainer& trainer, const Trainer::Step& s, bool last, double seconds_left) {
  const int64_t step = trainer.steps_done();
  const TrainConfig& config = trainer.config().train;
  if (s.skipped)
    note("step {}: {} attempts before it were skipped: not finite ({} in all)", step, s.skipped,
         trainer.skipped());
  const double bytes_per_step = 1.0 * config.batch * trainer.config().model.block * config.accumulate;
  const auto since = static_cast<double>(step_seconds_.size());
  bits_ += s.bits;
  aux_ += s.aux;
  const double mean_seconds = std::reduce(step_seconds_.begin(), step_seconds_.end()) / since;
  const double rate = bytes_per_step / mean_seconds;
  const double left = config.steps ? mean_seconds * (config.steps - step) : seconds_left;
  const std::string of_all = config.steps ? fmt::format("/{}", config.steps) : "";
  const std::string span = s.mean_span ? fmt::format("span {}  ", figure(*s.mean_span, 1)) : "";
  const std::string line =
      fmt::format("step {}{}  {} bpb  {}rows {}  {}  {} left", step, of_all, figure(bits_ / since, 3), span,
                  figure(s.mean_rows, 1), format_rate(rate), format_duration(left));
  if (step % config.log_every != 0 && !last) return progress_.update(line);
  progress_.log(line);
  write({{"step", step},
         {"train_bpb", bits_ / since},
         {"aux", aux_ / since},
         {"grad_norm", s.grad_norm},
         {"lr", s.lr},
         {"mean_span", number_or_null(s.mean_span)},
         {"mean_rows", s.mean_rows},
         {"skipped", trainer.skipped()},
         {"tokens_per_s", rate},
         {"ms", 1000 * median(step_seconds_)},
         {"peak_bytes", memory_stats(trainer.model().device()).peak},
         {"seconds", time_.wall},
         {"cpu_seconds", time_.cpu}});
  step_seconds_.clear();
  bits_ = aux_ = 0;
}

void RunLog::validation(int64_t step, const Report& report) {
  const EvalResult& v = report.validation;
  nlohmann::ordered_json line = {{"step", step},
                                 {"valid_bpb", v.bits_per_byte},
                                 {"valid_bytes", v.bytes},
                                 {"valid_streams", v.streams},
                                 {"valid_mean_rows", v.mean_rows},
                                 {"valid_mean_span", number_or_null(v.mean_span)},
                                 {"seconds", time_.wall},
                                 {"cpu_seconds", time_.cpu}};
  for (const RecallScore& s : report.recall)
    line["recall"].push_back(
        {{"nearest", s.nearest}, {"farthest", s.farthest}, {"asked", s.asked}, {"right", s.right}});
  write(line);
}

void RunLog::write(const nlohmann::ordered_json& line) {
  append(metrics_, line.dump() + "\n");
  if (events_) append(*events_, scalars_record(line));
}

void RunLog::append(LogFile& file, std::string record) {
  if (const std::string message = file.append(std::move(record)); !message.empty()) note("{}", message);
}

void RunLog::flush() const {
  metrics_.flush();
  if (events_) events_->flush();
}

}  // namespace fade
