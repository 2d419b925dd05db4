#include "engine/cuda/rows.h"
#include "ops/expire_mask/expire_mask_kernels.h"

namespace fade {
namespace {

// A row is one query of one head: row = (b·G + h)·M + i.
template <class T>
struct Forward {
  MaskFormula<T> mask;
  const int32_t* age;
  int64_t heads, queries;
  T* m;
  __device__ void operator()(const auto& row) const {
    const int64_t stream = row.index / (heads * queries) * row.size, head = row.index / queries % heads;
    const auto i = static_cast<int32_t>(row.index % queries);
    const MaskFormula<T> formula = mask;
    if (mask.row_stride) {
      row.map([=](T e, int32_t a) { return formula.value_in_reach(a, e, i); }, m + row.start(),
              mask.spans + stream, age + stream);
    } else {
      const T z = mask.span_of(0, head);
      row.map([=](int32_t a) { return formula.value_in_reach(a, z, i); }, m + row.start(), age + stream);
    }
  }
};

// One memory row for one head: the queries of its stream, in order. Neighbouring threads read neighbouring
// columns of g.
template <class T>
struct Backward {
  MaskFormula<T> mask;
  const T* g;
  const int32_t* age;
  int64_t heads, queries, rows;
  T* dspan;
  __device__ void operator()(int64_t n) const {
    const int64_t head = n / rows % heads, row = n / (heads * rows) * rows + n % rows;
    const T* column = g + n / rows * queries * rows + n % rows;
    dspan[n] = span_gradient(mask, mask.span_of(row, head), age[row], column, rows, queries);
  }
};

void forward_cuda(const Tensor& span, const Tensor& age, const SoftMask& attrs, Out m) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    const int32_t* a = age.data<int32_t>();
    T* out = m.mutate<T>();
    const Forward<T> f{
        .mask = attrs.formula<T>(span), .age = a, .heads = m.size(1), .queries = m.size(2), .m = out};
    const T* by_row = f.mask.row_stride ? f.mask.spans : out;  // (a span per head is not read by row)
    launch_rows("expire_mask", {m.size(0) * m.size(1) * m.size(2), m.size(3)}, f, by_row, a, out);
  });
}

void backward_cuda(const Tensor& g, const Tensor& span, const Tensor& age, const SoftMask& attrs, Out dspan) {
  dispatch_float(span.dtype(), "expire_mask", [&]<class T>() {
    launch_each("expire_mask_backward", dspan.numel(),
                Backward<T>{.mask = attrs.formula<T>(span),
                            .g = g.data<T>(),
                            .age = age.data<int32_t>(),
                            .heads = g.size(1),
                            .queries = g.size(2),
                            .rows = g.size(3),
                            .dspan = dspan.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = soft_mask_forward.implement(Device::cuda, forward_cuda) &&
                                         soft_mask_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
