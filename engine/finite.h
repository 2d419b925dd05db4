// Where the first infinity or NaN of a computation came from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/tape.h"

namespace fade {

/// What is not finite in a floating-point tensor, "nan at element 12; 40 of 64 elements are not finite";
/// empty when all of it is finite, or when it holds integers. Waits for the tensor's device.
std::string not_finite(const Tensor& t);

/// Watches a tape for the first tensor that is not finite: a result, an input that was so before any
/// operation, or a gradient on the way back.
///
///   FiniteCheck check;
///   const Observing on(tape, check);
///   ... forward, backward
///   check.finding();  // "matmul [64,256] (node 7 of the tape, after layers.0.ff.fc1.weight): inf at element
///   3; .."
///
/// Every tensor is read on the host: this is for finding errors, not for everyday steps.
class FiniteCheck final : public TapeObserver {
 public:
  /// `name_of` says what a leaf is called; empty for none.
  explicit FiniteCheck(std::function<std::string(const Tensor&)> name_of = {})
      : name_of_(std::move(name_of)) {}

  /// The first finding: the operation, the shape, where on the tape, and what was there; empty if there is
  /// none.
  const std::string& finding() const { return finding_; }

  void on_output(const OpDef& op, size_t node, const Tensor& out,
                 std::initializer_list<const Tensor*> inputs) override;
  void on_gradient(const OpDef& op, size_t node, int input, const Tensor& gradient) override;

 private:
  std::string place(size_t node) const;
  std::string input_at_fault(std::initializer_list<const Tensor*> inputs) const;

  std::function<std::string(const Tensor&)> name_of_;
  std::vector<std::string>
      leaf_before_;  ///< of each node: the last named leaf that it or a node before it used
  std::string finding_;
};

}  // namespace fade
