#include "ops/span_attention/dropout_factors.h"

#include <algorithm>

#include "engine/parallel.h"
#include "ops/check.h"
#include "ops/dropout/dropout_math.h"
#include "ops/span_attention/span_attention_kernels.h"

namespace fade {

Tensor dropout_factors_of_weights(const Tensor& age, int64_t heads, int64_t block, const DropoutDraw& draw,
                                  DType dtype) {
  check_dims("dropout_factors_of_weights", "age", age, 2);
  const DropoutMask mask = dropout_mask("dropout_factors_of_weights", draw);
  const std::vector<int32_t> ages = age.to_vector<int32_t>();
  const int64_t B = age.size(0), L = age.size(1);
  const Tensor factors = Tensor::empty({B, heads, block, L}, dtype);
  dispatch_float(dtype, "dropout_factors_of_weights", [&]<class T>() {
    T* const all = factors.mutate<T>();
    const T kept = static_cast<T>(mask.factor);
    parallel_rows(B * heads, block * L, [&](int64_t head) {
      T* const of_head = all + head * block * L;
      for (int64_t j = 0; j < L; ++j) {
        const int32_t row_age = ages[static_cast<size_t>(head / heads * L + j)];
        const uint64_t row = draw.first + dropout_index(head / heads, heads, head % heads, block, row_age, 0);
        for (int64_t first = 0; first < block; first += 8) {
          const uint32_t bits =
              keep_bits(draw.key, row / 8 + static_cast<uint64_t>(first) / 8, mask.threshold);
          for (int64_t i = first; i < std::min(block, first + 8); ++i)
            of_head[i * L + j] = bits >> (i - first) & 1 ? kept : T{0};
        }
      }
    });
  });
  return factors.to(age.device());
}

}  // namespace fade
