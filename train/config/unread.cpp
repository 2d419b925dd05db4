#include "train/config/unread.h"

#include <fmt/format.h>

#include <string_view>

#include "engine/io/utf8.h"
#include "train/config/schema.h"

namespace fade {
namespace {

bool has_spans(const Config& c) { return kind_info(c.model.kind).spans != Spans::none; }
bool has_spans_of_rows(const Config& c) { return kind_info(c.model.kind).spans == Spans::of_rows; }
bool has_adam(const Config& c) {
  const OptimizerKind kind = c.train.optimizer.kind;
  return kind == OptimizerKind::adam || kind == OptimizerKind::adamw || kind == OptimizerKind::muon;
}
bool is_cosine(const Config& c) { return c.train.schedule.kind == ScheduleKind::cosine; }

/// A key, or a section with its dot; the key whose value decides; whether the keys are then read. The longest
/// path that fits comes first.
struct Condition {
  std::string_view path, decides;
  bool (*read)(const Config&);
};
constexpr Condition kConditions[] = {
    {"model.span.pre_div", "model.kind", has_spans_of_rows},
    {"model.span.noisy", "model.kind", has_spans_of_rows},
    {"model.span.", "model.kind", has_spans},
    {"model.compress.", "model.kind", [](const Config& c) { return c.model.kind == Kind::compressive; }},
    {"data.path", "data.kind", [](const Config& c) { return c.data.kind == DataKind::file; }},
    {"data.recall.", "data.kind", [](const Config& c) { return c.data.kind == DataKind::recall; }},
    {"train.optimizer.beta", "train.optimizer.kind", has_adam},
    {"train.optimizer.eps", "train.optimizer.kind",
     [](const Config& c) { return c.train.optimizer.kind != OptimizerKind::sgd; }},
    {"train.optimizer.momentum", "train.optimizer.kind",
     [](const Config& c) { return c.train.optimizer.kind == OptimizerKind::sgd; }},
    {"train.optimizer.muon_momentum", "train.optimizer.kind",
     [](const Config& c) { return c.train.optimizer.kind == OptimizerKind::muon; }},
    {"train.patience", "train.eval_every", [](const Config& c) { return c.train.eval_every > 0; }},
    {"train.schedule.final", "train.schedule.kind", is_cosine},
    {"train.schedule.decay", "train.schedule.kind", is_cosine},
};

}  // namespace

std::vector<std::string> unread_settings(const Config& config, const std::vector<std::string>& overrides) {
  std::vector<std::string> notes;
  for (const std::string& override : overrides)
    for (const Condition& condition : kConditions) {
      if (!override.starts_with(condition.path)) continue;
      if (!condition.read(config))
        notes.push_back(fmt::format("--set {} has no effect: {} is {}", printable(override),
                                    condition.decides, value_text(*find_key(condition.decides), config)));
      break;
    }
  return notes;
}

}  // namespace fade
