// The state of a training run as plain data: everything that a step changes.
#pragma once

#include <cstdint>
#include <vector>

#include "models/memory.h"
#include "train/data/corpus.h"
#include "train/data/streams.h"

namespace fade {

/// With the configuration and the corpus, all that training needs to continue bit for bit. Tensors may share
/// the storage of the trainer that they came from: they hold until its next step.
struct TrainState {
  int64_t steps = 0;                        ///< updates of the weights
  int64_t skipped = 0;                      ///< steps skipped because they were not finite
  StreamPosition position;                  ///< of the training reader
  uint64_t random_stream = 0;               ///< the next random stream of dropout and noise
  std::vector<Memory> memories = {};        ///< of the training streams, of each set that takes turns
  std::vector<NamedTensor> weights = {};    ///< the model's parameters, in their order
  std::vector<NamedTensor> optimizer = {};  ///< Optimizer::state(); of another optimizer: none
  int64_t optimizer_steps = 0;              ///< updates since that state was zero
  CorpusIdentity corpus = {};               ///< what was trained on last
  int64_t corpus_since = 0;  ///< the step after which the run went on with it; 0: from the start
};

}  // namespace fade
