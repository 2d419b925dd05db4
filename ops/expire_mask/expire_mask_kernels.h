// Kernels of expire_mask and adaptive_mask. m and g [B, G, M, L], age i32 [B, L]; expiring spans [B, L] with
// G = 1, adaptive spans [K] with G = K.
#pragma once

#include "engine/kernel.h"
#include "ops/span_attention/mask.h"

namespace fade {

struct SoftMask {
  MaskKind kind;
  int32_t ramp;         ///< R
  int32_t last = kFar;  ///< greatest distance at which a row is visible

  template <class T>
  MaskFormula<T> formula(const Tensor& span) const {
    MaskFormula<T> mask(kind, span.data<T>(), ramp);
    mask.rows.last = last;
    return mask;
  }
};

/// Σ_i g·dm/de of one row: `g` points to the gradient of its mask for query 0, and is `stride` elements from
/// query to query.
template <class T>
FADE_HD T span_gradient(const MaskFormula<T>& mask, T span, int32_t age, const T* g, int64_t stride,
                        int64_t queries) {
  T sum = 0;
  for (int32_t i = 0; i < queries; ++i)
    if (const T slope = mask.slope_in_reach(age, span, i); slope != 0) sum += slope * g[i * stride];
  return sum * mask.inverse_ramp;
}

/// m = the mask, 0 at distances beyond 1..last.
inline constinit Kernel<void(const Tensor& span, const Tensor& age, const SoftMask&, Out m)>
    soft_mask_forward{"expire_mask"};
/// dspan [B, G, L]: Σ_i g·dm/de, of each row for itself.
inline constinit Kernel<void(const Tensor& g, const Tensor& span, const Tensor& age, const SoftMask&,
                             Out dspan)>
    soft_mask_backward{"expire_mask"};

}  // namespace fade
