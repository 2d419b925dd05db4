#include "engine/cuda/emulate/mma.h"

#include <algorithm>
#include <cstdint>

#include "engine/cuda/tf32.h"
#include "engine/error.h"

namespace fade::emulate {
namespace {

constexpr const char *kTf32 = "mma_tf32", *kBf16 = "mma_bf16", *kLoad = "load_matrices";

/// What a lane brings to mma_tf32.
struct Tf32 {
  static constexpr int kDepth = 8;
  float a[4], b[2];
  /// Elements of a and b, from what all lanes bring.
  static float of_a(const Tf32* const* lanes, int row, int column) {
    return lanes[4 * (row % 8) + column % 4]->a[row / 8 + 2 * (column / 4)];
  }
  static float of_b(const Tf32* const* lanes, int row, int column) {
    return lanes[4 * column + row % 4]->b[row / 4];
  }
};

/// Number 0 or 1 of a pair.
float of_pair(uint32_t pair, int which) {
  bf16 x;
  x.bits = static_cast<uint16_t>(pair >> (16 * which));
  return x;
}

/// What a lane brings to mma_bf16.
struct Bf16 {
  static constexpr int kDepth = 16;
  uint32_t a[4], b[2];
  static float of_a(const Bf16* const* lanes, int row, int column) {
    return of_pair(lanes[4 * (row % 8) + column % 8 / 2]->a[row / 8 + 2 * (column / 8)], column % 2);
  }
  static float of_b(const Bf16* const* lanes, int row, int column) {
    return of_pair(lanes[4 * column + row % 8 / 2]->b[row / 8], row % 2);
  }
};

/// The value that each lane of the warp brings, which stay where they are until all lanes have met again.
template <class T>
class OfLanes {
 public:
  OfLanes(const T& own, const char* what, Site site) : what_(what), site_(site) {
    const uint64_t* brought = warp_exchange(~0u, reinterpret_cast<uint64_t>(&own), what, site);
    std::transform(brought, brought + 32, lanes_, [](uint64_t p) { return reinterpret_cast<const T*>(p); });
  }
  /// Once this lane has read those of the others.
  void done() const { warp_exchange(~0u, 0, what_, site_); }
  const T* const* lanes() const { return lanes_; }

 private:
  const T* lanes_[32];
  const char* what_;
  Site site_;
};

template <class Operands>
void multiply(float (&c)[4], const Operands& own, const char* what, Site site) {
  const OfLanes<Operands> all(own, what, site);
  for (int i = 0; i < 4; ++i) {
    const int row = here.lane / 4 + i / 2 * 8, column = here.lane % 4 * 2 + i % 2;
    for (int k = 0; k < Operands::kDepth; ++k)
      c[i] += Operands::of_a(all.lanes(), row, k) * Operands::of_b(all.lanes(), k, column);
  }
  all.done();
}

}  // namespace

void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2], Site site) {
  const auto check = [&](float x) {
    if (x == x && to_tf32(x) != x)
      fail("{} at {}:{}: an operand is {}, which has more bits than TF32 (round it with to_tf32)", kTf32,
           site.file, site.line, x);
  };
  std::ranges::for_each(a, check);
  std::ranges::for_each(b, check);
  multiply(c, Tf32{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, kTf32, site);
}

void mma_bf16(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Site site) {
  multiply(c, Bf16{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}}, kBf16, site);
}

void check_matrix_row(const void* row, Site site) {
  if (reinterpret_cast<uintptr_t>(row) % alignof(MatrixRow))
    fail("{} at {}:{}: the row of lane {} is at {}, which is no multiple of 16 bytes", kLoad, site.file,
         site.line, here.lane, row);
}

void exchange_matrices(uint32_t (&to)[4], const MatrixRow& own, bool transposed, Site site) {
  const OfLanes<MatrixRow> all(own, kLoad, site);
  const int g = here.lane / 4, t = here.lane % 4;
  for (int m = 0; m < 4; ++m) {
    const MatrixRow* const* matrix = all.lanes() + 8 * m;
    const auto half = [&](int row, int column) {
      return matrix[row]->pairs[column / 2] >> (16 * (column % 2)) & 0xffff;
    };
    to[m] =
        transposed ? half(2 * t, g) | half(2 * t + 1, g) << 16 : half(g, 2 * t) | half(g, 2 * t + 1) << 16;
  }
  all.done();
}

}  // namespace fade::emulate
