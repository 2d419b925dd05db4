// A product for the tests of the libraries behind cuda_product. They read its description, not its memory.
#pragma once

#include "ops/matmul/matmul_cuda.h"

namespace fade::test {

/// relu(x·wᵀ + bias) of bf16, x [48, 64], w [32, 64], as linear describes it: nothing is in the way of cuBLASLt.
inline BlasProduct example_product() {
  static const Tensor x = Tensor::empty({48, 64}, DType::bf16), w = Tensor::empty({32, 64}, DType::bf16),
                      bias = Tensor::empty({32}, DType::bf16), y = Tensor::empty({48, 32}, DType::bf16);
  BlasProduct p =
      row_major_product(x, w, {.batch = 1, .m = 48, .n = 32, .k = 64, .transpose = {.b = true}}, y);
  p.bias = bias.data_bytes();
  p.relu = true;
  return p;
}

/// The example after change(example).
template <class Change>
BlasProduct changed_product(const Change& change) {
  BlasProduct p = example_product();
  change(p);
  return p;
}

/// Moves an address by `bytes`.
void advance(auto*& p, int bytes) {
  p = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(p) + static_cast<uintptr_t>(bytes));
}

}  // namespace fade::test
