// One model in training, by one process or by several ranks, each with its own streams.
//
// With several ranks, rank 0 leads: each call of step, validate, state, restore or set_steps there is an order, which the other
// ranks carry out at the same time (train/follow.h). Their weights stay the same, bit for bit.
//
// Sizes: docs/notation.md.
#pragma once

#include <optional>

#include "engine/finite.h"
#include "engine/ranks/ranks.h"
#include "models/transformer.h"
#include "nn/optimizer.h"
#include "train/config/config.h"
#include "train/data/corpus.h"
#include "train/data/streams.h"
#include "train/evaluate.h"
#include "train/forward_backward.h"
#include "train/train_state.h"

namespace fade {

/// A step, or weights, that hold an infinity or a NaN.
struct NonfiniteError : Error {
  using Error::Error;
};

/// What rank 0 has all ranks do. A run of several (`fade compare`) is begun outside of a trainer.
enum class Order : int {
  step,       ///< Trainer::step
  validate,   ///< Trainer::validate
  report,     ///< the evaluation of report_on
  state,      ///< Trainer::state
  restore,    ///< Trainer::restore
  set_steps,  ///< Trainer::set_steps
  run,        ///< one more run, and its orders
  end         ///< nothing more: follow() returns
};

/// A model with its optimizer, memories, reader and randomness: everything that a step reads and changes, and
/// nothing of files or terminals.
class Trainer {
 public:
  /// The figures of one step: an update from B·M·accumulate bytes.
  struct Step {
    double bits = 0;                       ///< mean training loss, bits per byte
    double aux = 0;                        ///< auxiliary loss (negative on the ramp: see ops/span_loss)
    double grad_norm = 0;                  ///< of the mean gradient, before clipping
    double lr = 0;                         ///< learning rate of the update
    std::optional<double> mean_span = {};  ///< in positions; none for kinds without spans
    double mean_rows = 0;  ///< rows in memory per stream and layer, of all sets, after the step
    int skipped = 0;       ///< attempts before it that were not finite
  };

  /// A new model with the configuration's initial values. `corpus` and `ranks` must outlive the trainer. Throws
  /// InputError when the training split is too small for the batch, when the batch cannot be divided evenly between
  /// the ranks, and as device_for and Corpus::identity do.
  Trainer(const Config& config, const Corpus& corpus, const Ranks& ranks = Ranks::alone());

  /// One update. When the loss or the gradient is not finite, or with check_finite the result or gradient of
  /// any operation, the weights stay as they were and config.train.on_nonfinite decides. stop: throws
  /// NonfiniteError, which names the step, the first tensor that is not finite (found by repeating the step
  /// and checking every tensor), and which settings to lower; the trainer is then as it was before the step.
  /// skip: the bytes are passed over, memories are emptied, and the next bytes are tried, at most 20 times.
  /// When the corpus cannot be read, throws InputError; the trainer is then as it was before the step.
  Step step();

  /// Checks the result and the gradient of every operation, forward and backward. Slow.
  void check_finite(bool on) { check_finite_ = on; }
  /// Throws NonfiniteError, naming the tensor, when a weight, a state of the optimizer or a row in memory of `state` is
  /// not finite: it must not be saved.
  void check(const TrainState& state) const;

  /// Steps skipped so far because they were not finite.
  int64_t skipped() const { return skipped_; }
  int64_t steps_done() const { return steps_; }           ///< updates of the weights
  const Schedule& schedule() const { return schedule_; }  ///< of the learning rate
  const Config& config() const { return config_; }        ///< as it was given, with the number of set_steps
  const Transformer& model() const { return model_; }     ///< with the weights of now
  const Corpus& corpus() const { return corpus_; }        ///< as it was given
  const TrainReader& reader() const { return reader_; }   ///< of the training split
  const Ranks& ranks() const { return ranks_; }           ///< as they were given

  /// False when data.split leaves the validation split less than two bytes: there is nothing to predict.
  bool can_validate() const { return validation_text().size() >= 2; }
  /// The validation split, or its first train.eval_bytes.
  Bytes validation_text() const;
  /// Evaluates on validation_text(), in as many streams as training has, or as many as the text has bytes
  /// for. `stop` ends it (EvalOptions). Throws as evaluate does.
  EvalResult validate(const std::function<bool()>& stop = {}) const;
  /// The same, as a part of what `order` has all ranks do. `on_block` sees each block of this rank's streams.
  EvalResult validate(Order order, const std::function<bool()>& stop,
                      const std::function<void(const EvalBlock&)>& on_block) const;

  /// The state after the last step, with the memory of all streams on rank 0. It shares the tensors of the model and
  /// the optimizer. Throws InputError when the weights are not the same on all ranks.
  TrainState state() const;
  /// Continues from a state, bit for bit, that of rank 0. It must be of a trainer with the same configuration, on any
  /// device and number of ranks; without a state of the optimizer, that starts from zero. Throws InputError, and
  /// changes nothing, when the corpus has no such position.
  void restore(const TrainState& state);

  /// Sets config().train.steps, that of rank 0, and with it the rest of the schedule. Steps that were done at full
  /// height of both (Schedule::last_full_step) would have been the same with it.
  void set_steps(int steps);

 private:
  /// `work` on all ranks at once: rank 0 gives the order. An error that only this rank knows of ends the job.
  template <class F>
  auto on_all_ranks(Order order, const F& work) const;
  Step step_once();
  Step try_step(FiniteCheck* check);
  BlockLoss next_block(GradientSum* sum);
  void set_state(const TrainState& state);
  [[noreturn]] void stop_nonfinite(const std::function<void()>& rewind, const Step& failed);
  FiniteCheck finite_check() const;

  Config config_;
  const Corpus& corpus_;
  const Ranks& ranks_;
  Share own_;                ///< streams
  CorpusIdentity identity_;  ///< of the corpus when training began
  Transformer model_;
  Optimizer optimizer_;
  Schedule schedule_;
  TrainReader reader_;
  Generator random_;
  std::vector<Memory> memories_;    ///< of each set of streams that takes turns
  std::optional<GradientSum> sum_;  ///< of several ranks
  int64_t steps_ = 0, skipped_ = 0, corpus_since_ = 0;
  bool check_finite_ = false;
  Tape tape_;
  std::vector<int32_t> tokens_, targets_;
};

}  // namespace fade
