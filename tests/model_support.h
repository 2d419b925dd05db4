// Small models and texts for the tests of models and training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/transformer.h"
#include "nn/init.h"

namespace fade::test {

/// Two layers of 16, blocks of 8, spans of up to 24 with a ramp of 4: small enough that rows come and go all
/// the time.
inline ModelConfig small_model(bool pre_norm = false) {
  ModelConfig m;
  m.kind = Kind::expire_span;
  m.layers = 2;
  m.hidden = 16;
  m.ff = 32;
  m.heads = 2;
  m.block = 8;
  m.max_span = 24;
  m.pre_norm = pre_norm;
  m.span = {.ramp = 4, .loss = 0.01, .pre_div = 1, .init = 0.3, .noisy = false};
  m.vocab = 32;
  return m;
}

/// Gives every row a span of its own: the sigmoid's argument gets a standard deviation of about 1.6, so that
/// spans spread over all of (0, S).
inline void vary_spans(const Transformer& model) {
  uint64_t stream = 0;
  for (const Parameter& p : model.parameters().all()) {
    if (!p.name.ends_with("span.weight")) continue;
    init_normal(p.value(), {7, stream++});
    init_scale(p.value(), 0.4);
  }
}

/// `size` bytes below `vocab`, uniform: a text without any structure.
inline std::vector<uint8_t> random_text(size_t size, int vocab, uint64_t seed = 5) {
  std::vector<uint8_t> text(size);
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<uint8_t>(uniform_f64({seed, 0}, i) * static_cast<double>(vocab));
  return text;
}

/// All parameters' values, as f64.
inline std::vector<double> all_values(const Transformer& model) {
  std::vector<double> out;
  for (const Parameter& p : model.parameters().all()) {
    const auto values = p.value().to(DType::f64).to_vector<double>();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

}  // namespace fade::test
