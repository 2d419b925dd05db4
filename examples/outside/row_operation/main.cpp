// A new operation over rows, with a kernel for each device. Its gradient is checked on all of them.
#include <fade/ops.h>

#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

#include "rms_scale.h"

using namespace fade;

void on_cpu(const Tensor& x, Out y, Out r) {
  dispatch_float(x.dtype(), "rms_scale", [&]<class T>() {
    const T* in = x.data<T>();
    T *out = y.mutate<T>(), *factors = r.mutate<T>();
    const int64_t n = x.size(-1);
    parallel_rows(r.numel(), n, [=](int64_t row) {
      const T* v = in + row * n;
      const T mean = std::inner_product(v, v + n, v, T{0}) / static_cast<T>(n);
      factors[row] = 1 / std::sqrt(mean + static_cast<T>(1e-5));
      for (int64_t i = 0; i < n; ++i) out[row * n + i] = v[i] * factors[row];
    });
  });
}
const bool registered = rms_scale_kernel.implement(Device::cpu, on_cpu);

enum Saved : int { kY, kR };

// dx = r·(g − y·mean(g·y)), in terms of operations. A kernel of its own would read memory less often.
void rms_scale_rule(BackwardCtx& ctx) {
  const Tensor g = ctx.grad(), y = ctx.saved(kY), r = ctx.saved(kR);
  ctx.add(0, r * (g - y * mean(g * y, -1, true)));
}
constexpr OpDef kRmsScale{"rms_scale", rms_scale_rule};

Tensor rms_scale(const Tensor& x) {
  Tensor y = Tensor::empty_like(x);
  Shape rows = x.shape();
  rows.set(-1, 1);
  Tensor r = Tensor::empty(rows, x.dtype(), x.device());
  rms_scale_kernel(x.device(), x, y, r);
  record(kRmsScale, y, {&x}, {&y, &r});
  return y;
}

int main() {
  const Tensor x = Tensor::from(std::vector<double>{1, -2, 3, 4, 0.5, -6}, {2, 3});
  for (const Device device : {Device::cpu, Device::cuda}) {
    if (!has_backend(device)) continue;
    gradcheck([](const std::vector<Tensor>& in) { return rms_scale(in[0]); }, {x.to(device)});
    std::printf("%s:", name_of(device));
    for (const double y : rms_scale(x.to(device)).to_vector<double>()) std::printf(" %.4f", y);
    std::printf("\n");
  }
}
