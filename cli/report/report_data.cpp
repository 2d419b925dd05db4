#include "cli/report/report_data.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

#include "cli/version.h"
#include "engine/io/utf8.h"
#include "train/checkpoint/weights.h"
#include "train/config/schema.h"
#include "train/generate.h"

namespace fade {
namespace {

using nlohmann::ordered_json;

// With six significant digits, which a picture cannot show.
double rounded(double number) { return std::strtod(fmt::format("{:.6g}", number).c_str(), nullptr); }

ordered_json number(double value, bool exact) {
  if (!std::isfinite(value)) return nullptr;
  const double shown = exact ? value : rounded(value);
  return std::abs(shown) < 1e15 && shown == std::floor(shown) ? ordered_json(static_cast<int64_t>(shown))
                                                              : ordered_json(shown);
}

ordered_json curves_data(const Curves& all, const ReportOptions& options) {
  const Curves curves = options.most_lines ? thinned(all, options.most_lines) : all;
  ordered_json out = {{"step", curves.steps}};
  for (const auto& [key, column] : curves.columns) {
    ordered_json& numbers = out[std::string(key)] = ordered_json::array();
    for (const double value : column) numbers.push_back(number(value, options.most_lines == 0));
  }
  return out;
}

ordered_json best_validation(const Curves& validation) {
  const std::vector<double>& bits = validation.columns.front().second;
  size_t best = bits.size();
  for (size_t i = 0; i < bits.size(); ++i)
    if (!std::isnan(bits[i]) && (best == bits.size() || bits[i] < bits[best])) best = i;
  if (best == bits.size()) return nullptr;
  return {{"step", validation.steps[best]}, {"valid_bpb", bits[best]}};
}

// Text of the run's best checkpoint, or what is in the way, and with it the number of parameters. On the CPU, which
// every machine has, and with one seed: the same call gives the same text.
ordered_json sample(const RunHistory& run, const ReportOptions& options) {
  try {
    const LoadedModel loaded = load_model(run.path, {.device = DeviceChoice::cpu}, options.on_damaged);
    std::string text;
    generate(*loaded.model, "", {.bytes = options.sample_bytes}, [&](char c) { text += c; });
    return {{"checkpoint", printable(loaded.file.parent_path().filename().string())},
            {"parameters", loaded.model->parameters().count()},
            {"text", text}};
  } catch (const Error& e) {  // a run that has no checkpoint yet, or is just replacing it
    return {{"error", printable(e.what())}};
  }
}

ordered_json run_data(const RunHistory& run, const ReportOptions& options) {
  const Config& c = run.config;
  const int64_t logged = run.training.steps.empty() ? 0 : run.training.steps.back();
  return {{"name", run.name},
          {"path", printable(run.path.string())},
          {"kind", name_of(c.model.kind)},
          {"steps", logged},
          {"steps_planned", c.train.steps},
          {"bytes_per_step", int64_t{c.train.batch} * c.model.block * c.train.accumulate},
          {"best", best_validation(run.validation)},
          {"training_lines", run.training.steps.size()},
          {"training", curves_data(run.training, options)},
          {"validation", curves_data(run.validation, options)},
          {"recall", run.recall},
          {"sample", options.sample_bytes ? sample(run, options) : ordered_json()}};
}

}  // namespace

ordered_json report_data(const std::vector<RunHistory>& runs, const ReportOptions& options) {
  ordered_json out = {{"version", fmt::format("fade {}", kVersion)},
                      {"runs", ordered_json::array()},
                      {"configuration", ordered_json::array()}};
  for (const RunHistory& run : runs) out["runs"].push_back(run_data(run, options));
  const Config defaults;
  for (const Key& key : config_keys()) {
    ordered_json values = ordered_json::array();
    for (const RunHistory& run : runs) values.push_back(value_text(key, run.config));
    out["configuration"].push_back({{"key", key.path},
                                    {"meaning", key.meaning},
                                    {"default", value_text(key, defaults)},
                                    {"values", values}});
  }
  return out;
}

}  // namespace fade
