// Work beside the operations: a second stream of the device.
#pragma once

#include <functional>
#include <memory>

#include "engine/tensor.h"

namespace fade {

/// A stream beside that of the operations. A kernel that must not wait for the operations that follow it, nor they for it, is
/// launched here: sums over ranks, while backward goes on.
///
/// The emulated device is as late as CUDA allows: work is done at join(), until which its tensor holds NaN.
class SideStream {
 public:
  SideStream();
  SideStream(const SideStream&) = delete;
  SideStream& operator=(const SideStream&) = delete;
  ~SideStream();  ///< joins, but does not wait

  /// Calls `work`, whose launches begin after all operations so far and all work before it, beside operations that follow. It
  /// launches, and allocates and releases nothing. Until join(), `x` is used by the work alone, and stays allocated.
  void run(const Tensor& x, std::function<void()> work);

  /// Operations that follow begin when all work so far is done. The host does not wait.
  void join();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fade
