// The training loop.
//
// Sizes: B streams, M block positions.
#pragma once

#include <filesystem>

#include "models/transformer.h"
#include "nn/optimizer.h"
#include "train/checkpoint.h"
#include "train/config.h"
#include "train/corpus.h"
#include "train/evaluate.h"
#include "train/streams.h"
#include "train/train_block.h"

namespace fade {

/// One model in training: everything that a step reads and changes, and nothing of files or terminals.
class Trainer {
 public:
  /// What one step (an optimizer update over B·M·accumulate bytes) did.
  struct Step {
    double bits = 0;       ///< mean training loss, bits per byte
    double aux = 0;        ///< auxiliary loss (negative under the ramp: see ops/span_loss)
    double grad_norm = 0;  ///< before clipping
    double lr = 0;
    double mean_span = 0;  ///< in positions
    double mean_rows = 0;  ///< rows in memory a stream and layer, after the step
  };

  /// Throws InputError when the training split is too small for the batch.
  Trainer(const Config& config, const Corpus& corpus);

  /// One update. Throws Error when the loss or the gradient is not finite, naming the step; the weights are
  /// then those before the step.
  Step step();

  int64_t steps_done() const { return optimizer_.steps(); }
  const Transformer& model() const { return model_; }
  /// False when data.split leaves the validation split less than two bytes: there is nothing to predict.
  bool can_validate() const { return validation_text().size() >= 2; }
  /// The validation split, or its first train.eval_bytes.
  std::span<const uint8_t> validation_text() const;
  /// Reads it in as many streams as training does, or as many as it has bytes for.
  EvalResult validate(const std::function<void(const EvalBlock&)>& on_block = {}) const;

  /// Takes note of a validation after the step just done. True when it is the best so far.
  bool note_validation(double bits_per_byte);
  const std::optional<BestResult>& best() const { return best_; }

  void save(const std::filesystem::path& run) const;
  /// Goes on from a checkpoint, bit for bit. Throws InputError when it belongs to another model.
  void restore(const Checkpoint& checkpoint);

 private:
  BlockLoss next_block();

  Config config_;
  const Corpus& corpus_;
  Transformer model_;
  Optimizer optimizer_;
  Schedule schedule_;
  TrainReader reader_;
  Generator random_;
  Memory memory_;
  std::optional<BestResult> best_;
  Tape tape_;
  std::vector<int32_t> tokens_, targets_;
};

}  // namespace fade
