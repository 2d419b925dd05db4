// Sums of tensors over the ranks of a job, while the caller computes.
#pragma once

#include <memory>

#include "engine/ranks/ranks.h"
#include "engine/tensor.h"

namespace fade {

/// Sums over all ranks, in an order that depends on their number alone: each rank receives one slice of the tensor from all
/// ranks, adds its parts in the order of the ranks, and gives the sum to all. So all ranks have the same bits, and a run
/// repeats. Of a tensor of n bytes, each rank sends and receives 2·n·(N − 1)/N.
class Summation {
 public:
  virtual ~Summation() = default;
  /// Begins to replace the elements of `flat` by their sums over ranks. `flat` is [n], f32 or f64, where N divides n; it must
  /// stay as it is until finish(). Every rank starts the same sums in the same order.
  virtual void start(const Tensor& flat) = 0;
  /// All sums that were started are there for the operations that follow. The host need not have them yet.
  virtual void finish() = 0;
};

/// What a device provides for sums.
using MakeSummation = std::unique_ptr<Summation> (*)(const Ranks& ranks);

/// Makes sums on a device available. Called once, from a static initializer; that of the CPU is built in.
bool register_summation(Device device, MakeSummation make);

/// Sums of tensors on `device`, for a job of several ranks; on device cuda also of one, for tests. Throws InputError when this
/// build has none for the device.
std::unique_ptr<Summation> make_summation(const Ranks& ranks, Device device);

}  // namespace fade
