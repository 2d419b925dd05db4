// The tape of a training step with the time and the memory of every node, measured over several steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/step_trace.h"
#include "train/bench_step.h"

namespace fade {

struct Trace {
  std::vector<TraceRow> rows;  ///< as in TracedStep; means over the traced steps in the middle half by time
  double traced_ms = 0;        ///< Σ over rows
  double step_ms = 0;          ///< of a step that is not traced: the median, as `fade bench` has it
  int64_t peak_bytes = 0;      ///< highest live bytes, as `fade bench` has it
  int64_t before_bytes = 0;    ///< live before a step: weights, moments of the optimizer, memory and tokens
  size_t peak_row = 0;         ///< where the peak was
  bool peak_in_backward = false;
};

/// Runs 2·steps steps after the warm-up: one as it is, the next with a trace, and so on.
Trace trace_steps(BenchStep& step, int steps);

/// Bytes that the rows save for backward.
int64_t saved_bytes(const std::vector<TraceRow>& rows);

/// The part of a model that a module belongs to, two names deep: "layers.3.attn" for "layers.3.attn.query" (a
/// number belongs to the name before it).
std::string part_of_model(const std::string& module);

/// A row per part of the model. `op` names its operations, each once; `shape` is that of its last result
/// which another part reads, scalars aside; `inputs` are those that come from outside of the part.
Trace folded(const Trace& trace);

/// The trace as a table with its sums; `by_module`: of rows as folded() makes them.
std::string trace_table(const Trace& trace, bool by_module);
/// In words: the time of a step, and where its memory was highest and what was live there.
std::string trace_summary(const Trace& trace, bool by_module);

}  // namespace fade
