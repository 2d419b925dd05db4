// The training loop.
//
// Sizes: B streams, M block positions.
#pragma once

#include <filesystem>

#include "engine/finite.h"
#include "models/transformer.h"
#include "nn/optimizer.h"
#include "train/checkpoint/checkpoint.h"
#include "train/config/config.h"
#include "train/data/corpus.h"
#include "train/data/streams.h"
#include "train/evaluate.h"
#include "train/forward_backward.h"

namespace fade {

/// A step, or weights, that hold an infinity or a NaN.
struct NonfiniteError : Error {
  using Error::Error;
};

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
    int skipped = 0;       ///< attempts before it that were not finite
  };

  /// Throws InputError when the training split is too small for the batch.
  Trainer(const Config& config, const Corpus& corpus);

  /// One update. When the loss or the gradient is not finite, or in any operation something isn't while
  /// check_finite is on, the weights stay as they were, and config.train.on_nonfinite decides. stop: throws
  /// NonfiniteError, which names the step, the first tensor that went wrong (found by doing the step again
  /// and looking), and what to lower; all is then as it was before the step. skip: the bytes are passed over,
  /// memories are emptied, and the next ones tried, 20 times at most.
  Step step();

  /// Looks at the result and the gradient of every operation, forward and backward. Slow.
  void check_finite(bool on) { check_finite_ = on; }
  /// Throws NonfiniteError, naming the parameter, when a weight is not finite: such a model is not worth
  /// keeping.
  void check_weights() const;

  /// Steps skipped so far because they were not finite.
  int64_t skipped() const { return skipped_; }
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
  /// What a step starts from, beside the weights.
  struct Start {
    StreamPosition position;
    RngKey random;
    Memory memory;
  };
  Start start() const { return {reader_.position(), random_.state(), memory_}; }
  void go_back_to(const Start& start);
  Step attempt(FiniteCheck* check);
  [[noreturn]] void stop(const Start& start, const Step& failed);
  std::string name_of_leaf(const Tensor& leaf) const;
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
  int64_t skipped_ = 0;
  bool check_finite_ = false;
  Tape tape_;
  std::vector<int32_t> tokens_, targets_;
};

}  // namespace fade
