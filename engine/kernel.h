// Kernel<Signature>: one function per operation, with one implementation per device.
//
//   inline constinit Kernel<void(const Tensor& x, const Tensor& mask, Out y)> softmax_forward{"softmax"};
//   softmax_forward(x.device(), x, mask, y);
//
// An operation declares its kernels in X_kernels.h; X_cpu.cpp and X_cuda.cu each register theirs from a
// static initializer. A new device or type is a new file: existing files do not change.
//
// Inputs come first, then outputs, which are declared as Out.
#pragma once

#include "engine/error.h"
#include "engine/tensor.h"

namespace fade {

/// A parameter that a kernel writes (with mutate()): a tensor of the right shape, made by the caller. An
/// empty one is an output that is not needed, where a kernel's comment allows it.
using Out = const Tensor&;

template <class Signature>
class Kernel;

template <class... Args>
class Kernel<void(Args...)> {
 public:
  using Function = void (*)(Args...);

  constexpr explicit Kernel(const char* name) : name_(name) {}

  /// Registers the implementation for a device. Returns true so that it can initialise a static constant.
  bool implement(Device d, Function f) {
    functions_[static_cast<int>(d)] = f;
    return true;
  }

  /// Runs the kernel on `d`. Throws when this build has no implementation for it.
  void operator()(Device d, Args... args) const {
    const Function f = functions_[static_cast<int>(d)];
    if (!f) fail("{}: there is no {} kernel in this build (use --device cpu)", name_, name_of(d));
    f(args...);
  }

 private:
  const char* name_;
  Function functions_[kDevices] = {};
};

}  // namespace fade
