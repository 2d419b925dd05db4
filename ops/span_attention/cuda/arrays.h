// The arrays that the CUDA kernels of span attention read, and tiles of queries.
#pragma once

#include <type_traits>

#include "ops/span_attention/cuda/tiling.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade::span_cuda {

/// Rows of global memory: row i begins at first + i·pitch.
template <class T>
struct RowsAt {
  T* first;
  uint32_t pitch;  ///< elements
  /// In bytes, so that an address is one multiply-add.
  __device__ T* operator[](int32_t i) const {
    using Byte = std::conditional_t<std::is_const_v<T>, const char, char>;
    const auto bytes = uint64_t{static_cast<uint32_t>(i)} * (pitch * static_cast<uint32_t>(sizeof(T)));
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(first) + bytes);
  }
};

/// The inputs (names as in span_attention.h) and their mask. Vectors are stored as S; scores, spans, statistics
/// and sums are of T, in which kernels compute.
template <class S>
struct AttentionArrays {
  using T = compute_t<S>;
  const S *q, *kv, *pos;
  const int32_t *start, *age;
  int64_t memory_rows;
  int32_t streams, block, heads, head_size, positions;
  bool tensor_cores;  ///< products of f32 in TF32, on tensor cores
  bool whole_packs;   ///< every head of every row begins at a multiple of 16 bytes
  T scale, epsilon;   ///< 1/√D; ε of F6

  MaskFormula<T> mask;
  int32_t last_position;  ///< the largest distance that has one of the P position rows
  SpanAttentionSizes sizes;

  const int32_t* kept;  ///< of span_attention_dropout; nullptr without dropout
  T kept_factor;        ///< g of a kept weight

  __host__ __device__ uint32_t hidden() const { return static_cast<uint32_t>(heads * head_size); }
  __host__ __device__ int64_t rows() const { return memory_rows + int64_t{streams} * block; }
  /// The keys and the values of a head, in an array [N, 2H].
  template <class Element>
  __device__ RowsAt<Element> keys(Element* array, int head) const {
    return {array + int64_t{head} * head_size, 2 * hidden()};
  }
  template <class Element>
  __device__ RowsAt<Element> values(Element* array, int head) const {
    return keys(array + hidden(), head);
  }
  /// Where head `head` of query i is in an array [B·M, H].
  __device__ int64_t query_offset(int stream, int64_t i, int head) const {
    return (stream * block + i) * hidden() + head * head_size;
  }
  /// Where query i is in an array [B, K, M].
  __device__ int64_t statistic_offset(int stream, int64_t i, int head) const {
    return (int64_t{stream} * heads + head) * block + i;
  }
};

/// What both halves of backward read besides the inputs of forward:
/// lse and delta [B, K, M] (F7, B1), and dO [B·M, H].
template <class S>
struct BackwardInputs {
  const compute_t<S>*lse, *delta;
  const S* grad;
};

/// A tile of consecutive queries of one head of one stream.
struct QueryTile {
  int stream, head, first, count;
  __device__ int last() const { return first + count - 1; }
  /// A function of i: which of the tile's rows that is, negative if it has none.
  __device__ auto rows() const {
    return [n = count](int i) { return i < n ? i : -1; };
  }
};

/// Tile number n of the launch. Later queries of a block see more rows, so their tiles start first.
template <class S>
__device__ QueryTile query_tile(const AttentionArrays<S>& x, int64_t n, int size) {
  const int64_t tiles = (x.block + size - 1) / size, rest = n / x.heads;
  const int first = static_cast<int>(tiles - 1 - rest % tiles) * size;
  return {.stream = static_cast<int>(rest / tiles),
          .head = static_cast<int>(n % x.heads),
          .first = first,
          .count = std::min(size, x.block - first)};
}

template <class S>
int64_t query_tiles(const AttentionArrays<S>& x, int size) {
  return int64_t{x.streams} * x.heads * ((x.block + size - 1) / size);
}

}  // namespace fade::span_cuda
