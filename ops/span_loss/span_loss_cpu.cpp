#include "ops/span_loss/span_loss_kernels.h"
#include "ops/span_loss/span_loss_math.h"

namespace fade {
namespace {

// A few operations per row: little compared with the products that made the rows, so one thread does it.
void forward_cpu(const Tensor& span, const Tensor& age, const SpanLoss& attrs, Out loss) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const MaskFormula<T> mask(MaskKind::expiring, span.data<T>(), attrs.ramp);
    const int32_t* a = age.data<int32_t>();
    double sum = 0;
    for (int64_t j = 0; j < span.numel(); ++j)
      sum += ramp_sum(mask, mask.span_of(j, 0), a[j], attrs.block).remaining;
    *loss.mutate<T>() = span.numel() ? static_cast<T>(attrs.force(span.size(0)) * sum) : T{0};
  });
}

void backward_cpu(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss& attrs, Out dspan) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const MaskFormula<T> mask(MaskKind::expiring, span.data<T>(), attrs.ramp);
    const int32_t* a = age.data<int32_t>();
    T* de = dspan.mutate<T>();
    const double push = span.numel() ? static_cast<double>(*g.data<T>()) * attrs.force(span.size(0)) : 0;
    for (int64_t j = 0; j < span.numel(); ++j)
      de[j] = static_cast<T>(push * ramp_sum(mask, mask.span_of(j, 0), a[j], attrs.block).queries);
  });
}

[[maybe_unused]] const bool registered = span_loss_forward.implement(Device::cpu, forward_cpu) &&
                                         span_loss_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
