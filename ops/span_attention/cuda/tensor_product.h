// The products of tiles on tensor cores, of f32 rounded to TF32 or of bf16: like Fma of product.h, with tiles of
// 64 × 64 or 32 × 32. Operands lie in shared memory as for Fma, rounded when they are stored.
//
// Lane 4g + t (g < 8, t < 4) of warp w owns two rows of a tile, 16w + g and 16w + g + 8, and of each 8 columns
// two neighbours, 2t and 2t + 1:
//
//                columns  0–1   2–3   4–5   6–7   8–9   …  62–63
//   rows 16w + 0 and 8    0     1     2     3     0     …  3       lanes of warp w
//        16w + 1 and 9    4     5     6     7     4     …  7
//        …
//        16w + 7 and 15   28    29    30    31    28    …  31
//
// In Mma<S, D, false> the rows of the figure are queries and its columns are rows of the tile: a quad of lanes has
// all scores of a query. In Mma<S, D, true>, of backward_dkv, it is the other way round. Either way the
// scores of a thread are, as they are, the left operand of the product that follows (weights·values,
// dS·keys; transposed, (g·P)ᵀ·dO, dSᵀ·q): they stay in registers, and the warp owns all sums of its 16 rows.
//
// A tile of 32 × 32 has 16 rows for each two warps: both compute all scores of these, and each owns the sums of one
// half of the features. So no product waits for scores of another warp, and a thread has half as many sums.
#pragma once

#include "engine/cuda/mma.h"
#include "ops/span_attention/cuda/product.h"

namespace fade::span_cuda {

__device__ inline int lane_of_thread() { return static_cast<int>(threadIdx.x) % kWarp; }

/// The fragments of a warp's operands in one step of a product, of kDepth of its inner dimension: Left, 16 × kDepth,
/// and Right, kDepth × 16, for two products on tensor cores. Where an operand lies in shared memory, each has an
/// offset of the lane, to be added to the address of the step's first element, and the way to load it:
///
///   left        by its rows                       right        by its columns     (one product: rows of two tiles)
///   left_inner  by its rows                       right_inner  by its rows        (the other one: scores · a tile)
///   left_transposed  by its columns
template <class S>
struct Operands;

/// Of mma_tf32. Element (r, d) of a tile is in bank 4r + d (tiling.h). left and right read rows g and columns t,
/// banks 4g + t; right_inner reads rows 2t and columns g, banks 8t + g. Both are all 32 banks. What meets
/// right_inner has its columns numbered in that order: 2t first, then 2t + 1.
template <>
struct Operands<float> {
  static constexpr int kDepth = 8;
  struct Left {
    float at[4];
  };
  struct Right {
    float at[2][2];  ///< of columns [0, 8) and [8, 16)
  };

  __device__ static int g() { return lane_of_thread() / 4; }
  __device__ static int t() { return lane_of_thread() % 4; }

  __device__ static int left_offset(int stride) { return g() * stride + t(); }
  __device__ static Left left(const float* a, int stride) {
    return {a[0], a[8 * stride], a[4], a[8 * stride + 4]};
  }
  __device__ static int right_offset(int stride) { return g() * stride + t(); }
  __device__ static Right right(const float* b, int stride) {
    return {{{b[0], b[4]}, {b[8 * stride], b[8 * stride + 4]}}};
  }
  __device__ static int left_inner_offset(int stride) { return g() * stride + 2 * t(); }
  __device__ static Left left_inner(const float* a, int stride) {
    const Pack<float, 2> top = pack_at<float, 2>(a), bottom = pack_at<float, 2>(a + 8 * stride);
    return {top.at[0], bottom.at[0], top.at[1], bottom.at[1]};
  }
  __device__ static int left_transposed_offset(int stride) { return 2 * t() * stride + g(); }
  __device__ static Left left_transposed(const float* a, int stride) {
    return {a[0], a[8], a[stride], a[stride + 8]};
  }
  __device__ static int right_inner_offset(int stride) { return 2 * t() * stride + g(); }
  __device__ static Right right_inner(const float* b, int stride) {
    return {{{b[0], b[stride]}, {b[8], b[stride + 8]}}};
  }
  /// Of a lane's scores score(i, j), i < 2, of columns [kDepth·n, kDepth·(n + 1)).
  template <class F>
  __device__ static Left of_scores(F score, int n) {
    return {to_tf32(score(0, 2 * n)), to_tf32(score(1, 2 * n)), to_tf32(score(0, 2 * n + 1)),
            to_tf32(score(1, 2 * n + 1))};
  }

