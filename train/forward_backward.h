// The computation of a training step: forward_backward for each block (`fade grad` does only this), then
// update. The caller then calls model.constrain() and memory.drop_forgotten().
//
// Sizes: docs/notation.md.
#pragma once

#include <span>

#include "engine/finite.h"
#include "engine/tape.h"
#include "models/transformer.h"
#include "nn/gradient_sum.h"
#include "nn/optimizer.h"

namespace fade {

/// The losses of one block. They are on the model's device; item() waits for it.
struct BlockLoss {
  Tensor loss;       ///< []: mean cross-entropy in nats
  Tensor aux;        ///< []: auxiliary loss; no tensor when there is none
  Tensor mean_span;  ///< []: in positions; no tensor for a kind without spans
};

/// Adds the gradient of loss + aux to the gradients of the model's parameters. tokens i32 [B, n] and targets
/// i32 [B·n] are on the model's device. Every layer appends its rows of this block to `memory`: call
/// memory.drop_forgotten() before the next block. The tape is empty afterwards. `sum`, for the last block before an
/// update, receives the gradients as they become final.
BlockLoss forward_backward(const Transformer& model, Tape& tape, const Tensor& tokens, const Tensor& targets,
                           Memory& memory, const StepOptions& options, GradientSum* sum = nullptr);

/// One update of the model's weights by the mean of the gradients of `blocks`, clipped to a norm of `clip`
/// (0: not clipped). With the `sum` that the last block was given, also the mean over its ranks. Returns the norm of
/// the sum of the gradients, f64 [], on the model's device. When it or a loss is not finite, on any rank, or when
/// `check` has a finding, the norm that is returned is not finite and the weights stay as they were.
Tensor update(const Transformer& model, Optimizer& optimizer, std::span<const BlockLoss> blocks,
              double lr_factor, double clip, const FiniteCheck* check = nullptr, GradientSum* sum = nullptr);

}  // namespace fade
