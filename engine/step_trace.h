// What a step of training does: every operation with its time and memory, and the work besides.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/observe.h"

namespace fade {

/// An input of an operation: the row of the node whose result it is, or the name of another tensor.
using TraceInput = std::variant<size_t, std::string>;

/// An operation of a step; or the work of a module that is no recorded operation.
struct TraceRow {
  std::string op = {};      ///< the operation's name; StepTrace::kOther for work that is no operation
  std::string module = {};  ///< the innermost module that it belongs to; empty outside of all
  bool on_tape = false;     ///< a node of the tape: a gradient can reach it
  std::vector<TraceInput> inputs = {};  ///< in the operation's order
  Shape shape = {};                     ///< of the result
  int64_t saved_bytes = 0;              ///< what backward needs of it, and no node before it has saved
  double forward_ms = 0;                ///< since the operation before it, or since its module began
  double backward_ms = 0;               ///< of its gradient rule
};

/// A step in rows: the tape's nodes in their order, then operations that no gradient can reach, then the
/// other work, a row per module.
struct TracedStep {
  std::vector<TraceRow> rows;     ///< in the order above
  double ms = 0;                  ///< of the step: Σ over rows of forward_ms + backward_ms
  int64_t start_bytes = 0;        ///< live on the device when the step began
  int64_t peak_bytes = 0;         ///< the highest live bytes during the step
  size_t peak_row = 0;            ///< where that was
  bool peak_in_backward = false;  ///< and whether it was in the row's backward pass
};

/// Traces one step on this thread and a tape, which is empty at first, from its construction to finish().
///
/// Time belongs to what it ends with: an operation, the gradient rule of a node, or a change of the module
/// (engine/module_scope.h). What a module did since its last operation belongs to that operation; what it did
/// without one is its other work. Only the work of the trace itself is left out. On a device that works
/// beside the host, every event waits for it: the step then takes longer than without a trace.
///
/// Bytes of a node are those of the storages that it saves for backward, each counted at the first node that
/// saves it, and at none if it was there before the step.
class StepTrace final : public TapeObserver, public ModuleObserver {
 public:
  static constexpr const char* kOther = "other";  ///< TraceRow::op of work that is no operation

  /// `given` are the tensors that are there before the step, with their names: parameters, memory, tokens.
  /// Resets the peak of the device's memory.
  StepTrace(Tape& tape, Device device, const std::vector<NamedTensor>& given);
  ~StepTrace() override;
  StepTrace(const StepTrace&) = delete;
  StepTrace& operator=(const StepTrace&) = delete;

  /// The step so far, with which the trace ends. To be called once.
  TracedStep finish();

  void on_output(const OpDef& op, size_t node, const Tensor& out,
                 std::initializer_list<const Tensor*> inputs) override;
  void on_backward(const Tape& tape) override;
  void on_gradient(const OpDef&, size_t, int, const Tensor&) override {}
  void on_done(size_t node) override;
  void on_switch() noexcept override;

 private:
  double lap();
  void charge(double TraceRow::*pass, size_t row, double ms);
  size_t other_row();
  void end_work();
  void stop();
  void sort_rows();

  Tape& tape_;
  Device device_;
  std::map<const Storage*, std::string> given_;
  TapeObserver* tape_before_;
  ModuleObserver* modules_before_;
  TracedStep step_;
  std::map<std::string, size_t, std::less<>> others_;  ///< rows of other work, by module
  std::vector<size_t> row_of_node_;                    ///< on the tape as it is now
  std::optional<size_t> last_output_;  ///< the row of the last operation since the last switch
  bool observing_ = true;
  bool in_backward_ = false;                    ///< no switch since backward began
  std::chrono::steady_clock::time_point last_;  ///< the end of the last event
  double clock_ms_ = 0;
};

}  // namespace fade