  /// c += a · the columns [8·half, 8·half + 8) of b.
  __device__ static void multiply(float (&c)[4], const Left& a, const Right& b, int half) {
    mma_tf32(c, a.at, b.at[half]);
  }
};

/// Of mma_bf16. All are loaded as four matrices of 8 × 8; a row of a tile begins 4 banks after the one before
/// (tiling.h), so that the rows of a matrix are in different banks, and so are those of one load.
template <>
struct Operands<bf16> {
  static constexpr int kDepth = 16;
  struct Left {
    uint32_t at[4];
  };
  struct Right {
    uint32_t at[2][2];
  };

  // Lane 8m + r names row r of matrix m. By rows first: matrices 0 and 1 are those of rows 0 and 8, columns first:
  // of columns 0 and 8.
  __device__ static int rows_first(int stride) {
    return lane_of_thread() % 16 * stride + lane_of_thread() / 16 * 8;
  }
  __device__ static int columns_first(int stride) {
    return (lane_of_thread() % 8 + lane_of_thread() / 16 * 8) * stride + lane_of_thread() / 8 % 2 * 8;
  }

  __device__ static int left_offset(int stride) { return rows_first(stride); }
  __device__ static Left left(const bf16* a, int) {
    Left to;
    load_matrices(to.at, a);
    return to;
  }
  __device__ static int right_offset(int stride) { return columns_first(stride); }
  __device__ static Right right(const bf16* b, int) {
    uint32_t to[4];
    load_matrices(to, b);
    return {{{to[0], to[1]}, {to[2], to[3]}}};
  }
  __device__ static int left_inner_offset(int stride) { return rows_first(stride); }
  __device__ static Left left_inner(const bf16* a, int stride) { return left(a, stride); }
  __device__ static int left_transposed_offset(int stride) { return columns_first(stride); }
  __device__ static Left left_transposed(const bf16* a, int) {
    Left to;
    load_matrices_transposed(to.at, a);
    return to;
  }
  __device__ static int right_inner_offset(int stride) { return rows_first(stride); }
  __device__ static Right right_inner(const bf16* b, int) {
    uint32_t to[4];
    load_matrices_transposed(to, b);
    return {{{to[0], to[1]}, {to[2], to[3]}}};
  }
  template <class F>
  __device__ static Left of_scores(F score, int n) {
    const auto pair = [&](int i, int j) { return bf16_pair(score(i, j), score(i, j + 1)); };
    return {pair(0, 4 * n), pair(1, 4 * n), pair(0, 4 * n + 2), pair(1, 4 * n + 2)};
  }

  __device__ static void multiply(float (&c)[4], const Left& a, const Right& b, int half) {
    mma_bf16(c, a.at, b.at[half]);
  }
};

template <class S_, int D_, bool by_rows = false>
struct Mma {
  using S = S_;
  using T = float;
  static constexpr int D = D_;
  using Tile = Tiling<S, D>;
  using ByRows = Mma<S, D, true>;
  static constexpr bool kLoadsAhead = std::is_same_v<S, bf16> && D <= 64;
  static constexpr int kResidentForward = kLoadsAhead ? 3 : Tile::kResident;
  static constexpr int kSide = Tile::kRows, kOfWarp = 16;    ///< rows of the figure
  static constexpr int kSharing = kWarps * kOfWarp / kSide;  ///< warps with the same rows
  static constexpr int kFeatures = D / kSharing;             ///< of the sums of a warp
  static constexpr bool kByRows = by_rows, kLoadsTwoTiles = kSharing == 1;
  static_assert(Tile::kQueries == kSide && kSide % (16 * kSharing) == 0 && kFeatures % 16 == 0);

