#include "ops/survivors/survivors.h"

#include <limits>

#include "ops/check.h"
#include "ops/survivors/survivors_kernels.h"

namespace fade {

Survivors survivors(const PackedRows& rows, const Lifetime& lifetime) {
  const Device device = rows.age.device();
  const int64_t count = rows.count();
  if (lifetime.span && lifetime.span.numel() != 1) check_shape("survivors", "span", lifetime.span, {count});
  const Survivors out{.index = Tensor::empty({count}, DType::i32, device),
                      .age = Tensor::empty({count}, DType::i32, device),
                      .start = Tensor::empty({rows.streams + 1}, DType::i32, device),
                      .all = lifetime.reach == std::numeric_limits<double>::infinity()};
  survivors_kernel(device, rows, out.all ? Lifetime{{}, lifetime.reach} : lifetime, out);
  return out;
}

}  // namespace fade
