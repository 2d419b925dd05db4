// The launches that make up span attention on CUDA, each in a file of its own; launch.cu puts them together.
// All arrays are on the device; names as in span_attention.h.
#pragma once

#include "ops/span_attention/cuda/tensor_product.h"

namespace fade::span_cuda {

/// Writes out [B·M, H] and lse [B, K, M].
template <class S>
void launch_forward(const AttentionArrays<S>& x, S* out, compute_t<S>* lse);

/// Writes dkv [N, 2H], and dspan [K, N] unless it is nullptr: each head's part of R·de_j.
template <class S>
void launch_backward_dkv(const AttentionArrays<S>& x, const BackwardInputs<S>& b, S* dkv,
                         compute_t<S>* dspan);

/// Parts in which dpos is summed, at most.
inline constexpr int64_t kPositionParts = 256;

/// Writes dq [B·M, H] and adds to the parts of dpos [parts, P, D]. parts 0: P is 0.
template <class S>
void launch_backward_dq(const AttentionArrays<S>& x, const BackwardInputs<S>& b, S* dq, compute_t<S>* dpos,
                        int64_t parts);

/// f.operator()<P>() with the products P (product.h) of the smallest tiles that have room for the heads. On
/// tensor cores: of bf16, and of f32 where that is set, for heads of up to 128 features. Larger heads of f32, whose
/// tiles have 16 rows for all warps, are multiplied exactly.
template <class S, class F>
void for_products(const AttentionArrays<S>& x, F&& f) {
  const auto with = [&]<int D>() {
    if constexpr (std::is_same_v<S, bf16>) {
      return f.template operator()<Mma<bf16, D>>();
    } else {
      if constexpr (std::is_same_v<S, float> && D <= 128)
        if (x.tensor_cores) return f.template operator()<Mma<float, D>>();
      f.template operator()<Fma<S, D>>();
    }
  };
  if (x.head_size <= 32) return with.template operator()<32>();
  if (x.head_size <= 64) return with.template operator()<64>();
  if constexpr (std::is_same_v<S, bf16>) {
    with.template operator()<128>();
  } else {
    if (x.head_size <= 128) return with.template operator()<128>();
    with.template operator()<256>();
  }
}

}  // namespace fade::span_cuda
