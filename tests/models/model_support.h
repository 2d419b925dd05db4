// Small models and texts for the tests of models and training.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/transformer.h"
#include "tests/support.h"
#include "train/evaluate.h"

namespace fade::test {

/// Two layers of width 16, blocks of 8, spans up to 24, ramp 4:
/// so small that rows come and go in every block.
ModelConfig small_model(bool pre_norm = false);

/// small_model() with another kind of attention: compression of 4 rows to one of 5 slots by their mean, or
/// adaptive spans of 6 positions.
ModelConfig small_model_of(Kind kind, bool pre_norm = false);

/// Every kind except expire_span, with a name for messages; compressive with each of its variants.
std::vector<std::pair<const char*, ModelConfig>> windowed_models();

/// Gives every row a span of its own: the sigmoid's argument gets a standard deviation of about 1.6, so that
/// spans spread over all of (0, S).
void vary_spans(const Transformer& model);

/// An Expire-Span model whose rows have spans of their own.
struct VariedModel : Transformer {
  explicit VariedModel(const ModelConfig& config, DType type = DType::f64, Device device = Device::cpu)
      : Transformer(config, type, device, 3) {
    vary_spans(*this);
  }
};

/// The largest difference between sums of the same numbers in another order, in f64.
constexpr double kRounding = 1e-11;

/// `size` bytes below `vocab`, uniform: a text without any structure.
std::vector<uint8_t> random_text(size_t size, int vocab, uint64_t seed = 5);

/// The step-th block [streams, length] of a text: stream b reads
/// bytes from b·(size/streams) + step·length on.
Tensor block_at(const std::vector<uint8_t>& text, int64_t streams, int64_t length, int64_t step);

/// All parameters, as f64.
std::vector<double> all_values(const Transformer& model);

Tensor parameter(const Transformer& model, const std::string& name);

/// −log2 p of every byte that is predicted, in the order of the text.
std::vector<double> bits_of_each_byte(const Transformer& model, std::span<const uint8_t> text,
                                      EvalOptions options);

/// Reads one stream in blocks of the given lengths, in turn. Returns the logits of every position.
std::vector<double> read_in_blocks(const Transformer& model, const std::vector<uint8_t>& text,
                                   const std::vector<int>& lengths);

/// Trains on `blocks` blocks of two streams without updates. The gradients of the last block, of its loss or
/// its auxiliary loss, stay in the parameters. Returns the report of the last block.
enum class LossPart { main, auxiliary };
StepReport read_blocks(const Transformer& model, int blocks, Memory& memory, LossPart part);

}  // namespace fade::test
