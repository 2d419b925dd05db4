// Small models and texts for the tests of models and training.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/tape.h"
#include "models/transformer.h"
#include "nn/init.h"
#include "tests/support.h"
#include "train/evaluate.h"

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

/// −log2 p of every byte that is predicted, in the order of the text.
inline std::vector<double> bits_of_each_byte(const Transformer& model, std::span<const uint8_t> text,
                                             EvalOptions options) {
  std::vector<double> bits(text.size() - 1, NAN);
  options.on_block = [&](const EvalBlock& block) {
    for (size_t i = 0; i < block.bits.size(); ++i) {
      const int64_t stream = static_cast<int64_t>(i) / block.length,
                    at = static_cast<int64_t>(i) % block.length;
      bits[static_cast<size_t>(stream * block.stride + block.offset + at)] = block.bits[i];
    }
  };
  evaluate(model, text, "text", options);
  return bits;
}

/// Reads one stream in blocks of the given lengths, over and over. Returns the logits of every position.
inline std::vector<double> read_in_blocks(const Transformer& model, const std::vector<uint8_t>& text,
                                          const std::vector<int>& lengths) {
  const NoGrad off;
  Memory memory = model.empty_memory(1);
  std::vector<double> all;
  for (size_t at = 0, i = 0; at < text.size(); ++i) {
    const size_t n = std::min<size_t>(static_cast<size_t>(lengths[i % lengths.size()]), text.size() - at);
    const std::vector<int32_t> block(text.begin() + static_cast<std::ptrdiff_t>(at),
                                     text.begin() + static_cast<std::ptrdiff_t>(at + n));
    StepReport report;
    const Tensor x = Tensor::from(block, {1, static_cast<int64_t>(n)});
    const auto logits = model.forward(x, memory, {}, report).to_vector<double>();
    all.insert(all.end(), logits.begin(), logits.end());
    at += n;
  }
  return all;
}

}  // namespace fade::test
