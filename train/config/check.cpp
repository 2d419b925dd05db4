#include "train/config/check.h"

#include <fmt/format.h>

#include "engine/error.h"
#include "ops/span_attention/span_attention.h"
#include "train/config/schema.h"

namespace fade {

namespace {

/// Weights of the linear layers and embeddings, as a double: it cannot overflow.
double weight_count(const ModelConfig& model) {
  const double hidden = model.hidden, ff = model.ff;
  return model.layers * (4 * hidden * hidden + 2 * hidden * ff) + 2.0 * model.vocab * hidden;
}

class Checker {
 public:
  Checker(const Config& config, const Origins& origins) : config_(config), origins_(origins) {}

  /// Refuses the value of `key` unless `holds`; `other` is the key it has to agree with.
  void need(bool holds, std::string_view key, std::string_view other, std::string_view allowed) const {
    if (holds) return;
    refuse("{}: {}: found {}, allowed: {}", origins_.of({key, other}), key,
           value_text(*find_key(key), config_), allowed);
  }

 private:
  const Config& config_;
  const Origins& origins_;
};

void check_model(const ModelConfig& model, const Checker& check) {
  check.need(model.hidden % model.heads == 0, "model.hidden", "model.heads",
             fmt::format("a multiple of model.heads ({})", model.heads));
  constexpr double kMaxWeights = 1e11;
  check.need(weight_count(model) <= kMaxWeights, "model.hidden", "model.layers",
             fmt::format("at most {:.0e} weights in all (these are {:.1e}: reduce model.layers, "
                         "model.hidden or model.ff)",
                         kMaxWeights, weight_count(model)));
  check.need(model.attention == AttentionPath::composed || model.hidden / model.heads <= kLargestHead,
             "model.heads", "model.hidden",
             fmt::format("at least model.hidden/{} ({}) for model.attention fused", kLargestHead,
                         (model.hidden + kLargestHead - 1) / kLargestHead));
  if (const auto check_kind = kind_info(model.kind).check)
    check_kind(model, [&](bool holds, std::string_view key, std::string_view other,
                          std::string_view allowed) { check.need(holds, key, other, allowed); });
}

void check_recall(const DataConfig& data, const Checker& check) {
  const RecallConfig& recall = data.recall;
  check.need(recall.facts <= recall.keys, "data.recall.facts", "data.recall.keys",
             fmt::format("at most data.recall.keys ({})", recall.keys));
  check.need(recall.wait_max >= recall.wait_min, "data.recall.wait_max", "data.recall.wait_min",
             fmt::format("at least data.recall.wait_min ({})", recall.wait_min));
  constexpr int kAscii = 128;
  check.need(data.vocab >= kAscii, "data.vocab", "data.kind",
             fmt::format("at least {} for data.kind recall, whose text is ASCII", kAscii));
}

}  // namespace

void check_config(const Config& config, const Origins& origins) {
  const Checker check(config, origins);
  check_model(config.model, check);
  if (config.data.kind == DataKind::recall) check_recall(config.data, check);

  constexpr int64_t kMaxTokens = 1 << 27;
  check.need(int64_t{config.train.batch} * config.model.block <= kMaxTokens, "train.batch", "model.block",
             fmt::format("at most {} bytes per step (model.block is {})", kMaxTokens, config.model.block));
  const TrainConfig& train = config.train;
  check.need(train.checkpoint_every == 0 || train.keep_every % train.checkpoint_every == 0,
             "train.keep_every", "train.checkpoint_every",
             fmt::format("a multiple of train.checkpoint_every ({})", train.checkpoint_every));
  check.need(config.dtype != Precision::f64 || config.device != DeviceChoice::cuda, "dtype", "device",
             "f32 | bf16 on device cuda");
  check.need(config.dtype != Precision::bf16 || config.device != DeviceChoice::cpu, "dtype", "device",
             "f32 | f64 on device cpu");
}

}  // namespace fade
