// What is checked of every case in the table. A check returns a verdict, rather than failing the test itself,
// so that planted_bugs_test.cpp can demand that a wrong operation is found out.
#pragma once

#include "engine/tape.h"
#include "tests/ops/op_case.h"

namespace fade::test {

struct Verdict {
  bool ok = true;
  std::string why = {};  ///< what was wrong and where; empty when ok
};

/// Devices of this build and machine.
std::vector<Device> available_devices();

/// Changes the tape between forward and backward, as a bug in the operation would. `inputs` are the tensors
/// of the case.
using Tamper = std::function<void(Tape& tape, const Tensors& inputs)>;

/// f64 values and shape against the reference; the same bits on a second run; inputs left alone. `run` takes
/// the place of the case's own.
Verdict check_values(const OpCase& c, Device device, const Run& run);
/// f64 gradients of Σ cotangent·result, the cotangents random, against central differences. A sum of the
/// results would be blind: its gradient through softmax is zero, which a rule of zeros passes.
Verdict check_gradient(const OpCase& c, Device device, const Tamper& tamper = {});
/// Each input's gradient is the same when no other input wants one.
Verdict check_gradient_alone(const OpCase& c, Device device);
/// A tensor used twice receives the gradients of both uses.
Verdict check_gradient_twice(const OpCase& c, Device device);
/// f32 values and gradients against f64.
Verdict check_f32(const OpCase& c, Device device);
/// Bytes kept alive for backward beyond the inputs, read from the recorded nodes.
Verdict check_saved_bytes(const OpCase& c, Device device);

/// All of the above: the first verdict that is not ok, or ok.
Verdict check_case(const OpCase& c, Device device);

/// Gradients by the tape of Σ cotangent·result for each differentiable input, zeros where none arrived; an
/// empty array for the other inputs.
Arrays tape_gradients(const OpCase& c, Device device, DType dtype, const Tamper& tamper = {});

}  // namespace fade::test
