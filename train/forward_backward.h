// Forward and backward over one block: what training, benchmarks and gradient dumps have in common.
#pragma once

#include "engine/tape.h"
#include "models/transformer.h"

namespace fade {

/// What a block gave, still on the device: reading a number waits for it.
struct BlockLoss {
  Tensor loss;       ///< []: mean cross-entropy in nats
  Tensor aux;        ///< []: auxiliary loss; no tensor when there is none
  Tensor mean_span;  ///< []: in positions; no tensor for a kind without spans
};

/// Adds the gradient of loss + aux to the model's parameters. tokens i32 [B, n], targets i32 [B·n], both on
/// the model's device. `memory` moves on by the block. The tape is empty again afterwards.
BlockLoss train_block(const Transformer& model, Tape& tape, const Tensor& tokens, const Tensor& targets,
                      Memory& memory, const StepOptions& options);

}  // namespace fade
