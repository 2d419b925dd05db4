#include "models/forget.h"

#include "ops/check.h"

namespace fade {

Survivors survivors(const PackedRows& rows, const Lifetime& lifetime) {
  const Device device = rows.age.device();
  const int64_t count = rows.count();
  if (lifetime.span && lifetime.span.numel() != 1) check_shape("survivors", "span", lifetime.span, {count});
  const Survivors out{Tensor::empty({count}, DType::i32, device), Tensor::empty({count}, DType::i32, device),
                      Tensor::empty({rows.streams + 1}, DType::i32, device)};
  survivors_kernel(device, rows, lifetime, out);
  return out;
}

Tensor context_ages(const Tensor& memory_age, int64_t streams, int64_t block) {
  const Tensor out = Tensor::empty({memory_age.numel() + streams * block}, DType::i32, memory_age.device());
  context_ages_kernel(out.device(), memory_age, block, out);
  return out;
}

}  // namespace fade