  static constexpr int kQueriesOfThread = by_rows ? kSide / 4 : 2;
  static constexpr int kRowsOfThread = by_rows ? 2 : kSide / 4;
  static constexpr int kSumRows = 2;
  static constexpr int kRowLanes = 4;
  static constexpr int kPiece = 2;
  using Scores = Fragment<T, kQueriesOfThread, kRowsOfThread>;
  using QuerySums = Fragment<T, 2, kFeatures / 4>;
  using RowSums = Fragment<T, 2, kFeatures / 4>;

  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp; }
  __device__ static int g() { return static_cast<int>(threadIdx.x) % kWarp / 4; }
  __device__ static int t() { return static_cast<int>(threadIdx.x) % 4; }
  __device__ static int first_outer() { return warp() / kSharing * kOfWarp; }
  __device__ static int share() { return warp() % kSharing; }  ///< of the warps with the same rows
  __device__ static int outer(int i) { return first_outer() + g() + 8 * i; }
  __device__ static int inner(int j) { return 8 * (j / 2) + 2 * t() + j % 2; }

  __device__ static int query(int i) { return by_rows ? inner(i) : outer(i); }
  __device__ static int row(int j) { return by_rows ? outer(j) : inner(j); }
  __device__ static int sum_row(int j) { return outer(j); }
  __device__ static int feature(int n) { return kFeatures * share() + inner(n); }
  __device__ static bool first_of_row_lanes() { return t() == 0; }
  __device__ static bool stores(int i) { return kSharing == 1 || i == share(); }
  __device__ static bool busy(int queries, int rows) { return first_outer() < (by_rows ? rows : queries); }
  __device__ static S operand(S x) {
    if constexpr (std::is_same_v<S, float>) return to_tf32(x);
    return x;
  }
  __device__ static void sync_queries() {
    if constexpr (kSharing > 1)
      __syncthreads();
    else
      __syncwarp();
  }
  __device__ static void sync_scores() {
    if constexpr (by_rows)
      __syncthreads();
    else
      sync_queries();
  }
  static constexpr T kUnit = 1.44269504f;  ///< log2(e)
  __device__ static T exp(T x) { return fast_exp2(x); }

  /// c[i][j] += Σ_d a[i, d]·b[j, d];  a [queries, D], b [rows, D].
  __device__ static void product_of_rows(Scores& c, const S* a, const S* b) {
    product_of_outer<kSide>(by_rows ? b : a, by_rows ? a : b,
                            [&](int n, auto add) { with_eight(c, n, add); });
  }

