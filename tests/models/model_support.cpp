#include "tests/models/model_support.h"

#include <cmath>

#include "engine/tape.h"
#include "nn/init.h"
#include "ops/cross_entropy/cross_entropy.h"

namespace fade::test {

ModelConfig small_model(bool pre_norm) {
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

ModelConfig small_model_of(Kind kind, bool pre_norm) {
  ModelConfig m = small_model(pre_norm);
  m.kind = kind;
  m.compress = {.kind = CompressKind::mean, .rate = 4, .slots = 5};
  m.span.init = kind == Kind::adaptive_span ? 0.25 : m.span.init;
  return m;
}

std::vector<std::pair<const char*, ModelConfig>> windowed_models() {
  ModelConfig convolved = small_model_of(Kind::compressive, true);
  convolved.compress.kind = CompressKind::conv;
  return {{"transformer_xl", small_model_of(Kind::transformer_xl)},
          {"adaptive_span", small_model_of(Kind::adaptive_span)},
          {"compressive", small_model_of(Kind::compressive)},
          {"compressive, pre-norm", small_model_of(Kind::compressive, true)},
          {"compressive, conv", convolved}};
}

void vary_spans(const Transformer& model) {
  uint64_t stream = 0;
  for (const Parameter& p : model.parameters().all()) {
    if (!p.name.ends_with("span.weight")) continue;
    init_normal(p.value(), {7, stream++});
    init_scale(p.value(), 0.4);
  }
}

std::vector<uint8_t> random_text(size_t size, int vocab, uint64_t seed) {
  std::vector<uint8_t> text(size);
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<uint8_t>(uniform_f64({seed, 0}, i) * static_cast<double>(vocab));
  return text;
}

Tensor block_at(const std::vector<uint8_t>& text, int64_t streams, int64_t length, int64_t step) {
  std::vector<int32_t> tokens;
  const int64_t stride = static_cast<int64_t>(text.size()) / streams;
  for (int64_t b = 0; b < streams; ++b)
    for (int64_t i = 0; i < length; ++i)
      tokens.push_back(text[static_cast<size_t>(b * stride + step * length + i)]);
  return Tensor::from(tokens, {streams, length});
}

std::vector<double> all_values(const Transformer& model) {
  std::vector<double> out;
  for (const Parameter& p : model.parameters().all()) {
    const auto values = p.value().to(DType::f64).to_vector<double>();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

Tensor parameter(const Transformer& model, const std::string& name) {
  return model.parameters().find(name).value();
}

std::vector<double> bits_of_each_byte(const Transformer& model, std::span<const uint8_t> text,
                                      EvalOptions options) {
  std::vector<double> bits(text.size() - 1, NAN);
  options.on_block = [&](const EvalBlock& block) {
    for (size_t i = 0; i < block.bits.size(); ++i) bits[block.place(i)] = block.bits[i];
  };
  evaluate(model, text, "text", options);
  return bits;
}

std::vector<double> read_in_blocks(const Transformer& model, const std::vector<uint8_t>& text,
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
    memory.drop_forgotten();
    all.insert(all.end(), logits.begin(), logits.end());
    at += n;
  }
  return all;
}

StepReport read_blocks(const Transformer& model, int blocks, Memory& memory, LossPart part) {
  const int64_t M = model.config().block;
  const auto text = random_text(static_cast<size_t>(2 * blocks * M), model.config().vocab);
  StepReport report;
  model.parameters().zero_grad();
  for (int i = 0; i < blocks; ++i) {
    std::vector<int32_t> tokens(text.begin() + 2 * i * M, text.begin() + 2 * (i + 1) * M);
    const Recording on;
    report = {};
    const Tensor x = Tensor::from(tokens, {2, M}), y = Tensor::from(tokens, {2 * M});
    const Tensor loss = cross_entropy(model.forward(x, memory, {.training = true}, report), y);
    if (i + 1 == blocks) backward(part == LossPart::auxiliary ? report.aux : loss);
    memory.drop_forgotten();
  }
  return report;
}

}  // namespace fade::test
