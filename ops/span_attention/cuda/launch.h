// The launches that make up span attention on CUDA, each in a file of its own; launch.cu puts them together.
// All arrays are on the device; names as in span_attention.h.
#pragma once

#include "ops/span_attention/cuda/tensor_product.h"

namespace fade::span_cuda {

/// Writes out [B·M, H] and lse [B, K, M].
template <class T>
void launch_forward(const AttentionArrays<T>& x, T* out, T* lse);

/// Writes dkv [N, 2H], and dspan [K, N] unless it is nullptr: each head's part of R·de_j.
template <class T>
void launch_backward_dkv(const AttentionArrays<T>& x, const BackwardInputs<T>& b, T* dkv, T* dspan);

/// Parts in which dpos is summed, at most.
inline constexpr int64_t kPositionParts = 256;

/// Writes dq [B·M, H] and adds to the parts of dpos [parts, P, D]. parts 0: P is 0.
template <class T>
void launch_backward_dq(const AttentionArrays<T>& x, const BackwardInputs<T>& b, T* dq, T* dpos,
                        int64_t parts);

/// f.operator()<P>() with the products P (product.h) of the smallest tiles that have room for the heads. On
/// tensor cores, where that is set, for heads of up to 64 features.
template <class T, class F>
void for_products(const AttentionArrays<T>& x, F&& f) {
  const auto with = [&]<int D>() {
    if constexpr (std::is_same_v<T, float> && D <= 64)
      if (x.tensor_cores) return f.template operator()<Mma<D>>();
    f.template operator()<Fma<T, D>>();
  };
  if (x.head_size <= 32) return with.template operator()<32>();
  if (x.head_size <= 64) return with.template operator()<64>();
  if (x.head_size <= 128) return with.template operator()<128>();
  with.template operator()<256>();
}

}  // namespace fade::span_cuda
