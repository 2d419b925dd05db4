#include "engine/cuda/cuda.h"
#include "engine/cuda/sum.h"
#include "ops/span_loss/ramp_queries.h"
#include "ops/span_loss/span_loss.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  const T* span;
  const int32_t* age;
  SpanLoss attrs;
  double* remaining;  // Σ r of each row
  __device__ void operator()(int64_t j) const {
    const double left = left_at_first_query(span[j], age[j]);
    remaining[j] = ramp_queries(left, attrs.ramp, attrs.block).sum_of_remaining(left);
  }
};

template <class T>
struct Backward {
  const T *g, *span;
  const int32_t* age;
  SpanLoss attrs;
  double force;
  T* dspan;
  __device__ void operator()(int64_t j) const {
    const RampQueries under = ramp_queries(left_at_first_query(span[j], age[j]), attrs.ramp, attrs.block);
    dspan[j] = static_cast<T>(static_cast<double>(*g) * force * static_cast<double>(under.count));
  }
};

void forward_cuda(const Tensor& span, const Tensor& age, const SpanLoss& attrs, const Tensor& loss) {
  const int64_t rows = span.numel();
  const Tensor remaining = Tensor::empty({rows}, DType::f64, Device::cuda);
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    launch_each("span_loss", rows,
                Forward<T>{span.data<T>(), age.data<int32_t>(), attrs, remaining.mutate<double>()});
  });
  sum_middle("span_loss", remaining, {1, rows, 1}, rows ? attrs.force(span.size(0)) : 0, loss);
}

void backward_cuda(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss& attrs,
                   const Tensor& dspan) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    launch_each("span_loss_backward", span.numel(),
                Backward<T>{g.data<T>(), span.data<T>(), age.data<int32_t>(), attrs,
                            attrs.force(span.size(0)), dspan.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = span_loss_forward.implement(Device::cuda, forward_cuda) &&
                                         span_loss_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
