#include "engine/cuda/rows.h"
#include "ops/expire_mask/expire_mask.h"
#include "ops/expire_mask/soft_mask.h"

namespace fade {
namespace {

// A row is one query's: row = b·M + i.
template <class T>
struct Forward {
  const T* span;
  const int32_t* age;
  int64_t queries;
  int ramp;
  T* m;
  template <class Row>
  __device__ void operator()(const Row& row) const {
    const int64_t stream = row.index / queries * row.size;
    const int32_t i = static_cast<int32_t>(row.index % queries);
    const int R = ramp;
    row.map([=](T e, int32_t a) { return soft_mask(e, a + i, R); }, m + row.start(), span + stream,
            age + stream);
  }
};

// One memory row: the queries of its stream, in order. Neighbouring threads read neighbouring columns of g.
template <class T>
struct Backward {
  const T *g, *span;
  const int32_t* age;
  int64_t queries, rows;
  int ramp;
  T* dspan;
  __device__ void operator()(int64_t bj) const {
    const T* column = g + bj / rows * queries * rows + bj % rows;
    T sum = 0;
    for (int32_t i = 0; i < queries; ++i)
      if (under_ramp(span[bj], age[bj] + i, ramp)) sum += column[i * rows];
    dspan[bj] = sum / static_cast<T>(ramp);
  }
};

void forward_cuda(const Tensor& span, const Tensor& age, int ramp, const Tensor& m) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const T* e = span.data<T>();
    const int32_t* a = age.data<int32_t>();
    T* out = m.mutate<T>();
    launch_rows("expire_mask", {m.size(0) * m.size(1), m.size(2)}, Forward<T>{e, a, m.size(1), ramp, out}, e,
                a, out);
  });
}

void backward_cuda(const Tensor& g, const Tensor& span, const Tensor& age, int ramp, const Tensor& dspan) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    launch_each("expire_mask_backward", span.numel(),
                Backward<T>{g.data<T>(), span.data<T>(), age.data<int32_t>(), g.size(1), g.size(2), ramp,
                            dspan.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = expire_mask_forward.implement(Device::cuda, forward_cuda) &&
                                         expire_mask_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
