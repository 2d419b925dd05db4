#include "models/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/module_scope.h"
#include "engine/recompute.h"
#include "models/kinds.h"
#include "nn/init.h"
#include "ops/cast/cast.h"
#include "ops/elementwise/elementwise.h"
#include "ops/embedding/embedding.h"
#include "ops/layout/layout.h"

namespace fade {
namespace {

// The same lifetime for rows that are seen up to a distance of `window` only.
Lifetime cut(const Lifetime& lifetime, double window) {
  const double most = window + 1 - lifetime.reach;  // span + reach ≤ window + 1
  if (!lifetime.span) return {{}, std::min(lifetime.reach, window + 1)};
  return {clamp(lifetime.span, std::min(0.0, most), most), lifetime.reach};
}

// True when a context has so many more rows than the memory had after it last forgot that it should forget again. Several
// streams always should: their rows are moved anyway.
bool has_grown(const LayerMemory& past, const PackedRows& context) {
  constexpr int64_t kShare = 8, kLeast = 16;
  return past.streams() > 1 || context.count() > past.forgot_at + past.forgot_at / kShare + kLeast;
}

}  // namespace

TransformerLayer::TransformerLayer(Parameters& p, size_t layer, const ModelConfig& config, Generator& random)
    : layer_(layer),
      name_(fmt::format("layers.{}", layer)),
      attention_name_(name_ + ".attn"),
      memory_name_(name_ + ".memory"),
      config_(config),
      attention_(kind_info(config.kind).make(p, attention_name_, config, random)),
      ff_(p, name_ + ".ff", config.hidden, config.ff, random),
      norm1_(p, name_ + ".norm1", config.hidden),
      norm2_(p, name_ + ".norm2", config.hidden) {
  if (!config.pre_norm) return;
  const double divisor = std::sqrt(2.0 * config.layers);
  attention_->scale_down_output(divisor);
  init_scale(ff_.fc2.weight, 1 / divisor);
  init_scale(ff_.fc2.bias, 1 / divisor);
}

TransformerLayer::Output TransformerLayer::compute(const Tensor& x, const Tensor& memory,
                                                   const PackedRows& rows, const ForwardPass& pass,
                                                   KeptOfRows* kept) const {
  const ModuleScope scope(name_);
  const bool pre = config_.pre_norm;
  const Tensor seen = kept && kept->kv ? memory.rows(0, 0) : memory;
  Output to;
  to.attended = in_module(attention_name_, [&] {
    return (*attention_)({.memory = pre ? norm1_(seen) : seen,
                          .block = pre ? norm1_(x) : x,
                          .rows = rows,
                          .pass = pass,
                          .kept = kept});
  });
  const DropoutDraw drop = pass.options.next_dropout(
      config_.dropout, static_cast<uint64_t>(rows.block) * static_cast<uint64_t>(config_.ff));
  if (pre) {
    const Tensor y = x + to.attended.out;
    to.x = y + ff_(norm2_(y), drop);
  } else {
    const Tensor y = norm1_(x, to.attended.out);
    to.x = norm2_(y, ff_(y, drop));
  }
  to.attended.out = {};
  return to;
}

TransformerLayer::Output TransformerLayer::compute_twice(const Tensor& x, const Tensor& memory,
                                                         const PackedRows& rows,
                                                         const ForwardPass& pass) const {
  const RngKey before = pass.options.random ? pass.options.random->state() : RngKey{};
  Output to;
  {
    const NoGrad off;
    to = compute(x, memory, rows, pass);
  }
  const auto again = [this, rows, before, options = pass.options, positions = pass.positions,
                      noise = pass.noise](const std::vector<Tensor>& in) {
    StepOptions same = options;
    Generator random;
    random.restore(before);
    if (same.random) same.random = &random;
    same.on_weights = {};
    const Output out = compute(in[0], in[1], rows, {.options = same, .positions = positions, .noise = noise});
    return std::vector<Tensor>{out.x, out.attended.aux};
  };
  record_recomputed({to.x, to.attended.aux}, {x, memory}, again);
  return to;
}

Tensor TransformerLayer::operator()(const Tensor& x, Memory& memory, const ForwardPass& pass,
                                    StepReport& report) const {
  const ModuleScope scope(name_);
  const auto add_aux = [&](const Tensor& aux) {
    if (aux) report.aux = report.aux ? report.aux + aux : aux;
  };
  const Attention::Prepared prepared = in_module(attention_name_, [&] {
    return attention_->before_block(memory[layer_], x, config_.pre_norm ? &norm1_ : nullptr, pass.options);
  });
  const LayerMemory& past = prepared.memory;
  add_aux(prepared.aux);
  memory.set(layer_, past);
  const PackedRows rows =
      in_module(memory_name_, [&] { return context_rows(past, x.size(0) / past.streams()); });
  const bool twice = config_.recompute && Tape::current();
  KeptOfRows kept;
  if (pass.options.frozen) kept = past.kept;
  Output to = twice ? compute_twice(x, past.rows, rows, pass)
                    : compute(x, past.rows, rows, pass, pass.options.frozen ? &kept : nullptr);
  Attention::Result& attended = to.attended;
  add_aux(attended.aux);
  if (attended.spans) report.spans.push_back(attended.spans);

  if (kind_info(config_.kind).can_keep_all) {
    if (!pass.options.forget || (pass.options.forget_late && !has_grown(past, rows)))
      attended.lifetime.reach = std::numeric_limits<double>::infinity();
    else if (pass.options.window)
      attended.lifetime = cut(attended.lifetime, static_cast<double>(pass.options.window));
  }
  in_module(memory_name_, [&] { memory.append(layer_, x, survivors(rows, attended.lifetime), kept); });
  return to.x;
}

Transformer::Transformer(const ModelConfig& config, NumberTypes types, Device device, uint64_t seed)
    : Transformer(config, types, device, Generator(seed)) {}

Transformer::Transformer(const ModelConfig& config, NumberTypes types, Device device, Generator random)
    : config_(config),
      types_(types),
      device_(device),
      parameters_(types.parameters, device),
      embed_(parameters_, "embed", config.vocab, config.hidden, random),
      positions_(parameters_, "pos", kind_info(config.kind).position_rows(config), config.head_size(),
                 random),
      layers_([&] {
        std::vector<TransformerLayer> layers;
        for (int l = 0; l < config.layers; ++l)
          layers.emplace_back(parameters_, static_cast<size_t>(l), config, random);
        return layers;
      }()),
      norm_(config.pre_norm ? std::vector{LayerNorm(parameters_, "norm", config.hidden)}
                            : std::vector<LayerNorm>{}),
      out_(parameters_, "out", config.hidden, config.vocab, true, random, Role::table) {}

Tensor Transformer::forward(const Tensor& tokens, Memory& memory, const StepOptions& options,
                            StepReport& report) const {
  if (options.frozen && Tape::current())
    fail(
        "forward: weights are frozen while gradients are recorded (leave StepOptions::frozen out, or use NoGrad)");
  const bool noisy = options.stochastic() && config_.span.noisy;
  const double noise = noisy ? uniform_f64(options.random->next(), 0) : 1;  // one u per step, for all layers
  Tensor x = in_module(embed_.name, [&] {
    const Tensor rows = reshape(embedding(embed_.weight, tokens), {-1, config_.hidden});  // [B·n, H]
    return types_.mixed() ? cast(rows, types_.activations) : rows;
  });
  const ForwardPass pass{.options = options, .positions = positions_.weight, .noise = noise};
  for (const TransformerLayer& layer : layers_) x = layer(x, memory, pass, report);
  if (config_.pre_norm) x = norm_.front()(x);
  return out_(x, {.f32_result = true});
}

void Transformer::constrain() const {
  for (const TransformerLayer& layer : layers_) layer.constrain();
}

Memory Transformer::empty_memory(int64_t streams) const {
  return {config_.layers, streams, config_.hidden, types_.activations, device_};
}

}  // namespace fade
