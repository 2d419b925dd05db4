// Elementwise kernels: out[i] = f(in[i]...), over arrays that are contiguous or have strides.
//
// f is a struct with a __device__ operator(), called once per element. Where sizes and addresses
// allow it, elements are loaded and stored 16 bytes at a time. The result may be one of the inputs,
// element for element.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include "engine/cuda/cuda.h"
#include "engine/shape.h"

namespace fade {

inline constexpr int kMapBlock = 256;  ///< threads per thread block of an elementwise kernel

/// N consecutive elements, loaded and stored as one where they make up 16 bytes.
template <class T, int N>
struct alignas(std::min<size_t>(16, N * sizeof(T))) Pack {
  T v[N];  ///< the elements
};

/// The number of elements of the widest of these types in 16 bytes.
template <class... T>
inline constexpr int kPackOf = static_cast<int>(16 / std::max({sizeof(T)...}));

/// N elements from `from`, where a pack may start.
template <int N, class T>
__device__ Pack<T, N> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
/// The reverse.
template <class T, int N>
__device__ void store_pack(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}
/// True iff a pack of N may start at p.
template <int N, class T>
bool takes_packs(const T* p) {
  return reinterpret_cast<uintptr_t>(p) % alignof(Pack<T, N>) == 0;
}

/// An array and its strides in elements, one per dimension of the loop.
template <class T>
struct StridedView {
  T* data;         ///< first element
  Strides stride;  ///< 0 where the array is repeated
};
/// Takes T from the pointer.
template <class T>
StridedView(T*, Strides) -> StridedView<T>;

namespace map_detail {

template <int N, class F, class T, class... In>
__device__ void apply(const F& f, T* out, const Pack<In, N>&... in) {
  Pack<T, N> result;
  for (int k = 0; k < N; ++k) result.v[k] = static_cast<T>(f(in.v[k]...));
  store_pack(out, result);
}

template <int N, class F, class T, class... In>
__global__ void contiguous(F f, int64_t n, T* out, const In*... in) {
  const int64_t packed = n / N * N;
  for (int64_t i = grid_thread() * N; i < packed; i += grid_threads() * N)
    apply<N>(f, out + i, load_pack<N>(in + i)...);
  for (int64_t i = packed + grid_thread(); i < n; i += grid_threads()) out[i] = static_cast<T>(f(in[i]...));
}

/// A loop over packs, the last dimension innermost. Operand 0 is the result.
template <int operands>
struct Loop {
  int64_t packs;
  int dims;
  int64_t size[kMaxDims];  ///< that of the last dimension in packs
  int64_t stride[kMaxDims][operands];
  bool moves[operands];  ///< false for an operand with stride 0 along the last dimension
};

template <int N, class T>
__device__ Pack<T, N> load_or_repeat(const T* from, bool moves) {
  if (moves) return load_pack<N>(from);
  Pack<T, N> same;
  for (int k = 0; k < N; ++k) same.v[k] = *from;
  return same;
}

template <int N, class F, class T, class... In>
__global__ void strided(F f, Loop<1 + sizeof...(In)> loop, T* out, const In*... in) {
  constexpr int operands = 1 + sizeof...(In);
  for (int64_t pack = grid_thread(); pack < loop.packs; pack += grid_threads()) {
    int64_t at[operands] = {}, rest = pack;
    for (int d = loop.dims - 1; d >= 0; --d) {
      const int64_t above = rest / loop.size[d], k = rest - above * loop.size[d];
      for (int o = 0; o < operands; ++o) at[o] += k * loop.stride[d][o];
      rest = above;
    }
    const auto apply_at = [&]<size_t... I>(std::index_sequence<I...>) {
      apply<N>(f, out + at[0], load_or_repeat<N>(in + at[I + 1], loop.moves[I + 1])...);
    };
    apply_at(std::index_sequence_for<In...>());
  }
}

template <int N, class F, class T, class... In>
void launch_strided(const char* name, const F& f, const Shape& shape, std::span<const Strides> strides,
                    T* out, const In*... in) {
  constexpr int operands = 1 + sizeof...(In);
  const int last = shape.dims() - 1;
  Loop<operands> loop{};
  loop.packs = shape.numel() / N;
  loop.dims = shape.dims();
  for (int d = 0; d <= last; ++d) {
    const int64_t unit = d == last ? N : 1;
    loop.size[d] = shape[d] / unit;
    for (int o = 0; o < operands; ++o) loop.stride[d][o] = strides[o][d] * unit;
  }
  for (int o = 0; o < operands; ++o) loop.moves[o] = strides[o][last] != 0;
  launch(name, strided<N, F, T, In...>, grid_for(loop.packs, kMapBlock), kMapBlock, 0, f, loop, out, in...);
}

/// True iff the loop can be done in packs of N: whole packs in the last dimension, each operand with stride 1
/// or 0 along it, and every pack aligned.
template <int N, class... T>
bool fits_packs(const Shape& shape, std::span<const Strides> strides, const T*... data) {
  const int last = shape.dims() - 1;
  if (shape[last] % N != 0 || strides[0][last] != 1) return false;
  const bool aligned[] = {takes_packs<N>(data)...};
  for (size_t o = 0; o < strides.size(); ++o) {
    if (strides[o][last] == 0) continue;
    if (strides[o][last] != 1 || !aligned[o]) return false;
    for (int d = 0; d < last; ++d)
      if (strides[o][d] % N != 0) return false;
  }
  return true;
}

}  // namespace map_detail

/// out[i] = f(in[i]...) for 0 ≤ i < n.
template <class F, class T, class... In>
void map(const char* name, const F& f, int64_t n, T* out, const In*... in) {
  constexpr int N = kPackOf<T, In...>;
  if (takes_packs<N>(out) && (takes_packs<N>(in) && ...))
    launch(name, map_detail::contiguous<N, F, T, In...>, grid_for(n / N + n % N, kMapBlock), kMapBlock, 0, f,
           n, out, in...);
  else
    launch(name, map_detail::contiguous<1, F, T, In...>, grid_for(n, kMapBlock), kMapBlock, 0, f, n, out,
           in...);
}

/// out = f(in...) over a shape, each array with its own strides: broadcasting, permutations, slices.
template <class F, class T, class... In>
void map_strided(const char* name, const F& f, const Shape& shape, const StridedView<T>& out,
                 const StridedView<const In>&... in) {
  if (shape.numel() == 0) return;
  Strides strides[] = {out.stride, in.stride...};
  const Shape s = merge_dims(shape, strides);
  const auto plain = [&](const Strides& stride) {
    return s.dims() == 0 || (s.dims() == 1 && stride[0] == 1);
  };
  if (std::all_of(std::begin(strides), std::end(strides), plain))
    return map(name, f, s.numel(), out.data, in.data...);
  constexpr int N = kPackOf<T, In...>;
  if (map_detail::fits_packs<N>(s, strides, out.data, in.data...))
    map_detail::launch_strided<N>(name, f, s, strides, out.data, in.data...);
  else
    map_detail::launch_strided<1>(name, f, s, strides, out.data, in.data...);
}

}  // namespace fade
