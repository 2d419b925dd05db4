// The checks of every case in the table. A check returns a verdict instead of failing the test, so that
// planted_bugs_test.cpp can require that it finds a wrong operation.
#pragma once

#include "engine/tape.h"
#include "tests/ops/op_case.h"

namespace fade::test {

struct Verdict {
  bool ok = true;
  std::string why = {};  ///< what is wrong and where; empty if ok
};

/// The devices of this build and machine, the CPU first.
std::vector<Device> available_devices();

/// Changes the tape between forward and backward, as a bug in the operation would. `inputs` are the tensors
/// of the case.
using Tamper = std::function<void(Tape& tape, const Tensors& inputs)>;

/// Compares f64 values and shape with the reference; a second run must give the same bits, and the inputs
/// must not change. `run` replaces the case's own.
Verdict check_values(const OpCase& c, Device device, const Run& run);
/// Compares f64 gradients with differences (engine/gradcheck.h). Inputs that are not differentiable do not
/// count in the numbers of its messages.
Verdict check_gradient(const OpCase& c, Device device, const Tamper& tamper = {});
/// The gradient of each input is the same when no other input needs one.
Verdict check_gradient_alone(const OpCase& c, Device device);
/// A tensor used twice receives the gradients of both uses.
Verdict check_gradient_twice(const OpCase& c, Device device);
/// Compares f32 values and gradients with f64.
Verdict check_f32(const OpCase& c, Device device);
/// Bytes kept alive for backward beyond the inputs, read from the recorded nodes.
Verdict check_saved_bytes(const OpCase& c, Device device);

/// All of the above. Returns the first verdict that is not ok, or ok.
Verdict check_case(const OpCase& c, Device device);

/// The tape's gradients of Σ cotangent·result for each differentiable input, zeros if none arrived. An empty
/// array for the other inputs.
Arrays tape_gradients(const OpCase& c, Device device, DType dtype, const Tamper& tamper = {});

}  // namespace fade::test
