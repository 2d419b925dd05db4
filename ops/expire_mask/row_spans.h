// The arguments that the operations on a span per row have in common.
#pragma once

#include "ops/check.h"

namespace fade {

/// Throws unless R ≥ 2.
inline void check_ramp(const char* op, int ramp) {
  if (ramp < 2) fail("{}: ramp {} (needs at least 2)", op, ramp);
}

/// Throws unless span e [B, L] and age i32 [B, L] belong together and R ≥ 2.
inline void check_row_spans(const char* op, const Tensor& span, const Tensor& age, int ramp) {
  check_dims(op, "span", span, 2);
  check_shape(op, "age", age, span.shape());
  check_type(op, "age", age, DType::i32);
  check_ramp(op, ramp);
}

}  // namespace fade
