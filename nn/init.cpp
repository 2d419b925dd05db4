#include "nn/init.h"

#include <cmath>
#include <numbers>

#include "engine/parallel.h"
#include "engine/primitives.h"

namespace fade {
namespace {

// t[i] = value(i), i in row-major order.
template <class F>
void fill_from(const Tensor& t, F&& value) {
  std::vector<double> v(static_cast<size_t>(t.numel()));
  parallel_elements(t.numel(), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) v[static_cast<size_t>(i)] = value(static_cast<uint64_t>(i));
  });
  t.copy_from(Tensor::from(v, t.shape()).to(t.dtype()));
}

}  // namespace

void init_uniform(const Tensor& t, double bound, RngKey key) {
  fill_from(t, [&](uint64_t i) { return bound * (2 * uniform_f64(key, i) - 1); });
}

void init_normal(const Tensor& t, RngKey key) {
  fill_from(t, [&](uint64_t i) {
    const double radius = std::sqrt(-2 * std::log1p(-uniform_f64(key, 2 * i)));
    return radius * std::cos(2 * std::numbers::pi * uniform_f64(key, 2 * i + 1));
  });
}

void init_constant(const Tensor& t, double value) { fill_kernel(t.device(), value, t); }

void init_scale(const Tensor& t, double factor) {
  const std::vector<double> v = t.to(DType::f64).to_vector<double>();
  fill_from(t, [&](uint64_t i) { return v[i] * factor; });
}

}  // namespace fade
