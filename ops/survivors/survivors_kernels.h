// Kernels of survivors.
#pragma once

#include "engine/kernel.h"
#include "ops/survivors/survivors.h"

namespace fade {

/// The spans of a Lifetime, by row.
template <class T>
struct RowSpans {
  const T* spans;  ///< nullptr: all are 0
  int64_t step;    ///< 0: one for all rows

  explicit RowSpans(const Tensor& span)
      : spans(span ? span.data<T>() : nullptr), step(span && span.numel() > 1 ? 1 : 0) {}
  FADE_HD double operator()(int64_t row) const { return spans ? static_cast<double>(spans[row * step]) : 0; }
};

/// Calls f<T>() for the type of a lifetime's spans.
template <class F>
void dispatch_spans(const Lifetime& lifetime, F&& f) {
  dispatch_float(lifetime.span ? lifetime.span.dtype() : DType::f32, "survivors", f);
}

/// Fills `out`, whose tensors are allocated.
inline constinit Kernel<void(const PackedRows&, const Lifetime&, const Survivors& out)> survivors_kernel{
    "survivors"};

}  // namespace fade
