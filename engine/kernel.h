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

#include <span>

#include "engine/error.h"
#include "engine/tensor.h"

namespace fade {

/// A parameter that a kernel writes (with mutate()): a tensor of the right shape, made by the caller. An
/// empty one is an output that is not needed, where a kernel's comment allows it.
using Out = const Tensor&;

/// The part of Kernel that does not depend on the signature: its name, and the place where the implementation
/// of each device was registered.
class KernelPlaces {
 public:
  /// `name`, a static string, is the kernel's in errors.
  constexpr explicit KernelPlaces(const char* name) : name_(name) {}

 protected:
  /// A line of a source file; none where file is nullptr.
  struct Place {
    const char* file = nullptr;  ///< null: none
    int line = 0;                ///< from 1
  };
  /// Keeps the place; of a second registration too, for the error of the first call.
  void add(Device d, Place place);
  /// Throws, and names the remedy, unless there is exactly one implementation for `d`.
  void check(Device d) const {
    const auto i = static_cast<size_t>(d);
    if (!places_[i].file || second_[i].file) refuse_call(d);
  }
  /// Throws when a tensor is on another device than the kernel, which could not read its memory.
  void check_device(Device d, const Tensor& t) const {
    if (t && t.device() != d) refuse_device(d, t.device());
  }
  /// The same for each of several.
  void check_device(Device d, std::span<const Tensor> tensors) const {
    for (const Tensor& t : tensors) check_device(d, t);
  }
  /// Arguments that are no tensors are on no device.
  template <class Other>
  void check_device(Device, const Other&) const {}

 private:
  [[noreturn]] void refuse_call(Device d) const;
  [[noreturn]] void refuse_device(Device d, Device found) const;
  const char* name_;
  Place places_[kDevices] = {}, second_[kDevices] = {};
};

/// A function with an implementation per device: see the top of this file.
template <class Signature>
class Kernel;

/// The implementations of one function of an operation: one per device.
template <class... Args>
class Kernel<void(Args...)> : private KernelPlaces {
 public:
  using Function = void (*)(Args...);  ///< an implementation

  /// `name`, a static string, is the kernel's in errors.
  constexpr explicit Kernel(const char* name) : KernelPlaces(name) {}

  /// Registers the implementation for a device, once. Returns true so that it can initialise a static
  /// constant. The last two arguments are the place of the call, for errors.
  bool implement(Device d, Function f, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    functions_[static_cast<int>(d)] = f;
    add(d, {file, line});
    return true;
  }

  /// Runs the kernel on `d`, where its tensors must be. Throws when this program has no implementation for
  /// it, or two, and when a tensor is on another device.
  void operator()(Device d, Args... args) const {
    check(d);
    (check_device(d, args), ...);
    functions_[static_cast<int>(d)](args...);
  }

 private:
  Function functions_[kDevices] = {};
};

}  // namespace fade
