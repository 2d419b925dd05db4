// Sums over the rows of a matrix, for each column: gradients of parameters that all rows share.
#pragma once

#include <type_traits>

#include "engine/cuda/rows.h"
#include "engine/cuda/sum.h"

namespace fade {

namespace column_sums_detail {

inline constexpr int kColumns = kWarp, kLanes = 8;  // of a thread block: the lanes of a column share its rows

/// Whether f can be called with a row.
template <class F>
inline constexpr bool kTakesRows = std::is_invocable_v<const F&, Row<1, kWarp>>;

// partial[k, chunk, column] = f's k-th sum over a chunk of rows. One thread block per chunk (y) and tile of
// 32 packs of columns (x). Where f is called with rows, the warps of all thread blocks of a chunk divide its rows.
template <int sums, int N, class C, class F>
__global__ void column_sums(F f, int64_t rows, int64_t columns, C* partial) {
  const int64_t column = (int64_t{blockIdx.x} * kColumns + threadIdx.x) * N;
  const int64_t begin = rows * blockIdx.y / gridDim.y, end = rows * (blockIdx.y + 1) / gridDim.y;
  C sum[sums][N] = {};
  const auto add = [&](int64_t first, int64_t last) {
    if (column < columns)
      for (int64_t row = first + threadIdx.y; row < last; row += kLanes) f.template add<N>(row, column, sum);
  };
  if constexpr (kTakesRows<F>) {
    const int64_t warps = int64_t{kLanes} * gridDim.x, warp = int64_t{kLanes} * blockIdx.x + threadIdx.y;
    for (int64_t first = begin; first < end; first += warps) {
      if (first + warp < end) f(Row<N, kWarp>{first + warp, columns, static_cast<int>(threadIdx.x)});
      add(first, first + warps < end ? first + warps : end);
    }
  } else {
    add(begin, end);
  }
  __shared__ C of_lane[kLanes][kColumns];
  for (int k = 0; k < sums; ++k) {
    for (int n = 0; n < N; ++n) {
      __syncthreads();
      of_lane[threadIdx.y][threadIdx.x] = sum[k][n];
      __syncthreads();
      if (threadIdx.y != 0 || column >= columns) continue;
      C total = 0;
      for (int lane = 0; lane < kLanes; ++lane) total += of_lane[lane][threadIdx.x];
      partial[(int64_t{k} * gridDim.y + blockIdx.y) * columns + column + n] = total;
    }
  }
}

}  // namespace column_sums_detail

/// out[k] [columns] = Σ over the rows of what f adds to the k-th sum, in an order that depends on the sizes only; an
/// empty tensor is a sum that is not written. f.add<N>(row, column, C (&sum)[sums][N]) adds the terms of columns
/// [column, column + N) of a row, C the type of `out`; it may read a pack of N at `column` of each array in `data`,
/// whose rows have `columns` elements. Where f can be called with a row (engine/cuda/rows.h), it is, once for each,
/// on a warp and at the time of its terms: what both read comes from the GPU's memory once, and then from its caches.
template <class C, int sums, class F, class... In>
void sum_columns(const char* name, int64_t rows, int64_t columns, const F& f, const Tensor (&out)[sums],
                 const In*... data) {
  using namespace column_sums_detail;
  constexpr int64_t kLeast = kTakesRows<F> ? 16 : 64, kMost = kTakesRows<F> ? 256 : 128;  // more work per row
  const int64_t chunks = std::clamp<int64_t>(rows / kLeast, 1, kMost);
  const Tensor partial = Tensor::empty({sums, chunks, columns}, dtype_of<C>, Device::cuda);
  const auto go = [&]<int N>() {
    const int64_t tile = int64_t{kColumns} * N;
    launch(name, column_sums<sums, N, C, F>,
           dim3(static_cast<unsigned>((columns + tile - 1) / tile), static_cast<unsigned>(chunks)),
           dim3(kColumns, kLanes), 0, f, rows, columns, partial.mutate<C>());
  };
  constexpr int N = kRowPackOf<In...>;
  if (columns % N == 0 && (takes_packs<N>(data) && ...))
    go.template operator()<N>();
  else
    go.template operator()<1>();
  for (int k = 0; k < sums; ++k)
    if (out[k]) sum_middle(name, partial.rows(k, k + 1), {1, chunks, columns}, 1, out[k]);
}

}  // namespace fade
