// A training step with a memory of a given size: `fade bench` times it, `fade trace` looks into it, and the plan for a text
// goes by its speed.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/ranks/ranks.h"
#include "engine/rng.h"
#include "engine/tape.h"
#include "models/transformer.h"
#include "nn/gradient_sum.h"
#include "nn/optimizer.h"
#include "train/config/config.h"

namespace fade {

/// Training steps (forward, backward, clipping, update) in which every layer and stream has exactly `live`
/// context rows, M of them the block's own, all seen by all later queries: spans are set to 3/4 of max_span,
/// which is raised to 2·live if it is smaller. Tokens and memory are random; memory is the same in every
/// step, and so are the spans. Of several ranks each has its share of the streams, and gradients are summed.
class BenchStep {
 public:
  static constexpr int kMostRows = 1 << 19;  ///< the largest `live`: model.max_span may be twice that
  static constexpr int kWarmUp = 3;          ///< steps after which memory pools are filled and caches warm

  /// The weights are new, or those of `weights`, a model of the same configuration, where they have the same
  /// shape (a raised max_span lengthens some position tables). Resets the peak of the device's memory at the
  /// end. `ranks` must outlive the step. Throws InputError unless live ≥ M, and as own_streams does.
  BenchStep(const Config& config, int64_t live, const Ranks& ranks = Ranks::alone(),
            std::unique_ptr<Transformer> weights = nullptr);

  /// One step. Returns its milliseconds; waits for the device. All ranks must call it.
  double run();

  Tape& tape() { return tape_; }                       ///< of the last step
  const Transformer& model() const { return model_; }  ///< whose step it is
  /// Of the gradients; none when there is one rank.
  const std::optional<GradientSum>& sum() const { return sum_; }
  /// The tensors that a step reads, with their names: memory, tokens and targets.
  std::vector<NamedTensor> data() const;
  std::vector<NamedTensor> given() const;  ///< the same, and the parameters

 private:
  Config config_;  ///< adapted to `live`
  Share own_;      ///< streams
  Transformer model_;
  Optimizer optimizer_;
  Generator random_;
  Memory memory_;
  Tensor tokens_, targets_;
  std::optional<GradientSum> sum_;
  Tape tape_;
};

/// Bytes per second that training of this configuration reads on this machine, by one rank: the median of a few steps, for a
/// quarter of a second, with two blocks of context, which is about what spans keep.
double training_speed(const Config& config);

}  // namespace fade
