#include <algorithm>

#include "engine/primitives.h"
#include "ops/linear/linear_kernels.h"
#include "ops/matmul/matmul_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/linear/linear_cpu.cpp"
#include "hwy/foreach_target.h"  // compiles this file again for each instruction set

#include "ops/dropout/dropout-inl.h"

HWY_BEFORE_NAMESPACE();
namespace fade::HWY_NAMESPACE {
namespace {

// What follows the product, in place; the elements that share a draw of random numbers together.
template <class T>
void apply(const LinearFinish& finish, Out result) {
  T* const y = result.mutate<T>();
  const T* const bias = finish.bias ? finish.bias.data<T>() : nullptr;
  const int64_t n = result.numel(), columns = result.size(-1);
  parallel_rows((n + kDropoutChunk - 1) / kDropoutChunk, kDropoutChunk, [&](int64_t chunk) HWY_ATTR {
    const int64_t first = chunk * kDropoutChunk, end = std::min(n, first + kDropoutChunk);
    HWY_ALIGN T factors[kDropoutChunk];
    if (finish.drop) dropout_factors(finish.mask, first, factors);
    for (int64_t i = first; i < end;) {  // to the end of a row, or of the chunk
      const int64_t column = i % columns, count = std::min(columns - column, end - i);
      for_each_vector<T>(count, [&](auto d, int64_t k) HWY_ATTR {
        auto v = hn::LoadU(d, y + i + k);
        if (bias) v = hn::Add(v, hn::LoadU(d, bias + column + k));
        if (finish.relu) v = hn::IfThenZeroElse(hn::Lt(v, hn::Zero(d)), v);
        if (finish.drop) v = drop(d, v, factors + (i - first) + k);
        hn::StoreU(v, d, y + i + k);
      });
      i += count;
    }
  });
}

void forward(const Tensor& x, const Tensor& weight, const LinearFinish& finish, Out y) {
  dispatch_float(x.dtype(), "linear", [&]<class T>() {
    matmul_into(x, weight, {.b = true}, y);
    if ((finish.bias || finish.relu) && y.numel() > 0) apply<T>(finish, y);
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
