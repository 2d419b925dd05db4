#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/elementwise/unary_cuda.h"

namespace fade {
namespace {

template <class F, class... In>
void broadcast_cuda(const F& f, Out y, const In&... in) {
  dispatch_float(y.dtype(), F::name, [&]<class T>() {
    const Shape& s = y.shape();
    map_strided(F::name, ForwardElement<F>{f}, s, StridedView{y.mutate<T>(), broadcast_strides(s, s)},
                StridedView{in.template data<T>(), broadcast_strides(in.shape(), s)}...);
  });
}

template <class F>
void binary_cuda(const F& f, const Tensor& a, const Tensor& b, Out y) {
  broadcast_cuda(f, y, a, b);
}
template <class F>
void ternary_cuda(const F& f, const Tensor& a, const Tensor& b, const Tensor& c, Out y) {
  broadcast_cuda(f, y, a, b, c);
}

template <class... F>
bool implement_unary(Functors<F...>) {
  return (implement_unary_cuda<F>() && ...);
}
template <class... F>
bool implement_steps(Functors<F...>) {
  return (unary_forward<F>.implement(Device::cuda, unary_forward_cuda<F>) && ...);
}
template <class... F>
bool implement_binary(Functors<F...>) {
  return (binary_forward<F>.implement(Device::cuda, binary_cuda<F>) && ...);
}
template <class... F>
bool implement_ternary(Functors<F...>) {
  return (ternary_forward<F>.implement(Device::cuda, ternary_cuda<F>) && ...);
}

[[maybe_unused]] const bool registered =
    implement_unary(UnaryFunctors{}) && implement_steps(StepFunctors{}) &&
    implement_binary(BinaryFunctors{}) && implement_ternary(TernaryFunctors{});

}  // namespace
}  // namespace fade
