#include "engine/cuda/cuda.h"
#include "engine/cuda/sum.h"
#include "ops/span_loss/span_loss_kernels.h"
#include "ops/span_loss/span_loss_math.h"

namespace fade {
namespace {

template <class T>
struct Forward {
  MaskFormula<T> mask;
  const int32_t* age;
  int32_t block;
  double* remaining;  // Σ r of each row
  __device__ void operator()(int64_t j) const {
    remaining[j] = ramp_sum(mask, mask.span_of(j, 0), age[j], block).remaining;
  }
};

template <class T>
struct Backward {
  MaskFormula<T> mask;
  const int32_t* age;
  int32_t block;
  const T* g;
  double force;
  T* dspan;
  __device__ void operator()(int64_t j) const {
    const double queries = ramp_sum(mask, mask.span_of(j, 0), age[j], block).queries;
    dspan[j] = static_cast<T>(static_cast<double>(*g) * force * queries);
  }
};

void forward_cuda(const Tensor& span, const Tensor& age, const SpanLoss& attrs, Out loss) {
  const int64_t rows = span.numel();
  const Tensor remaining = Tensor::empty({rows}, DType::f64, Device::cuda);
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const MaskFormula<T> mask(MaskKind::expiring, span.data<T>(), attrs.ramp);
    launch_each("span_loss", rows,
                Forward<T>{mask, age.data<int32_t>(), attrs.block, remaining.mutate<double>()});
  });
  sum_middle("span_loss", remaining, {1, rows, 1}, rows ? attrs.force(span.size(0)) : 0, loss);
}

void backward_cuda(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss& attrs, Out dspan) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const MaskFormula<T> mask(MaskKind::expiring, span.data<T>(), attrs.ramp);
    launch_each("span_loss_backward", span.numel(),
                Backward<T>{.mask = mask,
                            .age = age.data<int32_t>(),
                            .block = attrs.block,
                            .g = g.data<T>(),
                            .force = attrs.force(span.size(0)),
                            .dspan = dspan.mutate<T>()});
  });
}

[[maybe_unused]] const bool registered = span_loss_forward.implement(Device::cuda, forward_cuda) &&
                                         span_loss_backward.implement(Device::cuda, backward_cuda);

}  // namespace
}  // namespace fade