  /// f(Σ_d a[i, d]·band[i + j, d], i, j) for each query i and column j < rows, after then();  a [queries, D], band
  /// [queries + rows, D]. Warps with the same queries divide the columns. The 16 queries of a warp meet 16 more rows
  /// of the band than it has columns, and all of those are multiplied.
  template <class Then, class F>
  __device__ static void skewed_product(const S* a, const S* band, Then then, F f) {
    constexpr int kOfShare = kSide / kSharing, kMet = kOfWarp + kOfShare;
    const int first = kOfShare * share();
    Fragment<T, kMet / 8, 4> c;
    product_of_outer<kMet>(a, band + (first_outer() + first) * Tile::kStride,
                           [&](int n, auto add) { add(c.at[n]); });
    then();
#pragma unroll
    for (int n = 0; n < kMet / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int i = g() + e / 2 * 8, j = inner(2 * n + e % 2) - i;
        if (j >= 0 && j < kOfShare) f(c.at[n][e], first_outer() + i, first + j);
      }
    }
  }

  /// c[i][d] += Σ_j p[i, j]·b[j, d];  p [queries, rows], each thread's piece; b [rows, D].
  __device__ static void product_with_rows(QuerySums& c, const Scores& p, T*, const S* b, int) {
    product_of_scores(c, p, b);
  }
  /// The same for p in shared memory.
  __device__ static void product_with_rows(QuerySums& c, const S* p, const S* b, int) {
    p += first_outer() * Tile::kOperandStride + Step::left_inner_offset(Tile::kOperandStride);
    product_with(c, b, [&](int k) { return Step::left_inner(p + k, Tile::kOperandStride); });
  }

  /// c[j][d] += Σ_i p[i, j]·b[i, d];  p [queries, rows], each thread's piece; b [queries, D]. By rows.
  __device__ static void product_with_queries(RowSums& c, const Scores& p, const S* b) {
    product_of_scores(c, p, b);
  }
  /// The same for p in shared memory.
  __device__ static void product_with_queries(RowSums& c, const S* p, const S* b, int) {
    p += first_outer() + Step::left_transposed_offset(Tile::kOperandStride);
    product_with(c, b, [&](int k) {
      return Step::left_transposed(p + k * Tile::kOperandStride, Tile::kOperandStride);
    });
  }

 private:
  using Step = Operands<S>;
  static constexpr int kDepth = Step::kDepth;

  /// The 16 × 8 scores that the lanes of a warp have of columns [8n, 8n + 8) of the figure: add(c of the product).
  template <class Add>
  __device__ static void with_eight(Scores& s, int n, Add add) {
    T c[4] = {element(s, 0, 2 * n), element(s, 0, 2 * n + 1), element(s, 1, 2 * n), element(s, 1, 2 * n + 1)};
    add(c);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      element(s, e / 2, 2 * n + e % 2) = c[e];
    }
  }
  /// A score by its place in the figure.
  __device__ static T& element(Scores& s, int i, int j) { return by_rows ? s.at[j][i] : s.at[i][j]; }
  __device__ static T element(const Scores& s, int i, int j) { return by_rows ? s.at[j][i] : s.at[i][j]; }

  /// For each n < kColumns_/8: with(n, add), where add(c) is c += a's 16 rows of this warp · rows [8n, 8n + 8)
  /// of b, transposed;  a [kSide, D], b [kColumns_, D].
  template <int kColumns_, class With>
  __device__ static void product_of_outer(const S* a, const S* b, With with) {
    a += first_outer() * Tile::kStride + Step::left_offset(Tile::kStride);
    b += Step::right_offset(Tile::kStride);
#pragma unroll
    for (int d = 0; d < D; d += kDepth) {
      const typename Step::Left x = Step::left(a + d, Tile::kStride);
#pragma unroll
      for (int n = 0; n < kColumns_ / 16; ++n) {
        const typename Step::Right y = Step::right(b + 16 * n * Tile::kStride + d, Tile::kStride);
        with(2 * n, [&](T(&c)[4]) { Step::multiply(c, x, y, 0); });
        with(2 * n + 1, [&](T(&c)[4]) { Step::multiply(c, x, y, 1); });
      }
    }
  }

  /// c += scores·b;  b [kSide, D].
  __device__ static void product_of_scores(QuerySums& c, const Scores& p, const S* b) {
    const auto score = [&](int i, int j) { return element(p, i, j); };
    product_with(c, b, [&](int k) { return Step::of_scores(score, k / kDepth); });
  }

  /// c += a·b of this warp's features;  b [kSide, D]; left(k): a's columns [k, k + kDepth), of this warp's 16 rows.
  template <class F>
  __device__ static void product_with(QuerySums& c, const S* b, F left) {
    b += Step::right_inner_offset(Tile::kStride) + kFeatures * share();
#pragma unroll
    for (int k = 0; k < kSide; k += kDepth) {
      const typename Step::Left x = left(k);
#pragma unroll
      for (int n = 0; n < kFeatures / 16; ++n) {
        const typename Step::Right y = Step::right_inner(b + k * Tile::kStride + 16 * n, Tile::kStride);
        with_sums(c, 2 * n, [&](T(&sum)[4]) { Step::multiply(sum, x, y, 0); });
        with_sums(c, 2 * n + 1, [&](T(&sum)[4]) { Step::multiply(sum, x, y, 1); });
      }
    }
  }
  /// The sums of this warp's features [8n, 8n + 8): add(c of the product).
  template <class Add>
  __device__ static void with_sums(QuerySums& s, int n, Add add) {
    T c[4] = {s.at[0][2 * n], s.at[0][2 * n + 1], s.at[1][2 * n], s.at[1][2 * n + 1]};
    add(c);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      s.at[e / 2][2 * n + e % 2] = c[e];
    }
  }
};

}  // namespace fade::span_cuda
