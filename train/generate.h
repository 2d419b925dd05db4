// Text from a trained model, byte by byte.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "models/transformer.h"

namespace fade {

/// How much is generated, and how bytes are drawn.
struct GenerateOptions {
  int64_t bytes = 256;                   ///< after the prompt
  double temperature = 0.8;              ///< divides the logits; 0: always the likeliest byte
  int top_k = 0;                         ///< sample among the k likeliest; 0: all
  uint64_t seed = 1;                     ///< of the draws
  std::string prompt_name = "--prompt";  ///< in errors
};

/// Reads the prompt (when it is empty, a newline, or the last byte of a vocabulary without one) and passes it
/// and then each sampled byte to `emit`. Memory is carried and forgotten as in evaluation, so the text may be
/// of any length. Throws InputError, before anything is emitted, for prompt bytes outside the vocabulary;
/// Error when a prediction is not finite.
void generate(const Transformer& model, std::string_view prompt, const GenerateOptions& options,
              const std::function<void(char)>& emit);

}  // namespace fade
