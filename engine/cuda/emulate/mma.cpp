#include "engine/cuda/emulate/mma.h"

#include <algorithm>

#include "engine/cuda/tf32.h"
#include "engine/error.h"

namespace fade::emulate {
namespace {

constexpr const char* kName = "mma_tf32";

/// What a lane brings.
struct Operands {
  float a[4], b[2];
};

void check_rounded(const Operands& operands, Site site) {
  const auto check = [&](float x) {
    if (x == x && to_tf32(x) != x)
      fail("{} at {}:{}: an operand is {}, which has more bits than TF32 (round it with to_tf32)", kName,
           site.file, site.line, x);
  };
  std::ranges::for_each(operands.a, check);
  std::ranges::for_each(operands.b, check);
}

/// The operands of all lanes.
class Fragments {
 public:
  explicit Fragments(const uint64_t* lanes) : lanes_(lanes) {}
  float a(int row, int column) const { return of(4 * (row % 8) + column % 4).a[row / 8 + 2 * (column / 4)]; }
  float b(int row, int column) const { return of(4 * column + row % 4).b[row / 4]; }

 private:
  const Operands& of(int lane) const { return *reinterpret_cast<const Operands*>(lanes_[lane]); }
  const uint64_t* lanes_;
};

}  // namespace

void mma_tf32(float (&c)[4], const float (&a)[4], const float (&b)[2], Site site) {
  Operands own;
  std::ranges::copy(a, own.a);
  std::ranges::copy(b, own.b);
  check_rounded(own, site);
  const Fragments all(warp_exchange(~0u, reinterpret_cast<uint64_t>(&own), kName, site));
  for (int i = 0; i < 4; ++i) {
    const int row = here.lane / 4 + i / 2 * 8, column = here.lane % 4 * 2 + i % 2;
    for (int k = 0; k < 8; ++k) c[i] += all.a(row, k) * all.b(k, column);
  }
  warp_exchange(~0u, 0, kName, site);  // the others have read this lane's operands
}

}  // namespace fade::emulate
