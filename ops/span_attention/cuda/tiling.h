// Sizes of a tile, and where the tiles of the CUDA kernels lie in shared memory.
//
// A tile is stored row by row, as in global memory, with one pack (16 bytes) of padding behind each row:
//
//             feature 0 1 2 ...      D−1
//   row 0           [ x x x ...       x ] pad       element (row, d) is at row·kStride + d,
//   row 1           [ x x x ...       x ] pad       kStride = D + kPack
//   ...
//
// D elements fill all 32 banks a whole number of times, so the padding places each row 4 banks after the one
// before. Eight threads that load the same 16 bytes of eight neighbouring rows then use every bank exactly
// once: no product has a bank conflict. A tile of scores [queries, rows] is stored likewise, with
// kScoreStride = rows + kPack.
#pragma once

#include "engine/bf16.h"
#include "engine/cuda/cuda.h"
#include "engine/host_device.h"

namespace fade::span_cuda {

/// Threads of a thread block. Thread (x, y), number x = thread % kColumns in group y = thread / kColumns,
/// owns some queries (those of its group) and some rows or features (those of its number); product.h has a
/// figure. A warp holds two groups of queries, so sums and maxima over the rows stay within half a warp.
inline constexpr int kThreads = 128, kColumns = 16, kGroups = kThreads / kColumns, kWarps = kThreads / kWarp;

__device__ inline int column_of_thread() { return static_cast<int>(threadIdx.x) % kColumns; }
__device__ inline int group_of_thread() { return static_cast<int>(threadIdx.x) / kColumns; }

/// Elements in the 16 bytes that one instruction moves.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

/// Sizes of a tile for heads of up to D features. Each operand takes at most 16 KiB (without padding), so
/// that four of them, the scores and the rest stay below kMaxSharedBytes.
template <class S, int D>
struct Tiling {
  using T = compute_t<S>;
  static constexpr int kFit = 16384 / (D * static_cast<int>(sizeof(S))), kMost = sizeof(T) == 4 ? 64 : 32;
  static constexpr int kQueries = std::clamp(kFit, kGroups, kMost);
  static constexpr int kRows = std::clamp(kFit, kColumns, kMost);

  static constexpr int kQueriesOfThread = kQueries / kGroups;  ///< consecutive
  static constexpr int kRowsOfThread = kRows / kColumns;       ///< every 16th
  static constexpr int kFeaturesOfThread = D / kColumns;       ///< in pieces of kPiece
  static constexpr int kPiece = std::min(kPack<S>, kFeaturesOfThread);
  static constexpr int kRowsOfGroup = kRows / kGroups;  ///< consecutive, of gradients of rows

  /// Distances of a tile's queries and rows for which dS is stored at once.
  static constexpr int kDistances = sizeof(S) == 2 ? kQueries + kRows : kRows;

  static constexpr int kStride = D + kPack<S>;                  ///< from row to row of a tile of vectors,
  static constexpr int kScoreStride = kRows + kPack<T>;         ///< of scores,
  static constexpr int kOperandStride = kDistances + kPack<S>;  ///< of dS by distance

  static constexpr int kQueryTile = kQueries * kStride, kRowTile = kRows * kStride;  ///< elements
  /// Context rows that are looked at at once, for visible ones. In f64 shared memory has room for few.
  static constexpr int kScan = sizeof(T) == 8 ? kWarp : kThreads;

  static constexpr int kScoreTile = kQueries * kScoreStride;
  static constexpr int kBand = (kQueries + kRows) * kStride;  ///< position rows, one per distance

  /// For __launch_bounds__: thread blocks that the registers of a multiprocessor must have room for. A third one of the
  /// larger tiles, or of f64, would keep sums in memory.
  static constexpr int kResident = sizeof(T) == 8 || kQueries == 64 ? 2 : 3;
};

/// The larger of both, in elements of S: for arrays that take each other's place.
template <class S, class T>
constexpr int room_for(int of_s, int of_t) {
  return std::max(of_s, of_t * static_cast<int>(sizeof(T) / sizeof(S)));
}

/// Shared memory that every architecture allows per thread block.
inline constexpr size_t kMaxSharedBytes = 99 * 1024;

/// Cuts a thread block's dynamic shared memory into arrays, one behind the other, each aligned to 16 bytes.
/// A kernel lists its arrays once, as the members of its `Buffers`. In the kernel they are pointers; at
/// compile time they are only counted (shared_bytes). So the bytes requested at launch are the bytes used.
class SharedLayout {
 public:
  FADE_HD constexpr explicit SharedLayout(unsigned char* base) : base_(base) {}

  template <class T>
  FADE_HD constexpr T* array(int elements) {
    const size_t begin = bytes_;
    bytes_ += (static_cast<size_t>(elements) * sizeof(T) + 15) / 16 * 16;
    if (std::is_constant_evaluated()) return nullptr;
    return reinterpret_cast<T*>(base_ + begin);
  }
  FADE_HD constexpr size_t bytes() const { return bytes_; }

 private:
  unsigned char* base_;
  size_t bytes_ = 0;
};

/// The arrays of this thread block.
template <class Buffers>
__device__ Buffers shared_buffers() {
  return Buffers(dynamic_shared<unsigned char>());
}

/// Bytes of shared memory that they take.
template <class Buffers>
constexpr size_t shared_bytes() {
  constexpr size_t bytes = Buffers(nullptr).shared.bytes();
  static_assert(bytes <= kMaxSharedBytes);
  return bytes;
}

}  // namespace fade::span_cuda
