#include <algorithm>

#include "engine/primitives.h"
#include "ops/linear/linear_kernels.h"
#include "ops/matmul/gemm_cpu.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "ops/dropout/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

// What follows the product, in place, of one part of y; the elements that share a draw of random numbers together.
template <class T>
void apply(const LinearFinish& finish, int64_t columns, const GemmPart& part, T* y) {
  const T* const bias = finish.bias ? finish.bias.data<T>() : nullptr;
  HWY_ALIGN T factors[kDropoutChunk];
  const bool whole_rows = part.columns == columns;  // they follow one another
  const int64_t runs = whole_rows ? 1 : part.rows, length = whole_rows ? part.rows * columns : part.columns;
  for (int64_t run = 0; run < runs; ++run) {
    const int64_t begin = (part.row + run) * columns + part.column, end = begin + length;
    for (int64_t first = begin, i = begin; i < end; first += kDropoutChunk) {
      const int64_t chunk_end = std::min(end, first + kDropoutChunk);
      if (finish.drop) dropout_factors(finish.mask, first, chunk_end - first, factors);
      while (i < chunk_end) {  // to the end of a row, or of the chunk
        const int64_t column = i % columns, count = std::min(columns - column, chunk_end - i);
        for_each_vector<T>(count, [&](auto d, int64_t k) HWY_ATTR {
          auto v = hn::LoadU(d, y + i + k);
          if (bias) v = hn::Add(v, hn::LoadU(d, bias + column + k));
          if (finish.relu) v = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v);
          if (finish.drop) v = drop(d, v, factors + (i - first) + k);
          hn::StoreU(v, d, y + i + k);
        });
        i += count;
      }
    }
  }
}

void forward(const Tensor& x, const Tensor& weight, const LinearFinish& finish, Out y) {
  dispatch_float(x.dtype(), "linear", [&]<class T>() {
    const MatmulSizes sizes{
        .batch = 1, .m = x.size(0), .n = weight.size(0), .k = x.size(1), .transpose = {.b = true}};
    T* const result = y.mutate<T>();
    product_in_parts(x.data<T>(), weight.data<T>(), result, sizes, [&](const GemmPart& part) {
      if (finish.bias || finish.relu) apply(finish, sizes.n, part, result);
    });
  });
}

void backward(const Tensor& g, const Tensor& y, double factor, Out dz, Out db) {
  dispatch_float(g.dtype(), "linear", [&]<class T>() HWY_ATTR {
    if (y) {
      const T *from = g.data<T>(), *results = y.data<T>();
      T* to = dz.mutate<T>();
      parallel_elements(g.numel(), [&](int64_t begin, int64_t end) HWY_ATTR {
        for_each_vector<T>(end - begin, [&](auto d, int64_t i) HWY_ATTR {
          const auto active = hn::Gt(hn::LoadU(d, results + begin + i), hn::Zero(d));
          const auto scaled = hn::Mul(hn::LoadU(d, from + begin + i), hn::Set(d, static_cast<T>(factor)));
          hn::StoreU(hn::IfThenElseZero(active, scaled), d, to + begin + i);
        });
      });
    }
    if (db) sum_to_kernel(Device::cpu, y ? dz : g, db);
  });
}

}  // namespace
}  // namespace fade::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fade {

FADE_SIMD_KERNEL(linear_forward, forward);
FADE_SIMD_KERNEL(linear_backward, backward);

}  // namespace fade
#endif
