#include "train/config/check.h"

#include "engine/error.h"
#include "ops/span_attention/span_attention.h"
#include "train/config/schema.h"

namespace fade {

double weight_count(const ModelConfig& model) {
  const double hidden = model.hidden, ff = model.ff;
  return model.layers * (4 * hidden * hidden + 2 * hidden * ff) + 2.0 * model.vocab * hidden;
}

namespace {

void check_model(const ModelConfig& model, const Need& need) {
  need(model.hidden % model.heads == 0, "model.hidden", "model.heads",
       fmt::format("a multiple of model.heads ({})", model.heads));
  constexpr double kMaxWeights = 1e11;
  need(weight_count(model) <= kMaxWeights, "model.hidden", "model.layers",
       fmt::format("at most {:.0e} weights in all (these are {:.1e}: reduce model.layers, "
                   "model.hidden or model.ff)",
                   kMaxWeights, weight_count(model)));
  need(model.attention == AttentionPath::composed || model.hidden / model.heads <= kLargestHead,
       "model.heads", "model.hidden",
       fmt::format("at least model.hidden/{} ({}) for model.attention fused", kLargestHead,
                   (model.hidden + kLargestHead - 1) / kLargestHead));
  if (const auto check_kind = kind_info(model.kind).check) check_kind(model, need);
}

void check_recall(const DataConfig& data, const Need& need) {
  const RecallConfig& recall = data.recall;
  need(recall.facts <= recall.keys, "data.recall.facts", "data.recall.keys",
       fmt::format("at most data.recall.keys ({})", recall.keys));
  need(recall.wait_max >= recall.wait_min, "data.recall.wait_max", "data.recall.wait_min",
       fmt::format("at least data.recall.wait_min ({})", recall.wait_min));
  constexpr int kAscii = 128;
  need(data.vocab >= kAscii, "data.vocab", "data.kind",
       fmt::format("at least {} for data.kind recall, whose text is ASCII", kAscii));
}

}  // namespace

void check_config(const Config& config, const Origins& origins) {
  const Need need = [&](bool holds, std::string_view key, std::string_view other, std::string_view allowed) {
    if (!holds)
      refuse("{}: {}: found {}, allowed: {}", origins.of({key, other}), key,
             value_text(*find_key(key), config), allowed);
  };
  check_model(config.model, need);
  if (config.data.kind == DataKind::recall) check_recall(config.data, need);

  constexpr int64_t kMaxTokens = 1 << 27;
  need(int64_t{config.train.batch} * config.model.block <= kMaxTokens, "train.batch", "model.block",
       fmt::format("at most {} bytes per step (model.block is {})", kMaxTokens, config.model.block));
  const TrainConfig& train = config.train;
  need(train.checkpoint_every == 0 || train.keep_every % train.checkpoint_every == 0, "train.keep_every",
       "train.checkpoint_every",
       fmt::format("a multiple of train.checkpoint_every ({})", train.checkpoint_every));
  need(config.dtype != Precision::f64 || config.device != DeviceChoice::cuda, "dtype", "device",
       "f32 on device cuda");
  need(config.precision == ProductChoice::f32 || config.dtype == Precision::f32, "precision", "dtype",
       "f32 for dtype f64");
  need(config.precision != ProductChoice::bf16 || config.model.attention == AttentionPath::fused, "precision",
       "model.attention", "f32 | tf32 for model.attention composed");
  const ModelConfig& model = config.model;
  need(config.precision != ProductChoice::bf16 || model.head_size() <= kLargestHeadOfBf16, "model.heads",
       "precision",
       fmt::format("at least model.hidden/{} ({}) for precision bf16", kLargestHeadOfBf16,
                   (model.hidden + kLargestHeadOfBf16 - 1) / kLargestHeadOfBf16));
}

}  // namespace fade
