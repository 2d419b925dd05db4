// The model and the text of chapter 7 and its exercises.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "models/transformer.h"
#include "nn/init.h"

inline constexpr int M = 16, S = 48, R = 8, vocab = 32;

/// Two layers with random weights, whose spans differ from row to row.
inline std::unique_ptr<fade::Transformer> random_model(
    fade::AttentionPath attention = fade::AttentionPath::fused) {
  fade::ModelConfig c;
  c.layers = 2, c.hidden = 32, c.ff = 64, c.heads = 2, c.block = M, c.max_span = S, c.vocab = vocab;
  c.attention = attention;
  c.span = {.ramp = R, .pre_div = 1, .init = 0.3};
  auto model = std::make_unique<fade::Transformer>(c, fade::DType::f64, fade::Device::cpu, 1);
  for (const fade::Parameter& p : model->parameters().all())
    if (p.name.ends_with("span.weight")) fade::init_uniform(p.value(), 0.5, {7, 0});
  return model;
}

/// Bytes first, first + 1, .. of a random text, [1, length].
inline fade::Tensor random_text(int first, int length = M) {
  std::vector<int32_t> tokens;
  for (int i = first; i < first + length; ++i)
    tokens.push_back(static_cast<int32_t>(fade::uniform_f64({1, 0}, static_cast<uint64_t>(i)) * vocab));
  return fade::Tensor::from(tokens, {1, length});
}

/// The largest difference between elements of tensors of one shape.
inline double largest_difference(const fade::Tensor& a, const fade::Tensor& b) {
  double most = 0;
  for (int64_t i = 0; i < a.numel(); ++i)
    most = std::max(most, std::abs(a.data<double>()[i] - b.data<double>()[i]));
  return most;
}
