// Kernel<Signature>: one function an operation, with an implementation a device.
//
// An operation declares its kernels in X_kernels.h or X.h; X_cpu.cpp and X_cuda.cu each add theirs from a
// static initializer. A new device or type is a new file: what exists is not touched.
#pragma once

#include "engine/device.h"
#include "engine/error.h"

namespace fade {

template <class Signature>
class Kernel;

template <class... Args>
class Kernel<void(Args...)> {
 public:
  using Function = void (*)(Args...);

  constexpr explicit Kernel(const char* name) : name_(name) {}

  /// Registers the implementation of a device. Returns true so that it can initialise a static constant.
  bool implement(Device d, Function f) {
    functions_[static_cast<int>(d)] = f;
    return true;
  }

  /// Runs the kernel on `d`. Throws when this build has none for it.
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
