#include "engine/cuda/rows.h"
#include "ops/masked_renorm/masked_renorm.h"
#include "ops/masked_renorm/masked_renorm_kernels.h"

namespace fade {
namespace {

// Row (b·K + h)·M + i: one query of one head.
template <class T>
struct Forward {
  const T *a, *m;
  int64_t heads, queries;
  T *w, *den;
  __device__ void operator()(const auto& row) const {
    const T* x = a + row.start();
    const T* mask = m + (row.index / (heads * queries) * queries + row.index % queries) * row.size;
    const T total = row.sum([](T v, T mj) { return v * mj; }, x, mask) + static_cast<T>(kRenormEps);
    const T inverse = T{1} / total;
    row.map([=](T v, T mj) { return v * mj * inverse; }, w + row.start(), x, mask);
    if (row.lane == 0) den[row.index] = total;
  }
};

// Row b·M + i: one query. Its heads add to the same row of dm, in order. Equations of masked_renorm.md.
template <class T>
struct Backward {
  const T *g, *a, *m, *den;
  int64_t heads, queries;
  T *da, *dm;  // nullptr if not needed
  __device__ void operator()(const auto& row) const {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t head = (row.index / queries * heads + h) * queries + row.index % queries;
      const int64_t at = head * row.size;
      const T inverse = T{1} / den[head];
      const T total = inverse * row.sum([](T gj, T aj, T mj) { return gj * (aj * mj); }, g + at, a + at,
                                        m + row.start());  // G, equation (1)
      const auto gradient = [=](T factor, T gj) { return factor * (gj - total) * inverse; };
      if (da) row.map(gradient, da + at, m + row.start(), g + at);  // equation (2)
      if (!dm) continue;
      T* sum = dm + row.start();  // equation (3)
      if (h == 0) {
        row.map(gradient, sum, a + at, g + at);
      } else {
        row.map([=](T before, T aj, T gj) { return before + gradient(aj, gj); }, sum, sum, a + at, g + at);
      }
    }
  }
};

void forward_cuda(const Tensor& a, const Tensor& m, Out w, Out den) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() {
    const T *pa = a.data<T>(), *pm = m.data<T>();
    T* pw = w.mutate<T>();
    launch_rows("masked_renorm", {a.shape().numel(0, 3), a.size(3)},
                Forward<T>{pa, pm, a.size(1), a.size(2), pw, den.mutate<T>()}, pa, pm, pw);
  });
}

void backward_cuda(const Tensor& g, const Tensor& a, const Tensor& m, const Tensor& den, Out da, Out dm) {
  dispatch_float(a.dtype(), "masked_renorm", [&]<class T>() {
    const T *pg = g.data<T>(), *pa = a.data<T>(), *pm = m.data<T>();
    T *out_a = da ? da.mutate<T>() : nullptr, *out_m = dm ? dm.mutate<T>() : nullptr;
    launch_rows("masked_renorm_backward", {a.size(0) * a.size(2), a.size(3)},
                Backward<T>{pg, pa, pm, den.data<T>(), a.size(1), a.size(2), out_a, out_m}, pg, pa, pm, out_a,
                out_m);
  });
}

[[maybe_unused]] const bool registered = masked_renorm_forward.implement(Device::cuda, forward_cuda) &&
                                         masked_renorm_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
