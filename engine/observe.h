// Observers of a tape: for checks (engine/finite.h) and traces (engine/step_trace.h).
#pragma once

#include "engine/tape.h"

namespace fade {

/// Is told what happens on a tape.
class TapeObserver {
 public:
  virtual ~TapeObserver() = default;
  /// `op` has computed `out`. It becomes node `node` of the tape if a gradient can reach an input.
  virtual void on_output(const OpDef& op, size_t node, const Tensor& out,
                         std::initializer_list<const Tensor*> inputs) = 0;
  /// backward begins: the nodes of `tape` have everything that they saved.
  virtual void on_backward(const Tape& /*tape*/) {}
  /// During backward, the rule of node `node` is done; `gradient` is that of its input `input` so far.
  virtual void on_gradient(const OpDef& op, size_t node, int input, const Tensor& gradient) = 0;
  /// During backward, node `node` is done: what it saved is released. Its rule did not run if
  /// no gradient came.
  virtual void on_done(size_t /*node*/) {}
};

/// While in scope, `observer` is told what happens on the tape.
class Observing {
 public:
  /// Both must outlive the scope.
  Observing(Tape& tape, TapeObserver& observer) : tape_(tape), previous_(tape.observe(&observer)) {}
  ~Observing() { tape_.observe(previous_); }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Tape& tape_;
  TapeObserver* previous_;
};

}  // namespace fade
