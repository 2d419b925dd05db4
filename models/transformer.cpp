#include "models/transformer.h"

#include <cmath>
#include <limits>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/elementwise/elementwise.h"
#include "ops/embedding/embedding.h"
#include "ops/layout/layout.h"
#include "ops/reduce/reduce.h"

namespace fade {

Tensor StepReport::mean_span() const {
  const NoGrad off;
  Tensor sum;
  for (const Tensor& layer : spans) sum = sum ? sum + mean(layer) : mean(layer);
  return sum ? sum * (1 / static_cast<double>(spans.size())) : sum;
}

namespace {

std::string name_in(size_t layer, const char* part) { return fmt::format("layers.{}.{}", layer, part); }

}  // namespace

Block::Block(Parameters& p, size_t layer, const ModelConfig& config, Generator& random)
    : layer_(layer),
      config_(config),
      attention_(make_attention(p, name_in(layer, "attn"), config, random)),
      ff_(p, name_in(layer, "ff"), config.hidden, config.ff, random),
      norm1_(p, name_in(layer, "norm1"), config.hidden),
      norm2_(p, name_in(layer, "norm2"), config.hidden) {
  if (!config.pre_norm) return;
  const double divisor = std::sqrt(2.0 * config.layers);
  attention_->scale_down_output(divisor);
  init_scale(ff_.fc2.weight, 1 / divisor);
  init_scale(ff_.fc2.bias, 1 / divisor);
}

Tensor Block::operator()(const Tensor& x, Memory& memory, const Tensor& positions, double noise,
                         const StepOptions& options, StepReport& report) const {
  const auto [past, evicted] = attention_->context(memory[layer_], x);
  memory.set(layer_, past);
  const PackedRows rows = context_rows(past, x.size(0) / past.streams());
  const bool pre = config_.pre_norm;
  Attention::Result attended = (*attention_)({.memory = pre ? norm1_(past.rows) : past.rows,
                                              .block = pre ? norm1_(x) : x,
                                              .rows = rows,
                                              .evicted = evicted,
                                              .norm = pre ? &norm1_ : nullptr,
                                              .positions = positions,
                                              .noise = noise,
                                              .options = options});
  // (A compressed memory forgets nothing that could be kept: what leaves its window is in the slots.)
  if (!options.forget && config_.kind != Kind::compressive)
    attended.lifetime.reach = std::numeric_limits<double>::infinity();
  memory.append(layer_, x, survivors(rows, attended.lifetime));
  if (attended.aux) report.aux = report.aux ? report.aux + attended.aux : attended.aux;
  if (attended.spans) report.spans.push_back(attended.spans);

  const bool drop = options.stochastic() && config_.dropout > 0;
  const double p = drop ? config_.dropout : 0;
  const RngKey key = drop ? options.random->next() : RngKey{};
  if (pre) {
    const Tensor y = x + attended.out;
    return y + ff_(norm2_(y), p, key);
  }
  const Tensor y = norm1_(x + attended.out);
  return norm2_(y + ff_(y, p, key));
}

void Block::constrain() const { attention_->constrain(); }

Transformer::Transformer(const ModelConfig& config, DType dtype, Device device, uint64_t seed)
    : Transformer(config, dtype, device, Generator(seed)) {}

Transformer::Transformer(const ModelConfig& config, DType dtype, Device device, Generator random)
    : config_(config),
      dtype_(dtype),
      device_(device),
      parameters_(dtype, device),
      embed_(parameters_, "embed", config.vocab, config.hidden, random),
      positions_(parameters_, "pos", position_rows(config), config.head_size(), random),
      blocks_([&] {
        std::vector<Block> blocks;
        for (int l = 0; l < config.layers; ++l)
          blocks.emplace_back(parameters_, static_cast<size_t>(l), config, random);
        return blocks;
      }()),
      norm_(config.pre_norm ? std::vector{LayerNorm(parameters_, "norm", config.hidden)}
                            : std::vector<LayerNorm>{}),
      out_(parameters_, "out", config.hidden, config.vocab, true, random) {}

Tensor Transformer::forward(const Tensor& tokens, Memory& memory, const StepOptions& options,
                            StepReport& report) const {
  const bool noisy = options.stochastic() && config_.span.noisy;
  const double noise =
      noisy ? uniform_f64(options.random->next(), 0) : 1;  // one u a step, shared by the layers
  Tensor x = reshape(embedding(embed_.weight, tokens), {-1, config_.hidden});  // [B·n, H]
  for (const Block& block : blocks_) x = block(x, memory, positions_.weight, noise, options, report);
  if (config_.pre_norm) x = norm_.front()(x);
  return out_(x);
}

void Transformer::constrain() const {
  for (const Block& block : blocks_) block.constrain();
}

Memory Transformer::empty_memory(int64_t streams) const {
  return {config_.layers, streams, config_.hidden, dtype_, device_};
}

}  // namespace fade
