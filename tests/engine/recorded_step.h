// What a training step of the 12-layer model (configs/enwik8_12l.yaml) allocates and releases, in order, as a
// function of the rows in memory. It is recorded from steps of a small model with the same operations. A size
// in bytes is a product of sizes of the model, or has a part for each row in memory; how each of them enters
// is seen in steps in which only that one is larger.
#pragma once

#include <cstddef>
#include <vector>

namespace fade::test {

inline constexpr size_t kRecordedLayers = 12;

/// One allocation of a step.
struct RecordedAllocation {
  double fixed = 0;    ///< bytes
  double per_row = 0;  ///< further bytes per row and stream in the memory of layer `layer`
  size_t layer = 0;
};

/// One event of a step.
struct RecordedEvent {
  enum Kind {
    allocate,        ///< allocation number `index` of this step
    release,         ///< its release
    release_earlier  ///< release of allocation number `index` of the step before: old memory, old gradients
  } kind;
  size_t index;
};

/// A step, and what exists before the first one.
struct RecordedStep {
  std::vector<double> permanent;  ///< bytes of the weights, of the optimizer's state, ..
  std::vector<RecordedAllocation> allocations;
  std::vector<RecordedEvent> events;
};

/// A step of `streams` streams in f32, on the CPU.
RecordedStep record_step(int streams);

}  // namespace fade::test
