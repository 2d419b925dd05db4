// The forward and backward pass over one block, shared by training, `fade bench` and `fade grad`.
#pragma once

#include "engine/tape.h"
#include "models/transformer.h"

namespace fade {

/// The losses of one block. They are on the model's device; item() waits for it.
struct BlockLoss {
  Tensor loss;       ///< []: mean cross-entropy in nats
  Tensor aux;        ///< []: auxiliary loss; no tensor when there is none
  Tensor mean_span;  ///< []: in positions; no tensor for a kind without spans
};

/// Adds the gradient of loss + aux to the gradients of the model's parameters. tokens i32 [B, n] and targets
/// i32 [B·n] are on the model's device. Every layer appends its rows of this block to `memory`. The tape is
/// empty afterwards.
BlockLoss forward_backward(const Transformer& model, Tape& tape, const Tensor& tokens, const Tensor& targets,
                           Memory& memory, const StepOptions& options);

}  // namespace fade
