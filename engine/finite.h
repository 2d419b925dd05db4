// Where the first infinity or NaN of a computation came from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/observe.h"

namespace fade {

/// Which elements of a floating-point tensor are not finite: "nan at element 12; 40 of 64 elements are not
/// finite". Empty when all are finite, or when the tensor holds integers. Waits for the tensor's device.
std::string not_finite(const Tensor& t);

/// Finds the first tensor on a tape that is not finite: a result, an input that was so before any operation,
/// or a gradient during backward.
///
///   FiniteCheck check(name_of_parameter);
///   const Observing on(tape, check);
///   ... forward, backward
///   check.finding();
///   // "matmul [64,256] (node 7 of the tape, at or after layers.0.ff.fc1.weight): inf at element 3; 1 of
///   // 16384 elements are not finite"
///
/// Every tensor is read on the host: this is for finding errors, not for every step.
class FiniteCheck final : public TapeObserver {
 public:
  /// `name_of` gives the name of a leaf; empty for a leaf without one.
  explicit FiniteCheck(std::function<std::string(const Tensor&)> name_of = {})
      : name_of_(std::move(name_of)) {}

  /// The first finding: the operation, the shape, where on the tape, and the value; empty if there is none.
  const std::string& finding() const { return finding_; }

  void on_output(const OpDef& op, size_t node, const Tensor& out,
                 std::initializer_list<const Tensor*> inputs) override;
  void on_gradient(const OpDef& op, size_t node, int input, const Tensor& gradient) override;

 private:
  std::string place(size_t node) const;
  std::string input_at_fault(std::initializer_list<const Tensor*> inputs) const;

  std::function<std::string(const Tensor&)> name_of_;
  std::vector<std::string> leaf_before_;  // per node: the last named leaf that it or an earlier node used
  std::string finding_;
};

}  // namespace fade
