// Kernels over rows of numbers: one warp per row where rows are short, one thread block where they are long.
//
//   template <class T>
//   struct Softmax {                                    // the kernel: what the threads of one row do
//     const T* x;
//     T* y;
//     __device__ void operator()(const auto& row) const {
//       const T* in = x + row.start();
//       const T largest = row.max([](T v) { return v; }, in);
//       const T total = row.sum([=](T v) { return std::exp(v - largest); }, in);
//       row.map([=](T v) { return std::exp(v - largest) / total; }, y + row.start(), in);
//     }
//   };
//   launch_rows("softmax", {rows, n}, Softmax<T>{x, y}, x, y);
//
// A row is read again for each sum or map: after the first time it is in the L1 cache.
#pragma once

#include <cmath>

#include "engine/cuda/map.h"

namespace fade {

inline constexpr int kRowBlock = 256;      ///< threads per thread block
inline constexpr int64_t kWarpRow = 1024;  ///< longest row for one warp: 32 elements per thread

/// The elements of a pack of rows of these types: the narrowest fills 16 bytes, wider ones take several accesses.
template <class... T>
inline constexpr int kRowPackOf = static_cast<int>(16 / std::min({sizeof(T)...}));

/// One row, as seen by one of its threads: `threads` (kWarp or kRowBlock) of them share it, taking
/// packs of N elements in turn, then the remaining elements. All of them call sum and max together and
/// get the same value.
template <int N, int threads_of_row>
struct Row {
  static constexpr int threads = threads_of_row;  ///< that share the row
  int64_t index;                                  ///< which row
  int64_t size;                                   ///< its elements
  int lane;                                       ///< which of the threads

  /// Where it begins in an array of such rows.
  __device__ int64_t start() const { return index * size; }

  /// Σ f(in[i]...), in an order that depends on the size only.
  template <class F, class... In>
  __device__ auto sum(const F& f, const In*... in) const {
    auto total = decltype(f(*in...)){0};
    each([&](In... v) { total += f(v...); }, in...);
    return combine(total, Sum{}, decltype(total){0});
  }

  /// Largest f(in[i]...), −infinity for an empty row; a NaN wins.
  template <class F, class... In>
  __device__ auto max(const F& f, const In*... in) const {
    constexpr auto lowest = static_cast<decltype(f(*in...))>(-INFINITY);
    auto largest = lowest;
    each([&](In... v) { largest = Max{}(largest, f(v...)); }, in...);
    return combine(largest, Max{}, lowest);
  }

  /// The threads' values combined by `op`, whose neutral element is `identity`.
  template <class T, class Op>
  __device__ T combine(T value, Op op, T identity) const {
    if constexpr (threads == kWarp)
      return warp_reduce(value, op);
    else
      return block_reduce(value, op, identity);
  }

  /// out[i] = f(in[i]...). Element i is always written by the same thread, which may read it afterwards.
  template <class F, class T, class... In>
  __device__ void map(const F& f, T* out, const In*... in) const {
    for (int64_t i = int64_t{lane} * N; i < packed(); i += threads * N)
      map_detail::apply<N>(f, out + i, load_pack<N>(in + i)...);
    for (int64_t i = packed() + lane; i < size; i += threads) out[i] = static_cast<T>(f(in[i]...));
  }

  /// True iff element i exists and is the one that map writes in this thread.
  __device__ bool owns(int64_t i) const {
    return i >= 0 && i < size && lane == (i < packed() ? i / N % threads : (i - packed()) % threads);
  }

 private:
  __device__ int64_t packed() const { return N == 1 ? 0 : size / N * N; }

  template <class F, class... In>
  __device__ void each(const F& f, const In*... in) const {
    for (int64_t i = int64_t{lane} * N; i < packed(); i += threads * N) each_of(f, load_pack<N>(in + i)...);
    for (int64_t i = packed() + lane; i < size; i += threads) f(in[i]...);
  }
  template <class F, class... In>
  __device__ static void each_of(const F& f, const Pack<In, N>&... in) {
    for (int k = 0; k < N; ++k) f(in.v[k]...);
  }
};

/// The kernel of launch_rows.
template <int N, int threads, class F>
__global__ void rows_kernel(F f, int64_t rows, int64_t size) {
  const int64_t index = int64_t{blockIdx.x} * (kRowBlock / threads) + threadIdx.x / threads;
  if (index < rows) f(Row<N, threads>{index, size, static_cast<int>(threadIdx.x % threads)});
}

/// The rows of a launch.
struct RowSizes {
  int64_t rows;          ///< how many
  int64_t size;          ///< elements of each
  int64_t pitch = size;  ///< every row starts at a multiple of it
};

/// Calls f(row) for each row, on the threads that share it. `data`: all arrays that f reads or writes by row;
/// their addresses decide whether packs are possible.
template <class F, class... T>
void launch_rows(const char* name, RowSizes s, const F& f, const T*... data) {
  constexpr int N = kRowPackOf<T...>;
  const bool packs = (s.pitch % N == 0 || s.rows <= 1) && (takes_packs<N>(data) && ...);
  const auto go = [&]<int n, int threads>() {
    constexpr int per_block = kRowBlock / threads;
    launch(name, rows_kernel<n, threads, F>, (s.rows + per_block - 1) / per_block, kRowBlock, 0, f, s.rows,
           s.size);
  };
  if (s.size <= kWarpRow)
    packs ? go.template operator()<N, kWarp>() : go.template operator()<1, kWarp>();
  else
    packs ? go.template operator()<N, kRowBlock>() : go.template operator()<1, kRowBlock>();
}

}  // namespace fade
