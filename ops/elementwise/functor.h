// What an elementwise operation is made of: a functor, the same lines for every device.
//
// That of a unary operation is a struct F with
//   name, saves      what its gradient rule reads: its input, its output or nothing
//   forward(x)       the value
//   backward(g, v)   the gradient, from the gradient g of the output and v, what was saved
// One of two or three operands has only a name and forward(a, b, ..): its gradient rule is made of other
// operations (elementwise.cpp). Arguments and result are all float or all double. Members of F are its
// attributes. Functions are marked FADE_HD: they run on the CPU and on the device.
#pragma once

#include "engine/host_device.h"

namespace fade {

/// What the gradient rule of a unary operation reads.
enum class Saves {
  nothing,  ///< only the gradient of the output
  input,    ///< and x
  output    ///< and y
};

}  // namespace fade
