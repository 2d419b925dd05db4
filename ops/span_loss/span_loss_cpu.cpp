#include "ops/span_loss/ramp_queries.h"
#include "ops/span_loss/span_loss.h"

namespace fade {
namespace {

// A few operations a row: small beside the products that made the rows, so one thread does it.
void forward_cpu(const Tensor& span, const Tensor& age, const SpanLoss& attrs, const Tensor& loss) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const T* e = span.data<T>();
    const int32_t* a = age.data<int32_t>();
    double sum = 0;
    for (int64_t j = 0; j < span.numel(); ++j) {
      const double left = left_at_first_query(e[j], a[j]);
      const RampQueries under = ramp_queries(left, attrs.ramp, attrs.block);
      if (under.count > 0) sum += under.sum_of_remaining(left);
    }
    *loss.mutate<T>() = span.numel() ? static_cast<T>(attrs.force(span.size(0)) * sum) : T{0};
  });
}

void backward_cpu(const Tensor& g, const Tensor& span, const Tensor& age, const SpanLoss& attrs,
                  const Tensor& dspan) {
  dispatch_float(span.dtype(), "span_loss", [&]<class T>() {
    const T* e = span.data<T>();
    const int32_t* a = age.data<int32_t>();
    T* de = dspan.mutate<T>();
    const double push = span.numel() ? static_cast<double>(*g.data<T>()) * attrs.force(span.size(0)) : 0;
    for (int64_t j = 0; j < span.numel(); ++j) {
      const double left = left_at_first_query(e[j], a[j]);
      de[j] = static_cast<T>(push * static_cast<double>(ramp_queries(left, attrs.ramp, attrs.block).count));
    }
  });
}

[[maybe_unused]] const bool registered = span_loss_forward.implement(Device::cpu, forward_cpu) &&
                                         span_loss_backward.implement(Device::cpu, backward_cpu);

}  // namespace
}  // namespace fade
